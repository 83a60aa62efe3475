//! Keys in memdex's own form: the encoded parts of a record's key. A key takes 24 bytes and holds up to 21 bytes
//! inline.

#[cfg(feature = "serde")]
use super::key_encoding::encode;
use super::key_encoding::{TAG_STR, decode_parts};
use super::operand::with_borrowed_forms;
use super::{EntityKey, FieldValue, Many, Operand, Value, ValueRef};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

const INLINE_BYTES: usize = 21;

/// A record's key, in memdex's own form. `find(…).keys()` returns it, and every method that takes a key accepts it.
///
/// Keys are ordered part by part: strings by bytes, integers by number. [`to`](Key::to) converts it to the type of the
/// key field. With the feature `serde`, a key of one part has the form of that [`Value`], and a compound key is a list
/// of them.
///
/// ```
/// # use memdex::{Record, Store};
/// #[derive(Record)]
/// struct Flight { #[record(key)] origin: String, #[record(key)] number: u16 }
/// let flights = Store::new().collection::<Flight>("Flight")?;
/// flights.store(Flight { origin: "EWR".into(), number: 1545 })?;
/// let key = flights.get(("EWR", 1545)).unwrap().key().clone();
/// assert_eq!(key.to_string(), "(EWR, 1545)");
/// assert_eq!(format!("{key:?}"), "(\"EWR\", 1545)");
/// assert_eq!(key.to::<(String, u16)>(), Some(("EWR".into(), 1545)));
/// assert!(flights.contains(&key));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Key(Repr);

/// `text` is set if the key is a single string without NULs: then the bytes after its tag are the string.
#[derive(Clone)]
enum Repr {
    Inline { text: bool, len: u8, bytes: [u8; INLINE_BYTES] },
    Heap { text: bool, bytes: Box<[u8]> },
}

impl Key {
    /// Wraps an encoded key.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let text = bytes.first() == Some(&TAG_STR) && !bytes.contains(&0);
        match bytes.len() {
            len @ 0..=INLINE_BYTES => {
                let mut inline = [0; INLINE_BYTES];
                inline[..len].copy_from_slice(bytes);
                Key(Repr::Inline { text, len: len as u8, bytes: inline })
            }
            _ => Key(Repr::Heap { text, bytes: bytes.into() }),
        }
    }

    /// The key of these parts; `None` without parts or with a missing one.
    #[cfg(feature = "serde")]
    pub(super) fn of_parts(parts: &[Value]) -> Option<Self> {
        let valid = !parts.is_empty() && !parts.iter().any(Value::is_null);
        valid.then(|| {
            let (mut bytes, mut open) = (Vec::new(), false);
            parts.iter().for_each(|part| encode(part.as_ref(), &mut open, |more| bytes.extend_from_slice(more)));
            Key::from_bytes(&bytes)
        })
    }

    /// A key without parts, which no record has.
    pub fn none() -> Self {
        Key::from_bytes(&[])
    }

    /// The encoded key.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes, .. } => &bytes[..usize::from(*len).min(INLINE_BYTES)],
            Repr::Heap { bytes, .. } => bytes,
        }
    }

    /// The string, if the key is a single string without NULs.
    #[inline]
    pub fn text(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Inline { text: true, len, bytes } => bytes.get(1..usize::from(*len)),
            Repr::Heap { text: true, bytes } => bytes.get(1..),
            _ => None,
        }
    }

    /// The heap bytes of this key.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Heap { bytes, .. } => bytes.len(),
        }
    }

    /// The key's parts, decoded.
    pub fn parts(&self) -> Vec<Value> {
        decode_parts(self.bytes()).collect()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

/// A key of one part equals that part.
impl<'a, T: ?Sized> PartialEq<&'a T> for Key
where
    ValueRef<'a>: From<&'a T>,
{
    fn eq(&self, other: &&'a T) -> bool {
        self.parts() == [ValueRef::from(*other).to_value()]
    }
}

impl Key {
    fn write(&self, f: &mut fmt::Formatter<'_>, part: fn(&Value) -> String) -> fmt::Result {
        let parts: Vec<String> = self.parts().iter().map(part).collect();
        match parts.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "({})", several.join(", ")),
        }
    }
}

impl fmt::Debug for Key {
    /// As `Display`, but with quotes around strings and characters, so that `"7"` and `7` differ.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, |part| format!("{part:?}"))
    }
}

impl fmt::Display for Key {
    /// A single part as it is, several in parentheses; strings without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Value::to_string)
    }
}

/// Receives the parts of a key, one after the other. Implemented by memdex only:
///
/// ```compile_fail,E0277
/// # use memdex::typing::{KeySink, ValueRef};
/// struct Parts;
/// impl KeySink for Parts {
///     fn push(&mut self, _: ValueRef<'_>) {}
/// }
/// ```
pub trait KeySink: sealed::Sealed {
    /// Receives the next part. A missing value makes the key invalid: the operation will be refused.
    fn push(&mut self, part: ValueRef<'_>);

    /// Receives the next part of a key whose parts are known only at run time: if the schema declares a number of another
    /// kind, the part becomes the same number of that kind.
    #[inline]
    fn push_any(&mut self, part: ValueRef<'_>) {
        self.push(part);
    }
}

#[doc(hidden)]
pub mod sealed {
    /// Keeps a trait from being implemented outside of memdex.
    pub trait Sealed {}
}

/// A value that identifies a record whose key has type `K`: a `K`, a borrowed form of it, or a [`Key`];
/// for a compound key, a tuple of such parts.
///
/// ```
/// # use memdex::{Record, Store};
/// #[derive(Record)]
/// struct User { #[record(key)] id: String }
/// let users = Store::new().collection::<User>("User")?;
/// assert!(users.get("u-1").is_none());
/// assert!(users.get(String::from("u-1")).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of type `{K}`",
    label = "expected `{K}`, a borrowed form of it, or a `Key`",
    note = "a key has no missing parts: neither a key nor a part of one is an `Option`",
    note = "a compound key is a tuple with all its parts; integers must have the width of the key field"
)]
pub trait IntoKey<K> {
    /// Passes the key's parts to `key`, in their order.
    fn write_key<S: KeySink>(&self, key: &mut S);

    /// The key's only part, if it is a single string. Lookups compare such keys without decoding.
    #[doc(hidden)]
    #[inline]
    fn only_text(&self) -> Option<&str> {
        None
    }
}

/// A type that can be a key, or one part of a compound key: it has exactly one value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a key or a part of one",
    label = "a key has no missing parts, so no part is an `Option`"
)]
pub trait KeyPart {}

#[diagnostic::do_not_recommend]
impl<T: FieldValue<Base = T>> KeyPart for T {}

/// `#[derive(Record)]` reports a list in a key.
impl<T> KeyPart for Many<T> {}

impl<K: FieldValue + KeyPart> IntoKey<K> for K {
    #[inline]
    fn write_key<S: KeySink>(&self, key: &mut S) {
        key.push(self.value());
    }

    #[inline]
    fn only_text(&self) -> Option<&str> {
        if let ValueRef::Str(text) = self.value() { Some(text) } else { None }
    }
}

/// No value of this type exists. A list can't be a key, which `#[derive(Record)]` reports.
impl<T> IntoKey<Many<T>> for Many<T> {
    fn write_key<S: KeySink>(&self, _: &mut S) {
        let Many::Never(never, _) = self;
        match *never {}
    }
}

impl<K: FieldValue + KeyPart> IntoKey<K> for &K {
    #[inline]
    fn write_key<S: KeySink>(&self, key: &mut S) {
        key.push((**self).value());
    }

    #[inline]
    fn only_text(&self) -> Option<&str> {
        if let ValueRef::Str(text) = (**self).value() { Some(text) } else { None }
    }
}

macro_rules! borrowed_key {
    ($kind:ident [$($generics:tt)*] ($form:ty) $field:ty) => {
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> IntoKey<$field> for $form {
            #[inline]
            fn write_key<S: KeySink>(&self, key: &mut S) {
                key.push(ValueRef::$kind(&**self));
            }

            #[inline]
            fn only_text(&self) -> Option<&str> {
                if let ValueRef::Str(text) = ValueRef::$kind(&**self) { Some(text) } else { None }
            }
        }
    };
}

with_borrowed_forms!(borrowed_key);

impl<K> IntoKey<K> for Key {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        self.parts().iter().for_each(|part| key.push_any(part.as_ref()));
    }
}

impl<K> IntoKey<K> for &Key {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        self.parts().iter().for_each(|part| key.push_any(part.as_ref()));
    }
}

macro_rules! compound_keys {
    ($(($($k:ident $q:ident $at:tt),+))*) => {$(
        impl<$($k: KeyPart, $q: Operand<$k>),+> IntoKey<($($k,)+)> for ($($q,)+) {
            fn write_key<S: KeySink>(&self, key: &mut S) {
                $(key.push(self.$at.operand());)+
            }
        }

        impl<$($k: KeyPart, $q: Operand<$k>),+> IntoKey<($($k,)+)> for &($($q,)+) {
            fn write_key<S: KeySink>(&self, key: &mut S) {
                $(key.push(self.$at.operand());)+
            }
        }
    )*};
}

compound_keys! {
    (K0 Q0 0, K1 Q1 1)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3, K4 Q4 4)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3, K4 Q4 4, K5 Q5 5)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3, K4 Q4 4, K5 Q5 5, K6 Q6 6)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3, K4 Q4 4, K5 Q5 5, K6 Q6 6, K7 Q7 7)
}

#[cfg(test)]
mod tests {
    use super::super::encode_parts;
    use super::*;

    fn key(parts: &[ValueRef<'_>]) -> Key {
        Key::from_bytes(&encode_parts(parts.iter().copied()))
    }

    #[test]
    fn a_key_takes_24_bytes() {
        assert_eq!(size_of::<Key>(), 24);
    }

    #[test]
    fn the_order_of_the_bytes_is_the_order_of_the_parts() {
        let ascending = [
            vec![ValueRef::Str("a")],
            vec![ValueRef::Str("a"), ValueRef::from(u128::MAX)],
            vec![ValueRef::Str("a\0")],
            vec![ValueRef::Str("a\0"), ValueRef::Str("b")],
            vec![ValueRef::Str("a\0b")],
            vec![ValueRef::Str("ab"), ValueRef::Str("")],
            vec![ValueRef::Str("ab"), ValueRef::Str("c")],
            vec![ValueRef::from(i128::MIN)],
            vec![ValueRef::from(i128::MIN + 1)],
            vec![ValueRef::from(i128::from(i64::MIN) - 1)],
            vec![ValueRef::from(i64::MIN)],
            vec![ValueRef::from(-65_536)],
            vec![ValueRef::from(-257)],
            vec![ValueRef::from(-256)],
            vec![ValueRef::from(-255)],
            vec![ValueRef::from(-1)],
            vec![ValueRef::from(-1), ValueRef::from(-1)],
            vec![ValueRef::from(0u8)],
            vec![ValueRef::from(0u8), ValueRef::from(0u8)],
            vec![ValueRef::from(1u8)],
            vec![ValueRef::from(255u8)],
            vec![ValueRef::from(256u16)],
            vec![ValueRef::from(i64::MAX)],
            vec![ValueRef::from(u64::MAX)],
            vec![ValueRef::from(u128::MAX)],
            vec![ValueRef::from(f64::NEG_INFINITY)],
            vec![ValueRef::from(-1.5)],
            vec![ValueRef::from(0.0)],
            vec![ValueRef::from(1.5f32)],
            vec![ValueRef::from(f64::NAN)],
            vec![ValueRef::Date(i32::MIN)],
            vec![ValueRef::Date(-1)],
            vec![ValueRef::Date(-1), ValueRef::from(0)],
            vec![ValueRef::Date(0)],
            vec![ValueRef::Date(i32::MAX)],
            vec![ValueRef::Timestamp(i128::MIN)],
            vec![ValueRef::Timestamp(-1)],
            vec![ValueRef::Timestamp(0)],
            vec![ValueRef::Timestamp(0), ValueRef::Str("a")],
            vec![ValueRef::Timestamp(i128::MAX)],
            vec![ValueRef::Uuid([0; 16])],
            vec![ValueRef::Uuid([0; 16]), ValueRef::Uuid([0; 16])],
            vec![ValueRef::Uuid([0xff; 16])],
        ];
        let decimals = super::super::decimal::tests::ascending().into_iter().flat_map(|number| {
            let number = ValueRef::Decimal(number);
            [vec![number], vec![number, ValueRef::Bool(false)], vec![number, number]]
        });
        let ascending: Vec<_> = ascending.into_iter().chain(decimals).collect();
        let keys: Vec<Key> = ascending.iter().map(|parts| key(parts)).collect();
        for (at, pair) in keys.windows(2).enumerate() {
            assert!(pair[0] < pair[1], "{:?} before {:?}", keys[at], keys[at + 1]);
        }
        for (parts, key) in ascending.iter().zip(&keys) {
            assert_eq!(&key.parts().iter().map(Value::as_ref).collect::<Vec<_>>(), parts);
        }
    }
}
