//! Marks: the rows that recent commits changed and that some reader may not see yet.
//!
//! A commit publishes its mark before it changes anything shared. A reader at commit `e` trusts the shared structures
//! for every row that is in no mark after `e`, **if it loads the marks after the last part that it reads**.
//!
//! In the usual case, nothing is marked after `e`, and the check costs one load. That load sees the mark of every
//! commit whose changes the reader has seen: it read them under a guard that the commit took after its mark, or between
//! two fences (see `column`). So release and acquire suffice. Loom could not detect a missing fence with stronger
//! orderings, since it lets a sequentially consistent load always return the newest store.

use crate::error::Commit;
use crate::memory::HeapBytes;
use crate::reclaim::newest_within;
use crate::rowset::{Row, RowSet};
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, Release},
    RwLock,
};

/// The change set of one commit, or of several merged ones, in one collection.
#[derive(Clone)]
pub(crate) struct Mark {
    /// The newest commit of the change set.
    pub(crate) commit: Commit,
    /// Rows from this one on were unused before the first of the commits, and are not listed.
    pub(crate) first_new_row: Row,
    pub(crate) rows: RowSet,
}

impl Mark {
    /// Merges the mark of later commits into this one.
    fn merge(&mut self, later: &Mark) {
        let known: Vec<Row> = later.rows.iter().take_while(|row| *row < self.first_new_row).collect();
        self.rows.insert_all(&known);
        self.commit = later.commit;
    }
}

/// The union of all marks after an epoch.
pub(crate) struct Changed {
    /// Rows whose state at the epoch must be read from their versions.
    pub(crate) rows: RowSet,
    /// Rows from this one on do not exist at the epoch.
    pub(crate) first_new_row: Row,
}

impl Changed {
    const NOTHING: Row = Row::MAX;

    pub(crate) fn is_nothing(&self) -> bool {
        self.first_new_row == Self::NOTHING
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
    /// Oldest first.
    list: RwLock<Vec<Mark>>,
    bytes: HeapBytes,
}

/// O(marks).
fn heap_bytes(list: &Vec<Mark>) -> usize {
    list.capacity() * size_of::<Mark>() + list.iter().map(|mark| mark.rows.heap_bytes()).sum::<usize>()
}

impl Marks {
    pub(crate) fn new() -> Self {
        Marks { newest: AtomicU64::new(0), list: RwLock::new(Vec::new()), bytes: HeapBytes::default() }
    }

    #[inline]
    fn newest(&self) -> Commit {
        Commit::from_number(self.newest.load(Acquire))
    }

    pub(crate) fn add(&self, mark: Mark) {
        let commit = mark.commit;
        let mut list = self.list.write();
        debug_assert!(list.last().is_none_or(|last| last.commit < commit && last.first_new_row <= mark.first_new_row));
        self.bytes.change(0, mark.rows.heap_bytes());
        self.bytes.track(&mut *list, |list| list.capacity() * size_of::<Mark>(), |list| list.push(mark));
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
            return Changed { rows: RowSet::new(), first_new_row: Changed::NOTHING };
        }
        let list = self.list.read();
        let later = &list[list.partition_point(|mark| mark.commit <= epoch)..];
        Changed {
            rows: match later {
                [one] => one.rows.clone(),
                several => RowSet::union(several.iter().map(|mark| &mark.rows)),
            },
            first_new_row: later.first().map_or(Changed::NOTHING, |earliest| earliest.first_new_row),
        }
    }

    /// Drops the marks that are not newer than any reader's commit, and merges adjacent marks that no pinned commit
    /// distinguishes. `pinned` ascends. O(marks + rows of the merged ones).
    pub(crate) fn tidy(&self, pinned: &[Commit], published: Commit) {
        let oldest = pinned.first().map_or(published, |e| published.min(*e));
        let mut list = self.list.write();
        let before = heap_bytes(&list);
        let passed = list.partition_point(|mark| mark.commit <= oldest);
        list.drain(..passed);
        let mut last = 0;
        for at in 1..list.len() {
            let (before, from) = list.split_at_mut(at);
            if newest_within(pinned, before[last].commit, from[0].commit).is_none() {
                before[last].merge(&from[0]);
            } else {
                last += 1;
                list.swap(last, at);
            }
        }
        list.truncate(last + 1);
        self.bytes.change(before, heap_bytes(&list));
    }

    pub(crate) fn len(&self) -> usize {
        self.list.read().len()
    }

    /// O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The heap bytes, by a walk; for audits.
    pub(crate) fn walk_bytes(&self) -> usize {
        heap_bytes(&self.list.read())
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
        marks.tidy(&pinned.map(Commit::from_number), newest);
        assert_eq!(marks.len(), 2, "marks 2 and 3 are merged, 4 and 5 too, and 1 is dropped");
        assert_eq!(
            after(&marks, 1),
            (vec![0, 1, 2, 5], 3),
            "row 4 is covered by first_new_row, rows 2 and 5 are still listed"
        );
        assert_eq!(after(&marks, 3), before[1]);
        assert!(marks.after(newest).is_nothing());
        marks.tidy(&[], newest);
        assert_eq!(marks.len(), 0);
    }
}
