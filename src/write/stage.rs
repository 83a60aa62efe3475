//! Staging: a batch's operations on one collection become one net change a key. All user code of a write runs here, and
//! all refusals happen here; until [`Staged::seal`] nothing has been given out, until [`Staged::mark`] nothing shared.

use super::action::Action;
use super::attribution::{Attribution, CommitOptions, CommitReport};
use super::claims::Claims;
use super::judge::Judge;
use super::net::{Net, State};
use super::operation::{Operation, drop_operations};
use super::receipt::Counts;
use super::resolve::{NO_NET, Resolution, look_up};
use super::returned::AllReturned;
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, Refusal};
use crate::limits::MAX_ROWS;
use crate::reclaim::Pass;
use crate::rowset::Row;
use crate::storage::{
    Applied, Change, CollectionChanges, Deadline, Draft, Effects, Garbage, Head, Measured, ProposedChanges,
    SharedVersion, Table, TableWriter,
};
use crate::sync::{Arc, MutexGuard};

/// One collection's part of a commit, staged.
pub(super) struct Staged<'a> {
    pub(super) table: &'a Arc<Table>,
    pub(super) writer: MutexGuard<'a, TableWriter>,
    pub(super) operations: &'a mut Vec<Operation>,
    pub(super) counts: Counts,
    pub(super) attribution: Attribution,
    /// Whether it is of several submissions.
    pub(super) grouped: bool,
    /// Operations that are left out, ascending: they stay with the batch.
    left_out: Vec<usize>,
    pub(super) resolution: Resolution,
    pub(super) applied: Applied,
    /// The deadlines of the net records by the field that has them, if there is one.
    pub(super) in_field: Option<Vec<Option<Timestamp>>>,
    /// What the bound of the collection knows of the net records, if it has one.
    pub(super) measured: Vec<Option<Measured>>,
    /// Where the record of each proposed change came from.
    origins: Vec<Origin>,
    /// The changes that operations return.
    returned: AllReturned,
    /// What the changes mean for cached answers.
    effects: Effects,
    /// In a collection to which others refer: records that have expired and are to leave in this commit, although no operation names them,
    /// each with the position of an operation that needs it.
    pub(super) to_expire: Option<Vec<(usize, SharedVersion)>>,
}

/// Net changes at fault, as staging finds them.
struct Faulty {
    /// Their records can't be indexed, for these causes.
    spoilt: Vec<(usize, Cause)>,
    /// Their records have a unique value that another has too.
    clashing: Vec<usize>,
}

impl Faulty {
    fn is_empty(&self) -> bool {
        self.spoilt.is_empty() && self.clashing.is_empty()
    }
}

/// The record that a batch leaves under a key.
enum Left {
    Draft(Draft),
    /// The record of an earlier version.
    Again(SharedVersion),
}

/// Where a record came from, so that it can return.
enum Origin {
    Operation {
        at: usize,
        inserts: bool,
    },
    Closure,
    /// There is none, or the operation has it still.
    Kept,
}

impl<'a> Staged<'a> {
    /// Stages the operations. A strict commit is refused by the first operation at fault; a lenient commit leaves operations out
    /// until none is.
    pub(super) fn new(
        table: &'a Arc<Table>,
        operations: &'a mut Vec<Operation>,
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<Self, Refusal> {
        if table.is_dropped() {
            return Err(Refusal::new("commit", &table.name, Cause::CollectionDropped));
        }
        let mut staged = Staged::begin(table, operations, options, time);
        let known = staged.resolution.nets.len();
        staged.counts = staged.resolution.resolve(table, staged.operations, &mut staged.attribution);
        staged.complete(known)?;
        Ok(staged)
    }

    /// Looks the keys of the operations up.
    pub(super) fn begin(
        table: &'a Arc<Table>,
        operations: &'a mut Vec<Operation>,
        options: CommitOptions,
        time: Timestamp,
    ) -> Self {
        debug_assert!(table.columns.are_made(), "the structures of a fork's table are made before the commit");
        let writer = table.writer();
        let resolution = look_up(table, operations, time);
        let (counts, applied, attribution) = (Counts::default(), Applied::default(), Attribution::new(options));
        let (grouped, left_out) = (options.grouped, Vec::new());
        let (origins, returned) = (Vec::new(), Vec::new());
        let mut staged = Staged {
            table,
            writer,
            operations,
            counts,
            attribution,
            grouped,
            left_out,
            resolution,
            applied,
            in_field: None,
            measured: Vec::new(),
            origins,
            returned,
            effects: Effects::new(),
            to_expire: None,
        };
        // Before any user code runs, so that these cache misses overlap with each other and with what it does.
        staged.gather_back_refs();
        staged
    }

    /// Drops the records that closures have made, and the refusals, each by itself: a second panic while one unwinds would abort the
    /// process.
    pub(super) fn drop_resolved(&mut self) {
        self.release_victims();
        let counters = &self.table.counters;
        counters.drop_each(self.resolution.take_superseded(true));
        counters.drop_each(self.attribution.take_refusals());
    }

    /// Looks the keys up once more, after [`drop_resolved`](Self::drop_resolved).
    pub(super) fn begin_again(&mut self, options: CommitOptions, time: Timestamp) {
        self.resolution = look_up(self.table, self.operations, time);
        (self.counts, self.attribution) = (Counts::default(), Attribution::new(options));
        (self.applied, self.in_field) = (Applied::default(), None);
        self.measured.clear();
        self.gather_back_refs();
    }

    /// Judges the net changes, once all operations are resolved. The back-references of the first `known` of them have been gathered.
    pub(super) fn complete(&mut self, known: usize) -> Result<(), Refusal> {
        if let Some(refusal) = self.resolution.broken.take() {
            return Err(refusal);
        }
        let faulty = self.stage_net_records(known);
        if self.must_expire() {
            return Ok(());
        }
        if self.attribution.is_lenient() {
            self.leave_out(faulty)?;
        } else {
            self.refuse_first(faulty)?;
        }
        self.check_room()?;
        self.make_room()
    }

    /// Whether records must expire first, and all of it begin again.
    fn must_expire(&self) -> bool {
        self.to_expire.as_ref().is_some_and(|to_expire| !to_expire.is_empty())
    }

    /// Extracts the values of the net records and checks constraints between them. The back-references of the first `gathered` net
    /// changes have been gathered.
    fn stage_net_records(&mut self, gathered: usize) -> Faulty {
        if self.resolution.set_idle_aside() || self.resolution.nets.len() != gathered {
            self.gather_back_refs();
        }
        let mut spoilt = self.stage_derived();
        spoilt.extend(self.stage_heap());
        spoilt.extend(self.stage_deadlines());
        spoilt.extend(self.stage_weights());
        spoilt.extend(self.stage_checks());
        // A record that can't be indexed may have values that are not staged, so constraints can't be checked yet.
        let (clashing, expired) = if spoilt.is_empty() { self.clashing() } else { Default::default() };
        if expired.is_empty() {
            return Faulty { spoilt, clashing };
        }
        if let Some(to_expire) = &mut self.to_expire {
            // Others refer to these: what that means for them comes first.
            let because = |change: usize| self.resolution.nets[change].maker().map_or(0, |at| at as usize);
            to_expire.extend(expired.into_iter().map(|(change, old)| (self.operations[because(change)].position, old)));
            return Faulty { spoilt, clashing };
        }
        // Records that have expired hold the values: they leave with this commit.
        self.resolution.take_idle_back(&mut []);
        expired.into_iter().for_each(|(_, old)| self.resolution.expire(old));
        self.stage_net_records(usize::MAX)
    }

    /// Leaves operations out of a lenient commit until none is at fault.
    fn leave_out(&mut self, mut faulty: Faulty) -> Result<(), Refusal> {
        let mut may_return = true;
        while !faulty.is_empty() {
            let Faulty { spoilt, clashing } = self.take_idle_back(faulty);
            self.resolution.unfold(self.table, self.operations)?;
            let Staged { table, writer, operations, resolution, attribution, .. } = self;
            let mut judge = Judge::new(table, writer, operations, resolution, attribution, |claims, _| claims, spoilt);
            if !judge.run(may_return) {
                judge.leave_makers_out(&clashing);
            }
            self.counts = judge.finish();
            // Only user code that doesn't return the same twice makes a second round.
            may_return = false;
            faulty = self.stage_net_records(usize::MAX);
            if self.must_expire() {
                break;
            }
        }
        Ok(())
    }

    /// Refuses the batch if an operation is at fault. A clash doesn't count if the other record may be different without a refusal.
    fn refuse_first(&mut self, faulty: Faulty) -> Result<(), Refusal> {
        let Some(first) = self.attribution.refused().next().or((!faulty.is_empty()).then_some(usize::MAX)) else {
            return Ok(());
        };
        let mut at_fault = None;
        if first > 0 {
            let Faulty { spoilt, clashing } = self.take_idle_back(faulty);
            self.resolution.unfold(self.table, self.operations)?;
            let Staged { table, writer, operations, resolution, attribution, grouped, .. } = self;
            let refused: Vec<usize> = attribution.refused().collect();
            let strict = |claims: Claims, resolution: &Resolution| {
                let by_filter = refused.iter().any(|at| resolution.net_of[*at] == NO_NET);
                claims.strict(*grouped, refused.iter().map(|at| resolution.net_of[*at] as u32), by_filter)
            };
            let mut judge = Judge::new(table, writer, operations, resolution, attribution, strict, spoilt);
            at_fault = judge.first_at_fault().or_else(|| {
                // Extractors have not returned the same twice.
                if first < usize::MAX { None } else { judge.makers(&clashing).into_iter().min_by_key(|(at, _)| *at) }
            });
        }
        let refused = self.attribution.take_first_refusal();
        match refused.into_iter().chain(at_fault).min_by_key(|(at, _)| *at) {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }

    fn take_idle_back(&mut self, Faulty { mut spoilt, clashing }: Faulty) -> Faulty {
        let mut numbers: Vec<usize> = spoilt.iter().map(|(number, _)| *number).chain(clashing).collect();
        self.resolution.take_idle_back(&mut numbers);
        let clashing = numbers.split_off(spoilt.len());
        spoilt.iter_mut().zip(numbers).for_each(|((number, _), now)| *number = now);
        Faulty { spoilt, clashing }
    }

    fn check_room(&self) -> Result<(), Refusal> {
        let new = self.resolution.nets.iter().filter(|net| net.old.is_none() || net.under.is_some()).count();
        match self.table.has_room(&self.writer, new) {
            true => Ok(()),
            false => Err(Refusal::new("store", &self.table.name, Cause::CollectionFull { limit: MAX_ROWS })),
        }
    }

    /// Gathers the back-references of the rows before this batch.
    fn gather_back_refs(&mut self) {
        self.writer.gather(&mut self.applied.changes, self.resolution.nets.iter().map(Net::old_row));
    }

    /// The operations that are left out, which stay with the batch.
    fn take_left_out(&mut self) -> Vec<Operation> {
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

    fn origin(&self, net: &Net) -> Origin {
        match net.state {
            State::Brought(at) if matches!(self.operations[at].action, Action::Restore(_)) => Origin::Kept,
            State::Brought(at) => {
                let inserts = matches!(self.operations[at].action, Action::Insert(_));
                Origin::Operation { at, inserts }
            }
            State::Computed(_) => Origin::Closure,
            State::Folded | State::Gone | State::Unchanged => Origin::Kept,
        }
    }

    /// Turns the net changes into versions. A new key gets the row that `new_row` returns.
    fn make_versions(&mut self, commit: Commit, mut new_row: impl FnMut(&mut TableWriter) -> Row) {
        let deadlines = self.resolution.deadlines(self.table, self.operations, self.in_field.as_deref());
        let nets = std::mem::take(&mut self.resolution.nets).into_iter().zip(deadlines);
        let mut measured = std::mem::take(&mut self.measured).into_iter();
        let versions = nets.map(|(net, deadline)| {
            let measured = measured.next().flatten();
            Change { measured, ..self.version(commit, net, deadline, &mut new_row) }
        });
        self.applied.versions = versions.collect();
    }

    fn version(
        &mut self,
        commit: Commit,
        net: Net,
        deadline: Deadline,
        new_row: &mut impl FnMut(&mut TableWriter) -> Row,
    ) -> Change {
        let (key, hash) = net.key(self.operations);
        let key = key.clone();
        let record = match net.state {
            State::Brought(at) => match &mut self.operations[at].action {
                Action::Restore(version) => Some(Left::Again(version.clone())),
                action => action.take_record().map(Left::Draft),
            },
            State::Computed(record) => Some(Left::Draft(record)),
            State::Folded | State::Gone | State::Unchanged => None,
        };
        let (old, under) = match (net.old, net.under) {
            (Some(phantom), Some(place)) => (None, phantom.owner().map(|owner| (place, owner))),
            (old, _) => (old, None),
        };
        let row = match &old {
            Some(old) => old.row,
            None => new_row(&mut self.writer),
        };
        let base = self.table.base.as_ref().filter(|_| record.is_none());
        let hides = base.is_some_and(|base| base.of_key(hash, key.bytes()).is_some());
        let head = Head { begin: commit, row, hash, deadline, key };
        let new = match (record, old.as_ref().or(under.as_ref().map(|(_, under)| under))) {
            (Some(Left::Draft(draft)), _) => draft.into_version(head),
            (Some(Left::Again(version)), _) => version.again(head, false),
            (None, Some(before)) => before.tombstone(head, hides),
            (None, None) => unreachable!("only a record that is there is deleted"),
        };
        if self.writer.bound.is_some() {
            new.count_uses_after(old.as_deref().filter(|_| !net.expired));
        }
        let (expired, evicted) = (net.expired, net.evicted);
        Change { expired, evicted, ..Change::new(old, under, new) }
    }
}

/// The steps of a commit.
impl Staged<'_> {
    pub(super) fn counts(&self) -> Counts {
        let expired = self.applied.versions.iter().filter(|change| change.expired).count();
        let evicted = self.applied.versions.iter().filter(|change| change.evicted).count();
        Counts { expired, evicted, ..self.counts }
    }

    /// Adds the outcomes and refusals of its operations to `report`. After the last refusal.
    pub(super) fn report_outcomes(&mut self, report: &mut CommitReport) {
        self.left_out = self.attribution.report_outcomes(report, |at| self.operations[at].position);
    }

    /// Makes the versions of this commit for hooks that may refuse it. Rows are only foreseen, not given out.
    pub(super) fn propose(&mut self, commit: Commit) -> ProposedChanges {
        self.origins = self.resolution.nets.iter().map(|net| self.origin(net)).collect();
        let mut new_rows = 0;
        self.make_versions(commit, |writer| {
            new_rows += 1;
            writer.row_ahead(new_rows - 1)
        });
        self.table.proposed(&self.applied)
    }

    /// Undoes `propose`: the records return to their operations. The proposal has been dropped.
    pub(super) fn retract(&mut self) {
        let origins = std::mem::take(&mut self.origins);
        for (origin, change) in origins.into_iter().zip(std::mem::take(&mut self.applied.versions)) {
            match origin {
                Origin::Operation { at, inserts } => {
                    self.operations[at].action.put_back(Draft::of_version(change.new), inserts);
                }
                Origin::Closure => self.resolution.supersede(Draft::of_version(change.new)),
                Origin::Kept => {}
            }
        }
    }

    /// Gives out rows, codes and versions. After the last refusal.
    pub(super) fn seal(&mut self, commit: Commit) {
        self.applied.changes.first_new_row = self.writer.used_rows() as Row;
        let width = self.writer.width();
        self.table.admit(&mut self.writer, commit, &mut self.applied.changes);
        if self.applied.versions.is_empty() {
            self.make_versions(commit, TableWriter::new_row);
        } else {
            // Proposed before, with the rows that are given out now.
            for change in self.applied.versions.iter().filter(|change| change.old.is_none()) {
                let row = self.writer.new_row();
                debug_assert_eq!(row, change.row);
            }
        }
        self.returned = self.resolution.returned(self.operations, &self.applied.versions);
        self.applied.sort(width);
    }

    /// Looks for the cached answers that the changes concern. The last step that runs user code.
    pub(super) fn look_for_questions(&mut self, commit: Commit) {
        self.effects = self.table.look_for_questions(commit, &self.applied);
    }

    pub(super) fn mark(&self, commit: Commit) {
        self.table.mark(commit, &self.applied.changes);
    }

    pub(super) fn apply(&mut self, commit: Commit) {
        self.table.apply(&mut self.writer, commit, &self.applied);
    }

    /// Brings the cached answers to the state of the commit.
    pub(super) fn account_to_questions(&mut self, commit: Commit, garbage: &mut Garbage) {
        let effects = std::mem::take(&mut self.effects);
        self.table.account_to_questions(commit, effects, &self.applied, garbage);
    }

    pub(super) fn changes(&self) -> CollectionChanges {
        self.table.changes(&self.applied)
    }

    /// Drops what the commit has displaced and no reader sees. Returns whether the table retains any old state.
    pub(super) fn reclaim(&mut self, pass: &Pass<'_>, garbage: &mut Garbage) -> bool {
        self.table.reclaim_displaced(&mut self.writer, pass, &self.applied, garbage);
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
        garbage.add(self.resolution.take_superseded(false));
        garbage.add(self.attribution.take_refusals());
        let returned = std::mem::take(&mut self.returned).into_iter().map(|(to, changes)| {
            to.set(changes);
            to // It may be the last reference.
        });
        garbage.add(returned.collect::<Vec<_>>());
        self.table.retains(&self.writer)
    }

    pub(super) fn table(&self) -> Arc<Table> {
        self.table.clone()
    }
}

impl Drop for Staged<'_> {
    /// The operations of a refused batch stay as the caller has made them.
    fn drop(&mut self) {
        self.operations.retain(|operation| !operation.by_reference);
        self.drop_resolved();
    }
}
