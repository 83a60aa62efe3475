//! Staging: a batch's operations on one collection become one net change a key. All user code of a write runs here, and
//! all refusals happen here; until [`Staged::seal`] nothing has been given out, until [`Staged::mark`] nothing shared.

use super::attribution::{Attribution, CommitOptions, CommitReport};
use super::net::{Net, State};
use super::operation::{Action, Operation, drop_operations};
use super::part::StagedPart;
use super::receipt::Counts;
use super::resolve::{Resolution, look_up};
use crate::error::{Cause, Commit, Refusal};
use crate::limits::MAX_ROWS;
use crate::record::Record;
use crate::rowset::Row;
use crate::storage::{
    AnyTable, Applied, Change, CollectionChanges, Garbage, ProposedChanges, Table, TableWriter, Version,
};
use crate::sync::{Arc, MutexGuard};

pub(super) struct Staged<'a, R: Record> {
    pub(super) table: &'a Arc<Table<R>>,
    pub(super) writer: MutexGuard<'a, TableWriter>,
    pub(super) operations: &'a mut Vec<Operation<R>>,
    counts: Counts,
    pub(super) attribution: Attribution,
    /// Whether it is of several submissions.
    pub(super) grouped: bool,
    /// Operations that are left out, ascending: they stay with the batch.
    left_out: Vec<usize>,
    pub(super) resolution: Resolution<R>,
    pub(super) applied: Applied<R>,
    /// Where the record of each proposed change came from.
    origins: Vec<Origin>,
}

/// Where a record came from, so that it can return.
enum Origin {
    Operation { at: usize, inserts: bool },
    Closure,
    Deleted,
}

impl<'a, R: Record> Staged<'a, R> {
    /// Stages the operations; in a lenient commit again and again without those that are refused, until the rest stands.
    pub(super) fn new(
        table: &'a Arc<Table<R>>,
        operations: &'a mut Vec<Operation<R>>,
        options: CommitOptions,
    ) -> Result<Self, Refusal> {
        if table.is_dropped() {
            return Err(Refusal::new("commit", &table.name, Cause::CollectionDropped));
        }
        let writer = table.writer();
        let resolution = look_up(table, operations);
        let (counts, applied, attribution) = (Counts::default(), Applied::default(), Attribution::new(options));
        let (grouped, left_out) = (options.grouped, Vec::new());
        let origins = Vec::new();
        let mut staged =
            Staged { table, writer, operations, counts, attribution, grouped, left_out, resolution, applied, origins };
        staged.pass()?;
        // Each further pass is without one operation more, at least.
        while staged.attribution.must_restage(staged.operations.len()) {
            staged.restart();
            staged.pass()?;
        }
        Ok(staged)
    }

    /// Resolves the operations in their order against the newest state, then extracts the values of the net records.
    fn pass(&mut self) -> Result<(), Refusal> {
        let table = self.table;
        // Before any user code runs, so that these cache misses overlap with each other and with what it does.
        self.gather_back_refs();
        let known = self.resolution.nets.len();
        self.counts = self.resolution.resolve(table, self.operations, &mut self.attribution)?;
        self.attribution.all_resolved();
        let touched = self.resolution.nets.len();
        self.resolution.nets.retain(|net| net.changes_something());
        if touched > known || self.resolution.nets.len() < touched {
            self.gather_back_refs();
        }
        let new = self.resolution.nets.iter().filter(|net| net.old.is_none()).count();
        if !table.has_room(&self.writer, new) {
            return Err(Refusal::new("store", &table.name, Cause::CollectionFull { limit: MAX_ROWS }));
        }
        self.stage_derived()?;
        self.stage_heap()?;
        self.check_constraints()
    }

    fn restart(&mut self) {
        let resolution = look_up(self.table, self.operations);
        let Resolution { nets, mut superseded, .. } = std::mem::replace(&mut self.resolution, resolution);
        // Records that closures made are the user's: they are dropped with the rest.
        superseded.extend(nets.into_iter().map(|net| net.state).filter(|state| matches!(state, State::Computed(_))));
        self.resolution.superseded = superseded;
    }

    /// Gathers the back-references of the rows before this batch.
    fn gather_back_refs(&mut self) {
        let before = |net: &Net<R>| net.old.as_ref().filter(|old| !old.is_tombstone()).map(|old| old.row);
        self.writer.gather(&mut self.applied.changes, self.resolution.nets.iter().map(before));
    }

    /// The operations that are left out, which stay with the batch.
    fn take_left_out(&mut self) -> Vec<Operation<R>> {
        if self.left_out.is_empty() {
            return Vec::new();
        }
        let (mut rest, mut left_out) = (Vec::new(), Vec::with_capacity(self.left_out.len()));
        for (at, operation) in std::mem::take(self.operations).into_iter().enumerate() {
            let out = self.left_out.binary_search(&at).is_ok();
            (if out { &mut left_out } else { &mut rest }).push(operation);
        }
        *self.operations = rest;
        left_out
    }

    fn origin(&self, net: &Net<R>) -> Origin {
        match net.state {
            State::Brought(at) => {
                let inserts = matches!(self.operations[at].action, Action::Insert(_));
                Origin::Operation { at, inserts }
            }
            State::Computed(_) => Origin::Closure,
            State::Gone | State::Unchanged => Origin::Deleted,
        }
    }

    /// Turns the net changes into versions. A new key gets the row that `new_row` returns.
    fn make_versions(&mut self, commit: Commit, mut new_row: impl FnMut(&mut TableWriter) -> Row) {
        let nets = std::mem::take(&mut self.resolution.nets);
        self.applied.versions = nets.into_iter().map(|net| self.version(commit, net, &mut new_row)).collect();
    }

    fn version(&mut self, commit: Commit, net: Net<R>, new_row: &mut impl FnMut(&mut TableWriter) -> Row) -> Change<R> {
        let (key, hash) = net.key(self.operations);
        let key = key.clone();
        let record = match net.state {
            State::Brought(at) => self.operations[at].action.take_record(),
            State::Computed(record) => Some(record),
            State::Gone | State::Unchanged => None,
        };
        let row = match &net.old {
            Some(old) => old.row,
            None => new_row(&mut self.writer),
        };
        let version = Version { begin: commit, row, hash, key, record };
        Change { old: net.old, new: Arc::new(version) }
    }
}

impl<R: Record> StagedPart for Staged<'_, R> {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn report_outcomes(&mut self, report: &mut CommitReport) {
        self.left_out = self.attribution.report_outcomes(report);
    }

    fn propose(&mut self, commit: Commit) -> ProposedChanges {
        self.origins = self.resolution.nets.iter().map(|net| self.origin(net)).collect();
        let mut new_rows = 0;
        self.make_versions(commit, |writer| {
            new_rows += 1;
            writer.row_ahead(new_rows - 1)
        });
        ProposedChanges::new(self.table.name.clone(), &self.applied.versions)
    }

    fn retract(&mut self) {
        let origins = std::mem::take(&mut self.origins);
        for (origin, change) in origins.into_iter().zip(std::mem::take(&mut self.applied.versions)) {
            let record = Arc::into_inner(change.new).and_then(|mut version| version.record.take());
            match (origin, record) {
                (Origin::Operation { at, inserts }, Some(record)) => {
                    self.operations[at].action.put_back(record, inserts)
                }
                (_, Some(record)) => self.resolution.superseded.push(State::Computed(record)),
                (_, None) => {}
            }
        }
    }

    fn seal(&mut self, commit: Commit) {
        self.applied.changes.first_new_row = self.writer.used_rows() as Row;
        let width = self.writer.width();
        self.table.admit(&mut self.writer, commit, &mut self.applied.changes);
        if self.applied.versions.is_empty() {
            self.make_versions(commit, TableWriter::new_row);
        } else {
            // Proposed before, with the rows that are given out now.
            for change in self.applied.versions.iter().filter(|change| change.old.is_none()) {
                let row = self.writer.new_row();
                debug_assert_eq!(row, change.row());
            }
        }
        self.applied.sort(width);
    }

    fn mark(&self, commit: Commit) {
        self.table.mark(commit, &self.applied.changes);
    }

    fn apply(&mut self, commit: Commit) {
        self.table.apply(&mut self.writer, commit, &self.applied);
    }

    fn changes(&self) -> CollectionChanges {
        self.table.changes(&self.applied)
    }

    fn reclaim(&mut self, pinned: &[Commit], garbage: &mut Garbage) {
        self.table.reclaim_displaced(&mut self.writer, pinned, &self.applied, garbage);
        // The changes themselves need not go to the garbage: what they displaced is kept by its page or is in the garbage by now,
        // so theirs are never the last references.
        // The operations may still hold values of the user. If they hold none, their memory is kept for the next batch.
        let left_out = self.take_left_out();
        if self.operations.iter().any(|operation| operation.action.holds_user_values()) {
            let operations = std::mem::take(self.operations);
            garbage.add_dropping(|| drop_operations(operations));
        }
        self.operations.clear();
        self.operations.extend(left_out);
        garbage.add(std::mem::take(&mut self.resolution.superseded));
        garbage.add(self.attribution.take_refusals());
    }

    fn table(&self) -> Arc<dyn AnyTable> {
        self.table.clone()
    }
}

impl<R: Record> Drop for Staged<'_, R> {
    /// Drops the records that closures made for a refused batch, each by itself: a second panic while one unwinds would abort the process.
    fn drop(&mut self) {
        let counters = &self.table.counters;
        counters.drop_each(std::mem::take(&mut self.resolution.nets).into_iter().map(|net| net.state));
        counters.drop_each(std::mem::take(&mut self.resolution.superseded));
        counters.drop_each(self.attribution.take_refusals());
    }
}
