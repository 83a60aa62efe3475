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
    /// `None` for a tombstone.
    pub(crate) record: Option<R>,
}

impl<R> Version<R> {
    pub(crate) fn is_tombstone(&self) -> bool {
        self.record.is_none()
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
        if needs_drop::<R>() {
            user_code::drop_while_unwinding(|| self.record.take());
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
    pub(crate) old: Option<Arc<Version<R>>>,
    pub(crate) new: Arc<Version<R>>,
}

impl<R> Change<R> {
    pub(crate) fn row(&self) -> Row {
        self.new.row
    }

    pub(crate) fn had_record(&self) -> bool {
        self.old.as_ref().is_some_and(|old| !old.is_tombstone())
    }
}

/// A version with its record, without what these point to.
pub(super) fn version_bytes<R>() -> usize {
    /// The two counts of an `Arc`.
    const HEADER: usize = 16;
    HEADER + size_of::<Version<R>>()
}
