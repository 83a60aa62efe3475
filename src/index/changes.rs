//! The changes of a batch in one collection, without the type of its records.
//!
//! *Back references* are what the committer remembers of a row for each structure: a few words, by which the row leaves the
//! structure without its old record being read again. Their meaning is each structure's own; two values are common to all.

use crate::rowset::Row;
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::collections::HashMap;

/// The record has no value here.
pub(crate) const NULL: u32 = 0;
/// The structure does not hold the record.
pub(crate) const ABSENT: u32 = u32::MAX;
/// Set in provisional back references: the place of something new in what the batch brings.
pub(super) const NEW: u32 = 1 << 31;

/// A scratch buffer with more entries than this is given back after a batch.
pub(super) const SCRATCH_KEPT: usize = 16_384;

/// The rows that a batch changes, with the back references that each had and will have: those of all structures, row by row. A
/// commit of one operation allocates nothing for it: many small allocations in a row are what the allocator is slow at.
#[derive(Default)]
pub(crate) struct ChangeSet {
    /// In the order of staging.
    pub(crate) staged: SmallVec<[Staged; 4]>,
    /// The row of each change, in the order of staging; given out when nothing can be refused any more.
    pub(crate) staged_rows: SmallVec<[Row; 4]>,
    /// Ascending by row, as are the back references from then on.
    pub(crate) rows: SmallVec<[RowChange; 4]>,
    /// The back references before the batch; without an old record they mean nothing.
    pub(crate) old_refs: SmallVec<[u32; 16]>,
    /// The back references after the batch; without a new record they mean nothing.
    pub(crate) new_refs: SmallVec<[u32; 16]>,
    /// Rows from here on were never used before this commit.
    pub(crate) first_new_row: Row,
}

/// A change as it is staged.
#[derive(Clone, Copy)]
pub(crate) struct Staged {
    /// The row, if it holds a record before the batch.
    pub(crate) before: Option<Row>,
    /// Whether the batch leaves a record.
    pub(crate) has_record: bool,
    /// Whether the record before the batch has expired.
    pub(crate) expired: bool,
}

/// The change of one row.
#[derive(Clone, Copy)]
pub(crate) struct RowChange {
    pub(crate) row: Row,
    pub(crate) had_record: bool,
    pub(crate) has_record: bool,
}

/// Where one structure's back references are within those of a row.
#[derive(Clone, Copy)]
pub(crate) struct RefPlace {
    pub(crate) from: usize,
    pub(crate) width: usize,
    /// The width of a row's back references, all structures together.
    pub(crate) stride: usize,
}

impl RefPlace {
    #[inline]
    fn of(self, change: usize) -> std::ops::Range<usize> {
        let from = change * self.stride + self.from;
        from..from + self.width
    }
}

impl ChangeSet {
    /// Sets the rows, in the order of staging.
    pub(crate) fn set_rows(&mut self, rows: impl Iterator<Item = RowChange>) {
        self.rows = rows.collect();
        self.staged_rows = self.rows.iter().map(|change| change.row).collect();
    }

    /// Sorts the changes, with their back references of `width` words each, by row. Returns the order for what else is kept change
    /// by change: the place of each change before the sort. `None` if they were sorted.
    pub(crate) fn sort(&mut self, width: usize) -> Option<Vec<usize>> {
        if self.rows.is_sorted_by_key(|change| change.row) {
            return None;
        }
        let mut order: Vec<(Row, usize)> = self.rows.iter().enumerate().map(|(at, change)| (change.row, at)).collect();
        order.sort_unstable();
        let sorted = |refs: &[u32]| order.iter().flat_map(|(_, at)| &refs[at * width..][..width]).copied().collect();
        (self.old_refs, self.new_refs) = (sorted(&self.old_refs), sorted(&self.new_refs));
        self.rows = order.iter().map(|(_, at)| self.rows[*at]).collect();
        Some(order.into_iter().map(|(_, at)| at).collect())
    }
}

/// One structure's back references of a batch that is being staged.
pub(crate) struct StagedRefs<'a> {
    pub(crate) changes: &'a mut ChangeSet,
    pub(crate) place: RefPlace,
}

/// A row that holds a record before the batch, and its back references.
pub(crate) type OldRefs<'a> = Option<(Row, &'a [u32])>;

impl StagedRefs<'_> {
    /// The state before a change, and the back-references that the change leaves, which are still zero.
    #[inline]
    pub(super) fn of(&mut self, change: usize) -> (OldRefs<'_>, &mut [u32]) {
        let ChangeSet { staged, old_refs, new_refs, .. } = &mut *self.changes;
        let place = self.place.of(change);
        let old = staged[change].before.map(|row| (row, &old_refs[place.clone()]));
        (old, &mut new_refs[place])
    }

    /// The new back references, change by change; of changes that leave no record they are zero.
    pub(super) fn new_refs(&mut self) -> impl Iterator<Item = &mut [u32]> {
        let RefPlace { from, width, stride } = self.place;
        self.changes.new_refs.chunks_exact_mut(stride).map(move |refs| &mut refs[from..from + width])
    }
}

/// The net result of a batch, as far as one structure is concerned, before anything is allocated.
pub(crate) struct NetChanges<'a> {
    changes: &'a ChangeSet,
    place: RefPlace,
    by_row: &'a OnceCell<HashMap<Row, usize>>,
    independent: bool,
}

impl<'a> NetChanges<'a> {
    /// `by_row` is filled when it is first needed. With `independent` set, no change may rely on another: the batch is made of
    /// several submissions, each of which might be refused by itself.
    pub(crate) fn new(
        changes: &'a ChangeSet,
        place: RefPlace,
        by_row: &'a OnceCell<HashMap<Row, usize>>,
        independent: bool,
    ) -> Self {
        NetChanges { changes, place, by_row, independent }
    }

    /// The change of a row that holds a record before the batch, and whether the row leaves its entry.
    pub(super) fn of_row(&self, row: Row) -> Option<(usize, bool)> {
        let rows = || {
            let numbered = self.changes.staged.iter().enumerate();
            numbered.filter_map(|(number, staged)| Some((staged.before?, number))).collect()
        };
        let number = *self.by_row.get_or_init(rows).get(&row)?;
        if self.independent && !self.changes.staged[number].expired {
            return None;
        }
        let place = self.place.of(number);
        let gone = !self.changes.staged[number].has_record;
        Some((number, gone || self.changes.old_refs[place.clone()] != self.changes.new_refs[place]))
    }
}

/// The moves of one structure: each row that a batch changes, ascending, with its back references.
#[derive(Clone, Copy)]
pub(crate) struct Moves<'a> {
    pub(crate) changes: &'a ChangeSet,
    pub(crate) place: RefPlace,
}

/// A row whose record has changed; `None` where there is no record.
pub(crate) struct Move<'a> {
    pub(crate) row: Row,
    pub(crate) old: Option<&'a [u32]>,
    pub(crate) new: Option<&'a [u32]>,
}

impl<'a> Moves<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = Move<'a>> {
        self.changes.rows.iter().enumerate().map(move |(at, change)| {
            let place = self.place.of(at);
            Move {
                row: change.row,
                old: change.had_record.then(|| &self.changes.old_refs[place.clone()]),
                new: change.has_record.then(|| &self.changes.new_refs[place]),
            }
        })
    }

    /// The row of a change by the number that it was staged under.
    pub(super) fn row_of(self, change: usize) -> Row {
        self.changes.staged_rows[change]
    }
}
