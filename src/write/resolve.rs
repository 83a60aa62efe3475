//! Resolving: the operations of a batch on one collection, in their order, become one net change per key.

use super::attribution::Attribution;
use super::net::{Net, State, Step};
use super::operation::{Effect, Named, Operation, Target};
use super::outcome::Outcome;
use super::phantoms::Phantoms;
use super::receipt::Counts;
use super::returned::AllReturned;
use super::selection::Where;
use crate::clock::Timestamp;
use crate::error::{Cause, Refusal};
use crate::hash::{self, RandomState, spread};
use crate::rowset::Row;
use crate::storage::{AnyVersion, Change, Draft, RawChange, SharedVersion, Table};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use memdex_query::value::Key;
use smallvec::{SmallVec, smallvec};
use std::collections::HashMap;

/// The net changes of a batch, in the order in which it touched their keys, and the net change of each operation.
pub(super) struct Resolution {
    /// The time of the commit.
    pub(super) time: Timestamp,
    pub(super) nets: SmallVec<[Net; 1]>,
    pub(super) net_of: SmallVec<[usize; 1]>,
    /// The net changes of the two keys of each operation that changes a key.
    pub(super) rekeys: HashMap<usize, [usize; 2]>,
    /// The states before those of the net changes, for keys that several operations have changed.
    pub(super) steps: Vec<Step>,
    /// The net changes of each operation by filter.
    pub(super) by_filter: Vec<(usize, Vec<usize>)>,
    /// The net changes of each operation on the first records in an order, in that order.
    in_order: Vec<(usize, Vec<usize>)>,
    /// Net changes that change nothing, with their numbers, while they are set aside.
    idle: Vec<(usize, Net)>,
    /// Records that closures made, which are not in use.
    pub(super) superseded: Vec<State>,
    /// A record could not be restored, because user code does not return the same twice.
    pub(super) broken: Option<Refusal>,
    /// The records of a fork's base that the batch has met.
    pub(super) phantoms: Phantoms,
}

/// The net change of each row that the batch has touched.
pub(super) struct Rows(HashMap<Row, usize, RandomState>);

impl Rows {
    pub(super) fn new() -> Self {
        Rows(HashMap::with_hasher(hash::random()))
    }

    pub(super) fn insert(&mut self, row: Row, number: usize) {
        self.0.insert(row, number);
    }

    pub(super) fn find(&self, row: Row) -> Option<usize> {
        self.0.get(&row).copied()
    }

    /// The net change of a row; `next`, which is then noted, if it has none.
    fn number(&mut self, row: Row, next: usize) -> usize {
        *self.0.entry(row).or_insert(next)
    }
}

/// Where a record is that a filter selects: among the net changes, or among the committed records.
#[derive(Clone, Copy)]
enum Place {
    Changed(usize),
    Committed(usize),
}

/// The net change of each key that the batch has touched.
struct Keys(HashTable<Known>);

#[derive(Clone, Copy)]
struct Known {
    hash: u32,
    /// The first operation on the key, and which of its keys it is.
    first: (usize, Named),
    number: usize,
}

impl Keys {
    fn with_capacity(keys: usize) -> Self {
        Keys(HashTable::with_capacity(keys))
    }

    /// The net change of a key; a new key gets `next`, and `at` as its first operation. `is_same` compares it with
    /// a key of an earlier operation.
    fn number(
        &mut self,
        hash: u32,
        at: (usize, Named),
        next: usize,
        is_same: &dyn Fn((usize, Named)) -> bool,
    ) -> usize {
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

impl Resolution {
    fn new(time: Timestamp, nets: SmallVec<[Net; 1]>, net_of: SmallVec<[usize; 1]>) -> Self {
        let (steps, by_filter, in_order) = (Vec::new(), Vec::new(), Vec::new());
        Resolution {
            time,
            nets,
            net_of,
            rekeys: HashMap::new(),
            steps,
            by_filter,
            in_order,
            idle: Vec::new(),
            superseded: Vec::new(),
            broken: None,
            phantoms: Phantoms::default(),
        }
    }

    /// Applies the operations to the states, in their order. A refused operation has no effect.
    pub(super) fn resolve(&mut self, table: &Table, operations: &[Operation], attribution: &mut Attribution) -> Counts {
        let mut counts = Counts::default();
        let mut rows = None;
        for at in 0..operations.len() {
            match self.resolve_one(table, operations, at, &mut rows) {
                Ok(outcome) => {
                    counts.add(outcome);
                    attribution.did(at, outcome);
                }
                Err(refusal) => {
                    attribution.refuse(at, refusal);
                    if at == 0 && !attribution.is_lenient() {
                        break; // No other can be at fault before it.
                    }
                }
            }
        }
        counts
    }

    /// Applies one operation. `rows` are those of the net changes, if they are known.
    #[inline]
    pub(super) fn resolve_one(
        &mut self,
        table: &Table,
        operations: &[Operation],
        at: usize,
        rows: &mut Option<Rows>,
    ) -> Result<Outcome, Refusal> {
        match &operations[at].target {
            Target::Key { .. } => self.resolve_on_key(table, operations, at),
            Target::Rekey(_) => self.resolve_rekey(table, operations, at),
            Target::Where(condition) => self.resolve_where(table, operations, at, condition, rows),
        }
    }

    /// Gives the operations other numbers: `to` has the new one of each.
    pub(super) fn renumber(&mut self, to: &[u32]) {
        let new = |at: usize| to[at] as usize;
        self.nets.iter_mut().for_each(|net| net.renumber(to));
        for step in &mut self.steps {
            step.last = to[step.last as usize];
            step.state.renumber(to);
        }
        let mut net_of = self.net_of.clone();
        self.net_of.iter().enumerate().for_each(|(at, net)| net_of[new(at)] = *net);
        self.net_of = net_of;
        self.rekeys = self.rekeys.drain().map(|(at, nets)| (new(at), nets)).collect();
        self.by_filter.iter_mut().chain(&mut self.in_order).for_each(|(at, _)| *at = new(*at));
    }

    #[inline]
    fn resolve_on_key(&mut self, table: &Table, operations: &[Operation], at: usize) -> Result<Outcome, Refusal> {
        let number = self.net_of[at];
        if let Some(folded) = self.fold(table, operations, at, number) {
            return folded.map(|()| Outcome::Updated).map_err(|cause| operations[at].refusal(table, cause));
        }
        let effect = self.effect_on_key(table, operations, at, number);
        let effect = effect.map_err(|cause| operations[at].refusal(table, cause))?;
        let outcome = Outcome::from(&effect);
        self.put(number, at, effect);
        Ok(outcome)
    }

    /// The effect of an operation on the key of a net change.
    #[inline]
    pub(super) fn effect_on_key(
        &self,
        table: &Table,
        operations: &[Operation],
        at: usize,
        number: usize,
    ) -> Result<Effect, Cause> {
        let (net, operation) = (&self.nets[number], &operations[at]);
        operation.check_lifetime(self.time)?;
        operation.effect(table, net.key(operations).0, net.present(operations), net.found())
    }

    fn resolve_rekey(&mut self, table: &Table, operations: &[Operation], at: usize) -> Result<Outcome, Refusal> {
        let [old, new] = self.rekeys[&at];
        let (of_old, is_taken) = (&self.nets[old], self.nets[new].present(operations).is_some());
        let record = operations[at].rekeyed(table, of_old.present(operations), of_old.found(), is_taken)?;
        self.put(old, at, Effect::Deleted);
        self.put(new, at, Effect::Updated(record));
        Ok(Outcome::Updated)
    }

    /// Applies an operation by filter: the filter sees the records that the batch has changed as it left them, and all others as
    /// they are committed. No state changes before the effects on all of them are known.
    fn resolve_where(
        &mut self,
        table: &Table,
        operations: &[Operation],
        at: usize,
        condition: &Where,
        rows: &mut Option<Rows>,
    ) -> Result<Outcome, Refusal> {
        let operation = &operations[at];
        operation.check(None).map_err(|cause| operation.refusal(table, cause))?;
        let selected = self.select(table, operations, at, condition, rows)?;
        let mut effects = Vec::with_capacity(selected.len());
        for number in &selected {
            let net = &self.nets[*number];
            let key = net.key(operations).0;
            match operation.effect(table, key, net.present(operations), net.found()) {
                Ok(effect) => effects.push(effect),
                Err(cause) => {
                    let refusal = operation.refusal_at(table, Some(key), cause);
                    self.discard(effects);
                    return Err(refusal);
                }
            }
        }
        for (number, effect) in selected.iter().zip(effects) {
            self.put(*number, at, effect);
        }
        let outcome = operation.outcome_where(selected.len());
        if condition.ranking.is_some() {
            self.in_order.push((at, selected.clone()));
        }
        self.by_filter.push((at, selected));
        Ok(outcome)
    }

    /// The net changes of the records that a filter selects; new ones are added.
    fn select(
        &mut self,
        table: &Table,
        operations: &[Operation],
        at: usize,
        condition: &Where,
        rows: &mut Option<Rows>,
    ) -> Result<Vec<usize>, Refusal> {
        if condition.first() == 0 {
            return Ok(Vec::new());
        }
        let operation = &operations[at];
        let (mut changed, mut replaced) = (Vec::new(), 0);
        for (number, net) in self.nets.iter().enumerate() {
            if matches!(net.state, State::Unchanged) {
                continue;
            }
            replaced += usize::from(net.begin().is_some());
            let Some(record) = net.present(operations) else { continue };
            let holds = condition.holds(record);
            if holds.map_err(|cause| operation.refusal_at(table, Some(net.key(operations).0), cause))? {
                changed.push((Place::Changed(number), record, net.key(operations).0));
            }
        }
        let rows = rows.get_or_insert_with(|| {
            let mut rows = Rows::new();
            let with_row = |(number, net): (usize, &Net)| Some((net.old.as_ref()?.row, number));
            self.nets.iter().enumerate().filter_map(with_row).for_each(|(row, number)| rows.insert(row, number));
            rows
        });
        // As many of the committed records as the batch has changed may not be there any more.
        let mut committed = condition.evaluate(replaced).map_err(|cause| operation.refusal(table, cause))?;
        self.phantoms.locate(table, &mut committed);
        let is_changed =
            |row| rows.find(row).is_some_and(|number| !matches!(self.nets[number].state, State::Unchanged));
        let is_merged = !changed.is_empty();
        let unchanged = committed.iter().enumerate().filter(|(_, old)| !is_changed(old.row));
        let mut selected = changed;
        selected.extend(
            unchanged.filter(|(_, old)| !old.is_tombstone()).map(|(at, old)| (Place::Committed(at), &**old, &old.key)),
        );
        if let Some(ranking) = condition.ranking.as_ref().filter(|_| is_merged) {
            let sorted = Where::sort(ranking, &mut selected);
            sorted.map_err(|cause| operation.refusal(table, cause))?;
        }
        selected.truncate(condition.first());
        let selected: Vec<Place> = selected.into_iter().map(|(place, ..)| place).collect();
        let selected = selected.into_iter().map(|place| match place {
            Place::Changed(number) => number,
            Place::Committed(at_committed) => {
                let old = &committed[at_committed];
                let number = rows.number(old.row, self.nets.len());
                if number == self.nets.len() {
                    let net = Net::new(at, Named::First, Some(old.clone()), self.time);
                    self.nets.push(net.under(self.phantoms.place(old.row)));
                }
                number
            }
        });
        Ok(selected.collect())
    }

    /// Replaces the state of a key by the effect of an operation.
    #[inline]
    pub(super) fn put(&mut self, number: usize, at: usize, effect: Effect) {
        let (state, deletes) = match effect {
            Effect::Inserted | Effect::Replaced => (State::Brought(at), false),
            Effect::Updated(record) => (State::Computed(record), false),
            Effect::Deleted => (State::Gone, true),
            Effect::Missing => return,
        };
        let net = &mut self.nets[number];
        let is_first = net.maker().is_none();
        let before = std::mem::replace(&mut net.state, state);
        if !is_first {
            let step = self.steps.len() as u32;
            self.steps.push(Step { state: before, last: net.last, step: net.step, deleted: net.deleted });
            net.step = step;
        }
        net.last = at as u32;
        net.deleted |= deletes;
    }

    /// Undoes the last [`put`](Self::put) on a key.
    pub(super) fn undo(&mut self, number: usize) {
        let net = &mut self.nets[number];
        let undone = match self.steps.get_mut(net.step as usize) {
            Some(Step { state, last, step, deleted }) => {
                (net.last, net.step, net.deleted) = (*last, *step, *deleted);
                let before = std::mem::replace(state, State::Unchanged);
                std::mem::replace(&mut net.state, before)
            }
            None => {
                let base = net.base();
                net.deleted = net.expired;
                std::mem::replace(&mut net.state, base)
            }
        };
        self.superseded.extend(matches!(undone, State::Computed(_)).then_some(undone));
    }

    /// Keeps records that closures made, to be dropped later.
    pub(super) fn discard(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.superseded.extend(effects.into_iter().filter_map(State::of_computed));
    }

    /// The operations that have made the states of a key and the record that each has left, from the last one to the first.
    pub(super) fn states<'a>(
        &'a self,
        number: usize,
        operations: &'a [Operation],
    ) -> impl Iterator<Item = (u32, Option<&'a dyn AnyVersion>)> {
        self.steps_of(&self.nets[number]).map(|(last, state)| (last, state.record(operations)))
    }

    /// The states that operations have made of a key, from the last one to the first, each with its operation.
    pub(super) fn steps_of<'a>(&'a self, net: &'a Net) -> impl Iterator<Item = (u32, &'a State)> {
        let mut next = net.maker().map(|last| (last, &net.state, net.step));
        std::iter::from_fn(move || {
            let (last, state, step) = next?;
            next = self.steps.get(step as usize).map(|before| (before.last, &before.state, before.step));
            Some((last, state))
        })
    }

    /// The net change of a key. O(net changes).
    pub(super) fn net_of_key(&self, key: &Key, operations: &[Operation]) -> Option<&Net> {
        let idle = self.idle.iter().map(|(_, net)| net);
        self.nets.iter().chain(idle).find(|net| net.key(operations).0 == key)
    }

    /// Takes the expired record of a row out of the collection, as a separate net change.
    pub(super) fn expire(&mut self, old: SharedVersion) {
        let net = Net::new(0, Named::First, Some(old), self.time);
        debug_assert!(net.expired);
        self.nets.push(net);
    }

    /// Takes a victim out of the collection, as a separate net change.
    pub(super) fn evict(&mut self, old: SharedVersion) {
        let mut net = Net::new(0, Named::First, Some(old), self.time);
        (net.evicted, net.state) = (!net.expired, State::Gone);
        self.nets.push(net);
    }

    /// The operation since which the record of a key has a property that it has now.
    pub(super) fn since(&self, number: usize, operations: &[Operation], has: impl Fn(&dyn AnyVersion) -> bool) -> u32 {
        let mut states = self.states(number, operations);
        let last = states.next().map_or(0, |(last, _)| last);
        let earlier = states.take_while(|(_, record)| record.is_some_and(&has));
        earlier.last().map_or(last, |(since, _)| since)
    }

    /// Sets net changes aside that change nothing. Returns whether there are any.
    pub(super) fn set_idle_aside(&mut self) -> bool {
        debug_assert!(self.idle.is_empty());
        if self.nets.iter().all(Net::changes_something) {
            return false;
        }
        for (number, net) in std::mem::take(&mut self.nets).into_iter().enumerate() {
            match net.changes_something() {
                true => self.nets.push(net),
                false => self.idle.push((number, net)),
            }
        }
        true
    }

    /// The keys whose records the batch has made and taken away again, each with the operation that did that, while these net changes are
    /// set aside.
    pub(super) fn taken_back<'a>(&'a self, operations: &'a [Operation]) -> impl Iterator<Item = (&'a Key, usize)> {
        let taken = self.idle.iter().filter(|(_, net)| matches!(net.state, State::Gone));
        taken.filter_map(|(_, net)| Some((net.key(operations).0, net.maker()? as usize)))
    }

    /// Undoes [`set_idle_aside`](Self::set_idle_aside). Changes these numbers of net changes.
    pub(super) fn take_idle_back(&mut self, numbers: &mut [usize]) {
        if self.idle.is_empty() {
            return;
        }
        let mut rest = std::mem::take(&mut self.nets).into_iter();
        let mut moved = Vec::with_capacity(rest.len());
        for (number, idle) in std::mem::take(&mut self.idle) {
            while self.nets.len() < number {
                let Some(net) = rest.next() else { break };
                moved.push(self.nets.len());
                self.nets.push(net);
            }
            self.nets.push(idle);
        }
        for net in rest {
            moved.push(self.nets.len());
            self.nets.push(net);
        }
        numbers.iter_mut().for_each(|number| *number = moved[*number]);
    }

    /// The net changes of the operations that return them, while `changes` are the others than the idle ones, in their order.
    pub(super) fn returned(&self, operations: &[Operation], changes: &[Change]) -> AllReturned {
        let change = |number: &usize| match self.idle.binary_search_by_key(number, |(idle, _)| *idle) {
            Ok(at) => RawChange::idle(self.idle[at].1.key(operations).0.clone()),
            Err(idle_before) => RawChange::of(&changes[number - idle_before]),
        };
        let returned = self.by_filter.iter().filter_map(|(at, numbers)| {
            let to = operations[*at].returned()?;
            let ordered = self.in_order.binary_search_by_key(at, |(of, _)| *of);
            let numbers = ordered.map_or(numbers, |place| &self.in_order[place].1);
            Some((to.clone(), numbers.iter().map(change).collect()))
        });
        returned.collect()
    }

    /// The records that closures made and that are not in use, or all with `in_use`.
    pub(super) fn take_superseded(&mut self, in_use: bool) -> Vec<State> {
        let mut all = std::mem::take(&mut self.superseded);
        all.extend(std::mem::take(&mut self.steps).into_iter().map(|step| step.state));
        if in_use {
            let idle = std::mem::take(&mut self.idle).into_iter().map(|(_, net)| net);
            all.extend(std::mem::take(&mut self.nets).into_iter().chain(idle).map(|net| net.state));
        }
        all.retain(|state| matches!(state, State::Computed(_)));
        all
    }

    /// Adds a record that a closure made and that is not in use.
    pub(super) fn supersede(&mut self, record: Draft) {
        self.superseded.push(State::Computed(record));
    }
}

/// Instead of the net change of an operation that has none or two: by filter, or of two keys.
pub(super) const NO_NET: usize = usize::MAX;

/// Makes one unchanged net change per key.
pub(super) fn look_up(table: &Table, operations: &[Operation], time: Timestamp) -> Resolution {
    let mut phantoms = Phantoms::default();
    let mut new = |(at, which): (usize, Named), key: &Key, hash: u32, old: Option<SharedVersion>| {
        if let (None, Some(base)) = (&old, &table.base)
            && let Some(found) = base.of_key(hash, key.bytes())
        {
            let place = Some(found.0);
            return Net::new(at, which, Some(phantoms.of(found)), time).under(place);
        }
        Net::new(at, which, old, time)
    };
    if let [Operation { target: Target::Key { key, hash }, .. }] = operations {
        let nets = smallvec![new((0, Named::First), key, *hash, table.keys.newest(*hash, key.bytes()))];
        return Resolution { phantoms, ..Resolution::new(time, nets, smallvec![0]) };
    }
    let mut keys = Keys::with_capacity(operations.len());
    let mut first: Vec<(usize, Named)> = Vec::with_capacity(operations.len());
    let mut rekeys = HashMap::new();
    let named = |(at, which): (usize, Named)| operations[at].named(which);
    let mut number_of = |at: usize, which: Named, key: &Key, hash: u32| {
        let is_same = |of| named(of).is_some_and(|(of, _)| of == key);
        let number = keys.number(hash, (at, which), first.len(), &is_same);
        if number == first.len() {
            first.push((at, which));
        }
        number
    };
    let net_of = operations.iter().enumerate().map(|(at, operation)| match &operation.target {
        Target::Key { key, hash } => number_of(at, Named::First, key, *hash),
        Target::Rekey(keys) => {
            let [(old, of_old), (new, of_new)] = &**keys;
            let old = number_of(at, Named::First, old, *of_old);
            rekeys.insert(at, [old, number_of(at, Named::Second, new, *of_new)]);
            NO_NET
        }
        Target::Where(_) => NO_NET,
    });
    let net_of = net_of.collect();
    let wanted: Vec<(u32, &[u8])> =
        first.iter().filter_map(|of| named(*of)).map(|(key, hash)| (hash, key.bytes())).collect();
    let olds = table.keys.newest_of_each(&wanted);
    let nets = first.into_iter().zip(olds).filter_map(|(of, old)| {
        let (key, hash) = named(of)?;
        Some(new(of, key, hash, old))
    });
    let nets = nets.collect();
    Resolution { rekeys, phantoms, ..Resolution::new(time, nets, net_of) }
}
