//! The part of a batch on one collection, before and after it is staged: traits without the record type.

use super::attribution::{CommitOptions, CommitReport};
#[cfg(feature = "testing")]
use super::doom::{Doom, Subject};
use super::operation::OperationInfo;
use super::receipt::Counts;
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, Refusal};
use crate::reclaim::Pass;
use crate::storage::{AnyTable, CollectionChanges, Edge, Engine, Garbage, ProposedChanges};
use crate::sync::Arc;
use memdex_query::value::Key;
use smallvec::SmallVec;
use std::any::Any;
use std::collections::BTreeMap;

/// The operations of a batch on one collection, in their order. Dropping it drops each value of the user by itself.
pub(super) trait Part: Any + Send {
    fn len(&self) -> usize;
    /// Whether any operation is a caller's, not one of the store itself.
    fn is_of_callers(&self) -> bool;
    fn stage(&mut self, options: CommitOptions, time: Timestamp) -> Result<Box<dyn StagedPart + '_>, Refusal>;
    /// Has a fork take over what its base has changed, if the operations are to be compared with it. Not under the commit lock.
    fn catch_up(&self, engine: &Engine);
    /// Makes the structures of the table of a fork, which are deferred until it is first written. Under the commit lock.
    fn make_structures(&self, engine: &Engine);
    /// Begins to stage it as one of several collections that refer to each other; see [`Member`].
    fn link(
        &mut self,
        engine: &Arc<Engine>,
        edges: &[Arc<Edge>],
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<Box<dyn Member<'_> + '_>, Refusal>;
    /// Whether it may take records away from their keys.
    fn removes(&self) -> bool;
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

/// A key whose record a batch has taken away, and where it has moved.
pub(super) struct Moved {
    pub(super) key: Key,
    pub(super) to: Option<Key>,
}

/// Why a record is changed by a reference.
#[derive(Clone, Copy)]
pub(super) struct Because {
    /// The position of the operation that took the other record away.
    pub(super) position: usize,
    /// That record had expired: it was gone before all operations.
    pub(super) before_all: bool,
}

/// What a batch leaves of a record to which others may refer.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    /// As it is committed.
    Untouched,
    Present,
    /// Taken away by the operation at this place.
    Gone(usize),
}

/// A record that a batch changes, with a key to which it then refers.
pub(super) struct Referring {
    pub(super) net: usize,
    pub(super) key: Key,
    pub(super) hash: u32,
}

/// The net changes that an operation touches.
pub(super) struct Touched {
    pub(super) position: usize,
    pub(super) nets: SmallVec<[usize; 2]>,
    /// It depends on each of these what becomes of the others, and of what references do because of the operation.
    pub(super) depends: bool,
}

/// One collection's part of a commit over collections that refer to each other: its operations are resolved in their order over all of
/// them. Operations are named by their place, as in [`Attribution`](super::attribution::Attribution).
pub(super) trait Member<'a> {
    fn collection(&self) -> &str;
    /// Begins, or begins again, without the operations at these positions.
    fn begin(&mut self, excluded: &dyn Fn(usize) -> bool);
    /// The positions of the operations.
    fn positions(&self) -> Vec<usize>;
    /// The keys whose records have expired, and the position of the first operation on each.
    fn expired(&self) -> Vec<(usize, Moved)>;
    /// Applies the operation at a place. Adds the keys that it has taken away.
    fn resolve(&mut self, at: usize, moved: &mut Vec<Moved>);
    /// Has the records that refer to a key do what the reference demands. Adds the keys that it has taken away. Returns how many records it
    /// was.
    fn follow(&mut self, edge: &Arc<Edge>, of: &Moved, because: Because, moved: &mut Vec<Moved>) -> usize;
    /// Judges the net changes by themselves, once all operations are resolved. Returns `false` if it must begin again.
    fn complete(&mut self) -> Result<bool, Refusal>;
    /// Takes the refusals, with their positions, that are final or because of a reference: those operations must be excluded.
    fn take_exclusions(&mut self) -> Vec<(usize, Refusal)>;
    /// Adds what the net records refer to.
    fn referring(&self, edge: &Edge, found: &mut Vec<Referring>);
    /// The operation since which a net record refers to a key; `None` if it did so before the batch.
    fn since(&mut self, edge: &Edge, of: &Referring) -> Option<usize>;
    /// The net changes that each operation touches.
    fn touched(&self) -> Vec<Touched>;
    fn standing(&self, key: &Key) -> Standing;
    /// The keys whose records the batch takes away, with the operation, and whether that moves the record.
    fn taken_away(&self) -> Vec<(Key, usize, bool)>;
    /// A record that refers to a key and that the batch does not change.
    fn unchanged_referring(&mut self, edge: &Edge, key: &Key) -> Result<Option<Key>, Refusal>;
    /// If the operation has made the record of a net change, there was none before, and no other operation could make one: its key.
    fn made_by(&self, net: usize, at: usize) -> Option<Key>;
    fn position(&self, at: usize) -> usize;
    fn refusal(&self, at: usize, key: Option<&Key>, cause: Cause) -> Refusal;
    fn key(&self, net: usize) -> &Key;
    /// Ends the judgement: excludes the operations with these refusals. `None` if the commit does not concern the collection.
    fn into_staged(self: Box<Self>, excluded: &mut BTreeMap<usize, Refusal>) -> Option<Box<dyn StagedPart + 'a>>;
}

/// A part without operations, for commits that reach its collection by references.
pub(crate) struct EmptyPart(pub(super) Box<dyn Part>);

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
