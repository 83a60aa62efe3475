use memdex::Record;

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: String,
    note: String,
}

fn main() {
    let _ = payment::NOTE.eq("tea");
    let _ = payment::NOTE.is_null();
    let _ = payment::NOTE.starts_with("t");
}
