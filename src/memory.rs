//! Memory in use, counted where it changes, so that nothing has to be walked.

use crate::sync::{Ordering::Relaxed, SignedStatsCounter, StatsCounter};

/// The heap bytes of one structure. Changed by one thread at a time: the committer, or the builder of an index.
#[derive(Default)]
pub(crate) struct HeapBytes(StatsCounter);

impl HeapBytes {
    pub(crate) fn new(bytes: usize) -> Self {
        HeapBytes(StatsCounter::new(bytes as u64))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed) as usize
    }

    /// Counts that a part of the structure had `before` bytes and has `after` now.
    #[inline]
    pub(crate) fn change(&self, before: usize, after: usize) {
        // Most changes leave the capacity as it is. Then readers keep the cache line.
        if before != after {
            self.0.store(self.get().wrapping_add(after).wrapping_sub(before) as u64, Relaxed);
        }
    }

    /// Changes a part of the structure, and counts the change of its `size`.
    #[inline]
    pub(crate) fn track<P, T>(&self, part: &mut P, size: impl Fn(&P) -> usize, change: impl FnOnce(&mut P) -> T) -> T {
        let before = size(part);
        let changed = change(part);
        self.change(before, size(part));
        changed
    }
}

/// The memory of all collections of a store.
#[derive(Default)]
pub(crate) struct Total {
    now: SignedStatsCounter,
    peak: StatsCounter,
}

impl Total {
    pub(crate) fn change(&self, by: i64) {
        if by != 0 {
            self.now.fetch_add(by, Relaxed);
        }
    }

    /// The memory in use now, which the peak includes from here on, and the peak.
    pub(crate) fn observe(&self) -> (usize, usize) {
        // A thread may have subtracted what another one is about to add.
        let now = self.now.load(Relaxed).max(0).cast_unsigned();
        let peak = self.peak.load(Relaxed);
        if now > peak {
            self.peak.fetch_max(now, Relaxed);
        }
        (now as usize, now.max(peak) as usize)
    }
}
