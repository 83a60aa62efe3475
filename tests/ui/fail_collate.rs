use memdex::{Nested, Record};

#[derive(Nested)]
struct Inner {
    #[record(index, collate = "nocase")]
    depth: u32,
}

#[derive(Record)]
struct User {
    #[record(key, collate = "nocase")]
    id: String,
    #[record(unique, collate = "de")]
    mail: String,
    #[record(unique, collate = "nocase_noaccent")]
    name: String,
    #[record(nested, collate = "nocase")]
    inner: Inner,
}

#[derive(Record)]
struct Other {
    #[record(key)]
    id: u32,
    #[record(field, collate = "nocase")]
    tags: Vec<u8>,
}

fn main() {}
