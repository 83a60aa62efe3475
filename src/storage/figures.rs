//! What only the committer knows, for who wants to know it without waiting for a commit.

use crate::sync::AtomicU64;

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
}
