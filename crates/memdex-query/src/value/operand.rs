//! The other side of a comparison with a field: a value of its type, or a borrowed form of it.

use super::{EntityKey, FieldValue, Value, ValueRef};
use std::borrow::Cow;
use std::sync::Arc;

/// A value that a field of type `T` can be compared with: a `T`, a `&T`, and for strings and byte strings their
/// borrowed forms.
///
/// Comparisons with other types do not compile. Integers need the field's own width, so that a literal such as `500`
/// has one meaning: convert others with `i64::from`, or compare the field
/// [as a number](crate::query::Field::as_number). Missing values are found with
/// [`is_null`](crate::query::Field::is_null), not with `eq(None)`.
///
/// ```compile_fail
/// # use memdex::Record;
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: String, #[record(field)] amount_cents: i64 }
/// let wrong = payment::AMOUNT_CENTS.eq("500");
/// ```
#[diagnostic::on_unimplemented(
    message = "a field of type `{T}` can't be compared with `{Self}`",
    label = "expected `{T}` or a borrowed form of it",
    note = "convert an integer of another width with `{T}::from(…)`, or `{T}::try_from(…)` where it may not fit",
    note = "to find missing values, use `is_null()` instead of comparing with `None`"
)]
pub trait Operand<T: ?Sized> {
    /// The value to compare with, borrowed.
    fn operand(&self) -> ValueRef<'_>;

    /// The value to compare with, owned.
    fn to_operand(&self) -> Value {
        self.operand().to_value()
    }
}

#[diagnostic::do_not_recommend]
impl<T: FieldValue> Operand<T> for T {
    #[inline]
    fn operand(&self) -> ValueRef<'_> {
        self.value()
    }
}

#[diagnostic::do_not_recommend]
impl<T: FieldValue> Operand<T> for &T {
    #[inline]
    fn operand(&self) -> ValueRef<'_> {
        (**self).value()
    }
}

/// Calls a macro with each borrowed form and each field type that it can be compared with.
macro_rules! with_borrowed_forms {
    ($implement:ident) => {
        with_borrowed_forms! { @each $implement
            Str [] &str => [String] [Box<str>] [Arc<str>] [Cow<'static, str>] [EntityKey];
            Str [] &&str => [String] [Box<str>] [Arc<str>] [Cow<'static, str>] [EntityKey];
            Str [] String => [Box<str>] [Arc<str>] [Cow<'static, str>] [&'static str] [EntityKey];
            Str [] &String => [Box<str>] [Arc<str>] [Cow<'static, str>] [&'static str] [EntityKey];
            Bytes [] &[u8] => [Vec<u8>] [Box<[u8]>] [Arc<[u8]>] [Cow<'static, [u8]>];
            Bytes [] Vec<u8> => [Box<[u8]>] [Arc<[u8]>] [Cow<'static, [u8]>] [&'static [u8]];
            Bytes [] &Vec<u8> => [Box<[u8]>] [Arc<[u8]>] [Cow<'static, [u8]>] [&'static [u8]];
            Bytes [const N: usize] &[u8; N] => [Vec<u8>] [Box<[u8]>] [Arc<[u8]>] [Cow<'static, [u8]>];
        }
    };
    (@each $implement:ident $($kind:ident $generics:tt $form:ty => $([$($field:tt)*])*;)*) => {
        $(with_borrowed_forms! { @of $implement $kind $generics ($form) $([$($field)*])* })*
    };
    (@of $implement:ident $kind:ident $generics:tt $form:tt $([$($field:tt)*])*) => {
        $($implement! { $kind $generics $form $($field)* })*
    };
}

pub(super) use with_borrowed_forms;

macro_rules! borrowed_operand {
    ($kind:ident [$($generics:tt)*] ($form:ty) $field:ty) => {
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Operand<$field> for $form {
            #[inline]
            fn operand(&self) -> ValueRef<'_> {
                ValueRef::$kind(&**self)
            }
        }
    };
}

with_borrowed_forms!(borrowed_operand);
