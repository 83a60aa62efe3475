//! The row set. A tiny set is one sorted vector of rows; a bigger one is a vector of slots, one for each chunk that has rows.
//!
//! Most sets of an index have a handful of rows: one allocation with 4 bytes a row is the minimum. Up to
//! `TINY` rows this is also smaller than chunks if the rows are spread (a chunk costs 56 bytes before its first row) and
//! as fast to clone, and an insertion moves at most 1 KiB. A set of slots becomes tiny again only at `TINY_MIN` rows, so
//! that a set near the limit does not thrash.
//!
//! The vector of slots is shared by reference count too. Queries clone big sets under locks, which is O(1); a writer
//! copies the vector (not the chunks) only if another set holds it.
//! Invariants: `Tiny` is strictly ascending and at most `TINY` long; `Slots` ascend by key, none of them is empty, and
//! together they have more than `TINY_MIN` rows.

use super::capacity;
use super::chunk::Chunk;
use super::row::{Row, key, low};
use super::slot::{Slot, Slots, find, runs};
use crate::sync::Arc;
use std::fmt;

/// Most rows of a tiny set.
pub(super) const TINY: usize = 256;
/// A set of slots with at most this many rows becomes tiny.
pub(super) const TINY_MIN: usize = 128;

/// A compressed set of rows. Clones share their chunks; an empty set holds no memory.
#[derive(Clone, Default)]
pub(crate) struct RowSet {
    pub(super) repr: Repr,
}

#[derive(Clone)]
pub(super) enum Repr {
    Tiny(Vec<Row>),
    Slots(Arc<Slots>),
}

impl Default for Repr {
    fn default() -> Self {
        Repr::Tiny(Vec::new())
    }
}

/// The slots of strictly ascending rows.
pub(super) fn slots_of(rows: &[Row]) -> Vec<Slot> {
    runs(rows).filter_map(|(key, run)| Slot::new(key, Chunk::from_run(run))).collect()
}

/// Whether slots have at most `limit` rows together; stops at the slot that exceeds it.
fn at_most(slots: &[Slot], limit: usize) -> bool {
    let mut rest = limit;
    slots.len() <= limit
        && slots.iter().all(|slot| match rest.checked_sub(slot.len() as usize) {
            Some(left) => {
                rest = left;
                true
            }
            None => false,
        })
}

/// All rows of slots.
fn rows_of(slots: &[Slot]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(slots.iter().map(|slot| slot.len() as usize).sum());
    for slot in slots {
        slot.chunk().for_each(|low| rows.push(slot.base() | Row::from(low)));
    }
    rows
}

impl RowSet {
    /// The empty set.
    pub(crate) const fn new() -> Self {
        RowSet { repr: Repr::Tiny(Vec::new()) }
    }

    /// The set of the rows of slots; tiny if they are few.
    pub(super) fn from_slots(mut slots: Vec<Slot>) -> Self {
        debug_assert!(slots.is_sorted_by(|a, b| a.key() < b.key()));
        if at_most(&slots, TINY) {
            return RowSet { repr: Repr::Tiny(rows_of(&slots)) };
        }
        capacity::trim(&mut slots);
        RowSet::of_slots(slots)
    }

    pub(super) fn of_slots(slots: Vec<Slot>) -> Self {
        RowSet { repr: Repr::Slots(Arc::new(Slots::new(slots))) }
    }

    /// Adds a row; false if it was present.
    pub(crate) fn insert(&mut self, row: Row) -> bool {
        match &mut self.repr {
            Repr::Tiny(rows) => {
                let at = match rows.last() {
                    Some(&last) if last >= row => match rows.binary_search(&row) {
                        Ok(_) => return false,
                        Err(at) => at,
                    },
                    _ => rows.len(),
                };
                capacity::reserve(rows, 1);
                rows.insert(at, row);
                if rows.len() > TINY {
                    *self = RowSet::of_slots(slots_of(rows));
                }
                true
            }
            Repr::Slots(slots) => match find(slots, key(row)) {
                Ok(at) => Arc::make_mut(slots).edit(at, |slot| slot.insert(row)),
                Err(_) => {
                    Arc::make_mut(slots).add(slots_of(&[row]));
                    true
                }
            },
        }
    }

    /// Removes a row; false if it was absent.
    pub(crate) fn remove(&mut self, row: Row) -> bool {
        match &mut self.repr {
            Repr::Tiny(rows) => match rows.binary_search(&row) {
                Ok(at) => {
                    rows.remove(at);
                    capacity::trim(rows);
                    true
                }
                Err(_) => false,
            },
            Repr::Slots(slots) => {
                let Ok(at) = find(slots, key(row)) else { return false };
                let slots = Arc::make_mut(slots);
                if !slots.edit(at, |slot| slot.remove(row)) {
                    return false;
                }
                if slots[at].len() == 0 {
                    slots.remove(at);
                }
                self.shrink();
                true
            }
        }
    }

    /// Whether the set has a row.
    pub(crate) fn contains(&self, row: Row) -> bool {
        match &self.repr {
            Repr::Tiny(rows) => rows.binary_search(&row).is_ok(),
            Repr::Slots(slots) => find(slots, key(row)).is_ok_and(|at| slots[at].chunk().contains(low(&row))),
        }
    }

    /// Number of rows; O(chunks).
    pub(crate) fn len(&self) -> usize {
        match &self.repr {
            Repr::Tiny(rows) => rows.len(),
            Repr::Slots(slots) => slots.iter().map(|slot| slot.len() as usize).sum(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &self.repr {
            Repr::Tiny(rows) => rows.is_empty(),
            Repr::Slots(slots) => slots.is_empty(),
        }
    }

    /// Heap memory in bytes, including chunks that are shared with other sets. O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Tiny(rows) => rows.capacity() * size_of::<Row>(),
            Repr::Slots(slots) => {
                const ARC: usize = 2 * size_of::<usize>() + size_of::<Slots>();
                ARC + slots.heap_bytes()
            }
        }
    }

    /// Releases all unused memory, at the cost of copying the rest.
    pub(crate) fn compact(&mut self) {
        match &mut self.repr {
            Repr::Tiny(rows) => rows.shrink_to_fit(),
            Repr::Slots(slots) if at_most(slots, TINY) => self.repr = Repr::Tiny(rows_of(slots)),
            Repr::Slots(slots) => Arc::make_mut(slots).compact(),
        }
    }

    /// Restores the invariants after rows were removed from non-empty slots.
    pub(super) fn shrink(&mut self) {
        if let Repr::Slots(slots) = &mut self.repr {
            if at_most(slots, TINY_MIN) {
                self.repr = Repr::Tiny(rows_of(slots));
            } else {
                Arc::make_mut(slots).trim();
            }
        }
    }
}

impl PartialEq for RowSet {
    fn eq(&self, other: &Self) -> bool {
        match (&self.repr, &other.repr) {
            (Repr::Tiny(a), Repr::Tiny(b)) => a == b,
            (Repr::Slots(a), Repr::Slots(b)) => Arc::ptr_eq(a, b) || a[..] == b[..],
            _ => self.len() == other.len() && self.iter().eq(other.iter()),
        }
    }
}

impl Eq for RowSet {}

impl fmt::Debug for RowSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
