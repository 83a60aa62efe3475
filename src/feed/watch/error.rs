//! Why a query can't be watched.

use crate::error::{AggregateDefError, QueryError, Refusal};

/// Why a query can't be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The query is invalid.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// These statistics can't follow changes.
    #[error("these statistics can't follow changes: {0}; watch the records, and compute them from those")]
    Statistics(#[source] AggregateDefError),
    /// More records match than a watch keeps.
    #[error(
        "more than {limit} records of collection {collection:?} match, which is the most that a watch keeps: restrict the filter"
    )]
    #[non_exhaustive]
    TooMany {
        /// The collection.
        collection: String,
        /// The most records.
        limit: usize,
    },
    /// The subscription was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
