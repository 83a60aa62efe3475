use memdex::{Record, Store};

#[derive(Clone, Record)]
struct Page {
    #[record(key)]
    id: u32,
    #[record(field)]
    name: String,
    #[record(field)]
    views: u32,
}

#[derive(Clone, Record)]
struct User {
    #[record(key)]
    id: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pages = Store::new().collection::<Page>("Page")?;
    pages.increment(1, page::NAME, 1)?;
    pages.increment(1, user::ID, 1)?;
    pages.max(1, page::VIEWS, "7")?;
    pages.append_bounded(1, page::NAME, "x", 3)?;
    Ok(())
}
