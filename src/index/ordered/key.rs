//! The two widths of keys. A field of single values that all fit 64 bits has narrow keys; every other field, and several together,
//! have wide ones: bytes whose order is the order of the values.
//!
//! A bound is a tuple of values, which stands for all keys that begin with it: *included* as the lower end it is right before the
//! first of them, *excluded* behind the last, and the other way round as the upper end. In encoded bytes, what begins with a tuple
//! is what begins with its bytes, since each part marks its own end; and no part begins with `ff`.

use super::super::shape::Entry;
use super::position::{KeyBound, KeyRange};
use memdex_query::value::{Key, Value, ValueRef, encode_parts, narrow_bits};
use std::ops::Bound;

/// A key of an ordered index.
pub(super) trait IndexKey: Ord + Clone + Send + Sync + 'static {
    /// The key of an entry of single values; `None` if the entry has no value.
    fn of_entry(entry: &Entry<'_>) -> Option<Self>;

    /// The place of a bound on the values that follow those of `prefix`.
    fn bound(prefix: &[ValueRef<'_>], bound: Bound<&[Value]>, is_lower: bool) -> KeyBound<Self>;

    fn heap_bytes(&self) -> usize;

    /// The range between bounds on the values that follow those of `prefix`.
    fn range(prefix: &[ValueRef<'_>], from: Bound<&[Value]>, to: Bound<&[Value]>) -> KeyRange<Self> {
        KeyRange { from: Self::bound(prefix, from, true), to: Self::bound(prefix, to, false) }
    }
}

/// Which side of the keys that a bound stands for.
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

impl IndexKey for u64 {
    #[inline]
    fn of_entry(entry: &Entry<'_>) -> Option<Self> {
        if let Entry::One(value) = entry { narrow_bits(*value) } else { None }
    }

    /// Values of 64 bits have one part.
    fn bound(prefix: &[ValueRef<'_>], bound: Bound<&[Value]>, is_lower: bool) -> KeyBound<Self> {
        debug_assert!(prefix.is_empty(), "nothing precedes a single field");
        let open = if is_lower { KeyBound::Start } else { KeyBound::End };
        let Some((tuple, side)) = with_side(bound, is_lower) else { return open };
        match tuple.first().map(Value::as_ref) {
            // The empty tuple stands for all keys.
            None if side == Side::Before => KeyBound::Start,
            None => KeyBound::End,
            Some(ValueRef::Null) => KeyBound::Start,
            Some(value) => match narrow_bits(value) {
                Some(key) if side == Side::Before => KeyBound::before(key),
                Some(key) => KeyBound::behind(key),
                // An integer outside of 64 bits lies beyond all that fit.
                None if value > ValueRef::Int(0) => KeyBound::End,
                None => KeyBound::Start,
            },
        }
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl IndexKey for Key {
    fn of_entry(entry: &Entry<'_>) -> Option<Self> {
        match entry {
            Entry::Absent | Entry::Many(_) | Entry::One(ValueRef::Null) => None,
            Entry::One(value) => Some(Key::from_bytes(&encode_parts([*value]))),
            Entry::Tuple { bytes, .. } => Some(Key::from_bytes(bytes)),
        }
    }

    /// Unbounded is the beginning, or the end, of all keys that begin with the prefix, those with missing values included.
    fn bound(prefix: &[ValueRef<'_>], bound: Bound<&[Value]>, is_lower: bool) -> KeyBound<Self> {
        let open = (&[][..], if is_lower { Side::Before } else { Side::Behind });
        let (tuple, side) = with_side(bound, is_lower).unwrap_or(open);
        let mut bytes = encode_parts(prefix.iter().copied());
        bytes.extend(encode_parts(tuple.iter().map(Value::as_ref)));
        if side == Side::Behind {
            // Behind all keys that begin with these whole parts: what follows them is a tag, and no tag is `ff`.
            bytes.push(0xff);
        }
        KeyBound::before(Key::from_bytes(&bytes))
    }

    fn heap_bytes(&self) -> usize {
        Key::heap_bytes(self)
    }
}
