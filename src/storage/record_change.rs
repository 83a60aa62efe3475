//! The net changes of a commit in one collection, with and without their record type.

use super::any_version::{AnyVersion, SharedVersion, typed};
use super::change::Change;
use super::handle::Handle;
use super::version::version_bytes;
use crate::record::{FieldSource, Record};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::value::Key;
use std::any::Any;

/// What a commit did to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChangeKind {
    /// There was no record with this key.
    Inserted,
    /// The record was replaced or changed.
    Updated,
    /// The record was deleted.
    Deleted,
    /// The lifetime of the record had ended: it was missing already. If the commit has stored another one under its key, that is the next
    /// change.
    Expired,
    /// The record left because of the [`Bound`](crate::write::Bound) of the collection, displaced by the others of the commit.
    Evicted,
}

/// The net change of one record in a commit.
#[derive(Debug)]
#[non_exhaustive]
pub struct RecordChange<R> {
    /// The key.
    pub key: Key,
    /// The record before the commit; `None` if there was none.
    pub before: Option<Handle<R>>,
    /// The record after the commit; `None` if it was deleted or evicted, or has expired.
    pub after: Option<Handle<R>>,
    kind: ChangeKind,
}

impl<R> Clone for RecordChange<R> {
    fn clone(&self) -> Self {
        let RecordChange { key, before, after, kind } = self;
        RecordChange { key: key.clone(), before: before.clone(), after: after.clone(), kind: *kind }
    }
}

impl Change {
    fn kind(&self) -> ChangeKind {
        match (self.had_record() && !self.expired, self.new.is_tombstone()) {
            (_, true) if self.evicted => ChangeKind::Evicted,
            (_, true) => ChangeKind::Deleted,
            (true, false) => ChangeKind::Updated,
            (false, false) => ChangeKind::Inserted,
        }
    }
}

/// A [`RecordChange`] without the record type.
pub(crate) struct RawChange {
    key: Key,
    before: Option<SharedVersion>,
    after: Option<SharedVersion>,
    kind: ChangeKind,
}

impl RawChange {
    /// The change as an operation sees it: a record that has expired is missing.
    pub(crate) fn of(change: &Change) -> Self {
        let image = |version: &SharedVersion| (!version.is_tombstone()).then(|| version.clone());
        let before = change.before().filter(|_| !change.expired).and_then(image);
        RawChange { key: change.new.key.clone(), before, after: image(&change.new), kind: change.kind() }
    }

    /// The change as it is told: a record that has expired leaves first.
    pub(super) fn told(change: &Change) -> impl Iterator<Item = Self> {
        let expired = change.before().filter(|_| change.expired).map(|old| RawChange {
            key: old.key.clone(),
            before: (!old.is_tombstone()).then(|| old.clone()),
            after: None,
            kind: ChangeKind::Expired,
        });
        let is_all = expired.is_some() && change.new.is_tombstone();
        expired.into_iter().chain((!is_all).then(|| RawChange::of(change)))
    }

    /// The change of a key for which there is no record before and after the batch.
    pub(crate) fn idle(key: Key) -> Self {
        RawChange { key, before: None, after: None, kind: ChangeKind::Deleted }
    }
}

impl<R: Record> RecordChange<R> {
    pub(crate) fn from_raw(RawChange { key, before, after, kind }: RawChange) -> Self {
        let handle = |version| typed(version).and_then(Handle::of);
        RecordChange { key, before: before.and_then(handle), after: after.and_then(handle), kind }
    }
}

impl<R> RecordChange<R> {
    /// What the commit did to the record. A write that stores an equal record is an update too; a batch that deletes a record and
    /// inserts its key again updates it.
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }
}

/// The changes of one collection. A clone shares the list.
#[derive(Clone)]
pub(crate) struct CollectionChanges {
    /// Its allocation identifies the table: another collection of the same name has another one.
    pub(super) name: Arc<str>,
    pub(super) list: Arc<dyn ChangeList>,
}

impl CollectionChanges {
    pub(super) fn new(name: Arc<str>, list: Arc<dyn ChangeList>) -> Self {
        CollectionChanges { name, list }
    }

    /// Only the changes at these places, which ascend.
    pub(super) fn at(&self, places: &[usize]) -> Self {
        CollectionChanges { name: self.name.clone(), list: self.list.at(places) }
    }

    pub(super) fn of_type<R: 'static>(&self) -> &[RecordChange<R>] {
        let list = (&*self.list as &dyn Any).downcast_ref::<Vec<RecordChange<R>>>();
        list.map_or(&[], Vec::as_slice)
    }
}

/// A `Vec<RecordChange<R>>` without its record type.
pub(super) trait ChangeList: Any + Send + Sync {
    fn len(&self) -> usize;
    /// The record before and after a change, as sources of field values.
    fn images(&self, place: usize) -> [Option<&dyn FieldSource>; 2];
    /// The memory that the changes keep from being freed, at most. Measures the records, which runs user code.
    fn bytes(&self) -> usize;
    fn at(&self, places: &[usize]) -> Arc<dyn ChangeList>;
    /// Drops each record by itself if this is the last reference. Returns the number of panics.
    fn drop_each(self: Arc<Self>) -> u64;
}

impl<R: Record> ChangeList for Vec<RecordChange<R>> {
    fn len(&self) -> usize {
        self.len()
    }

    fn images(&self, place: usize) -> [Option<&dyn FieldSource>; 2] {
        let RecordChange { before, after, .. } = &self[place];
        [before, after].map(|image| image.as_ref().map(|handle| &**handle.version() as &dyn FieldSource))
    }

    fn bytes(&self) -> usize {
        let of_image = |handle: &Handle<R>| {
            let fixed = version_bytes::<R>() + handle.key().heap_bytes();
            let version: &dyn AnyVersion = &**handle.version();
            version.measure_heap().unwrap_or(0).saturating_add(fixed)
        };
        let images = self.iter().flat_map(|change| [&change.before, &change.after]).flatten();
        images.map(of_image).fold(size_of_val(&**self), usize::saturating_add)
    }

    fn at(&self, places: &[usize]) -> Arc<dyn ChangeList> {
        Arc::new(places.iter().map(|place| self[*place].clone()).collect::<Vec<_>>())
    }

    fn drop_each(self: Arc<Self>) -> u64 {
        let changes = Arc::into_inner(self).into_iter().flatten();
        user_code::drop_each(changes.flat_map(|change| [change.before, change.after]))
    }
}
