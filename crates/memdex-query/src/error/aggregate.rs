//! Materialized aggregates that are refused.

use super::QueryError;
use std::error::Error;

errors! {
    /// Why an aggregate can't be maintained as it is defined.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum AggregateDefError {
        without_fields {
            /// Another aggregate has this name.
            Duplicate => ("the name is already taken: choose another"),
            /// It has no name.
            Unnamed => ("it has no name: give it one, so that it can be read"),
            /// It has neither metrics nor groups.
            Nothing => ("it is empty: add a metric or groups"),
        }
        /// More aggregates than [`limits::MAX_AGGREGATES`](crate::limits::MAX_AGGREGATES).
        TooMany [] {
            /// The most that is allowed.
            limit: usize,
        } => ("the collection has {limit} aggregates, which is the limit: drop one first"),
        /// A percentile, which can't be updated without reading all values again.
        Percentile [metric, field] {} => (
            "{metric:?}, a percentile of {field:?}, can't be maintained: query it when you need it"
        ),
        /// A metric with a filter, a mode or a ratio; groups with a name for missing values.
        NotMaintained [metric] {} => (
            "{metric:?} can't be maintained: query it when you need it, or maintain its parts; a condition of the \
             aggregate is a filter for all its metrics"
        ),
        /// Groups or a metric of a field of many values.
        ManyValues [field] {
            /// The name of the metric; `None` for groups.
            metric: Option<String>,
        } => (
            "{}{field:?}, which has many values, can't be maintained: use a field of single values",
            metric.as_ref().map_or_else(|| "groups by ".to_owned(), |metric| format!("{metric:?} of "))
        ),
        /// Groups within groups.
        Levels [] {
            /// The number of levels.
            levels: usize,
        } => (
            "it has {levels} levels of groups, the limit is one: define an aggregate for each level, grouped by all \
             fields down to that level"
        ),
        /// A value may lie in two of its ranges.
        Overlap [field] {} => ("ranges of {field:?} overlap, so a record may be in several groups: make them disjoint"),
        /// Groups, or the lowest or highest value, of a field with a collation: they show a spelling, and the aggregate
        /// does not maintain which spellings there are.
        Collation [field] {} => (
            "field {field:?} has a collation, and the spellings that its groups, minimum and maximum show can't be \
             maintained: query them when you need them, or add a field of the spelling to be shown"
        ),
        /// Its statistics or its condition do not fit the schema.
        Query [] {
            /// The error of the statistics or the condition.
            source: Box<QueryError>,
        } => ("{source}"),
    }
}

impl Error for AggregateDefError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            AggregateDefError::Query { source } => source.source(),
            _ => None,
        }
    }
}
