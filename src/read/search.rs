//! One question to several collections, typed or not, as of one commit.

use super::find::Find;
use super::order::compare;
use super::page::{Page, check_limit};
use super::snapshot::{Snapshot, View};
use super::statistics::Summary;
use crate::error::{Commit, QueryError};
use crate::query::{Cursor, IntoOrder, Paging, Predicate, Statistics};
use crate::record::Record;
use crate::storage::{Collection, Handle};
use crate::sync::Arc;
use crate::value::{Key, Value};
use std::any::Any;
use std::fmt;
use std::time::Instant;

/// A question, by the names of fields, to several collections as of one commit; see [`Snapshot::search`].
#[must_use = "a search does nothing until it is fetched or counted"]
#[derive(Clone)]
pub struct Search {
    snapshot: Snapshot,
    predicate: Predicate,
    paging: Paging,
    collections: Vec<Arc<dyn Searched>>,
    skip_unknown: bool,
}

/// A collection without its record type.
pub(super) trait Searched: Send + Sync {
    fn name(&self) -> &str;

    /// The first records in an order, all if it has no limit.
    fn first(&self, snapshot: &Snapshot, predicate: &Predicate, paging: &Paging) -> Result<Ranked, QueryError>;
    fn count(&self, snapshot: &Snapshot, predicate: &Predicate) -> Result<usize, QueryError>;
    fn statistics(
        &self,
        snapshot: &Snapshot,
        predicate: &Predicate,
        statistics: &Statistics,
    ) -> Result<Summary, QueryError>;
}

/// Records of one collection in their order, each with the values that it is ordered by.
pub(super) struct Ranked {
    hits: Vec<(Vec<Value>, Hit)>,
    next: Option<Cursor>,
}

fn find<R: Record>(
    collection: &Collection<R>,
    snapshot: &Snapshot,
    predicate: &Predicate,
) -> Result<Find<R>, QueryError> {
    let view: View<R> = snapshot.try_of(collection)?;
    Ok(view.find(predicate.clone()))
}

impl<R: Record> Searched for Collection<R> {
    fn name(&self) -> &str {
        &self.table.name
    }

    fn first(&self, snapshot: &Snapshot, predicate: &Predicate, paging: &Paging) -> Result<Ranked, QueryError> {
        let find = Find { paging: paging.clone(), ..find(self, snapshot, predicate)? };
        let (ranked, next) = find.view.latency().query(|| find.ranked())?;
        let hit = |(values, record)| (values, Hit::new(self.table.name.clone(), record));
        Ok(Ranked { hits: ranked.into_iter().map(hit).collect(), next })
    }

    fn count(&self, snapshot: &Snapshot, predicate: &Predicate) -> Result<usize, QueryError> {
        find(self, snapshot, predicate)?.count()
    }

    fn statistics(
        &self,
        snapshot: &Snapshot,
        predicate: &Predicate,
        statistics: &Statistics,
    ) -> Result<Summary, QueryError> {
        find(self, snapshot, predicate)?.statistics(statistics.clone())
    }
}

impl Snapshot {
    /// Asks several collections the same, by the names of fields: typed ones, documents and key/value records in any mix. Say which
    /// with [`over`](Search::over).
    ///
    /// ```
    /// use memdex::{FieldDef, KeyValue, Kind, Record, Schema, Store, field};
    ///
    /// #[derive(Record)]
    /// struct Payment { #[record(key)] id: String, #[record(index)] user: String }
    ///
    /// let store = Store::new();
    /// let payments = store.collection::<Payment>("Payment")?;
    /// let sessions = store.key_values::<u32>("Session", Schema::new([FieldDef::new("user", Kind::Str).index()]))?;
    /// payments.store(Payment { id: "p-1".into(), user: "u-1".into() })?;
    /// sessions.store(KeyValue::new("s-1", 7).with("user", "u-1"))?;
    ///
    /// let hits = store.snapshot().search(field("user").eq("u-1")).over(&payments).over(&sessions).fetch()?;
    /// assert_eq!((hits[0].collection(), hits[1].collection()), ("Payment", "Session"));
    /// assert_eq!(hits[0].record::<Payment>().unwrap().id, "p-1");
    /// assert_eq!(**hits[1].record::<KeyValue<u32>>().unwrap(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn search(&self, predicate: impl Into<Predicate>) -> Search {
        Search {
            snapshot: self.clone(),
            predicate: predicate.into(),
            paging: Paging::default(),
            collections: Vec::new(),
            skip_unknown: false,
        }
    }
}

impl Search {
    /// This collection too. One that is named twice is asked twice.
    pub fn over<R: Record>(mut self, collection: &Collection<R>) -> Self {
        self.collections.push(Arc::new(collection.clone()));
        self
    }

    pub(super) fn over_any(mut self, collection: Arc<dyn Searched>) -> Self {
        self.collections.push(collection);
        self
    }

    pub(super) fn paged(self, paging: Paging) -> Self {
        Search { paging, ..self }
    }

    /// Leaves out each collection that lacks a field of those that the question names, instead of failing. (Documents lack none of those
    /// of a predicate: a path that is not declared can be asked for too.)
    pub fn skip_unknown(mut self) -> Self {
        self.skip_unknown = true;
        self
    }

    /// The records of all collections together in this order; see [`OrderBy`](crate::OrderBy). Of equal ones those of a collection that was
    /// named earlier come first, and within a collection the key decides. Integers of one collection and floats of another are
    /// ordered by number; other kinds one behind the other.
    pub fn order_by(mut self, order: impl IntoOrder) -> Self {
        self.paging.order = order.into_order();
        self
    }

    /// At most so many records: from 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
    pub fn limit(mut self, limit: usize) -> Self {
        self.paging.limit = Some(limit);
        self
    }

    /// Without the first ones.
    pub fn offset(mut self, offset: usize) -> Self {
        self.paging.offset = offset;
        self
    }

    /// Only those behind the last record of another page: of a single collection alone.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.paging.after = Some(cursor);
        self
    }

    /// Counts what all pages have together.
    pub fn with_total(mut self) -> Self {
        self.paging.total = true;
        self
    }

    /// What was found: in the [order](Search::order_by) that was asked for, otherwise collection by collection as they were named, in no
    /// particular order within each. Costs what the queries cost one by one.
    ///
    /// # Errors
    /// The [`QueryError`] of the first collection that can't be asked: it belongs to another store, its field can't hold what
    /// it is compared with, or it lacks a field and [`skip_unknown`](Search::skip_unknown) was not said. Of the page those that
    /// [`Find::page`] gives.
    pub fn fetch(&self) -> Result<Vec<Hit>, QueryError> {
        Ok(self.first()?.hits.into_iter().map(|(_, hit)| hit).collect())
    }

    /// A page of what was found. With several collections it has no cursor: take an offset, or ask them one by one.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch).
    pub fn page(&self) -> Result<Page<Hit>, QueryError> {
        let started = Instant::now();
        let total = if self.paging.total { Some(self.count()?) } else { None };
        let Ranked { hits, next } = self.first()?;
        let records = hits.into_iter().map(|(_, hit)| hit).collect();
        Ok(Page { records, next, total, commit: self.snapshot.commit(), took: started.elapsed(), cached: false })
    }

    fn first(&self) -> Result<Ranked, QueryError> {
        let names = || self.collections.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        check_limit(&names(), self.paging.limit)?;
        if let [one] = self.collections.as_slice() {
            let ranked = self.unless_unknown(one.first(&self.snapshot, &self.predicate, &self.paging))?;
            return Ok(ranked.unwrap_or(Ranked { hits: Vec::new(), next: None }));
        }
        if self.paging.after.is_some() {
            return Err(QueryError::OneCollection { what: "a page behind a cursor", given: self.collections.len() });
        }
        let Paging { order, limit, offset, .. } = &self.paging;
        let first = limit.map(|limit| offset.saturating_add(limit));
        // Of each as many as all of them together may give.
        let of_each = Paging { limit: first, offset: 0, ..self.paging.clone() };
        let mut hits = Vec::new();
        for collection in &self.collections {
            let ranked = self.unless_unknown(collection.first(&self.snapshot, &self.predicate, &of_each))?;
            hits.extend(ranked.into_iter().flat_map(|ranked| ranked.hits));
        }
        // Stable: of equal ones the collection decides, and within one they have their order.
        hits.sort_by(|(a, _), (b, _)| compare(order, a, b));
        hits.truncate(first.unwrap_or(usize::MAX));
        hits.drain(..hits.len().min(*offset));
        Ok(Ranked { hits, next: None })
    }

    /// How many records there are in all.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch).
    pub fn count(&self) -> Result<usize, QueryError> {
        let counts = self.collections.iter().map(|collection| collection.count(&self.snapshot, &self.predicate));
        counts.map(|count| Ok(self.unless_unknown(count)?.unwrap_or(0))).sum()
    }

    fn unless_unknown<T>(&self, answer: Result<T, QueryError>) -> Result<Option<T>, QueryError> {
        match answer {
            Err(QueryError::UnknownField { .. }) if self.skip_unknown => Ok(None),
            answer => answer.map(Some),
        }
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("commit", &self.snapshot.commit())
            .field("predicate", &self.predicate)
            .field("collections", &self.collections.len())
            .finish()
    }
}

/// A record that a [`Search`] has found.
#[derive(Clone)]
pub struct Hit {
    collection: Arc<str>,
    key: Key,
    commit: Commit,
    /// A `Handle` of the collection's record type.
    record: Arc<dyn Any + Send + Sync>,
}

impl Hit {
    fn new<R: Record>(collection: Arc<str>, record: Handle<R>) -> Self {
        Hit { collection, key: record.key().clone(), commit: record.commit(), record: Arc::new(record) }
    }

    /// The name of its collection.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Its key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The commit that wrote the record as it is here.
    pub fn commit(&self) -> Commit {
        self.commit
    }

    /// The record, if it is of this type.
    pub fn record<R: Record>(&self) -> Option<Handle<R>> {
        self.record.downcast_ref().cloned()
    }
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hit({:?} of {:?}, commit {})", self.key, self.collection, self.commit)
    }
}
