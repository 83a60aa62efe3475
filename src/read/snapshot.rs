//! A snapshot is one pinned commit; every read through it sees that commit.

use crate::clock::Timestamp;
use crate::error::{Commit, QueryError};
use crate::index::Materialized;
use crate::latency::Latency;
use crate::record::Record;
use crate::rowset::Row;
use crate::storage::{At, Changed, Collection, Engine, LayerView, Pinned, Table, TableOf, Under};
use crate::sync::Arc;
use crate::trace::{self, Entered};
use smallvec::SmallVec;
use std::fmt;

/// The store at one commit. Every read through it sees that commit, in all collections, for as long as you hold it.
///
/// A snapshot blocks neither readers nor writers. While it lives, the store keeps one older version of each record
/// changed since, and each query through it evaluates those records one by one. Clones share one pin.
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
        Snapshot::of_pinned(engine.pin())
    }

    /// At the newest commit, whether or not readers see it yet.
    pub(crate) fn of_newest(engine: &Arc<Engine>) -> Self {
        Snapshot::of_pinned(engine.pin_newest())
    }

    pub(crate) fn of_pinned(pinned: Pinned) -> Self {
        Snapshot(Arc::new(pinned))
    }

    /// The commit that this snapshot sees.
    pub fn commit(&self) -> Commit {
        self.0.epoch()
    }

    /// When the snapshot was taken, by the store's clock. Never earlier than any commit that it sees.
    pub fn time(&self) -> Timestamp {
        self.0.time
    }

    pub(crate) fn is_of(&self, engine: &Arc<Engine>) -> bool {
        Arc::ptr_eq(&self.0.engine, engine)
    }

    pub(crate) fn pinned(&self) -> &Arc<Pinned> {
        &self.0
    }

    pub(super) fn at(&self) -> At {
        self.0.at()
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    pub(super) fn latency(&self) -> &Latency {
        &self.0.engine.latency
    }

    /// A collection at this snapshot.
    ///
    /// # Panics
    /// If the collection belongs to another store. [`try_of`](Snapshot::try_of) returns an error instead.
    #[track_caller]
    pub fn of<R: Record>(&self, collection: &Collection<R>) -> View<R> {
        match self.try_of(collection) {
            Ok(view) => view,
            Err(error) => panic!("{error}"),
        }
    }

    /// A collection at this snapshot.
    ///
    /// # Errors
    /// [`QueryError::OtherStore`] if the collection belongs to another store.
    pub fn try_of<R: Record>(&self, collection: &Collection<R>) -> Result<View<R>, QueryError> {
        if !Arc::ptr_eq(&self.0.engine, &collection.engine) {
            return Err(QueryError::other_store(collection.name()));
        }
        Ok(View::new(self.clone(), collection.table.clone()))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("commit", &self.commit()).finish_non_exhaustive()
    }
}

/// A collection at one commit; see [`Snapshot::of`].
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// users.store(User { id: 1 })?;
/// let snapshot = store.snapshot();
/// users.delete(1)?;
/// let view = snapshot.of(&users);
/// assert_eq!((view.len(), view.contains(1), users.len()), (1, true, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct View<R: Record> {
    pub(super) snapshot: Snapshot,
    pub(super) table: TableOf<R>,
    /// The layers of a fork.
    pub(super) under: Option<Under>,
}

impl<R: Record> View<R> {
    pub(super) fn new(snapshot: Snapshot, table: TableOf<R>) -> Self {
        let under = table.under(snapshot.commit());
        View { snapshot, table, under }
    }

    /// The snapshot that this view reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn latency(&self) -> &Latency {
        self.snapshot.latency()
    }

    pub(super) fn any(&self) -> AnyView<'_> {
        AnyView::new(&self.snapshot, &self.table, &self.under)
    }
}

/// A collection of any record type at one commit, for the planner and the executor.
#[derive(Clone, Copy)]
pub(super) struct AnyView<'a> {
    pub(super) table: &'a Table,
    pub(super) at: At,
    /// The layers below it, in a fork.
    under: &'a [LayerView],
    /// Such a layer itself.
    layer: Option<&'a LayerView>,
    /// The store, to reach other collections.
    pub(super) engine: &'a Engine,
}

impl<'a> AnyView<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, table: &'a Table, under: &'a Option<Under>) -> Self {
        AnyView::at(snapshot.engine(), snapshot.at(), table, under)
    }

    pub(super) fn at(engine: &'a Engine, at: At, table: &'a Table, under: &'a Option<Under>) -> Self {
        let under = under.as_deref().unwrap_or_default();
        AnyView { table, at, under, layer: None, engine }
    }

    /// The views whose records together are those of this one. The parts of a fork are its own table and the layers below it; each key is
    /// in one of them.
    pub(super) fn parts(self) -> SmallVec<[AnyView<'a>; 1]> {
        let own = AnyView { under: &[], ..self };
        let below = self.under.iter().map(|layer| AnyView {
            table: &layer.table,
            at: layer.at,
            under: &[],
            layer: Some(layer),
            engine: self.engine,
        });
        let is_first = !self.under.is_empty() && self.table.is_untouched();
        (!is_first).then_some(own).into_iter().chain(below).collect()
    }

    /// Whether the view does not have a row that the table holds.
    pub(super) fn hides(&self, row: Row) -> bool {
        self.layer.is_some_and(|layer| layer.covered.rows.contains(row))
    }

    /// Whether its table maintains a materialized aggregate.
    pub(super) fn maintains(&self, aggregate: &Arc<Materialized>) -> bool {
        self.table.aggregates().iter().any(|of| Arc::ptr_eq(of, aggregate))
    }

    /// Whether the view lacks rows that the table holds.
    pub(super) fn hides_any(&self) -> bool {
        self.layer.is_some_and(|layer| !layer.covered.rows.is_empty())
    }

    /// The layer of a fork that it is.
    pub(super) fn layer(&self) -> Option<&'a LayerView> {
        self.layer
    }

    /// Enters the tracing span of a query.
    pub(super) fn span(&self) -> Entered<'a> {
        trace::span!(self.table.counters.tracer, DEBUG, "query", collection = &*self.table.name)
    }

    /// The rows marked by commits after the snapshot's, and those that are overdue. Load them after the last index or column whose
    /// rows they check.
    pub(super) fn changed(&self) -> Changed {
        if let Some(LayerView { covered, .. }) = self.layer {
            return covered.changed(&self.table.marks, self.at.epoch);
        }
        // The overdue rows are a part, so the marks come after them.
        let overdue = self.table.deadlines.overdue(self.at.time);
        self.table.marks.after(self.at.epoch).with(overdue)
    }

    /// Whether no commit has begun to change what the view sees, but for the rows that it [hides](Self::hides). Ask after the last part.
    pub(super) fn is_unchanged(&self) -> bool {
        match self.layer {
            Some(LayerView { covered, .. }) => !covered.is_behind(&self.table.marks),
            None => self.table.marks.is_nothing_after(self.at.epoch),
        }
    }

    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.parts().iter().map(AnyView::own_len).sum()
    }

    fn own_len(&self) -> usize {
        let (core, at) = (self.table, self.at);
        if let Some(LayerView { covered, .. }) = self.layer {
            return core.lengths.at(at.epoch) - covered.records;
        }
        if !core.deadlines.are_used() && core.marks.is_nothing_after(at.epoch) {
            return core.lengths.at(at.epoch);
        }
        let changed = self.changed();
        let expired = changed.expired.len() + self.table.count_expired(&changed.undecided(), at);
        core.lengths.at(at.epoch) - expired
    }
}

impl<R: Record> Clone for View<R> {
    fn clone(&self) -> Self {
        View { snapshot: self.snapshot.clone(), table: self.table.clone(), under: self.under.clone() }
    }
}

impl<R: Record> fmt::Debug for View<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("collection", &self.table.name).field("commit", &self.snapshot.commit()).finish()
    }
}

impl<R: Record> Collection<R> {
    /// This collection at the newest commit.
    pub(super) fn view(&self) -> View<R> {
        View::new(Snapshot::new(&self.engine), self.table.clone())
    }

    /// See [`Table::catch_up`](crate::storage::Table::catch_up).
    pub(crate) fn catch_up(&self) {
        self.table.catch_up(&self.engine);
    }
}
