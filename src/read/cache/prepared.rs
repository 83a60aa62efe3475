//! Prepared queries.

use super::answer::Answer;
use super::collection::CachedCollection;
use super::lease::Lease;
use super::wanted::Wanted;
use crate::error::QueryError;
use crate::record::Record;
use crate::sync::Arc;
use memdex_query::query::Query;
use std::fmt;

/// A query that knows its place in the [cache](crate::query::cache), from [`CachedFind::prepare`](crate::query::cache::CachedFind::prepare). As long as it lives,
/// commits keep its answer exact, also if the cache has no room for it.
pub struct Prepared<R: Record, T> {
    of: CachedCollection<R>,
    query: Query,
    /// `None` if the settings cache nothing.
    lease: Option<Arc<Lease>>,
    answer: Run<R, T>,
}

type Run<R, T> = fn(&Prepared<R, T>) -> Result<Answer<T>, QueryError>;

impl<R: Record, T> Prepared<R, T> {
    pub(super) fn new<W: Wanted<R, Answer = T>>(of: &CachedCollection<R>, query: Query) -> Result<Self, QueryError> {
        let answer: Run<R, T> = |prepared| match &prepared.lease {
            Some(lease) => {
                prepared.of.tell(&prepared.query)?;
                prepared.of.answer_of::<W>(lease, &prepared.query)
            }
            None => prepared.of.answer::<W>(&prepared.query, None),
        };
        let lease = of.lease::<W>(&query)?;
        Ok(Prepared { of: of.clone(), query, lease, answer })
    }

    /// The answer.
    ///
    /// # Errors
    /// As the query that was prepared.
    #[inline]
    pub fn fetch(&self) -> Result<Answer<T>, QueryError> {
        (self.answer)(self)
    }
}

impl<R: Record, T> fmt::Debug for Prepared<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("query", &self.query).finish_non_exhaustive()
    }
}
