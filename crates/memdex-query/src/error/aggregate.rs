//! Materialized aggregates that are refused.

use super::QueryError;
use std::error::Error;
use std::fmt;

/// Why an aggregate can't be maintained as it is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AggregateDefError {
    /// Another aggregate has this name.
    Duplicate,
    /// It has no name.
    Unnamed,
    /// More aggregates than [`limits::MAX_AGGREGATES`](crate::limits::MAX_AGGREGATES).
    #[non_exhaustive]
    TooMany {
        /// The most that is allowed.
        limit: usize,
    },
    /// It has neither metrics nor groups.
    Nothing,
    /// A percentile, which can't be updated without reading all values again.
    #[non_exhaustive]
    Percentile {
        /// The name of the metric.
        metric: String,
        /// The field.
        field: String,
    },
    /// Groups or a metric of a field of many values.
    #[non_exhaustive]
    ManyValues {
        /// The name of the metric; `None` for groups.
        metric: Option<String>,
        /// The field.
        field: String,
    },
    /// Groups within groups.
    #[non_exhaustive]
    Levels {
        /// The number of levels.
        levels: usize,
    },
    /// A value may lie in two of its ranges.
    #[non_exhaustive]
    Overlap {
        /// The field.
        field: String,
    },
    /// Its statistics or its condition do not fit the schema.
    #[non_exhaustive]
    Query {
        /// The error of the statistics or the condition.
        source: Box<QueryError>,
    },
}

impl fmt::Display for AggregateDefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AggregateDefError::Duplicate => f.write_str("the name is already taken: choose another"),
            AggregateDefError::Unnamed => f.write_str("it has no name: give it one, so that it can be read"),
            AggregateDefError::TooMany { limit } => {
                write!(f, "the collection has {limit} aggregates, which is the limit: drop one first")
            }
            AggregateDefError::Nothing => f.write_str("it is empty: add a metric or groups"),
            AggregateDefError::Percentile { metric, field } => {
                write!(f, "{metric:?}, a percentile of {field:?}, can't be maintained: query it when you need it")
            }
            AggregateDefError::ManyValues { metric, field } => {
                match metric {
                    Some(metric) => write!(f, "{metric:?} of {field:?}")?,
                    None => write!(f, "groups by {field:?}")?,
                }
                f.write_str(", which has many values, can't be maintained: use a field of single values")
            }
            AggregateDefError::Levels { levels } => write!(
                f,
                "it has {levels} levels of groups, the limit is one: define an aggregate for each level, grouped by all fields \
                 down to that level"
            ),
            AggregateDefError::Overlap { field } => {
                write!(f, "ranges of {field:?} overlap, so a record may be in several groups: make them disjoint")
            }
            AggregateDefError::Query { source } => source.fmt(f),
        }
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
