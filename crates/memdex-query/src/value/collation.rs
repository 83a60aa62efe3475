//! Collations: texts that count as equal although their characters differ, and their order.

use super::fold::fold_case;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// The comparison of the strings of a field: see [`FieldDef::collate`](crate::schema::FieldDef::collate).
///
/// A collation maps each text to a key. Texts are equal if their keys are, and have the order of their keys by bytes.
/// The records keep their spelling.
///
/// ```
/// use memdex::{FieldDef, Kind, schema::Collation};
///
/// assert_eq!(Collation::NoCase.key("Zoë@X"), "zoë@x");
/// assert_eq!(FieldDef::new("mail", Kind::Str).collate(Collation::NoCase).collation(), Some(Collation::NoCase));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Collation {
    /// Ignores case, character by character, by Unicode's simple case folding:
    /// [`TextTest::fold_case`](crate::query::TextTest::fold_case). The key is the folded text.
    #[cfg_attr(feature = "serde", serde(rename = "nocase"))]
    NoCase,
}

impl Collation {
    /// The key of a text. O(length); allocates only if the key differs from the text.
    pub fn key(self, text: &str) -> Cow<'_, str> {
        let Collation::NoCase = self;
        match text.chars().all(|c| fold_case(c) == c) {
            true => Cow::Borrowed(text),
            false => Cow::Owned(text.chars().map(fold_case).collect()),
        }
    }

    /// The order of the key of `text` and another key. Allocates nothing.
    fn compare(self, text: &str, key: impl Iterator<Item = char>) -> Ordering {
        self.chars(text).cmp(key)
    }

    /// The characters of the key of a text. They have the order of the key's bytes.
    fn chars(self, text: &str) -> impl Iterator<Item = char> {
        let Collation::NoCase = self;
        text.chars().map(fold_case)
    }
}

impl fmt::Display for Collation {
    /// The name in the attribute of the derive macro and in the serde form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Collation::NoCase => "nocase",
        })
    }
}

/// A text that is compared by the key of a collation. An owned copy of it is the key.
#[derive(Clone, Copy, Debug)]
pub struct Collated<'a> {
    text: &'a str,
    collation: Collation,
}

impl<'a> Collated<'a> {
    pub(super) fn new(text: &'a str, collation: Collation) -> Self {
        Collated { text, collation }
    }

    /// The text as it is written.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The key.
    pub fn key(self) -> Cow<'a, str> {
        self.collation.key(self.text)
    }

    pub(super) fn cmp_key(self, key: &str) -> Ordering {
        self.collation.compare(self.text, key.chars())
    }

    pub(super) fn cmp(self, other: Collated<'_>) -> Ordering {
        self.collation.compare(self.text, other.collation.chars(other.text))
    }
}
