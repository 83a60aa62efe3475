//! Resolving: the operations of a batch on one collection, in their order, become one net change per key.

use super::attribution::Attribution;
use super::net::{Net, State};
use super::operation::{Effect, Operation, Target, Where};
use super::outcome::Outcome;
use super::receipt::Counts;
use crate::error::Refusal;
use crate::hash::{self, RandomState, spread};
use crate::record::Record;
use crate::rowset::Row;
use crate::storage::Table;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use memdex_query::value::Key;
use smallvec::{SmallVec, smallvec};
use std::collections::HashMap;

/// The net changes of a batch, in the order in which it touched their keys, and the net change of each operation.
pub(super) struct Resolution<R> {
    pub(super) nets: SmallVec<[Net<R>; 1]>,
    net_of: SmallVec<[usize; 1]>,
    /// Records that closures made and later operations changed again.
    pub(super) superseded: Vec<State<R>>,
}

/// The net change of each row that the batch has touched. Its methods have no record type, so that they are compiled once.
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

/// The net change of each key that the batch has touched, as a hash table whose code has no record type.
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

    /// The net change of a key; a new key gets `next`, and `at` as its first operation. `is_same` compares it with
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

impl<R: Record> Resolution<R> {
    /// Applies the operations to the states, in their order.
    pub(super) fn resolve(
        &mut self,
        table: &Table<R>,
        operations: &[Operation<R>],
        attribution: &mut Attribution,
    ) -> Result<Counts, Refusal> {
        let mut counts = Counts::default();
        let mut rows = None;
        for (at, operation) in operations.iter().enumerate() {
            if attribution.is_out(at) {
                continue;
            }
            let lenient = attribution.is_lenient();
            let outcome = match &operation.target {
                Target::Key { key, .. } => self.resolve_on_key(table, operations, at, key, lenient),
                Target::Where(condition) => self.resolve_where(table, operations, at, condition, &mut rows, lenient),
            };
            match outcome {
                Ok(outcome) => {
                    counts.add(outcome);
                    attribution.did(operation.position, outcome);
                }
                Err(refusal) => attribution.refuse(at, refusal)?,
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
            self.nets[number].note_faulty(table, operations);
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
                self.nets[*number].note_faulty(table, operations);
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

/// The number of the net change of an operation by filter, which has none.
const NO_NET: usize = usize::MAX;

/// Makes one unchanged net change per key. Does nothing else, so that the memory accesses of successive look-ups overlap.
pub(super) fn look_up<R: Record>(table: &Table<R>, operations: &[Operation<R>]) -> Resolution<R> {
    let new = |at: usize, key: &Key, hash: u32| {
        let old = table.keys.newest(hash, key.bytes());
        Net::new(at, old)
    };
    if let [Operation { target: Target::Key { key, hash }, .. }] = operations {
        return Resolution { nets: smallvec![new(0, key, *hash)], net_of: smallvec![0], superseded: Vec::new() };
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
    Resolution { nets, net_of, superseded: Vec::new() }
}
