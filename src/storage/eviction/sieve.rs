//! SIEVE: one queue, and a hand that goes from the oldest record to the newest one. It evicts the first record that was not used since
//! it last passed; records that it leaves stay where they are. (Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson and R. Vinayak, *SIEVE is
//! simpler than LRU*, NSDI 2024.)

use super::lists::Lists;
use super::order::{Candidates, Item, Order, STEPS};
use crate::rowset::Row;

pub(super) struct Sieve {
    list: Lists<1>,
    /// The record that it looks at next; the oldest one if there is none.
    hand: Option<Row>,
}

impl Sieve {
    pub(super) fn new() -> Self {
        Sieve { list: Lists::new(), hand: None }
    }
}

impl Order for Sieve {
    fn insert(&mut self, Item { row, .. }: Item) {
        self.list.push(0, row);
    }

    fn replace(&mut self, _: Item, _: u64) {}

    fn remove(&mut self, row: Row, _: u64) {
        if self.hand == Some(row) {
            self.hand = self.list.newer(row);
        }
        self.list.remove(row);
    }

    fn take(&mut self, among: &Candidates<'_>) -> Option<Row> {
        let mut steps = STEPS;
        loop {
            let row = self.hand.or_else(|| self.list.oldest(0))?;
            self.hand = self.list.newer(row);
            if among.is_exempt(row) {
                continue;
            }
            if among.uses(row) > 0 && steps > 0 {
                among.set_uses(row, 0);
                steps -= 1;
                continue;
            }
            self.list.remove(row);
            return Some(row);
        }
    }

    fn put_back(&mut self, Item { row, .. }: Item) {
        self.list.insert_before(0, row, self.hand);
        self.hand = Some(row);
    }

    fn rows(&self) -> Option<Vec<Row>> {
        self.list.walk()
    }

    fn heap_bytes(&self) -> usize {
        self.list.heap_bytes()
    }
}
