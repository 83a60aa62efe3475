//! The changes that a write by predicate returns, once its commit is visible.

use super::receipt::Receipt;
use crate::read::Hit;
use crate::record::Record;
use crate::storage::{Collection, RawChange, RecordChange};
use crate::sync::{Arc, OnceLock};
use memdex_query::query::FieldName;
use std::fmt;

/// The records that a write by predicate has changed, as its commit left them. See
/// [`Collection::matching`](crate::Collection::matching).
#[derive(Debug)]
#[non_exhaustive]
pub struct Changes<R> {
    /// The receipt of the commit.
    pub receipt: Receipt,
    /// The records, each as it was before the commit and as it is after it: in the requested order, or in no particular order
    /// if none was requested.
    pub records: Vec<RecordChange<R>>,
}

/// The records that a write by predicate of a batch will have changed. See [`Batch::matching`](crate::Batch::matching).
///
/// It does not matter how the batch is committed: at once, leniently, by a writer or in the background.
pub struct PendingChanges<R>(Arc<Returned<R>>);

pub(super) struct Returned<R>(OnceLock<Vec<RecordChange<R>>>);

/// The changes for each operation that returns them.
pub(super) type AllReturned = Vec<(Arc<dyn ReturnTo>, Vec<RawChange>)>;

/// A [`Returned`] without the record type.
pub(super) trait ReturnTo: Send + Sync {
    /// Called once, by the commit.
    fn set(&self, changes: Vec<RawChange>);
}

impl<R: Record> ReturnTo for Returned<R> {
    fn set(&self, changes: Vec<RawChange>) {
        let set = self.0.set(changes.into_iter().map(RecordChange::from_raw).collect());
        debug_assert!(set.is_ok(), "an operation is committed once");
    }
}

impl<R> PendingChanges<R> {
    /// With the side that the commit fills.
    pub(super) fn new() -> (Self, Arc<Returned<R>>) {
        let returned = Arc::new(Returned(OnceLock::new()));
        (PendingChanges(returned.clone()), returned)
    }

    /// The records that the operation has changed, each as it was before the commit and as it is after it: the net changes of
    /// the whole batch, also if other operations of the batch have changed these records. `None` as long as the operation is not
    /// committed; so forever if it was left out, or its batch was dropped.
    ///
    /// Records that the batch inserted and deleted again are there neither before nor after it.
    pub fn get(&self) -> Option<&[RecordChange<R>]> {
        self.0.0.get().map(Vec::as_slice)
    }

    pub(super) fn into_records(self) -> Vec<RecordChange<R>> {
        match Arc::try_unwrap(self.0) {
            Ok(Returned(cell)) => cell.into_inner().unwrap_or_default(),
            Err(shared) => shared.0.get().cloned().unwrap_or_default(),
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for PendingChanges<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PendingChanges").field(&self.get()).finish()
    }
}

/// The records that a batch will have deleted, without their type: see
/// [`AnyCollection::delete_matching`](crate::typing::AnyCollection::delete_matching).
pub struct PendingHits(Box<dyn Fn() -> Option<Vec<Hit>> + Send + Sync>);

impl PendingHits {
    pub(super) fn new<R: Record>(pending: PendingChanges<R>, of: Collection<R>, fields: Vec<FieldName>) -> Self {
        PendingHits(Box::new(move || {
            let deleted = pending.get()?.iter().filter_map(|change| change.before.as_ref());
            Some(deleted.map(|before| of.hit_of(before, &fields)).collect())
        }))
    }

    /// The records as they were before the commit; `None` as long as the operation is not committed. Records that the same batch had
    /// inserted are not among them.
    pub fn get(&self) -> Option<Vec<Hit>> {
        (self.0)()
    }
}

impl fmt::Debug for PendingHits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PendingHits").field(&self.get()).finish()
    }
}
