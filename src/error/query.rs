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
    /// A page of no records, or of more than [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
    #[error(
        "a page of {limit} records of {collection:?}: ask for 1 to {most}, and for what follows by the page's cursor"
    )]
    PageSize {
        /// The collection asked.
        collection: String,
        /// How many were asked for.
        limit: usize,
        /// How many a page may have.
        most: usize,
    },
    /// The cursor was given by another query: with another predicate or order, or of another collection.
    #[error("the cursor belongs to another query than this one of {collection:?}: begin anew without it")]
    ForeignCursor {
        /// The collection asked.
        collection: String,
    },
    /// More of something than one question may have.
    #[error("the question to {collection:?} has {given} {what}, the limit is {limit}")]
    TooMany {
        /// The collection asked.
        collection: String,
        /// Of what: fields to order by, metrics, levels of groups.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
    /// What only fields of single values can be used for.
    #[error("field {field:?} of {collection:?} has many values, so it can't be used for {purpose}")]
    NotSingle {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// What for: an order, a metric.
        purpose: String,
    },
    /// A metric of numbers asked of a field of another kind.
    #[error("field {field:?} of {collection:?} is of kind {kind}, which has no {purpose}")]
    NotNumeric {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// The kind of its values.
        kind: Kind,
        /// The metric or bucket.
        purpose: String,
    },
    /// Two metrics of the same records have one name.
    #[error("two metrics are called {metric:?}: name one of them otherwise")]
    DuplicateMetric {
        /// The name.
        metric: String,
    },
    /// The groups are to be chosen by a metric that they do not have.
    #[error("there is no metric {metric:?} to choose groups by; there are {}", known.join(", "))]
    UnknownMetric {
        /// The name.
        metric: String,
        /// The metrics of the groups.
        known: Vec<String>,
    },
    /// More groups than [`limits::MAX_GROUPS`](crate::limits::MAX_GROUPS).
    #[error("grouping {collection:?} by {} gives more than {limit} groups: filter first, or use wider buckets", fields.join(", "))]
    TooManyGroups {
        /// The collection asked.
        collection: String,
        /// The fields, level by level.
        fields: Vec<String>,
        /// How many there may be.
        limit: usize,
    },
    /// No collection is open under this name.
    #[error("there is no collection {collection:?}; open are {}", known.join(", "))]
    UnknownCollection {
        /// The name.
        collection: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What can be asked of one collection alone.
    #[error("{what} can be asked of one collection, not of {given} together: ask them one by one")]
    OneCollection {
        /// What: a cursor, statistics.
        what: &'static str,
        /// Of how many it was asked.
        given: usize,
    },
}
