//! Statistics of a store: what it holds, where the memory goes, and what pinned snapshots retain.

use super::column::Column;
use super::table::Table;
use super::version::Version;
use crate::error::Commit;
use crate::index::{Index, Materialized};
use crate::latency::LatencyStats;
use crate::record::{IndexKind, Record};
use crate::sync::Ordering::Relaxed;

/// Statistics of a store, from [`Store::stats`](crate::Store::stats). Collected part by part while commits go on, so parts
/// may differ by a commit in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// The newest published commit. Its number is also how many commits there were.
    pub commits: u64,
    /// The oldest pinned commit.
    pub oldest_pin: Option<Commit>,
    /// Distinct pinned commits.
    pub pinned_commits: usize,
    /// Refused batches, and operations that lenient commits left out.
    pub refusals: u64,
    /// Lost operations: writers dropped with operations that could not be flushed, or on a panicking thread, and batches
    /// that a background writer returned to a dropped ticket.
    pub lost_flushes: u64,
    /// Panics in the `Drop` of reclaimed records.
    pub drop_panics: u64,
    /// Panics in commit hooks and observers, but for those in `prepare`, which refuse the batch.
    pub hook_panics: u64,
    /// Why the store refuses writes, if a bug of memdex has damaged it.
    pub damage: Option<String>,
    /// How long calls took, since the store was made or [`Store::take_latency`](crate::Store::take_latency) was called.
    pub latency: LatencyStats,
    /// Memory of all collections together, now and at its peak.
    pub memory: MemoryFigures,
    /// Collection by collection, in the order in which they were opened.
    pub collections: Vec<CollectionStats>,
}

/// Memory of a store's collections, in bytes: the sum of what [`MemoryStats::total`] counts of each.
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
pub struct MemoryFigures {
    /// In use now.
    pub now: usize,
    /// The most that was in use between two commits since the store was made, as far as it was seen; never less than any `now` that
    /// was told.
    ///
    /// Seen is what is in use at each call of [`Store::stats`](crate::Store::stats), when an index has been added, before one is
    /// dropped, at the begin of [`Store::optimize`](crate::Store::optimize), and before a commit by which records leave that are more
    /// than a sixteenth of all there were at the most, if they have never been so many (by a sixteenth, and 64 KiB). So where memory
    /// follows the number of records and of versions that snapshots hold up, the peak is short of the truth by an eighth at most,
    /// and some hundred kilobytes; and above it by a sixteenth at most. Where it does not, as when indexed values grow and shrink
    /// beneath records that stay, a peak between two looks is not seen. What a commit takes while it is under way is not in it.
    pub peak: usize,
}

/// One collection's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CollectionStats {
    /// Its name.
    pub name: String,
    /// Records, as of the newest published commit.
    pub records: usize,
    /// Row numbers ever used.
    pub rows_used: usize,
    /// Row numbers that are free for new records.
    pub rows_free: usize,
    /// Index by index, in the order in which they were made.
    pub indexes: Vec<IndexStats>,
    /// Materialized aggregates, in the order in which they were made.
    pub aggregates: Vec<AggregateStats>,
    /// Older versions and tombstones that are kept because a pinned commit sees them.
    pub versions_kept: usize,
    /// Marks that are kept because a pinned commit lies before them.
    pub marks: usize,
    /// Lengths that are kept because a pinned commit sees them.
    pub lengths_kept: usize,
    /// Older results of groups that are kept because a pinned commit sees them.
    pub figures_kept: usize,
    /// Where the memory goes.
    pub memory: MemoryStats,
}

/// One index's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct IndexStats {
    /// Its name.
    pub name: String,
    /// What it can answer.
    pub kind: IndexKind,
    /// How many distinct values have records; not known of an ordered index.
    pub distinct: Option<usize>,
    /// Its memory that readers share, in bytes.
    pub bytes: usize,
}

/// A materialized aggregate: its groups and its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AggregateStats {
    /// Its name.
    pub name: String,
    /// Groups that have records.
    pub groups: usize,
    /// Its memory that readers share, in bytes.
    pub bytes: usize,
}

/// Memory of a collection by part, in bytes. What records hold on the heap (their strings, say) is theirs and not
/// counted, nor is what the allocator adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MemoryStats {
    /// The records themselves, without what they point to.
    pub records: usize,
    /// Beside each record: reference counts, commit, row, hash and key.
    pub versions: usize,
    /// Key → version.
    pub key_table: usize,
    /// Row → version.
    pub row_pages: usize,
    /// Value → rows, all indexes together, and the set of all rows.
    pub indexes: usize,
    /// Groups and their metrics, of all materialized aggregates together.
    pub aggregates: usize,
    /// Row → value, of fields with a column.
    pub columns: usize,
    /// Row → what each index has filed it under.
    pub codes: usize,
    /// Marks, kept versions' filing, free rows.
    pub bookkeeping: usize,
}

impl MemoryStats {
    /// All of it but the records.
    pub fn overhead(&self) -> usize {
        let shared = self.key_table + self.row_pages + self.indexes + self.aggregates + self.columns;
        self.versions + shared + self.codes + self.bookkeeping
    }

    /// All of it.
    pub fn total(&self) -> usize {
        self.records + self.overhead()
    }
}

pub(crate) fn of_table<R: Record>(table: &Table<R>, published: Commit) -> CollectionStats {
    let figures = &table.figures;
    let indexes: Vec<IndexStats> = table.indexes().iter().map(|index| of_index(&**index)).collect();
    let shared_indexes = indexes.iter().map(|index| index.bytes).sum();
    let aggregates = table.aggregates();
    let aggregate_stats: Vec<AggregateStats> = aggregates.iter().map(|aggregate| of_aggregate(aggregate)).collect();
    let shared_aggregates: usize = aggregate_stats.iter().map(|of| of.bytes).sum();
    CollectionStats {
        name: table.name.to_string(),
        records: table.lengths.newest(|| published),
        rows_used: figures.rows_used.load(Relaxed) as usize,
        rows_free: figures.rows_free.load(Relaxed) as usize,
        indexes,
        aggregates: aggregate_stats,
        versions_kept: figures.kept.load(Relaxed) as usize,
        marks: table.marks.len(),
        lengths_kept: table.lengths.len() - 1,
        figures_kept: aggregates.iter().map(|aggregate| aggregate.older_entries()).sum(),
        memory: memory_of(table, shared_indexes, shared_aggregates),
    }
}

/// Where a table's memory goes, if those of its indexes and materialized aggregates that readers share take so much.
pub(super) fn memory_of<R: Record>(table: &Table<R>, shared_indexes: usize, shared_aggregates: usize) -> MemoryStats {
    let figures = &table.figures;
    let versions = table.keys.len() + figures.kept.load(Relaxed) as usize;
    let beside_record = version_bytes::<R>() - size_of::<Option<R>>();
    MemoryStats {
        records: versions * size_of::<Option<R>>(),
        versions: versions * beside_record + figures.key_bytes.load(Relaxed) as usize,
        key_table: table.keys.heap_bytes(),
        row_pages: table.pages.heap_bytes(),
        indexes: shared_indexes
            + figures.index_writer_bytes.load(Relaxed) as usize
            + table.all_rows.read().heap_bytes(),
        aggregates: shared_aggregates + figures.aggregate_writer_bytes.load(Relaxed) as usize,
        columns: table.columns.iter().map(Column::heap_bytes).sum::<usize>()
            + figures.column_writer_bytes.load(Relaxed) as usize,
        codes: figures.code_bytes.load(Relaxed) as usize,
        bookkeeping: figures.bookkeeping_bytes.load(Relaxed) as usize + table.marks.heap_bytes(),
    }
}

fn of_aggregate(aggregate: &Materialized) -> AggregateStats {
    let name = aggregate.plan.name().to_owned();
    AggregateStats { name, groups: aggregate.groups(), bytes: aggregate.heap_bytes() }
}

fn of_index(index: &dyn Index) -> IndexStats {
    let (name, kind) = (index.name().to_owned(), index.shape.def.kind());
    IndexStats { name, kind, distinct: index.distinct(), bytes: index.heap_bytes() }
}

/// A version with its record, without what these point to.
pub(super) fn version_bytes<R>() -> usize {
    /// The two counts of an `Arc`.
    const HEADER: usize = 16;
    HEADER + size_of::<Version<R>>()
}
