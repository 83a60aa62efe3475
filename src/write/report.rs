//! What a commit reports on request: what each operation did, and which were left out.

use super::Receipt;
use super::operation::Effect;
use super::stage::Part;
use crate::error::Refusal;
use crate::record::Record;
use crate::storage::Engine;
use crate::sync::Arc;
use crate::value::Key;
use std::fmt;

/// What one operation of a committed batch did, to the state that it met: a record that is inserted and deleted again
/// within one batch is `Created` and `Deleted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It brought a record that was not there before.
    Created,
    /// Its record took the place of another.
    Replaced,
    /// It changed a record by its closure.
    Updated,
    /// It deleted a record.
    Deleted,
    /// A delete that found no record.
    Missing,
    /// An `update_where` changed so many records: none, if none met its condition.
    UpdatedWhere(usize),
    /// A `delete_where` deleted so many records: none, if none met its condition.
    DeletedWhere(usize),
    /// It was left out; [`Report::refused`] has it, with the cause.
    Refused,
}

impl<R> From<&Effect<R>> for Outcome {
    fn from(effect: &Effect<R>) -> Self {
        match effect {
            Effect::Inserted => Outcome::Created,
            Effect::Replaced => Outcome::Replaced,
            Effect::Updated(_) => Outcome::Updated,
            Effect::Deleted => Outcome::Deleted,
            Effect::Missing => Outcome::Missing,
        }
    }
}

/// What a commit did, operation by operation: from [`Batch::commit_reported`](crate::Batch::commit_reported),
/// [`Batch::commit_lenient`](crate::Batch::commit_lenient) and [`LenientWriter::flush`](crate::LenientWriter::flush).
#[derive(Debug, Default)]
#[must_use = "it holds the operations that were left out, with their records"]
#[non_exhaustive]
pub struct Report {
    /// As every commit gives it. `took` is the time of the whole commit: an operation has none of its own.
    pub receipt: Receipt,
    /// What each operation did, with its position, in the order of the positions. A
    /// [`LenientWriter`](crate::LenientWriter) leaves it empty.
    pub outcomes: Vec<(usize, Outcome)>,
    /// What was left out, in the order of the positions.
    pub refused: Vec<RefusedOperation>,
}

impl Report {
    pub(super) fn new(receipt: Receipt, notes: Notes, mut taken: Vec<TakenOperation>) -> Self {
        let Notes { mut outcomes, mut refusals, .. } = notes;
        outcomes.sort_unstable_by_key(|(position, _)| *position);
        refusals.sort_unstable_by_key(Refusal::position);
        taken.sort_unstable_by_key(|operation| operation.info.position);
        debug_assert!(refusals.iter().map(Refusal::position).eq(taken.iter().map(|taken| Some(taken.info.position))));
        let refused = |(refusal, operation)| RefusedOperation { refusal, operation };
        Report { receipt, outcomes, refused: refusals.into_iter().zip(taken).map(refused).collect() }
    }

    /// What the operation at a position did; `None` if there was none. O(log operations).
    pub fn outcome(&self, position: usize) -> Option<Outcome> {
        let at = self.outcomes.binary_search_by_key(&position, |(position, _)| *position).ok()?;
        Some(self.outcomes[at].1)
    }
}

/// An operation that was left out of a lenient commit, and why.
#[derive(Debug)]
#[must_use = "it holds the operation, with its record"]
#[non_exhaustive]
pub struct RefusedOperation {
    /// Why.
    pub refusal: Refusal,
    /// The operation itself, to be looked at, or [put into](crate::Batch::put_back) another batch.
    pub operation: TakenOperation,
}

impl RefusedOperation {
    /// The same, of a batch that others came before.
    pub(super) fn moved_on(mut self, by: usize) -> Self {
        self.operation.info.position += by;
        self.refusal = self.refusal.at(self.operation.info.position);
        self
    }
}

/// An operation of a batch, described.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// Its position in the batch, counted from 0. Taking others out does not change it.
    pub position: usize,
    /// `store`, `insert`, `update`, `upsert`, `delete`, `update_where` or `delete_where`.
    pub operation: &'static str,
    /// The name of its collection.
    pub collection: String,
    /// The key of its record; `None` if it is on all records that meet a condition.
    pub key: Option<Key>,
}

/// An operation that was taken out of a batch.
pub struct TakenOperation {
    /// What it was.
    pub info: OperationInfo,
    /// This operation alone.
    pub(super) part: Box<dyn Part>,
    pub(super) engine: Arc<Engine>,
}

impl TakenOperation {
    /// The record that it brought; `None` if it brought none, or one of another type.
    pub fn into_record<R: Record>(mut self) -> Option<R> {
        self.part.take_record()?.downcast().ok().map(|record| *record)
    }
}

impl fmt::Debug for TakenOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

/// What is asked of a commit besides its receipt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// What each operation did.
    pub(super) outcomes: bool,
    /// Refused operations are left out, rather than all refused with them.
    pub(super) lenient: bool,
    /// It is of several submissions, which must not depend on each other: no record may take over a unique value that another
    /// gives up in the same commit.
    pub(super) several: bool,
}

/// What a commit notes down as it was asked.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) asked: Asked,
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) refusals: Vec<Refusal>,
}

/// Who learns of a refusal while the operations on one collection are staged, and of what each operation did. Numbers of
/// operations are places in the list of that collection. Where nothing was asked for it is next to nothing.
pub(super) struct Blame(Option<Box<Noted>>);

#[derive(Default)]
struct Noted {
    asked: Asked,
    outcomes: Vec<(usize, Outcome)>,
    /// Of this pass.
    refused: Vec<(usize, Refusal)>,
    /// How many of `refused` were found while the operations were resolved.
    resolved: usize,
    /// Operations whose records could not be indexed, in this pass or an earlier one: out for good.
    left_out: Vec<(usize, Refusal)>,
    /// The same as a look-up; empty as long as there are none.
    is_out: Vec<bool>,
    /// Refusals that a later pass has made void. They may hold errors of the user's, so they are dropped with the rest.
    void: Vec<Refusal>,
}

impl Blame {
    pub(super) fn new(asked: Asked) -> Self {
        Blame((asked.outcomes || asked.lenient).then(|| Box::new(Noted { asked, ..Noted::default() })))
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.asked.lenient)
    }

    /// Tells of a refusal of one operation. A strict commit gets it back, and staging ends with it; a lenient one notes
    /// it down, and staging goes on to find as many as there are.
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

    /// All operations are resolved: what is refused from here on is found in the indexes.
    pub(super) fn all_resolved(&mut self) {
        self.0.iter_mut().for_each(|noted| noted.resolved = noted.refused.len());
    }

    /// Whether a record was refused in this pass since all operations were resolved.
    pub(super) fn has_records(&self) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.refused.len() > noted.resolved)
    }

    /// Whether to stage again, without those whose records could not be indexed. What was refused when the operations were
    /// resolved is decided anew: it may have met what is out by now.
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

    /// All refusals that are not told: their errors are the user's, to be dropped with care.
    pub(super) fn take_refusals(&mut self) -> Vec<Refusal> {
        let Some(noted) = &mut self.0 else { return Vec::new() };
        let mut all = std::mem::take(&mut noted.void);
        all.extend(noted.refused.drain(..).chain(noted.left_out.drain(..)).map(|(_, refusal)| refusal));
        all
    }

    /// Staging is done: adds what was noted down, and gives the operations that are left out, ascending.
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
