//! The unique index: value → row, at most one. Several fields are one value, their tuple.
//!
//! A look-up costs two cache misses: an entry holds its value and its row side by side in the table. The back reference of a row
//! is the hash of its value: with the row it identifies the entry. Rows without a value, or with a tuple of which a part is
//! missing, are exempt from uniqueness and are in a row set.
//!
//! A batch is judged by its net result, so two records can swap their values.

use super::audit::{AuditRows, Findings, IndexAudit};
use super::catalog::Listing;
use super::changes::{ABSENT, Move, Moves, NULL, NetChanges, OldRefs, SCRATCH_KEPT, StagedRefs};
use super::entries::{each_move, stage_entries};
use super::maintain::{Clash, Maintain, Other, Role, StagedRecords};
use super::read::{Index, IndexHead};
use super::shape::{Entry, extract};
use crate::error::Cause;
use crate::hash::{self, RandomState, shard, spread};
use crate::memory::HeapBytes;
use crate::record::FieldSource;
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, RwLock};
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};
use std::collections::HashSet;
use std::ops::ControlFlow;

#[derive(Clone)]
struct Holder {
    value: Value,
    hash: u32,
    row: Row,
}

type Holders = HashTable<Holder>;

#[repr(align(64))]
struct Shard(RwLock<Holders>);

/// The shared side.
struct UniqueIndex {
    head: IndexHead,
    shards: Box<[Shard]>,
    null: RwLock<RowSet>,
    bytes: HeapBytes,
}

/// The committer's side.
pub(super) struct UniqueWriter {
    index: Arc<UniqueIndex>,
    claims: Claims,
    /// The shard at which upkeep continues.
    tidy_from: usize,
}

/// A back reference: [`NULL`], [`ABSENT`], or a hash, which is neither.
fn hash_of(seed: &RandomState, value: &ValueRef<'_>) -> u32 {
    match hash::short(seed, value) | 1 {
        ABSENT => ABSENT - 2,
        hash => hash,
    }
}

fn is_hash(reference: &u32) -> bool {
    *reference != NULL && *reference != ABSENT
}

/// The values that a batch gives to rows which did not have them.
#[derive(Default)]
struct Claims {
    by_hash: HashTable<u32>,
    claims: Vec<Claim>,
}

struct Claim {
    /// The change that makes it.
    change: usize,
    hash: u32,
    value: Value,
    /// The row had another value with the same hash.
    collides: bool,
}

impl Claims {
    fn clear(&mut self) {
        self.by_hash.clear();
        self.by_hash.shrink_to(SCRATCH_KEPT, |_| 0);
        self.claims.clear();
        self.claims.shrink_to(SCRATCH_KEPT);
    }

    /// The back reference of an entry; claims its value if the row does not have it yet.
    #[inline]
    fn stage(&mut self, index: &UniqueIndex, change: usize, entry: &Entry<'_>, old: OldRefs<'_>) -> u32 {
        if matches!(entry, Entry::Absent) {
            return ABSENT;
        }
        let value = entry.as_value(true);
        if value.is_null() {
            return NULL;
        }
        let hash = hash_of(&index.head.seed, &value);
        let same_hash = old.is_some_and(|(_, refs)| refs[0] == hash);
        if same_hash && index.row_of(hash, value) == old.map(|(row, _)| row) {
            return hash;
        }
        self.claims.push(Claim { change, hash, value: value.to_value(), collides: same_hash });
        hash
    }
}

impl UniqueIndex {
    fn shard(&self, hash: u32) -> &RwLock<Holders> {
        &self.shards[shard(hash, self.shards.len())].0
    }

    fn row_of(&self, hash: u32, value: ValueRef<'_>) -> Option<Row> {
        let holders = self.shard(hash).read();
        holders.find(spread(hash), |h| h.hash == hash && h.value.as_ref() == value).map(|holder| holder.row)
    }

    fn remove(&self, hash: u32, row: Row) {
        let mut holders = self.shard(hash).write();
        let holder = holders.find_entry(spread(hash), |h| h.hash == hash && h.row == row);
        debug_assert!(holder.is_ok(), "a row holds its value until it leaves it");
        if let Ok(holder) = holder {
            // Its value is ours: strings and numbers.
            let (Holder { value, .. }, _) = holder.remove();
            self.bytes.change(value.heap_bytes(), 0);
        }
    }

    /// The heap bytes, by a walk; for audits.
    fn walk_bytes(&self) -> usize {
        let tables = self.shards.iter().map(|shard| size_of::<Shard>() + shard.0.read().allocation_size());
        let mut bytes = tables.sum::<usize>() + self.null.read().heap_bytes();
        self.each(|_, value, _| bytes += value.heap_bytes());
        bytes
    }

    /// Passes every value with its hash and its row, then the rows without one. Under no guard.
    fn each(&self, mut visit: impl FnMut(u32, &Value, Row)) {
        for shard in &self.shards {
            let holders = shard.0.read().clone();
            holders.iter().for_each(|holder| visit(holder.hash, &holder.value, holder.row));
        }
        let null = self.null.read().clone();
        null.iter().for_each(|row| visit(NULL, &Value::NULL, row));
    }
}

impl Index for UniqueIndex {
    fn head(&self) -> &IndexHead {
        &self.head
    }

    fn rows(&self, value: ValueRef<'_>) -> RowSet {
        if value.is_null() {
            return self.null.read().clone();
        }
        self.unique_row(value).map_or_else(RowSet::new, |row| RowSet::from_sorted(&[row]))
    }

    fn count(&self, value: ValueRef<'_>) -> usize {
        if value.is_null() { self.null.read().len() } else { usize::from(self.unique_row(value).is_some()) }
    }

    fn unique_row(&self, value: ValueRef<'_>) -> Option<Row> {
        self.row_of(hash_of(&self.head.seed, &value), value)
    }

    fn distinct(&self) -> Option<usize> {
        Some(self.shards.iter().map(|shard| shard.0.read().len()).sum())
    }

    fn distinct_estimate(&self) -> usize {
        self.head.records().saturating_sub(self.null.read().len())
    }

    fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }
}

impl UniqueWriter {
    pub(super) fn new(head: IndexHead) -> Self {
        let shards: Box<[_]> = (0..head.shards).map(|_| Shard(RwLock::new(Holders::new()))).collect();
        let bytes = HeapBytes::new(shards.len() * size_of::<Shard>());
        let index = Arc::new(UniqueIndex { head, shards, null: RwLock::new(RowSet::new()), bytes });
        UniqueWriter { index, claims: Claims::default(), tidy_from: 0 }
    }
}

impl Maintain for UniqueWriter {
    fn name(&self) -> &str {
        self.index.head.name()
    }

    fn role(&self) -> Role {
        Role::Index
    }

    fn width(&self) -> usize {
        1
    }

    fn list(&self, listing: &mut Listing) {
        listing.indexes.push(self.index.clone());
    }

    fn stage(&mut self, records: &mut dyn StagedRecords, refs: &mut StagedRefs<'_>) -> ControlFlow<()> {
        let UniqueWriter { index, claims, .. } = self;
        claims.clear();
        stage_entries(&index.head.shape, records, refs, |change, entry, old, new| {
            new[0] = claims.stage(index, change, entry, old);
        })
    }

    fn has_constraint(&self) -> bool {
        true
    }

    fn clashes(&mut self, net: &NetChanges<'_>) -> Vec<Clash> {
        let UniqueWriter { index, claims: Claims { by_hash, claims }, .. } = self;
        by_hash.clear();
        let colliding: HashSet<usize> =
            claims.iter().filter(|claim| claim.collides).map(|claim| claim.change).collect();
        let mut clashes = Vec::new();
        for (at, claim) in claims.iter().enumerate() {
            let clash = |other| Clash { change: claim.change, other };
            let same = |of: &u32| {
                let of = &claims[*of as usize];
                of.hash == claim.hash && of.value == claim.value
            };
            if let Some(first) = by_hash.find(spread(claim.hash), same) {
                clashes.push(clash(Other::Change(claims[*first as usize].change)));
                continue;
            }
            by_hash.insert_unique(spread(claim.hash), at as u32, |of| spread(claims[*of as usize].hash));
            let Some(row) = index.row_of(claim.hash, claim.value.as_ref()) else { continue };
            let leaves = net.of_row(row).is_some_and(|(change, leaves)| leaves || colliding.contains(&change));
            if !leaves {
                clashes.push(clash(Other::Row(row)));
            }
        }
        clashes
    }

    fn unique_value(&self, record: &dyn FieldSource) -> Result<Option<Value>, Cause> {
        extract(|| {
            let value = self.index.head.shape.entry(record)?.as_value(true).to_value();
            Ok((!value.is_null()).then_some(value))
        })
    }

    fn unique_holder(&self, value: ValueRef<'_>) -> Option<Row> {
        self.index.unique_row(value)
    }

    fn admit(&mut self, _refs: &mut StagedRefs<'_>) {}

    /// Takes rows out of the values that they lose, then puts them under those that they gain.
    fn apply(&mut self, moves: Moves<'_>) {
        let UniqueWriter { index, claims, .. } = self;
        let (mut to_null, mut from_null) = (Vec::new(), Vec::new());
        each_move(&index.head, moves, |Move { row, old, new }| {
            let (old, new) = (old.map(|refs| refs[0]), new.map(|refs| refs[0]));
            if old == new {
                return;
            }
            old.filter(is_hash).into_iter().for_each(|hash| index.remove(hash, row));
            from_null.extend((old == Some(NULL)).then_some(row));
            to_null.extend((new == Some(NULL)).then_some(row));
        });
        for claim in claims.claims.iter().filter(|claim| claim.collides) {
            index.remove(claim.hash, moves.row_of(claim.change));
        }
        for Claim { change, hash, value, .. } in claims.claims.drain(..) {
            index.bytes.change(0, value.heap_bytes());
            index.bytes.track(&mut *index.shard(hash).write(), Holders::allocation_size, |holders| {
                let holder = Holder { value, hash, row: moves.row_of(change) };
                holders.insert_unique(spread(hash), holder, |h| spread(h.hash));
            });
        }
        if !(to_null.is_empty() && from_null.is_empty()) {
            index.bytes.track(&mut *index.null.write(), RowSet::heap_bytes, |null| {
                null.remove_all(&from_null);
                null.insert_all(&to_null);
            });
        }
    }

    fn tidy(&mut self, restart: bool) -> Option<usize> {
        if restart {
            self.tidy_from = 0;
        }
        let shard = self.index.shards.get(self.tidy_from)?;
        let moved = self.index.bytes.track(&mut *shard.0.write(), Holders::allocation_size, |holders| {
            hash::shrink(holders, |h| spread(h.hash))
        });
        self.tidy_from += 1;
        Some(1 + moved)
    }

    fn heap_bytes(&self) -> usize {
        self.index.heap_bytes()
    }

    fn audit(&self, rows: &dyn AuditRows, found: &mut Findings) -> usize {
        type Held = (u32, Value);
        let each = |visit: &mut dyn FnMut(Row, Held)| {
            self.index.each(|hash, value, row| visit(row, (hash, value.clone())));
            0
        };
        let is_of = |entry: &Entry<'_>, (_, value): &Held| {
            !matches!(entry, Entry::Absent) && entry.as_value(true) == value.as_ref()
        };
        let is_remembered = |refs: &[u32], (hash, _): &Held| refs[0] == *hash;
        let audit = IndexAudit { each: &each, is_of: &is_of, is_remembered: &is_remembered };
        audit.run(&*self.index, rows, (self.heap_bytes(), self.index.walk_bytes()), found)
    }
}
