//! Values by number, each with the count of rows that have it: of fields whose values don't fit 64 bits.

use super::super::changes::{NEW, SCRATCH_KEPT};
use super::super::slab::Slab;
use crate::hash::{self, RandomState, spread};
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};

pub(super) struct Interned {
    values: Slab<Counted>,
    by_hash: HashTable<u32>,
}

struct Counted {
    value: Value,
    hash: u32,
    rows: u32,
}

/// The values that a batch brings.
#[derive(Default)]
pub(super) struct NewValues {
    values: Vec<(u32, Value)>,
    by_hash: HashTable<u32>,
    /// The numbers that were given out.
    admitted: Vec<u32>,
}

impl NewValues {
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.values.shrink_to(SCRATCH_KEPT);
        self.by_hash.clear();
        self.by_hash.shrink_to(SCRATCH_KEPT, |_| 0);
        self.admitted.clear();
        self.admitted.shrink_to(SCRATCH_KEPT);
    }

    /// The real number for a word of this batch.
    pub(super) fn admitted(&self, word: u32) -> u32 {
        if word & NEW == 0 { word } else { self.admitted[(word & !NEW) as usize] }
    }
}

impl Interned {
    pub(super) fn new() -> Self {
        Interned { values: Slab::new(|of| of.value.heap_bytes()), by_hash: HashTable::new() }
    }

    pub(super) fn get(&self, number: u32) -> ValueRef<'_> {
        self.values.get(number).map_or(ValueRef::Null, |of| of.value.as_ref())
    }

    /// The number of a value; a provisional one if it is new. `old` is what the row has now, which it mostly keeps.
    pub(super) fn stage(&self, new: &mut NewValues, seed: &RandomState, value: ValueRef<'_>, old: Option<u32>) -> u32 {
        debug_assert!(!value.is_null());
        if let Some(old) = old.filter(|old| self.get(*old) == value) {
            return old;
        }
        let hash = hash::short(seed, &value);
        let is =
            |number: &u32| self.values.get(*number).is_some_and(|of| of.hash == hash && of.value.as_ref() == value);
        if let Some(known) = self.by_hash.find(spread(hash), is) {
            return *known;
        }
        let NewValues { values, by_hash, .. } = new;
        let is = |at: &u32| values[*at as usize].0 == hash && values[*at as usize].1.as_ref() == value;
        if let Some(at) = by_hash.find(spread(hash), is) {
            return NEW | *at;
        }
        let at = values.len() as u32;
        values.push((hash, value.to_value()));
        by_hash.insert_unique(spread(hash), at, |at| spread(values[*at as usize].0));
        NEW | at
    }

    /// Gives out numbers for what is new.
    pub(super) fn admit(&mut self, new: &mut NewValues) {
        let Interned { values, by_hash } = self;
        for (hash, value) in new.values.drain(..) {
            let number = values.insert(Counted { value, hash, rows: 0 });
            by_hash.insert_unique(spread(hash), number, |number| hash_of(values, *number));
            new.admitted.push(number);
        }
    }

    /// One row more has this value.
    pub(super) fn join(&mut self, number: u32) {
        if let Some(of) = self.values.get_mut(number) {
            of.rows += 1;
        }
    }

    /// One row less has it; whether it was the last.
    pub(super) fn leave(&mut self, number: u32) -> bool {
        let Some(of) = self.values.get_mut(number) else { return false };
        debug_assert!(of.rows > 0);
        of.rows -= 1;
        of.rows == 0
    }

    /// Forgets a value if no row has it.
    pub(super) fn free_if_unused(&mut self, number: u32) {
        let Some(of) = self.values.get(number).filter(|of| of.rows == 0) else { return };
        if let Ok(entry) = self.by_hash.find_entry(spread(of.hash), |known| *known == number) {
            entry.remove();
        }
        self.values.free(number);
    }

    /// Each number and how many rows have its value; for audits.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.by_hash.iter().filter_map(|number| Some((*number, self.values.get(*number)?.rows)))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.values.heap_bytes() + self.by_hash.allocation_size()
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        self.values.walk_bytes() + self.by_hash.allocation_size()
    }

    /// Gives unused memory back. Returns how many entries it moved.
    pub(super) fn shrink(&mut self) -> usize {
        self.values.shrink();
        let values = &self.values;
        hash::shrink(&mut self.by_hash, |number| hash_of(values, *number))
    }
}

fn hash_of(values: &Slab<Counted>, number: u32) -> u64 {
    values.get(number).map_or(0, |of| spread(of.hash))
}
