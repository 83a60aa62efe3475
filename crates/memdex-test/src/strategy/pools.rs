//! Values for tests, by kind: the simplest first, then boundaries. Strategies draw from few values, so that records collide, and
//! shrink towards the first.

use memdex::typing::{DecimalValue, ValueRef};
use memdex::{FieldDef, Kind, Value};

const SECOND: i128 = 1_000_000_000;

/// Values of a field, in the order in which they shrink.
pub(super) fn pool(field: &FieldDef) -> Vec<Value> {
    if !field.choices().is_empty() {
        return field.choices().iter().copied().map(Value::from).collect();
    }
    match field.kind() {
        Kind::Bool => [false, true].map(Value::from).to_vec(),
        Kind::Int => {
            let mut all: Vec<i128> = vec![0, 1, 2, 3, -1, 7, 10, 100, -100];
            for bits in [8, 16, 32, 64] {
                all.extend([(1 << (bits - 1)) - 1, -(1 << (bits - 1)), (1_i128 << bits) - 1]);
            }
            // The largest float whose successor is exact, and one more.
            all.extend([(1 << 53) + 1, i128::from(u64::MAX) + 1]);
            all.into_iter().map(Value::from).collect()
        }
        Kind::Float => {
            [0.0, 1.0, 2.0, -1.0, 0.5, 0.25, 0.1, 0.3, -7.25, 99.99, 1e-9, 1e15, f64::NAN].map(Value::from).into()
        }
        Kind::Char => ['a', 'b', 'A', 'z', 'ä', '\u{1F6EB}'].map(Value::from).to_vec(),
        Kind::Str => {
            let texts = ["a", "b", "B", "ab", "", "Ada", "ada", "a%b", "a_b", "ä", "É", "\u{1F6EB}", "z\0"];
            let mut texts: Vec<Value> = texts.map(Value::from).to_vec();
            texts.push(Value::from("long ".repeat(8)));
            texts
        }
        Kind::Bytes => [&b""[..], b"a", b"b", b"\0", b"\xff\0", b"abcdefgh"].map(Value::from).to_vec(),
        Kind::Uuid => [0, 1, 128, 255].map(|n| ValueRef::Uuid([n; 16]).to_value()).to_vec(),
        // Around 1970, a leap day, and the end of a year.
        Kind::Timestamp => [
            0,
            SECOND,
            60 * SECOND,
            86_400 * SECOND,
            -SECOND,
            1_582_934_399 * SECOND,
            1_582_934_400 * SECOND,
            1_767_225_599_999_999_000,
            -1,
        ]
        .map(|nanos| ValueRef::Timestamp(nanos).to_value())
        .to_vec(),
        Kind::Date => {
            [0, 1, -1, 30, 31, 59, 364, 365, -400, 18_321].map(|days| ValueRef::Date(days).to_value()).to_vec()
        }
        Kind::Decimal => [(0, 0), (1, 0), (2, 0), (-15, 1), (1, 2), (10, 0), (333, 2), (99_999, 3)]
            .into_iter()
            .filter_map(|(units, scale)| DecimalValue::new(units, scale))
            .map(Value::from)
            .collect(),
    }
}

/// Keys are simple, so that a failed case is easy to read.
pub(super) fn key_pool(field: &FieldDef, keys: usize) -> Vec<Value> {
    let numbers = 1..=keys as i32;
    if !field.choices().is_empty() {
        return pool(field);
    }
    match field.kind() {
        Kind::Int => numbers.map(Value::from).collect(),
        Kind::Str => numbers.map(|n| Value::from(letters(n as usize - 1))).collect(),
        Kind::Timestamp => numbers.map(|n| ValueRef::Timestamp(i128::from(n) * SECOND).to_value()).collect(),
        Kind::Date => numbers.map(|n| ValueRef::Date(n).to_value()).collect(),
        Kind::Uuid => numbers.map(|n| ValueRef::Uuid(u128::from(n.unsigned_abs()).to_be_bytes()).to_value()).collect(),
        Kind::Float => numbers.map(|n| Value::from(f64::from(n))).collect(),
        Kind::Decimal => numbers.map(|n| Value::from(DecimalValue::from(n))).collect(),
        Kind::Bytes => numbers.map(|n| Value::from(letters(n as usize - 1).into_bytes())).collect(),
        Kind::Bool | Kind::Char => pool(field).into_iter().take(keys).collect(),
    }
}

/// `a` to `z`, then `a1`.
fn letters(at: usize) -> String {
    let letter = char::from(b'a' + (at % 26) as u8);
    if at < 26 { letter.to_string() } else { format!("{letter}{}", at / 26) }
}

/// Whether SQLite and PostgreSQL store and compare the value as memdex does.
pub(super) fn is_portable(value: &Value) -> bool {
    match value.as_ref() {
        ValueRef::Int128(_) | ValueRef::UInt128(_) => false,
        ValueRef::Float(x) => x.is_finite(),
        ValueRef::Str(text) => !text.contains('\0'),
        ValueRef::Char(c) => c != '\0',
        ValueRef::Timestamp(nanos) => nanos % 1_000 == 0,
        _ => true,
    }
}
