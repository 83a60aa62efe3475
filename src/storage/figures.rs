//! What only the committer knows, for who wants to know it without waiting for a commit.

use crate::sync::{AtomicU64, Ordering::Relaxed, Tally};

/// What the committer alone knows, copied out so that figures never wait for a commit.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) rows_used: AtomicU64,
    pub(super) rows_free: AtomicU64,
    pub(super) kept: AtomicU64,
    pub(super) key_bytes: AtomicU64,
    pub(super) code_bytes: AtomicU64,
    pub(super) index_writer_bytes: AtomicU64,
    pub(super) standing_writer_bytes: AtomicU64,
    pub(super) column_writer_bytes: AtomicU64,
    pub(super) bookkeeping_bytes: AtomicU64,
    /// All of the bytes above, and those of versions.
    pub(super) counted: Tally,
    /// What the store's sum has of them.
    summed: Tally,
}

impl Figures {
    /// By how much the counted bytes have changed since the last call, wrapping around. Under the commit lock.
    pub(super) fn newly_counted(&self) -> u64 {
        let counted = self.counted.load(Relaxed);
        let change = counted.wrapping_sub(self.summed.load(Relaxed));
        self.summed.store(counted, Relaxed);
        change
    }
}
