//! A copy of the committer's counters, so that reading statistics never waits for a commit.

use crate::sync::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
    Tally,
};

/// See the module documentation.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) rows_used: AtomicU64,
    pub(super) rows_free: AtomicU64,
    pub(super) kept: AtomicU64,
    pub(super) key_bytes: AtomicU64,
    pub(super) code_bytes: AtomicU64,
    pub(super) index_writer_bytes: AtomicU64,
    pub(super) aggregate_writer_bytes: AtomicU64,
    pub(super) column_writer_bytes: AtomicU64,
    pub(super) bookkeeping_bytes: AtomicU64,
    /// All bytes above, and those of versions.
    pub(super) counted: Tally,
    /// The part of `counted` that the store's total includes.
    summed: Tally,
    /// Whether the collection was dropped. Set under the commit lock.
    dropped: AtomicBool,
}

impl Figures {
    pub(super) fn set_dropped(&self) {
        self.dropped.store(true, SeqCst);
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(SeqCst)
    }

    /// The change of the counted bytes since the last call, wrapping around. A dropped collection counts as 0 bytes.
    /// The caller holds the commit lock.
    pub(super) fn newly_counted(&self) -> u64 {
        let counted = if self.is_dropped() { 0 } else { self.counted.load(Relaxed) };
        let change = counted.wrapping_sub(self.summed.load(Relaxed));
        self.summed.store(counted, Relaxed);
        change
    }
}
