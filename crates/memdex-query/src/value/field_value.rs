//! The Rust types that fields can have, and the values that they return.

use super::{Kind, ValueRef};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// A type that a field of a record can have.
///
/// It is implemented for strings, every integer, `bool`, `f32`, `f64`, `char`, byte strings,
/// [`Timestamp`](crate::value::Timestamp), [`DecimalValue`](crate::value::DecimalValue),
/// [`EntityKey`](crate::value::EntityKey), `Option` of these, and `Vec`s and sets of these (`Vec<u8>` is a byte
/// string); with the feature of the same name for `uuid::Uuid`, `jiff::Timestamp` and `jiff::civil::Date`, and
/// `rust_decimal::Decimal`. Derive it for enums without data and for newtypes:
///
/// ```
/// use memdex::FieldValue;
/// use memdex::typing::ValueRef;
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
///
/// Types of other crates, such as those of `chrono`, have no implementation: convert them to one of these types in the
/// record, for example `Timestamp::from_micros(time.timestamp_micros())`, or wrap them in a type of your own that
/// implements this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field of a memdex record",
    label = "queries can't compare values of this type",
    note = "an enum without data or a newtype of your own: put `#[derive(memdex::FieldValue)]` on it",
    note = "`uuid::Uuid`, the types of `jiff` and `rust_decimal::Decimal`: enable memdex's feature of that name",
    note = "a time of `chrono` or `time`: store a `memdex::Timestamp`, for example \
            `Timestamp::from_micros(time.timestamp_micros())`",
    note = "a struct whose fields queries should reach: `#[derive(memdex::Nested)]` and `#[record(nested)]`",
    note = "any other type: remove the `#[record(…)]` attribute, and queries ignore the field"
)]
pub trait FieldValue {
    /// The type that comparisons expect: `T` for `Option<T>`, [`Many<T>`] for a `Vec<T>`, otherwise the type itself.
    type Base;

    /// The kind of its values.
    const KIND: Kind;

    /// Whether [`value`](FieldValue::value) can be [`ValueRef::Null`].
    const NULLABLE: bool = false;

    /// Whether it holds any number of values, as a `Vec` does.
    const MANY: bool = false;

    /// Whether all its values are integers that fit an `i64`. An ordered index then takes fewer bytes.
    const NARROW: bool = false;

    /// The only values of a type that has few, such as an enum; empty for other types. Tools that make records up read it.
    const CHOICES: &'static [&'static str] = &[];

    /// The value, borrowed; `Null` for a type of [many](FieldValue::MANY) values. It must return the same value each
    /// time, and should cost O(1) and not allocate.
    fn value(&self) -> ValueRef<'_>;

    /// Passes each value to `visit`: the only one, or those of a type of [many](FieldValue::MANY).
    fn values<'a>(&'a self, visit: &mut dyn FnMut(ValueRef<'a>)) {
        visit(self.value());
    }
}

/// A type of which a field can hold many: `Vec<T>` is a [`FieldValue`] for every such `T`. `#[derive(FieldValue)]`
/// implements it. (`u8` does not: a `Vec<u8>` is a single byte string.)
#[diagnostic::on_unimplemented(
    message = "a list of `{Self}` can't be a field of a memdex record",
    label = "queries can't compare elements of this type",
    note = "an enum without data or a newtype of your own: put `#[derive(memdex::FieldValue)]` on it",
    note = "a list of structs whose fields queries should reach: `#[derive(memdex::Nested)]` and `#[record(nested)]`",
    note = "any other type: remove the `#[record(…)]` attribute, and queries ignore the field"
)]
pub trait Element: FieldValue {}

/// A type with at most one value that is never missing: what an `Option` field can hold.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` can't be a field of a memdex record",
    label = "a field has at most one level of `Option`, and an `Option` can't hold a list",
    note = "use a single `Option`; a missing list is an empty one"
)]
pub trait Single: FieldValue<Base = Self> {}

#[diagnostic::do_not_recommend]
impl<T: FieldValue<Base = T>> Single for T {}

/// A type whose values are strings, so that text tests (`starts_with`, `like` …) apply: the string types,
/// [`EntityKey`](crate::value::EntityKey), and with `#[derive(FieldValue)]` enums without data and newtypes of these.
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
    message = "text tests need a field of strings, not of `{Self}`",
    label = "text tests are for strings, enums without data, and newtypes of strings"
)]
pub trait Text: FieldValue {}

/// A type whose values can be added, so that metrics such as `sum` and `avg` apply: integers, floats and decimals,
/// newtypes of these, and `Option`s, `Vec`s and sets of these.
///
/// A sum of another field does not compile:
///
/// ```compile_fail
/// # use memdex::Record;
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: String, #[record(field)] name: String }
/// let wrong = payment::NAME.sum();
/// ```
#[diagnostic::on_unimplemented(
    message = "this metric needs a field of numbers, not of `{Self}`",
    label = "integers, floats and decimals are numbers"
)]
pub trait Number: FieldValue {}

/// A field of many values.
#[diagnostic::on_unimplemented(
    message = "`contains`, `any` and `all` need a field of many values, not of `{Self}`",
    label = "`Vec`s and sets are fields of many values",
    note = "for a single value use `eq` or `is_in`; to search in a string, `contains_str`"
)]
pub trait Multi: FieldValue {
    /// The type that comparisons with one of them expect.
    type Item;
}

/// A field whose value can be missing.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` always has a value, so `is_null` does not apply",
    label = "only `Option`s, `Vec`s and sets can be without a value"
)]
pub trait Nullable {}

impl<T> Nullable for Option<T> {}

/// The comparison type of a field of many values. Nothing can be compared with it, so `tags.eq("x")` does not compile:
/// use `tags.contains("x")`.
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

/// An optional field. The bound excludes an `Option` of an `Option`.
impl<T: Single> FieldValue for Option<T> {
    type Base = T;
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    const NARROW: bool = T::NARROW;
    const CHOICES: &'static [&'static str] = T::CHOICES;

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
    Number: i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64
}

impl<T: Number + Single> Number for Option<T> {}

marked! {
    Element: bool i8 i16 i32 i64 i128 isize u16 u32 u64 u128 usize f32 f64 char
    &'static str &'static [u8] String Box<str> Arc<str> Cow<'static, str> Vec<u8> Box<[u8]> Arc<[u8]> Cow<'static, [u8]>
}

macro_rules! collections {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        /// A field of many values. Missing elements are left out.
        impl<$($generics)*> FieldValue for $t {
            type Base = Many<T>;
            const KIND: Kind = T::KIND;
            const NULLABLE: bool = true;
            const MANY: bool = true;
            const NARROW: bool = T::NARROW;
            const CHOICES: &'static [&'static str] = T::CHOICES;

            fn value(&self) -> ValueRef<'_> {
                ValueRef::Null
            }

            fn values<'a>(&'a self, visit: &mut dyn FnMut(ValueRef<'a>)) {
                self.iter().map(FieldValue::value).filter(|value| !value.is_null()).for_each(visit);
            }
        }

        impl<$($generics)*> Multi for $t {
            type Item = T::Base;
        }

        impl<$($generics)*> Nullable for $t {}

        impl<$($generics)*> Number for $t where T: Number {}
    )*};
}

collections! {
    [T: Element] Vec<T>;
    [T: Element] Box<[T]>;
    [T: Element] BTreeSet<T>;
    [T: Element, S] HashSet<T, S>;
}
