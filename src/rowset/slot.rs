//! A slot: the entry of a set for one chunk, 16 bytes: the key (upper half of the rows), the cardinality, the chunk.
//!
//! Clones and results of set operations share chunks by reference count. A writer copies a chunk only if another set
//! holds it too, and only after it has found something to change. The cardinality is cached in the slot, where it fits
//! next to the key, so that the length of a set is read from one contiguous vector.
//! Invariants: `len` is the cardinality of the chunk; slots at rest are not empty; the slots of a set ascend by key.

use super::chunk::Chunk;
use super::row::{Row, key, low};
use super::{capacity, sorted};
use crate::sync::Arc;
use std::ops::Deref;

#[derive(Clone)]
pub(super) struct Slot {
    key: u16,
    len: u32,
    chunk: Arc<Chunk>,
}

/// The slots of a set. Counts the heap memory of the chunks as they change, so that nobody has to visit all of them.
#[derive(Clone)]
pub(super) struct Slots {
    list: Vec<Slot>,
    pub(super) chunk_bytes: usize,
}

impl Slots {
    pub(super) fn new(list: Vec<Slot>) -> Self {
        Slots { chunk_bytes: chunk_bytes(&list), list }
    }

    /// Changes one slot.
    pub(super) fn edit<T>(&mut self, at: usize, change: impl FnOnce(&mut Slot) -> T) -> T {
        let slot = &mut self.list[at];
        self.chunk_bytes -= slot.heap_bytes();
        let changed = change(slot);
        self.chunk_bytes += slot.heap_bytes();
        changed
    }

    /// Adds slots of other keys, which ascend.
    pub(super) fn add(&mut self, mut fresh: Vec<Slot>) {
        let Some(first) = fresh.first().map(Slot::key) else { return };
        self.chunk_bytes += chunk_bytes(&fresh);
        capacity::reserve(&mut self.list, fresh.len());
        if fresh.len() == 1 {
            let at = self.list.partition_point(|slot| slot.key < first);
            self.list.splice(at..at, fresh);
            return;
        }
        let in_order = self.list.last().is_none_or(|last| last.key < first);
        self.list.append(&mut fresh);
        if !in_order {
            // The stable sort detects the two ascending runs and merges them in linear time.
            self.list.sort_by_key(Slot::key);
        }
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.chunk_bytes -= self.list.remove(at).heap_bytes();
    }

    /// Removes the slots that a change has emptied.
    pub(super) fn remove_empty(&mut self) {
        let emptied = self.list.extract_if(.., |slot| slot.len == 0);
        self.chunk_bytes -= emptied.map(|slot| slot.heap_bytes()).sum::<usize>();
    }

    /// Removes the slots from one on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.chunk_bytes -= self.list.get(len..).map_or(0, chunk_bytes);
        self.list.truncate(len);
    }

    /// Releases memory if most of it is unused.
    pub(super) fn trim(&mut self) {
        capacity::trim(&mut self.list);
    }

    /// Releases all unused memory, except that of chunks which other sets share.
    pub(super) fn compact(&mut self) {
        (0..self.list.len()).for_each(|at| self.edit(at, Slot::compact));
        self.list.shrink_to_fit();
    }

    /// Heap memory of the slots and the chunks.
    pub(super) fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Slot>() + self.chunk_bytes
    }
}

impl Deref for Slots {
    type Target = [Slot];

    #[inline]
    fn deref(&self) -> &[Slot] {
        &self.list
    }
}

fn chunk_bytes(slots: &[Slot]) -> usize {
    slots.iter().map(Slot::heap_bytes).sum()
}

/// Index at which the slot of `key` is (`Ok`) or belongs (`Err`).
///
/// Tries the last slot (appends) and the one at index `key` (sets with rows in every chunk) first.
#[inline]
pub(super) fn find(slots: &[Slot], key: u16) -> Result<usize, usize> {
    match slots.last() {
        None => Err(0),
        Some(last) if last.key < key => Err(slots.len()),
        Some(last) if last.key == key => Ok(slots.len() - 1),
        _ if slots.get(usize::from(key)).is_some_and(|slot| slot.key == key) => Ok(usize::from(key)),
        _ => slots.binary_search_by_key(&key, |slot| slot.key),
    }
}

/// Splits strictly ascending rows into runs of one key each.
pub(super) fn runs(mut rows: &[Row]) -> impl Iterator<Item = (u16, &[Row])> {
    std::iter::from_fn(move || {
        let key = key(*rows.first()?);
        let last = Row::from(key) << 16 | 0xffff;
        let end = match rows.last() {
            Some(&row) if row <= last => rows.len(),
            _ => sorted::gallop(rows, 0, |&row| row <= last),
        };
        let (run, rest) = rows.split_at(end);
        rows = rest;
        Some((key, run))
    })
}

impl Slot {
    /// A slot of a chunk; `None` if the chunk is empty.
    pub(super) fn new(key: u16, chunk: Chunk) -> Option<Self> {
        let len = chunk.len();
        (len != 0).then(|| Slot { key, len, chunk: Arc::new(chunk) })
    }

    pub(super) fn key(&self) -> u16 {
        self.key
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// The first row that the chunk could hold.
    pub(super) fn base(&self) -> Row {
        Row::from(self.key) << 16
    }

    /// Whether both share one chunk.
    pub(super) fn shares(&self, other: &Slot) -> bool {
        Arc::ptr_eq(&self.chunk, &other.chunk)
    }

    /// Heap memory of the chunk, its reference counts included.
    pub(super) fn heap_bytes(&self) -> usize {
        2 * size_of::<usize>() + size_of::<Chunk>() + self.chunk.heap_bytes()
    }

    /// Adds a row; false if it was present.
    pub(super) fn insert(&mut self, row: Row) -> bool {
        let low = low(&row);
        match self.chunk.search(low) {
            Ok(_) => false,
            Err(at) => {
                self.edit(|chunk| chunk.insert_at(at, low));
                true
            }
        }
    }

    /// Removes a row; false if it was absent.
    pub(super) fn remove(&mut self, row: Row) -> bool {
        let low = low(&row);
        match self.chunk.search(low) {
            Err(_) => false,
            Ok(at) => {
                self.edit(|chunk| chunk.remove_at(at, low));
                true
            }
        }
    }

    /// Adds a run of rows of this key.
    pub(super) fn insert_run(&mut self, run: &[Row]) {
        if let Some(first_new) = run.iter().position(|row| self.chunk.search(low(row)).is_err()) {
            let (_, rest) = run.split_at(first_new);
            self.edit(|chunk| chunk.insert_run(rest));
        }
    }

    /// Removes a run of rows of this key.
    pub(super) fn remove_run(&mut self, run: &[Row]) {
        if let Some(first_present) = run.iter().position(|row| self.chunk.search(low(row)).is_ok()) {
            let (_, rest) = run.split_at(first_present);
            self.edit(|chunk| chunk.remove_run(rest));
        }
    }

    /// Removes the rows at and above `first`, a row of this key.
    pub(super) fn truncate(&mut self, first: Row) {
        let first = low(&first);
        if self.chunk.rank(first) < self.len {
            self.edit(|chunk| chunk.truncate(first));
        }
    }

    /// Releases unused memory of the chunk, unless it is shared.
    fn compact(&mut self) {
        if let Some(chunk) = Arc::get_mut(&mut self.chunk) {
            chunk.compact();
        }
    }

    /// Changes the chunk; copies it first if it is shared.
    fn edit(&mut self, change: impl FnOnce(&mut Chunk)) {
        let chunk = Arc::make_mut(&mut self.chunk);
        change(chunk);
        self.len = chunk.len();
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.len == other.len && (self.shares(other) || self.chunk == other.chunk)
    }
}

impl Eq for Slot {}
