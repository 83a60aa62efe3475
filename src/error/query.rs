//! Why a question can't be answered.

use crate::value::{Kind, Value};

/// A question that can't be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The schema has no such field.
    #[error("collection {collection:?} has no field {field:?}; it has {}", known.join(", "))]
    UnknownField {
        /// The collection asked.
        collection: String,
        /// The name asked for.
        field: String,
        /// The fields that there are.
        known: Vec<String>,
    },
    /// A field is compared with a value that it can never hold.
    #[error("field {field:?} of {collection:?} is of kind {expected} and can't be compared with {given}")]
    WrongKind {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// The kind of its values.
        expected: Kind,
        /// What it is compared with.
        given: Value,
    },
    /// A comparison with a missing value, which nothing is equal to.
    #[error("field {field:?} of {collection:?} can't be compared with null: ask with is_null")]
    NullOperand {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
    },
    /// The test is not one for this field: `contains`, `any` and `all` are for fields of many values, all others for single ones.
    #[error(
        "field {field:?} of {collection:?} has {}, so {test} has no meaning: {}",
        if *many { "many values" } else { "a single value" },
        if *many { "ask with contains, any or all" } else { "ask with eq, ne, is_in or a range" }
    )]
    WrongTest {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// The test.
        test: &'static str,
        /// Whether the field has many values.
        many: bool,
    },
    /// More values in one `is_in`, `any` or `all` than [`limits::MAX_LISTED_VALUES`](crate::limits::MAX_LISTED_VALUES).
    #[error("field {field:?} of {collection:?} is compared with {values} values, the limit is {limit}: ask in parts")]
    TooManyValues {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// How many values there are.
        values: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The pattern of a text test is longer than [`limits::MAX_PATTERN_BYTES`](crate::limits::MAX_PATTERN_BYTES).
    #[error("the pattern for field {field:?} of {collection:?} takes {bytes} bytes, the limit is {limit}: shorten it")]
    PatternTooLong {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// What it takes.
        bytes: usize,
        /// What it may take.
        limit: usize,
    },
    /// The pattern of a `like` ends in a backslash that stands before nothing.
    #[error(
        "the pattern {pattern:?} for field {field:?} of {collection:?} ends in a lone backslash: write two for one that is meant"
    )]
    BadPattern {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// The pattern.
        pattern: String,
    },
    /// A look-up by a field that has no unique index of its own.
    #[error("field {field:?} of {collection:?} has no unique index: use find, or add one")]
    NoUniqueIndex {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
    },
    /// The predicate is nested deeper than [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH).
    #[error("the predicate is nested deeper than {limit} levels: flatten it")]
    TooDeep {
        /// How deep it may be.
        limit: usize,
    },
    /// The collection and the snapshot belong to different stores.
    #[error("collection {collection:?} belongs to another store than the snapshot")]
    OtherStore {
        /// The collection asked.
        collection: String,
    },
}
