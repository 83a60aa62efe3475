//! One question to several collections, typed or not, as of one commit.

use super::find::Find;
use super::snapshot::{Snapshot, View};
use crate::error::{Commit, QueryError};
use crate::query::Predicate;
use crate::record::Record;
use crate::storage::{Collection, Handle};
use crate::sync::Arc;
use crate::value::Key;
use std::any::Any;
use std::fmt;

/// A question, by the names of fields, to several collections as of one commit; see [`Snapshot::search`].
#[must_use = "a search does nothing until it is fetched or counted"]
#[derive(Clone)]
pub struct Search {
    snapshot: Snapshot,
    predicate: Predicate,
    collections: Vec<Arc<dyn Searched>>,
    skip_unknown: bool,
}

/// A collection without its record type.
trait Searched: Send + Sync {
    fn fetch(&self, snapshot: &Snapshot, predicate: &Predicate) -> Result<Vec<Hit>, QueryError>;
    fn count(&self, snapshot: &Snapshot, predicate: &Predicate) -> Result<usize, QueryError>;
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
    fn fetch(&self, snapshot: &Snapshot, predicate: &Predicate) -> Result<Vec<Hit>, QueryError> {
        let found = find(self, snapshot, predicate)?.fetch()?;
        Ok(found.into_iter().map(|record| Hit::new(self.table.name.clone(), record)).collect())
    }

    fn count(&self, snapshot: &Snapshot, predicate: &Predicate) -> Result<usize, QueryError> {
        find(self, snapshot, predicate)?.count()
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
        Search { snapshot: self.clone(), predicate: predicate.into(), collections: Vec::new(), skip_unknown: false }
    }
}

impl Search {
    /// This collection too. One that is named twice is asked twice.
    pub fn over<R: Record>(mut self, collection: &Collection<R>) -> Self {
        self.collections.push(Arc::new(collection.clone()));
        self
    }

    /// Leaves out each collection that lacks a field of those that the predicate names, instead of failing. (Documents lack none:
    /// a path that is not declared can be asked for too.)
    pub fn skip_unknown(mut self) -> Self {
        self.skip_unknown = true;
        self
    }

    /// What was found: collection by collection as they were named, in no particular order within each. Costs what the
    /// queries cost one by one.
    ///
    /// # Errors
    /// The [`QueryError`] of the first collection that can't be asked: it belongs to another store, its field can't hold what
    /// it is compared with, or it lacks a field and [`skip_unknown`](Search::skip_unknown) was not said.
    pub fn fetch(&self) -> Result<Vec<Hit>, QueryError> {
        let mut hits = Vec::new();
        for collection in &self.collections {
            hits.extend(self.unless_unknown(collection.fetch(&self.snapshot, &self.predicate))?.unwrap_or_default());
        }
        Ok(hits)
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
        write!(f, "Hit({} of {:?}, commit {})", self.key, self.collection, self.commit)
    }
}
