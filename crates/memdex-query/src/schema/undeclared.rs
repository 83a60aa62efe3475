//! Tests on undeclared paths of documents, whose values can be of any kind.
//!
//! Numbers of all kinds are compared by value, strings with strings, `bool`s with `bool`s. Values of different sorts
//! are unequal, and in no range of each other. A path can have any number of values: a test of a single value holds if
//! one of them matches. `bind` has made other tests of `ne`.

use super::test::Test;
use super::{FieldAt, FieldSource};
use crate::value::{Fitted, Kind, Value, ValueRef, compare_numbers};
use std::cmp::Ordering;
use std::ops::Bound;

/// The form of a value that is compared with an undeclared path; `None` for null.
pub(super) fn operand(value: &Value) -> Option<Value> {
    match value.as_ref() {
        ValueRef::Null => None,
        // JSON has no characters, only strings.
        ValueRef::Char(c) => Some(Value::from(c.encode_utf8(&mut [0; 4]) as &str)),
        other => Some(by_number(other).to_value()),
    }
}

/// The place of such a value among those of a path; `None` for null. JSON has no decimals: one that is no float lies between two
/// floats, or beyond 53 bits between two integers.
pub(super) fn fitted(value: &Value) -> Option<Fitted> {
    let operand = operand(value)?;
    let kind = match operand.as_ref() {
        ValueRef::Decimal(number) => {
            let whole = number.units().unsigned_abs() / 10u128.pow(number.scale().into());
            if whole < 1 << f64::MANTISSA_DIGITS { Kind::Float } else { Kind::Int }
        }
        _ => return Some(Fitted::Exact(operand)),
    };
    Fitted::new(operand.as_ref(), kind)
}

/// The one form of a number: an integer if it is one, otherwise a float if that is exact. So numbers are equal by value.
pub fn by_number(value: ValueRef<'_>) -> ValueRef<'_> {
    match value {
        ValueRef::Float(x) if x.fract() == 0.0 && (0.0..ABOVE_INTEGERS).contains(&x) => ValueRef::UInt128(x as u128),
        ValueRef::Float(x) if x.fract() == 0.0 && (LEAST_INTEGER..0.0).contains(&x) => ValueRef::Int128(x as i128),
        ValueRef::Decimal(number) if number.scale() == 0 => ValueRef::Int128(number.units()),
        ValueRef::Decimal(_) => {
            match Fitted::new(value, Kind::Float).and_then(Fitted::exact).and_then(|x| x.as_f64()) {
                Some(x) => ValueRef::Float(x),
                None => value,
            }
        }
        other => other,
    }
    .canonical()
}

const LEAST_INTEGER: f64 = i128::MIN as f64;
/// The lowest float above all integers.
const ABOVE_INTEGERS: f64 = -2.0 * LEAST_INTEGER;

/// The number nearest to a number, and the distance from it: pairs in the order of the numbers. `None` for other values, and
/// for a decimal that is no float. The value must have the one form of [`by_number`].
pub fn number_order(value: ValueRef<'_>) -> Option<(f64, i128)> {
    match value {
        ValueRef::Float(x) => Some((x, 0)),
        ValueRef::Int(n) => Some(nearest(n < 0, n.unsigned_abs().into())),
        ValueRef::Int128(n) => Some(nearest(n < 0, n.unsigned_abs())),
        ValueRef::UInt128(n) => Some(nearest(false, n)),
        _ => None,
    }
}

fn nearest(is_negative: bool, magnitude: u128) -> (f64, i128) {
    let near = magnitude as f64;
    // The float may be 2^128, which is 0 here. The distance is less than 2^75.
    let integer = if near < ABOVE_INTEGERS { near as u128 } else { 0 };
    let distance = magnitude.wrapping_sub(integer) as i128;
    if is_negative { (-near, -distance) } else { (near, distance) }
}

/// The order of values of several kinds: numbers by value, all others in the order of kinds. It is total, as all kinds
/// of numbers have the place of integers among the others.
pub fn order_of_all(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    if a.kind() == b.kind() {
        return a.cmp(&b);
    }
    let among_kinds = |value| if let ValueRef::Decimal(_) = value { ValueRef::Int(0) } else { value };
    compare_numbers(a, b).unwrap_or_else(|| among_kinds(a).cmp(&among_kinds(b)))
}

/// The kind of whole numbers if all of these are whole, otherwise that of floats.
pub(super) fn kind_of_bounds<'a>(mut bounds: impl Iterator<Item = &'a Value>) -> Kind {
    let is_whole = |bound: &Value| Fitted::new(bound.as_ref(), Kind::Int).and_then(Fitted::exact).is_some();
    if bounds.all(is_whole) { Kind::Int } else { Kind::Float }
}

/// Whether a range is empty. May miss some empty ranges.
pub(super) fn is_empty(from: &Bound<Value>, to: &Bound<Value>) -> bool {
    let (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) = (from, to)
    else {
        return false;
    };
    match order(low.as_ref(), high.as_ref()) {
        None | Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => matches!(from, Bound::Excluded(_)) || matches!(to, Bound::Excluded(_)),
        Some(Ordering::Less) => false,
    }
}

/// Whether a record matches a test at an undeclared path.
pub(super) fn holds(test: &Test, record: &dyn FieldSource, at: &FieldAt) -> bool {
    let mut found = false;
    match test {
        Test::All(values) => {
            return values.all_among(|each| record.values_at(at, &mut |value| each(by_number(value))));
        }
        Test::IsNull | Test::HasNone => {
            record.values_at(at, &mut |value| found = found || !value.is_null());
            return !found;
        }
        _ => record.values_at(at, &mut |value| found = found || test.admits_by(by_number(value), order)),
    }
    found
}

/// The order of two values of one sort; `None` for different sorts.
fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Option<Ordering> {
    compare_numbers(a, b).or_else(|| (a.kind() == b.kind()).then(|| a.cmp(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::DecimalValue;

    #[test]
    fn numbers_are_compared_by_number() {
        let ascending = [
            ValueRef::Float(f64::NEG_INFINITY),
            ValueRef::Float(-1e300),
            ValueRef::from(i128::MIN),
            ValueRef::from(i64::MIN),
            ValueRef::Float(-0.5),
            ValueRef::Float(-0.0),
            ValueRef::Float(0.5),
            ValueRef::from(1),
            ValueRef::Float(1.5),
            ValueRef::from(2),
            ValueRef::Float(9_007_199_254_740_992.0),
            ValueRef::from(9_007_199_254_740_993_i64),
            ValueRef::from(u64::MAX),
            ValueRef::from(i128::MAX),
            ValueRef::Float(2.0_f64.powi(127)),
            ValueRef::from((1_u128 << 127) + 1),
            ValueRef::from(u128::MAX),
            ValueRef::Float(2.0_f64.powi(128)),
            ValueRef::Float(1e300),
            ValueRef::Float(f64::NAN),
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (bt, b) in ascending.iter().enumerate() {
                assert_eq!(order(by_number(*a), by_number(*b)), Some(at.cmp(&bt)), "{a} and {b}");
                assert_eq!(order_of_all(*a, *b), at.cmp(&bt), "{a} and {b}");
            }
        }
        let places: Vec<_> = ascending.iter().filter_map(|value| number_order(by_number(*value))).collect();
        assert_eq!(places.len(), ascending.len());
        assert!(places.is_sorted_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).is_lt()), "{places:?}");
        assert_eq!(number_order(ValueRef::from(u64::MAX)), Some((2.0_f64.powi(64), -1)));
        assert_eq!(number_order(ValueRef::from(-9_007_199_254_740_993_i64)), Some((-9_007_199_254_740_992.0, -1)));
        assert_eq!(number_order(ValueRef::Str("1")), None);
        assert_eq!(by_number(ValueRef::Float(5.0)), ValueRef::from(5));
        assert_eq!(by_number(ValueRef::Float(-(2.0_f64.powi(127)))), ValueRef::from(i128::MIN));
        let decimal = |units, scale| ValueRef::Decimal(DecimalValue::new(units, scale).unwrap());
        assert_eq!(by_number(decimal(5, 1)), ValueRef::Float(0.5));
        assert_eq!(by_number(decimal(50, 1)), ValueRef::from(5));
        assert_eq!(by_number(decimal(1, 1)), decimal(1, 1));
        assert_eq!(order(decimal(1, 1), ValueRef::Float(0.1)), Some(Ordering::Less));
        // Above all kinds in the order of kinds, but among numbers here.
        let mixed = [ValueRef::Bool(true), decimal(1, 1), ValueRef::Float(0.5), ValueRef::from(7), ValueRef::Char('a')];
        assert!(mixed.is_sorted_by(|a, b| order_of_all(*a, *b).is_lt()));
        assert_eq!(order_of_all(decimal(70, 1), ValueRef::from(7)), Ordering::Equal);
        assert_eq!(order(ValueRef::from(1), ValueRef::Str("1")), None);
        let by_kind = [ValueRef::Null, ValueRef::Bool(true), ValueRef::Float(f64::NEG_INFINITY), ValueRef::Char('a')];
        assert!(by_kind.is_sorted_by(|a, b| order_of_all(*a, *b).is_lt()));
        assert_eq!(operand(&Value::from('é')), Some(Value::from("é")));
        assert_eq!(operand(&Value::NULL), None);
        let range = |of: &str| {
            let place = || Bound::Included(fitted(&Value::from(of.parse::<DecimalValue>().unwrap())).unwrap());
            Fitted::range(place(), place())
        };
        let between = |low: Value, high: Value| Some((Bound::Excluded(low), Bound::Excluded(high)));
        assert_eq!(range("0.1"), between(0.1_f64.next_down().into(), 0.1.into()));
        assert_eq!(
            range("9007199254740993.5"),
            between(9_007_199_254_740_993_i64.into(), 9_007_199_254_740_994_i64.into())
        );
        assert_eq!(range("0.5"), Some((Bound::Included(0.5.into()), Bound::Included(0.5.into()))));
    }
}
