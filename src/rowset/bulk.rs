//! Operations on many rows at once, given as strictly ascending slices.
//!
//! The slice is split into runs of one chunk each, so that a chunk is located, and copied if it is shared, once per run.
//! Rows above the last one are appended without a search. New chunks are merged into the slots at the end and empty ones
//! removed at the end, so that a call is linear in slots and rows for every pattern of rows.

use super::chunk::Chunk;
use super::row::{Row, key, low};
use super::set::{Repr, RowSet, TINY, slots_of};
use super::slot::{Slot, Slots, find, runs};
use super::words::{Words, zeroed};
use super::{capacity, popcount, sorted};
use crate::sync::Arc;

impl RowSet {
    /// The set of strictly ascending rows.
    pub(crate) fn from_sorted(rows: &[Row]) -> Self {
        debug_assert!(sorted::is_ascending(rows), "rows must ascend strictly");
        if rows.len() <= TINY { RowSet { repr: Repr::Tiny(rows.to_vec()) } } else { RowSet::of_slots(slots_of(rows)) }
    }

    /// The set of the rows whose bits `fill` sets. `fill` is called for each of the first `chunks` chunks of 65,536 rows with
    /// its number and zeroed words, and returns whether it has set any bit.
    pub(crate) fn from_words(chunks: usize, mut fill: impl FnMut(usize, &mut Words) -> bool) -> Self {
        debug_assert!(chunks <= 1 << 16, "rows have 32 bits");
        let (mut slots, mut spare) = (Vec::new(), None);
        for number in 0..chunks {
            let mut words = spare.take().unwrap_or_else(zeroed);
            if fill(number, &mut words) {
                let len = popcount::count(&words);
                slots.extend(Slot::new(number as u16, Chunk::from_words(words, len)));
            } else {
                spare = Some(words);
            }
        }
        RowSet::from_slots(slots)
    }

    /// Adds strictly ascending rows.
    pub(crate) fn insert_all(&mut self, rows: &[Row]) {
        debug_assert!(sorted::is_ascending(rows), "rows must ascend strictly");
        match &mut self.repr {
            Repr::Tiny(tiny) if tiny.len() + rows.len() <= TINY => {
                if tiny.last() < rows.first() {
                    capacity::reserve(tiny, rows.len());
                    tiny.extend_from_slice(rows);
                } else if let [row] = rows {
                    self.insert(*row);
                } else if !rows.is_empty() {
                    *tiny = sorted::or(tiny, rows);
                    capacity::trim(tiny);
                }
            }
            Repr::Tiny(tiny) if rows.len() <= TINY => {
                let mut merged = sorted::or(tiny, rows);
                capacity::trim(&mut merged);
                *self = match merged.len() <= TINY {
                    true => RowSet { repr: Repr::Tiny(merged) },
                    false => RowSet::of_slots(slots_of(&merged)),
                };
            }
            Repr::Tiny(tiny) => {
                let mut slots = Slots::new(slots_of(rows));
                insert_into(&mut slots, tiny);
                self.repr = Repr::Slots(Arc::new(slots));
            }
            Repr::Slots(slots) => insert_into(Arc::make_mut(slots), rows),
        }
    }

    /// Removes strictly ascending rows.
    pub(crate) fn remove_all(&mut self, rows: &[Row]) {
        debug_assert!(sorted::is_ascending(rows), "rows must ascend strictly");
        if let [row] = rows {
            self.remove(*row);
            return;
        }
        match &mut self.repr {
            Repr::Tiny(tiny) => {
                let mut at = 0;
                tiny.retain(|row| {
                    at = sorted::gallop(rows, at, |removed| removed < row);
                    rows.get(at) != Some(row)
                });
                capacity::trim(tiny);
            }
            Repr::Slots(slots) => {
                let slots = Arc::make_mut(slots);
                let mut emptied = false;
                for (key, run) in runs(rows) {
                    if let Ok(at) = find(slots, key) {
                        slots.edit(at, |slot| slot.remove_run(run));
                        emptied |= slots[at].len() == 0;
                    }
                }
                if emptied {
                    slots.remove_empty();
                }
                self.shrink();
            }
        }
    }

    /// Removes every row at and above `first`.
    pub(crate) fn truncate(&mut self, first: Row) {
        match &mut self.repr {
            Repr::Tiny(rows) => {
                rows.truncate(rows.partition_point(|&row| row < first));
                capacity::trim(rows);
            }
            Repr::Slots(slots) => {
                let slots = Arc::make_mut(slots);
                let cut = match find(slots, key(first)) {
                    Ok(at) if low(&first) == 0 => at,
                    Ok(at) => {
                        slots.edit(at, |slot| slot.truncate(first));
                        at + usize::from(slots[at].len() != 0)
                    }
                    Err(at) => at,
                };
                slots.truncate(cut);
                self.shrink();
            }
        }
    }
}

/// Adds strictly ascending rows to slots.
fn insert_into(slots: &mut Slots, rows: &[Row]) {
    let mut fresh = Vec::new();
    for (key, run) in runs(rows) {
        match find(slots, key) {
            Ok(at) => slots.edit(at, |slot| slot.insert_run(run)),
            Err(_) => fresh.append(&mut slots_of(run)),
        }
    }
    slots.add(fresh);
    debug_assert!(slots.is_sorted_by(|a, b| a.key() < b.key()));
}
