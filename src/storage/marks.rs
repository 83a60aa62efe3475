//! Marks: the rows that recent commits changed and that some reader may not see yet.
//!
//! A commit publishes its mark before it changes anything shared. A reader at commit `e` trusts the shared structures
//! for every row that is in no mark after `e`, **if it loads the marks after the last part that it reads**.
//!
//! In the usual case, nothing is marked after `e`, and the check costs one load. That load sees the mark of every
//! commit whose changes the reader has seen: it read them under a guard that the commit took after its mark, or between
//! two fences (see `column`). So release and acquire suffice. Loom could not detect a missing fence with stronger
//! orderings, since it lets a sequentially consistent load always return the newest store.

use super::deadlines::Overdue;
use super::mark_tree::{Mark, Node, heap_bytes};
use crate::error::Commit;
use crate::memory::HeapBytes;
use crate::reclaim::Pins;
use crate::rowset::{Row, RowSet};
use crate::sync::{
    Arc, AtomicU64,
    Ordering::{Acquire, Release},
    RwLock,
};
use std::borrow::Cow;

/// The union of all marks after an epoch.
pub(crate) struct Changed {
    /// Rows whose state at the epoch must be read from their versions.
    pub(crate) rows: RowSet,
    /// Rows from this one on do not exist at the epoch.
    pub(crate) first_new_row: Row,
    /// Those of `rows` whose record at the epoch has expired: their versions need not be read.
    pub(crate) expired: RowSet,
}

impl Changed {
    const NOTHING: Row = Row::MAX;

    pub(crate) fn is_nothing(&self) -> bool {
        self.first_new_row == Self::NOTHING && self.rows.is_empty()
    }

    /// The rows whose versions decide.
    pub(crate) fn undecided(&self) -> Cow<'_, RowSet> {
        if self.expired.is_empty() { Cow::Borrowed(&self.rows) } else { Cow::Owned(self.rows.minus(&self.expired)) }
    }

    /// Adds the rows that are overdue for the reader; they were read before the marks.
    pub(crate) fn with(mut self, overdue: Overdue) -> Self {
        if overdue.is_nothing() {
            return self;
        }
        let Overdue { mut certain, mut doubtful } = overdue;
        certain.truncate(self.first_new_row);
        doubtful.truncate(self.first_new_row);
        self.expired = certain.minus(&self.rows);
        self.rows = self.rows.or(&certain).or(&doubtful);
        self
    }

    /// Whether a row changed after the epoch or does not exist at it.
    pub(crate) fn has(&self, row: Row) -> bool {
        row >= self.first_new_row || self.rows.contains(row)
    }
}

/// A reader's view of the marks while it reads parts one after the other. Each part is read after the marks before it
/// were loaded.
pub(crate) struct Watch {
    epoch: Commit,
    /// The newest marked commit when the marks were last loaded.
    seen: Commit,
    /// The changes at that time.
    pub(crate) changed: Changed,
}

impl Watch {
    /// Loads the marks.
    pub(crate) fn new(marks: &Marks, epoch: Commit) -> Self {
        // Read this before the list: a mark in neither belongs to a commit that has changed nothing yet.
        let seen = marks.newest();
        Watch { epoch, seen, changed: marks.after(epoch) }
    }

    /// Call this after reading a part. It reloads the marks if there are newer ones, and returns whether there were.
    /// Otherwise it costs one load.
    #[inline]
    pub(crate) fn look_again(&mut self, marks: &Marks) -> bool {
        let newer = marks.newest() != self.seen;
        if newer {
            *self = Watch::new(marks, self.epoch);
        }
        newer
    }
}

pub(crate) struct Marks {
    /// The newest marked commit. Stored after the list contains the mark, and before the commit changes anything.
    newest: AtomicU64,
    list: RwLock<List>,
    bytes: HeapBytes,
}

#[derive(Default)]
struct List {
    marks: Arc<Node>,
    len: usize,
}

impl List {
    /// To change it. Copies the nodes that a reader holds.
    fn marks(&mut self) -> &mut Node {
        Arc::make_mut(&mut self.marks)
    }
}

impl Marks {
    pub(crate) fn new() -> Self {
        Marks { newest: AtomicU64::new(0), list: RwLock::new(List::default()), bytes: HeapBytes::default() }
    }

    /// The newest marked commit.
    #[inline]
    pub(super) fn newest(&self) -> Commit {
        Commit::from_number(self.newest.load(Acquire))
    }

    pub(crate) fn add(&self, mark: Mark) {
        let commit = mark.commit;
        self.bytes.change(0, heap_bytes(&mark));
        let mut list = self.list.write();
        debug_assert!(
            list.marks.last().is_none_or(|last| last.commit < commit && last.first_new_row <= mark.first_new_row)
        );
        list.len += 1;
        list.marks().push(mark);
        drop(list);
        self.newest.store(commit.get(), Release);
    }

    /// Whether no commit after `epoch` has begun to change anything. Call this after reading the last part.
    #[inline]
    pub(crate) fn is_nothing_after(&self, epoch: Commit) -> bool {
        self.newest() <= epoch
    }

    /// The changes after `epoch`. Call this after reading the last part.
    pub(crate) fn after(&self, epoch: Commit) -> Changed {
        if self.is_nothing_after(epoch) {
            return Changed { rows: RowSet::new(), first_new_row: Changed::NOTHING, expired: RowSet::new() };
        }
        // The union may take long: a commit must not wait for it.
        let marks = self.list.read().marks.clone();
        let first_new_row = marks.first_after(epoch).map_or(Changed::NOTHING, |earliest| earliest.first_new_row);
        Changed { rows: marks.union_after(epoch), first_new_row, expired: RowSet::new() }
    }

    /// After a commit: merges its mark with the one before if no pinned commit distinguishes them, and drops the marks that are
    /// not newer than any reader's commit. O(log marks + rows of the smaller mark).
    pub(crate) fn tidy(&self, pins: &Pins<'_>, published: Commit) {
        let mut list = self.list.write();
        self.drop_passed(&mut list, pins, published);
        let newest = list.marks.last().map(|last| last.commit);
        let before = newest.map(|newest| Commit::from_number(newest.get().saturating_sub(1)));
        before.into_iter().for_each(|before| self.merge_around(&mut list, before, pins));
    }

    /// No reader is at `ended` any longer: drops the marks that are not newer than any reader's commit, and merges the two marks
    /// around `ended` if no other pinned commit distinguishes them. O(log marks + rows of the smaller mark).
    pub(crate) fn end(&self, ended: Commit, pins: &Pins<'_>, published: Commit) {
        let mut list = self.list.write();
        self.drop_passed(&mut list, pins, published);
        self.merge_around(&mut list, ended, pins);
    }

    fn drop_passed(&self, list: &mut List, pins: &Pins<'_>, published: Commit) {
        let Some(first) = list.marks.first().map(|first| first.commit) else { return };
        let oldest = pins.oldest().map_or(published, |oldest| published.min(oldest));
        if first <= oldest {
            let mut removed = 0;
            list.marks().remove(first, oldest, &mut |mark| {
                removed += 1;
                self.bytes.change(heap_bytes(&mark), 0);
            });
            list.len -= removed;
        }
    }

    fn merge_around(&self, list: &mut List, commit: Commit, pins: &Pins<'_>) {
        let Some(earlier) = list.marks.last_through(commit) else { return };
        let Some(later) = list.marks.first_after(commit) else { return };
        let before = heap_bytes(earlier) + heap_bytes(later);
        let (earlier, later) = (earlier.commit, later.commit);
        if pins.newest_within(earlier, later).is_some() {
            return;
        }
        let mut removed = None;
        list.marks().remove(later, later, &mut |mark| removed = Some(mark));
        list.len -= 1;
        if let (Some(earlier), Some(later)) = (list.marks().get_mut(earlier), removed) {
            earlier.merge(Arc::unwrap_or_clone(later));
            self.bytes.change(before, heap_bytes(earlier));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.read().len
    }

    /// O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The heap bytes, by a walk; for audits.
    pub(crate) fn walk_bytes(&self) -> usize {
        let mut bytes = 0;
        self.list.read().marks.for_each(&mut |mark| bytes += heap_bytes(mark));
        bytes
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    fn mark(commit: u64, first_new_row: Row, rows: &[Row]) -> Mark {
        Mark { commit: Commit::from_number(commit), first_new_row, rows: RowSet::from_sorted(rows) }
    }

    fn after(marks: &Marks, epoch: u64) -> (Vec<Row>, Row) {
        let changed = marks.after(Commit::from_number(epoch));
        (changed.rows.iter().collect(), changed.first_new_row)
    }

    #[test]
    fn merged_marks_answer_as_before_for_every_pinned_commit() {
        let marks = Marks::new();
        for (commit, first_new_row, rows) in
            [(1, 0, &[][..]), (2, 3, &[0, 1]), (3, 5, &[0, 4]), (4, 6, &[2]), (5, 6, &[5])]
        {
            marks.add(mark(commit, first_new_row, rows));
        }
        let pinned = [1, 3];
        let before: Vec<_> = pinned.iter().map(|e| after(&marks, *e)).collect();
        assert_eq!(before[1], (vec![2, 5], 6));
        let newest = Commit::from_number(5);
        let pins = Pins::on(&pinned.map(Commit::from_number));
        marks.tidy(&pins, newest);
        marks.end(Commit::from_number(2), &pins, newest);
        assert_eq!(marks.len(), 2, "marks 2 and 3 are merged, 4 and 5 too, and 1 is dropped");
        assert_eq!(
            after(&marks, 1),
            (vec![0, 1, 2, 5], 3),
            "row 4 is covered by first_new_row, rows 2 and 5 are still listed"
        );
        assert_eq!(after(&marks, 3), before[1]);
        assert!(marks.after(newest).is_nothing());
        marks.tidy(&Pins::on(&[]), newest);
        assert_eq!(marks.len(), 0);
    }
}
