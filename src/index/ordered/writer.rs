//! The committer's side.

use super::super::audit::{AuditRows, Findings, IndexAudit};
use super::super::catalog::Listing;
use super::super::changes::{Move, Moves, NULL, StagedRefs};
use super::super::entries::{each_move, stage_entries};
use super::super::maintain::{Maintain, Role, StagedRecords};
use super::super::read::{Index, IndexHead};
use super::super::shape::Entry;
use super::index::OrderedIndex;
use super::key::IndexKey;
use super::leaf::Edit;
use super::memory::{KeyMemory, ListMemory, NarrowMemory, WideMemory, has_key};
use super::position::Position;
use crate::rowset::{Row, RowSet};
use crate::sync::Arc;
use memdex_query::value::Key;
use std::ops::ControlFlow;

pub(super) struct OrderedWriter<K, M> {
    index: Arc<OrderedIndex<K>>,
    memory: M,
    /// Where upkeep continues; `None` is the first leaf.
    tidy_from: Option<Position<K>>,
}

/// An ordered index with the keys that its fields need.
pub(crate) fn ordered(head: IndexHead) -> Box<dyn Maintain> {
    match head.shape.single() {
        Some(field) if field.fits_64_bits() => Box::new(OrderedWriter::<u64, NarrowMemory>::new(head)),
        None if head.shape.is_many() => Box::new(OrderedWriter::<Key, ListMemory>::new(head)),
        _ => Box::new(OrderedWriter::<Key, WideMemory>::new(head)),
    }
}

impl<K: IndexKey, M: KeyMemory<K>> OrderedWriter<K, M> {
    fn new(head: IndexHead) -> Self {
        let memory = M::new(&head.shape);
        OrderedWriter { index: Arc::new(OrderedIndex::new(head)), memory, tidy_from: None }
    }
}

/// Pairs of leaves in a slice of upkeep.
const TIDY_LEAVES: usize = 8;
/// The work of joining or packing a leaf.
const LEAF_WORK: usize = 16;

impl<K: IndexKey, M: KeyMemory<K>> Maintain for OrderedWriter<K, M> {
    fn name(&self) -> &str {
        self.index.head.name()
    }

    fn role(&self) -> Role {
        Role::Index
    }

    fn width(&self) -> usize {
        M::WIDTH
    }

    fn list(&self, listing: &mut Listing) {
        listing.indexes.push(self.index.clone());
    }

    fn stage(&mut self, records: &mut dyn StagedRecords, refs: &mut StagedRefs<'_>) -> ControlFlow<()> {
        let OrderedWriter { index, memory, .. } = self;
        memory.clear();
        stage_entries(&index.head.shape, records, refs, |_, entry, old, new| {
            memory.stage(entry, old.map(|(_, refs)| refs), new);
        })
    }

    fn admit(&mut self, refs: &mut StagedRefs<'_>) {
        self.memory.admit(refs);
    }

    fn apply(&mut self, moves: Moves<'_>) {
        let OrderedWriter { index, memory, .. } = self;
        let (mut to_null, mut from_null) = (Vec::new(), Vec::new());
        let mut edits: Vec<Edit<K>> = Vec::new();
        let mut freed = Vec::new();
        each_move(&index.head, moves, |Move { row, old, new }| {
            if old == new {
                return;
            }
            from_null.extend(old.filter(|refs| refs[0] == NULL).map(|_| row));
            to_null.extend(new.filter(|refs| refs[0] == NULL).map(|_| row));
            memory.each_change(old, new, |key, insert| edits.push(Edit { at: (key, row), insert }));
            freed.extend(old.filter(|refs| has_key(refs)));
        });
        edits.sort_unstable();
        index.leaves.apply(&edits);
        let inserts = edits.iter().filter(|of| of.insert).count() as u64;
        index.count_entries(inserts, edits.len() as u64 - inserts);
        let bytes = &index.leaves.bytes;
        let key_bytes = |insert| edits.iter().filter(|of| of.insert == insert).map(|of| of.at.0.heap_bytes()).sum();
        bytes.change(key_bytes(false), key_bytes(true));
        freed.into_iter().for_each(|refs| memory.free(refs));
        if !(to_null.is_empty() && from_null.is_empty()) {
            bytes.track(&mut *index.null.write(), RowSet::heap_bytes, |null| {
                null.remove_all(&from_null);
                null.insert_all(&to_null);
            });
        }
    }

    fn tidy(&mut self, restart: bool) -> Option<usize> {
        if restart {
            self.memory.shrink();
            self.tidy_from = None;
        }
        self.tidy_from = self.index.leaves.compact(self.tidy_from.take(), TIDY_LEAVES)?;
        Some(TIDY_LEAVES * LEAF_WORK)
    }

    fn heap_bytes(&self) -> usize {
        self.index.heap_bytes() + self.memory.heap_bytes()
    }

    fn audit(&self, rows: &dyn AuditRows, found: &mut Findings) -> usize {
        let each = |visit: &mut dyn FnMut(Row, Option<K>)| {
            for leaf in self.index.leaves.all() {
                let (keys, rows) = {
                    let entries = leaf.0.read();
                    (entries.keys.clone(), entries.rows.clone())
                };
                keys.into_iter().zip(rows).for_each(|(key, row)| visit(row, Some(key)));
            }
            let null = self.index.null.read().clone();
            null.iter().for_each(|row| visit(row, None));
            0
        };
        let is_of = |entry: &Entry<'_>, key: &Option<K>| self.memory.is_of(entry, key.as_ref());
        let is_remembered = |refs: &[u32], key: &Option<K>| match key {
            Some(key) => self.memory.has(refs, key),
            None => refs[0] == NULL,
        };
        let audit = IndexAudit { each: &each, is_of: &is_of, is_remembered: &is_remembered };
        let shared = self.index.leaves.walk_bytes(K::heap_bytes) + self.index.null.read().heap_bytes();
        audit.run(&*self.index, rows, (self.heap_bytes(), shared + self.memory.walk_bytes()), found)
    }
}
