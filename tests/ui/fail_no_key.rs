use memdex::Record;

#[derive(Record)]
struct Payment {
    #[record(index)]
    status: String,
    amount_cents: i64,
}

#[derive(Record)]
struct Nothing {}

fn main() {}
