//! What is wrong with standing statistics.

use super::{Cause, QueryError, SchemaError};
use crate::value::Key;

/// Why statistics can't be kept up as they are declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotStanding {
    /// Others have this name.
    #[error("there are others of that name: give one another name")]
    Duplicate,
    /// They have no name.
    #[error("they have no name, and nobody could ask for them")]
    Unnamed,
    /// More than [`limits::MAX_STANDING`](crate::limits::MAX_STANDING).
    #[error("there are {limit} already, which is the limit: drop one first")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// They ask for nothing: neither metrics nor groups.
    #[error("they ask for nothing: name a metric, or what to group by")]
    Nothing,
    /// A percentile, which would have to look at all values again.
    #[error("{metric:?}, a percentile of {field:?}, can't be kept up: ask for it when it is needed")]
    Percentile {
        /// The name of the metric.
        metric: String,
        /// The field.
        field: String,
    },
    /// Groups or a metric of a field of many values.
    #[error(
        "{what} {field:?}, which has many values, can't be kept up: take a field of single ones",
        what = metric.as_ref().map_or_else(|| "groups by".to_owned(), |metric| format!("{metric:?} of"))
    )]
    ManyValues {
        /// The name of the metric; `None` for groups.
        metric: Option<String>,
        /// The field.
        field: String,
    },
    /// Groups within groups.
    #[error(
        "they have {levels} levels of groups: declare each level as standing statistics of its own, by all fields of it"
    )]
    Levels {
        /// How many levels there are.
        levels: usize,
    },
    /// Ranges that a value may lie in two of.
    #[error("ranges of {field:?} overlap, so a record may be in several groups: part them")]
    Overlap {
        /// The field.
        field: String,
    },
    /// The question makes no sense, or the condition.
    #[error("{source}")]
    Question {
        /// What is wrong with it.
        source: Box<QueryError>,
    },
}

/// Why standing statistics could not be added or dropped. The collection is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandingError {
    /// They can't be declared so.
    #[error("collection {collection:?}: {source}")]
    Schema {
        /// The collection.
        collection: String,
        /// What is wrong with the declaration.
        source: SchemaError,
    },
    /// None have this name.
    #[error("collection {collection:?} has no standing statistics {standing:?}; it has {}", known.join(", "))]
    Unknown {
        /// The collection.
        collection: String,
        /// The name asked for.
        standing: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A record can't be in them: a value is too long, of another kind than its field, or an extractor panics.
    #[error("collection {collection:?} can't have standing statistics {standing:?}: {key}: {cause}")]
    Record {
        /// The collection.
        collection: String,
        /// Their name.
        standing: String,
        /// The record's key.
        key: Key,
        /// Why.
        cause: Box<Cause>,
    },
    /// Writes are refused here, or altogether.
    #[error("standing statistics {standing:?} of collection {collection:?}: {cause}")]
    Refused {
        /// The collection.
        collection: String,
        /// Their name.
        standing: String,
        /// Why.
        cause: Box<Cause>,
    },
}
