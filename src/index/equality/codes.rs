//! The committer's memory: postings by code, and the lists of codes of rows with many values.

use super::super::changes::{ABSENT, NEW, SCRATCH_KEPT};
use super::super::slab::Slab;
use super::postings::{NULL_CODE, Posting};
use crate::hash::{self, shard, spread};
use crate::sync::Arc;
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};
use smallvec::SmallVec;

/// Codes of a row of many values, ascending.
pub(super) type Codes = SmallVec<[u32; 4]>;

pub(super) struct CodeTable {
    /// By code; `None` is free.
    postings: Vec<Option<Arc<Posting>>>,
    /// Codes, by the hashes of their values, sharded as the values are. The committer searches them without a lock, so that its
    /// look-ups overlap.
    by_hash: Box<[HashTable<u32>]>,
    /// Bytes of `by_hash`, maintained because every commit reads it.
    hash_bytes: usize,
    free: Vec<u32>,
    pub(super) lists: Slab<Codes>,
}

/// The values of a batch that are new to the index.
#[derive(Default)]
pub(super) struct NewValues {
    /// Places in `values`.
    by_hash: HashTable<u32>,
    values: Vec<NewValue>,
    /// The code lists of rows with many values, with provisional codes.
    pub(super) lists: Vec<Codes>,
    /// The codes that the new values got.
    pub(super) admitted: Vec<u32>,
}

struct NewValue {
    hash: u32,
    value: Value,
}

fn list_bytes(codes: &Codes) -> usize {
    if codes.spilled() { codes.capacity() * size_of::<u32>() } else { 0 }
}

impl NewValues {
    pub(super) fn clear(&mut self) {
        self.by_hash.clear();
        self.by_hash.shrink_to(SCRATCH_KEPT, |_| 0);
        self.values.clear();
        self.lists.clear();
        self.lists.shrink_to(SCRATCH_KEPT);
        self.admitted.clear();
    }

    /// The provisional code of a value.
    pub(super) fn code(&mut self, hash: u32, value: ValueRef<'_>) -> u32 {
        let same = |at: &u32| {
            let new = &self.values[*at as usize];
            new.hash == hash && new.value.as_ref() == value
        };
        if let Some(known) = self.by_hash.find(spread(hash), same) {
            return NEW | known;
        }
        let at = self.values.len() as u32;
        self.values.push(NewValue { hash, value: value.to_value() });
        self.by_hash.insert_unique(spread(hash), at, |at| spread(self.values[*at as usize].hash));
        NEW | at
    }

    /// The final code for a provisional one.
    pub(super) fn admitted(&self, code: u32) -> u32 {
        if code != ABSENT && code & NEW != 0 { self.admitted[(code & !NEW) as usize] } else { code }
    }
}

impl CodeTable {
    pub(super) fn new(null: Arc<Posting>, shards: usize) -> Self {
        let by_hash = (0..shards).map(|_| HashTable::new()).collect();
        CodeTable { postings: vec![Some(null)], by_hash, hash_bytes: 0, free: Vec::new(), lists: Slab::new(list_bytes) }
    }

    pub(super) fn posting(&self, code: u32) -> Option<&Arc<Posting>> {
        self.postings.get(code as usize)?.as_ref()
    }

    /// The code of a value that has a posting.
    #[inline]
    pub(super) fn code(&self, hash: u32, value: ValueRef<'_>) -> Option<u32> {
        debug_assert!(!value.is_null());
        let is = |posting: &Arc<Posting>| posting.hash == hash && posting.value.as_ref() == value;
        let of_shard = &self.by_hash[shard(hash, self.by_hash.len())];
        let found = of_shard.find(spread(hash), |code| self.postings[*code as usize].as_ref().is_some_and(is));
        found.copied()
    }

    /// The value of a code.
    pub(super) fn value(&self, code: u32) -> Option<ValueRef<'_>> {
        self.posting(code).map(|posting| posting.value.as_ref())
    }

    /// The codes of a row of many values, by its back reference.
    pub(super) fn list(&self, number: u32) -> &[u32] {
        match number {
            NULL_CODE => &[NULL_CODE],
            ABSENT => &[],
            number => self.lists.get(number).map_or(&[], |codes| codes),
        }
    }

    /// Gives every new value a code and a posting, which readers see once it is applied.
    pub(super) fn admit(&mut self, new: &mut NewValues) {
        let NewValues { values, admitted, .. } = new;
        admitted.extend(values.drain(..).map(|new| self.admit_value(new)));
        values.shrink_to(SCRATCH_KEPT);
    }

    fn admit_value(&mut self, new: NewValue) -> u32 {
        let code = self.free.pop().unwrap_or(self.postings.len() as u32);
        let posting = Posting::new(new.value, new.hash, code);
        match self.postings.get_mut(code as usize) {
            Some(free) => *free = Some(posting),
            None => self.postings.push(Some(posting)),
        }
        let CodeTable { postings, by_hash, hash_bytes, .. } = self;
        let shards = by_hash.len();
        let of_shard = &mut by_hash[shard(new.hash, shards)];
        let before = of_shard.allocation_size();
        of_shard.insert_unique(spread(new.hash), code, |code| hash_of(postings, *code));
        *hash_bytes += of_shard.allocation_size() - before;
        code
    }

    /// Frees a code, and returns its posting.
    pub(super) fn remove(&mut self, code: u32) -> Option<Arc<Posting>> {
        let posting = self.postings[code as usize].take()?;
        let shards = self.by_hash.len();
        let of_shard = &mut self.by_hash[shard(posting.hash, shards)];
        let of_code = of_shard.find_entry(spread(posting.hash), |known| *known == code);
        debug_assert!(of_code.is_ok(), "a code is found by its value until it is free");
        if let Ok(known) = of_code {
            known.remove();
        }
        self.free.push(code);
        Some(posting)
    }

    /// O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.list_bytes() + self.hash_bytes + self.lists.heap_bytes()
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let by_hash: usize = self.by_hash.iter().map(HashTable::allocation_size).sum();
        self.list_bytes() + by_hash + self.lists.walk_bytes()
    }

    fn list_bytes(&self) -> usize {
        let postings = self.postings.capacity() * size_of::<Option<Arc<Posting>>>();
        postings + self.by_hash.len() * size_of::<HashTable<u32>>() + self.free.capacity() * 4
    }

    /// Gives unused memory back, but for the shards.
    pub(super) fn shrink(&mut self) {
        while self.postings.last().is_some_and(Option::is_none) {
            self.postings.pop();
        }
        let len = self.postings.len() as u32;
        self.free.retain(|code| *code < len);
        self.postings.shrink_to_fit();
        self.free.shrink_to_fit();
        self.lists.shrink();
    }

    /// Gives unused memory of a shard back. Returns how many entries it moved.
    pub(super) fn shrink_shard(&mut self, at: usize) -> usize {
        let CodeTable { postings, by_hash, hash_bytes, .. } = self;
        let Some(of_shard) = by_hash.get_mut(at) else { return 0 };
        *hash_bytes -= of_shard.allocation_size();
        let moved = hash::shrink(of_shard, |code| hash_of(postings, *code));
        *hash_bytes += of_shard.allocation_size();
        moved
    }
}

fn hash_of(postings: &[Option<Arc<Posting>>], code: u32) -> u64 {
    postings[code as usize].as_ref().map_or(0, |posting| spread(posting.hash))
}
