//! S3-FIFO: a small queue in front of a main queue, and ghosts. (J. Yang, Y. Zhang, Z. Qiu, Y. Yue and R. Vinayak, *FIFO queues are all
//! you need for cache eviction*, SOSP 2023.)
//!
//! A new record joins the small queue, which has a tenth of the bound. At its end, a record that was used there moves on to the main
//! queue; the others are evicted, and remembered as ghosts. A record that comes back while it is a ghost joins the main queue. At the
//! end of that one, a record that was used goes round again, and gives up one of its uses. So a scan passes through a tenth of the
//! collection.

use super::ghosts::Ghosts;
use super::lists::Lists;
use super::order::{Candidates, Item, Order, STEPS};
use crate::rowset::Row;

const SMALL: usize = 0;
const MAIN: usize = 1;
/// So many uses take a record from the small queue to the main one.
const MOVES_ON: u8 = 2;

pub(super) struct S3Fifo {
    lists: Lists<2>,
    /// The weight of the small queue, and its share of the bound.
    small: u64,
    share: u64,
    ghosts: Ghosts,
    /// The lists and the hashes of the victims of the batch that is being staged, in the order in which they were taken.
    taken: Vec<(usize, u32)>,
    /// The rows of the main queue that could not be taken for this batch.
    skipped: usize,
}

impl S3Fifo {
    pub(super) fn new(limit: u64) -> Self {
        S3Fifo {
            lists: Lists::new(),
            small: 0,
            share: limit / 10,
            ghosts: Ghosts::new(),
            taken: Vec::new(),
            skipped: 0,
        }
    }

    fn push(&mut self, list: usize, row: Row, weight: u64) {
        self.lists.push(list, row);
        self.small += if list == SMALL { weight } else { 0 };
    }

    fn unlink(&mut self, row: Row, weight: u64) -> Option<usize> {
        let list = self.lists.remove(row);
        self.small -= if list == Some(SMALL) { weight } else { 0 };
        list
    }
}

impl Order for S3Fifo {
    fn insert(&mut self, Item { row, weight, hash, .. }: Item) {
        let list = if self.ghosts.remove(hash) { MAIN } else { SMALL };
        self.push(list, row, weight);
    }

    fn replace(&mut self, Item { row, weight, .. }: Item, before: u64) {
        if self.lists.list_of(row) == Some(SMALL) {
            self.small = self.small - before + weight;
        }
    }

    fn remove(&mut self, row: Row, weight: u64) {
        self.unlink(row, weight);
    }

    fn begin(&mut self) {
        self.skipped = 0;
    }

    fn take(&mut self, among: &Candidates<'_>) -> Option<Row> {
        let mut steps = STEPS;
        loop {
            // The batch may change the whole main queue.
            let from_small = self.small > self.share || self.skipped >= self.lists.len(MAIN);
            let list = if from_small && self.lists.len(SMALL) > 0 { SMALL } else { MAIN };
            let row = self.lists.oldest(list)?;
            let (weight, is_exempt) = (among.weight(row), among.is_exempt(row));
            let uses = if is_exempt { MOVES_ON } else { among.uses(row) };
            if is_exempt || (uses >= if list == SMALL { MOVES_ON } else { 1 } && steps > 0) {
                self.unlink(row, weight);
                self.push(MAIN, row, weight);
                if is_exempt {
                    self.skipped += usize::from(list == MAIN);
                } else {
                    among.set_uses(row, if list == SMALL { 0 } else { uses - 1 });
                    steps -= 1;
                }
                continue;
            }
            self.unlink(row, weight);
            self.taken.push((list, among.hash(row)));
            return Some(row);
        }
    }

    fn settle(&mut self) {
        let most = self.lists.len(SMALL) + self.lists.len(MAIN);
        for (list, hash) in self.taken.drain(..) {
            if list == SMALL {
                self.ghosts.add(hash, most);
            }
        }
    }

    fn put_back(&mut self, Item { row, weight, .. }: Item) {
        let Some((list, _)) = self.taken.pop() else { return };
        let oldest = self.lists.oldest(list);
        self.lists.insert_before(list, row, oldest);
        self.small += if list == SMALL { weight } else { 0 };
    }

    fn rows(&self) -> Option<Vec<Row>> {
        self.lists.walk()
    }

    fn heap_bytes(&self) -> usize {
        self.lists.heap_bytes() + self.ghosts.heap_bytes()
    }
}
