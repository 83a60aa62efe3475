//! Fingerprints of queries: 128 bits that are equal for equal queries, on every machine.

use crate::value::{ValueRef, encode_parts};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::fmt;
use std::hash::Hasher;

/// A hash of a query: equal for queries with equal normal forms, in any order and nesting of their parts, on every
/// machine and in every run of one version of memdex. Two different queries collide with a probability of 2^-128. The
/// hash is not keyed, so collisions can be constructed on purpose.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)]
/// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
/// # let users = Store::new().collection::<User>("User")?;
/// let one = users.find(user::CITY.eq("Bern") & user::AGE.gt(40)).fingerprint()?;
/// let same = users.find(user::AGE.gt(40) & user::CITY.is_in(["Bern"]) & user::AGE.gt(30)).fingerprint()?;
/// let other = users.find(user::CITY.eq("Rome") & user::AGE.gt(40)).fingerprint()?;
/// assert!(one == same && one != other);
/// assert_eq!(one.to_string().len(), 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Computes a fingerprint. The input is unambiguous: the tag determines the parts after it, and each part has a fixed
/// length or its length before it.
pub struct Fingerprinter(SipHasher24);

impl Fingerprinter {
    /// Starts with a tag for the parts that follow.
    pub fn new(tag: &str) -> Self {
        // Arbitrary, but constant keys.
        Fingerprinter(SipHasher24::new_with_keys(0x6d65_6d64_6578_2d31, 0x7175_6573_7469_6f6e)).text(tag)
    }

    /// Adds bytes, with their length.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.number(bytes.len());
        self.0.write(bytes);
        self
    }

    /// Adds a string, with its length.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a number.
    pub fn number(mut self, number: usize) -> Self {
        self.0.write(&(number as u64).to_le_bytes());
        self
    }

    /// Adds a flag.
    pub fn flag(mut self, flag: bool) -> Self {
        self.0.write(&[flag.into()]);
        self
    }

    /// Adds a fingerprint.
    pub fn print(mut self, print: Fingerprint) -> Self {
        self.0.write(&print.0.to_le_bytes());
        self
    }

    /// Adds values of any kinds, including null: equal lists are equal bytes.
    pub fn values<'a>(self, values: impl IntoIterator<Item = ValueRef<'a>>) -> Self {
        self.bytes(&encode_parts(values))
    }

    /// The fingerprint of what was added.
    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finish128().into())
    }
}
