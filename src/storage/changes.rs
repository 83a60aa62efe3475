//! Views of a commit for hooks: `ProposedCommit` before it, `CommitInfo` after it.

use super::any_version::{SharedVersion, typed};
use super::change::Change;
use super::record_change::{CollectionChanges, RecordChange};
use super::version::Version;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::record::Record;
#[cfg(feature = "testing")]
use crate::record::{Condition, FieldSource};
use crate::sync::Arc;
use memdex_query::value::Key;
use std::any::Any;
use std::fmt;

/// The changes of a commit, as [`CommitHook::committed`](crate::hook::CommitHook::committed) sees it.
/// [`Store::observe`](crate::Store::observe) has an example.
pub struct CommitInfo {
    number: Commit,
    at: Timestamp,
    collections: Vec<CollectionChanges>,
}

impl CommitInfo {
    pub(crate) fn new(number: Commit, at: Timestamp, collections: Vec<CollectionChanges>) -> Self {
        CommitInfo { number, at, collections }
    }

    /// Drops a reference. If it is the last one, drops each record by itself. Returns the number of panics.
    pub(crate) fn let_go(self: Arc<Self>) -> u64 {
        let collections = Arc::into_inner(self).into_iter().flat_map(|info| info.collections);
        collections.map(|changes| changes.list.drop_each()).sum()
    }

    /// The changes by collection.
    pub(super) fn parts(&self) -> &[CollectionChanges] {
        &self.collections
    }

    /// The same commit with fewer changes.
    pub(super) fn with_parts(&self, collections: Vec<CollectionChanges>) -> Self {
        CommitInfo { collections, ..*self }
    }

    /// The number of changes in all collections.
    pub(super) fn changed(&self) -> usize {
        self.collections.iter().map(|changes| changes.list.len()).sum()
    }

    /// The commit's number.
    pub fn number(&self) -> Commit {
        self.number
    }

    /// The time of the commit, by the store's clock.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The collections that the batch had operations on, by name, with the number of records that changed in each.
    pub fn collections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.collections.iter().map(|changes| (&*changes.name, changes.list.len()))
    }

    /// The net changes in the collection `name`, one per key. Empty if the collection holds another type or was not touched.
    pub fn changes<R: 'static>(&self, name: &str) -> &[RecordChange<R>] {
        self.collections.iter().find(|changes| &*changes.name == name).map_or(&[], CollectionChanges::of_type)
    }
}

impl fmt::Debug for CommitInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collections: Vec<_> = self.collections().collect();
        f.debug_struct("CommitInfo")
            .field("number", &self.number)
            .field("at", &self.at)
            .field("collections", &collections)
            .finish()
    }
}

/// A commit that has not happened yet, as [`CommitHook::prepare`](crate::hook::CommitHook::prepare) sees it. It borrows
/// the records: a hook can read but not keep them, so a refused batch gets them back.
pub struct ProposedCommit {
    number: Commit,
    at: Timestamp,
    collections: Vec<ProposedChanges>,
}

/// The proposed changes in one collection, without their record type: a `Vec<ProposedChange<R>>`.
pub(crate) struct ProposedChanges {
    name: Arc<str>,
    changes: Box<dyn ProposedList>,
}

/// A `Vec<ProposedChange<R>>` without its record type.
pub(super) trait ProposedList: Any + Send + Sync {
    fn len(&self) -> usize;
    /// The record before and after a change.
    #[cfg(feature = "testing")]
    fn images(&self, place: usize) -> [Option<&dyn FieldSource>; 2];
}

impl<R: Record> ProposedList for Vec<ProposedChange<R>> {
    fn len(&self) -> usize {
        self.len()
    }

    #[cfg(feature = "testing")]
    fn images(&self, place: usize) -> [Option<&dyn FieldSource>; 2] {
        let ProposedChange { old, new, expired } = &self[place];
        let [old, new] = [old.as_ref().filter(|_| !expired), Some(new)];
        [old, new]
            .map(|image| image.filter(|version| !version.is_tombstone()).map(|version| &**version as &dyn FieldSource))
    }
}

/// The changes as hooks see them before a commit.
pub(super) fn proposed<R: Record>(changes: &[Change]) -> Box<dyn ProposedList> {
    let version = |version: &SharedVersion| typed::<R>(version.clone());
    let proposed = |change: &Change| {
        let (old, new) = (change.before().and_then(version), version(&change.new)?);
        Some(ProposedChange { old, new, expired: change.expired })
    };
    Box::new(changes.iter().filter_map(proposed).collect::<Vec<_>>())
}

/// The net change of one record in a [`ProposedCommit`].
pub struct ProposedChange<R> {
    old: Option<Arc<Version<R>>>,
    new: Arc<Version<R>>,
    expired: bool,
}

impl<R> ProposedChange<R> {
    /// The key.
    pub fn key(&self) -> &Key {
        &self.new.key
    }

    /// The record before the commit; `None` if there is none, or it has expired.
    pub fn before(&self) -> Option<&R> {
        self.old.as_ref().filter(|_| !self.expired)?.record()
    }

    /// The record after the commit; `None` if the commit deletes it.
    pub fn after(&self) -> Option<&R> {
        self.new.record()
    }
}

impl<R: fmt::Debug> fmt::Debug for ProposedChange<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProposedChange")
            .field("key", self.key())
            .field("before", &self.before())
            .field("after", &self.after())
            .finish()
    }
}

impl ProposedChanges {
    pub(super) fn new(name: Arc<str>, changes: Box<dyn ProposedList>) -> Self {
        ProposedChanges { name, changes }
    }
}

impl ProposedCommit {
    pub(crate) fn new(number: Commit, at: Timestamp, collections: Vec<ProposedChanges>) -> Self {
        ProposedCommit { number, at, collections }
    }

    /// Whether a change in the collection `name` matches a condition before or after the commit. Runs extractors.
    #[cfg(feature = "testing")]
    pub(super) fn any_matches(&self, name: &str, condition: &Condition) -> bool {
        let of_name = self.collections.iter().filter(|changes| &*changes.name == name);
        of_name.into_iter().any(|changes| {
            let images = (0..changes.changes.len()).flat_map(|place| changes.changes.images(place));
            images.flatten().any(|record| condition.holds(record))
        })
    }

    /// The number that the commit gets. If it is refused, the next commit gets the same number.
    pub fn number(&self) -> Commit {
        self.number
    }

    /// The time that the commit gets.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The collections that the batch has operations on, by name, with the number of records that change in each.
    pub fn collections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.collections.iter().map(|changes| (&*changes.name, changes.changes.len()))
    }

    /// The net changes in the collection `name`, one per key. Empty if the collection holds another type or is not touched.
    pub fn changes<R: 'static>(&self, name: &str) -> &[ProposedChange<R>] {
        let of_name = self.collections.iter().find(|changes| &*changes.name == name);
        let list = of_name.and_then(|changes| (&*changes.changes as &dyn Any).downcast_ref::<Vec<ProposedChange<R>>>());
        list.map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for ProposedCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collections: Vec<_> = self.collections().collect();
        f.debug_struct("ProposedCommit")
            .field("number", &self.number)
            .field("at", &self.at)
            .field("collections", &collections)
            .finish()
    }
}
