//! The unique index: value → row, at most one. Of several fields a value is their tuple.
//!
//! A look-up costs two steps to memory: an entry holds its value and its row side by side in the table. What the committer
//! remembers of a row is the hash of its value: with the row it names the entry. Rows without a value, or with a tuple of which a
//! part is missing, are free of uniqueness and stand in a row set of their own.
//!
//! A batch is judged by its net result, so that two records can swap their values.

use super::moves::{ABSENT, Move, NULL, ROOM_KEPT};
use super::shape::Entry;
use crate::hash::{self, RandomState, shard, spread};
use crate::limits::VALUE_SHARDS;
use crate::rowset::{Row, RowSet};
use crate::sync::RwLock;
use crate::value::{Value, ValueRef};
use hashbrown::HashTable;
use std::collections::HashSet;

struct Holder {
    value: Value,
    hash: u32,
    row: Row,
}

#[repr(align(64))]
struct Shard(RwLock<HashTable<Holder>>);

pub(crate) struct UniqueIndex {
    shards: Box<[Shard]>,
    null: RwLock<RowSet>,
}

/// The committer remembers words alone: [`NULL`], [`ABSENT`], or a hash, which is never one of these.
fn hash_of(seed: &RandomState, value: &ValueRef<'_>) -> u32 {
    match hash::short(seed, value) | 1 {
        ABSENT => ABSENT - 2,
        hash => hash,
    }
}

fn is_hash(word: &u32) -> bool {
    *word != NULL && *word != ABSENT
}

/// The values that a batch gives to rows which did not have them.
#[derive(Default)]
pub(crate) struct UniqueStaging {
    by_hash: HashTable<u32>,
    claims: Vec<Claim>,
}

impl UniqueStaging {
    pub(crate) fn clear(&mut self) {
        self.by_hash.clear();
        self.by_hash.shrink_to(ROOM_KEPT, |_| 0);
        self.claims.clear();
        self.claims.shrink_to(ROOM_KEPT);
    }
}

struct Claim {
    /// Which change of the batch makes it.
    change: usize,
    hash: u32,
    value: Value,
    /// The row had another value with the same hash.
    collides: bool,
}

/// Two records with one value: the change at fault, and who has it.
pub(crate) struct Clash {
    pub(crate) change: usize,
    pub(crate) value: Value,
    pub(crate) other: Other,
}

pub(crate) enum Other {
    /// A change of the same batch.
    Change(usize),
    /// A row that the batch leaves as it is.
    Row(Row),
}

impl UniqueIndex {
    pub(crate) fn new() -> Self {
        let shards = (0..VALUE_SHARDS).map(|_| Shard(RwLock::new(HashTable::new()))).collect();
        UniqueIndex { shards, null: RwLock::new(RowSet::new()) }
    }

    fn shard(&self, hash: u32) -> &RwLock<HashTable<Holder>> {
        &self.shards[shard(hash, VALUE_SHARDS)].0
    }

    fn row_of(&self, hash: u32, value: ValueRef<'_>) -> Option<Row> {
        let holders = self.shard(hash).read();
        holders.find(spread(hash), |h| h.hash == hash && h.value.as_ref() == value).map(|holder| holder.row)
    }

    /// The row that has a value.
    pub(crate) fn row(&self, seed: &RandomState, value: ValueRef<'_>) -> Option<Row> {
        self.row_of(hash_of(seed, &value), value)
    }

    /// The rows that have `value`, one at most; if it is missing, those without a value.
    pub(crate) fn rows(&self, seed: &RandomState, value: ValueRef<'_>) -> RowSet {
        if value.is_null() {
            return self.null.read().clone();
        }
        self.row(seed, value).map_or_else(RowSet::new, |row| RowSet::from_sorted(&[row]))
    }

    /// How many rows have no value.
    pub(crate) fn null_len(&self) -> usize {
        self.null.read().len()
    }

    /// What a row is to be filed under.
    pub(crate) fn stage(
        &self,
        staging: &mut UniqueStaging,
        seed: &RandomState,
        change: usize,
        entry: &Entry<'_>,
        old: Option<(Row, u32)>,
    ) -> u32 {
        if matches!(entry, Entry::Absent) {
            return ABSENT;
        }
        let value = entry.as_value(true);
        if value.is_null() {
            return NULL;
        }
        let hash = hash_of(seed, &value);
        let same_hash = old.is_some_and(|(_, word)| word == hash);
        if same_hash && self.row_of(hash, value) == old.map(|(row, _)| row) {
            return hash;
        }
        staging.claims.push(Claim { change, hash, value: value.to_value(), collides: same_hash });
        hash
    }

    /// The clashes of what is staged, among itself and with rows that the batch leaves as they are. `change_of` gives the
    /// change of a row, if the batch has one, and whether that changes the row's words.
    pub(crate) fn clashes(
        &self,
        staging: &mut UniqueStaging,
        mut change_of: impl FnMut(Row) -> Option<(usize, bool)>,
    ) -> Vec<Clash> {
        let UniqueStaging { by_hash, claims } = staging;
        by_hash.clear();
        let colliding: HashSet<usize> =
            claims.iter().filter(|claim| claim.collides).map(|claim| claim.change).collect();
        let mut clashes = Vec::new();
        for (at, claim) in claims.iter().enumerate() {
            let clash = |other| Clash { change: claim.change, value: claim.value.clone(), other };
            let same = |of: &u32| {
                let of = &claims[*of as usize];
                of.hash == claim.hash && of.value == claim.value
            };
            if let Some(first) = by_hash.find(spread(claim.hash), same) {
                clashes.push(clash(Other::Change(claims[*first as usize].change)));
                continue;
            }
            by_hash.insert_unique(spread(claim.hash), at as u32, |of| spread(claims[*of as usize].hash));
            let Some(row) = self.row_of(claim.hash, claim.value.as_ref()) else { continue };
            let leaves =
                change_of(row).is_some_and(|(change, words_change)| words_change || colliding.contains(&change));
            if !leaves {
                clashes.push(clash(Other::Row(row)));
            }
        }
        clashes
    }

    /// Takes rows out of the values that they lose, then puts them under those that they gain.
    pub(crate) fn apply<'a>(
        &self,
        staging: &mut UniqueStaging,
        row_of: impl Fn(usize) -> Row,
        moves: impl Iterator<Item = Move<'a>>,
    ) {
        let (mut to_null, mut from_null) = (Vec::new(), Vec::new());
        for Move { row, old, new } in moves {
            let (old, new) = (old.map(|words| words[0]), new.map(|words| words[0]));
            if old == new {
                continue;
            }
            old.filter(is_hash).into_iter().for_each(|hash| self.remove(hash, row));
            from_null.extend((old == Some(NULL)).then_some(row));
            to_null.extend((new == Some(NULL)).then_some(row));
        }
        for claim in staging.claims.iter().filter(|claim| claim.collides) {
            self.remove(claim.hash, row_of(claim.change));
        }
        for Claim { change, hash, value, .. } in std::mem::take(&mut staging.claims) {
            let mut holders = self.shard(hash).write();
            holders.insert_unique(spread(hash), Holder { value, hash, row: row_of(change) }, |h| spread(h.hash));
        }
        if !(to_null.is_empty() && from_null.is_empty()) {
            let mut null = self.null.write();
            null.remove_all(&from_null);
            null.insert_all(&to_null);
        }
    }

    fn remove(&self, hash: u32, row: Row) {
        let mut holders = self.shard(hash).write();
        let holder = holders.find_entry(spread(hash), |h| h.hash == hash && h.row == row);
        debug_assert!(holder.is_ok(), "a row stands under its value until it leaves it");
        if let Ok(holder) = holder {
            // Its value is ours: strings and numbers.
            drop(holder.remove());
        }
    }

    /// How many values have a row.
    pub(crate) fn distinct(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let shards = self.shards.iter().map(|shard| {
            let holders = shard.0.read();
            let values: usize = holders.iter().map(|holder| holder.value.heap_bytes()).sum();
            size_of::<Shard>() + holders.allocation_size() + values
        });
        shards.sum::<usize>() + self.null.read().heap_bytes()
    }

    /// Gives back room that is not used, a shard at a time.
    pub(crate) fn shrink_shard(&self, at: usize) -> bool {
        let Some(shard) = self.shards.get(at) else { return false };
        shard.0.write().shrink_to_fit(|h| spread(h.hash));
        true
    }

    /// Shows every value and its row, and the rows without one; for audits.
    pub(crate) fn audit(&self, mut look: impl FnMut(&Value, u32, Row), null: impl FnOnce(&RowSet)) {
        for shard in &self.shards {
            shard.0.read().iter().for_each(|holder| look(&holder.value, holder.hash, holder.row));
        }
        null(&self.null.read());
    }
}
