//! The shared side: postings in shards by the hash of their value.

use super::super::cardinality;
use super::super::changes::NULL;
use super::super::read::{Index, IndexHead};
use crate::hash::{self, shard, spread};
use crate::memory::HeapBytes;
use crate::rowset::RowSet;
use crate::sync::{Arc, RwLock};
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};

/// The code of the missing value.
pub(super) const NULL_CODE: u32 = NULL;

/// The rows that hold one value.
pub(super) struct Posting {
    pub(super) value: Value,
    pub(super) hash: u32,
    pub(super) code: u32,
    pub(super) rows: RwLock<RowSet>,
}

impl Posting {
    pub(super) fn new(value: Value, hash: u32, code: u32) -> Arc<Self> {
        Arc::new(Posting { value, hash, code, rows: RwLock::new(RowSet::new()) })
    }

    /// The heap bytes of a posting without rows.
    pub(super) fn empty_bytes(&self) -> usize {
        16 + size_of::<Posting>() + self.value.heap_bytes()
    }
}

pub(super) type Entries = HashTable<Arc<Posting>>;

#[repr(align(64))]
struct Shard(RwLock<Entries>);

pub(super) struct EqualityIndex {
    head: IndexHead,
    shards: Box<[Shard]>,
    pub(super) null: Arc<Posting>,
    pub(super) bytes: HeapBytes,
}

impl EqualityIndex {
    pub(super) fn new(head: IndexHead) -> Self {
        let shards: Box<[_]> = (0..head.shards).map(|_| Shard(RwLock::new(Entries::new()))).collect();
        let null = Posting::new(Value::NULL, 0, NULL_CODE);
        let bytes = HeapBytes::new(shards.len() * size_of::<Shard>() + null.empty_bytes());
        EqualityIndex { head, shards, null, bytes }
    }

    pub(super) fn shard(&self, hash: u32) -> &RwLock<Entries> {
        &self.shards[shard(hash, self.shards.len())].0
    }

    /// The posting of a value. By reference count, so that no two guards are held at once.
    fn posting(&self, value: ValueRef<'_>) -> Option<Arc<Posting>> {
        if value.is_null() {
            return Some(self.null.clone());
        }
        let hash = hash::short(&self.head.seed, &value);
        let entries = self.shard(hash).read();
        entries.find(spread(hash), |p| p.hash == hash && p.value.as_ref() == value).cloned()
    }

    /// How many values each shard has.
    fn values_of_shards(&self) -> impl ExactSizeIterator<Item = usize> {
        self.shards.iter().map(|shard| shard.0.read().len())
    }

    /// Gives unused memory of a shard back, and compacts its row sets. Returns its work; `None` past the last.
    pub(super) fn tidy_shard(&self, at: usize) -> Option<usize> {
        let shard = self.shards.get(at)?;
        let mut work = 1 + self.bytes.track(&mut *shard.0.write(), Entries::allocation_size, |entries| {
            hash::shrink(entries, |p| spread(p.hash))
        });
        let mut compact = |posting: &Posting| {
            self.edit(posting, RowSet::compact);
            // A row set is read in cache lines.
            work += 2 + posting.rows.read().heap_bytes() / 64;
        };
        let postings: Vec<Arc<Posting>> = shard.0.read().iter().cloned().collect();
        postings.iter().for_each(|posting| compact(posting));
        if at == 0 {
            compact(&self.null);
        }
        Some(work)
    }

    /// Changes the rows of a posting.
    #[inline]
    pub(super) fn edit<T>(&self, posting: &Posting, change: impl FnOnce(&mut RowSet) -> T) -> T {
        self.bytes.track(&mut *posting.rows.write(), RowSet::heap_bytes, change)
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let tables = self.shards.iter().map(|shard| size_of::<Shard>() + shard.0.read().allocation_size());
        let mut bytes = tables.sum();
        self.each(|posting| bytes += posting.empty_bytes() + posting.rows.read().heap_bytes());
        bytes
    }

    /// Passes every posting, that of the missing value first.
    pub(super) fn each(&self, mut visit: impl FnMut(&Arc<Posting>)) {
        visit(&self.null);
        for shard in &self.shards {
            shard.0.read().iter().for_each(&mut visit);
        }
    }
}

impl Index for EqualityIndex {
    fn head(&self) -> &IndexHead {
        &self.head
    }

    fn rows(&self, value: ValueRef<'_>) -> RowSet {
        self.posting(value).map_or_else(RowSet::new, |posting| posting.rows.read().clone())
    }

    fn count(&self, value: ValueRef<'_>) -> usize {
        self.posting(value).map_or(0, |posting| posting.rows.read().len())
    }

    fn distinct(&self) -> Option<usize> {
        Some(self.values_of_shards().sum())
    }

    fn distinct_estimate(&self) -> usize {
        cardinality::of_shards(self.values_of_shards())
    }

    fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }
}
