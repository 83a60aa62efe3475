//! The rows of a layer that a fork no longer reads there: it has changed or deleted their records, or has taken them over.
//!
//! A fork takes a row over once a commit of the base has changed it. So a query need not look at the rows that the base has changed
//! since the fork was made, as it would through a snapshot: as long as nothing else is marked, the covered rows are all that it has to
//! leave out.

use super::super::marks::{Changed, Marks};
use crate::error::Commit;
use crate::rowset::{Row, RowSet};

/// See the head of this file. One value for each commit of the fork.
#[derive(Clone)]
pub(crate) struct Covered {
    pub(crate) rows: RowSet,
    /// How many of them have a record that the fork began with.
    pub(crate) records: usize,
    /// Whether these are all rows of the layer.
    pub(crate) is_all: bool,
    /// All rows that the base has changed up to this commit are covered.
    through: Commit,
    /// Rows from this one on were new at `through`.
    first_new_row: Row,
}

impl Covered {
    /// Nothing, of a layer that is pinned at a commit.
    pub(in crate::storage) fn nothing(pinned: Commit) -> Self {
        Covered { rows: RowSet::new(), records: 0, is_all: false, through: pinned, first_new_row: Row::MAX }
    }

    /// These rows too, which ascend. Each has a record, and is not covered yet.
    pub(super) fn and(&self, more: &[Row]) -> Self {
        let mut rows = self.rows.clone();
        rows.insert_all(more);
        Covered { rows, records: self.records + more.len(), ..*self }
    }

    /// The same, with all rows that the base has changed up to a commit, from `first_new_row` on by being new.
    pub(super) fn through(self, commit: Commit, changed: &Changed) -> Self {
        Covered { rows: self.rows.or(&changed.rows), through: commit, first_new_row: changed.first_new_row, ..self }
    }

    /// The same, as all rows of the layer.
    pub(super) fn covering_all(self) -> Self {
        Covered { is_all: true, ..self }
    }

    /// Whether a commit of the base may have changed rows that are not covered. Ask after the last part of the layer is read.
    pub(crate) fn is_behind(&self, marks: &Marks) -> bool {
        !marks.is_nothing_after(self.through)
    }

    /// The rows of the layer, pinned at `pinned`, that its indexes can't answer for. Those whose versions need not be read either are
    /// covered. Load it after the last part of the layer.
    pub(crate) fn changed(&self, marks: &Marks, pinned: Commit) -> Changed {
        let (rows, first_new_row) = if self.is_behind(marks) {
            let changed = marks.after(pinned);
            (if self.rows.is_empty() { changed.rows } else { changed.rows.or(&self.rows) }, changed.first_new_row)
        } else {
            (self.rows.clone(), self.first_new_row)
        };
        Changed { rows, first_new_row, expired: self.rows.clone() }
    }
}
