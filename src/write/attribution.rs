//! Attribution: which operation of a batch is responsible for a refusal, and what each operation did.

use super::outcome::Outcome;
use crate::error::Refusal;

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
}

/// The outcomes and refusals that a commit has recorded.
#[derive(Default)]
pub(super) struct CommitReport {
    pub(super) options: CommitOptions,
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) refusals: Vec<Refusal>,
}

/// Attributes refusals and outcomes to operations while those on one collection are staged. Operations are numbered by their
/// place in the list of that collection. Empty if neither a report nor a lenient commit is requested.
pub(super) struct Attribution(Option<Box<Attributed>>);

#[derive(Default)]
struct Attributed {
    options: CommitOptions,
    outcomes: Vec<(usize, Outcome)>,
    /// The refusals of this pass.
    refused: Vec<(usize, Refusal)>,
    /// The number of `refused` that were found while the operations were resolved.
    resolved: usize,
    /// Operations whose records could not be indexed, in this pass or an earlier one. They stay out.
    left_out: Vec<(usize, Refusal)>,
    /// The same by operation; empty as long as there are none.
    is_out: Vec<bool>,
    /// Refusals of earlier passes that no longer count. They may hold errors of the user, so they are dropped with the rest.
    void: Vec<Refusal>,
}

impl Attribution {
    pub(super) fn new(options: CommitOptions) -> Self {
        Attribution(
            (options.outcomes || options.lenient).then(|| Box::new(Attributed { options, ..Attributed::default() })),
        )
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.0.as_ref().is_some_and(|attributed| attributed.options.lenient)
    }

    /// Records the refusal of one operation. A strict commit gets it back and stops staging; a lenient commit continues, to
    /// find as many as there are.
    pub(super) fn refuse(&mut self, operation: usize, refusal: Refusal) -> Result<(), Refusal> {
        match &mut self.0 {
            Some(attributed) if attributed.options.lenient => {
                attributed.refused.push((operation, refusal));
                Ok(())
            }
            _ => Err(refusal),
        }
    }

    pub(super) fn did(&mut self, position: usize, outcome: Outcome) {
        if let Some(attributed) = self.0.as_mut().filter(|attributed| attributed.options.outcomes) {
            attributed.outcomes.push((position, outcome));
        }
    }

    pub(super) fn is_out(&self, operation: usize) -> bool {
        self.0.as_ref().is_some_and(|attributed| attributed.is_out.get(operation).is_some_and(|out| *out))
    }

    /// Call when all operations are resolved: later refusals come from the indexes.
    pub(super) fn all_resolved(&mut self) {
        self.0.iter_mut().for_each(|attributed| attributed.resolved = attributed.refused.len());
    }

    /// Whether a record was refused in this pass since all operations were resolved.
    pub(super) fn has_records(&self) -> bool {
        self.0.as_ref().is_some_and(|attributed| attributed.refused.len() > attributed.resolved)
    }

    /// Whether to stage again, without the operations whose records could not be indexed. Operations that were refused while
    /// they were resolved get another chance, since they may have seen the effect of one that is out now.
    pub(super) fn must_restage(&mut self, operations: usize) -> bool {
        let Some(attributed) = self.0.as_mut().filter(|attributed| attributed.refused.len() > attributed.resolved)
        else {
            return false;
        };
        attributed.is_out.resize(operations, false);
        for (operation, refusal) in attributed.refused.split_off(attributed.resolved) {
            if std::mem::replace(&mut attributed.is_out[operation], true) {
                attributed.void.push(refusal);
            } else {
                attributed.left_out.push((operation, refusal));
            }
        }
        attributed.void.extend(attributed.refused.drain(..).map(|(_, refusal)| refusal));
        attributed.outcomes.clear();
        true
    }

    /// All refusals that are not reported. They may hold errors of the user, whose drop may panic.
    pub(super) fn take_refusals(&mut self) -> Vec<Refusal> {
        let Some(attributed) = &mut self.0 else { return Vec::new() };
        let mut all = std::mem::take(&mut attributed.void);
        all.extend(attributed.refused.drain(..).chain(attributed.left_out.drain(..)).map(|(_, refusal)| refusal));
        all
    }

    /// Call when staging is done: adds the recorded outcomes and refusals to `report` and returns the operations that are left out,
    /// ascending.
    pub(super) fn report_outcomes(&mut self, report: &mut CommitReport) -> Vec<usize> {
        let Some(attributed) = &mut self.0 else { return Vec::new() };
        let mut all = std::mem::take(&mut attributed.left_out);
        all.append(&mut attributed.refused);
        all.sort_unstable_by_key(|(operation, _)| *operation);
        report.outcomes.append(&mut attributed.outcomes);
        let told = |(operation, refusal): (usize, Refusal)| {
            if let Some(position) = refusal.position().filter(|_| attributed.options.outcomes) {
                report.outcomes.push((position, Outcome::Refused));
            }
            report.refusals.push(refusal);
            operation
        };
        all.into_iter().map(told).collect()
    }
}
