//! Every limit of the engine by name, so that errors can quote it and tests can check both sides of it.

pub use memdex_query::limits::*;
use std::time::Duration;

/// Most operations of one batch.
pub const MAX_BATCH_OPERATIONS: usize = 1 << 24;

/// Most rows of one collection. (There are at most as many value codes as rows, and the engine needs one bit of a code.)
pub const MAX_ROWS: usize = 1 << 30;

/// Most buckets of a sliding window of values. Reading the window looks each of them up.
pub const MAX_WINDOW_BUCKETS: usize = 10_000;

/// Most records that one commit deletes or changes because they refer to others.
pub const MAX_CASCADED: usize = 1 << 20;

/// Most bytes of a block in a saved file: a longer one is not read. A record can have a megabyte less.
#[cfg(feature = "saved")]
pub const MAX_SAVED_BLOCK_BYTES: usize = 256 << 20;

/// Most levels of a record in a saved file.
#[cfg(feature = "saved")]
pub const MAX_SAVED_LEVELS: u32 = 128;

/// A block of a saved file ends after so many bytes, or so many records. One block is one commit of the store that loads it.
#[cfg(feature = "saved")]
pub(crate) const SAVED_BLOCK_BYTES: usize = 1 << 20;
#[cfg(feature = "saved")]
pub(crate) const SAVED_BLOCK_RECORDS: usize = 4_096;

/// Default number of operations that a [`Writer`](crate::Writer) buffers before it flushes.
pub const DEFAULT_BULK_SIZE: usize = 100;

/// Default number of operations at which a [`BackgroundWriter`](crate::BackgroundWriter) flushes.
pub const DEFAULT_BACKGROUND_BULK_SIZE: usize = 1_000;

/// About one in this many gets of a thread is [measured](crate::stats::Stats::latency): reading the clock twice takes longer than
/// a get.
pub const GETS_PER_SAMPLE: u32 = 256;

/// Default time that a [`BackgroundWriter`](crate::BackgroundWriter) waits for more submissions before it flushes.
pub const DEFAULT_LINGER: Duration = Duration::from_millis(1);

/// Default limit of the operations in the queue of a [`BackgroundWriter`](crate::BackgroundWriter).
pub const DEFAULT_QUEUED_OPERATIONS: usize = 10_000;

/// Default limit of the bytes in the queue of a [`BackgroundWriter`](crate::BackgroundWriter).
pub const DEFAULT_QUEUED_BYTES: usize = 64 << 20;

/// Most commits that wait to be delivered to [hooks](crate::hook::CommitHook) before further commits wait for the delivery.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub const MAX_QUEUED_COMMITS: usize = 1_024;
/// Few, so that concurrency checkers reach a full queue.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub const MAX_QUEUED_COMMITS: usize = 2;

/// Most changes of records in the commits that wait to be delivered to [hooks](crate::hook::CommitHook) before further commits wait
/// for the delivery.
pub const MAX_QUEUED_CHANGES: usize = 1 << 17;

/// Default limit of the operations in the queue of a [`Subscription`](crate::hook::Subscription).
pub const DEFAULT_SUBSCRIBED_OPERATIONS: usize = 65_536;

/// Default limit of the bytes in the queue of a [`Subscription`](crate::hook::Subscription).
pub const DEFAULT_SUBSCRIBED_BYTES: usize = 64 << 20;

/// A [`Subscription`](crate::hook::Subscription) with a filter reports its progress after about this many commits without an event.
pub const DEFAULT_PROGRESS_COMMITS: u64 = 10_000;

/// Most submissions in the queue of a [`BackgroundWriter`](crate::BackgroundWriter), for any limit of operations. The queue
/// allocates a slot for each when it is created, about 100 bytes.
pub const MAX_QUEUED_SUBMISSIONS: usize = 16_384;

/// After this many refused commits of a group, its remaining submissions are committed one by one, because each attempt
/// looks up all of their keys again.
pub(crate) const TRIES_TOGETHER: usize = 4;

/// A lenient commit replays an operation on a record at most this often, each time because an earlier operation was left out; if that
/// runs a closure, once.
pub(crate) const MAX_REPLAYS: u8 = 16;

/// Number of pins that use one atomic slot each. Further pins use a map under a lock.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const PIN_SLOTS: usize = 32;
/// Few, so that concurrency checkers reach the overflow map with few readers.
#[cfg(memdex_shuttle)]
pub(crate) const PIN_SLOTS: usize = 2;
#[cfg(memdex_loom)]
pub(crate) const PIN_SLOTS: usize = 1;

/// Shards of a key table. They are many and small, because a shard blocks its readers while it grows.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const KEY_SHARDS: usize = 1_024;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const KEY_SHARDS: usize = 2;

/// Shards of an equality index's table of values.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const VALUE_SHARDS: usize = 256;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const VALUE_SHARDS: usize = 2;

/// Slots for pins of a fork, which few threads read.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const FORK_PIN_SLOTS: usize = 4;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const FORK_PIN_SLOTS: usize = 1;

/// Shards of the key table and of the indexes of a fork's own records, which are few.
pub(crate) const FORK_SHARDS: usize = 1;

/// Most records that one commit of a fork takes over from its base.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const TAKEN_OVER_A_COMMIT: usize = 8_192;
/// Few, so that concurrency checkers take three records over in two commits.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const TAKEN_OVER_A_COMMIT: usize = 2;

/// Rows of a page; each page has one lock.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const PAGE_ROWS: usize = 1_024;
/// Two rows, so that concurrency checkers cross page boundaries with three keys.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const PAGE_ROWS: usize = 2;

/// Most entries of a leaf of an ordered index; each leaf has one lock.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const LEAF_ENTRIES: usize = 256;
/// Two, so that concurrency checkers split and merge leaves with three keys.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const LEAF_ENTRIES: usize = 2;

/// A leaf with fewer entries is merged with its neighbour, if both fit in one leaf.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const LEAF_FEW: usize = LEAF_ENTRIES / 8;
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const LEAF_FEW: usize = 1;

/// Rows that the build of an index inserts in one slice.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const BUILD_SLICE: usize = 64 * PAGE_ROWS;
/// Few, so that concurrency checkers insert six rows in two slices.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const BUILD_SLICE: usize = 2 * PAGE_ROWS;

/// Work of upkeep in one turn of the commit lock, in entries that move to another place: 50 to 100 ns each.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const UPKEEP_WORK: usize = 8_192;
/// One slice, so that commits get between any two.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const UPKEEP_WORK: usize = 1;

/// Number of retained versions that one reclamation pass checks in addition to those of its own commit, so that no commit
/// pays for the end of a long snapshot.
pub(crate) const RECLAIM_SLICE: usize = 512;

/// An answer with more records is not cached, and statistics of more records are dropped by each commit that concerns them.
pub const MAX_CACHED_RECORDS: usize = 65_536;

/// An audit evaluates the conditions of cached answers at most so often for each collection.
pub const MAX_AUDITED_EVALUATIONS: usize = 50_000_000;

/// Most records that match a query which is [watched](crate::hook::watch).
pub const MAX_WATCHED_RECORDS: usize = 1 << 20;

/// Updates that a [watch](crate::hook::watch) keeps for those who read it slowly. Older ones are joined to one.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub const KEPT_UPDATES: usize = 1_024;
/// Few, so that concurrency checkers join updates.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub const KEPT_UPDATES: usize = 1;

/// Differences in the updates that a [watch](crate::hook::watch) keeps.
pub const KEPT_DIFFERENCES: usize = 1 << 16;

/// Changes of a collection that are remembered for cached answers to questions that commits do not look at.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) const LOGGED_CHANGES: usize = 4_096;
/// Few, so that concurrency checkers reach the end of the log.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) const LOGGED_CHANGES: usize = 3;

/// Most faults that a store lists; it forgets the oldest.
#[cfg(feature = "testing")]
pub const MAX_LISTED_FAULTS: usize = 1 << 16;

/// Most records that one commit removes because they have expired.
pub(crate) const EXPIRED_A_COMMIT: usize = 100;

/// Most records that one commit evicts in addition to those that it must, while a collection shrinks to a new bound.
pub(crate) const EVICTED_A_COMMIT: usize = 100;

/// The thread that removes expired records looks at the clock after this time.
pub(crate) const LOOK_AT_CLOCK: Duration = Duration::from_millis(5);

/// The largest heap size of one record that statistics of memory believe, in bytes: 128 TiB. It keeps sums from overflowing.
pub(crate) const LARGEST_HEAP: usize = 1 << 47;
