use memdex::{FieldValue, Record};

#[derive(Record)]
struct Payment {
    #[record(key, field)]
    id: String,
    #[record(index, field)]
    status: String,
    #[record(index, index)]
    currency: String,
    #[record(field, rename = "a")]
    #[record(rename = "b")]
    amount_cents: i64,
    #[record(rename = "note")]
    description: String,
}

#[derive(FieldValue)]
#[field(rename_all = "snake_case", rename_all = "lowercase")]
enum Status {
    Pending,
}

fn main() {}
