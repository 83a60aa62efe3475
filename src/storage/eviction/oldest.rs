//! Oldest first: the record that was inserted first, however often it was used or changed.

use super::lists::Lists;
use super::order::{Candidates, Item, Order};
use crate::rowset::Row;

pub(super) struct Oldest {
    list: Lists<1>,
    /// The next row to take for a batch. Rows that were taken stay in the list until they are removed.
    next: Option<Row>,
}

impl Oldest {
    pub(super) fn new() -> Self {
        Oldest { list: Lists::new(), next: None }
    }

    /// Whether a row is in the list.
    pub(super) fn has(&self, row: Row) -> bool {
        self.list.list_of(row).is_some()
    }
}

impl Order for Oldest {
    fn insert(&mut self, Item { row, .. }: Item) {
        self.list.push(0, row);
    }

    fn replace(&mut self, _: Item, _: u64) {}

    fn remove(&mut self, row: Row, _: u64) {
        self.list.remove(row);
    }

    fn begin(&mut self) {
        self.next = self.list.oldest(0);
    }

    fn take(&mut self, among: &Candidates<'_>) -> Option<Row> {
        loop {
            let row = self.next?;
            self.next = self.list.newer(row);
            if !among.is_exempt(row) {
                return Some(row);
            }
        }
    }

    fn put_back(&mut self, _: Item) {}

    fn rows(&self) -> Option<Vec<Row>> {
        self.list.walk()
    }

    fn heap_bytes(&self) -> usize {
        self.list.heap_bytes()
    }
}
