//! Reports: what each operation of a commit did, and which operations a lenient commit left out.

use super::Receipt;
use super::operation::Effect;
use super::part::{Part, Single};
use crate::error::Refusal;
use crate::record::Record;
use crate::storage::Engine;
use crate::sync::Arc;
use memdex_query::value::Key;
use std::fmt;

/// What one operation of a committed batch did, given the operations before it: if a batch inserts a record and deletes it again,
/// the outcomes are `Created` and `Deleted`. See [`Batch::commit_reported`](crate::Batch::commit_reported) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// It inserted a record.
    Created,
    /// It replaced a record.
    Replaced,
    /// It changed a record by its closure.
    Updated,
    /// It deleted a record.
    Deleted,
    /// It was a delete and found no record.
    Missing,
    /// It was an `update_where` and changed this many records.
    UpdatedWhere(usize),
    /// It was a `delete_where` and deleted this many records.
    DeletedWhere(usize),
    /// It was left out: [`Report::refused`] has it, with the cause.
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

/// What a commit did, operation by operation: [`Batch::commit_reported`](crate::Batch::commit_reported) and
/// [`Batch::commit_lenient`](crate::Batch::commit_lenient) return it.
///
/// With the feature `serde` a report serializes. A refused operation is then an object of `position`, `operation`, `collection`, `key`
/// and `error`, the message.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use = "it holds the operations that were left out, with their records"]
#[non_exhaustive]
pub struct Report {
    /// The receipt of the commit. `took` is the time of the whole commit.
    pub receipt: Receipt,
    /// The position and the outcome of each operation, in the order of the positions.
    pub outcomes: Vec<(usize, Outcome)>,
    /// The operations that were left out, in the order of the positions.
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

    /// The outcome of the operation at a position; `None` if there was none. O(log operations).
    #[must_use]
    pub fn outcome(&self, position: usize) -> Option<Outcome> {
        let at = self.outcomes.binary_search_by_key(&position, |(position, _)| *position).ok()?;
        Some(self.outcomes[at].1)
    }
}

/// An operation that a lenient commit left out, and why. See [`Batch::commit_lenient`](crate::Batch::commit_lenient) for an
/// example.
#[derive(Debug)]
#[must_use = "it holds the operation, with its record"]
#[non_exhaustive]
pub struct RefusedOperation {
    /// The reason.
    pub refusal: Refusal,
    /// The operation, to inspect it or to [put it](crate::Batch::put_back) into another batch.
    pub operation: TakenOperation,
}

#[cfg(feature = "serde")]
impl serde::Serialize for RefusedOperation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Described<'a> {
            #[serde(flatten)]
            info: &'a OperationInfo,
            error: String,
        }
        Described { info: &self.operation.info, error: self.refusal.to_string() }.serialize(serializer)
    }
}

/// The description of an operation of a batch.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let mut batch = store.batch();
/// batch.delete(&users, 7)?;
/// let info = &batch.operations()[0];
/// assert_eq!((info.position, info.operation, &*info.collection), (0, "delete", "User"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperationInfo {
    /// Its position in the batch, counted from 0. Removing other operations does not change it.
    pub position: usize,
    /// The command: `store`, `insert`, `update`, `upsert`, `delete`, `update_where` or `delete_where`.
    pub operation: &'static str,
    /// The name of its collection.
    pub collection: String,
    /// The key of its record; `None` if it is by filter.
    pub key: Option<Key>,
}

/// An operation that was removed from a batch, or left out of a commit.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Debug, PartialEq, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let mut batch = store.batch();
/// batch.store(&users, User { id: 1 })?;
/// let taken = batch.remove(0).unwrap();
/// assert_eq!(taken.info.operation, "store");
/// assert_eq!(taken.into_record::<User>(), Some(User { id: 1 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub struct TakenOperation {
    /// The description of the operation as it was in its batch.
    pub info: OperationInfo,
    /// A part with this operation at position 0.
    pub(super) part: Box<dyn Part>,
    pub(super) engine: Arc<Engine>,
}

impl TakenOperation {
    pub(super) fn new((info, part): Single, engine: &Arc<Engine>) -> Self {
        TakenOperation { info, part, engine: engine.clone() }
    }

    /// The record that the operation brings; `None` if it brings none, or one of another type.
    #[must_use]
    pub fn into_record<R: Record>(mut self) -> Option<R> {
        self.part.take_record()?.downcast().ok().map(|record| *record)
    }
}

impl fmt::Debug for TakenOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

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
