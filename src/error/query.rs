//! Why a question can't be answered.

use super::StatisticsError;
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
    /// A figure asked of a path of documents that the schema does not declare: nothing is known of its kind.
    #[error("path {field:?} of {collection:?} is not declared, so it has no {purpose}: declare it in the schema")]
    UndeclaredField {
        /// The collection asked.
        collection: String,
        /// The path.
        field: String,
        /// The metric or bucket.
        purpose: String,
    },
    /// Two metrics of the same records have one name.
    #[error("two metrics of {collection:?} are called {metric:?}: name one of them otherwise")]
    DuplicateMetric {
        /// The collection asked.
        collection: String,
        /// The name.
        metric: String,
    },
    /// A metric that there is not, a percentile above 100 say.
    #[error("metric {metric:?} of {collection:?}: {source}")]
    BadMetric {
        /// The collection asked.
        collection: String,
        /// The name of the metric.
        metric: String,
        /// What is wrong with it.
        source: Box<StatisticsError>,
    },
    /// Groups that nothing tells apart: their list of buckets is empty.
    #[error("groups of {collection:?} by nothing: name a bucket")]
    NoBuckets {
        /// The collection asked.
        collection: String,
    },
    /// Buckets that there are not: of a width that is not above zero, of a range that ends before it begins, of a time zone that nobody
    /// knows.
    #[error("groups of {collection:?} by {field:?}: {source}")]
    BadBucket {
        /// The collection asked.
        collection: String,
        /// The field.
        field: String,
        /// What is wrong with them.
        source: Box<StatisticsError>,
    },
    /// Empty buckets asked of groups that are not one histogram.
    #[error("empty groups of {collection:?} are asked for, but only one histogram, of numbers or dates, has them")]
    NotAHistogram {
        /// The collection asked.
        collection: String,
    },
    /// The best groups are asked for, but none of them.
    #[error("the first 0 groups of {collection:?} are asked for: ask for at least one")]
    TopOfNothing {
        /// The collection asked.
        collection: String,
    },
    /// An exact sum that is out of reach of its kind: beyond 128 bits, or 38 digits of a decimal.
    #[error("{metric:?} of {collection:?} is out of reach: ask for the average of {field:?}, or for groups")]
    Overflow {
        /// The collection asked.
        collection: String,
        /// The name of the metric.
        metric: String,
        /// The field.
        field: String,
    },
    /// The groups are to be chosen by a metric that they do not have.
    #[error("groups of {collection:?} have no metric {metric:?} to be chosen by; they have {}", known.join(", "))]
    UnknownMetric {
        /// The collection asked.
        collection: String,
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
    /// There are no standing statistics of this name.
    #[error("collection {collection:?} has no standing statistics {standing:?}; it has {}", known.join(", "))]
    UnknownStanding {
        /// The collection asked.
        collection: String,
        /// The name.
        standing: String,
        /// Those that there are.
        known: Vec<String>,
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
