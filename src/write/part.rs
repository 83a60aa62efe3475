//! The part of a batch on one collection, before and after it is staged: traits without the record type.

use super::attribution::{CommitOptions, CommitReport};
#[cfg(feature = "testing")]
use super::doom::{Doom, Subject};
use super::operation::OperationInfo;
use super::receipt::Counts;
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, Refusal};
use crate::reclaim::Pass;
use crate::storage::{AnyTable, CollectionChanges, Engine, Garbage, ProposedChanges};
use crate::sync::Arc;
use std::any::Any;

/// The operations of a batch on one collection, in their order. Dropping it drops each value of the user by itself.
pub(super) trait Part: Any + Send {
    fn len(&self) -> usize;
    /// Whether any operation is a caller's, not one of the store itself.
    fn is_of_callers(&self) -> bool;
    fn stage(&mut self, options: CommitOptions, time: Timestamp) -> Result<Box<dyn StagedPart + '_>, Refusal>;
    /// Prepares the table of a fork: makes its structures, and has it take over what its base has changed, if the operations are to be
    /// compared with it. Not under the commit lock.
    fn prepare(&self, engine: &Engine) -> Result<(), Cause>;
    fn is_of(&self, table: *const ()) -> bool;
    /// The name of its collection.
    fn collection(&self) -> &str;
    /// Drops the operations from a position on.
    fn truncate(&mut self, position: usize);
    fn remove(&mut self, position: usize) -> Option<Single>;
    /// Removes and returns all operations.
    fn take_all(&mut self) -> Vec<Single>;
    /// Removes and returns the record that the first operation brings.
    fn take_record(&mut self) -> Option<Box<dyn Any + Send>>;
    /// Moves the operations of another part of the same collection behind its own and adds `from` to their positions. Returns
    /// `false`, and does nothing, if the part is of another collection.
    fn append(&mut self, other: &mut dyn Part, from: usize) -> bool;
    /// Undoes the last `append`.
    fn give_back(&mut self, other: &mut dyn Part, from: usize) -> bool;
    fn infos(&self, infos: &mut Vec<OperationInfo>);
    /// The memory of its operations.
    fn bytes(&self) -> usize;
    /// Adds a fingerprint of each operation's collection and key: equal for equal keys, most likely different for others.
    /// Returns `false` if one of the operations is by filter.
    fn key_hashes(&self, hashes: &mut Vec<u64>) -> bool;
    /// Asks `judge` about each operation, whether it is to fail.
    #[cfg(feature = "testing")]
    fn doom(&mut self, judge: &mut dyn FnMut(&Subject<'_>) -> Result<Option<Doom>, Refusal>) -> Result<(), Refusal>;
    /// An empty part of the same collection.
    fn empty(&self) -> Box<dyn Part>;
}

/// One operation, described, in a part of its own at position 0.
pub(super) type Single = (OperationInfo, Box<dyn Part>);

/// One collection's part of a batch, staged: without its record type, as the commit sees it.
pub(super) trait StagedPart {
    fn counts(&self) -> Counts;
    /// Adds the outcomes and refusals of its operations to `report`. After the last refusal.
    fn report_outcomes(&mut self, report: &mut CommitReport);
    /// Makes the versions of this commit for hooks that may refuse it. Rows are only foreseen, not given out.
    fn propose(&mut self, commit: Commit) -> ProposedChanges;
    /// Undoes `propose`: the records return to their operations. The proposal has been dropped.
    fn retract(&mut self);
    /// Gives out rows, codes and versions. After the last refusal.
    fn seal(&mut self, commit: Commit);
    /// Looks for the cached answers that the changes concern. The last step that runs user code.
    fn look_for_questions(&mut self, commit: Commit);
    fn mark(&self, commit: Commit);
    fn apply(&mut self, commit: Commit);
    /// Brings the cached answers to the state of the commit.
    fn account_to_questions(&mut self, commit: Commit, garbage: &mut Garbage);
    fn changes(&self) -> CollectionChanges;
    /// Drops what the commit has displaced and no reader sees. Returns whether the table retains any old state.
    fn reclaim(&mut self, pass: &Pass<'_>, garbage: &mut Garbage) -> bool;
    fn table(&self) -> Arc<dyn AnyTable>;
}
