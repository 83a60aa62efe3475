use memdex::{FieldValue, Record};

#[derive(Record)]
struct Typed<T> {
    #[record(key)]
    id: T,
}

#[derive(Record)]
struct Borrowed<'a, const N: usize> {
    #[record(key)]
    id: &'a str,
    bytes: [u8; N],
}

#[derive(FieldValue)]
struct Wrapper<T>(T);

fn main() {}
