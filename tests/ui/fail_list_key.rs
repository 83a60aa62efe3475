use memdex::Record;

#[derive(Record)]
struct Payment {
    #[record(key)]
    id: Vec<String>,
}

fn main() {}
