//! A query on its way: what `find` gives, to be answered as records, keys or a count.

use super::execute;
use super::snapshot::{Snapshot, View};
use crate::error::QueryError;
use crate::query::{Filter, Fingerprint, Paging, Predicate};
use crate::record::{Condition, Record};
use crate::storage::{Collection, Handle, Version};
use crate::sync::Arc;
use crate::value::Key;
use std::fmt;

/// A question to a collection as of one commit. Nothing is looked at before it is asked for records, keys or a count,
/// and it can be asked several times.
#[must_use = "a query does nothing until it is fetched or counted"]
pub struct Find<R: Record> {
    pub(super) view: View<R>,
    pub(super) predicate: Predicate,
    pub(super) paging: Paging,
}

impl<R: Record> View<R> {
    /// The records that a filter means, as of this snapshot.
    pub fn find(&self, filter: impl Into<Filter<R>>) -> Find<R> {
        Find { view: self.clone(), predicate: filter.into().into_predicate(), paging: Paging::default() }
    }
}

impl<R: Record> Collection<R> {
    /// The records that a filter means, as of now: a snapshot is taken here, and dropped with the query.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, city: "Bern".into(), age: 40 })?;
    /// let forty = users.find(user::CITY.eq("Bern") & user::AGE.eq(40)).fetch()?;
    /// assert_eq!(forty[0].id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(&self, filter: impl Into<Filter<R>>) -> Find<R> {
        Find { view: self.view(), predicate: filter.into().into_predicate(), paging: Paging::default() }
    }
}

/// The evaluator of writes by predicate: what `find` would fetch. Under the commit lock nothing is in flight.
pub(crate) fn evaluate<R: Record>(collection: &Collection<R>, condition: &Condition) -> Vec<Arc<Version<R>>> {
    let view = collection.view();
    execute::execute(&view, condition).fetch(&view)
}

impl<R: Record> Find<R> {
    /// The snapshot that answers it.
    pub fn snapshot(&self) -> &Snapshot {
        self.view.snapshot()
    }

    /// The records; in no particular order unless [`order_by`](Find::order_by), [`limit`](Find::limit), [`offset`](Find::offset) or
    /// [`after`](Find::after) was said: then those of the [`page`](Find::page). What indexes answer costs no look at other records; what
    /// only a scan can answer looks at all of those that the indexes leave.
    ///
    /// # Errors
    /// A [`QueryError`] if the predicate names a field that is not there, or compares one with what it can't hold; and those of
    /// [`page`](Find::page).
    pub fn fetch(&self) -> Result<Vec<Handle<R>>, QueryError> {
        Ok(self.versions()?.into_iter().filter_map(Handle::of).collect())
    }

    /// The keys of the records that [`fetch`](Find::fetch) gives.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn keys(&self) -> Result<Vec<Key>, QueryError> {
        Ok(self.versions()?.iter().map(|version| version.key.clone()).collect())
    }

    /// How many records the predicate means, whatever page is asked for. Where indexes answer the whole predicate, none is looked at.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn count(&self) -> Result<usize, QueryError> {
        self.run(|condition| self.count_all(condition))
    }

    pub(super) fn count_all(&self, condition: &Condition) -> usize {
        execute::count(&self.view, condition)
    }

    fn versions(&self) -> Result<Vec<Arc<Version<R>>>, QueryError> {
        self.run(|condition| {
            let everything = Paging { total: self.paging.total, ..Paging::default() };
            if self.paging == everything {
                return Ok(execute::execute(&self.view, condition).fetch(&self.view));
            }
            Ok(self.ordered(condition)?.versions)
        })?
    }

    /// What is asked of each record, in 128 bits: the same for all predicates that come down to the same, on every machine and in
    /// every run. Neither the collection nor the commit is in it.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn fingerprint(&self) -> Result<Fingerprint, QueryError> {
        self.run(|condition| condition.fingerprint(&self.view.table.schema))
    }

    pub(super) fn run<T>(&self, answer: impl FnOnce(&Condition) -> T) -> Result<T, QueryError> {
        let _span = tracing::debug_span!("query", collection = &*self.view.table.name).entered();
        let table = &self.view.table;
        Condition::new(&table.name, &table.schema, &self.predicate).map(|condition| answer(&condition))
    }
}

impl<R: Record> Clone for Find<R> {
    fn clone(&self) -> Self {
        Find { view: self.view.clone(), predicate: self.predicate.clone(), paging: self.paging.clone() }
    }
}

impl<R: Record> fmt::Debug for Find<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Find").field("of", &self.view).field("predicate", &self.predicate).finish()
    }
}
