//! Queries that can't be answered.

use super::StatisticsError;
use super::suggest::ItHas;
use crate::value::{Kind, Value};
use std::error::Error;
use std::fmt;

/// Why a query can't be answered. Each message names the collection and the field, and what to do instead.
///
/// ```
/// use memdex::{Record, Store, field};
/// use memdex::error::QueryError;
///
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, #[record(field)] name: String }
///
/// let users = Store::new().collection::<User>("User")?;
/// let error = users.find(field("nmae").eq("Ada")).count().unwrap_err();
/// assert!(matches!(&error, QueryError::UnknownField { field, .. } if field == "nmae"));
/// assert_eq!(error.to_string(), r#"collection "User" has no field "nmae"; it has id, name; did you mean `name`?"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// The schema has no such field.
    UnknownField {
        /// The collection.
        collection: String,
        /// The name of the field.
        field: String,
        /// The fields that exist.
        known: Vec<String>,
    },
    /// A field is compared with a value of another kind.
    WrongKind {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The kind of its values.
        expected: Kind,
        /// The value.
        given: Value,
    },
    /// A comparison with null, which no value is equal to.
    NullOperand {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
    },
    /// The method does not fit the field: `contains`, `any` and `all` need a field of many values, all others a single value.
    WrongTest {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The method.
        test: &'static str,
        /// The kind of the field's values.
        kind: Kind,
        /// Whether the field has many values.
        many: bool,
    },
    /// More values in one `is_in`, `any` or `all` than [`limits::MAX_LISTED_VALUES`](crate::limits::MAX_LISTED_VALUES).
    TooManyValues {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The number of values.
        values: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The pattern of a text test is longer than [`limits::MAX_PATTERN_BYTES`](crate::limits::MAX_PATTERN_BYTES).
    PatternTooLong {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The length of the pattern.
        bytes: usize,
        /// The longest that is allowed.
        limit: usize,
    },
    /// The pattern of a `like` ends in a backslash that escapes nothing.
    BadPattern {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The pattern.
        pattern: String,
    },
    /// A lookup by a field that has no unique index.
    NoUniqueIndex {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
    },
    /// The predicate is nested deeper than [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH).
    TooDeep {
        /// The deepest that is allowed.
        limit: usize,
    },
    /// The collection and the snapshot belong to different stores.
    OtherStore {
        /// The collection.
        collection: String,
    },
    /// A page of no records, or of more than [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
    PageSize {
        /// The collection.
        collection: String,
        /// The size of the page.
        limit: usize,
        /// The largest that is allowed.
        most: usize,
    },
    /// Page 0: pages are numbered from 1.
    PageZero {
        /// The collection.
        collection: String,
    },
    /// A page number together with an offset or a cursor.
    PageWithPosition {
        /// The collection.
        collection: String,
        /// The page number.
        page: usize,
    },
    /// `one` found no record, or several.
    NotOne {
        /// The collection.
        collection: String,
        /// Whether there are several; otherwise there is none.
        several: bool,
    },
    /// Statistics of several collections in which a field has different kinds.
    DifferentKinds {
        /// The field.
        field: String,
        /// A collection, and the kind of its field.
        first: (String, Kind),
        /// Another collection, and the kind of its field.
        other: (String, Kind),
    },
    /// The cursor was made by a query with another predicate, order or collection.
    ForeignCursor {
        /// The collection.
        collection: String,
    },
    /// More of something than one query may have.
    TooMany {
        /// The collection.
        collection: String,
        /// What there is too much of: fields to order by, metrics, levels of groups.
        what: &'static str,
        /// Their number.
        given: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A field of many values, where a single value is needed.
    NotSingle {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The use: an order, a metric.
        purpose: String,
    },
    /// A metric or bucket of numbers or times on a field of another kind.
    NotNumeric {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The kind of its values.
        kind: Kind,
        /// The metric or bucket.
        purpose: String,
    },
    /// A metric or bucket on a path of documents that the schema does not declare, so that its kind is unknown.
    UndeclaredField {
        /// The collection.
        collection: String,
        /// The path.
        field: String,
        /// The metric or bucket.
        purpose: String,
    },
    /// Two metrics of the same records have the same name.
    DuplicateMetric {
        /// The collection.
        collection: String,
        /// The name.
        metric: String,
    },
    /// A metric that is not valid, for example a percentile above 100.
    BadMetric {
        /// The collection.
        collection: String,
        /// The name of the metric.
        metric: String,
        /// The error of the metric.
        source: Box<StatisticsError>,
    },
    /// Groups with an empty list of buckets.
    NoBuckets {
        /// The collection.
        collection: String,
    },
    /// Buckets that are not valid: a width that is not above zero, an empty range, an unknown time zone.
    BadBucket {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The error of the buckets.
        source: Box<StatisticsError>,
    },
    /// Empty groups of something other than one histogram.
    NotAHistogram {
        /// The collection.
        collection: String,
    },
    /// The top 0 groups.
    TopOfNothing {
        /// The collection.
        collection: String,
    },
    /// An exact sum that does not fit its kind: 128 bits, or 38 digits of a decimal.
    Overflow {
        /// The collection.
        collection: String,
        /// The name of the metric.
        metric: String,
        /// The field.
        field: String,
    },
    /// The top groups by a metric that the groups do not have.
    UnknownMetric {
        /// The collection.
        collection: String,
        /// The name.
        metric: String,
        /// The metrics of the groups.
        known: Vec<String>,
    },
    /// More groups than [`limits::MAX_GROUPS`](crate::limits::MAX_GROUPS).
    TooManyGroups {
        /// The collection.
        collection: String,
        /// The fields, level by level.
        fields: Vec<String>,
        /// The most that is allowed.
        limit: usize,
    },
    /// The collection has no materialized aggregate of this name.
    UnknownAggregate {
        /// The collection.
        collection: String,
        /// The name.
        aggregate: String,
        /// The aggregates that exist.
        known: Vec<String>,
    },
    /// No collection of this name is open.
    UnknownCollection {
        /// The name.
        collection: String,
        /// The collections that are open.
        known: Vec<String>,
    },
    /// A query of several collections that only one can answer.
    OneCollection {
        /// The part of the query: a cursor, statistics.
        what: &'static str,
        /// The number of collections.
        given: usize,
    },
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use QueryError as E;
        match self {
            E::UnknownField { collection, field, known } => {
                write!(f, "collection {collection:?} has no field {field:?}; {}", ItHas { name: field, known })
            }
            E::WrongKind { collection, field, expected, given } => write!(
                f,
                "field {field:?} of {collection:?} is of kind {expected} and can't be compared with {given:?}: use a value of \
                 kind {expected}"
            ),
            E::NullOperand { collection, field } => {
                write!(f, "field {field:?} of {collection:?} can't be compared with null: use is_null")
            }
            E::WrongTest { collection, field, test, kind, many: true } => write!(
                f,
                "field {field:?} of {collection:?} has many values, but {test} needs a single value{}",
                for_many(test, *kind)
            ),
            E::WrongTest { collection, field, test, kind, many: false } => write!(
                f,
                "field {field:?} of {collection:?} has a single value, but {test} needs a field of many values: did you mean `{}`?",
                for_single(test, *kind)
            ),
            E::TooManyValues { collection, field, values, limit } => write!(
                f,
                "field {field:?} of {collection:?} is compared with {values} values, the limit is {limit}: use several queries"
            ),
            E::PatternTooLong { collection, field, bytes, limit } => write!(
                f,
                "the pattern for field {field:?} of {collection:?} takes {bytes} bytes, the limit is {limit}: shorten it"
            ),
            E::BadPattern { collection, field, pattern } => write!(
                f,
                "the pattern {pattern:?} for field {field:?} of {collection:?} ends in a backslash that escapes nothing: write \
                 two backslashes to match one"
            ),
            E::NoUniqueIndex { collection, field } => {
                write!(f, "field {field:?} of {collection:?} has no unique index: use find, or add one")
            }
            E::TooDeep { limit } => write!(f, "the predicate is nested deeper than {limit} levels: flatten it"),
            E::OtherStore { collection } => write!(
                f,
                "collection {collection:?} and the snapshot belong to different stores: take the snapshot from the \
                 collection's store"
            ),
            E::PageSize { collection, limit, most } => write!(
                f,
                "a page of {limit} records of {collection:?}: the size must be 1 to {most}; read more records with the page's \
                 cursor"
            ),
            E::PageZero { collection } => {
                write!(f, "page 0 of {collection:?} does not exist: pages are numbered from 1")
            }
            E::PageWithPosition { collection, page } => {
                write!(f, "page {page} of {collection:?} can't be combined with an offset or a cursor: use one of them")
            }
            E::NotOne { collection, several: true } => {
                write!(
                    f,
                    "several records of {collection:?} match, but one() needs exactly one: narrow the filter, or use first()"
                )
            }
            E::NotOne { collection, several: false } => {
                write!(
                    f,
                    "no record of {collection:?} matches, but one() needs exactly one: use first() if there may be none"
                )
            }
            E::DifferentKinds { field, first: (a, kind), other: (b, other) } => write!(
                f,
                "field {field:?} is of kind {kind} in {a:?} and of kind {other} in {b:?}: query these collections one by one"
            ),
            E::ForeignCursor { collection } => {
                write!(f, "the cursor was made by a query other than this one of {collection:?}: restart without it")
            }
            E::TooMany { collection, what, given, limit } => {
                write!(f, "the query of {collection:?} has {given} {what}, the limit is {limit}: use several queries")
            }
            E::NotSingle { collection, field, purpose } => write!(
                f,
                "field {field:?} of {collection:?} has many values, so it can't be used for {purpose}: use a field of single \
                 values"
            ),
            E::NotNumeric { collection, field, kind, purpose } => {
                write!(f, "field {field:?} of {collection:?} is of kind {kind}, which has no {purpose}")
            }
            E::UndeclaredField { collection, field, purpose } => write!(
                f,
                "path {field:?} of {collection:?} is not declared, so it has no {purpose}: declare it in the schema"
            ),
            E::DuplicateMetric { collection, metric } => {
                write!(f, "two metrics of {collection:?} are called {metric:?}: rename one with `named`")
            }
            E::BadMetric { collection, metric, source } => write!(f, "metric {metric:?} of {collection:?}: {source}"),
            E::NoBuckets { collection } => write!(f, "groups of {collection:?} have no bucket: add one"),
            E::BadBucket { collection, field, source } => {
                write!(f, "groups of {collection:?} by {field:?}: {source}")
            }
            E::NotAHistogram { collection } => write!(
                f,
                "groups of {collection:?} can't include empty ones: only a single histogram, of numbers or dates, can"
            ),
            E::TopOfNothing { collection } => {
                write!(f, "the top 0 groups of {collection:?}: use at least 1")
            }
            E::Overflow { collection, metric, field } => write!(
                f,
                "{metric:?} of {collection:?} overflows its kind: use the average of {field:?}, or group first"
            ),
            E::UnknownMetric { collection, metric, known } => write!(
                f,
                "groups of {collection:?} have no metric {metric:?} to choose the top ones by; {}",
                ItHas { name: metric, known }
            ),
            E::TooManyGroups { collection, fields, limit } => write!(
                f,
                "grouping {collection:?} by {} makes more than {limit} groups: filter first, or use wider buckets",
                fields.join(", ")
            ),
            E::UnknownAggregate { collection, aggregate, known } => write!(
                f,
                "collection {collection:?} has no materialized aggregate {aggregate:?}; {}",
                ItHas { name: aggregate, known }
            ),
            E::UnknownCollection { collection, known } => {
                write!(f, "no collection {collection:?} is open in the store; {}", ItHas { name: collection, known })
            }
            E::OneCollection { what, given } => {
                write!(f, "{what} works on one collection, not on {given} together: query them one by one")
            }
        }
    }
}

impl Error for QueryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            QueryError::BadMetric { source, .. } | QueryError::BadBucket { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

/// The method for a single value that does what `test` does for many.
fn for_single(test: &str, kind: Kind) -> &'static str {
    match test {
        "contains" if kind == Kind::Str => "contains_str",
        "any" => "is_in",
        _ => "eq",
    }
}

/// The methods for many values that come closest to `test`.
fn for_many(test: &str, kind: Kind) -> &'static str {
    match test {
        "eq" => ": did you mean `contains`?",
        "ne" => ": did you mean `!contains`?",
        "is_in" => ": did you mean `any`?",
        _ if kind == Kind::Str => ": use contains, any or all, which compare whole strings",
        _ => ": use contains, any or all",
    }
}
