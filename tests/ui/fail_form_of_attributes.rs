use memdex::{FieldValue, Record};

#[derive(Record)]
#[record]
struct Bare {
    #[record]
    a: u8,
    #[record()]
    b: u8,
    #[record = "key"]
    c: u8,
    #[record("key")]
    d: u8,
    #[record(key index)]
    e: u8,
}

#[derive(Record)]
#[record(rename_all)]
struct Options {
    #[record(key = "yes")]
    a: u8,
    #[record(index, rename)]
    b: u8,
    #[record(index, rename = 5)]
    c: u8,
    #[record(index("fast"))]
    d: u8,
}

#[derive(FieldValue)]
#[field]
enum Status {
    #[field(rename(short = "p"))]
    Pending,
}

fn main() {}
