//! The committer's side of a collection: free rows, back references, and its side of everything derived from the records.

use super::back_refs::{BackRefs, RefGroup};
use super::column::{Cell, ColumnWriter};
use super::eviction::Queue;
use super::gauges::Counts;
use crate::error::Commit;
use crate::index::{self, Catalog, ChangeSet, Maintain, Moves, RefPlace, Role, Staged, StagedRefs};
use crate::limits::MAX_ROWS;
use crate::reclaim::Retained;
use crate::rowset::Row;

/// Guarded by the commit lock.
pub(crate) struct TableWriter {
    pub(super) free_rows: Vec<Row>,
    /// Rows from here on were never used, or are forgotten.
    pub(super) used_rows: Row,
    pub(super) back_refs: BackRefs,
    /// Indexes and materialized aggregates, in the order in which they were added.
    pub(super) structures: Vec<Maintained>,
    /// In the order of the table's columns.
    pub(super) columns: Vec<ColumnWriter>,
    pub(super) records: usize,
    /// Heap bytes of the keys of all versions.
    pub(super) key_bytes: usize,
    /// As readers of the statistics see it.
    pub(super) counted: Counts,
    /// The rows of older versions, each filed under a pinned commit that sees it.
    pub(super) kept: Retained<Row>,
    pub(super) displaced: Vec<(Row, Commit)>,
    /// The order of eviction, if the collection has a bound.
    pub(crate) bound: Option<Box<Queue>>,
}

/// A structure that commits maintain, and where its back references are.
pub(super) struct Maintained {
    pub(super) structure: Box<dyn Maintain>,
    /// Its group in the back references.
    group: usize,
    /// The place of its back references among all of a row.
    from: usize,
    width: usize,
    has_constraint: bool,
    role: Role,
}

impl Maintained {
    fn new(structure: Box<dyn Maintain>, group: usize, from: usize) -> Self {
        let (width, has_constraint, role) = (structure.width(), structure.has_constraint(), structure.role());
        Maintained { structure, group, from, width, has_constraint, role }
    }

    /// Whether [`Maintain::clashes`] can find any.
    pub(super) fn has_constraint(&self) -> bool {
        self.has_constraint
    }

    /// Where its back references are among the `stride` words of a row.
    #[inline]
    pub(super) fn place(&self, stride: usize) -> RefPlace {
        RefPlace { from: self.from, width: self.width, stride }
    }
}

impl TableWriter {
    /// For an empty collection: its structures begin before the first commit.
    pub(super) fn new(structures: Vec<Box<dyn Maintain>>, columns: Vec<ColumnWriter>) -> Self {
        let mut from = 0;
        let structures = structures.into_iter().map(|mut structure| {
            structure.record_versions(Commit::ZERO);
            let maintained = Maintained::new(structure, 0, from);
            from += maintained.width;
            maintained
        });
        let structures = structures.collect();
        TableWriter {
            free_rows: Vec::new(),
            used_rows: 0,
            back_refs: BackRefs::new(from),
            structures,
            columns,
            records: 0,
            key_bytes: 0,
            counted: Counts::default(),
            kept: Retained::default(),
            displaced: Vec::new(),
            bound: None,
        }
    }

    // ---- rows -----------------------------------------------------------------------------------------------------

    /// Rows from here on were never used.
    pub(crate) fn used_rows(&self) -> usize {
        self.used_rows as usize
    }

    /// Rows that are not free: as many as keys.
    pub(super) fn keys(&self) -> usize {
        self.used_rows() - self.free_rows()
    }

    /// How many used rows are free.
    pub(crate) fn free_rows(&self) -> usize {
        self.free_rows.len()
    }

    /// Allocates a row: a free one, or one that was never used.
    pub(crate) fn new_row(&mut self) -> Row {
        self.free_rows.pop().unwrap_or_else(|| {
            debug_assert!((self.used_rows as usize) < MAX_ROWS);
            self.used_rows += 1;
            self.used_rows - 1
        })
    }

    /// All rows from here on are free: makes them count as never used.
    pub(super) fn forget_rows_from(&mut self, end: Row) {
        self.used_rows = end;
        self.free_rows.retain(|row| *row < end);
        self.free_rows.shrink_to_fit();
        self.back_refs.truncate(end);
    }

    /// The row that [`new_row`](Self::new_row) will allocate after so many others.
    pub(crate) fn row_ahead(&self, others: usize) -> Row {
        match self.free_rows.len().checked_sub(others + 1) {
            Some(at) => self.free_rows[at],
            None => self.used_rows + (others - self.free_rows.len()) as Row,
        }
    }

    // ---- structures -----------------------------------------------------------------------------------------------

    /// The width of a row's back references, all structures together.
    pub(crate) fn width(&self) -> usize {
        self.back_refs.width()
    }

    /// Sets the changes of a batch by the rows that hold a record before it, and gathers the back references of these. Run before
    /// any user code, so that cache misses of successive rows overlap.
    pub(crate) fn gather(&self, changes: &mut ChangeSet, before: impl Iterator<Item = Option<Row>>) {
        let ChangeSet { staged, old_refs, .. } = changes;
        staged.clear();
        staged.extend(before.map(|before| Staged { before, has_record: false, expired: false }));
        old_refs.clear();
        for change in &*staged {
            match change.before {
                Some(row) => self.back_refs.gather(row, old_refs),
                None => old_refs.extend(std::iter::repeat_n(0, self.back_refs.width())),
            }
        }
    }

    /// Adds changes that only remove records, behind those that are staged.
    pub(super) fn stage_removed(&mut self, changes: &mut ChangeSet, rows: impl Iterator<Item = (Row, bool)>) {
        for (row, expired) in rows {
            changes.staged.push(Staged { before: Some(row), has_record: false, expired });
            self.back_refs.gather(row, &mut changes.old_refs);
            changes.new_refs.extend(std::iter::repeat_n(0, self.back_refs.width()));
            self.columns.iter_mut().for_each(|column| column.cells.push(Cell::Missing));
        }
    }

    /// Allocates what is new in every structure, and makes provisional back references final. After the last refusal.
    pub(crate) fn admit(&mut self, changes: &mut ChangeSet) {
        let stride = self.back_refs.width();
        for maintained in &mut self.structures {
            let place = maintained.place(stride);
            maintained.structure.admit(&mut StagedRefs { changes, place });
        }
    }

    /// Moves the rows of a batch in every structure, and remembers their back references. Cannot fail.
    pub(super) fn apply(&mut self, commit: Commit, changes: &ChangeSet) {
        let stride = self.back_refs.width();
        for maintained in &mut self.structures {
            let place = maintained.place(stride);
            maintained.structure.apply(Moves { changes, place });
            maintained.structure.record_versions(commit);
        }
    }

    /// Adds a structure that has been built, complete at `published`, the newest commit.
    pub(super) fn add(&mut self, mut structure: Box<dyn Maintain>, refs: RefGroup, published: Commit) {
        structure.record_versions(published);
        let (group, from) = (self.back_refs.groups(), self.back_refs.width());
        self.back_refs.add(refs);
        self.structures.push(Maintained::new(structure, group, from));
    }

    /// Whether there is a structure of this role and name.
    pub(super) fn position(&self, role: Role, name: &str) -> Option<usize> {
        let is = |of: &Maintained| of.role == role && of.structure.name() == name;
        self.structures.iter().position(is)
    }

    /// Takes a structure out; `published` is the last commit that it has.
    pub(super) fn remove(&mut self, at: usize, published: Commit) -> Box<dyn Maintain> {
        let Maintained { mut structure, group, .. } = self.structures.remove(at);
        if self.structures.iter().all(|other| other.group != group) {
            let width = self.back_refs.remove(group);
            for later in self.structures.iter_mut().filter(|later| later.group > group) {
                later.group -= 1;
                later.from -= width;
            }
        }
        structure.close(published);
        structure
    }

    /// The catalog for readers.
    pub(super) fn catalog(&self) -> Catalog {
        index::catalog(self.structures.iter().map(|maintained| &*maintained.structure))
    }

    /// Heap bytes of all structures of a role.
    pub(super) fn structure_bytes(&self, role: Role) -> usize {
        let of_role = self.structures.iter().filter(|maintained| maintained.role == role);
        of_role.map(|maintained| maintained.structure.heap_bytes()).sum()
    }
}
