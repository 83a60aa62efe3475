//! The first records of each group in an order: for first values, and for hits.

use crate::read::order::{Order, Place, Tie};
use crate::storage::{AnyVersion, SharedVersion};
use memdex_query::value::{Key, Value};

/// A record that is read, with its place among those of all collections.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) version: &'a SharedVersion,
    /// The position of its collection. Ties between collections are broken by it.
    pub(super) collection: usize,
}

/// A retained record, or a part of it, with its place in the order.
struct Ranked<T> {
    sort_values: Vec<Value>,
    collection: usize,
    key: Key,
    kept: T,
}

/// The first records of each group, in the order.
pub(super) struct Firsts<T> {
    /// At most so many of each group.
    most: usize,
    groups: Vec<Vec<Ranked<T>>>,
}

impl<T> Firsts<T> {
    pub(super) fn new(most: usize) -> Self {
        Firsts { most, groups: Vec::new() }
    }

    /// Reserves capacity for `groups` groups.
    pub(super) fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Vec::new);
        }
    }

    /// Adds a record to a group, unless enough others come before it. Runs its extractors. O(log n) comparisons for n records of the
    /// group; usually a single one.
    pub(super) fn add(&mut self, group: u32, order: &Order, record: Candidate<'_>, keep: impl FnOnce() -> T) {
        let first = &mut self.groups[group as usize];
        let comes_before = |other: &Ranked<T>| record.comes_before(order, other);
        if first.len() >= self.most {
            match first.last() {
                Some(last) if comes_before(last) => drop(first.pop()),
                _ => return,
            }
        }
        let at = first.partition_point(|other| !comes_before(other));
        let version: &dyn AnyVersion = &**record.version;
        let (sort_values, key) = (order.values(version), version.key.clone());
        first.insert(at, Ranked { sort_values, collection: record.collection, key, kept: keep() });
    }

    /// The retained records of a group, each with the position of its collection.
    pub(super) fn of(&self, group: usize) -> impl Iterator<Item = (usize, &T)> {
        self.groups.get(group).into_iter().flatten().map(|ranked| (ranked.collection, &ranked.kept))
    }
}

impl Candidate<'_> {
    fn comes_before<T>(self, order: &Order, other: &Ranked<T>) -> bool {
        let same_kinds = self.collection == other.collection;
        let tie = if same_kinds { Tie::Key(&other.key) } else { Tie::Always(self.collection.cmp(&other.collection)) };
        order.compare_to_place(&**self.version, &Place { values: &other.sort_values, tie, same_kinds }).is_lt()
    }
}
