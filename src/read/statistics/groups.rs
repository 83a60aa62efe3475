//! The groups of one level. Each group has a dense number, in order of first occurrence, derived from the number of
//! its parent group and the numbers of its key parts.
//!
//! Each part numbers its values separately. Bucket ids are joined in pairs: (parent group, first part), then (that,
//! second part), and so on. So for any key, a step costs one lookup in a small matrix, or in a hash table of pairs
//! where the matrix would be too large.

use super::bind::Bound;
use crate::error::QueryError;
use crate::hash::{self, RandomState};
use crate::limits::MAX_GROUPS;
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};

/// The number of no group, for a record that belongs to none.
pub(super) const NONE: u32 = u32::MAX;

/// The numbered distinct values of one key part.
pub(super) struct Values {
    values: Vec<Value>,
    index: HashTable<u32>,
    seed: RandomState,
}

impl Values {
    pub(super) fn new() -> Self {
        Values { values: Vec::new(), index: HashTable::new(), seed: hash::random() }
    }

    /// The number of a value; assigns one to a new value.
    pub(super) fn number(&mut self, value: ValueRef<'_>) -> u32 {
        let Values { values, index, seed } = self;
        let hash = seed.hash_one(value);
        if let Some(number) = index.find(hash, |number| values[*number as usize].as_ref() == value) {
            return *number;
        }
        let number = values.len() as u32;
        values.push(value.to_value());
        index.insert_unique(hash, number, |number| seed.hash_one(values[*number as usize].as_ref()));
        number
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, number: u32) -> &Value {
        &self.values[number as usize]
    }
}

/// Maximum size of the lookup matrix of [`Pairs`].
const SQUARE: usize = 1 << 16;

/// Assigns a number to each pair of numbers.
pub(super) struct Pairs {
    pairs: Vec<(u32, u32)>,
    /// Row-major, one row per first number; `NONE` for an unseen pair.
    square: Vec<u32>,
    width: usize,
    /// Replaces the matrix when that would be too large.
    table: Option<HashTable<u32>>,
    seed: RandomState,
}

impl Pairs {
    pub(super) fn new() -> Self {
        Pairs { pairs: Vec::new(), square: Vec::new(), width: 16, table: None, seed: hash::random() }
    }

    #[inline]
    pub(super) fn number(&mut self, first: u32, second: u32) -> u32 {
        debug_assert!(first != NONE && second != NONE);
        if (second as usize) < self.width
            && let Some(number) = self.square.get(first as usize * self.width + second as usize)
            && *number != NONE
        {
            return *number;
        }
        self.number_slowly(first, second)
    }

    fn number_slowly(&mut self, first: u32, second: u32) -> u32 {
        let fits = (second as usize) < self.width && (first as usize + 1) * self.width <= self.square.len();
        if self.table.is_none() && !fits {
            self.reserve(first as usize, second as usize);
        }
        let Pairs { pairs, square, width, table, seed } = self;
        let new = pairs.len() as u32;
        match table {
            None => square[first as usize * *width + second as usize] = new,
            Some(table) => {
                let hash = seed.hash_one((first, second));
                if let Some(number) = table.find(hash, |number| pairs[*number as usize] == (first, second)) {
                    return *number;
                }
                table.insert_unique(hash, new, |number| seed.hash_one(pairs[*number as usize]));
            }
        }
        pairs.push((first, second));
        new
    }

    /// Grows the matrix to include a pair, or replaces it by the table.
    fn reserve(&mut self, first: usize, second: usize) {
        let width = self.width.max((second + 1).next_power_of_two());
        let lines = (self.square.len() / self.width).max((first + 1).next_power_of_two());
        self.square.clear();
        if width * lines <= SQUARE {
            self.width = width;
            self.square.resize(width * lines, NONE);
            for (number, (first, second)) in self.pairs.iter().enumerate() {
                self.square[*first as usize * width + *second as usize] = number as u32;
            }
            return;
        }
        self.square.shrink_to_fit();
        let (pairs, seed) = (&self.pairs, &self.seed);
        let hash = |number: &u32| seed.hash_one(pairs[*number as usize]);
        let mut table = HashTable::with_capacity(pairs.len() + 1);
        for number in 0..pairs.len() as u32 {
            table.insert_unique(hash(&number), number, hash);
        }
        self.table = Some(table);
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// All pairs, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pairs.iter().copied()
    }
}

/// How the key parts form the groups of a level.
pub(super) struct Groups {
    /// Number of parts of a key.
    parts: usize,
    /// One per join. The first level of groups has one fewer, as it has a single parent group.
    joints: Vec<Pairs>,
    below_all: bool,
    /// Number of groups if there is no join: the number of values of the only part.
    of_part: usize,
}

impl Groups {
    /// `below_all` if the previous level has a single group.
    pub(super) fn new(parts: usize, below_all: bool) -> Self {
        let joints = parts - usize::from(below_all);
        Groups { parts, joints: (0..joints).map(|_| Pairs::new()).collect(), below_all, of_part: 0 }
    }

    /// Joins the numbers of a part to the numbers before it, which for the first part are those of the parent groups.
    /// Leaves `of_part` in an unspecified state.
    pub(super) fn join(&mut self, part: usize, before: &mut Vec<u32>, of_part: &mut Vec<u32>) {
        debug_assert!(part < self.parts && before.len() == of_part.len());
        match part.checked_sub(usize::from(self.below_all)) {
            None => std::mem::swap(before, of_part),
            Some(joint) => {
                let pairs = &mut self.joints[joint];
                for (before, part) in before.iter_mut().zip(&*of_part) {
                    *before = pairs.number(*before, *part);
                }
            }
        }
    }

    /// Joins the number of a part for a single record.
    pub(super) fn join_one(&mut self, part: usize, before: u32, of_part: u32) -> u32 {
        match part.checked_sub(usize::from(self.below_all)) {
            None => of_part,
            Some(joint) => self.joints[joint].number(before, of_part),
        }
    }

    /// Sets the number of groups for a level without joins, where part and group numbers are the same.
    pub(super) fn has(&mut self, of_part: usize) {
        self.of_part = self.of_part.max(of_part);
    }

    pub(super) fn len(&self) -> usize {
        self.joints.last().map_or(self.of_part, Pairs::len)
    }

    /// The parent group and the part numbers of a group.
    pub(super) fn take_apart(&self, group: u32, parts: &mut Vec<u32>) -> u32 {
        parts.clear();
        let mut before = group;
        for joint in self.joints.iter().rev() {
            let (first, second) = joint.pairs[before as usize];
            parts.push(second);
            before = first;
        }
        if self.below_all {
            parts.push(before);
            before = 0;
        }
        parts.reverse();
        before
    }
}

/// Fails if there are more than `MAX_GROUPS` groups.
pub(super) fn at_most(bound: &Bound, groups: usize) -> Result<(), QueryError> {
    if groups <= MAX_GROUPS { Ok(()) } else { Err(too_many(bound)) }
}

#[cold]
pub(super) fn too_many(bound: &Bound) -> QueryError {
    let name = |field: usize| bound.fields[field].name().to_owned();
    let parts = bound.levels.iter().flat_map(|level| &level.buckets);
    QueryError::too_many_groups(&*bound.collection, parts.map(|part| name(part.field)).collect::<Vec<_>>(), MAX_GROUPS)
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_their_numbers_when_the_square_grows_and_becomes_a_table() {
        let mut pairs = Pairs::new();
        let seen: Vec<(u32, u32)> = (0..2_000).map(|n| (n * 7 % 311, n * 13 % 1_009)).collect();
        let numbers: Vec<u32> = seen.iter().map(|(first, second)| pairs.number(*first, *second)).collect();
        assert!(pairs.table.is_some());
        for ((first, second), number) in seen.iter().zip(&numbers) {
            assert_eq!(pairs.number(*first, *second), *number);
            assert_eq!(pairs.pairs[*number as usize], (*first, *second));
        }
        let mut few = Pairs::new();
        assert_eq!([few.number(3, 40), few.number(0, 0), few.number(9, 40)], [0, 1, 2]);
        assert_eq!([few.number(0, 0), few.number(3, 40), few.number(9, 40)], [1, 0, 2]);
        assert!(few.table.is_none() && few.len() == 3);
    }

    #[test]
    fn keys_are_split_into_the_parts_that_formed_them() {
        for below_all in [true, false] {
            let mut groups = Groups::new(3, below_all);
            let before = if below_all { 0 } else { 5 };
            let keys = [[1, 2, 3], [1, 2, 4], [0, 2, 3]];
            let numbers = keys.map(|key| {
                key.iter().enumerate().fold(before, |before, (part, number)| groups.join_one(part, before, *number))
            });
            assert_eq!(numbers, [0, 1, 2]);
            let mut parts = Vec::new();
            for (number, key) in numbers.iter().zip(keys) {
                assert_eq!(groups.take_apart(*number, &mut parts), before);
                assert_eq!(parts, key);
            }
        }
    }
}
