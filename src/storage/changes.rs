//! Views of a commit for hooks: `ProposedCommit` before it, `CommitInfo` after it.

use super::handle::Handle;
use super::version::{Change, Version};
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::sync::Arc;
use crate::user_code;
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

pub(crate) struct CollectionChanges {
    name: Arc<str>,
    len: usize,
    changes: Box<dyn ChangeList>,
}

/// A `Vec<RecordChange<R>>` without its record type.
trait ChangeList: Any + Send + Sync {
    /// Drops each record by itself. Returns the number of panics.
    fn drop_each(self: Box<Self>) -> u64;
}

impl<R: Send + Sync + 'static> ChangeList for Vec<RecordChange<R>> {
    fn drop_each(self: Box<Self>) -> u64 {
        user_code::drop_each(self.into_iter().flat_map(|change| [change.before, change.after]))
    }
}

/// The net change of one record in a commit.
#[derive(Debug)]
#[non_exhaustive]
pub struct RecordChange<R> {
    /// The key.
    pub key: Key,
    /// The record before the commit; `None` if there was none.
    pub before: Option<Handle<R>>,
    /// The record after the commit; `None` if it was deleted or has expired.
    pub after: Option<Handle<R>>,
    /// Whether the record before had [expired](crate::write::Lifetime). If the commit has stored another one under the key, that is the next
    /// change.
    pub expired: bool,
}

impl<R> Clone for RecordChange<R> {
    fn clone(&self) -> Self {
        RecordChange {
            key: self.key.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            expired: self.expired,
        }
    }
}

impl<R> RecordChange<R> {
    /// The change as an operation sees it: a record that has expired is missing.
    pub(crate) fn of(change: &Change<R>) -> Self {
        let before = change.old.as_ref().filter(|_| !change.expired);
        RecordChange {
            key: change.new.key.clone(),
            before: before.cloned().and_then(Handle::of),
            after: Handle::of(change.new.clone()),
            expired: false,
        }
    }

    /// The change as it is told: a record that has expired leaves first.
    pub(super) fn of_change(change: &Change<R>) -> impl Iterator<Item = Self> {
        let expired = change.old.as_ref().filter(|_| change.expired).map(|old| RecordChange {
            key: old.key.clone(),
            before: Handle::of(old.clone()),
            after: None,
            expired: true,
        });
        let is_all = expired.is_some() && change.new.is_tombstone();
        expired.into_iter().chain((!is_all).then(|| RecordChange::of(change)))
    }
}

impl CollectionChanges {
    pub(super) fn new<R: Send + Sync + 'static>(name: Arc<str>, changes: Vec<RecordChange<R>>) -> Self {
        CollectionChanges { name, len: changes.len(), changes: Box::new(changes) }
    }
}

impl CommitInfo {
    pub(crate) fn new(number: Commit, at: Timestamp, collections: Vec<CollectionChanges>) -> Self {
        CommitInfo { number, at, collections }
    }

    /// Drops each record by itself. Returns the number of panics.
    pub(super) fn drop_each(self) -> u64 {
        self.collections.into_iter().map(|changes| changes.changes.drop_each()).sum()
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
        self.collections.iter().map(|changes| (&*changes.name, changes.len))
    }

    /// The net changes in the collection `name`, one per key. Empty if the collection holds another type or was not touched.
    pub fn changes<R: 'static>(&self, name: &str) -> &[RecordChange<R>] {
        let of_name = self.collections.iter().find(|changes| &*changes.name == name);
        let list = of_name.and_then(|changes| (&*changes.changes as &dyn Any).downcast_ref::<Vec<RecordChange<R>>>());
        list.map_or(&[], Vec::as_slice)
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
    len: usize,
    changes: Box<dyn Any + Send + Sync>,
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
        self.old.as_ref().filter(|_| !self.expired)?.record.as_ref()
    }

    /// The record after the commit; `None` if the commit deletes it.
    pub fn after(&self) -> Option<&R> {
        self.new.record.as_ref()
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
    pub(crate) fn new<R: Send + Sync + 'static>(name: Arc<str>, changes: &[Change<R>]) -> Self {
        let proposed = |change: &Change<R>| ProposedChange {
            old: change.old.clone(),
            new: change.new.clone(),
            expired: change.expired,
        };
        let list: Vec<ProposedChange<R>> = changes.iter().map(proposed).collect();
        ProposedChanges { name, len: list.len(), changes: Box::new(list) }
    }
}

impl ProposedCommit {
    pub(crate) fn new(number: Commit, at: Timestamp, collections: Vec<ProposedChanges>) -> Self {
        ProposedCommit { number, at, collections }
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
        self.collections.iter().map(|changes| (&*changes.name, changes.len))
    }

    /// The net changes in the collection `name`, one per key. Empty if the collection holds another type or is not touched.
    pub fn changes<R: 'static>(&self, name: &str) -> &[ProposedChange<R>] {
        let of_name = self.collections.iter().find(|changes| &*changes.name == name);
        let list = of_name.and_then(|changes| changes.changes.downcast_ref::<Vec<ProposedChange<R>>>());
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
