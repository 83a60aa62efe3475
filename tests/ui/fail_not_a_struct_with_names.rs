use memdex::Record;

#[derive(Record)]
struct Tuple(#[record(key)] u8, String);

#[derive(Record)]
struct Unit;

#[derive(Record)]
enum Either {
    Left,
    Right,
}

#[derive(Record)]
union Bits {
    whole: u32,
    parts: [u8; 4],
}

fn main() {}
