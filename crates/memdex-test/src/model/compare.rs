//! The order of values, by plain comparisons of their own.

use memdex::schema::Collation;
use memdex::typing::ValueRef;
use memdex::{Kind, Value};
use std::cmp::Ordering;

/// The order of two values of one field: numbers of different kinds by number, strings by the field's collation.
pub(crate) fn compare(a: &Value, b: &Value, collation: Option<Collation>) -> Ordering {
    match (a.as_str(), b.as_str(), collation) {
        (Some(a), Some(b), Some(collation)) => collation.key(a).cmp(&collation.key(b)),
        _ if a.kind() != b.kind() && is_number(a) && is_number(b) => digits(a).cmp(&digits(b)),
        _ => a.cmp(b),
    }
}

/// The order, then that of the spellings of equal strings.
pub(crate) fn compare_as_written(a: &Value, b: &Value, collation: Option<Collation>) -> Ordering {
    compare(a, b, collation).then_with(|| a.as_str().cmp(&b.as_str()))
}

pub(crate) fn is_number(value: &Value) -> bool {
    matches!(value.kind(), Some(Kind::Int | Kind::Float | Kind::Decimal))
}

/// A number by its decimal digits: first its sign, or that of infinity, with NaN above all. Rust prints every digit of a float.
#[derive(PartialEq, Eq)]
struct Digits {
    sign: i8,
    digits: (usize, String, String),
}

impl Ord for Digits {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || self.digits.cmp(&other.digits);
        self.sign.cmp(&other.sign).then_with(|| if self.sign < 0 { magnitude().reverse() } else { magnitude() })
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn digits(value: &Value) -> Digits {
    let special = |sign| Digits { sign, digits: (0, String::new(), String::new()) };
    let text = match value.as_ref() {
        ValueRef::Float(x) if x.is_nan() => return special(3),
        ValueRef::Float(x) if x.is_infinite() => return special(if x < 0.0 { -2 } else { 2 }),
        ValueRef::Float(x) => format!("{x:.1100}"),
        other => other.to_string(),
    };
    let magnitude = text.trim_start_matches('-');
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let is_zero = whole.is_empty() && fraction.is_empty();
    let sign = match (is_zero, text.starts_with('-')) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    Digits { sign, digits: (whole.len(), whole.to_owned(), fraction.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memdex::typing::DecimalValue;

    #[test]
    fn numbers_of_all_kinds_have_one_order() {
        let decimal = |units, scale| Value::from(DecimalValue::new(units, scale).unwrap());
        let ascending = [
            Value::from(f64::NEG_INFINITY),
            Value::from(-10),
            decimal(-95, 1),
            Value::from(-9),
            Value::from(-0.5),
            Value::from(0),
            Value::from(0.1),
            decimal(2, 1),
            Value::from(1),
            Value::from(9.75),
            decimal(98, 1),
            Value::from(10),
            Value::from(u64::MAX),
            Value::from(1e300),
            Value::from(f64::INFINITY),
            Value::from(f64::NAN),
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (bt, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b, None), at.cmp(&bt), "{a:?} and {b:?}");
            }
        }
        assert_eq!(compare(&Value::from(2), &decimal(20, 1), None), Ordering::Equal);
        assert_eq!(compare(&Value::from(-0.0), &Value::from(0), None), Ordering::Equal);
        assert_eq!(compare(&Value::from("A"), &Value::from("a"), Some(Collation::NoCase)), Ordering::Equal);
    }
}
