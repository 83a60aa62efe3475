//! The shared side: postings in shards by the hash of their value.

use super::super::cardinality;
use super::super::changes::NULL;
use super::super::read::{Index, IndexHead};
use crate::hash::{self, shard, spread};
use crate::limits::VALUE_SHARDS;
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
}

pub(super) type Entries = HashTable<Arc<Posting>>;

#[repr(align(64))]
struct Shard(RwLock<Entries>);

pub(super) struct EqualityIndex {
    head: IndexHead,
    shards: Box<[Shard]>,
    pub(super) null: Arc<Posting>,
}

impl EqualityIndex {
    pub(super) fn new(head: IndexHead) -> Self {
        let shards = (0..VALUE_SHARDS).map(|_| Shard(RwLock::new(Entries::new()))).collect();
        EqualityIndex { head, shards, null: Posting::new(Value::NULL, 0, NULL_CODE) }
    }

    pub(super) fn shard(&self, hash: u32) -> &RwLock<Entries> {
        &self.shards[shard(hash, VALUE_SHARDS)].0
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

    /// Gives unused memory of a shard back, and compacts its row sets. `false` past the last.
    pub(super) fn tidy_shard(&self, at: usize) -> bool {
        let Some(shard) = self.shards.get(at) else { return false };
        shard.0.write().shrink_to_fit(|p| spread(p.hash));
        let postings: Vec<Arc<Posting>> = shard.0.read().iter().cloned().collect();
        postings.iter().for_each(|posting| posting.rows.write().compact());
        if at == 0 {
            self.null.rows.write().compact();
        }
        true
    }

    /// Passes every posting, that of the missing value first.
    pub(super) fn each(&self, mut visit: impl FnMut(&Posting)) {
        visit(&self.null);
        for shard in &self.shards {
            shard.0.read().iter().for_each(|posting| visit(posting));
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
        let posting = |p: &Arc<Posting>| 16 + size_of::<Posting>() + p.value.heap_bytes() + p.rows.read().heap_bytes();
        let shards = self.shards.iter().map(|shard| {
            let entries = shard.0.read();
            size_of::<Shard>() + entries.allocation_size() + entries.iter().map(posting).sum::<usize>()
        });
        posting(&self.null) + shards.sum::<usize>()
    }
}
