//! Notes: what a commit records about its operations while it stages them.

use super::outcome::Outcome;
use crate::error::Refusal;

/// What a commit does besides its receipt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Record what each operation did.
    pub(super) outcomes: bool,
    /// Leave refused operations out instead of refusing the whole batch.
    pub(super) lenient: bool,
    /// The operations are those of several submissions, which must not depend on each other: no record may take a unique value
    /// that another record gives up in the same commit.
    pub(super) several: bool,
}

/// What a commit has recorded as `asked`.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) asked: Asked,
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) refusals: Vec<Refusal>,
}

/// Attributes refusals and outcomes to operations while those on one collection are staged. Operations are numbered by their
/// place in the list of that collection. Empty if neither a report nor a lenient commit is requested.
pub(super) struct Blame(Option<Box<Noted>>);

#[derive(Default)]
struct Noted {
    asked: Asked,
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

impl Blame {
    pub(super) fn new(asked: Asked) -> Self {
        Blame((asked.outcomes || asked.lenient).then(|| Box::new(Noted { asked, ..Noted::default() })))
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.asked.lenient)
    }

    /// Records the refusal of one operation. A strict commit gets it back and stops staging; a lenient commit continues, to
    /// find as many as there are.
    pub(super) fn refuse(&mut self, operation: usize, refusal: Refusal) -> Result<(), Refusal> {
        match &mut self.0 {
            Some(noted) if noted.asked.lenient => {
                noted.refused.push((operation, refusal));
                Ok(())
            }
            _ => Err(refusal),
        }
    }

    pub(super) fn did(&mut self, position: usize, outcome: Outcome) {
        if let Some(noted) = self.0.as_mut().filter(|noted| noted.asked.outcomes) {
            noted.outcomes.push((position, outcome));
        }
    }

    pub(super) fn is_out(&self, operation: usize) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.is_out.get(operation).is_some_and(|out| *out))
    }

    /// Call when all operations are resolved: later refusals come from the indexes.
    pub(super) fn all_resolved(&mut self) {
        self.0.iter_mut().for_each(|noted| noted.resolved = noted.refused.len());
    }

    /// Whether a record was refused in this pass since all operations were resolved.
    pub(super) fn has_records(&self) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.refused.len() > noted.resolved)
    }

    /// Whether to stage again, without the operations whose records could not be indexed. Operations that were refused while
    /// they were resolved get another chance, since they may have met the effect of one that is out now.
    pub(super) fn again(&mut self, operations: usize) -> bool {
        let Some(noted) = self.0.as_mut().filter(|noted| noted.refused.len() > noted.resolved) else { return false };
        noted.is_out.resize(operations, false);
        for (operation, refusal) in noted.refused.split_off(noted.resolved) {
            if std::mem::replace(&mut noted.is_out[operation], true) {
                noted.void.push(refusal);
            } else {
                noted.left_out.push((operation, refusal));
            }
        }
        noted.void.extend(noted.refused.drain(..).map(|(_, refusal)| refusal));
        noted.outcomes.clear();
        true
    }

    /// All refusals that are not reported. They may hold errors of the user, whose drop may panic.
    pub(super) fn take_refusals(&mut self) -> Vec<Refusal> {
        let Some(noted) = &mut self.0 else { return Vec::new() };
        let mut all = std::mem::take(&mut noted.void);
        all.extend(noted.refused.drain(..).chain(noted.left_out.drain(..)).map(|(_, refusal)| refusal));
        all
    }

    /// Call when staging is done: adds the recorded outcomes and refusals to `notes` and returns the operations that are left out,
    /// ascending.
    pub(super) fn tell(&mut self, notes: &mut Notes) -> Vec<usize> {
        let Some(noted) = &mut self.0 else { return Vec::new() };
        let mut all = std::mem::take(&mut noted.left_out);
        all.append(&mut noted.refused);
        all.sort_unstable_by_key(|(operation, _)| *operation);
        notes.outcomes.append(&mut noted.outcomes);
        let told = |(operation, refusal): (usize, Refusal)| {
            if let Some(position) = refusal.position().filter(|_| noted.asked.outcomes) {
                notes.outcomes.push((position, Outcome::Refused));
            }
            notes.refusals.push(refusal);
            operation
        };
        all.into_iter().map(told).collect()
    }
}
