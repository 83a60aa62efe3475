//! Cursors: the position of the last record of a page, or of the first.

use crate::limits::{MAX_KEY_BYTES, MAX_ORDER_FIELDS};
use crate::value::{Key, Value, decode_parts, encode_parts};
use siphasher::sip::SipHasher13;
use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

/// The position of the last record of a page, or of the first, as opaque text. Pass it to `after` or `before` of the same
/// query: the next page starts after it, the previous one ends before it, even if other records were written or the
/// record itself was deleted meanwhile.
///
/// A cursor holds a fingerprint of its query (predicate, order, collections), so other queries refuse it, and a
/// checksum, so damage is detected. It is not encrypted: its text contains the sort values and the key of the record,
/// and the name of its collection if the query has several.
///
/// ```
/// # use memdex::{Filter, Record, Store};
/// # use memdex::query::Cursor;
/// # #[derive(Record)] struct User { #[record(key)] id: u32 }
/// # let users = Store::new().collection::<User>("User")?;
/// # for id in 0..5 { users.store(User { id })?; }
/// let all = users.find(Filter::all()).limit(3);
/// let text = all.clone().fetch()?.next.unwrap().to_string();
/// let rest = all.after(text.parse::<Cursor>()?).fetch()?;
/// assert_eq!(rest.iter().map(|user| user.id).collect::<Vec<_>>(), [3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The fingerprint of the query.
    pub query: u128,
    /// The sort values of the record.
    pub values: Vec<Value>,
    /// The collection of the record, if the query has several.
    pub collection: Option<String>,
    /// The key of the record.
    pub key: Key,
}

errors! {
    /// Text that can't be read as a cursor.
    ///
    /// ```
    /// use memdex::query::{Cursor, CursorError};
    /// assert_eq!("page 2".parse::<Cursor>(), Err(CursorError::Malformed));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum CursorError {
        without_fields {
            /// The text is not a cursor, or is damaged.
            Malformed => (
                "the text is not a cursor, or is damaged: pass a page's cursor unchanged, or restart without one"
            ),
        }
        /// The cursor is intact, but its format has a version that this memdex does not read.
        UnknownVersion [] {
            /// The version of the cursor.
            version: u8,
            /// The versions that this memdex reads.
            known: &'static [u8],
        } => (
            "the cursor has format version {version}, this memdex reads version {}: restart without a cursor, or use \
             the memdex that made it",
            known.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

impl std::error::Error for CursorError {}

/// A later version must keep the version as the first byte and the checksum at the end, so that this one can report it.
const VERSION: u8 = 3;

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut hasher = SipHasher13::new_with_keys(0x6d65_6d64_6578, 0x6375_7273_6f72);
    hasher.write(bytes);
    hasher.finish().to_le_bytes()
}

impl Cursor {
    /// Version, fingerprint, length of the values, values, length of the collection's name plus 1, its name, key,
    /// checksum.
    fn to_bytes(&self) -> Vec<u8> {
        let values = encode_parts(self.values.iter().map(Value::as_ref));
        let mut bytes = vec![VERSION];
        bytes.extend(self.query.to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values);
        let name = self.collection.as_deref();
        bytes.extend(name.map_or(0, |name| name.len() as u64 + 1).to_le_bytes());
        bytes.extend(name.unwrap_or_default().bytes());
        bytes.extend(self.key.bytes());
        bytes.extend(checksum(&bytes));
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, CursorError> {
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or(CursorError::Malformed)?;
        match body.split_first() {
            Some(_) if checksum(body) != *sum => Err(CursorError::Malformed),
            Some((&VERSION, content)) => {
                let cursor = Cursor::from_content(content);
                // Other bytes than those of the result were not written by memdex.
                cursor.filter(|cursor| cursor.to_bytes() == bytes).ok_or(CursorError::Malformed)
            }
            Some((&version, _)) => Err(CursorError::UnknownVersion { version, known: &[VERSION] }),
            None => Err(CursorError::Malformed),
        }
    }

    fn from_content(content: &[u8]) -> Option<Self> {
        let (query, rest) = content.split_first_chunk::<16>()?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let (values, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let name_len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let (name, key) = rest.split_at_checked(name_len.saturating_sub(1))?;
        let name = std::str::from_utf8(name).ok()?.to_owned();
        let collection = (name_len > 0).then_some(name);
        if key.len() > MAX_KEY_BYTES {
            return None;
        }
        // A forged cursor of many short values would take many times its own length.
        let values = decode_parts(values).take(MAX_ORDER_FIELDS).collect();
        Some(Cursor { query: u128::from_le_bytes(*query), values, collection, key: Key::from_bytes(key) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor(at {:?} of {:?})", self.key, self.values)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let digit = |byte: u8| (byte as char).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
        let pairs = text.as_bytes().chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(CursorError::Malformed);
        }
        let bytes = pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect::<Option<Vec<u8>>>();
        Cursor::from_bytes(&bytes.ok_or(CursorError::Malformed)?)
    }
}

/// As its text.
#[cfg(feature = "serde")]
impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        let values = vec![Value::NULL, Value::from("a\0b"), Value::from(-1.5), Value::from(u64::MAX)];
        let collection = Some("Payment".to_owned());
        Cursor {
            query: u128::MAX / 3,
            values,
            collection,
            key: Key::from_bytes(&encode_parts([Value::from("k").as_ref()])),
        }
    }

    #[test]
    fn a_cursor_is_parsed_from_its_text() {
        let text = cursor().to_string();
        assert_eq!(text.parse(), Ok(cursor()));
        for collection in [None, Some(String::new()), Some("é".repeat(300))] {
            let other = Cursor { collection, ..cursor() };
            assert!(other.to_string().parse() == Ok(other));
        }
        let long = Value::from("x".repeat(3 << 20));
        for values in [vec![], vec![Value::NULL; MAX_ORDER_FIELDS], vec![long; 2]] {
            let other = Cursor { values, ..cursor() };
            assert!(other.to_string().parse() == Ok(other));
        }
        let forged = Cursor { values: vec![Value::NULL; MAX_ORDER_FIELDS + 1], ..cursor() };
        assert_eq!(forged.to_string().parse::<Cursor>(), Err(CursorError::Malformed));
    }

    #[test]
    fn damage_is_detected() {
        let text = cursor().to_string();
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(String::from_utf8(damaged).unwrap().parse::<Cursor>(), Err(CursorError::Malformed), "at {at}");
            assert_eq!(text[..at].parse::<Cursor>(), Err(CursorError::Malformed), "cut at {at}");
        }
        for text in ["", "0", "zz", "00", "é", &text.to_uppercase(), &"0".repeat(3 << 20)] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError::Malformed));
        }
    }

    /// The bytes of a cursor with one byte changed, and the checksum of the result.
    fn forged(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut bytes = cursor().to_bytes();
        bytes.truncate(bytes.len() - 8);
        change(&mut bytes);
        bytes.extend(checksum(&bytes));
        bytes
    }

    #[test]
    fn a_forged_cursor_must_be_consistent() {
        let longer_values = forged(|bytes| bytes[17] += 1);
        assert_eq!(Cursor::from_bytes(&longer_values), Err(CursorError::Malformed));
    }

    #[test]
    fn a_cursor_of_another_version_is_reported_as_such() {
        let error = Cursor::from_bytes(&forged(|bytes| bytes[0] = 9)).unwrap_err();
        assert_eq!(error, CursorError::UnknownVersion { version: 9, known: &[VERSION] });
        assert_eq!(
            error.to_string(),
            "the cursor has format version 9, this memdex reads version 3: restart without a cursor, or use the memdex \
             that made it"
        );
    }
}
