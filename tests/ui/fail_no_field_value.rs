use memdex::{FieldValue, Record};
use std::collections::HashMap;

struct Opaque;

enum Status {
    Pending,
}

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: Opaque,
    #[record(index)]
    labels: HashMap<String, String>,
    #[record(field)]
    twice: Option<Option<u8>>,
    #[record(index)]
    status: Status,
    hidden: Opaque,
}

#[derive(FieldValue)]
struct Wrapper(Opaque);

fn main() {}
