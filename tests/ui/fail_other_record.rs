use memdex::{Record, Store};

#[derive(Record)]
struct User {
    #[record(key)]
    id: u32,
}

#[derive(Record)]
struct Order {
    #[record(key)]
    id: u32,
}

fn main() {
    let users = Store::new().collection::<User>("User").unwrap();
    let _ = users.find(order::ID.eq(1));
}
