//! Every bound of the engine by name, so that an error can quote it and a test can stand on either side of it.

pub use memdex_query::limits::*;
use std::time::Duration;

/// Most operations of one batch.
pub const MAX_BATCH_OPERATIONS: usize = 1 << 24;

/// Most rows that one collection ever uses. (Codes of indexed values are no more than rows, and a bit of theirs is needed.)
pub const MAX_ROWS: usize = 1 << 30;

/// Operations that a [`Writer`](crate::Writer) buffers before it flushes, unless told otherwise.
pub const DEFAULT_BULK_SIZE: usize = 100;

/// Operations at which a [`BackgroundWriter`](crate::BackgroundWriter) flushes, unless told otherwise.
pub const DEFAULT_BACKGROUND_BULK_SIZE: usize = 1_000;

/// Gets of a thread for each that is [measured](crate::Stats::latency), about: a get is shorter than two looks at the clock.
pub const GETS_PER_SAMPLE: u32 = 256;

/// How long a submission to a [`BackgroundWriter`](crate::BackgroundWriter) waits for company, unless told otherwise.
pub const DEFAULT_LINGER: Duration = Duration::from_millis(1);

/// Most operations in the queue of a [`BackgroundWriter`](crate::BackgroundWriter), unless told otherwise.
pub const DEFAULT_QUEUED_OPERATIONS: usize = 10_000;

/// Most bytes in the queue of a [`BackgroundWriter`](crate::BackgroundWriter), unless told otherwise.
pub const DEFAULT_QUEUED_BYTES: usize = 64 << 20;

/// Most commits that wait to be delivered to [hooks](crate::CommitHook) before further commits wait for the delivery.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub const MAX_QUEUED_COMMITS: usize = 1_024;
/// Few, so that the checkers reach a full queue.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub const MAX_QUEUED_COMMITS: usize = 2;

/// Most submissions in the queue of a [`BackgroundWriter`](crate::BackgroundWriter), however many operations it takes:
/// there is a place for each from the start, about 100 bytes.
pub const MAX_QUEUED_SUBMISSIONS: usize = 16_384;

/// Refused commits of several submissions after which those that are left are committed one by one: each try looks up
/// all of their keys again.
pub(crate) const TRIES_TOGETHER: usize = 4;

/// Pins that cost one atomic slot each. Further ones go through a map under a lock.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const PIN_SLOTS: usize = 32;
/// Few, so that the checkers reach the overflow with few readers.
#[cfg(memdex_shuttle)]
pub(crate) const PIN_SLOTS: usize = 2;
#[cfg(memdex_loom)]
pub(crate) const PIN_SLOTS: usize = 1;

/// Shards of a key table. Many and small, since a shard stalls its readers while it grows.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const KEY_SHARDS: usize = 1_024;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const KEY_SHARDS: usize = 2;

/// Shards of an equality index's table of values.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const VALUE_SHARDS: usize = 256;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const VALUE_SHARDS: usize = 2;

/// Rows of a page: one lock each.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const PAGE_ROWS: usize = 1_024;
/// Two rows, so that the checkers cross page borders with three keys.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const PAGE_ROWS: usize = 2;

/// Most entries of a leaf of an ordered index: one lock each.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const LEAF_ENTRIES: usize = 256;
/// Two, so that the checkers split and join leaves with three keys.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const LEAF_ENTRIES: usize = 2;

/// A leaf with fewer entries is joined with one beside it, if there is room.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const LEAF_FEW: usize = LEAF_ENTRIES / 8;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const LEAF_FEW: usize = 1;

/// Rows that the build of an index files at a time.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const BUILD_SLICE: usize = 64 * PAGE_ROWS;
/// Few, so that the checkers file six rows in two slices.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const BUILD_SLICE: usize = 2 * PAGE_ROWS;

/// Kept versions that one settle looks at beyond those of its own commit, so that no commit pays for the end of a
/// long snapshot.
pub(crate) const SETTLE_SLICE: usize = 512;
