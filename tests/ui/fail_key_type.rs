use memdex::Record;

struct Opaque;

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: Opaque,
}

#[derive(Record)]
struct Refund {
    #[record(key)]
    parts: Vec<Opaque>,
}

fn main() {}
