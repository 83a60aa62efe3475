//! One state of one row. It is immutable; the row page knows its predecessors and successors.
//!
//! Epochs from the version's `begin` up to, but excluding, the `begin` of the next newer retained version see it. So no
//! `until` is stored: if versions between the two were reclaimed, no pinned epoch lies there, and no later pin can,
//! since new pins are never older than `published`.

use super::deadline::Deadline;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::rowset::Row;
use crate::sync::Arc;
use crate::user_code;
use memdex_query::value::Key;
use std::mem::needs_drop;
use std::ops::Deref;

/// All of a version but its record. In this order, the fields that a lookup compares share a cache line with the reference counts.
#[repr(C)]
pub(crate) struct Head {
    /// The commit that wrote it.
    pub(crate) begin: Commit,
    pub(crate) row: Row,
    /// The hash of the key. It fills alignment padding, and saves the key table from storing hashes.
    pub(crate) hash: u32,
    /// When its record expires, and how often it was used.
    pub(crate) deadline: Deadline,
    pub(crate) key: Key,
}

#[repr(C)]
pub(crate) struct Version<R> {
    pub(super) head: Head,
    pub(super) stored: Stored<R>,
}

/// The record of a version.
pub(super) enum Stored<R> {
    /// A tombstone.
    Gone,
    /// A tombstone that hides a record of the base from a fork: it stays as long as the fork.
    Hidden,
    Own(R),
    /// The record that an earlier version owns, written again by this version's commit.
    Restored(Arc<Version<R>>),
    /// A record of the base, which the fork has taken over as it was: it counts as written by its own commit.
    TakenOver(Arc<Version<R>>),
}

impl<R> Deref for Version<R> {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl<R> Version<R> {
    #[inline]
    pub(crate) fn is_tombstone(&self) -> bool {
        matches!(self.stored, Stored::Gone | Stored::Hidden)
    }

    /// `None` for a tombstone.
    #[inline]
    pub(crate) fn record(&self) -> Option<&R> {
        match &self.stored {
            Stored::Own(record) => Some(record),
            Stored::Restored(owner) | Stored::TakenOver(owner) => owner.record(),
            Stored::Gone | Stored::Hidden => None,
        }
    }

    /// The record as far as it counts as memory of its table: not if the base of a fork has it.
    pub(super) fn counted(&self) -> Option<&R> {
        match &self.stored {
            Stored::Own(record) => Some(record),
            Stored::Restored(owner) => owner.record(),
            Stored::TakenOver(_) | Stored::Gone | Stored::Hidden => None,
        }
    }

    /// Moves the record out, unless another version owns it.
    pub(super) fn take_own(&mut self) -> Option<R> {
        match std::mem::replace(&mut self.stored, Stored::Gone) {
            Stored::Own(record) => Some(record),
            other => {
                self.stored = other;
                None
            }
        }
    }

    /// The commit that wrote the record, as conditions and readers see it.
    #[inline]
    pub(crate) fn written(&self) -> Commit {
        if let Stored::TakenOver(owner) = &self.stored { owner.written() } else { self.begin }
    }
}

impl<R> Drop for Version<R> {
    #[inline]
    fn drop(&mut self) {
        if needs_drop::<R>() || !matches!(self.stored, Stored::Own(_)) {
            user_code::drop_while_unwinding(|| std::mem::replace(&mut self.stored, Stored::Gone));
        }
    }
}

/// What a reader sees: the commit that it has pinned, and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) epoch: Commit,
    pub(crate) time: Timestamp,
}

impl At {
    /// All records of a commit, expired or not.
    pub(crate) fn any_time(epoch: Commit) -> Self {
        At { epoch, time: Timestamp::from_micros(i64::MIN) }
    }
}

/// A version with its record, without what these point to.
pub(super) fn version_bytes<R>() -> usize {
    ARC_HEADER + size_of::<Version<R>>()
}

/// The two counts of an `Arc`.
pub(super) const ARC_HEADER: usize = 16;
