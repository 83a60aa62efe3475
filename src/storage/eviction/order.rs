//! The order in which a policy evicts: the seam between the queue and the policies.

use crate::clock::Timestamp;
use crate::rowset::Row;
use crate::storage::deadline::Deadline;

/// The newest version of a row, for the queue. The row pages have them.
pub(crate) trait Newest {
    /// Passes the hash of the key and the deadline, which has the marks of readers, to `read`. Under the guard of the page.
    fn read_newest(&self, row: Row, read: &mut dyn FnMut(u32, &Deadline));
}

/// A policy looks at so many used records for one victim at most. Then it takes the next record, used or not, so that no commit
/// pays for the reads of a long time.
pub(super) const STEPS: usize = 256;

/// A record that joins an order.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) row: Row,
    pub(super) weight: u64,
    pub(super) hash: u32,
    pub(super) deadline: Option<Timestamp>,
}

/// An order of rows, kept by a policy. The queue tells it which rows come and go.
pub(super) trait Order: Send + Sync {
    /// Adds the row of a record, which is not in the order.
    fn insert(&mut self, item: Item);

    /// The record of a row has been replaced. `before` is the weight that it had.
    fn replace(&mut self, item: Item, before: u64);

    /// A row leaves. It may have been taken before.
    fn remove(&mut self, row: Row, weight: u64);

    /// Victims are about to be taken for a batch.
    fn begin(&mut self) {}

    /// Takes the next victim. At least one row that was not taken is not exempt.
    fn take(&mut self, among: &Candidates<'_>) -> Option<Row>;

    /// The victims that were taken for a batch leave with its commit.
    fn settle(&mut self) {}

    /// Undoes the last [`take`](Order::take) that is not undone yet.
    fn put_back(&mut self, item: Item);

    /// The rows that are in the order, in any order, by a walk; `None` if it is damaged. For audits.
    fn rows(&self) -> Option<Vec<Row>>;

    fn heap_bytes(&self) -> usize;
}

/// The rows that a policy chooses among.
pub(super) struct Candidates<'a> {
    pub(super) newest: &'a dyn Newest,
    /// The rows that the batch changes, ascending: they can't be victims.
    pub(super) exempt: &'a [Row],
    pub(super) weights: &'a dyn Fn(Row) -> u64,
}

impl Candidates<'_> {
    pub(super) fn is_exempt(&self, row: Row) -> bool {
        self.exempt.binary_search(&row).is_ok()
    }

    pub(super) fn weight(&self, row: Row) -> u64 {
        (self.weights)(row)
    }

    fn read<T: Default>(&self, row: Row, read: impl Fn(u32, &Deadline) -> T) -> T {
        let mut found = T::default();
        self.newest.read_newest(row, &mut |hash, deadline| found = read(hash, deadline));
        found
    }

    /// How often the record was used since this was last set, up to 3.
    pub(super) fn uses(&self, row: Row) -> u8 {
        self.read(row, |_, deadline| deadline.uses())
    }

    pub(super) fn set_uses(&self, row: Row, uses: u8) {
        self.read(row, |_, deadline| deadline.set_uses(uses));
    }

    pub(super) fn deadline(&self, row: Row) -> Option<Timestamp> {
        self.read(row, |_, deadline| deadline.time())
    }

    pub(super) fn hash(&self, row: Row) -> u32 {
        self.read(row, |hash, _| hash)
    }
}
