//! Which Rust types can be fields, and what value each shows.

use super::{Kind, Nullable, ValueRef};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// A type that a field of a record can have.
///
/// Implemented for strings, every integer, `bool`, `f32`, `f64`, `char`, byte strings, [`Timestamp`](crate::Timestamp),
/// [`DecimalValue`](crate::DecimalValue), [`EntityKey`](crate::EntityKey), `Option` of these, and `Vec`s and sets of these (but
/// `Vec<u8>` is a byte string); behind the feature of the same name for `uuid::Uuid`, `jiff::Timestamp` and `jiff::civil::Date`,
/// and `rust_decimal::Decimal`; derive it for unit enums and newtypes:
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
            `#[derive(FieldValue)]`, behind features the types of `uuid`, `jiff` and `rust_decimal`, and `Option`, `Vec` and sets \
            of these; leave out the `#[record(…)]` attribute to hide this one"
)]
pub trait FieldValue {
    /// What one comparison is made with: `T` for `Option<T>`, [`Many<T>`] for a `Vec<T>`, otherwise the type itself.
    type Base;

    /// The kind of its values.
    const KIND: Kind;

    /// Whether [`value`](FieldValue::value) can be [`ValueRef::Null`].
    const NULLABLE: bool = false;

    /// Whether it holds any number of values, as a `Vec` does.
    const MANY: bool = false;

    /// Whether its values are integers that all fit an `i64`. An ordered index takes fewer bytes then.
    const NARROW: bool = false;

    /// The value, borrowed; `Null` for a type of [many](FieldValue::MANY) values. Must not allocate to be cheap, must give the
    /// same answer each time, and costs O(1).
    fn value(&self) -> ValueRef<'_>;

    /// Shows each of its values: the only one, or those of a type of [many](FieldValue::MANY).
    fn values<'a>(&'a self, show: &mut dyn FnMut(ValueRef<'a>)) {
        show(self.value());
    }
}

/// A type of which a field can hold many: `Vec<T>` is a [`FieldValue`] for every such `T`. `#[derive(FieldValue)]` makes
/// its type one. (`u8` is none: a `Vec<u8>` is a single byte string.)
pub trait Element: FieldValue {}

/// A type whose values are strings, so that text tests (`starts_with`, `like` …) have a meaning: the string types,
/// [`EntityKey`](crate::EntityKey), and what `#[derive(FieldValue)]` makes of unit enums and of newtypes around these.
///
/// A text test of another field does not compile:
///
/// ```compile_fail
/// # use memdex::Record;
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: String, #[record(field)] amount_cents: i64 }
/// let wrong = payment::AMOUNT_CENTS.like("5%");
/// ```
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` has no text that could be tested",
    label = "text tests are for strings, unit enums and newtypes of strings"
)]
pub trait Text: FieldValue {}

/// A field of many values: what its values are.
pub trait Multi: FieldValue {
    /// What one of them is compared with.
    type Item;
}

/// What stands for a field of many values in comparisons with a single one: nothing can be compared with it, so that
/// `tags.eq("x")` does not compile.
#[derive(Debug)]
pub enum Many<T> {
    #[doc(hidden)]
    Never(std::convert::Infallible, std::marker::PhantomData<T>),
}

macro_rules! copy_fields {
    ($($kind:ident $narrow:literal: $($t:ty)*;)*) => {$($(
        impl FieldValue for $t {
            type Base = Self;
            const KIND: Kind = Kind::$kind;
            const NARROW: bool = $narrow;

            #[inline]
            fn value(&self) -> ValueRef<'_> {
                ValueRef::from(*self)
            }
        }
    )*)*};
}

copy_fields! {
    Bool false: bool;
    Int true: i8 i16 i32 i64 isize u8 u16 u32;
    Int false: i128 u64 u128 usize;
    Float false: f32 f64;
    Char false: char;
    Str false: &'static str;
    Bytes false: &'static [u8];
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
    const NARROW: bool = T::NARROW;

    #[inline]
    fn value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, FieldValue::value)
    }
}

macro_rules! marked {
    ($marker:ident: $($t:ty)*) => {$(
        impl $marker for $t {}
    )*};
}

marked! {
    Text: &'static str String Box<str> Arc<str> Cow<'static, str>
}

marked! {
    Element: bool i8 i16 i32 i64 i128 isize u16 u32 u64 u128 usize f32 f64 char
    &'static str &'static [u8] String Box<str> Arc<str> Cow<'static, str> Vec<u8> Box<[u8]> Arc<[u8]> Cow<'static, [u8]>
}

macro_rules! collections {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        /// A field of many values. Those that are missing are left out.
        impl<$($generics)*> FieldValue for $t {
            type Base = Many<T>;
            const KIND: Kind = T::KIND;
            const NULLABLE: bool = true;
            const MANY: bool = true;
            const NARROW: bool = T::NARROW;

            fn value(&self) -> ValueRef<'_> {
                ValueRef::Null
            }

            fn values<'a>(&'a self, show: &mut dyn FnMut(ValueRef<'a>)) {
                self.iter().map(FieldValue::value).filter(|value| !value.is_null()).for_each(show);
            }
        }

        impl<$($generics)*> Multi for $t {
            type Item = T::Base;
        }

        impl<$($generics)*> Nullable for $t {}
    )*};
}

collections! {
    [T: Element] Vec<T>;
    [T: Element] Box<[T]>;
    [T: Element] BTreeSet<T>;
    [T: Element, S] HashSet<T, S>;
}
