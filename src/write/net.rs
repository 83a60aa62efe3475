//! The net change of one key by the operations of a batch.

use super::operation::{Effect, Named, Operation};
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, Refusal};
use crate::limits::MAX_BATCH_OPERATIONS;
use crate::rowset::Row;
use crate::storage::{AnyVersion, BaseRow, Draft, SharedVersion, Table};
use memdex_query::value::Key;

/// The net change of one key, before it has a row and a version.
pub(super) struct Net {
    /// The operation that touched the key first, and which of its keys it is. If it is by filter, `old` has the key.
    first: u32,
    named: Named,
    /// The operation that made the state.
    pub(super) last: u32,
    /// Where the state before that is among the steps of the batch; [`NO_STEP`] if it is that before the batch.
    pub(super) step: u32,
    /// Whether the batch has deleted the committed record. A record that it stores after that is a new one.
    pub(super) deleted: bool,
    /// Whether the committed record has expired at the time of the commit. Then the state before the batch is that it is gone.
    pub(super) expired: bool,
    /// Whether the record is a victim of the bound: no operation touches it.
    pub(super) evicted: bool,
    /// The commit that wrote the record before the batch; `None` if there was none.
    begin: Option<Commit>,
    /// The version before the batch. A record of a fork's base has a [phantom](super::phantoms) here.
    pub(super) old: Option<SharedVersion>,
    /// Its place in the base, if it is such a record.
    pub(super) under: Option<BaseRow>,
    pub(super) state: State,
}

pub(super) const NO_STEP: u32 = u32::MAX;

/// A state of a key that a later operation of the batch has replaced, as [`Net`] describes it.
pub(super) struct Step {
    pub(super) state: State,
    pub(super) last: u32,
    pub(super) step: u32,
    pub(super) deleted: bool,
}

pub(super) enum State {
    Unchanged,
    /// The record that the operation of this index brings.
    Brought(usize),
    /// The record that closures or edits made.
    Computed(Draft),
    /// The record that an edit made and a later one has changed in place.
    Folded,
    Gone,
}

impl Net {
    /// For a commit at `time`.
    pub(super) fn new(first: usize, named: Named, old: Option<SharedVersion>, time: Timestamp) -> Self {
        debug_assert!(first < MAX_BATCH_OPERATIONS);
        let first = first as u32;
        let begin = old.as_ref().filter(|old| !old.is_tombstone()).map(|old| old.written());
        let expired = begin.is_some() && old.as_ref().is_some_and(|old| old.deadline.is_past(time));
        let state = if expired { State::Gone } else { State::Unchanged };
        let (deleted, under) = (expired, None);
        Net { first, named, last: first, step: NO_STEP, deleted, expired, evicted: false, begin, old, under, state }
    }

    /// The same, of a record at this place in the base of a fork.
    pub(super) fn under(self, place: Option<BaseRow>) -> Self {
        Net { under: place, ..self }
    }

    /// The row that holds the record before the batch.
    pub(super) fn old_row(&self) -> Option<Row> {
        self.old.as_ref().filter(|_| self.under.is_none() && self.begin.is_some()).map(|old| old.row)
    }

    /// The state before the batch.
    pub(super) fn base(&self) -> State {
        if self.expired { State::Gone } else { State::Unchanged }
    }

    /// Whether the state is that before the batch.
    fn is_base(&self) -> bool {
        match self.state {
            State::Unchanged => true,
            State::Gone => self.expired && self.step == NO_STEP,
            _ => false,
        }
    }

    /// Gives the operations other numbers.
    pub(super) fn renumber(&mut self, to: &[u32]) {
        (self.first, self.last) = (to[self.first as usize], to[self.last as usize]);
        self.state.renumber(to);
    }

    /// The operation that touched the key first.
    pub(super) fn first(&self) -> usize {
        self.first as usize
    }

    /// Has the record be there although it has expired: no operation of the batch touches it.
    pub(super) fn leave_expired(&mut self) {
        (self.expired, self.deleted, self.state) = (false, false, State::Unchanged);
    }

    pub(super) fn key<'a>(&'a self, operations: &'a [Operation]) -> (&'a Key, u32) {
        match (&self.old, operations[self.first as usize].named(self.named)) {
            (Some(old), _) => (&old.key, old.hash),
            (None, Some(named)) => named,
            (None, None) => unreachable!("a filter selects existing records"),
        }
    }

    /// The refusal of an operation because of the record.
    pub(super) fn refusal(&self, table: &Table, operations: &[Operation], at: usize, cause: Cause) -> Refusal {
        operations[at].refusal_at(table, Some(self.key(operations).0), cause)
    }

    /// The operation that made the state, unless it is that before the batch.
    pub(super) fn maker(&self) -> Option<u32> {
        (!self.is_base()).then_some(self.last)
    }

    /// Whether the operation that made the state gave its record a lifetime.
    pub(super) fn is_given(&self, operations: &[Operation]) -> bool {
        self.maker().is_some_and(|maker| operations[maker as usize].given.is_some())
    }

    pub(super) fn present<'a>(&'a self, operations: &'a [Operation]) -> Option<&'a dyn AnyVersion> {
        match &self.state {
            State::Unchanged => self.old.as_deref().filter(|_| self.begin.is_some()),
            changed => changed.record(operations),
        }
    }

    /// The record that the batch leaves, if any.
    pub(super) fn result<'a>(&'a self, operations: &'a [Operation]) -> Option<&'a dyn AnyVersion> {
        if matches!(self.state, State::Gone) { None } else { self.present(operations) }
    }

    /// The commit that wrote the record before the batch.
    pub(super) fn begin(&self) -> Option<Commit> {
        self.begin
    }

    /// The commit that conditions find: that of the committed record, also if the batch has changed it, but not if the batch has
    /// deleted it.
    pub(super) fn found(&self) -> Option<Commit> {
        if self.deleted { None } else { self.begin() }
    }

    /// Whether the store must change. A record that the batch inserts and deletes again changes nothing.
    pub(super) fn changes_something(&self) -> bool {
        match self.state {
            State::Unchanged => false,
            State::Gone => self.begin().is_some(),
            State::Brought(_) | State::Computed(_) | State::Folded => true,
        }
    }
}

impl State {
    /// The record that an operation has made.
    pub(super) fn record<'a>(&'a self, operations: &'a [Operation]) -> Option<&'a dyn AnyVersion> {
        match self {
            State::Brought(at) => operations[*at].action.record(),
            State::Computed(record) => Some(&**record),
            State::Unchanged | State::Folded | State::Gone => None,
        }
    }

    /// Gives the operations other numbers.
    pub(super) fn renumber(&mut self, to: &[u32]) {
        if let State::Brought(at) = self {
            *at = to[*at] as usize;
        }
    }

    pub(super) fn of_computed(effect: Effect) -> Option<Self> {
        if let Effect::Updated(record) = effect { Some(State::Computed(record)) } else { None }
    }
}

/// Refuses a record that a structure or a column can't hold, or whose heap memory can't be measured.
pub(super) fn check(table: &Table, record: &dyn AnyVersion) -> Result<(), Cause> {
    table.check(record)?;
    let measured = record.measure_heap();
    let _heap = measured.map_err(|message| Cause::Panicked { what: "heap_size", message })?;
    #[cfg(feature = "testing")]
    table.check_size(record, _heap)?;
    table.check_weight(record)
}
