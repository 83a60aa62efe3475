use memdex::Record;

#[derive(Record)]
#[record(fields = "Payment")]
struct Payment {
    #[record(key)]
    id: String,
}

#[derive(Record)]
#[record(fields = "order fields")]
struct Order {
    #[record(key)]
    id: String,
}

fn main() {}
