//! Reports: what each operation of a commit did, and which operations a lenient commit left out.

use super::attribution::CommitReport;
use super::operation::OperationInfo;
use super::operations::{Operations, Single};
use super::outcome::Outcome;
use super::receipt::Receipt;
use crate::error::Refusal;
use crate::record::Record;
use crate::storage::Engine;
use crate::sync::Arc;
use std::fmt;

/// The effects of a commit, operation by operation: [`Batch::commit_reported`](crate::Batch::commit_reported) and
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
    pub(super) fn new(receipt: Receipt, recorded: CommitReport, mut taken: Vec<TakenOperation>) -> Self {
        let CommitReport { mut outcomes, mut refusals, .. } = recorded;
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
    pub(super) part: Operations,
    pub(super) engine: Arc<Engine>,
}

impl TakenOperation {
    pub(super) fn new((info, part): Single, engine: &Arc<Engine>) -> Self {
        TakenOperation { info, part, engine: engine.clone() }
    }

    /// The record that the operation brings; `None` if it brings none, or one of another type.
    #[must_use]
    pub fn into_record<R: Record>(mut self) -> Option<R> {
        let mut draft = self.engine.counters.hold(self.part.take_record()?);
        draft.record_mut::<R>()?;
        draft.into_inner().into_record()
    }
}

impl fmt::Debug for TakenOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}
