//! Ranges, found by a value in them.
//!
//! Sorted by their lower bounds, in chunks that know their greatest upper bound. A binary tree over the chunks finds those that may
//! contain a value: O(log n) comparisons for each of them, and those in the chunk. (An interval tree over chunks; T. Cormen et al.,
//! *Introduction to Algorithms*, 14.3.)

use memdex_query::value::{Value, ValueRef};
use smallvec::SmallVec;
use std::ops::Bound;

#[cfg(not(test))]
const MOST: usize = 128;
/// Few, so that tests split chunks.
#[cfg(test)]
const MOST: usize = 4;

pub(super) struct Ranges<T> {
    chunks: Vec<Chunk<T>>,
    /// A complete binary tree with the chunks as its leaves, in the order of an array: each node is the number of the chunk with the
    /// greatest end below it.
    greatest: Vec<u32>,
}

/// A node without chunks.
const NO_CHUNK: u32 = u32::MAX;

/// Never empty.
struct Chunk<T> {
    entries: Vec<Entry<T>>,
    /// The greatest upper bound of the entries.
    end: Bound<Value>,
}

struct Entry<T> {
    from: Bound<Value>,
    to: Bound<Value>,
    of: T,
}

/// The position where a range with this lower bound starts. `None` is before all values.
fn start(from: &Bound<Value>) -> Option<(&Value, bool)> {
    match from {
        Bound::Unbounded => None,
        Bound::Included(value) => Some((value, false)),
        Bound::Excluded(value) => Some((value, true)),
    }
}

/// Comparable positions where ranges end; the unbounded one is the greatest.
fn end(to: &Bound<Value>) -> (bool, Option<(&Value, bool)>) {
    (matches!(to, Bound::Unbounded), start(to).map(|(value, is_excluded)| (value, !is_excluded)))
}

fn starts_after(from: &Bound<Value>, value: ValueRef<'_>) -> bool {
    match from {
        Bound::Unbounded => false,
        Bound::Included(from) => from.as_ref() > value,
        Bound::Excluded(from) => from.as_ref() >= value,
    }
}

fn ends_before(to: &Bound<Value>, value: ValueRef<'_>) -> bool {
    match to {
        Bound::Unbounded => false,
        Bound::Included(to) => to.as_ref() < value,
        Bound::Excluded(to) => to.as_ref() <= value,
    }
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Ranges { chunks: Vec::new(), greatest: Vec::new() }
    }
}

impl<T> Chunk<T> {
    fn of(entries: Vec<Entry<T>>) -> Self {
        let last = entries.iter().map(|entry| &entry.to).max_by(|a, b| end(a).cmp(&end(b)));
        let end = last.cloned().unwrap_or(Bound::Unbounded);
        Chunk { entries, end }
    }
}

impl<T> Ranges<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn insert(&mut self, from: Bound<Value>, to: Bound<Value>, of: T) {
        let entry = Entry { from, to, of };
        let behind = self.chunks.partition_point(|chunk| start(&chunk.entries[0].from) <= start(&entry.from));
        let at = behind.saturating_sub(1);
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(Chunk::of(vec![entry]));
            return self.plant();
        };
        let place = chunk.entries.partition_point(|other| start(&other.from) <= start(&entry.from));
        let rises = end(&entry.to) > end(&chunk.end);
        if rises {
            chunk.end = entry.to.clone();
        }
        chunk.entries.insert(place, entry);
        if chunk.entries.len() > MOST {
            let upper = Chunk::of(chunk.entries.split_off(MOST / 2));
            *chunk = Chunk::of(std::mem::take(&mut chunk.entries));
            self.chunks.insert(at + 1, upper);
            self.plant();
        } else if rises {
            self.raise(at);
        }
    }

    /// Removes the entries with this lower bound that `is_it` names.
    pub(super) fn remove(&mut self, from: &Bound<Value>, is_it: impl Fn(&T) -> bool) {
        // Entries with one lower bound may lie in several chunks, the first of which may begin below it.
        let first = self.chunks.partition_point(|chunk| start(&chunk.entries[0].from) < start(from)).saturating_sub(1);
        let mut at = first;
        while let Some(chunk) = self.chunks.get_mut(at)
            && start(&chunk.entries[0].from) <= start(from)
        {
            let before = chunk.entries.len();
            chunk.entries.retain(|entry| entry.from != *from || !is_it(&entry.of));
            if chunk.entries.is_empty() {
                self.chunks.remove(at);
                self.plant();
                continue;
            }
            if chunk.entries.len() < before {
                *chunk = Chunk::of(std::mem::take(&mut chunk.entries));
                self.raise(at);
            }
            at += 1;
        }
    }

    /// Makes the tree: O(chunks).
    fn plant(&mut self) {
        let leaves = self.chunks.len().next_power_of_two();
        self.greatest.clear();
        self.greatest.resize(2 * leaves, NO_CHUNK);
        (0..self.chunks.len()).for_each(|at| self.greatest[leaves + at] = at as u32);
        (1..leaves).rev().for_each(|node| self.greatest[node] = self.greater_below(node));
    }

    /// Corrects the tree above a chunk whose end has changed.
    fn raise(&mut self, at: usize) {
        let mut node = (self.greatest.len() / 2 + at) / 2;
        while node > 0 {
            self.greatest[node] = self.greater_below(node);
            node /= 2;
        }
    }

    fn greater_below(&self, node: usize) -> u32 {
        match (self.greatest[2 * node], self.greatest[2 * node + 1]) {
            (one, NO_CHUNK) => one,
            (a, b) if end(&self.chunks[a as usize].end) >= end(&self.chunks[b as usize].end) => a,
            (_, b) => b,
        }
    }

    /// Passes each range that contains the value to `each`. A missing value is in none.
    pub(super) fn find<'a>(&'a self, value: ValueRef<'_>, mut each: impl FnMut(&'a T)) {
        if value.is_null() {
            return;
        }
        let leaves = self.greatest.len() / 2;
        // Chunks behind these begin above the value.
        let most = self.chunks.partition_point(|chunk| !starts_after(&chunk.entries[0].from, value));
        // Nodes, each with the number of its first leaf and of its leaves.
        let mut open = SmallVec::<[(usize, usize, usize); 32]>::new();
        open.extend((most > 0).then_some((1, 0, leaves)));
        while let Some((node, first, below)) = open.pop() {
            let greatest = self.greatest[node];
            // Nodes without any chunk are behind `most` too.
            if first >= most || ends_before(&self.chunks[greatest as usize].end, value) {
                continue;
            }
            if node < leaves {
                let half = below / 2;
                open.extend([(2 * node + 1, first + half, half), (2 * node, first, half)]);
                continue;
            }
            let entries = self.chunks[first].entries.iter().take_while(|entry| !starts_after(&entry.from, value));
            entries.filter(|entry| !ends_before(&entry.to, value)).for_each(|entry| each(&entry.of));
        }
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn ranges_are_found_by_each_value_in_them() {
        let mut ranges = Ranges::default();
        let mut naive: BTreeMap<u64, (Bound<i64>, Bound<i64>)> = BTreeMap::new();
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let bound = |kind, value: i64| match kind {
            0 => Bound::Unbounded,
            1 | 2 => Bound::Included(value),
            _ => Bound::Excluded(value),
        };
        let owned = |bound: Bound<i64>| bound.map(Value::from);
        for id in 0..2_000 {
            if random(3) == 0 && !naive.is_empty() {
                let gone = *naive.keys().nth(random(naive.len() as u64) as usize).unwrap();
                let (from, _) = naive.remove(&gone).unwrap();
                ranges.remove(&owned(from), |of| *of == gone);
            } else {
                let low = random(50) as i64;
                let (from, to) = (bound(random(5), low), bound(random(5), low + random(20) as i64));
                naive.insert(id, (from, to));
                ranges.insert(owned(from), owned(to), id);
            }
            let value = random(75) as i64;
            let mut found = Vec::new();
            ranges.find(ValueRef::Int(value), |of| found.push(*of));
            found.sort_unstable();
            let expected: Vec<u64> = naive
                .iter()
                .filter(|(_, range)| std::ops::RangeBounds::contains(*range, &value))
                .map(|(id, _)| *id)
                .collect();
            assert_eq!(found, expected, "{value} after {id}");
        }
        assert!(ranges.chunks.len() > 20, "chunks were split");
        ranges.find(ValueRef::Null, |of| panic!("{of}"));
        for (id, (from, _)) in naive {
            ranges.remove(&owned(from), |of| *of == id);
        }
        assert!(ranges.is_empty());
    }
}
