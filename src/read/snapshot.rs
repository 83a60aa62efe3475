//! A snapshot: one commit, pinned, so that everything asked of it is answered as of that commit.

use crate::clock::Timestamp;
use crate::error::{Commit, QueryError};
use crate::latency::Latency;
use crate::record::Record;
use crate::storage::{Collection, Engine, Pinned, Table};
use crate::sync::Arc;
use std::fmt;

/// The store as of one commit. Every answer below it is of that commit, over all collections, however long it is held.
///
/// It blocks nobody. What it costs while it lives: one older version for each record changed since,
/// and a second look at those records in each query. Clones share one pin.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, visits: u64 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// users.store(User { id: 1, visits: 0 })?;
/// let before = store.snapshot();
/// users.update(1, |user| user.visits += 1)?;
/// users.store(User { id: 2, visits: 0 })?;
/// assert_eq!(before.of(&users).get(1).unwrap().visits, 0);
/// assert_eq!((before.of(&users).len(), users.len()), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Snapshot(Arc<Pinned>);

impl Snapshot {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Snapshot(Arc::new(engine.pin()))
    }

    /// The commit.
    pub fn commit(&self) -> Commit {
        self.0.epoch()
    }

    /// The time at which it was taken, by the store's clock; never before that of a commit that it sees.
    pub fn time(&self) -> Timestamp {
        self.0.time
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// A collection as of this snapshot.
    ///
    /// # Panics
    /// If the collection belongs to another store; see [`try_of`](Snapshot::try_of).
    #[track_caller]
    pub fn of<R: Record>(&self, collection: &Collection<R>) -> View<R> {
        match self.try_of(collection) {
            Ok(view) => view,
            Err(error) => panic!("{error}"),
        }
    }

    /// A collection as of this snapshot, for callers that may meet collections of other stores.
    ///
    /// # Errors
    /// [`QueryError::OtherStore`].
    pub fn try_of<R: Record>(&self, collection: &Collection<R>) -> Result<View<R>, QueryError> {
        if !Arc::ptr_eq(&self.0.engine, &collection.engine) {
            return Err(QueryError::OtherStore { collection: collection.name().to_owned() });
        }
        Ok(View { snapshot: self.clone(), table: collection.table.clone() })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("commit", &self.commit()).finish_non_exhaustive()
    }
}

/// A collection as of one commit; see [`Snapshot::of`].
pub struct View<R: Record> {
    pub(super) snapshot: Snapshot,
    pub(super) table: Arc<Table<R>>,
}

impl<R: Record> View<R> {
    /// The snapshot that it belongs to.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn latency(&self) -> &Latency {
        &self.snapshot.0.engine.latency
    }
}

impl<R: Record> Clone for View<R> {
    fn clone(&self) -> Self {
        View { snapshot: self.snapshot.clone(), table: self.table.clone() }
    }
}

impl<R: Record> fmt::Debug for View<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("collection", &self.table.name).field("commit", &self.snapshot.commit()).finish()
    }
}

impl<R: Record> Collection<R> {
    /// This collection as of now.
    pub(super) fn view(&self) -> View<R> {
        View { snapshot: Snapshot::new(&self.engine), table: self.table.clone() }
    }
}
