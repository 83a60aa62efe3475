//! Which leaf holds a position? The lower bounds of all leaves, ascending, in blocks of some hundred, so that a new leaf moves
//! few of them and a look-up reads memory that lies side by side.

use super::leaf::{Leaf, Position};
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
}

/// Most leaves of a block.
const BLOCK: usize = 512;

impl<K: Ord + Clone> Directory<K> {
    pub(super) fn new(first: Arc<Leaf<K>>) -> Self {
        Directory { first, blocks: Vec::new() }
    }

    /// The place of the last leaf whose lower bound is not above `at`; `None` is the first leaf.
    fn place(&self, at: &Position<K>) -> Option<(usize, usize)> {
        let block = self.blocks.partition_point(|block| block[0].lower <= *at).checked_sub(1)?;
        let within = self.blocks[block].partition_point(|entry| entry.lower <= *at);
        Some((block, within - 1))
    }

    /// The leaf of a position; `None` is the very first.
    pub(super) fn leaf(&self, at: Option<&Position<K>>) -> &Arc<Leaf<K>> {
        match at.and_then(|at| self.place(at)) {
            Some((block, within)) => &self.blocks[block][within].leaf,
            None => &self.first,
        }
    }

    /// The leaf before the one with this lower bound.
    pub(super) fn before(&self, lower: &Position<K>) -> Option<&Arc<Leaf<K>>> {
        match self.place(lower)? {
            (0, 0) => Some(&self.first),
            (block, 0) => self.blocks[block - 1].last().map(|entry| &entry.leaf),
            (block, within) => Some(&self.blocks[block][within - 1].leaf),
        }
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
