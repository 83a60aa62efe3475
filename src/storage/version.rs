//! One state of one row. It is immutable; the row page knows its predecessors and successors.
//!
//! Epochs from the version's `begin` up to, but excluding, the `begin` of the next newer retained version see it. So no
//! `until` is stored: if versions between the two were reclaimed, no pinned epoch lies there, and no later pin can,
//! since new pins are never older than `published`.

use crate::clock::Timestamp;
use crate::error::Commit;
use crate::rowset::Row;
use crate::storage::deadline::Deadline;
use crate::storage::eviction::Measured;
use crate::storage::fork::BaseRow;
use crate::sync::Arc;
use crate::user_code;
use memdex_query::value::Key;
use std::mem::needs_drop;

/// In this order, the fields that a lookup compares share a cache line with the reference counts.
#[repr(C)]
pub(crate) struct Version<R> {
    /// The commit that wrote it.
    pub(crate) begin: Commit,
    pub(crate) row: Row,
    /// The hash of the key. It fills alignment padding, and saves the key table from storing hashes.
    pub(crate) hash: u32,
    /// When its record expires, and how often it was used.
    pub(crate) deadline: Deadline,
    pub(crate) key: Key,
    pub(crate) stored: Stored<R>,
}

/// The record of a version.
pub(crate) enum Stored<R> {
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

impl<R> Stored<R> {
    /// The record of `version` again, without a copy of it.
    pub(crate) fn restored(version: &Arc<Version<R>>) -> Self {
        match &version.stored {
            Stored::Restored(owner) => Stored::Restored(owner.clone()),
            _ => Stored::Restored(version.clone()),
        }
    }

    /// The record as far as it counts as memory of its table: not if the base of a fork has it.
    pub(crate) fn counted(&self) -> Option<&R> {
        match self {
            Stored::Own(record) => Some(record),
            Stored::Restored(owner) => owner.record(),
            Stored::TakenOver(_) | Stored::Gone | Stored::Hidden => None,
        }
    }

    /// Moves the record out, unless another version owns it.
    pub(crate) fn take_own(&mut self) -> Option<R> {
        match std::mem::replace(self, Stored::Gone) {
            Stored::Own(record) => Some(record),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<R> Version<R> {
    #[inline]
    pub(crate) fn is_tombstone(&self) -> bool {
        matches!(self.stored, Stored::Gone | Stored::Hidden)
    }

    /// Whether it can go once no reader sees a version before it.
    pub(crate) fn is_removable(&self) -> bool {
        matches!(self.stored, Stored::Gone)
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

    /// The version that owns the record, if it is another one.
    pub(crate) fn owner(&self) -> Option<&Arc<Version<R>>> {
        if let Stored::Restored(owner) | Stored::TakenOver(owner) = &self.stored { Some(owner) } else { None }
    }

    /// The commit that wrote the record, as conditions and readers see it.
    #[inline]
    pub(crate) fn written(&self) -> Commit {
        if let Stored::TakenOver(owner) = &self.stored { owner.written() } else { self.begin }
    }

    /// Has readers' uses counted, after those of the version before. Writing a record that is there is a use of it.
    pub(crate) fn count_uses_after(&self, before: Option<&Self>) {
        let uses = before.filter(|before| !before.is_tombstone()).map_or(0, |before| before.deadline.uses() + 1);
        self.deadline.set_uses(uses);
    }

    /// Whether it has a record that has not expired.
    #[inline]
    pub(crate) fn is_alive(&self, time: Timestamp) -> bool {
        !self.is_tombstone() && !self.deadline.is_past(time)
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

/// The net change of one key.
pub(crate) struct Change<R> {
    /// Whether the old record had expired at the time of the commit.
    pub(crate) expired: bool,
    /// Whether the record leaves because of the bound of the collection.
    pub(crate) evicted: bool,
    /// What the bound of the collection knows of the new record.
    pub(crate) measured: Option<Measured>,
    /// The version before in the table.
    pub(crate) old: Option<Arc<Version<R>>>,
    /// The version before in the base of a fork, if the table has none: the change covers its row.
    pub(crate) under: Option<(BaseRow, Arc<Version<R>>)>,
    pub(crate) new: Arc<Version<R>>,
}

impl<R> Change<R> {
    pub(crate) fn row(&self) -> Row {
        self.new.row
    }

    /// The version before.
    pub(crate) fn before(&self) -> Option<&Arc<Version<R>>> {
        self.old.as_ref().or(self.under.as_ref().map(|(_, under)| under))
    }

    pub(crate) fn had_record(&self) -> bool {
        self.before().is_some_and(|before| !before.is_tombstone())
    }
}

/// A version with its record, without what these point to.
pub(super) fn version_bytes<R>() -> usize {
    /// The two counts of an `Arc`.
    const HEADER: usize = 16;
    HEADER + size_of::<Version<R>>()
}
