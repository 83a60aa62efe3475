//! The leaves of an index, and how readers and the committer move among them.
//!
//! Everyone takes the directory before leaves, and a leaf before those to its right. Splits and merges hold the directory and all
//! leaves concerned. Readers hold one guard at a time; how they get from leaf to leaf is said in [`super::cursor`].

use super::directory::Directory;
use super::leaf::{Edit, Entries, Leaf};
use super::position::Position;
use crate::limits::{LEAF_ENTRIES, LEAF_FEW};
use crate::memory::HeapBytes;
use crate::sync::{Arc, RwLock};

pub(super) struct Leaves<K> {
    pub(super) directory: RwLock<Directory<K>>,
    /// The heap bytes of the directory and the leaves. The caller of `apply` counts those of the keys.
    pub(super) bytes: HeapBytes,
}

fn leaf<K>(entries: Entries<K>) -> Arc<Leaf<K>> {
    Arc::new(Leaf(RwLock::new(entries)))
}

impl<K: Ord + Clone> Leaves<K> {
    pub(super) fn new() -> Self {
        let first = Entries::new(None, None, Vec::new(), Vec::new());
        let bytes = HeapBytes::new(first.heap_bytes());
        Leaves { directory: RwLock::new(Directory::new(leaf(first))), bytes }
    }

    /// Makes ascending edits, leaf by leaf. Under the commit lock.
    pub(super) fn apply(&self, mut edits: &[Edit<K>]) {
        debug_assert!(edits.is_sorted());
        while let Some(first) = edits.first() {
            let leaf = self.directory.read().leaf(Some(&first.at)).clone();
            let mut entries = leaf.0.write();
            debug_assert!(entries.holds(Some(&first.at)), "leaves change under the commit lock alone");
            let here = match &entries.upper {
                Some(upper) => edits.partition_point(|edit| edit.at < *upper),
                None => edits.len(),
            };
            let (own, rest) = edits.split_at(here);
            edits = rest;
            let inserts = own.iter().filter(|edit| edit.insert).count();
            let len = entries.len() + inserts - (own.len() - inserts);
            if len <= LEAF_ENTRIES {
                self.bytes.track(&mut *entries, Entries::heap_bytes, |entries| entries.edit(own));
                drop(entries);
                if len < LEAF_FEW {
                    self.merge(&leaf);
                }
            } else {
                drop(entries);
                self.split(&leaf, own);
            }
        }
    }

    /// Makes edits that overflow a leaf, and gives what is too much to new leaves behind it.
    fn split(&self, leaf_to_split: &Leaf<K>, edits: &[Edit<K>]) {
        let mut directory = self.directory.write();
        let mut entries = leaf_to_split.0.write();
        let before = directory.heap_bytes() + entries.heap_bytes();
        entries.edit(edits);
        // Appended in order, leaves would stay half empty for ever: then the old one is left full.
        let appended = entries.upper.is_none() && edits.iter().rev().take(2).all(|edit| edit.insert) && {
            let last = edits.last().map(|edit| &edit.at);
            last.is_some_and(|last| entries.keys.last() == Some(&last.0) && entries.rows.last() == Some(&last.1))
        };
        let fill = if appended { LEAF_ENTRIES - LEAF_ENTRIES / 8 } else { LEAF_ENTRIES / 2 };
        let mut parts = Vec::new();
        while entries.len() > LEAF_ENTRIES {
            // From the end, so that what stays is never moved.
            let leaves = entries.len().div_ceil(fill.max(1));
            let from = if appended { (leaves - 1) * fill } else { entries.len() - entries.len() / leaves.max(2) };
            let from = from.clamp(1, entries.len() - 1);
            let (keys, rows) = (entries.keys.split_off(from), entries.rows.split_off(from));
            let lower = (keys[0].clone(), rows[0]);
            let upper = entries.upper.replace(lower.clone());
            parts.push((lower.clone(), Entries::new(Some(lower), upper, keys, rows)));
        }
        entries.keys.shrink_to(LEAF_ENTRIES);
        entries.rows.shrink_to(LEAF_ENTRIES);
        let mut after = entries.heap_bytes();
        for (lower, part) in parts {
            after += part.heap_bytes();
            directory.insert(lower, leaf(part));
        }
        self.bytes.change(before, after + directory.heap_bytes());
    }

    /// Joins a leaf that has become small with a neighbour, if both fit in one.
    fn merge(&self, small: &Arc<Leaf<K>>) {
        let mut directory = self.directory.write();
        let (lower, upper) = {
            let entries = small.0.read();
            (entries.lower.clone(), entries.upper.clone())
        };
        if let Some(upper) = upper {
            let right = directory.leaf(Some(&upper)).clone();
            if self.join(&mut directory, small, &right) {
                return;
            }
        }
        if let Some(left) = lower.and_then(|lower| directory.before(&lower).cloned()) {
            self.join(&mut directory, &left, small);
        }
    }

    /// Moves all of `right` to the end of `left`, its neighbour, if there is room for half as much again, or one of them is empty.
    fn join(&self, directory: &mut Directory<K>, left: &Leaf<K>, right: &Leaf<K>) -> bool {
        let mut left = left.0.write();
        let mut right = right.0.write();
        debug_assert!(left.upper == right.lower && !left.dead && !right.dead);
        let most = if left.len() == 0 || right.len() == 0 { LEAF_ENTRIES } else { LEAF_ENTRIES * 2 / 3 };
        if left.len() + right.len() > most {
            return false;
        }
        let before = directory.heap_bytes() + left.heap_bytes() + right.heap_bytes();
        let (mut keys, mut rows) = (std::mem::take(&mut right.keys), std::mem::take(&mut right.rows));
        left.keys.append(&mut keys);
        left.rows.append(&mut rows);
        left.upper = right.upper.take();
        right.dead = true;
        if let Some(lower) = right.lower.take() {
            directory.remove(&lower);
        }
        self.bytes.change(before, directory.heap_bytes() + left.heap_bytes());
        true
    }

    /// Passes every leaf, ascending; for audits, under the commit lock or not.
    pub(super) fn each(&self, mut look: impl FnMut(&Entries<K>)) {
        self.all().iter().for_each(|leaf| look(&leaf.0.read()));
    }

    /// Every leaf, ascending.
    pub(super) fn all(&self) -> Vec<Arc<Leaf<K>>> {
        self.directory.read().leaves().cloned().collect()
    }

    /// Joins small neighbours among `count` pairs from the leaf of `at` on; `None` is the first. Returns the position at which to
    /// continue, `None` at the end. Under the commit lock.
    #[expect(clippy::option_option, reason = "the inner one is a place, of which the first has no position")]
    pub(super) fn compact(&self, at: Option<Position<K>>, count: usize) -> Option<Option<Position<K>>> {
        let mut at = at;
        for _ in 0..count {
            let mut directory = self.directory.write();
            let left = directory.leaf(at.as_ref()).clone();
            let upper = left.0.read().upper.clone()?;
            let right = directory.leaf(Some(&upper)).clone();
            if !self.join(&mut directory, &left, &right) {
                self.bytes.track(&mut *left.0.write(), Entries::heap_bytes, |left| {
                    left.keys.shrink_to_fit();
                    left.rows.shrink_to_fit();
                });
                at = Some(upper);
            }
        }
        Some(at)
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self, of_key: impl Fn(&K) -> usize) -> usize {
        let mut bytes = self.directory.read().heap_bytes();
        self.each(|entries| bytes += entries.heap_bytes() + entries.keys.iter().map(&of_key).sum::<usize>());
        bytes
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::position::{KeyBound, KeyRange};
    use super::*;
    use crate::rowset::Row;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn between(leaves: &Leaves<u64>, from: KeyBound<u64>, to: KeyBound<u64>) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut cursor = Cursor::new(KeyRange { from, to }, false);
        while cursor.next(leaves, &mut rows) {}
        rows
    }

    fn all(leaves: &Leaves<u64>) -> Vec<Row> {
        between(leaves, KeyBound::Start, KeyBound::End)
    }

    fn check(leaves: &Leaves<u64>, model: &BTreeSet<Position<u64>>) {
        let mut upper = None;
        let mut found = Vec::new();
        leaves.each(|entries| {
            assert_eq!(entries.lower, upper, "a leaf begins where the one before it ends");
            assert!(entries.len() <= LEAF_ENTRIES && !entries.dead);
            let own: Vec<_> = entries.keys.iter().copied().zip(entries.rows.iter().copied()).collect();
            assert!(own.iter().all(|at| entries.holds(Some(at))));
            found.extend(own);
            upper = entries.upper;
        });
        assert_eq!(upper, None);
        assert!(found.iter().eq(model));
        assert_eq!(leaves.bytes.get(), leaves.walk_bytes(|_| 0));
    }

    fn edits(rows: impl IntoIterator<Item = (u64, Row, bool)>) -> Vec<Edit<u64>> {
        let mut edits: Vec<_> = rows.into_iter().map(|(key, row, insert)| Edit { at: (key, row), insert }).collect();
        edits.sort();
        edits
    }

    #[test]
    fn appended_in_order_leaves_are_nearly_full() {
        let leaves = Leaves::new();
        for batch in 0..100 {
            leaves.apply(&edits((0..1_000).map(|n| (batch * 1_000 + n, 0, true))));
        }
        assert_eq!(all(&leaves).len(), 100_000);
        let mut count = 0;
        leaves.each(|_| count += 1);
        assert!(count * LEAF_ENTRIES < 100_000 * 5 / 4, "{count} leaves");
    }

    /// A queue that grows at one end and shrinks at the other leaves no leaves behind, even if one entry stays in each.
    #[test]
    fn a_queue_takes_no_more_than_what_is_in_it() {
        let leaves = Leaves::new();
        for batch in 0..200_u64 {
            let come = (0..500).map(|n| (batch * 500 + n, 0, true));
            let go = (0..500).filter(|n| batch >= 4 && n % 400 != 0).map(|n| ((batch - 4) * 500 + n, 0, false));
            leaves.apply(&edits(come.chain(go)));
        }
        let (mut count, mut len) = (0, 0);
        leaves.each(|entries| {
            count += 1;
            len += entries.len();
        });
        assert!(count < 60, "{count} leaves for {len} entries");
    }

    #[test]
    fn one_key_may_fill_many_leaves() {
        let leaves = Leaves::new();
        leaves.apply(&edits((0..10_000).map(|row| (7, row, true))));
        leaves.apply(&edits([(6, 1, true), (8, 1, true)]));
        let range = |from, to| between(&leaves, from, to).len();
        assert_eq!(range(KeyBound::before(7), KeyBound::behind(7)), 10_000);
        assert_eq!(range(KeyBound::behind(7), KeyBound::End), 1);
        assert_eq!(range(KeyBound::Start, KeyBound::before(7)), 1);
        assert_eq!(range(KeyBound::behind(7), KeyBound::before(8)), 0);
        assert_eq!(range(KeyBound::behind(8), KeyBound::before(7)), 0);
    }

    proptest! {
        #[test]
        fn a_sorted_set_is_the_model(
            batches in prop::collection::vec(prop::collection::vec((0..40_u64, 0..60_u32), 1..900), 1..12),
        ) {
            let (leaves, mut model) = (Leaves::new(), BTreeSet::new());
            for batch in batches {
                // Entries that are present are removed, the others inserted.
                let toggled: BTreeSet<_> = batch.into_iter().collect();
                leaves.apply(&edits(toggled.iter().map(|(key, row)| (*key, *row, !model.contains(&(*key, *row))))));
                for at in toggled {
                    if !model.remove(&at) {
                        model.insert(at);
                    }
                }
                check(&leaves, &model);
            }
            let mut at = Some(None);
            while let Some(from) = at {
                at = leaves.compact(from, 3);
            }
            check(&leaves, &model);
            let mut sizes = Vec::new();
            leaves.each(|entries| sizes.push(entries.len()));
            prop_assert!(sizes.windows(2).all(|pair| pair[0] + pair[1] > LEAF_ENTRIES * 2 / 3), "{sizes:?}");
        }
    }
}
