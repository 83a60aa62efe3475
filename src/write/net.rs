//! The net change of one key by the operations of a batch.

use super::operation::{Effect, Operation, Target};
use crate::error::{Cause, Commit, Refusal};
use crate::limits::MAX_BATCH_OPERATIONS;
use crate::record::{Access, Fields, Record};
use crate::storage::{Table, Version};
use crate::sync::Arc;
use memdex_query::value::Key;

/// The net change of one key, before it has a row and a version.
pub(super) struct Net<R> {
    /// The operation that touched the key first. If it is by filter, `old` has the key.
    first: u32,
    /// The operation that made the state.
    pub(super) last: u32,
    /// In a lenient commit, an earlier operation that made a record which can't be indexed and which no later one has fixed.
    faulty: Option<u32>,
    pub(super) old: Option<Arc<Version<R>>>,
    pub(super) state: State<R>,
}

pub(super) enum State<R> {
    Unchanged,
    /// The record that the operation of this index brings.
    Brought(usize),
    /// The record that closures made.
    Computed(R),
    Gone,
}

impl<R: Record> Net<R> {
    pub(super) fn new(first: usize, old: Option<Arc<Version<R>>>) -> Self {
        debug_assert!(first < MAX_BATCH_OPERATIONS);
        let first = first as u32;
        Net { first, last: first, faulty: None, old, state: State::Unchanged }
    }

    pub(super) fn key<'a>(&'a self, operations: &'a [Operation<R>]) -> (&'a Key, u32) {
        match (&self.old, &operations[self.first as usize].target) {
            (Some(old), _) => (&old.key, old.hash),
            (None, Target::Key { key, hash }) => (key, *hash),
            (None, Target::Where(_)) => unreachable!("a filter selects existing records"),
        }
    }

    /// The operation at fault if the record can't be indexed, and its refusal.
    pub(super) fn refusal(&self, table: &Table<R>, operations: &[Operation<R>], cause: Cause) -> (usize, Refusal) {
        let culprit = self.faulty.unwrap_or(self.last) as usize;
        (culprit, operations[culprit].refusal_at(table, Some(self.key(operations).0), cause))
    }

    /// Checks, before another operation changes the state, whether the record can be indexed. Otherwise the error of the former
    /// would be attributed to the latter.
    pub(super) fn note_faulty(&mut self, table: &Table<R>, operations: &[Operation<R>]) {
        let changed = matches!(self.state, State::Brought(_) | State::Computed(_));
        let spoilt = changed && self.present(operations).is_some_and(|record| !can_be_indexed(table, record));
        self.faulty = spoilt.then_some(self.faulty.unwrap_or(self.last));
    }

    pub(super) fn present<'a>(&'a self, operations: &'a [Operation<R>]) -> Option<&'a R> {
        match &self.state {
            State::Unchanged => self.old.as_ref()?.record.as_ref(),
            State::Brought(at) => operations[*at].action.record(),
            State::Computed(record) => Some(record),
            State::Gone => None,
        }
    }

    /// The record that the batch leaves, if any.
    pub(super) fn result<'a>(&'a self, operations: &'a [Operation<R>]) -> Option<&'a R> {
        if matches!(self.state, State::Gone) { None } else { self.present(operations) }
    }

    /// The commit that wrote the record before the batch.
    pub(super) fn begin(&self) -> Option<Commit> {
        self.old.as_ref().filter(|old| !old.is_tombstone()).map(|old| old.begin)
    }

    /// Whether the store must change. A record that the batch inserts and deletes again changes nothing.
    pub(super) fn changes_something(&self) -> bool {
        match self.state {
            State::Unchanged => false,
            State::Gone => self.begin().is_some(),
            State::Brought(_) | State::Computed(_) => true,
        }
    }
}

impl<R> State<R> {
    pub(super) fn of_computed(effect: Effect<R>) -> Option<Self> {
        if let Effect::Updated(record) = effect { Some(State::Computed(record)) } else { None }
    }
}

/// Whether every structure and every column takes a record by itself.
fn can_be_indexed<R: Record>(table: &Table<R>, record: &R) -> bool {
    table.accepts(&Fields(record)) && record.measure_heap().is_ok()
}
