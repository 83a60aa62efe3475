//! Queries that can't be answered.

use super::suggest::ItHas;
use super::{Failure, StatisticsError};
use crate::value::{Collation, Kind, Value};
use std::error::Error;

errors! {
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
    /// let message = r#"collection "User" has no field "nmae"; it has id, name; did you mean `name`?"#;
    /// assert_eq!(error.to_string(), message);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum QueryError {
        /// The schema has no such field.
        UnknownField [collection, field] {
            /// The fields that exist.
            known: Vec<String>,
        } pub(crate) fn unknown_field => (
            "collection {collection:?} has no field {field:?}; {}", ItHas { name: field, known }
        ),
        /// A field is compared with a value of another kind.
        WrongKind [collection, field] {
            /// The kind of its values.
            expected: Kind,
            /// The value.
            given: Value,
        } pub(crate) fn wrong_kind => (
            "field {field:?} of {collection:?} is of kind {expected} and can't be compared with {given:?}: use a value \
             of kind {expected}"
        ),
        /// A comparison with null, which no value is equal to.
        NullOperand [collection, field] {} pub(crate) fn null_operand => (
            "field {field:?} of {collection:?} can't be compared with null: use is_null"
        ),
        /// `contains`, `any` or `all` of a field with a single value.
        WrongTest [collection, field] {
            /// The method.
            test: &'static str,
            /// The kind of the field's values.
            kind: Kind,
        } pub(crate) fn wrong_test => (
            "field {field:?} of {collection:?} has a single value, but {test} needs a field of many values: did you mean \
             `{}`?",
            of_single(test, *kind)
        ),
        /// A condition on a field of another collection, reached through a reference, where only own fields can be followed.
        ThroughReference [collection, field] {} pub(crate) fn through_reference => (
            "field {field:?} of {collection:?} leads through a reference, which only finds and queries at a snapshot follow: query \
             the keys of the other collection first, and use is_in"
        ),
        /// `elem_match` of records that are not documents.
        NoElements [collection, field] {} pub(crate) fn no_elements => (
            "elem_match of {field:?} needs documents, and {collection:?} has records of another type: test each field below \
             {field:?} separately"
        ),
        /// A test of bytes in an `elem_match`: documents hold them as text.
        BytesInElement [collection, field] {} pub(crate) fn bytes_in_element => (
            "elem_match can't compare field {field:?} of {collection:?}, whose values are bytes: test it outside of elem_match"
        ),
        /// More values in one `is_in`, `any` or `all` than
        /// [`limits::MAX_LISTED_VALUES`](crate::limits::MAX_LISTED_VALUES).
        TooManyValues [collection, field] {
            /// The number of values.
            values: usize,
            /// The most that is allowed.
            limit: usize,
        } pub fn too_many_values => (
            "field {field:?} of {collection:?} is compared with {values} values, the limit is {limit}: use several \
             queries"
        ),
        /// The pattern of a text test is longer than [`limits::MAX_PATTERN_BYTES`](crate::limits::MAX_PATTERN_BYTES).
        PatternTooLong [collection, field] {
            /// The length of the pattern.
            bytes: usize,
            /// The longest that is allowed.
            limit: usize,
        } pub(crate) fn pattern_too_long => (
            "the pattern for field {field:?} of {collection:?} takes {bytes} bytes, the limit is {limit}: shorten it"
        ),
        /// The pattern of a `like` ends in a backslash that escapes nothing.
        BadPattern [collection, field, pattern] {} pub fn bad_pattern => (
            "the pattern {pattern:?} for field {field:?} of {collection:?} ends in a backslash that escapes nothing: \
             write two backslashes to match one"
        ),
        /// A lookup by a field that has no unique index.
        NoUniqueIndex [collection, field] {} pub fn no_unique_index => (
            "field {field:?} of {collection:?} has no unique index: use find, or add one"
        ),
        /// The predicate is nested deeper than [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH).
        TooDeep [] {
            /// The deepest that is allowed.
            limit: usize,
        } pub fn too_deep => ("the predicate is nested deeper than {limit} levels: flatten it"),
        /// The collection and the snapshot belong to different stores.
        OtherStore [collection] {} pub fn other_store => (
            "collection {collection:?} and the snapshot belong to different stores: take the snapshot from the \
             collection's store"
        ),
        /// A page of no records, or of more than [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
        PageSize [collection] {
            /// The size of the page.
            limit: usize,
            /// The largest that is allowed.
            most: usize,
        } => (
            "a page of {limit} records of {collection:?}: the size must be 1 to {most}; read more records with the \
             page's cursor"
        ),
        /// No record of each group, or more than [`limits::MAX_GROUP_HITS`](crate::limits::MAX_GROUP_HITS).
        GroupHits [collection] {
            /// The number of records.
            records: usize,
            /// The largest that is allowed.
            most: usize,
        } pub fn group_hits => (
            "{records} hits for each group of {collection:?}: ask for 1 to {most}, or query one group separately"
        ),
        /// Page 0: pages are numbered from 1.
        PageZero [collection] {} => ("page 0 of {collection:?} does not exist: pages are numbered from 1"),
        /// A page number together with an offset or a cursor.
        PageWithPosition [collection] {
            /// The page number.
            page: usize,
        } => ("page {page} of {collection:?} can't be combined with an offset or a cursor: use one of them"),
        /// Several of `after`, `before` and `around`, or an offset with `around`.
        SeveralPositions [collection] {} => (
            "a page of {collection:?} has several positions: use one of after, before and around, and no offset with around"
        ),
        /// The page around a record that the query does not select.
        NotSelected [collection] {
            /// The key.
            key: String,
        } pub fn not_selected => (
            "no page of {collection:?} is around the key {key}: no record has it, or the filter does not select it"
        ),
        /// The page around a record, of several collections.
        AroundInSeveral [collection] {} pub fn around_in_several => (
            "a page of {collection:?} together can't be around a key, which is one of a single collection: use a cursor"
        ),
        /// A write by a query that has more than a filter, an order, a limit and fields to return.
        WriteWithPart [collection] {
            /// What it has.
            part: &'static str,
        } pub fn write_with_part => (
            "a write to {collection:?} by a query can't have {part}: give it a filter, an order and a limit only"
        ),
        /// `one` found no record, or several.
        NotOne [collection] {
            /// Whether there are several; otherwise there is none.
            several: bool,
        } pub fn not_one => ("{}", expected_one(collection, *several)),
        /// Statistics of several collections in which a field has different kinds.
        DifferentKinds [field] {
            /// A collection, and the kind of its field.
            first: (String, Kind),
            /// Another collection, and the kind of its field.
            other: (String, Kind),
        } pub fn different_kinds => (
            "field {field:?} is of kind {} in {:?} and of kind {} in {:?}: query these collections one by one",
            first.1, first.0, other.1, other.0
        ),
        /// Statistics of several collections in which a field is compared in different ways.
        DifferentCollations [collection, field] {
            /// The collation of the field in the collection.
            collation: Collation,
            /// A collection in which the field has another collation or none.
            other: String,
        } pub fn different_collations => (
            "field {field:?} has the collation {collation} in {collection:?}, but not in {other:?}: query these \
             collections one by one, or give the field the same collation in both"
        ),
        /// The cursor was made by a query with another predicate, order or collection.
        ForeignCursor [collection] {} pub fn foreign_cursor => (
            "the cursor was made by a query other than this one of {collection:?}: restart without it"
        ),
        /// More of something than one query may have.
        TooMany [collection] {
            /// The things that are too many: fields to order by, metrics, levels of groups.
            what: &'static str,
            /// Their number.
            given: usize,
            /// The most that is allowed.
            limit: usize,
        } pub fn too_many => (
            "the query of {collection:?} has {given} {what}, the limit is {limit}: use several queries"
        ),
        /// A field of many values, where a single value is needed.
        NotSingle [collection, field] {
            /// The use: an order.
            purpose: String,
        } pub fn not_single => (
            "field {field:?} of {collection:?} has many values, so it can't be used for {purpose}: use a field of \
             single values"
        ),
        /// A metric or bucket of numbers or times on a field of another kind.
        NotNumeric [collection, field] {
            /// The kind of its values.
            kind: Kind,
            /// The metric or bucket.
            purpose: String,
        } pub fn not_numeric => ("field {field:?} of {collection:?} is of kind {kind}, which has no {purpose}"),
        /// A path of documents that the schema does not declare, in a materialized aggregate; or in statistics of several
        /// collections, of which another one declares it.
        UndeclaredField [collection, field] {
            /// The use.
            purpose: String,
        } pub fn undeclared_field => (
            "path {field:?} of {collection:?} is not declared, so it can't be used for {purpose}: declare it in the schema"
        ),
        /// Two metrics of the same records have the same name.
        DuplicateMetric [collection, metric] {} pub fn duplicate_metric => (
            "two metrics of {collection:?} are called {metric:?}: rename one with `named`"
        ),
        /// A metric that is not valid, for example a percentile above 100.
        BadMetric [collection, metric] {
            /// The error of the metric.
            source: Box<StatisticsError>,
        } pub(crate) fn bad_metric => ("metric {metric:?} of {collection:?}: {source}"),
        /// Groups with an empty list of buckets.
        NoBuckets [collection] {} pub(crate) fn no_buckets => ("groups of {collection:?} have no bucket: add one"),
        /// Buckets that are not valid: a width that is not above zero, an empty range, an unknown time zone.
        BadBucket [collection, field] {
            /// The error of the buckets.
            source: Box<StatisticsError>,
        } pub fn bad_bucket => ("groups of {collection:?} by {field:?}: {source}"),
        /// Empty groups of something other than one histogram.
        NotAHistogram [collection] {} pub(crate) fn not_a_histogram => (
            "groups of {collection:?} can't include empty ones: only a single histogram, of numbers or dates, can"
        ),
        /// The top 0 groups.
        TopOfNothing [collection] {} pub(crate) fn top_of_nothing => (
            "the top 0 groups of {collection:?}: use at least 1"
        ),
        /// An exact sum that does not fit its kind: 128 bits, or 38 digits of a decimal.
        Overflow [collection, metric, field] {} pub fn overflow => (
            "{metric:?} of {collection:?} overflows its kind: use the average of {field:?}, or group first"
        ),
        /// The top groups, a condition on groups or a ratio refers to a metric that the level does not have.
        UnknownMetric [collection, metric] {
            /// The metrics of the groups.
            known: Vec<String>,
        } pub fn unknown_metric => (
            "there is no metric {metric:?} at this level of statistics of {collection:?}; {}",
            ItHas { name: metric, known }
        ),
        /// More groups than [`limits::MAX_GROUPS`](crate::limits::MAX_GROUPS).
        TooManyGroups [collection] {
            /// The fields, level by level.
            fields: Vec<String>,
            /// The most that is allowed.
            limit: usize,
        } pub fn too_many_groups => (
            "grouping {collection:?} by {} makes more than {limit} groups: filter first, or use wider buckets",
            fields.join(", ")
        ),
        /// The collection has no materialized aggregate of this name.
        UnknownAggregate [collection, aggregate] {
            /// The aggregates that exist.
            known: Vec<String>,
        } pub fn unknown_aggregate => (
            "collection {collection:?} has no materialized aggregate {aggregate:?}; {}",
            ItHas { name: aggregate, known }
        ),
        /// No collection of this name is open.
        UnknownCollection [collection] {
            /// The collections that are open.
            known: Vec<String>,
        } pub fn unknown_collection => (
            "no collection {collection:?} is open in the store; {}", ItHas { name: collection, known }
        ),
        /// A fault plan has failed the read.
        Injected [collection, rule] {
            /// The failure that it imitates.
            failure: Failure,
        } pub fn injected => (
            "read of {collection:?} failed, injected by rule {rule:?} of the fault plan: {failure}; handle it as the \
             failure that it imitates, or change the plan"
        ),
        /// No index answers the query, and the store refuses full scans.
        FullScan [collection] {
            /// How the query would be executed, a line a step.
            plan: Box<str>,
            /// The indexes that would help.
            advice: Box<[String]>,
        } pub fn full_scan => (
            "query of {collection:?} refused: no index answers it, and the store refuses full scans; add an index, or \
             allow scans of this collection{}\n{plan}",
            advised(advice)
        ),
        /// The query has looked at more records than the store allows.
        TooManyExamined [collection] {
            /// How the query was executed, a line a step.
            plan: Box<str>,
            /// The number of records, index entries and column cells that it has looked at.
            examined: usize,
            /// The most that is allowed.
            limit: usize,
            /// The indexes that would help.
            advice: Box<[String]>,
        } pub fn too_many_examined => (
            "query of {collection:?} refused: it looked at {examined} records, the store allows {limit}; add an index, \
             narrow the filter, or raise the limit{}\n{plan}",
            advised(advice)
        ),
        /// The query has no limit, and selects more records than the store allows without one.
        Unbounded [collection] {
            /// The number of records that it selects.
            records: usize,
            /// The most that is allowed.
            limit: usize,
        } pub fn unbounded => (
            "query of {collection:?} refused: it has no limit and selects {records} records, the store allows {limit} \
             without one; set a limit and continue with the page's cursor"
        ),
        /// The page ends behind the last place that the store allows.
        BeyondWindow [collection] {
            /// The offset and the limit together.
            window: usize,
            /// The most that is allowed.
            limit: usize,
        } pub fn beyond_window => (
            "query of {collection:?} refused: its offset and limit reach to record {window}, the result window ends at \
             {limit}; continue with the page's cursor instead of an offset"
        ),
    }
}

impl QueryError {
    /// Whether a fault plan has injected it.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        matches!(self, QueryError::Injected { .. })
    }
}

fn advised(advice: &[String]) -> String {
    advice.iter().map(|advice| format!("; {advice}")).collect()
}

impl Error for QueryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            QueryError::BadMetric { source, .. } | QueryError::BadBucket { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

fn expected_one(collection: &str, several: bool) -> String {
    if several {
        format!(
            "several records of {collection:?} match, but one() needs exactly one: narrow the filter, or use first()"
        )
    } else {
        format!("no record of {collection:?} matches, but one() needs exactly one: use first() if there may be none")
    }
}

/// The test of a single value that is closest to a test of many.
fn of_single(test: &str, kind: Kind) -> &'static str {
    match test {
        "contains" if kind == Kind::Str => "contains_str",
        "any" => "is_in",
        _ => "eq",
    }
}
