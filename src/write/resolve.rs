//! Resolving: the operations of a batch on one collection, in their order, become one net change per key.

use super::entries::can_be_indexed;
use super::operation::{Effect, Operation, Target, Where};
use super::receipt::Counts;
use super::report::{Blame, Outcome};
use crate::error::{Cause, Commit, Refusal};
use crate::hash::{self, RandomState, spread};
use crate::limits::MAX_BATCH_OPERATIONS;
use crate::record::Record;
use crate::rowset::Row;
use crate::storage::{Table, Version};
use crate::sync::Arc;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use memdex_query::value::Key;
use smallvec::{SmallVec, smallvec};
use std::collections::HashMap;

/// The net change of one key, before it has a row and a version.
pub(super) struct Net<R> {
    /// The operation that touched the key first. If it is by filter, `old` has the key.
    first: u32,
    /// The operation that made the state.
    last: u32,
    /// In a lenient commit, an earlier operation that made a record which can't be indexed and which no later one has fixed.
    suspect: Option<u32>,
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
    fn new(first: usize, old: Option<Arc<Version<R>>>) -> Self {
        debug_assert!(first < MAX_BATCH_OPERATIONS);
        let first = first as u32;
        Net { first, last: first, suspect: None, old, state: State::Unchanged }
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
        let culprit = self.suspect.unwrap_or(self.last) as usize;
        (culprit, operations[culprit].refusal_at(table, Some(self.key(operations).0), cause))
    }

    /// Checks, before another operation changes the state, whether the record can be indexed. Otherwise the error of the former
    /// would be attributed to the latter.
    fn note_suspect(&mut self, table: &Table<R>, operations: &[Operation<R>]) {
        let changed = matches!(self.state, State::Brought(_) | State::Computed(_));
        let spoilt = changed && self.present(operations).is_some_and(|record| !can_be_indexed(table, record));
        self.suspect = spoilt.then_some(self.suspect.unwrap_or(self.last));
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

/// The net changes of a batch, in the order in which it touched their keys, and the net change of each operation.
pub(super) struct Looked<R> {
    pub(super) nets: SmallVec<[Net<R>; 1]>,
    net_of: SmallVec<[usize; 1]>,
    /// Records that closures made and later operations changed again.
    pub(super) superseded: Vec<State<R>>,
}

/// The net change of each row that the batch has met. Its methods have no record type, so that they are compiled once.
struct Rows(HashMap<Row, usize, RandomState>);

impl Rows {
    fn new() -> Self {
        Rows(HashMap::with_hasher(hash::random()))
    }

    fn insert(&mut self, row: Row, number: usize) {
        self.0.insert(row, number);
    }

    /// The net change of a row; `next`, which is then noted, if it has none.
    fn number(&mut self, row: Row, next: usize) -> usize {
        *self.0.entry(row).or_insert(next)
    }
}

/// The net change of each key that the batch has met, as a hash table whose code has no record type.
struct Keys(HashTable<Known>);

#[derive(Clone, Copy)]
struct Known {
    hash: u32,
    /// The first operation on the key.
    first: usize,
    number: usize,
}

impl Keys {
    fn with_capacity(keys: usize) -> Self {
        Keys(HashTable::with_capacity(keys))
    }

    /// The net change of a key; if the key is new, it is noted with `next` and operation `at`. `is_same` compares it with
    /// the key of an earlier operation.
    fn number(&mut self, hash: u32, at: usize, next: usize, is_same: &dyn Fn(usize) -> bool) -> usize {
        let same = |known: &Known| known.hash == hash && is_same(known.first);
        match self.0.entry(spread(hash), same, |known| spread(known.hash)) {
            Entry::Occupied(known) => known.get().number,
            Entry::Vacant(unknown) => {
                unknown.insert(Known { hash, first: at, number: next });
                next
            }
        }
    }
}

impl<R: Record> Looked<R> {
    /// Applies the operations to the states, in their order.
    pub(super) fn resolve(
        &mut self,
        table: &Table<R>,
        operations: &[Operation<R>],
        blame: &mut Blame,
    ) -> Result<Counts, Refusal> {
        let mut counts = Counts::default();
        let mut rows = None;
        for (at, operation) in operations.iter().enumerate() {
            if blame.is_out(at) {
                continue;
            }
            let lenient = blame.is_lenient();
            let outcome = match &operation.target {
                Target::Key { key, .. } => self.resolve_on_key(table, operations, at, key, lenient),
                Target::Where(condition) => self.resolve_where(table, operations, at, condition, &mut rows, lenient),
            };
            match outcome {
                Ok(outcome) => {
                    counts.add(outcome);
                    blame.did(operation.position, outcome);
                }
                Err(refusal) => blame.refuse(at, refusal)?,
            }
        }
        Ok(counts)
    }

    #[inline]
    fn resolve_on_key(
        &mut self,
        table: &Table<R>,
        operations: &[Operation<R>],
        at: usize,
        key: &Key,
        lenient: bool,
    ) -> Result<Outcome, Refusal> {
        let number = self.net_of[at];
        let (net, operation) = (&self.nets[number], &operations[at]);
        let effect = operation.effect(table, key, net.present(operations), net.begin());
        let effect = effect.map_err(|cause| operation.refusal(table, cause))?;
        let outcome = Outcome::from(&effect);
        if lenient {
            self.nets[number].note_suspect(table, operations);
        }
        self.put(number, at, effect);
        Ok(outcome)
    }

    /// Applies an operation by filter: the filter sees the records that the batch has changed as it left them, and all others as
    /// they are committed. No state changes before the effects on all of them are known.
    fn resolve_where(
        &mut self,
        table: &Table<R>,
        operations: &[Operation<R>],
        at: usize,
        condition: &Where<R>,
        rows: &mut Option<Rows>,
        lenient: bool,
    ) -> Result<Outcome, Refusal> {
        let operation = &operations[at];
        let mut selected = Vec::new();
        for (number, net) in self.nets.iter().enumerate() {
            if matches!(net.state, State::Unchanged) {
                continue;
            }
            let Some(record) = net.present(operations) else { continue };
            let holds = condition.holds(record);
            if holds.map_err(|cause| operation.refusal_at(table, Some(net.key(operations).0), cause))? {
                selected.push(number);
            }
        }
        let rows = rows.get_or_insert_with(|| {
            let mut rows = Rows::new();
            let with_row = |(number, net): (usize, &Net<R>)| Some((net.old.as_ref()?.row, number));
            self.nets.iter().enumerate().filter_map(with_row).for_each(|(row, number)| rows.insert(row, number));
            rows
        });
        for old in condition.evaluate().map_err(|cause| operation.refusal(table, cause))? {
            let number = rows.number(old.row, self.nets.len());
            if number == self.nets.len() {
                self.nets.push(Net::new(at, Some(old)));
            } else if !matches!(self.nets[number].state, State::Unchanged) {
                continue;
            }
            selected.push(number);
        }
        let mut effects = Vec::with_capacity(selected.len());
        for number in &selected {
            let net = &self.nets[*number];
            let key = net.key(operations).0;
            match operation.effect(table, key, net.present(operations), net.begin()) {
                Ok(effect) => effects.push(effect),
                Err(cause) => {
                    self.superseded.extend(effects.into_iter().filter_map(State::of_computed));
                    return Err(operation.refusal_at(table, Some(key), cause));
                }
            }
        }
        for (number, effect) in selected.iter().zip(effects) {
            if lenient {
                self.nets[*number].note_suspect(table, operations);
            }
            self.put(*number, at, effect);
        }
        Ok(operation.outcome_where(selected.len()))
    }

    /// Replaces the state of a key by the effect of an operation.
    #[inline]
    fn put(&mut self, number: usize, at: usize, effect: Effect<R>) {
        let state = match effect {
            Effect::Inserted | Effect::Replaced => State::Brought(at),
            Effect::Updated(record) => State::Computed(record),
            Effect::Deleted => State::Gone,
            Effect::Missing => return,
        };
        let net = &mut self.nets[number];
        net.last = at as u32;
        if let computed @ State::Computed(_) = std::mem::replace(&mut net.state, state) {
            self.superseded.push(computed);
        }
    }
}

impl<R> State<R> {
    fn of_computed(effect: Effect<R>) -> Option<Self> {
        if let Effect::Updated(record) = effect { Some(State::Computed(record)) } else { None }
    }
}

/// The number of the net change of an operation by filter, which has none.
const NO_NET: usize = usize::MAX;

/// Makes one unchanged net change per key. Does nothing else, so that the memory accesses of successive look-ups overlap.
pub(super) fn look_up<R: Record>(table: &Table<R>, operations: &[Operation<R>]) -> Looked<R> {
    let new = |at: usize, key: &Key, hash: u32| {
        let old = table.keys.newest(hash, |other| other == key);
        Net::new(at, old)
    };
    if let [Operation { target: Target::Key { key, hash }, .. }] = operations {
        return Looked { nets: smallvec![new(0, key, *hash)], net_of: smallvec![0], superseded: Vec::new() };
    }
    let mut nets: SmallVec<[Net<R>; 1]> = SmallVec::with_capacity(operations.len());
    let mut keys = Keys::with_capacity(operations.len());
    let net_of = operations.iter().enumerate().map(|(at, operation)| {
        let Target::Key { key, hash } = &operation.target else { return NO_NET };
        let number = keys.number(*hash, at, nets.len(), &|first| operations[first].key() == Some(key));
        if number == nets.len() {
            nets.push(new(at, key, *hash));
        }
        number
    });
    let net_of = net_of.collect();
    Looked { nets, net_of, superseded: Vec::new() }
}
