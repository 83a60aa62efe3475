use memdex::{FieldValue, Record};

#[derive(FieldValue)]
enum Status {
    Pending,
}

#[derive(FieldValue)]
enum Other {
    Pending,
}

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: String,
    #[record(index)]
    status: Status,
    #[record(field)]
    amount_cents: i64,
}

fn main() {
    let _ = payment::AMOUNT_CENTS.eq("x");
    let _ = payment::AMOUNT_CENTS.eq(5i32);
    let _ = payment::AMOUNT_CENTS.eq(None);
    let _ = payment::STATUS.eq(Other::Pending);
    let _ = payment::STATUS.is_in(["Pending"]);
}
