//! Which Rust types can be fields, and what value each shows.

use super::{Kind, ValueRef};
use std::borrow::Cow;
use std::sync::Arc;

/// A type that a field of a record can have.
///
/// Implemented for strings, every integer, `bool`, `f32`, `f64`, `char`, byte strings, and `Option` of these; derive it
/// for unit enums and newtypes:
///
/// ```
/// use memdex::{FieldValue, ValueRef};
///
/// #[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
/// #[field(rename_all = "snake_case")]
/// enum Status { Pending, PaidOut }
///
/// #[derive(Debug, FieldValue)]
/// struct UserId(String);
///
/// assert_eq!(Status::PaidOut.value(), ValueRef::Str("paid_out"));
/// assert_eq!(UserId("u-1".into()).value(), ValueRef::Str("u-1"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field of a memdex record",
    label = "not a type that queries can compare",
    note = "fields are strings, integers, bool, floats, char, byte strings, unit enums and newtypes with \
            `#[derive(FieldValue)]`, and `Option` of these; leave out the `#[record(…)]` attribute to hide this one"
)]
pub trait FieldValue {
    /// What the field holds when it holds something: `T` for `Option<T>`, otherwise the type itself.
    type Base: FieldValue;

    /// The kind of its values.
    const KIND: Kind;

    /// Whether [`value`](FieldValue::value) can be [`ValueRef::Null`].
    const NULLABLE: bool = false;

    /// The value, borrowed. Must not allocate to be cheap, must give the same answer each time, and costs O(1).
    fn value(&self) -> ValueRef<'_>;
}

macro_rules! copy_fields {
    ($($kind:ident: $($t:ty)*;)*) => {$($(
        impl FieldValue for $t {
            type Base = Self;
            const KIND: Kind = Kind::$kind;

            #[inline]
            fn value(&self) -> ValueRef<'_> {
                ValueRef::from(*self)
            }
        }
    )*)*};
}

copy_fields! {
    Bool: bool;
    Int: i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize;
    Float: f32 f64;
    Char: char;
    Str: &'static str;
    Bytes: &'static [u8];
}

macro_rules! borrowed_fields {
    ($($kind:ident: $($t:ty)*;)*) => {$($(
        impl FieldValue for $t {
            type Base = Self;
            const KIND: Kind = Kind::$kind;

            #[inline]
            fn value(&self) -> ValueRef<'_> {
                ValueRef::$kind(self)
            }
        }
    )*)*};
}

borrowed_fields! {
    Str: String Box<str> Arc<str> Cow<'static, str>;
    Bytes: Vec<u8> Box<[u8]> Arc<[u8]> Cow<'static, [u8]>;
}

impl<const N: usize> FieldValue for [u8; N] {
    type Base = Self;
    const KIND: Kind = Kind::Bytes;

    #[inline]
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Bytes(self)
    }
}

/// An optional field. An `Option` of an `Option` has no meaning here, hence the bound.
impl<T: FieldValue<Base = T>> FieldValue for Option<T> {
    type Base = T;
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    #[inline]
    fn value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, FieldValue::value)
    }
}
