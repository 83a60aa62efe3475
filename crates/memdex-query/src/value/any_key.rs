//! Keys whose parts are known at run time only.

use super::key::{IntoKey, KeySink};
use super::{Value, ValueRef};
use std::borrow::Cow;

/// The key of records without a Rust type: their schema says what it is made of. Strings, numbers, `bool`s, [`Value`]s
/// and [`Key`](crate::Key)s name a record, and tuples of these where the key has several parts.
///
/// A value of another kind than the key's names no record, and is no error: `get(7)` finds nothing under `"7"`.
#[derive(Clone, Copy, Debug)]
pub enum AnyKey {}

macro_rules! plain_keys {
    ($($t:ty)*) => {$(
        impl IntoKey<AnyKey> for $t {
            #[inline]
            fn write_key<S: KeySink>(&self, key: &mut S) {
                key.push(ValueRef::from(*self));
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
                key.push(ValueRef::Str(self));
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
        key.push(self.as_ref());
    }
}

impl IntoKey<AnyKey> for &Value {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        key.push((*self).as_ref());
    }
}

/// Parts by themselves, however many.
impl IntoKey<AnyKey> for &[Value] {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        self.iter().for_each(|part| key.push(part.as_ref()));
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
