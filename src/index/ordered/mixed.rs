//! Keys of values of several kinds: those at an undeclared path of documents.
//!
//! A number's key has two parts, the nearest float and the distance from it, so that numbers of all kinds have their order by
//! value. Any other value's key is the value. A range lies among the values of one sort: an open end is the end of the sort.

use crate::record::number_order;
use memdex_query::value::{Value, ValueRef, encode_parts};
use smallvec::{SmallVec, smallvec};
use std::ops::Bound;

/// The values that are encoded as the key of one.
pub(super) type Parts = SmallVec<[Value; 2]>;

/// The bytes of the key of a value in its one form.
pub(super) fn key(value: ValueRef<'_>) -> Vec<u8> {
    match number_order(value) {
        Some((near, distance)) => encode_parts([ValueRef::from(near), ValueRef::from(distance)]),
        None => encode_parts([value]),
    }
}

pub(super) fn parts(value: ValueRef<'_>) -> Parts {
    match number_order(value) {
        Some((near, distance)) => smallvec![near.into(), distance.into()],
        None => smallvec![value.to_value()],
    }
}

/// The range of keys for a range of values. Without any bound, it is that of all values.
pub(super) fn range(from: Bound<&Value>, to: Bound<&Value>) -> (Bound<Parts>, Bound<Parts>) {
    let of = |bound: Bound<&Value>| bound.map(|value| parts(value.as_ref()));
    match (from, to) {
        (Bound::Included(value) | Bound::Excluded(value), Bound::Unbounded) => (of(from), end(value.as_ref(), true)),
        (Bound::Unbounded, Bound::Included(value) | Bound::Excluded(value)) => (end(value.as_ref(), false), of(to)),
        _ => (of(from), of(to)),
    }
}

/// The end of the values of the same sort.
fn end(value: ValueRef<'_>, upper: bool) -> Bound<Parts> {
    let included = |value: Value| Bound::Included(smallvec![value]);
    match value {
        _ if number_order(value).is_some() => included(if upper { f64::NAN } else { f64::NEG_INFINITY }.into()),
        ValueRef::Bool(_) => included(upper.into()),
        // In the encoding, characters follow strings.
        ValueRef::Str(_) if upper => Bound::Excluded(smallvec!['\0'.into()]),
        ValueRef::Str(_) => included("".into()),
        // JSON has no other values, so nothing lies between such a value and the end of its sort.
        other => included(other.to_value()),
    }
}
