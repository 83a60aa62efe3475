use memdex::{FieldValue, Record};

#[derive(Record)]
#[record(rename_all = "camelCase", table = "payments")]
struct Payment {
    #[record(indexed)]
    id: String,
    #[record(index, unique, some::path)]
    status: String,
    #[record(key, rename_all = "camelCase")]
    number: u64,
}

#[derive(FieldValue)]
#[field(rename = "Status")]
enum Status {
    #[field(default)]
    Pending,
}

#[derive(FieldValue)]
#[field(transparent)]
struct Id(#[field(rename = "id")] String);

fn main() {}
