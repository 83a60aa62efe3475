use memdex::{Nested, Record};

#[derive(Nested)]
struct Inner {
    #[record(ordered, nan_last)]
    depth: u32,
}

#[derive(Record)]
struct Reading {
    #[record(key)]
    id: u32,
    #[record(ordered, nan_last)]
    name: Option<String>,
    #[record(nan_last)]
    celsius: f64,
    #[record(nested, nan_last)]
    inner: Inner,
}

#[derive(Record)]
struct Other {
    #[record(key)]
    id: u32,
    #[record(ordered, nan_last)]
    name: Option<String>,
}

fn main() {}
