//! From bounds on values to edges between entries.
//!
//! A bound is a tuple of values, which stands for all keys that begin with it: *included* as the lower end it is right before the
//! first of them, *excluded* behind the last, and the other way round as the upper end. In encoded bytes, what begins with a
//! tuple is what begins with its bytes, since each part says where it ends; and no part begins with `ff`.

use super::cursor::Edge;
use crate::value::{Key, Value, ValueRef, encode_parts, narrow_bits};
use std::ops::Bound;

/// Which side of what a bound stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

fn with_side<T>(bound: Bound<T>, is_lower: bool) -> Option<(T, Side)> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(value) => Some((value, if is_lower { Side::Before } else { Side::Behind })),
        Bound::Excluded(value) => Some((value, if is_lower { Side::Behind } else { Side::Before })),
    }
}

/// The edge of a bound on values of 64 bits, of which there is one a tuple.
pub(super) fn narrow_edge(bound: Bound<&[Value]>, is_lower: bool) -> Edge<u64> {
    let open = if is_lower { Edge::Start } else { Edge::End };
    let Some((tuple, side)) = with_side(bound, is_lower) else { return open };
    match tuple.first().map(Value::as_ref) {
        // The empty tuple stands for all.
        None if side == Side::Before => Edge::Start,
        None => Edge::End,
        Some(ValueRef::Null) => Edge::Start,
        Some(value) => match narrow_bits(value) {
            Some(key) if side == Side::Before => Edge::before(key),
            Some(key) => Edge::behind(key),
            // A value that does not fit lies beyond all that do: the integers outside of 64 bits.
            None if value > ValueRef::Int(0) => Edge::End,
            None => Edge::Start,
        },
    }
}

/// The edge of a bound on what follows the encoded `prefix`. Without a bound that is the beginning, or the end, of all that begin with
/// the prefix, missing values among them.
pub(super) fn wide_edge(prefix: &[u8], bound: Bound<&[Value]>, is_lower: bool) -> Edge<Key> {
    let open = (&[][..], if is_lower { Side::Before } else { Side::Behind });
    let (tuple, side) = with_side(bound, is_lower).unwrap_or(open);
    let mut bytes = prefix.to_vec();
    bytes.extend(encode_parts(tuple.iter().map(Value::as_ref)));
    match side {
        Side::Before => Edge::before(Key::from_bytes(&bytes)),
        Side::Behind => behind_all(bytes),
    }
}

/// Behind all keys that begin with these whole parts: what follows them is a tag, and no tag is `ff`.
fn behind_all(mut bytes: Vec<u8>) -> Edge<Key> {
    bytes.push(0xff);
    Edge::before(Key::from_bytes(&bytes))
}
