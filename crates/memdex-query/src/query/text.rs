//! Tests of strings, as plain data.

use crate::value::fold_case;

/// The comparison of a [`TextTest`].
///
/// ```
/// use memdex::query::{TextOp, TextTest};
///
/// assert_eq!(TextTest::new(TextOp::Like, "A%_").op, TextOp::Like);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextOp {
    /// The string equals the pattern.
    Eq,
    /// It begins with the pattern.
    StartsWith,
    /// It ends with the pattern.
    EndsWith,
    /// It contains the pattern.
    Contains,
    /// It matches the pattern as a whole: `%` matches any run of characters, also an empty one, `_` matches one
    /// character, and a backslash makes the next character literal.
    Like,
}

/// A test of a string. A missing value never matches.
///
/// A character is a Unicode scalar value. Case is ignored character by character, by Unicode's simple case folding:
/// `É` equals `é`, and `Σ` and `ς` equal `σ`. One character is never compared with several, so `ß` equals `ẞ`, but not
/// `SS`. Language rules do not apply, so `İ` and `ı` equal themselves only. Strings are not normalized: an `é` of two
/// characters does not equal one of one character.
///
/// ```
/// use memdex::field;
/// use memdex::query::{Predicate, TextOp, TextTest};
///
/// let test = TextTest::ignoring_case(TextOp::EndsWith, "@example.org");
/// assert_eq!(field("mail").ends_with_ignore_case("@example.org"), Predicate::Text("mail".into(), test));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextTest {
    /// The comparison.
    pub op: TextOp,
    /// The string or pattern to compare with.
    pub pattern: String,
    /// Whether case is ignored.
    pub ignore_case: bool,
}

impl TextTest {
    /// A case-sensitive test.
    pub fn new(op: TextOp, pattern: impl Into<String>) -> Self {
        TextTest { op, pattern: pattern.into(), ignore_case: false }
    }

    /// A test that ignores case.
    pub fn ignoring_case(op: TextOp, pattern: impl Into<String>) -> Self {
        TextTest { op, pattern: pattern.into(), ignore_case: true }
    }

    /// The representative of all characters that are equal when case is ignored, usually the lower case: the simple case
    /// folding of Unicode (the statuses C and S of `CaseFolding.txt`).
    ///
    /// ```
    /// use memdex::query::TextTest;
    /// assert_eq!(['Ä', 'ä', '\u{212A}', 'ß'].map(TextTest::fold_case), ['ä', 'ä', 'k', 'ß']);
    /// assert_eq!(['Σ', 'ς', 'ſ', 'İ', 'ı'].map(TextTest::fold_case), ['σ', 'σ', 's', 'İ', 'ı']);
    /// ```
    pub fn fold_case(c: char) -> char {
        fold_case(c)
    }

    /// A test with an empty pattern for each operation, with case and without.
    #[cfg(feature = "serde")]
    pub(super) fn kinds() -> impl Iterator<Item = TextTest> {
        let ops = [TextOp::Eq, TextOp::StartsWith, TextOp::EndsWith, TextOp::Contains, TextOp::Like];
        ops.into_iter().flat_map(|op| [TextTest::new(op, ""), TextTest::ignoring_case(op, "")])
    }

    /// The name of the method that makes it, which is also its name in criteria and serde forms. No method makes
    /// `eq_str`.
    pub fn name(&self) -> &'static str {
        match (self.op, self.ignore_case) {
            (TextOp::Eq, false) => "eq_str",
            (TextOp::Eq, true) => "eq_ignore_case",
            (TextOp::StartsWith, false) => "starts_with",
            (TextOp::StartsWith, true) => "starts_with_ignore_case",
            (TextOp::EndsWith, false) => "ends_with",
            (TextOp::EndsWith, true) => "ends_with_ignore_case",
            (TextOp::Contains, false) => "contains_str",
            (TextOp::Contains, true) => "contains_str_ignore_case",
            (TextOp::Like, false) => "like",
            (TextOp::Like, true) => "like_ignore_case",
        }
    }
}
