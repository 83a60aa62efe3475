//! Tests of strings, as methods of fields.

use super::{Field, Filter, NamedField, Predicate, TextOp, TextTest};
use crate::value::{FieldValue, Text};

macro_rules! text_tests {
    ($($(#[$doc:meta])* $method:ident: $case:ident $op:ident;)*) => {
        /// Tests of strings; see [`TextTest`] for characters and case. A missing value never matches.
        ///
        /// An ordered index answers `starts_with`, and a `like` that is a prefix; with a column, each test runs once
        /// for each distinct value.
        ///
        /// ```
        /// use memdex::{Record, Store};
        ///
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
        impl<R, T> Field<R, T> {
            $($(#[$doc])*
            pub fn $method(&self, text: impl Into<String>) -> Filter<R>
            where
                T: FieldValue<Base: Text>,
            {
                Filter::new(Predicate::Text(self.name(), TextTest::$case(TextOp::$op, text)))
            })*
        }

        /// Tests of strings; see [`TextTest`] for characters and case. For a field of many values or an undeclared path of
        /// documents, one of the strings must match.
        impl NamedField {
            $($(#[$doc])*
            pub fn $method(self, text: impl Into<String>) -> Predicate {
                Predicate::Text(self.name, TextTest::$case(TextOp::$op, text))
            })*
        }
    };
}

text_tests! {
    /// The string begins with this.
    starts_with: new StartsWith;
    /// The string ends with this.
    ends_with: new EndsWith;
    /// The string contains this. (`contains` is for fields of many values.)
    contains_str: new Contains;
    /// The string matches this pattern: `%` matches any run of characters, also an empty one, `_` matches one
    /// character, and a backslash makes the next character literal.
    like: new Like;
    /// The string equals this, ignoring case.
    eq_ignore_case: ignoring_case Eq;
    /// The string begins with this, ignoring case.
    starts_with_ignore_case: ignoring_case StartsWith;
    /// The string ends with this, ignoring case.
    ends_with_ignore_case: ignoring_case EndsWith;
    /// The string contains this, ignoring case.
    contains_str_ignore_case: ignoring_case Contains;
    /// The string matches this pattern, ignoring case; see [`like`](Self::like).
    like_ignore_case: ignoring_case Like;
}
