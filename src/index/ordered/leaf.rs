//! A leaf: sorted entries between two bounds, under one guard.
//!
//! Splits and merges move entries of rows that no mark names. So a leaf has its bounds, and a reader that found the leaf in the
//! directory checks under its guard that the position still belongs here.

use super::position::{KeyBound, KeyRange, Position};
use crate::rowset::Row;
use crate::sync::{Arc, RwLock};
use smallvec::SmallVec;

pub(super) struct Leaf<K>(pub(super) RwLock<Entries<K>>);

/// Leaves that a walk will read: a look-up of a few rows needs one, or two.
pub(super) type Ahead<K> = SmallVec<[Arc<Leaf<K>>; 2]>;

/// Invariant: positions ascend strictly and lie within the bounds.
pub(super) struct Entries<K> {
    /// No position here is less; `None` is less than all.
    pub(super) lower: Option<Position<K>>,
    /// No position here is as great; `None` is greater than all.
    pub(super) upper: Option<Position<K>>,
    /// Merged into the leaf before it: nothing belongs here any longer.
    pub(super) dead: bool,
    pub(super) keys: Vec<K>,
    pub(super) rows: Vec<Row>,
}

/// The edit of a commit at one position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit<K> {
    pub(super) at: Position<K>,
    pub(super) insert: bool,
}

impl<K: Ord + Clone> Entries<K> {
    pub(super) fn new(lower: Option<Position<K>>, upper: Option<Position<K>>, keys: Vec<K>, rows: Vec<Row>) -> Self {
        Entries { lower, upper, dead: false, keys, rows }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The heap bytes of the leaf, without those of its keys.
    pub(super) fn heap_bytes(&self) -> usize {
        16 + size_of::<Leaf<K>>() + self.keys.capacity() * size_of::<K>() + self.rows.capacity() * size_of::<Row>()
    }

    /// Whether a position belongs here; `None` is the very first.
    pub(super) fn holds(&self, at: Option<&Position<K>>) -> bool {
        let above = self.lower.as_ref().is_none_or(|lower| at.is_some_and(|at| lower <= at));
        let below = self.upper.as_ref().is_none_or(|upper| at.is_none_or(|at| at < upper));
        above && below && !self.dead
    }

    /// Whether what comes right before a position belongs here; `None` is the end.
    pub(super) fn holds_below(&self, at: Option<&Position<K>>) -> bool {
        let above = self.lower.as_ref().is_none_or(|lower| at.is_none_or(|at| lower < at));
        let below = self.upper.as_ref().is_none_or(|upper| at.is_some_and(|at| at <= upper));
        above && below && !self.dead
    }

    /// How many entries lie before a position.
    pub(super) fn before(&self, at: &Position<K>) -> usize {
        let first = count_less(&self.keys, &at.0);
        if self.keys.get(first) != Some(&at.0) {
            return first;
        }
        // Equal keys are mostly few; where they are many, their rows are searched as well.
        let equal_keys = self.keys[first..].partition_point(|key| *key == at.0);
        first + self.rows[first..first + equal_keys].partition_point(|row| *row < at.1)
    }

    /// The places of the entries within a range. Where it reaches beyond the leaf, no key is looked at.
    pub(super) fn places(&self, range: &KeyRange<K>) -> std::ops::Range<usize> {
        let from = match &range.from {
            KeyBound::At(at) if self.lower.as_ref() < Some(at) => self.before(at),
            KeyBound::Start | KeyBound::At(_) => 0,
            KeyBound::End => self.len(),
        };
        let to = match &range.to {
            KeyBound::At(at) if self.upper.as_ref().is_none_or(|upper| at < upper) => self.before(at),
            KeyBound::End | KeyBound::At(_) => self.len(),
            KeyBound::Start => 0,
        };
        from..to.max(from)
    }

    /// Makes ascending edits: each takes out what is there, or puts in what is not.
    pub(super) fn edit(&mut self, edits: &[Edit<K>]) {
        debug_assert!(edits.is_sorted() && edits.iter().all(|edit| self.holds(Some(&edit.at))));
        if edits.len() <= FEW_EDITS {
            return edits.iter().for_each(|edit| self.edit_one(edit));
        }
        let room = self.len() + edits.len();
        let (mut keys, mut rows) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let old_keys = std::mem::take(&mut self.keys);
        let mut old = old_keys.into_iter().zip(std::mem::take(&mut self.rows)).peekable();
        for Edit { at, insert } in edits {
            while let Some((key, row)) = old.next_if(|(key, row)| (key, *row) < (&at.0, at.1)) {
                keys.push(key);
                rows.push(row);
            }
            let found = old.next_if(|(key, row)| (key, *row) == (&at.0, at.1));
            debug_assert!(found.is_none() == *insert, "an entry is put in once and taken out once");
            if *insert {
                keys.push(at.0.clone());
                rows.push(at.1);
            }
        }
        old.for_each(|(key, row)| {
            keys.push(key);
            rows.push(row);
        });
        (self.keys, self.rows) = (keys, rows);
    }

    fn edit_one(&mut self, Edit { at, insert }: &Edit<K>) {
        let place = self.before(at);
        let found = self.rows.get(place) == Some(&at.1) && self.keys[place] == at.0;
        debug_assert!(found != *insert, "an entry is put in once and taken out once");
        match (*insert, found) {
            (true, false) => {
                self.keys.insert(place, at.0.clone());
                self.rows.insert(place, at.1);
            }
            (false, true) => {
                self.keys.remove(place);
                self.rows.remove(place);
            }
            _ => {}
        }
    }
}

/// The number of ascending keys that are less than one. It reads keys far apart first, all of one distance at once: these reads do not
/// depend on each other, so their cache misses overlap, while those of a binary search follow one another.
fn count_less<K: Ord>(keys: &[K], key: &K) -> usize {
    let mut from = 0;
    let mut rest = keys;
    for stride in [64, 8] {
        let blocks = rest.iter().step_by(stride).map(|first| usize::from(first < key)).sum::<usize>();
        let skipped = blocks.saturating_sub(1) * stride;
        from += skipped;
        rest = &rest[skipped..rest.len().min(skipped + stride)];
    }
    from + rest.iter().map(|own| usize::from(own < key)).sum::<usize>()
}

/// Up to this many edits move entries one by one; more rewrite the leaf in one merge.
const FEW_EDITS: usize = 6;
