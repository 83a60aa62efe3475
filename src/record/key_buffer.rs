//! The buffer to which a record writes the parts of its key, and the hashing and comparing of lookups.
//!
//! A lookup encodes nothing: it hashes its parts in place and compares them with the encoded keys that it finds. Encoding them first
//! made a `get` 2.5 times slower: bytes copied to the stack and read back in wider words stall on the store buffer, so the cache
//! misses of successive lookups no longer overlap.

use crate::error::KeyError;
use crate::hash::{KeyHasher, RandomState};
use crate::limits::MAX_KEY_BYTES;
use memdex_query::value::sealed::Sealed;
use memdex_query::value::{Fitted, IntoKey, Key, KeySink, Kind, Value, ValueRef, encode};

const INLINE_BYTES: usize = 64;

/// Receives the parts of a record's key. Keys of up to 64 bytes stay on the stack.
pub struct KeyBuffer {
    hasher: KeyHasher,
    len: usize,
    inline: [u8; INLINE_BYTES],
    /// All bytes, once there are more than fit `inline`.
    spilled: Vec<u8>,
    open: bool,
    missing_part: bool,
    any_part: bool,
}

impl KeyBuffer {
    pub(crate) fn new(seed: &RandomState) -> Self {
        let hasher = KeyHasher::new(seed);
        let inline = [0; INLINE_BYTES];
        KeyBuffer { hasher, len: 0, inline, spilled: Vec::new(), open: false, missing_part: false, any_part: false }
    }

    /// The buffer with the parts of `key`; `kinds` are those of the key's fields.
    pub(crate) fn of<K, Q: IntoKey<K>>(seed: &RandomState, kinds: &[Kind], key: &Q) -> Self {
        let mut sink = OfKinds::new(kinds, KeyBuffer::new(seed));
        key.write_key(&mut sink);
        sink.sink
    }

    /// Adds the next part of the key. A missing value makes the key invalid: the operation will be refused.
    pub fn push(&mut self, part: ValueRef<'_>) {
        self.hasher.push(part);
        self.any_part = true;
        self.missing_part |= part.is_null();
        let mut open = self.open;
        encode(part, &mut open, |bytes| self.write(bytes));
        self.open = open;
    }

    fn write(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.inline.get_mut(self.len..end) {
            Some(free) => free.copy_from_slice(bytes),
            None => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline[..self.len]);
                }
                self.spilled.extend_from_slice(bytes);
            }
        }
        self.len = end;
    }

    /// The encoded key so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.len <= INLINE_BYTES { &self.inline[..self.len] } else { &self.spilled }
    }

    pub(crate) fn to_key(&self) -> Key {
        Key::from_bytes(self.bytes())
    }

    /// The hash of the parts: the same for a [`Lookup`] of them.
    pub(crate) fn hash(&self) -> u32 {
        self.hasher.hash()
    }

    /// The key and its hash, if a record can have this key.
    pub(crate) fn checked(&self) -> Result<(Key, u32), KeyError> {
        if self.missing_part {
            Err(KeyError::MissingPart)
        } else if !self.any_part {
            Err(KeyError::Empty)
        } else if self.len > MAX_KEY_BYTES {
            Err(KeyError::too_long(self.len, MAX_KEY_BYTES))
        } else {
            Ok((self.to_key(), self.hash()))
        }
    }
}

impl Sealed for KeyBuffer {}

impl KeySink for KeyBuffer {
    fn push(&mut self, part: ValueRef<'_>) {
        KeyBuffer::push(self, part);
    }
}

impl Sealed for KeyHasher {}

impl KeySink for KeyHasher {
    #[inline]
    fn push(&mut self, part: ValueRef<'_>) {
        self.add(&part);
    }
}

/// Converts the numbers and texts of a key whose type does not fix their kinds to the kinds of the key's fields.
struct OfKinds<'a, S> {
    kinds: std::slice::Iter<'a, Kind>,
    sink: S,
}

impl<'a, S: KeySink> OfKinds<'a, S> {
    #[inline]
    fn new(kinds: &'a [Kind], sink: S) -> Self {
        OfKinds { kinds: kinds.iter(), sink }
    }
}

impl<S> Sealed for OfKinds<'_, S> {}

impl<S: KeySink> KeySink for OfKinds<'_, S> {
    #[inline]
    fn push(&mut self, part: ValueRef<'_>) {
        self.sink.push(part);
    }

    fn push_any(&mut self, part: ValueRef<'_>) {
        let other_kind = self.kinds.next().filter(|kind| part.kind() != Some(**kind));
        let number = |kind| Fitted::new(part, kind).and_then(Fitted::exact);
        let parsed = |kind| part.as_str().and_then(|text| Value::from_text(kind, text));
        match other_kind.and_then(|kind| number(*kind).or_else(|| parsed(*kind))) {
            Some(value) => self.sink.push(value.as_ref()),
            None => self.sink.push(part),
        }
    }
}

/// A key to look up: hashed, with its parts still in the caller's form.
pub(crate) struct Lookup<'a, Q> {
    key: &'a Q,
    /// The kinds of the key's fields.
    kinds: &'a [Kind],
    pub(crate) hash: u32,
}

impl<'a, Q> Lookup<'a, Q> {
    #[inline]
    pub(crate) fn new<K>(seed: &RandomState, kinds: &'a [Kind], key: &'a Q) -> Self
    where
        Q: IntoKey<K>,
    {
        let mut hasher = OfKinds::new(kinds, KeyHasher::new(seed));
        key.write_key(&mut hasher);
        Lookup { key, kinds, hash: hasher.sink.hash() }
    }

    /// Whether `key` is the key to look up.
    #[inline]
    pub(crate) fn matches<K>(&self, key: &Key) -> bool
    where
        Q: IntoKey<K>,
    {
        match (self.key.only_text(), key.text()) {
            (Some(wanted), Some(text)) => wanted.as_bytes() == text,
            _ => self.matches_part_by_part(key),
        }
    }

    /// The key's parts, encoded.
    pub(crate) fn encoded<K>(&self, seed: &RandomState) -> KeyBuffer
    where
        Q: IntoKey<K>,
    {
        KeyBuffer::of(seed, self.kinds, self.key)
    }

    fn matches_part_by_part<K>(&self, key: &Key) -> bool
    where
        Q: IntoKey<K>,
    {
        let comparison = Comparison { rest: key.bytes(), equal: true, open: false };
        let mut comparison = OfKinds::new(self.kinds, comparison);
        self.key.write_key(&mut comparison);
        comparison.sink.equal && comparison.sink.rest.is_empty()
    }
}

/// Compares an encoded key with expected parts, one by one.
struct Comparison<'a> {
    rest: &'a [u8],
    equal: bool,
    open: bool,
}

impl Comparison<'_> {
    fn expect(&mut self, bytes: &[u8]) {
        match self.rest.split_at_checked(bytes.len()) {
            Some((next, rest)) if next == bytes => self.rest = rest,
            _ => self.equal = false,
        }
    }
}

impl Sealed for Comparison<'_> {}

impl KeySink for Comparison<'_> {
    fn push(&mut self, part: ValueRef<'_>) {
        let mut open = self.open;
        encode(part, &mut open, |bytes| self.expect(bytes));
        self.open = open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    fn seed() -> RandomState {
        hash::seeded(1)
    }

    fn buffer(parts: &[ValueRef<'_>]) -> KeyBuffer {
        let mut buffer = KeyBuffer::new(&seed());
        parts.iter().for_each(|part| buffer.push(*part));
        buffer
    }

    fn key(parts: &[ValueRef<'_>]) -> Key {
        buffer(parts).checked().unwrap().0
    }

    #[test]
    fn a_lookup_matches_its_encoded_key_and_no_other() {
        let texts = ["", "a", "a\0", "a\0\u{2}b", "ab", "b", "a\0b"];
        let pairs: Vec<(&str, &str)> = texts.iter().flat_map(|x| texts.iter().map(move |y| (*x, *y))).collect();
        for pair in &pairs {
            let lookup = Lookup::new::<(String, String)>(&seed(), &[], pair);
            for (x, y) in &pairs {
                let stored = buffer(&[ValueRef::Str(x), ValueRef::Str(y)]);
                assert_eq!(
                    lookup.matches::<(String, String)>(&stored.to_key()),
                    *pair == (*x, *y),
                    "{pair:?} {x:?} {y:?}"
                );
                assert!(*pair != (*x, *y) || lookup.hash == stored.hash());
            }
            for text in texts {
                let lookup = Lookup::new::<String>(&seed(), &[], &text);
                assert!(!lookup.matches::<String>(&buffer(&[ValueRef::Str(pair.0), ValueRef::Str(pair.1)]).to_key()));
                assert_eq!(lookup.matches::<String>(&buffer(&[ValueRef::Str(pair.0)]).to_key()), text == pair.0);
            }
        }
        for bytes in [&b"a\0"[..], b"a\0\xff", b"a"] {
            let lookup = Lookup::new::<Vec<u8>>(&seed(), &[], &bytes);
            for stored in [&b"a\0"[..], b"a\0\xff", b"a"] {
                assert_eq!(lookup.matches::<Vec<u8>>(&key(&[ValueRef::Bytes(stored)])), bytes == stored);
            }
        }
        let erased = key(&[ValueRef::Str("a\0"), ValueRef::from(7)]);
        let lookup = Lookup::new::<(String, i32)>(&seed(), &[], &erased);
        assert!(lookup.matches::<(String, i32)>(&erased));
        assert_eq!(lookup.hash, Lookup::new::<(String, u64)>(&seed(), &[], &("a\0", 7)).hash);
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
            "(ß, true, b\"\\x00\")"
        );
    }

    #[test]
    fn invalid_keys_are_refused_with_their_reason() {
        let checked = |parts: &[ValueRef<'_>]| buffer(parts).checked().map(|_| ());
        assert_eq!(checked(&[]), Err(KeyError::Empty));
        assert!(checked(&[ValueRef::Str("")]).is_ok() && checked(&[ValueRef::Bytes(&[])]).is_ok());
        assert_eq!(checked(&[ValueRef::from(1), ValueRef::Null]), Err(KeyError::MissingPart));
        let fits = "x".repeat(MAX_KEY_BYTES - 1);
        assert!(checked(&[ValueRef::Str(&fits)]).is_ok());
        let long = "x".repeat(MAX_KEY_BYTES);
        assert_eq!(checked(&[ValueRef::Str(&long)]), Err(KeyError::too_long(MAX_KEY_BYTES + 1, MAX_KEY_BYTES)));
        let empty = ["", "x"].map(ValueRef::Str);
        for parts in [&empty[..1], &empty[..], &[empty[0]; 2], &[empty[1], empty[0]]] {
            let expected: Vec<Value> = parts.iter().map(|part| part.to_value()).collect();
            assert_eq!(key(parts).parts(), expected, "an empty string is a part like others");
        }
    }
}
