//! Values of fields, borrowed ([`ValueRef`], as an extractor returns them) and owned ([`Value`], as an index stores
//! them).
//!
//! Equality compares meaning: integers of any width compare by number, `-0.0` equals `0.0`, and NaN equals NaN.
//! Comparisons and hashes work on the [canonical](ValueRef::canonical) form, so equal values have equal hashes.

use super::{Collated, DecimalValue, text};
use smol_str::SmolStr;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The kind of a field's values: Rust types whose values can be compared with each other have the same kind.
///
/// With the feature `serde` its form is the name that `Display` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// An integer of any width, compared by number.
    #[cfg_attr(feature = "serde", serde(rename = "integer"))]
    Int,
    /// `f32` or `f64`.
    Float,
    /// A Unicode scalar value.
    Char,
    /// A string, or a unit enum by the names of its variants.
    #[cfg_attr(feature = "serde", serde(rename = "string"))]
    Str,
    /// A byte string.
    Bytes,
    /// A UUID, compared by bytes.
    Uuid,
    /// A point in time, to the nanosecond.
    Timestamp,
    /// A day of the calendar, without a time or a time zone.
    Date,
    /// An exact decimal number, compared by number, with integers too.
    Decimal,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bool => "bool",
            Kind::Int => "integer",
            Kind::Float => "float",
            Kind::Char => "char",
            Kind::Str => "string",
            Kind::Bytes => "bytes",
            Kind::Uuid => "uuid",
            Kind::Timestamp => "timestamp",
            Kind::Date => "date",
            Kind::Decimal => "decimal",
        })
    }
}

/// A field's value, borrowed from its record.
///
/// ```
/// use memdex::typing::ValueRef;
/// assert_eq!(ValueRef::from(7u8), ValueRef::from(7i64));
/// assert_eq!(ValueRef::from(-0.0), ValueRef::from(0.0));
/// assert_ne!(ValueRef::from("7"), ValueRef::from(7u8));
/// ```
#[derive(Clone, Copy)]
pub enum ValueRef<'a> {
    /// No value: an `Option` field that is `None`.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 signed bits.
    Int(i64),
    /// A wider integer.
    Int128(i128),
    /// An integer above `i128::MAX`.
    UInt128(u128),
    /// A floating-point number.
    Float(f64),
    /// A character.
    Char(char),
    /// A string.
    Str(&'a str),
    /// A string of a field with a collation: compared, hashed and encoded as the collation's key of it.
    Collated(Collated<'a>),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A UUID.
    Uuid([u8; 16]),
    /// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
    Timestamp(i128),
    /// A day: days since 1970-01-01.
    Date(i32),
    /// An exact decimal number.
    Decimal(DecimalValue),
}

impl<'a> ValueRef<'a> {
    /// The canonical form of this value: the narrowest integer variant, no negative zero, a single NaN.
    #[must_use]
    #[inline]
    pub fn canonical(self) -> Self {
        match self {
            ValueRef::Int128(n) => i64::try_from(n).map_or(self, ValueRef::Int),
            ValueRef::UInt128(n) => i128::try_from(n).map_or(self, |n| ValueRef::Int128(n).canonical()),
            ValueRef::Float(0.0) => ValueRef::Float(0.0),
            ValueRef::Float(x) if x.is_nan() => ValueRef::Float(f64::NAN),
            other => other,
        }
    }

    /// The kind of this value; `None` for a missing one.
    #[inline]
    pub fn kind(self) -> Option<Kind> {
        Some(match self {
            ValueRef::Null => return None,
            ValueRef::Bool(_) => Kind::Bool,
            ValueRef::Int(_) | ValueRef::Int128(_) | ValueRef::UInt128(_) => Kind::Int,
            ValueRef::Float(_) => Kind::Float,
            ValueRef::Char(_) => Kind::Char,
            ValueRef::Str(_) | ValueRef::Collated(_) => Kind::Str,
            ValueRef::Bytes(_) => Kind::Bytes,
            ValueRef::Uuid(_) => Kind::Uuid,
            ValueRef::Timestamp(_) => Kind::Timestamp,
            ValueRef::Date(_) => Kind::Date,
            ValueRef::Decimal(_) => Kind::Decimal,
        })
    }

    /// Whether the value is missing.
    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// An owned copy in canonical form. Strings of up to 23 bytes need no allocation. The copy of a string with a
    /// collation is the collation's key.
    pub fn to_value(self) -> Value {
        Value(match self.canonical() {
            ValueRef::Null => Repr::Null,
            ValueRef::Bool(b) => Repr::Bool(b),
            ValueRef::Int(n) => Repr::Int(n),
            ValueRef::Int128(n) => Repr::Int128(Box::new(n)),
            ValueRef::UInt128(n) => Repr::UInt128(Box::new(n)),
            ValueRef::Float(x) => Repr::Float(x),
            ValueRef::Char(c) => Repr::Char(c),
            ValueRef::Str(s) => Repr::Str(SmolStr::new(s)),
            ValueRef::Collated(collated) => Repr::Str(SmolStr::new(collated.key())),
            ValueRef::Bytes(b) => Repr::Bytes(b.into()),
            ValueRef::Uuid(bytes) => Repr::Uuid(bytes),
            ValueRef::Timestamp(nanos) => Repr::Timestamp(nanos.to_ne_bytes()),
            ValueRef::Date(days) => Repr::Date(days),
            ValueRef::Decimal(number) => Repr::Decimal(number),
        })
    }
}

impl PartialEq for ValueRef<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self.canonical(), other.canonical()) {
            (ValueRef::Null, ValueRef::Null) => true,
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
            (ValueRef::Int(a), ValueRef::Int(b)) => a == b,
            (ValueRef::Int128(a), ValueRef::Int128(b)) => a == b,
            (ValueRef::UInt128(a), ValueRef::UInt128(b)) => a == b,
            (ValueRef::Float(a), ValueRef::Float(b)) => a.to_bits() == b.to_bits(),
            (ValueRef::Char(a), ValueRef::Char(b)) => a == b,
            (ValueRef::Str(a), ValueRef::Str(b)) => a == b,
            (ValueRef::Collated(a), ValueRef::Collated(b)) => a.cmp(b).is_eq(),
            (ValueRef::Collated(a), ValueRef::Str(b)) | (ValueRef::Str(b), ValueRef::Collated(a)) => {
                a.cmp_key(b).is_eq()
            }
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a == b,
            (ValueRef::Uuid(a), ValueRef::Uuid(b)) => a == b,
            (ValueRef::Timestamp(a), ValueRef::Timestamp(b)) => a == b,
            (ValueRef::Date(a), ValueRef::Date(b)) => a == b,
            (ValueRef::Decimal(a), ValueRef::Decimal(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for ValueRef<'_> {}

impl ValueRef<'_> {
    /// The order of kinds; a missing value comes first.
    fn rank(self) -> u8 {
        match self.kind() {
            None => 0,
            Some(kind) => 1 + kind as u8,
        }
    }
}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValueRef<'_> {
    /// One total order: a missing value first, then kind by kind. Within a kind, integers, floats and decimals by
    /// number with NaN last, strings, byte strings and UUIDs by bytes, times and dates from past to future, `false`
    /// before `true`.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.canonical(), other.canonical()) {
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a.cmp(&b),
            (ValueRef::Int(a), ValueRef::Int(b)) => a.cmp(&b),
            (ValueRef::Int128(a), ValueRef::Int128(b)) => a.cmp(&b),
            (ValueRef::Int(a), ValueRef::Int128(b)) => i128::from(a).cmp(&b),
            (ValueRef::Int128(a), ValueRef::Int(b)) => a.cmp(&i128::from(b)),
            (ValueRef::UInt128(a), ValueRef::UInt128(b)) => a.cmp(&b),
            // Canonical, it is above every other integer.
            (ValueRef::UInt128(_), ValueRef::Int(_) | ValueRef::Int128(_)) => Ordering::Greater,
            (ValueRef::Int(_) | ValueRef::Int128(_), ValueRef::UInt128(_)) => Ordering::Less,
            (ValueRef::Float(a), ValueRef::Float(b)) => a.total_cmp(&b),
            (ValueRef::Char(a), ValueRef::Char(b)) => a.cmp(&b),
            (ValueRef::Str(a), ValueRef::Str(b)) => a.cmp(b),
            (ValueRef::Collated(a), ValueRef::Collated(b)) => a.cmp(b),
            (ValueRef::Collated(a), ValueRef::Str(b)) => a.cmp_key(b),
            (ValueRef::Str(a), ValueRef::Collated(b)) => b.cmp_key(a).reverse(),
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a.cmp(b),
            (ValueRef::Uuid(a), ValueRef::Uuid(b)) => a.cmp(&b),
            (ValueRef::Timestamp(a), ValueRef::Timestamp(b)) => a.cmp(&b),
            (ValueRef::Date(a), ValueRef::Date(b)) => a.cmp(&b),
            (ValueRef::Decimal(a), ValueRef::Decimal(b)) => a.cmp(&b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl Hash for ValueRef<'_> {
    // Inlined, because most callers know the variant: the compiler then keeps one arm.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.canonical() {
            ValueRef::Null => state.write_u8(0),
            ValueRef::Bool(b) => state.write_u8(1 + u8::from(b)),
            ValueRef::Int(n) => state.write_i64(n),
            ValueRef::Int128(n) => state.write_i128(n),
            ValueRef::UInt128(n) => state.write_u128(n),
            ValueRef::Float(x) => state.write_u64(x.to_bits()),
            ValueRef::Char(c) => state.write_u32(c.into()),
            ValueRef::Str(s) => state.write(s.as_bytes()),
            ValueRef::Collated(collated) => state.write(collated.key().as_bytes()),
            ValueRef::Bytes(b) => state.write(b),
            ValueRef::Uuid(bytes) => state.write_u128(u128::from_ne_bytes(bytes)),
            ValueRef::Timestamp(nanos) => state.write_i128(nanos),
            ValueRef::Date(days) => state.write_i32(days),
            ValueRef::Decimal(number) => number.hash(state),
        }
    }
}

impl ValueRef<'_> {
    fn write(self, f: &mut fmt::Formatter<'_>, quoted: bool) -> fmt::Result {
        match self {
            ValueRef::Collated(_) => self.as_written().write(f, quoted),
            ValueRef::Null => f.write_str("null"),
            ValueRef::Bool(b) => write!(f, "{b}"),
            ValueRef::Int(n) => write!(f, "{n}"),
            ValueRef::Int128(n) => write!(f, "{n}"),
            ValueRef::UInt128(n) => write!(f, "{n}"),
            ValueRef::Float(x) => write!(f, "{x:?}"),
            ValueRef::Char(c) if quoted => write!(f, "{c:?}"),
            ValueRef::Char(c) => write!(f, "{c}"),
            ValueRef::Str(s) if quoted => write!(f, "{s:?}"),
            ValueRef::Str(s) => f.write_str(s),
            ValueRef::Bytes(b) => write!(f, "b\"{}\"", b.escape_ascii()),
            ValueRef::Uuid(bytes) => text::write_uuid(&bytes, f),
            ValueRef::Timestamp(nanos) => text::write_timestamp(nanos, f),
            ValueRef::Date(days) => text::write_date(days.into(), f),
            ValueRef::Decimal(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for ValueRef<'_> {
    /// Strings and characters without quotes; times and dates in RFC 3339, in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl fmt::Debug for ValueRef<'_> {
    /// As `Display`, but with quotes around strings and characters, so that `"7"` and `7` differ.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, true)
    }
}

/// A field's value, owned. It takes 24 bytes; strings of up to 23 bytes are stored inline.
///
/// ```
/// use memdex::Value;
/// use memdex::typing::ValueRef;
///
/// let status = Value::from("completed");
/// assert_eq!(status.as_str(), Some("completed"));
/// assert_eq!(status.as_i64(), None);
/// assert_eq!(Value::from(7u8).as_i64(), Some(7));
/// assert_eq!(status.as_ref(), ValueRef::Str("completed"));
/// assert_eq!(status.to_string(), "completed");
/// assert_eq!(format!("{status:?}"), "\"completed\"");
/// ```
#[derive(Clone)]
pub struct Value(pub(super) Repr);

#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Repr {
    Null,
    Bool(bool),
    Int(i64),
    Int128(Box<i128>),
    UInt128(Box<u128>),
    Float(f64),
    Char(char),
    Str(SmolStr),
    Bytes(Box<[u8]>),
    Uuid([u8; 16]),
    // As bytes: an `i128` would align every value to 16 bytes.
    Timestamp(#[cfg_attr(feature = "serde", serde(with = "super::serialize::nanos"))] [u8; 16]),
    Date(i32),
    Decimal(#[cfg_attr(feature = "serde", serde(with = "super::serialize::decimal"))] DecimalValue),
}

impl Value {
    /// The missing value.
    pub const NULL: Value = Value(Repr::Null);

    /// The value, borrowed.
    // Not the `AsRef` trait, which returns a reference.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match &self.0 {
            Repr::Null => ValueRef::Null,
            Repr::Bool(b) => ValueRef::Bool(*b),
            Repr::Int(n) => ValueRef::Int(*n),
            Repr::Int128(n) => ValueRef::Int128(**n),
            Repr::UInt128(n) => ValueRef::UInt128(**n),
            Repr::Float(x) => ValueRef::Float(*x),
            Repr::Char(c) => ValueRef::Char(*c),
            Repr::Str(s) => ValueRef::Str(s),
            Repr::Bytes(b) => ValueRef::Bytes(b),
            Repr::Uuid(bytes) => ValueRef::Uuid(*bytes),
            Repr::Timestamp(nanos) => ValueRef::Timestamp(i128::from_ne_bytes(*nanos)),
            Repr::Date(days) => ValueRef::Date(*days),
            Repr::Decimal(number) => ValueRef::Decimal(*number),
        }
    }

    /// The heap bytes of this value.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Int128(_) | Repr::UInt128(_) => 16,
            // With the two counters of its `Arc`.
            Repr::Str(s) if s.is_heap_allocated() => 16 + s.len(),
            Repr::Bytes(b) => b.len(),
            _ => 0,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl fmt::Debug for Value {
    /// As `Display`, but with quotes around strings and characters, so that `"7"` and `7` differ.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().write(f, true)
    }
}

impl fmt::Display for Value {
    /// Strings and characters without quotes; times and dates in RFC 3339, in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().write(f, false)
    }
}

impl<'a> From<&'a str> for ValueRef<'a> {
    fn from(s: &'a str) -> Self {
        ValueRef::Str(s)
    }
}

impl<'a> From<&'a [u8]> for ValueRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        ValueRef::Bytes(bytes)
    }
}

macro_rules! from_copy {
    ($($t:ty => |$x:ident| $make:expr;)*) => {$(
        impl From<$t> for ValueRef<'_> {
            fn from($x: $t) -> Self {
                $make
            }
        }

        impl From<$t> for Value {
            fn from(x: $t) -> Self {
                ValueRef::from(x).to_value()
            }
        }
    )*};
}

from_copy! {
    bool => |x| ValueRef::Bool(x);
    i8 => |x| ValueRef::Int(x.into());
    i16 => |x| ValueRef::Int(x.into());
    i32 => |x| ValueRef::Int(x.into());
    i64 => |x| ValueRef::Int(x);
    isize => |x| ValueRef::Int128(x as i128).canonical();
    i128 => |x| ValueRef::Int128(x).canonical();
    u8 => |x| ValueRef::Int(x.into());
    u16 => |x| ValueRef::Int(x.into());
    u32 => |x| ValueRef::Int(x.into());
    u64 => |x| ValueRef::Int128(x.into()).canonical();
    usize => |x| ValueRef::UInt128(x as u128).canonical();
    u128 => |x| ValueRef::UInt128(x).canonical();
    f32 => |x| ValueRef::Float(x.into());
    f64 => |x| ValueRef::Float(x);
    char => |x| ValueRef::Char(x);
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        ValueRef::Str(s).to_value()
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value(Repr::Str(s.into()))
    }
}

impl From<&String> for Value {
    fn from(s: &String) -> Self {
        ValueRef::Str(s).to_value()
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        ValueRef::Bytes(bytes).to_value()
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value(Repr::Bytes(bytes.into()))
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        value.to_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(units: i128, scale: u8) -> ValueRef<'static> {
        ValueRef::Decimal(DecimalValue::new(units, scale).unwrap())
    }

    fn hash(v: ValueRef<'_>) -> u64 {
        std::hash::BuildHasher::hash_one(&std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default(), v)
    }

    #[test]
    fn a_value_takes_24_bytes_and_a_borrowed_one_32() {
        assert_eq!((size_of::<Value>(), size_of::<ValueRef<'_>>()), (24, 32));
    }

    #[test]
    fn values_are_ordered_by_meaning() {
        let ascending = [
            ValueRef::Null,
            ValueRef::Bool(false),
            ValueRef::Bool(true),
            ValueRef::from(i128::MIN),
            ValueRef::from(-1),
            ValueRef::from(0u8),
            ValueRef::from(i64::MAX),
            ValueRef::from(u64::MAX),
            ValueRef::from(u128::MAX),
            ValueRef::from(f64::NEG_INFINITY),
            ValueRef::from(-1.5),
            ValueRef::from(-0.0),
            ValueRef::from(1.5f32),
            ValueRef::from(f64::INFINITY),
            ValueRef::from(-f64::NAN),
            ValueRef::from('a'),
            ValueRef::from(""),
            ValueRef::from("B"),
            ValueRef::from("a"),
            ValueRef::from(&b"a"[..]),
            ValueRef::Uuid([0; 16]),
            ValueRef::Uuid([0xff; 16]),
            ValueRef::Timestamp(i128::MIN),
            ValueRef::Timestamp(-1),
            ValueRef::Timestamp(0),
            ValueRef::Date(-1),
            ValueRef::Date(0),
            decimal(-15, 1),
            decimal(-1, 0),
            decimal(99, 2),
            decimal(1, 0),
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (bt, b) in ascending.iter().enumerate() {
                assert_eq!(a.cmp(b), at.cmp(&bt), "{a:?} and {b:?}");
                assert_eq!(a.to_value() == b.to_value(), at == bt, "{a:?} and {b:?}");
            }
        }
        assert_eq!(ValueRef::from(-0.0).cmp(&ValueRef::from(0.0)), Ordering::Equal);
    }

    #[test]
    fn equal_values_of_different_widths_hash_alike() {
        let same = [
            (ValueRef::from(5u8), ValueRef::Int128(5)),
            (ValueRef::from(5i64), ValueRef::UInt128(5)),
            (ValueRef::from(u64::MAX), ValueRef::UInt128(u64::MAX.into())),
            (ValueRef::Float(-0.0), ValueRef::Float(0.0)),
            (ValueRef::Float(f64::NAN), ValueRef::Float(-f64::NAN)),
            (ValueRef::from(1.5f32), ValueRef::from(1.5f64)),
            (decimal(10, 1), decimal(100, 2)),
            (decimal(0, 0), decimal(0, 7)),
        ];
        for (a, b) in same {
            assert_eq!(a, b);
            assert_eq!(hash(a), hash(b), "{a:?} and {b:?}");
            assert_eq!(a.to_value().as_ref(), b);
        }
        assert_ne!(ValueRef::UInt128(u128::MAX), ValueRef::Int128(-1));
        assert_ne!(ValueRef::Str("a"), ValueRef::Bytes(b"a"));
        assert_ne!(ValueRef::Null, ValueRef::Bool(false));
        assert_ne!(decimal(1, 0), ValueRef::from(1));
        assert_ne!(ValueRef::Timestamp(0), ValueRef::Date(0));
    }
}
