//! The directory: the lower bounds of all leaves, ascending, in blocks of some hundred, so that a new leaf moves few of them and a
//! look-up reads contiguous memory.

use super::leaf::{Ahead, Leaf};
use super::position::Position;
use crate::sync::Arc;

struct Entry<K> {
    lower: Position<K>,
    leaf: Arc<Leaf<K>>,
}

/// Never empty. The first leaf reaches down to the beginning; its entry's bound means nothing.
pub(super) struct Directory<K> {
    first: Arc<Leaf<K>>,
    /// Those after the first leaf. No block is empty.
    blocks: Vec<Vec<Entry<K>>>,
    /// How many leaves there are.
    len: usize,
}

/// A place in the directory: block, and entry within it; `None` is the first leaf.
type Place = Option<(usize, usize)>;

/// Most leaves of a block.
const BLOCK: usize = 512;

impl<K: Ord + Clone> Directory<K> {
    pub(super) fn new(first: Arc<Leaf<K>>) -> Self {
        Directory { first, blocks: Vec::new(), len: 1 }
    }

    /// The place of the last leaf for whose lower bound, and all before it, `is_before` is true.
    fn last_place(&self, is_before: impl Fn(&Position<K>) -> bool) -> Place {
        let block = self.blocks.partition_point(|block| is_before(&block[0].lower)).checked_sub(1)?;
        let within = self.blocks[block].partition_point(|entry| is_before(&entry.lower));
        Some((block, within - 1))
    }

    /// The place of the last leaf whose lower bound is not above `at`.
    fn place(&self, at: &Position<K>) -> Place {
        self.last_place(|lower| lower <= at)
    }

    fn at(&self, place: Place) -> &Arc<Leaf<K>> {
        match place {
            Some((block, within)) => &self.blocks[block][within].leaf,
            None => &self.first,
        }
    }

    fn place_after(&self, place: Place) -> Option<(usize, usize)> {
        match place {
            None => (!self.blocks.is_empty()).then_some((0, 0)),
            Some((block, within)) if within + 1 < self.blocks[block].len() => Some((block, within + 1)),
            Some((block, _)) => (block + 1 < self.blocks.len()).then_some((block + 1, 0)),
        }
    }

    /// The inner `None` is the first leaf.
    fn place_before(&self, place: Place) -> Option<Place> {
        Some(match place? {
            (0, 0) => None,
            (block, 0) => Some((block - 1, self.blocks[block - 1].len() - 1)),
            (block, within) => Some((block, within - 1)),
        })
    }

    /// The leaf of a position; `None` is the very first.
    pub(super) fn leaf(&self, at: Option<&Position<K>>) -> &Arc<Leaf<K>> {
        self.at(at.and_then(|at| self.place(at)))
    }

    fn place_below(&self, at: Option<&Position<K>>) -> Place {
        self.last_place(|lower| at.is_none_or(|at| lower < at))
    }

    /// The leaf before the one with this lower bound.
    pub(super) fn before(&self, lower: &Position<K>) -> Option<&Arc<Leaf<K>>> {
        Some(self.at(self.place_before(self.place(lower))?))
    }

    /// Up to `count` leaves, the last of them that of a position (`None` is the very first), the others those behind it, the
    /// farthest first.
    pub(super) fn leaves_upwards(&self, at: Option<&Position<K>>, count: usize) -> Ahead<K> {
        let mut place = at.and_then(|at| self.place(at));
        let mut leaves = Ahead::new();
        leaves.push(self.at(place).clone());
        while leaves.len() < count {
            let Some(next) = self.place_after(place) else { break };
            place = Some(next);
            leaves.push(self.at(place).clone());
        }
        leaves.reverse();
        leaves
    }

    /// Up to `count` leaves, the last of them that of what comes right before a position (`None` is the end), the others those
    /// before it, the farthest first.
    pub(super) fn leaves_downwards(&self, at: Option<&Position<K>>, count: usize) -> Ahead<K> {
        let mut place = self.place_below(at);
        let mut leaves = Ahead::new();
        leaves.push(self.at(place).clone());
        while leaves.len() < count {
            let Some(next) = self.place_before(place) else { break };
            place = next;
            leaves.push(self.at(place).clone());
        }
        leaves.reverse();
        leaves
    }

    /// The leaf of a position (`None` is the very first), and how many lie before it. O(blocks).
    pub(super) fn ranked(&self, at: Option<&Position<K>>) -> (usize, &Arc<Leaf<K>>) {
        let place = at.and_then(|at| self.place(at));
        (self.rank(place), self.at(place))
    }

    /// The leaf of what comes right before a position (`None` is the end), and how many lie before it. O(blocks).
    pub(super) fn ranked_below(&self, at: Option<&Position<K>>) -> (usize, &Arc<Leaf<K>>) {
        let place = self.place_below(at);
        (self.rank(place), self.at(place))
    }

    fn rank(&self, place: Place) -> usize {
        let before =
            |(block, within): (usize, usize)| 1 + self.blocks[..block].iter().map(Vec::len).sum::<usize>() + within;
        place.map_or(0, before)
    }

    /// The leaf that has so many before it. O(blocks).
    pub(super) fn nth(&self, rank: usize) -> Option<&Arc<Leaf<K>>> {
        let Some(mut within) = rank.checked_sub(1) else { return Some(&self.first) };
        for block in &self.blocks {
            match block.get(within) {
                Some(entry) => return Some(&entry.leaf),
                None => within -= block.len(),
            }
        }
        None
    }

    /// How many leaves there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a leaf.
    pub(super) fn insert(&mut self, lower: Position<K>, leaf: Arc<Leaf<K>>) {
        let entry = Entry { lower, leaf };
        let (at, within) = match self.place(&entry.lower) {
            Some((block, within)) => (block, within + 1),
            None => (0, 0),
        };
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        self.len += 1;
        let block = &mut self.blocks[at];
        block.insert(within, entry);
        if block.len() > BLOCK {
            let rest = block.split_off(BLOCK / 2);
            self.blocks.insert(at + 1, rest);
        }
    }

    /// Takes out the leaf with this lower bound.
    pub(super) fn remove(&mut self, lower: &Position<K>) {
        let Some((at, within)) = self.place(lower) else { return };
        debug_assert!(self.blocks[at][within].lower == *lower);
        self.blocks[at].remove(within);
        self.len -= 1;
        if self.blocks[at].is_empty() {
            self.blocks.remove(at);
        }
    }

    /// All leaves, ascending.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &Arc<Leaf<K>>> {
        std::iter::once(&self.first).chain(self.blocks.iter().flatten().map(|entry| &entry.leaf))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.blocks.iter().map(|block| size_of::<Vec<Entry<K>>>() + block.capacity() * size_of::<Entry<K>>()).sum()
    }
}
