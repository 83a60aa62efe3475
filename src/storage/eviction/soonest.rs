//! Soonest to expire: the record whose deadline is next. Records without one come after all others, the oldest first.
//!
//! Readers may move deadlines to later times. A row stays filed under the earlier one until it is next in the order, and is filed
//! again then.

use super::oldest::Oldest;
use super::order::{Candidates, Item, Order, STEPS};
use crate::clock::Timestamp;
use crate::rowset::Row;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

pub(super) struct Soonest {
    by_deadline: BTreeSet<(Timestamp, Row)>,
    /// By row: the time under which it is filed.
    filed: Vec<Option<Timestamp>>,
    without: Oldest,
    /// The last row that was looked at for a batch. Rows that were taken stay until they are removed.
    last: Option<(Timestamp, Row)>,
}

impl Soonest {
    pub(super) fn new() -> Self {
        Soonest { by_deadline: BTreeSet::new(), filed: Vec::new(), without: Oldest::new(), last: None }
    }

    fn file(&mut self, row: Row, deadline: Timestamp) {
        let place = row as usize;
        if place >= self.filed.len() {
            self.filed.resize(place + 1, None);
        }
        self.filed[place] = Some(deadline);
        self.by_deadline.insert((deadline, row));
    }

    fn unfile(&mut self, row: Row) {
        if let Some(deadline) = self.filed.get_mut(row as usize).and_then(Option::take) {
            self.by_deadline.remove(&(deadline, row));
        }
    }
}

impl Order for Soonest {
    fn insert(&mut self, item: Item) {
        match item.deadline {
            Some(deadline) => self.file(item.row, deadline),
            None => self.without.insert(item),
        }
    }

    fn replace(&mut self, item: Item, before: u64) {
        if item.deadline.is_some() || !self.without.has(item.row) {
            self.remove(item.row, before);
            self.insert(item);
        }
    }

    fn remove(&mut self, row: Row, weight: u64) {
        self.unfile(row);
        self.without.remove(row, weight);
    }

    fn begin(&mut self) {
        self.last = None;
        self.without.begin();
    }

    fn take(&mut self, among: &Candidates<'_>) -> Option<Row> {
        let mut steps = STEPS;
        loop {
            let from = self.last.map_or(Unbounded, Excluded);
            let Some(&next) = self.by_deadline.range((from, Unbounded)).next() else {
                return self.without.take(among);
            };
            self.last = Some(next);
            let (filed, row) = next;
            if among.is_exempt(row) {
                continue;
            }
            match among.deadline(row).filter(|moved| *moved > filed && steps > 0) {
                Some(moved) => {
                    self.unfile(row);
                    self.file(row, moved);
                    steps -= 1;
                }
                None => return Some(row),
            }
        }
    }

    fn put_back(&mut self, _: Item) {}

    fn rows(&self) -> Option<Vec<Row>> {
        let mut rows = self.without.rows()?;
        let is_filed = |(deadline, row): &(Timestamp, Row)| self.filed.get(*row as usize) == Some(&Some(*deadline));
        if !self.by_deadline.iter().all(is_filed) {
            return None;
        }
        rows.extend(self.by_deadline.iter().map(|(_, row)| *row));
        Some(rows)
    }

    fn heap_bytes(&self) -> usize {
        // A node of the tree is two thirds full on average.
        let tree = self.by_deadline.len() * size_of::<(Timestamp, Row)>() * 3 / 2;
        tree + self.filed.capacity() * size_of::<Option<Timestamp>>() + self.without.heap_bytes()
    }
}
