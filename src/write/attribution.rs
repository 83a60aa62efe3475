//! Attribution: which operation of a batch is responsible for a refusal, and what each operation did.

use super::outcome::Outcome;
use crate::error::{Commit, Refusal};
use crate::limits::MAX_REPLAYS;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Options of a commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CommitOptions {
    /// Record what each operation did.
    pub(super) outcomes: bool,
    /// Leave refused operations out instead of refusing the whole batch.
    pub(super) lenient: bool,
    /// The operations are those of several submissions, which must not depend on each other: no record may take a unique value
    /// that another record releases in the same commit.
    pub(super) grouped: bool,
    /// Commit only if this is the newest commit.
    pub(super) only_after: Option<Commit>,
}

/// The outcomes and refusals that a commit has recorded.
#[derive(Default)]
pub(super) struct CommitReport {
    pub(super) options: CommitOptions,
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) refusals: Vec<Refusal>,
}

/// Attributes refusals and outcomes to operations while those on one collection are staged. Operations are numbered by their
/// place in the list of that collection.
pub(super) struct Attribution {
    options: CommitOptions,
    /// The outcome of each operation that is not refused, ascending; only if they are requested.
    outcomes: Vec<(usize, Outcome)>,
    refused: BTreeMap<usize, Refusal>,
    judged: Judged,
    /// Refusals that no longer count. They may hold errors of the user, so they are dropped with the rest.
    void: Vec<Refusal>,
}

/// The judgements after the first pass.
#[derive(Default)]
struct Judged {
    /// Refused for good: the operation is not judged again.
    left_out: HashSet<usize>,
    returned: HashSet<u32>,
    /// How often each operation was judged again on each record, by net change.
    again: HashMap<(u32, u32), Again>,
}

#[derive(Default)]
struct Again {
    times: u8,
    has_run: bool,
}

impl Attribution {
    pub(super) fn new(options: CommitOptions) -> Self {
        let (outcomes, refused, void) = (Vec::new(), BTreeMap::new(), Vec::new());
        Attribution { options, outcomes, refused, judged: Judged::default(), void }
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.options.lenient
    }

    // ---- the first pass -------------------------------------------------------------------------------------------

    pub(super) fn did(&mut self, operation: usize, outcome: Outcome) {
        if self.options.outcomes {
            self.outcomes.push((operation, outcome));
        }
    }

    /// Records that an operation is refused as it was judged.
    pub(super) fn refuse(&mut self, operation: usize, refusal: Refusal) {
        self.void.extend(self.refused.insert(operation, refusal));
    }

    /// The operations that are refused, ascending.
    pub(super) fn refused(&self) -> impl Iterator<Item = usize> {
        self.refused.keys().copied()
    }

    /// Takes the refusal with the lowest number.
    pub(super) fn take_first_refusal(&mut self) -> Option<(usize, Refusal)> {
        self.refused.pop_first()
    }

    /// Gives the operations other numbers.
    pub(super) fn renumber(&mut self, to: &[u32]) {
        self.outcomes.iter_mut().for_each(|(at, _)| *at = to[*at] as usize);
        self.outcomes.sort_unstable_by_key(|(at, _)| *at);
        let refused = std::mem::take(&mut self.refused).into_iter();
        self.refused = refused.map(|(at, refusal)| (to[at] as usize, refusal)).collect();
        let left_out = self.judged.left_out.drain().map(|at| to[at] as usize).collect();
        self.judged.left_out = left_out;
    }

    /// Takes the refusals that are final, with the operations.
    pub(super) fn take_final_refusals(&mut self) -> Vec<(usize, Refusal)> {
        let left_out = &self.judged.left_out;
        self.refused.extract_if(.., |at, _| left_out.contains(at)).collect()
    }

    // ---- the judgement --------------------------------------------------------------------------------------------

    /// Refuses an operation for good. Returns `false` if it was before.
    pub(super) fn leave_out(&mut self, operation: usize, refusal: Refusal) -> bool {
        let new = self.judged.left_out.insert(operation);
        if new {
            self.refuse(operation, refusal);
        } else {
            self.void.push(refusal);
        }
        new
    }

    /// Makes the refusal of an operation final.
    pub(super) fn keep_out(&mut self, operation: usize) {
        self.judged.left_out.insert(operation);
    }

    pub(super) fn is_left_out(&self, operation: usize) -> bool {
        self.judged.left_out.contains(&operation)
    }

    /// Undoes [`leave_out`](Self::leave_out), once.
    pub(super) fn put_back(&mut self, operation: u32) {
        self.judged.left_out.remove(&(operation as usize));
        self.judged.returned.insert(operation);
    }

    pub(super) fn has_returned(&self, operation: u32) -> bool {
        self.judged.returned.contains(&operation)
    }

    /// Records that an operation is not refused any longer.
    pub(super) fn accept(&mut self, operation: usize) {
        self.void.extend(self.refused.remove(&operation));
    }

    /// Whether an operation may be judged again on a record.
    pub(super) fn may_judge_again(&self, operation: u32, net: u32, runs_closure: bool) -> bool {
        let again = self.judged.again.get(&(operation, net));
        again.is_none_or(|again| again.times < MAX_REPLAYS && !(runs_closure && again.has_run))
    }

    /// Counts that an operation is judged again on a record. Returns `false` if it must not be.
    pub(super) fn judge_again(&mut self, operation: u32, net: u32, runs_closure: bool) -> bool {
        let may = self.may_judge_again(operation, net, runs_closure);
        if may {
            let again = self.judged.again.entry((operation, net)).or_default();
            again.times += 1;
            again.has_run |= runs_closure;
        }
        may
    }

    /// The outcomes by operation, of which there are so many.
    pub(super) fn take_outcomes(&mut self, operations: usize) -> Vec<Option<Outcome>> {
        let mut by_operation = vec![None; operations];
        self.outcomes.drain(..).for_each(|(at, outcome)| by_operation[at] = Some(outcome));
        by_operation
    }

    pub(super) fn set_outcomes(&mut self, by_operation: Vec<Option<Outcome>>) {
        let known = by_operation.into_iter().enumerate().filter_map(|(at, outcome)| Some((at, outcome?)));
        self.outcomes = known.collect();
    }

    // ---- the end --------------------------------------------------------------------------------------------------

    /// All refusals that are not reported. They may hold errors of the user, whose drop may panic.
    pub(super) fn take_refusals(&mut self) -> Vec<Refusal> {
        let mut all = std::mem::take(&mut self.void);
        all.extend(std::mem::take(&mut self.refused).into_values());
        all
    }

    /// Call when staging is done: adds the recorded outcomes and refusals to `report` and returns the operations that are left out,
    /// ascending. `position_of` returns the position of an operation.
    pub(super) fn report_outcomes(
        &mut self,
        report: &mut CommitReport,
        position_of: impl Fn(usize) -> usize,
    ) -> Vec<usize> {
        report.outcomes.extend(self.outcomes.drain(..).map(|(at, outcome)| (position_of(at), outcome)));
        let refused = std::mem::take(&mut self.refused);
        let left_out: Vec<usize> = refused.keys().copied().collect();
        if self.options.outcomes {
            report.outcomes.extend(left_out.iter().map(|at| (position_of(*at), Outcome::Refused)));
        }
        report.refusals.extend(refused.into_values());
        left_out
    }
}
