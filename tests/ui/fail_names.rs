use memdex::{FieldValue, Record};

#[derive(Record)]
struct Alike {
    #[record(key)]
    id: String,
    #[record(index, rename = "id")]
    other_id: String,
    #[record(index, rename = "total")]
    amount_cents: i64,
    #[record(field)]
    total: i64,
    #[record(field, rename = "")]
    empty: i64,
}

#[derive(Record)]
#[record(rename_all = "camelCase")]
#[allow(non_snake_case)]
struct AlikeInStyle {
    #[record(key)]
    user_id: String,
    #[record(field, rename = "another")]
    userId: String,
    #[record(field)]
    user__id: String,
    #[record(field)]
    __: String,
}

#[derive(Record)]
#[record(rename_all = "camel")]
struct UnknownStyle {
    #[record(key)]
    id: String,
}

#[derive(FieldValue)]
#[field(rename_all = "lowercase")]
enum Status {
    PaidOut,
    Paidout,
    #[field(rename = "paidout")]
    Paid,
    #[field(rename = "")]
    Unknown,
}

#[derive(FieldValue)]
#[field(rename_all = "Snake")]
enum Style {
    One,
}

fn main() {}
