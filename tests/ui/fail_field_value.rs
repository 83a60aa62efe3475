use memdex::FieldValue;

#[derive(FieldValue)]
enum Status {
    Pending,
    /// With data.
    Failed {
        reason: String,
    },
    Retried(u8),
}

#[derive(FieldValue)]
enum Never {}

#[derive(FieldValue)]
struct Unit;

#[derive(FieldValue)]
struct NoFields {}

#[derive(FieldValue)]
struct Pair(u8, u8);

#[derive(FieldValue)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(FieldValue)]
union Bits {
    whole: u32,
    parts: [u8; 4],
}

fn main() {}
