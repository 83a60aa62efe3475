use memdex::{Nested, Record};

#[derive(Record)]
#[record(reference(bank, branch, on_delete = "cascade"))]
#[record(reference(to = "Branch", on_update = "set_null"))]
#[record(reference(other, to = "Branch", after_delete = "cascade"))]
#[record(check(|payment| payment.amount > 0))]
#[record(check(constraint = "positive"))]
#[record(check(payment::AMOUNT.gt(0), name = "positive"))]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(references = "Account", on_delete = "delete")]
    account: u32,
    #[record(field, on_delete = "cascade")]
    bank: String,
    #[record(field, references = "Branch")]
    branch: u32,
    #[record(field)]
    amount: i64,
}

#[derive(Nested)]
struct Payer {
    #[record(references = "Account", on_delete = "set_null")]
    account: Option<u32>,
}

// The store clones the records whose field it sets.
#[derive(Record)]
struct Note {
    #[record(key)]
    id: u32,
    #[record(references = "Account", on_delete = "set_null")]
    account: Option<u32>,
}

fn main() {}
