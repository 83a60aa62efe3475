//! Keys whose parts are known only at run time.

use super::key::{IntoKey, KeySink};
use super::{Value, ValueRef};
use std::borrow::Cow;

/// The key type of records without a Rust type of their own, whose schema defines the key. Strings, numbers, `bool`s,
/// [`Value`]s and [`Key`](crate::value::Key)s are such keys, and tuples of these if the key has several parts.
///
/// Numbers are compared by value: `get(7.0)` finds the key 7. A string is read as a key of a kind that is written as text,
/// such as a UUID or a time. A value of another sort finds no record and is not an error: `get(7)` does not find the key
/// `"7"`.
#[derive(Clone, Copy, Debug)]
pub enum AnyKey {}

macro_rules! plain_keys {
    ($($t:ty)*) => {$(
        impl IntoKey<AnyKey> for $t {
            #[inline]
            fn write_key<S: KeySink>(&self, key: &mut S) {
                key.push_any(ValueRef::from(*self));
            }
        }
    )*};
}

plain_keys! { bool i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 char }

macro_rules! text_keys {
    ($($t:ty)*) => {$(
        impl IntoKey<AnyKey> for $t {
            #[inline]
            fn write_key<S: KeySink>(&self, key: &mut S) {
                key.push_any(ValueRef::Str(self));
            }

            #[inline]
            fn only_text(&self) -> Option<&str> {
                Some(self)
            }
        }
    )*};
}

text_keys! { &str &&str String &String Cow<'_, str> }

impl IntoKey<AnyKey> for Value {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        key.push_any(self.as_ref());
    }
}

/// No value of this type exists; it lets generic code call `get` with a `Record::Key`.
impl IntoKey<AnyKey> for AnyKey {
    fn write_key<S: KeySink>(&self, _: &mut S) {
        match *self {}
    }
}

impl IntoKey<AnyKey> for &Value {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        key.push_any((*self).as_ref());
    }
}

/// Any number of parts.
impl IntoKey<AnyKey> for &[Value] {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        self.iter().for_each(|part| key.push_any(part.as_ref()));
    }
}

macro_rules! compound_keys {
    ($(($($part:ident $at:tt),+))*) => {$(
        impl<$($part: IntoKey<AnyKey>),+> IntoKey<AnyKey> for ($($part,)+) {
            fn write_key<S: KeySink>(&self, key: &mut S) {
                $(self.$at.write_key(key);)+
            }
        }
    )*};
}

compound_keys! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
