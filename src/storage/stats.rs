//! Statistics of a store: what it holds, where the memory goes, and what pinned snapshots retain.

use super::answers::CacheStats;
use super::eviction::{EvictionPolicy, Usage};
use super::feed::SubscriptionStats;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::latency::LatencyStats;
use crate::record::IndexKind;

/// Statistics of a store, from [`Store::stats`](crate::Store::stats). The parts are collected one after the other
/// without blocking commits, so they may differ by a commit in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// The newest published commit, which is also the number of commits.
    pub commits: u64,
    /// The oldest pinned commit.
    pub oldest_pin: Option<Commit>,
    /// Distinct pinned commits.
    pub pinned_commits: usize,
    /// Refused batches, and operations that lenient commits left out.
    pub refusals: u64,
    /// Operations that were never committed: their writer was dropped on a panicking thread or could not flush them, or a
    /// background writer returned them to a ticket that had been dropped.
    pub lost_operations: u64,
    /// Panics in the `Drop` of records, closures, errors and keys that the store drops, and in the `heap_size` of reclaimed
    /// records.
    pub drop_panics: u64,
    /// Panics in commit hooks and observers, except in `prepare`, where a panic refuses the batch; and in the filters of subscriptions,
    /// which pass the change on then.
    pub hook_panics: u64,
    /// Panics in `tracing` subscribers, and in the `Display` of your errors while a subscriber formats them.
    pub subscriber_panics: u64,
    /// Why the store refuses writes, if a bug of memdex has made a commit fail.
    pub poisoned: Option<String>,
    /// Latencies of calls, since the store was created or [`Store::take_latency`](crate::Store::take_latency) was
    /// called.
    pub latency: LatencyStats,
    /// Memory of all collections together, now and at its peak.
    pub memory: MemoryUse,
    /// The subscriptions, in the order in which they were started.
    pub subscriptions: Vec<SubscriptionStats>,
    /// The cache of query results.
    pub cache: CacheStats,
    /// The collections, in the order in which they were opened.
    pub collections: Vec<CollectionStats>,
}

/// Memory of all collections of a store, in bytes: the sum of their [`MemoryStats::total`].
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// # (0..10_000).try_for_each(|id| users.store(User { id, city: id.to_string() }).map(drop))?;
/// let full = store.stats().memory.now;
/// users.delete_where(user::CITY.ne("Bern"))?;
/// store.optimize()?;
/// let memory = store.stats().memory;
/// assert!(memory.now < full / 2 && memory.peak >= full);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MemoryUse {
    /// In use now.
    pub now: usize,
    /// The highest value that `now` has had. It is updated after each commit, also if nobody calls `stats`. Memory that a
    /// commit uses only while it runs is not included.
    pub peak: usize,
}

/// Statistics of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CollectionStats {
    /// The name of the collection.
    pub name: String,
    /// Records at the newest published commit, with those that have expired and are not removed yet.
    pub records: usize,
    /// Records with a lifetime.
    pub with_lifetime: usize,
    /// Those of them that have expired and are not removed yet; where reads extend lifetimes, at most.
    pub expired: usize,
    /// A time before which none of these expires; `None` if there are none. If it is long past, nobody removes what has expired: see
    /// [`Store::expire_now`](crate::Store::expire_now).
    pub next_deadline: Option<Timestamp>,
    /// The bound, if the collection has one. It does not count records that only snapshots see: see `versions_retained`.
    pub bound: Option<BoundStats>,
    /// Row numbers ever used, up to the highest one in use at the last [`optimize`](crate::Store::optimize).
    pub rows_used: usize,
    /// Row numbers available for new records.
    pub rows_free: usize,
    /// The indexes, in the order in which they were added.
    pub indexes: Vec<IndexStats>,
    /// The materialized aggregates, in the order in which they were added.
    pub aggregates: Vec<AggregateStats>,
    /// Older versions and tombstones that are retained because a pinned commit sees them.
    pub versions_retained: usize,
    /// Marks (change sets of commits) that are retained because an older commit is pinned.
    pub marks: usize,
    /// Lengths that are retained because a pinned commit sees them.
    pub lengths_retained: usize,
    /// Older results of groups that are retained because a pinned commit sees them.
    pub results_retained: usize,
    /// Memory by part.
    pub memory: MemoryStats,
}

/// The [`Bound`](crate::write::Bound) of a collection, and how far it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BoundStats {
    /// The most records, or the greatest weight.
    pub limit: u64,
    /// Whether the bound is a weight. Otherwise each record weighs 1.
    pub by_weight: bool,
    /// Which records leave first.
    pub policy: EvictionPolicy,
    /// The weight of all records, with those that have expired and are not removed yet.
    pub weight: u64,
    /// The weight of the protected records.
    pub protected: u64,
    /// How many records were evicted since the collection got a bound. Records that had expired are not counted.
    pub evictions: u64,
}

impl From<Usage> for BoundStats {
    fn from(Usage { limit, by_weight, policy, weight, protected, evictions }: Usage) -> Self {
        BoundStats { limit, by_weight, policy, weight, protected, evictions }
    }
}

/// Statistics of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct IndexStats {
    /// The name of the index.
    pub name: String,
    /// The kind of the index.
    pub kind: IndexKind,
    /// The number of distinct values that have records; `None` for an ordered index.
    pub distinct: Option<usize>,
    /// The memory that readers share, in bytes.
    pub bytes: usize,
}

/// Statistics of a materialized aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AggregateStats {
    /// The name of the aggregate.
    pub name: String,
    /// The number of groups that have records.
    pub groups: usize,
    /// The memory that readers share, in bytes.
    pub bytes: usize,
}

/// Memory of a collection by part, in bytes, without the overhead of the allocator. Commits count it as they change it,
/// so reading it costs O(1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MemoryStats {
    /// The records, without their heap memory.
    pub records: usize,
    /// The heap memory of the records, such as their strings: the sum of [`Record::heap_size`](crate::Record::heap_size),
    /// which is measured when a record is stored, and again when the store drops it.
    pub record_heap: usize,
    /// The rest of each version: reference counts, commit, row, hash and key.
    pub versions: usize,
    /// Key → version.
    pub key_table: usize,
    /// Row → version.
    pub row_pages: usize,
    /// Value → rows of all indexes, and the set of all rows.
    pub indexes: usize,
    /// Groups and their metrics, of all materialized aggregates.
    pub aggregates: usize,
    /// Row → value, of fields with a column.
    pub columns: usize,
    /// Row → the values or codes under which each index holds it.
    pub back_references: usize,
    /// Row → deadline, of records with a lifetime.
    pub deadlines: usize,
    /// Row → weight and place in the order of eviction, in a collection with a bound.
    pub eviction: usize,
    /// Marks, the lists of retained versions, and the list of free rows.
    pub bookkeeping: usize,
}

impl MemoryStats {
    /// All memory except the records and their heap memory.
    pub fn overhead(&self) -> usize {
        let shared = self.key_table + self.row_pages + self.indexes + self.aggregates + self.columns;
        self.versions + shared + self.back_references + self.deadlines + self.eviction + self.bookkeeping
    }

    /// Everything counted above.
    pub fn total(&self) -> usize {
        self.record_heap.saturating_add(self.records + self.overhead())
    }
}
