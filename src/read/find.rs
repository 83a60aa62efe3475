//! A query on its way: what `find` gives, to be answered as records, keys or a count.

use super::choice::Chooser;
use super::snapshot::{Snapshot, View};
use super::{execute, planner, sorted};
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
    /// Which way the planner is to go at each decision, for tests.
    pub(super) script: Option<Vec<usize>>,
}

impl<R: Record> View<R> {
    /// The records that a filter means, as of this snapshot.
    pub fn find(&self, filter: impl Into<Filter<R>>) -> Find<R> {
        Find { view: self.clone(), predicate: filter.into().into_predicate(), paging: Paging::default(), script: None }
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
        Find { view: self.view(), predicate: filter.into().into_predicate(), paging: Paging::default(), script: None }
    }
}

/// The evaluator of writes by predicate: what `find` would fetch. Under the commit lock nothing is in flight.
pub(crate) fn evaluate<R: Record>(collection: &Collection<R>, condition: &Condition) -> Vec<Arc<Version<R>>> {
    let view = collection.view();
    let plan = planner::plan(&view.table, condition, &Chooser::Cheapest);
    execute::execute(&view, condition, &plan).fetch(&view)
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
        self.view.latency().query(|| self.records())
    }

    /// The keys of the records that [`fetch`](Find::fetch) gives.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn keys(&self) -> Result<Vec<Key>, QueryError> {
        self.view.latency().query(|| Ok(self.versions()?.iter().map(|version| version.key.clone()).collect()))
    }

    /// How many records the predicate means, whatever page is asked for. Where indexes answer the whole predicate, none is looked at.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn count(&self) -> Result<usize, QueryError> {
        self.view.latency().query(|| self.run(|condition| self.count_all(condition)))
    }

    /// What is asked of each record, in 128 bits: the same for all predicates that come down to the same, on every machine and in
    /// every run. Neither the collection nor the commit is in it.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn fingerprint(&self) -> Result<Fingerprint, QueryError> {
        self.run(|condition| condition.fingerprint(&self.view.table.schema))
    }

    /// The records, as part of another call: not measured.
    pub(super) fn records(&self) -> Result<Vec<Handle<R>>, QueryError> {
        Ok(self.versions()?.into_iter().map(Handle::live).collect())
    }

    pub(super) fn count_all(&self, condition: &Condition) -> usize {
        execute::count(&self.view, condition, &planner::plan(&self.view.table, condition, &self.chooser()))
    }

    /// Whether less than all is asked for, or an order.
    pub(super) fn is_paged(&self) -> bool {
        let Paging { order, limit, offset, after, total: _ } = &self.paging;
        !order.is_empty() || limit.is_some() || *offset > 0 || after.is_some()
    }

    fn versions(&self) -> Result<Vec<Arc<Version<R>>>, QueryError> {
        self.run(|condition| {
            if self.is_paged() {
                return Ok(self.ordered(condition)?.versions);
            }
            let plan = planner::plan(&self.view.table, condition, &self.chooser());
            Ok(execute::execute(&self.view, condition, &plan).fetch(&self.view))
        })?
    }

    /// Whether a test decides how it is answered.
    pub(super) fn is_scripted(&self) -> bool {
        self.script.is_some()
    }

    pub(super) fn chooser(&self) -> Chooser {
        Chooser::new(self.script.as_deref())
    }

    /// For tests: has the planner decide as written, and where nothing is written any longer take the first way. Answers don't depend on
    /// it.
    #[doc(hidden)]
    pub fn planned_by(mut self, script: impl Into<Vec<usize>>) -> Self {
        self.script = Some(script.into());
        self
    }

    /// For tests: how many ways there are at each decision.
    #[doc(hidden)]
    pub fn ways(&self) -> Result<Vec<usize>, QueryError> {
        self.run(|condition| {
            let chooser = Chooser::new(Some(self.script.as_deref().unwrap_or_default()));
            if self.is_paged() {
                self.with_wanted(condition, |wanted, _| drop(sorted::way(&self.view, condition, wanted, &chooser)))?;
            } else {
                planner::plan(&self.view.table, condition, &chooser);
            }
            Ok(chooser.ways())
        })?
    }

    pub(super) fn run<T>(&self, answer: impl FnOnce(&Condition) -> T) -> Result<T, QueryError> {
        let _span = tracing::debug_span!("query", collection = &*self.view.table.name).entered();
        let table = &self.view.table;
        Condition::new(&table.name, &table.schema, &self.predicate).map(|condition| answer(&condition))
    }
}

impl<R: Record> Clone for Find<R> {
    fn clone(&self) -> Self {
        Find {
            view: self.view.clone(),
            predicate: self.predicate.clone(),
            paging: self.paging.clone(),
            script: self.script.clone(),
        }
    }
}

impl<R: Record> fmt::Debug for Find<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Find").field("of", &self.view).field("predicate", &self.predicate).finish()
    }
}
