//! A copy of the committer's counters, so that reading statistics never waits for a commit.

use super::eviction::Usage;
use super::stats::MemoryStats;
use crate::sync::{AtomicBool, Mutex, Ordering::SeqCst, StatsCounter};

/// See the module documentation.
#[derive(Default)]
pub(super) struct Gauges {
    counts: Mutex<Counts>,
    /// The estimated heap memory of the records.
    record_heap: StatsCounter,
    /// Whether the collection was dropped. Set under the commit lock.
    dropped: AtomicBool,
}

/// The committer's statistics.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) rows_used: usize,
    pub(super) rows_free: usize,
    /// Older versions that pinned readers retain.
    pub(super) kept: usize,
    pub(super) bound: Option<Usage>,
    /// Without the heap memory of the records.
    pub(super) memory: MemoryStats,
}

impl Gauges {
    /// Returns the change of the heap memory of the records.
    pub(super) fn set_dropped(&self) -> i64 {
        self.dropped.store(true, SeqCst);
        self.clear_heap()
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(SeqCst)
    }

    pub(super) fn set(&self, counts: Counts) {
        *self.counts.lock() = counts;
    }

    /// Without the heap memory of the records.
    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock()
    }

    pub(super) fn record_heap(&self) -> usize {
        self.record_heap.load(SeqCst) as usize
    }

    /// Adds the heap memory of the records of a commit, under the commit lock: so it is there before a later commit can
    /// drop one of them. Returns the change.
    pub(super) fn add_heap(&self, bytes: usize) -> i64 {
        self.change_heap(|before| before.saturating_add(bytes as u64))
    }

    /// Subtracts the heap memory of dropped records. Without the commit lock. Returns the change.
    pub(super) fn subtract_heap(&self, bytes: usize) -> i64 {
        self.change_heap(|before| before.saturating_sub(bytes as u64))
    }

    fn change_heap(&self, after: impl Fn(u64) -> u64) -> i64 {
        let before = self.record_heap.fetch_update(SeqCst, SeqCst, |before| Some(after(before))).unwrap_or(0);
        let change = after(before) as i64 - before as i64;
        // Another thread may have dropped the collection meanwhile: one of the two sees the other.
        if self.is_dropped() { change + self.clear_heap() } else { change }
    }

    fn clear_heap(&self) -> i64 {
        -(self.record_heap.swap(0, SeqCst) as i64)
    }
}
