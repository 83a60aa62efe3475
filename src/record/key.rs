//! Keys as memdex keeps them: the parts of a record's key, encoded to bytes whose order is the order of the keys.
//!
//! The encoding is that of FoundationDB's tuple layer in spirit: a tag a part, integers big-endian in as few
//! bytes as they need, their number in the tag, strings with `00` escaped as `00 ff`. What ends a string is written only before a further part, so that a
//! key of one short string stays short. Up to 22 bytes a key lives inline, in 24 bytes.

use super::operand::with_borrowed_forms;
use super::{FieldValue, Operand, Value, ValueRef};
use crate::error::KeyError;
use crate::limits::MAX_KEY_BYTES;
use compact_str::CompactString;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

const INLINE_BYTES: usize = 22;

const TAG_BYTES: u8 = 0x01;
const TAG_STR: u8 = 0x02;
const TAG_CHAR: u8 = 0x03;
const TAG_FALSE: u8 = 0x04;
const TAG_TRUE: u8 = 0x05;
/// Zero; a positive integer of n bytes has the tag n above it, a negative one n below.
const TAG_ZERO: u8 = 0x20;
const TAG_LOWEST_INT: u8 = TAG_ZERO - 16;
const TAG_HIGHEST_INT: u8 = TAG_ZERO + 16;
const TAG_FLOAT: u8 = 0x40;

/// A record's key, in memdex's own form: what `find(…).keys()` gives, and what every method takes that takes a key.
///
/// Keys are ordered part by part: strings by bytes, integers by number. Compares with plain values:
///
/// ```
/// # use memdex::{Record, Store};
/// #[derive(Record)]
/// struct Flight { #[record(key)] origin: String, #[record(key)] number: u16 }
/// let flights = Store::new().collection::<Flight>("Flight")?;
/// flights.store(Flight { origin: "EWR".into(), number: 1545 })?;
/// let key = flights.get(("EWR", 1545)).unwrap().key().clone();
/// assert_eq!(key.to_string(), "(\"EWR\", 1545)");
/// assert!(flights.contains(&key));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Heap(Box<[u8]>),
}

impl Key {
    fn from_bytes(bytes: &[u8]) -> Self {
        match bytes.len() {
            len @ 0..=INLINE_BYTES => {
                let mut inline = [0; INLINE_BYTES];
                inline[..len].copy_from_slice(bytes);
                Key(Repr::Inline { len: len as u8, bytes: inline })
            }
            _ => Key(Repr::Heap(bytes.into())),
        }
    }

    /// The encoded key.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len).min(INLINE_BYTES)],
            Repr::Heap(bytes) => bytes,
        }
    }

    /// Bytes on the heap that this key holds.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Heap(bytes) => bytes.len(),
        }
    }

    /// The key's parts, decoded.
    pub fn parts(&self) -> Vec<Value> {
        let mut rest = self.bytes();
        let mut parts = Vec::new();
        while let Some((part, after)) = decode(rest) {
            parts.push(part);
            rest = after;
        }
        parts
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
        self == &KeyBuffer::of_one(ValueRef::from(*other)).to_key()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Key {
    /// A single part plainly, several in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts().as_slice() {
            [one] => write!(f, "{one}"),
            parts => {
                f.write_str("(")?;
                for (at, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// Where a record writes the parts of its key, and a look-up those that it looks for: on the stack, unless it is long.
#[derive(Clone)]
pub struct KeyBuffer {
    len: usize,
    inline: [u8; 64],
    /// All bytes, once they have outgrown `inline`.
    spilled: Vec<u8>,
    /// A string or byte string was the last part: a further part must end it first.
    open: bool,
    parts: usize,
    null_part: bool,
    /// What was pushed had no byte of its own in any part.
    empty: bool,
}

impl Default for KeyBuffer {
    fn default() -> Self {
        KeyBuffer::new()
    }
}

impl KeyBuffer {
    /// An empty buffer.
    #[inline]
    pub fn new() -> Self {
        KeyBuffer { len: 0, inline: [0; 64], spilled: Vec::new(), open: false, parts: 0, null_part: false, empty: true }
    }

    pub(crate) fn of_one(part: ValueRef<'_>) -> Self {
        let mut buffer = KeyBuffer::new();
        buffer.push(part);
        buffer
    }

    pub(crate) fn of<K, Q: IntoKey<K> + ?Sized>(key: &Q) -> Self {
        let mut buffer = KeyBuffer::new();
        key.write_key(&mut buffer);
        buffer
    }

    /// Adds the next part of the key. A missing value makes the key invalid: the operation will be refused.
    #[inline]
    pub fn push(&mut self, part: ValueRef<'_>) {
        if self.open {
            self.write(&[0]);
            self.open = false;
        }
        self.parts += 1;
        self.empty &= matches!(part, ValueRef::Str("") | ValueRef::Bytes([]));
        match part.canonical() {
            ValueRef::Null => self.null_part = true,
            ValueRef::Bool(b) => self.write(&[if b { TAG_TRUE } else { TAG_FALSE }]),
            ValueRef::Int(n) => self.write_integer(n < 0, n.unsigned_abs().into()),
            ValueRef::Int128(n) => self.write_integer(n < 0, n.unsigned_abs()),
            ValueRef::UInt128(n) => self.write_integer(false, n),
            ValueRef::Float(x) => self.write_tagged(TAG_FLOAT, ordered_bits(x).to_be_bytes()),
            ValueRef::Char(c) => self.write_tagged(TAG_CHAR, u32::from(c).to_be_bytes()),
            ValueRef::Str(s) => self.write_escaped(TAG_STR, s.as_bytes()),
            ValueRef::Bytes(b) => self.write_escaped(TAG_BYTES, b),
        }
    }

    fn push_key(&mut self, key: &Key) {
        self.write(key.bytes());
        self.parts += 1;
        self.empty = false;
    }

    /// Of negative numbers the complement, so that the lower one comes first.
    fn write_integer(&mut self, negative: bool, magnitude: u128) {
        let bytes = (u128::BITS - magnitude.leading_zeros()).div_ceil(8) as u8;
        let tag = if negative { TAG_ZERO - bytes } else { TAG_ZERO + bytes };
        let magnitude = if negative { !magnitude } else { magnitude };
        self.write(&[tag]);
        self.write(&magnitude.to_be_bytes()[16 - usize::from(bytes)..]);
    }

    fn write_tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        self.write(&[tag]);
        self.write(&bytes);
    }

    #[inline]
    fn write_escaped(&mut self, tag: u8, bytes: &[u8]) {
        self.write(&[tag]);
        self.open = true;
        if !bytes.contains(&0) {
            return self.write(bytes);
        }
        for run in bytes.split_inclusive(|b| *b == 0) {
            self.write(run);
            if run.last() == Some(&0) {
                self.write(&[0xff]);
            }
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.inline.get_mut(self.len..end) {
            Some(room) if self.spilled.is_empty() => room.copy_from_slice(bytes),
            _ => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline[..self.len]);
                }
                self.spilled.extend_from_slice(bytes);
            }
        }
        self.len = end;
    }

    /// The encoded key so far.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.spilled.is_empty() { &self.inline[..self.len.min(64)] } else { &self.spilled }
    }

    pub(crate) fn to_key(&self) -> Key {
        Key::from_bytes(self.bytes())
    }

    /// The key, if it can be one of a record.
    pub(crate) fn checked(&self) -> Result<Key, KeyError> {
        if self.null_part {
            Err(KeyError::MissingPart)
        } else if self.parts == 0 || self.empty {
            Err(KeyError::Empty)
        } else if self.len > MAX_KEY_BYTES {
            Err(KeyError::TooLong { bytes: self.len, limit: MAX_KEY_BYTES })
        } else {
            Ok(self.to_key())
        }
    }
}

/// What names a record whose key has type `K`: a `K` or a borrowed form of it, for compound keys a tuple of such, and
/// any [`Key`].
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
    message = "`{Self}` does not name a key of type `{K}`",
    label = "expected `{K}` or a borrowed form of it; a tuple of such for a compound key"
)]
pub trait IntoKey<K> {
    /// Writes the key's parts.
    fn write_key(&self, key: &mut KeyBuffer);
}

impl<K: FieldValue> IntoKey<K> for K {
    #[inline]
    fn write_key(&self, key: &mut KeyBuffer) {
        key.push(self.value());
    }
}

impl<K: FieldValue> IntoKey<K> for &K {
    #[inline]
    fn write_key(&self, key: &mut KeyBuffer) {
        key.push((**self).value());
    }
}

macro_rules! borrowed_key {
    ($kind:ident [$($generics:tt)*] ($form:ty) $field:ty) => {
        impl<$($generics)*> IntoKey<$field> for $form {
            #[inline]
            fn write_key(&self, key: &mut KeyBuffer) {
                key.push(ValueRef::$kind(&**self));
            }
        }
    };
}

with_borrowed_forms!(borrowed_key);

impl<K> IntoKey<K> for Key {
    fn write_key(&self, key: &mut KeyBuffer) {
        key.push_key(self);
    }
}

impl<K> IntoKey<K> for &Key {
    fn write_key(&self, key: &mut KeyBuffer) {
        key.push_key(self);
    }
}

macro_rules! compound_keys {
    ($(($($k:ident $q:ident $at:tt),+))*) => {$(
        impl<$($k: FieldValue, $q: Operand<$k>),+> IntoKey<($($k,)+)> for ($($q,)+) {
            fn write_key(&self, key: &mut KeyBuffer) {
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

/// Bits whose unsigned order is the order of the floats.
fn ordered_bits(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 0 { bits ^ (1 << 63) } else { !bits }
}

/// The first part of an encoded key, and what follows it.
fn decode(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    fn split<const N: usize>(rest: &[u8]) -> Option<([u8; N], &[u8])> {
        rest.split_first_chunk::<N>().map(|(head, tail)| (*head, tail))
    }
    let (value, rest) = match tag {
        TAG_FALSE | TAG_TRUE => (ValueRef::Bool(tag == TAG_TRUE), rest),
        TAG_LOWEST_INT..=TAG_HIGHEST_INT => {
            let bytes = usize::from(tag.abs_diff(TAG_ZERO));
            let (digits, tail) = rest.split_at_checked(bytes)?;
            let mut padded = [if tag < TAG_ZERO { 0xff } else { 0 }; 16];
            padded[16 - bytes..].copy_from_slice(digits);
            let magnitude = u128::from_be_bytes(padded);
            let below_zero = || ValueRef::Int128((!magnitude).wrapping_neg() as i128);
            (if tag < TAG_ZERO { below_zero() } else { ValueRef::UInt128(magnitude) }, tail)
        }
        TAG_FLOAT => split(rest).map(|(b, tail)| {
            let bits = u64::from_be_bytes(b);
            let bits = if bits >> 63 == 1 { bits ^ (1 << 63) } else { !bits };
            (ValueRef::Float(f64::from_bits(bits)), tail)
        })?,
        TAG_CHAR => {
            split(rest).and_then(|(b, tail)| Some((ValueRef::Char(char::from_u32(u32::from_be_bytes(b))?), tail)))?
        }
        TAG_STR | TAG_BYTES => {
            let (text, tail) = unescape(rest);
            let value = match (tag, CompactString::from_utf8(&text)) {
                (TAG_STR, Ok(text)) => Value::from(text.as_str()),
                _ => Value::from(text.as_slice()),
            };
            return Some((value, tail));
        }
        _ => return None,
    };
    Some((value.to_value(), rest))
}

/// The text up to a `00` that no `ff` follows, and what comes behind it.
fn unescape(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == 0 && bytes.get(at + 1) != Some(&0xff) {
            return (text, &bytes[at + 1..]);
        }
        text.push(byte);
        at += if byte == 0 { 2 } else { 1 };
    }
    (text, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[ValueRef<'_>]) -> Key {
        let mut buffer = KeyBuffer::new();
        parts.iter().for_each(|part| buffer.push(*part));
        buffer.checked().unwrap()
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
        ];
        let keys: Vec<Key> = ascending.iter().map(|parts| key(parts)).collect();
        for (at, pair) in keys.windows(2).enumerate() {
            assert!(pair[0] < pair[1], "{} before {}", keys[at], keys[at + 1]);
        }
        for (parts, key) in ascending.iter().zip(&keys) {
            assert_eq!(&key.parts().iter().map(Value::as_ref).collect::<Vec<_>>(), parts);
        }
    }

    #[test]
    fn long_keys_spill_and_stay_the_same() {
        for len in [1, 21, 22, 23, 62, 63, 64, 65, 1_000] {
            let text = "x".repeat(len);
            let long = key(&[ValueRef::Str(&text), ValueRef::from(7)]);
            assert_eq!(long.parts(), [Value::from(text), Value::from(7)]);
        }
        assert_eq!(key(&[ValueRef::Str("p")]), "p");
        assert_eq!(
            key(&[ValueRef::Char('ß'), ValueRef::Bool(true), ValueRef::Bytes(b"\0")]).to_string(),
            "('ß', true, b\"\\x00\")"
        );
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_by_name() {
        let checked = |parts: &[ValueRef<'_>]| {
            let mut buffer = KeyBuffer::new();
            parts.iter().for_each(|part| buffer.push(*part));
            buffer.checked()
        };
        assert_eq!(checked(&[]), Err(KeyError::Empty));
        assert_eq!(checked(&[ValueRef::Str("")]), Err(KeyError::Empty));
        assert_eq!(checked(&[ValueRef::from(1), ValueRef::Null]), Err(KeyError::MissingPart));
        let fits = "x".repeat(MAX_KEY_BYTES - 1);
        assert!(checked(&[ValueRef::Str(&fits)]).is_ok());
        let long = "x".repeat(MAX_KEY_BYTES);
        assert_eq!(
            checked(&[ValueRef::Str(&long)]),
            Err(KeyError::TooLong { bytes: MAX_KEY_BYTES + 1, limit: MAX_KEY_BYTES })
        );
        assert!(
            checked(&[ValueRef::Str(""), ValueRef::Str("x")]).is_ok(),
            "one empty part of several is a value like others"
        );
    }
}
