//! Values and keys back into Rust types.

use super::{DecimalValue, Element, EntityKey, Key, Timestamp, Value, ValueRef};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// A type that a [`Value`] or a part of a [`Key`] can be converted to: the inverse of
/// [`FieldValue`](crate::value::FieldValue). `#[derive(FieldValue)]` implements it as well.
///
/// ```
/// use memdex::{FieldValue, Value};
///
/// #[derive(Debug, PartialEq, FieldValue)]
/// struct UserId(String);
///
/// assert_eq!(Value::from("u-1").to::<UserId>(), Some(UserId("u-1".into())));
/// ```
#[diagnostic::on_unimplemented(
    message = "a value can't be converted to `{Self}`",
    note = "`#[derive(memdex::FieldValue)]` implements `FromValue` for enums without data and for newtypes; borrowed strings such as \
            `&str` have nothing to borrow from: convert to `String`"
)]
pub trait FromValue: Sized {
    /// The value as this type; `None` if it is of another kind or out of range.
    fn from_value(value: ValueRef<'_>) -> Option<Self>;

    /// The values of a field as this type; none of them is null. Only a type of many values takes more than one.
    fn from_values(values: &[ValueRef<'_>]) -> Option<Self> {
        match values {
            [] => Self::from_value(ValueRef::Null),
            [one] => Self::from_value(*one),
            _ => None,
        }
    }
}

macro_rules! from_value {
    ($($t:ty => |$value:ident| $read:expr;)*) => {$(
        impl FromValue for $t {
            fn from_value($value: ValueRef<'_>) -> Option<Self> {
                $read
            }
        }
    )*};
}

macro_rules! integers {
    ($($t:ty)*) => { from_value! { $($t => |value| value.as_i128()?.try_into().ok();)* } };
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 usize }

from_value! {
    u128 => |value| value.as_u128();
    bool => |value| value.as_bool();
    char => |value| value.as_char();
    f64 => |value| if let ValueRef::Float(x) = value { Some(x) } else { None };
    String => |value| value.as_str().map(Into::into);
    Box<str> => |value| value.as_str().map(Into::into);
    Arc<str> => |value| value.as_str().map(Into::into);
    Cow<'_, str> => |value| value.as_str().map(|text| Cow::Owned(text.to_owned()));
    Vec<u8> => |value| value.as_bytes().map(Into::into);
    Box<[u8]> => |value| value.as_bytes().map(Into::into);
    Arc<[u8]> => |value| value.as_bytes().map(Into::into);
    Cow<'_, [u8]> => |value| value.as_bytes().map(|bytes| Cow::Owned(bytes.to_owned()));
    Timestamp => |value| value.as_timestamp();
    DecimalValue => |value| if let ValueRef::Decimal(number) = value { Some(number) } else { None };
    EntityKey => |value| value.as_str()?.parse().ok();
    Value => |value| Some(value.to_value());
}

/// `from_value` takes only values that an `f32` holds exactly: no other came from one. `from_values` rounds, so that a record can be built
/// from ordinary numbers.
impl FromValue for f32 {
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        f64::from_value(value).and_then(|x| {
            let narrow = x as f32;
            (x.is_nan() || f64::from(narrow) == x).then_some(narrow)
        })
    }

    fn from_values(values: &[ValueRef<'_>]) -> Option<Self> {
        match values {
            [one] => f64::from_value(*one).map(|x| x as f32).filter(|narrow| narrow.is_finite() || !is_finite(*one)),
            _ => None,
        }
    }
}

fn is_finite(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Float(x) if x.is_finite())
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        value.as_bytes()?.try_into().ok()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }

    fn from_values(values: &[ValueRef<'_>]) -> Option<Self> {
        if values.is_empty() { Some(None) } else { T::from_values(values).map(Some) }
    }
}

macro_rules! collections {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        impl<$($generics)*> FromValue for $t {
            fn from_value(value: ValueRef<'_>) -> Option<Self> {
                if value.is_null() { Self::from_values(&[]) } else { Self::from_values(&[value]) }
            }

            fn from_values(values: &[ValueRef<'_>]) -> Option<Self> {
                values.iter().map(|value| T::from_values(&[*value])).collect()
            }
        }
    )*};
}

collections! {
    [T: Element + FromValue] Vec<T>;
    [T: Element + FromValue] Box<[T]>;
    [T: Element + FromValue + Ord] BTreeSet<T>;
    [T: Element + FromValue + Eq + Hash, S: BuildHasher + Default] HashSet<T, S>;
}

#[cfg(feature = "uuid")]
from_value! { uuid::Uuid => |value| value.as_uuid_bytes().map(uuid::Uuid::from_bytes); }

#[cfg(feature = "jiff")]
from_value! {
    jiff::Timestamp => |value| match value {
        ValueRef::Timestamp(nanos) => jiff::Timestamp::from_nanosecond(nanos).ok(),
        _ => None,
    };
    jiff::civil::Date => |value| {
        let (year, month, day) = super::civil::date_of_days(value.as_date_days()?.into());
        jiff::civil::Date::new(year.try_into().ok()?, month.cast_signed(), day.cast_signed()).ok()
    };
}

#[cfg(feature = "rust_decimal")]
from_value! {
    rust_decimal::Decimal => |value| match value {
        ValueRef::Decimal(number) => {
            rust_decimal::Decimal::try_from_i128_with_scale(number.units(), number.scale().into()).ok()
        }
        _ => None,
    };
}

/// A type that a [`Key`] can be converted to: that of a key field, or a tuple of them for a compound key.
#[diagnostic::on_unimplemented(
    message = "a key can't be converted to `{Self}`",
    note = "expected the type of the key field, or a tuple with the types of all key fields"
)]
pub trait FromKey: Sized {
    /// The key as this type; `None` if it has other parts.
    fn from_key(key: &Key) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: FromValue> FromKey for T {
    fn from_key(key: &Key) -> Option<Self> {
        match key.parts().as_slice() {
            [part] => T::from_value(part.as_ref()),
            _ => None,
        }
    }
}

macro_rules! compound_keys {
    ($(($($k:ident),+))*) => {$(
        impl<$($k: FromValue),+> FromKey for ($($k,)+) {
            fn from_key(key: &Key) -> Option<Self> {
                let parts = key.parts();
                let mut parts = parts.iter();
                let tuple = ($($k::from_value(parts.next()?.as_ref())?,)+);
                parts.next().is_none().then_some(tuple)
            }
        }
    )*};
}

compound_keys! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) (A, B, C, D, E, F, G, H) }

impl Key {
    /// The key as the type of the key field, or as a tuple if it has several parts; `None` if the key is of another
    /// type.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// #[derive(Record)]
    /// struct Flight { #[record(key)] origin: String, #[record(key)] number: u16 }
    /// let flights = Store::new().collection::<Flight>("Flight")?;
    /// flights.store(Flight { origin: "EWR".into(), number: 1545 })?;
    /// let key = flights.get(("EWR", 1545)).unwrap().key().clone();
    /// assert_eq!(key.to::<(String, u16)>(), Some(("EWR".into(), 1545)));
    /// assert_eq!(key.to::<String>(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to<K: FromKey>(&self) -> Option<K> {
        K::from_key(self)
    }
}
