//! Tests of text, as plain data and as typed fields and names make them.

use super::predicate::FieldName;
use super::{Field, Filter, NamedField, Predicate};
use crate::value::{FieldValue, Text};

/// What a text must be like; see [`TextTest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TextOp {
    /// The text is this.
    Eq,
    /// It begins with this.
    StartsWith,
    /// It ends with this.
    EndsWith,
    /// This stands somewhere in it.
    Contains,
    /// As a whole it is like this pattern: `%` stands for any run of characters, also for none; `_` for one character; a backslash
    /// before a character for just that character.
    Like,
}

/// A test of a text. A missing value meets none.
///
/// A character is a Unicode scalar value. Where case is ignored, characters are compared one by one: two are the same if
/// [`char::to_lowercase`] gives the same for both. So `É` is `é` and `Σ` is `σ`; but `ß` is not `SS` and `ς` is not `σ`, as
/// no character is ever compared with several, and no rule of a language is known. Nothing is normalized: an `é` of two
/// characters is not that of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TextTest {
    /// What the text must be like.
    pub op: TextOp,
    /// What it is compared with.
    pub pattern: String,
    /// Whether upper and lower case are the same.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ignore_case: bool,
}

impl TextTest {
    /// A test that tells upper from lower case.
    pub fn new(op: TextOp, pattern: impl Into<String>) -> Self {
        TextTest { op, pattern: pattern.into(), ignore_case: false }
    }

    /// A test to which upper and lower case are the same.
    pub fn ignoring_case(op: TextOp, pattern: impl Into<String>) -> Self {
        TextTest { op, pattern: pattern.into(), ignore_case: true }
    }

    /// The name of the method that makes it.
    pub fn name(&self) -> &'static str {
        match (self.op, self.ignore_case) {
            (TextOp::Eq, false) => "eq",
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

/// Text tests, for fields of strings; see [`TextTest`] for what is a character and what is the same without regard to case. A
/// missing value meets none.
///
/// An ordered index answers `starts_with`, and a `like` that is one; a column answers all of them with one look at each of its
/// distinct values.
///
/// ```
/// # use memdex::{Record, Store};
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, #[record(ordered)] name: String, #[record(field)] mail: Option<String> }
///
/// let users = Store::new().collection::<User>("User")?;
/// users.store(User { id: 1, name: "Ada_Lovelace".into(), mail: Some("Ada@Example.org".into()) })?;
/// users.store(User { id: 2, name: "Adam".into(), mail: None })?;
/// assert_eq!(users.find(user::NAME.starts_with("Ada")).count()?, 2);
/// assert_eq!(users.find(user::NAME.like(r"Ada\_L%")).count()?, 1);
/// assert_eq!(users.find(user::NAME.like("Ada_")).count()?, 1);
/// assert_eq!(users.find(user::MAIL.ends_with_ignore_case("@example.ORG")).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<R, T: FieldValue<Base: Text>> Field<R, T> {
    fn text(&self, test: TextTest) -> Filter<R> {
        Filter::new(Predicate::Text(self.name(), test))
    }

    /// The text begins with this.
    pub fn starts_with(&self, prefix: impl Into<String>) -> Filter<R> {
        self.text(TextTest::new(TextOp::StartsWith, prefix))
    }

    /// The text ends with this.
    pub fn ends_with(&self, suffix: impl Into<String>) -> Filter<R> {
        self.text(TextTest::new(TextOp::EndsWith, suffix))
    }

    /// This stands somewhere in the text. (`contains` asks a field of many values for one of them.)
    pub fn contains_str(&self, part: impl Into<String>) -> Filter<R> {
        self.text(TextTest::new(TextOp::Contains, part))
    }

    /// The text is like this pattern: `%` stands for any run of characters, also for none, `_` for one character, and a backslash
    /// takes the meaning from the character behind it.
    pub fn like(&self, pattern: impl Into<String>) -> Filter<R> {
        self.text(TextTest::new(TextOp::Like, pattern))
    }

    /// The text is this, whatever the case of either.
    pub fn eq_ignore_case(&self, text: impl Into<String>) -> Filter<R> {
        self.text(TextTest::ignoring_case(TextOp::Eq, text))
    }

    /// The text begins with this, whatever the case of either.
    pub fn starts_with_ignore_case(&self, prefix: impl Into<String>) -> Filter<R> {
        self.text(TextTest::ignoring_case(TextOp::StartsWith, prefix))
    }

    /// The text ends with this, whatever the case of either.
    pub fn ends_with_ignore_case(&self, suffix: impl Into<String>) -> Filter<R> {
        self.text(TextTest::ignoring_case(TextOp::EndsWith, suffix))
    }

    /// This stands somewhere in the text, whatever the case of either.
    pub fn contains_str_ignore_case(&self, part: impl Into<String>) -> Filter<R> {
        self.text(TextTest::ignoring_case(TextOp::Contains, part))
    }

    /// The text is like this pattern, whatever the case of either.
    pub fn like_ignore_case(&self, pattern: impl Into<String>) -> Filter<R> {
        self.text(TextTest::ignoring_case(TextOp::Like, pattern))
    }
}

/// Text tests, for fields of strings; see [`TextTest`] for what is a character and what is the same without regard to case. At a
/// path of documents that is not declared one of the strings there must meet them.
impl NamedField {
    fn text(self, test: TextTest) -> Predicate {
        let name: FieldName = self.into_name();
        Predicate::Text(name, test)
    }

    /// The text begins with this.
    pub fn starts_with(self, prefix: impl Into<String>) -> Predicate {
        self.text(TextTest::new(TextOp::StartsWith, prefix))
    }

    /// The text ends with this.
    pub fn ends_with(self, suffix: impl Into<String>) -> Predicate {
        self.text(TextTest::new(TextOp::EndsWith, suffix))
    }

    /// This stands somewhere in the text.
    pub fn contains_str(self, part: impl Into<String>) -> Predicate {
        self.text(TextTest::new(TextOp::Contains, part))
    }

    /// The text is like this pattern: `%` stands for any run of characters, also for none, `_` for one character, and a backslash
    /// takes the meaning from the character behind it.
    pub fn like(self, pattern: impl Into<String>) -> Predicate {
        self.text(TextTest::new(TextOp::Like, pattern))
    }

    /// The text is this, whatever the case of either.
    pub fn eq_ignore_case(self, text: impl Into<String>) -> Predicate {
        self.text(TextTest::ignoring_case(TextOp::Eq, text))
    }

    /// The text begins with this, whatever the case of either.
    pub fn starts_with_ignore_case(self, prefix: impl Into<String>) -> Predicate {
        self.text(TextTest::ignoring_case(TextOp::StartsWith, prefix))
    }

    /// The text ends with this, whatever the case of either.
    pub fn ends_with_ignore_case(self, suffix: impl Into<String>) -> Predicate {
        self.text(TextTest::ignoring_case(TextOp::EndsWith, suffix))
    }

    /// This stands somewhere in the text, whatever the case of either.
    pub fn contains_str_ignore_case(self, part: impl Into<String>) -> Predicate {
        self.text(TextTest::ignoring_case(TextOp::Contains, part))
    }

    /// The text is like this pattern, whatever the case of either.
    pub fn like_ignore_case(self, pattern: impl Into<String>) -> Predicate {
        self.text(TextTest::ignoring_case(TextOp::Like, pattern))
    }
}
