use memdex::Record;

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: String,
    #[record(index)]
    currency: Option<String>,
}

fn main() {
    let _ = payment::CURRENCY.is_null();
    let _ = payment::ID.is_null();
}
