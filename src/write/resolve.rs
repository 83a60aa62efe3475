//! Resolving: a batch's operations on one collection, in their order, become one net change a key.

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
use crate::value::Key;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::{SmallVec, smallvec};
use std::collections::HashMap;

/// A net change before it has a row and a version.
pub(super) struct Net<R> {
    /// The operation that touched the key first. If that one is on more than a key, `old` has the key.
    first: u32,
    /// The one that made the state.
    last: u32,
    /// In a lenient commit: an earlier one that made a record which can't be indexed, and which none has mended since.
    suspect: Option<u32>,
    pub(super) old: Option<Arc<Version<R>>>,
    pub(super) state: State<R>,
}

pub(super) enum State<R> {
    Unchanged,
    /// The record that this operation brings.
    Brought(usize),
    /// What closures made.
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
            (None, Target::Where(_)) => unreachable!("what a condition has found is there"),
        }
    }

    /// The operation to blame when the record can't be indexed, and its refusal.
    pub(super) fn refusal(&self, table: &Table<R>, operations: &[Operation<R>], cause: Cause) -> (usize, Refusal) {
        let culprit = self.suspect.unwrap_or(self.last) as usize;
        (culprit, operations[culprit].refusal_at(table, Some(self.key(operations).0), cause))
    }

    /// Looks, before another operation changes the state, whether it could be indexed: else the blame for what the
    /// former has done would fall on the latter.
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

    /// The record that the batch leaves, if it leaves one.
    pub(super) fn result<'a>(&'a self, operations: &'a [Operation<R>]) -> Option<&'a R> {
        if matches!(self.state, State::Gone) { None } else { self.present(operations) }
    }

    /// The commit that wrote the record as the batch found it.
    pub(super) fn begin(&self) -> Option<Commit> {
        self.old.as_ref().filter(|old| !old.is_tombstone()).map(|old| old.begin)
    }

    /// Whether the store must change: what was inserted and deleted again within the batch leaves nothing behind.
    pub(super) fn changes_something(&self) -> bool {
        match self.state {
            State::Unchanged => false,
            State::Gone => self.begin().is_some(),
            State::Brought(_) | State::Computed(_) => true,
        }
    }
}

/// The net changes of a batch in the order in which it touched their keys, and which of them each operation belongs to.
pub(super) struct Looked<R> {
    pub(super) nets: SmallVec<[Net<R>; 1]>,
    net_of: SmallVec<[usize; 1]>,
    /// What closures made and others then changed again.
    pub(super) superseded: Vec<State<R>>,
}

/// The net change of each row that the batch has met.
type Rows = HashMap<Row, usize, RandomState>;

impl<R: Record> Looked<R> {
    /// Lets the operations, in their order, change the states.
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

    /// On all records that meet a condition: of those that the batch has changed as it has changed them, of all others as
    /// they are committed. Only when each has been decided is any changed.
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
        let mut met = Vec::new();
        for (number, net) in self.nets.iter().enumerate() {
            if matches!(net.state, State::Unchanged) {
                continue;
            }
            let Some(record) = net.present(operations) else { continue };
            let holds = condition.holds(record);
            if holds.map_err(|cause| operation.refusal_at(table, Some(net.key(operations).0), cause))? {
                met.push(number);
            }
        }
        let rows = rows.get_or_insert_with(|| {
            let row = |(number, net): (usize, &Net<R>)| Some((net.old.as_ref()?.row, number));
            let mut rows = Rows::with_hasher(hash::random());
            rows.extend(self.nets.iter().enumerate().filter_map(row));
            rows
        });
        for old in condition.evaluate().map_err(|cause| operation.refusal(table, cause))? {
            let known = rows.entry(old.row).or_insert(self.nets.len());
            if *known == self.nets.len() {
                self.nets.push(Net::new(at, Some(old)));
            } else if !matches!(self.nets[*known].state, State::Unchanged) {
                continue;
            }
            met.push(*known);
        }
        let mut effects = Vec::with_capacity(met.len());
        for number in &met {
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
        for (number, effect) in met.iter().zip(effects) {
            if lenient {
                self.nets[*number].note_suspect(table, operations);
            }
            self.put(*number, at, effect);
        }
        Ok(operation.outcome_where(met.len()))
    }

    /// Gives a key the state that an operation makes.
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

/// What an operation that is not on a key has for the place of its net change.
const NO_NET: usize = usize::MAX;

/// One net change a key, still unchanged. Does nothing else, so that the steps to memory of successive look-ups overlap.
pub(super) fn look_up<R: Record>(table: &Table<R>, operations: &[Operation<R>]) -> Looked<R> {
    let new = |at: usize, key: &Key, hash: u32| {
        let old = table.keys.newest(hash, |other| other == key);
        Net::new(at, old)
    };
    if let [Operation { target: Target::Key { key, hash }, .. }] = operations {
        return Looked { nets: smallvec![new(0, key, *hash)], net_of: smallvec![0], superseded: Vec::new() };
    }
    let mut nets: SmallVec<[Net<R>; 1]> = SmallVec::with_capacity(operations.len());
    // The first operation on each key, with its net change.
    let mut by_key: HashTable<(usize, usize)> = HashTable::with_capacity(operations.len());
    let net_of = operations.iter().enumerate().map(|(at, operation)| {
        let Target::Key { key, hash } = &operation.target else { return NO_NET };
        let same_key = |first: &(usize, usize)| operations[first.0].key() == Some(key);
        let rehash = |first: &(usize, usize)| spread(operations[first.0].hash());
        match by_key.entry(spread(*hash), same_key, rehash) {
            Entry::Occupied(known) => known.get().1,
            Entry::Vacant(unknown) => {
                unknown.insert((at, nets.len()));
                nets.push(new(at, key, *hash));
                nets.len() - 1
            }
        }
    });
    let net_of = net_of.collect();
    Looked { nets, net_of, superseded: Vec::new() }
}
