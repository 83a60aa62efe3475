//! What did commits change that some reader may not see yet?
//!
//! A commit publishes its mark before it touches anything shared. A reader at `e` trusts the shared structures for every
//! row that no mark after `e` shows, **if it loads the marks after the last part that it reads**.
//!
//! The usual case, nothing marked after `e`, costs one load. It sees the mark of every commit of which the reader has seen a change: that was
//! read under a guard that the commit held after its mark, or between two fences (see `column`). So release and acquire are
//! enough; loom, which takes a sequentially consistent load for one of the newest store, would find no missing fence with more.

use crate::error::Commit;
use crate::reclaim::newest_within;
use crate::rowset::{Row, RowSet};
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, Release},
    RwLock,
};

/// What one commit, or several merged ones, changed in one collection.
#[derive(Clone)]
pub(crate) struct Mark {
    /// The newest of the commits.
    pub(crate) commit: Commit,
    /// Rows from here on were never used before the first of the commits, and are not listed.
    pub(crate) first_new_row: Row,
    pub(crate) rows: RowSet,
}

impl Mark {
    /// Takes in the mark of later commits.
    fn merge(&mut self, later: &Mark) {
        let known: Vec<Row> = later.rows.iter().take_while(|row| *row < self.first_new_row).collect();
        self.rows.insert_all(&known);
        self.commit = later.commit;
    }
}

/// What the marks after some epoch say together.
pub(crate) struct Changed {
    /// Rows whose state at the epoch only their versions know.
    pub(crate) rows: RowSet,
    /// Rows from here on are not there yet at the epoch.
    pub(crate) first_new_row: Row,
}

impl Changed {
    const NOTHING: Row = Row::MAX;

    pub(crate) fn is_nothing(&self) -> bool {
        self.first_new_row == Self::NOTHING
    }

    /// Whether a row is one of those that changed or are not there yet.
    pub(crate) fn has(&self, row: Row) -> bool {
        row >= self.first_new_row || self.rows.contains(row)
    }
}

/// What one reader knows of the marks while it reads parts one after the other, each of them later than the marks before.
pub(crate) struct Watch {
    epoch: Commit,
    /// The newest marked commit when the list was loaded last.
    seen: Commit,
    /// What had changed by then.
    pub(crate) changed: Changed,
}

impl Watch {
    /// Loads the marks.
    pub(crate) fn new(marks: &Marks, epoch: Commit) -> Self {
        // Read before the list: a mark that is in neither is that of a commit which has touched nothing yet.
        let seen = marks.newest();
        Watch { epoch, seen, changed: marks.after(epoch) }
    }

    /// To be called after a part is read: loads the marks again if there are newer ones, and says whether there are. One load if not.
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
    /// The newest marked commit. Raised after the list has the mark, before the commit touches anything.
    newest: AtomicU64,
    /// Oldest first.
    list: RwLock<Vec<Mark>>,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Marks { newest: AtomicU64::new(0), list: RwLock::new(Vec::new()) }
    }

    #[inline]
    fn newest(&self) -> Commit {
        Commit::from_number(self.newest.load(Acquire))
    }

    pub(crate) fn add(&self, mark: Mark) {
        let commit = mark.commit;
        let mut list = self.list.write();
        debug_assert!(list.last().is_none_or(|last| last.commit < commit && last.first_new_row <= mark.first_new_row));
        list.push(mark);
        drop(list);
        self.newest.store(commit.get(), Release);
    }

    /// Whether no commit after `epoch` has begun to change anything. Load it after the last part is read.
    #[inline]
    pub(crate) fn is_nothing_after(&self, epoch: Commit) -> bool {
        self.newest() <= epoch
    }

    /// What changed after `epoch`. Load it after the last part is read.
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

    /// Drops the marks that every reader has behind it, and merges neighbours that no pinned commit tells apart.
    /// `pinned` ascends. O(marks + rows of the merged ones).
    pub(crate) fn tidy(&self, pinned: &[Commit], published: Commit) {
        let oldest = pinned.first().map_or(published, |e| published.min(*e));
        let mut list = self.list.write();
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
    }

    pub(crate) fn len(&self) -> usize {
        self.list.read().len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let list = self.list.read();
        list.capacity() * size_of::<Mark>() + list.iter().map(|mark| mark.rows.heap_bytes()).sum::<usize>()
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
        assert_eq!(marks.len(), 2, "2 and 3 are one, 4 and 5 are one, 1 is gone");
        assert_eq!(
            after(&marks, 1),
            (vec![0, 1, 2, 5], 3),
            "row 4 is beyond the cut, rows 2 and 5 are where they were"
        );
        assert_eq!(after(&marks, 3), before[1]);
        assert!(marks.after(newest).is_nothing());
        marks.tidy(&[], newest);
        assert_eq!(marks.len(), 0);
    }
}
