use memdex::Record;

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: String,
    #[record(field)]
    amount_cents: Option<i64>,
    #[record(field)]
    tags: Vec<String>,
}

fn main() {
    let _ = payment::AMOUNT_CENTS.sum();
    let _ = payment::ID.count();
    let _ = payment::ID.sum();
    let _ = payment::TAGS.avg();
    let _ = payment::ID.contains("x");
}
