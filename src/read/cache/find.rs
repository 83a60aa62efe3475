//! A query through the cache.

use super::super::builder::paging_methods;
use super::super::page::Page;
use super::super::statistics::AggregationResult;
use super::answer::Answer;
use super::collection::CachedCollection;
use super::prepared::Prepared;
use super::wanted::{Count, Metrics, Records};
use crate::error::QueryError;
use crate::record::Record;
use crate::storage::Handle;
use crate::sync::Arc;
use memdex_query::query::{Filter, Query, Statistics};
use memdex_query::value::IntoKey;
use std::fmt;

/// A query through the cache, from [`CachedCollection::find`].
#[must_use = "a query does nothing until you call `fetch` or another method that executes it"]
pub struct CachedFind<R: Record> {
    of: CachedCollection<R>,
    query: Query,
    name: Option<Arc<str>>,
}

impl<R: Record> CachedCollection<R> {
    /// Selects the records that match a filter. Takes no snapshot.
    #[inline]
    pub fn find(&self, filter: impl Into<Filter<R>>) -> CachedFind<R> {
        CachedFind { of: self.clone(), query: Query::selecting(filter.into().into_predicate()), name: None }
    }
}

impl<R: Record> CachedFind<R> {
    paging_methods!();

    /// The record of this key, with those around it; see [`Find::around`](crate::query::Find::around).
    pub fn around<Q: IntoKey<R::Key>>(mut self, key: Q) -> Self {
        self.query = self.query.around(self.of.key(&key));
        self
    }

    /// Gives the query a name, by which its answer can be [invalidated](crate::query::cache::Cache::invalidate), and which finds it somewhat faster. If
    /// another query of the collection has had the name, it loses its answer.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        CachedFind { name: Some(name.into()), ..self }
    }

    /// The records; see [`Find::fetch`](crate::query::Find::fetch).
    ///
    /// # Errors
    /// As [`Find::fetch`](crate::query::Find::fetch).
    pub fn fetch(&self) -> Result<Answer<Page<Handle<R>>>, QueryError> {
        self.of.answer::<Records<R>>(&self.query, self.name.as_ref())
    }

    /// How many records match, whatever the page.
    ///
    /// # Errors
    /// As [`Find::count`](crate::query::Find::count).
    pub fn count(&self) -> Result<Answer<usize>, QueryError> {
        self.of.answer::<Count>(&self.query, self.name.as_ref())
    }

    /// Metrics of all records that match, whatever the page.
    ///
    /// # Errors
    /// As [`Find::statistics`](crate::query::Find::statistics).
    pub fn statistics(&self, statistics: impl Into<Statistics>) -> Result<Answer<AggregationResult>, QueryError> {
        self.of.answer::<Metrics>(&self.with_statistics(statistics.into()), self.name.as_ref())
    }

    /// Prepares [`fetch`](CachedFind::fetch): a prepared query knows its place in the cache, and keeps it.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, city: "Bern".into() })?;
    /// let of_bern = users.cached().find(user::CITY.eq("Bern")).limit(20).prepare()?;
    /// assert_eq!(of_bern.fetch()?.len(), 1);
    /// users.delete(1)?;
    /// assert_eq!(of_bern.fetch()?.len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Find::fetch`](crate::query::Find::fetch).
    pub fn prepare(&self) -> Result<Prepared<R, Page<Handle<R>>>, QueryError> {
        Prepared::new::<Records<R>>(&self.of, self.query.clone())
    }

    /// Prepares [`count`](CachedFind::count).
    ///
    /// # Errors
    /// As [`Find::count`](crate::query::Find::count).
    pub fn prepare_count(&self) -> Result<Prepared<R, usize>, QueryError> {
        Prepared::new::<Count>(&self.of, self.query.clone())
    }

    /// Prepares [`statistics`](CachedFind::statistics).
    ///
    /// # Errors
    /// As [`Find::statistics`](crate::query::Find::statistics).
    pub fn prepare_statistics(
        &self,
        statistics: impl Into<Statistics>,
    ) -> Result<Prepared<R, AggregationResult>, QueryError> {
        Prepared::new::<Metrics>(&self.of, self.with_statistics(statistics.into()))
    }

    fn with_statistics(&self, statistics: Statistics) -> Query {
        self.query.clone().statistics(statistics)
    }
}

impl<R: Record> Clone for CachedFind<R> {
    fn clone(&self) -> Self {
        CachedFind { of: self.of.clone(), query: self.query.clone(), name: self.name.clone() }
    }
}

impl<R: Record> fmt::Debug for CachedFind<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedFind").field("collection", &self.of).field("query", &self.query).finish()
    }
}
