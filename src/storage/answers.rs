//! The cache of query results as the engine sees it. The cache itself is in `read`.

use std::any::Any;

/// The cache of a store.
pub(crate) trait AnswerCache: Any + Send + Sync {
    fn stats(&self) -> CacheStats;
}

/// Statistics of the [cache](crate::query::cache) of query results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CacheStats {
    /// Answers in the cache.
    pub entries: usize,
    /// The memory that they use, as the cache estimates it, in bytes.
    pub bytes: usize,
    /// Queries whose answer is being computed for the cache.
    pub computing: usize,
    /// The figures of each class that has been used.
    pub classes: Vec<ClassStats>,
}

/// Figures of a class of cached queries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassStats {
    /// The name of the class.
    pub class: String,
    /// Queries that were answered from the cache.
    pub hits: u64,
    /// Queries that were computed.
    pub misses: u64,
    /// Answers that a commit has brought to its state.
    pub repairs: u64,
    /// Answers that a commit has dropped, since it could not.
    pub drops: u64,
    /// Drops of which it is known whether they were necessary: the question was asked again. A sample.
    pub sampled_drops: u64,
    /// Those of the sample after which the answer was the same.
    pub false_drops: u64,
    /// Answers that were dropped because their lifetime had ended, or that of a record in them.
    pub expirations: u64,
    /// Answers that had to make room for others.
    pub evictions: u64,
}
