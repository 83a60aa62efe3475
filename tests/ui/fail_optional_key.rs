use memdex::{FieldValue, Record};

#[derive(FieldValue)]
struct Note(Option<String>);

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: Option<String>,
    #[record(key, index)]
    note: Note,
    #[record(key)]
    region: u8,
}

fn main() {}
