//! Which operations of a batch are at fault, and what is left of a lenient commit without them.
//!
//! An operation is at fault if it made a record that can't be indexed, or gave a record a unique value that another record keeps or
//! has got from an earlier operation. All of that is judged by the net state of the operations that are kept, so records can
//! swap their values. A lenient commit leaves out the first operation at fault, with the others at fault for the same record, and
//! repeats until none is at fault. Then an operation that has lost a unique value returns, once, if all unique values of its
//! record are free and no later operation on its key is kept.
//!
//! Nothing is staged again for that. Each record keeps the states that the operations have left, so an operation is undone by
//! dropping the states from its own on; the later operations on the record are replayed. Then only the records are judged again that
//! take a value which another has back ([`Claims`]). A chain of n operations costs O(n log n). A closure runs at most twice on a
//! record: in the first pass, and in one replay.

use super::attribution::Attribution;
use super::claims::{Blocker, Claim, Claims, Presence};
use super::net::check;
use super::operation::{Operation, Target};
use super::outcome::Outcome;
use super::receipt::Counts;
use super::resolve::{NO_NET, Resolution};
use crate::error::{Cause, Refusal};
use crate::hash::{self, RandomState};
use crate::storage::{Table, TableWriter};
use memdex_query::value::{Key, Value};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) struct Judge<'s> {
    pub(super) table: &'s Table,
    writer: &'s TableWriter,
    pub(super) operations: &'s [Operation],
    pub(super) resolution: &'s mut Resolution,
    pub(super) attribution: &'s mut Attribution,
    /// The structures with a constraint, by their places.
    constraints: Vec<usize>,
    claims: Claims,
    /// Records that can't be indexed, by net change: the operation since which that is so, and the cause.
    spoilt: HashMap<u32, (u32, Cause)>,
    /// The unique values of states of records that several operations have changed, by net change and operation.
    known: HashMap<(u32, u32), Values, RandomState>,
    /// The operations on each key that are not left out: net change and operation. One of two keys is there twice.
    pub(super) on_key: BTreeSet<(u32, u32)>,
    /// The operations by filter that are not left out, and the net changes of the records that each has changed.
    pub(super) by_filter: BTreeMap<u32, BTreeSet<u32>>,
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// Records to be judged, each with the first operation that may be at fault.
    suspects: BTreeSet<(u32, u32)>,
    /// Records on which the operations from this one on must be replayed.
    pub(super) unfinished: BTreeSet<(u32, u32)>,
    /// Operations left out that may return, and the values that they need.
    needed: HashMap<u32, SmallVec<[u32; 2]>>,
    /// Those of them to look at.
    candidates: BTreeSet<u32>,
    /// The others, by net change.
    waiting: HashMap<u32, Vec<u32>>,
}

/// The unique values of a record: the number of the constraint, the value, and the operation that gave it to the record.
type Values = SmallVec<[(usize, Value, u32); 2]>;

/// What a batch leaves of a record.
enum Content {
    Unchanged,
    Deleted,
    /// A record that can't be indexed, since this operation.
    Spoilt(u32, Cause),
    Record(Values),
}

/// Why a record is refused.
enum Fault {
    Spoilt,
    Taken { constraint: usize, slot: u32, other: Key },
}

impl<'s> Judge<'s> {
    /// `spoilt` are the net changes whose records can't be indexed, with the causes.
    pub(super) fn new(
        table: &'s Table,
        writer: &'s TableWriter,
        operations: &'s [Operation],
        resolution: &'s mut Resolution,
        attribution: &'s mut Attribution,
        strict: impl FnOnce(Claims, &Resolution) -> Claims,
        spoilt: Vec<(usize, Cause)>,
    ) -> Self {
        let constraints = table.constraints(writer);
        let rows = resolution.nets.iter().map(|net| {
            let old = net.begin().and(net.old.as_ref()).filter(|_| !net.expired);
            old.map(|old| old.row)
        });
        let claims = strict(Claims::new(constraints.len(), rows), resolution);
        let is_by_filter = |at: &usize| matches!(operations[*at].target, Target::Where(_));
        // An operation by filter or of two keys that was refused is not judged again.
        let refused: Vec<usize> = attribution.refused().filter(|at| resolution.net_of[*at] == NO_NET).collect();
        refused.into_iter().for_each(|at| attribution.keep_out(at));
        let kept = |at: &usize| !attribution.is_left_out(*at);
        let on_key = (0..operations.len()).filter(kept).filter(|at| resolution.net_of[*at] != NO_NET);
        let on_key = on_key.map(|at| (resolution.net_of[at] as u32, at as u32));
        let of_rekeys = resolution.rekeys.iter().filter(|(at, _)| kept(at));
        let of_rekeys = of_rekeys.flat_map(|(at, nets)| nets.map(|net| (net as u32, *at as u32)));
        let on_key = on_key.chain(of_rekeys).collect();
        let mut by_filter: BTreeMap<u32, BTreeSet<u32>> =
            (0..operations.len()).filter(kept).filter(is_by_filter).map(|at| (at as u32, BTreeSet::new())).collect();
        for (at, nets) in resolution.by_filter.drain(..) {
            by_filter.entry(at as u32).or_default().extend(nets.into_iter().map(|net| net as u32));
        }
        let outcomes = attribution.take_outcomes(operations.len());
        let nets = resolution.nets.len() as u32;
        let mut judge = Judge {
            table,
            writer,
            operations,
            resolution,
            attribution,
            constraints,
            claims,
            spoilt: HashMap::new(),
            known: HashMap::with_hasher(hash::random()),
            on_key,
            by_filter,
            outcomes,
            suspects: BTreeSet::new(),
            unfinished: BTreeSet::new(),
            needed: HashMap::new(),
            candidates: BTreeSet::new(),
            waiting: HashMap::new(),
        };
        let mut causes: HashMap<u32, Cause> = HashMap::with_capacity(spoilt.len());
        // The first cause counts.
        spoilt.into_iter().rev().for_each(|(net, cause)| drop(causes.insert(net as u32, cause)));
        for net in 0..nets {
            let content = judge.read(net, causes.remove(&net));
            judge.note(net, content);
        }
        judge
    }

    /// The first operation at fault and its refusal.
    pub(super) fn first_at_fault(&mut self) -> Option<(usize, Refusal)> {
        let nets = 0..self.resolution.nets.len() as u32;
        let faults = nets.flat_map(|net| self.faults(net).into_iter().map(move |(at, fault)| (at, net, fault)));
        let (at, net, fault) = faults.min_by_key(|(at, ..)| *at)?;
        Some((at as usize, self.refusal(at, net, fault)?))
    }

    /// Leaves out operations until none is at fault. With `may_return` set, operations may return. Returns whether it has left out any.
    pub(super) fn run(&mut self, may_return: bool) -> bool {
        let mut changed = false;
        loop {
            self.replay();
            if self.leave_first_out(may_return) {
                changed = true;
            } else if !self.return_one() {
                return changed;
            }
        }
    }

    /// The operations that made these records, and refusals of them. For user code that does not return the same twice.
    pub(super) fn makers<'n>(&self, nets: impl IntoIterator<Item = &'n usize>) -> Vec<(usize, Refusal)> {
        let refused = |net: &usize| {
            let (of, message) = (&self.resolution.nets[*net], "it returns different values".to_owned());
            let at = of.maker()? as usize;
            let cause = Cause::Panicked { what: "field extractor", message };
            Some((at, of.refusal(self.table, self.operations, at, cause)))
        };
        nets.into_iter().filter_map(refused).collect()
    }

    /// Leaves out the operations that made these records.
    pub(super) fn leave_makers_out<'n>(&mut self, nets: impl IntoIterator<Item = &'n usize>) {
        let mut makers = self.makers(nets);
        makers.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        makers.into_iter().for_each(|(at, refusal)| self.leave_out(at as u32, refusal, false));
        self.replay();
    }

    /// Ends the judgement: passes on what is left.
    pub(super) fn finish(self) -> Counts {
        let Judge { resolution, attribution, by_filter, mut outcomes, operations, .. } = self;
        for (at, nets) in by_filter {
            outcomes[at as usize] = Some(operations[at as usize].outcome_where(nets.len()));
            resolution.by_filter.push((at as usize, nets.into_iter().map(|net| net as usize).collect()));
        }
        let mut counts = Counts::default();
        outcomes.iter().flatten().for_each(|outcome| counts.add(*outcome));
        attribution.set_outcomes(outcomes);
        counts
    }

    // ---- faults ---------------------------------------------------------------------------------------------------

    /// Reads the state of a record: which unique values it has, and since which operation. `spoilt` says why it can't be indexed.
    fn read(&mut self, net: u32, spoilt: Option<Cause>) -> Content {
        let Judge { table, operations, resolution, .. } = self;
        match resolution.states(net as usize, operations).next() {
            None if resolution.nets[net as usize].expired => return Content::Deleted,
            None => return Content::Unchanged,
            Some((_, None)) => return Content::Deleted,
            Some((_, Some(_))) => {}
        }
        if let Some(cause) = spoilt {
            let since = resolution.since(net as usize, operations, |earlier| check(table, earlier).is_err());
            return Content::Spoilt(since, cause);
        }
        Content::Record(self.values(net))
    }

    /// The unique values of a record. For each of its states they are read once.
    fn values(&mut self, net: u32) -> Values {
        let Judge { table, writer, operations, resolution, constraints, known, .. } = self;
        let (mut below, mut unknown) = (Values::new(), SmallVec::<[_; 1]>::new());
        for (at, record) in resolution.states(net as usize, operations) {
            if let Some(values) = known.get(&(net, at)) {
                below = values.clone();
                break;
            }
            unknown.push((at, record));
        }
        let has_states_below = unknown.len() > 1 || !below.is_empty();
        for (at, record) in unknown.into_iter().rev() {
            let value = |(number, place): (usize, &usize)| {
                let value = table.unique_value(writer, *place, record?).ok().flatten()?;
                let same = below.iter().find(|(of, earlier, _)| (*of, earlier) == (number, &value));
                let since = same.map_or(at, |(.., since)| *since);
                Some((number, value, since))
            };
            below = constraints.iter().enumerate().filter_map(value).collect();
            if has_states_below {
                known.insert((net, at), below.clone());
            }
        }
        below
    }

    /// Looks at a record after a replay.
    pub(super) fn look_at(&mut self, net: u32) {
        let made = self.resolution.states(net as usize, self.operations).next().and_then(|(_, record)| record);
        let spoilt = made.and_then(|record| check(self.table, record).err());
        let content = self.read(net, spoilt);
        self.note(net, content);
    }

    /// Notes the state of a record, and which others it concerns.
    fn note(&mut self, net: u32, content: Content) {
        self.spoilt.remove(&net);
        let mut claims: SmallVec<[Claim; 2]> = SmallVec::from_elem(Claim::NONE, self.constraints.len());
        let presence = match content {
            Content::Unchanged => Presence::Unchanged,
            Content::Deleted => Presence::TakesNothing,
            Content::Spoilt(since, cause) => {
                self.suspects.insert((since, net));
                self.spoilt.insert(net, (since, cause));
                Presence::TakesNothing
            }
            Content::Record(values) => {
                self.suspects.extend(values.iter().map(|(.., since)| *since).min().map(|since| (since, net)));
                for (number, value, since) in values {
                    claims[number] = Claim { slot: self.slot(number, value), since };
                }
                Presence::Changed
            }
        };
        let effects = self.claims.set(net, presence, &claims);
        self.suspects.extend(effects.contested);
        self.candidates.extend(effects.awaited);
    }

    fn slot(&mut self, number: usize, value: Value) -> u32 {
        let (table, writer, at) = (self.table, self.writer, self.constraints[number]);
        let Resolution { time, phantoms, .. } = &mut *self.resolution;
        let time = *time;
        self.claims.slot(number, value, |value| {
            let Some(holder) = table.unique_holder(writer, at, value.as_ref()) else {
                let found = table.base.as_ref()?.holder(&table.constraint(writer, at)?.shape, value.as_ref())?;
                return Some(phantoms.of(found).row);
            };
            let expired = table.expired_at(holder, time);
            let holds = expired.is_none();
            table.counters.drop_each(expired);
            holds.then_some(holder)
        })
    }

    /// The operations at fault for the state of a record.
    fn faults(&self, net: u32) -> SmallVec<[(u32, Fault); 1]> {
        let mut faults = SmallVec::new();
        if let Some((at, _)) = self.spoilt.get(&net) {
            faults.push((*at, Fault::Spoilt));
            return faults;
        }
        if self.claims.presence(net) != Presence::Changed {
            return faults;
        }
        for (number, claim) in self.claims.of(net).iter().enumerate() {
            let other = match self.claims.blocker(net, *claim) {
                None => continue,
                Some(Blocker::Net(other)) => self.key(other).clone(),
                Some(Blocker::Row(row)) => match self.resolution.phantoms.key(row) {
                    Some(key) => key.clone(),
                    None => self.table.pages.newest(row).map_or_else(Key::none, |version| version.key.clone()),
                },
            };
            faults.push((claim.since, Fault::Taken { constraint: self.constraints[number], slot: claim.slot, other }));
        }
        faults
    }

    fn key(&self, net: u32) -> &Key {
        self.resolution.nets[net as usize].key(self.operations).0
    }

    /// The refusal for a fault, once.
    fn refusal(&mut self, at: u32, net: u32, fault: Fault) -> Option<Refusal> {
        let constraint = match &fault {
            Fault::Spoilt => None,
            Fault::Taken { constraint, .. } => self.table.constraint_name(self.writer, *constraint),
        };
        let cause = match fault {
            Fault::Spoilt => self.spoilt.remove(&net)?.1,
            Fault::Taken { constraint, slot, other } => {
                let value = self.claims.value(slot);
                self.table.clash_cause(self.writer, constraint, value, self.key(net).clone(), other)
            }
        };
        let refusal = self.resolution.nets[net as usize].refusal(self.table, self.operations, at as usize, cause);
        Some(if let Some(name) = constraint { refusal.violating(name) } else { refusal })
    }

    // ---- leaving out and returning --------------------------------------------------------------------------------

    /// Leaves out the first operation at fault, with all others at fault for the same record, so that the operations after them
    /// are replayed once.
    fn leave_first_out(&mut self, may_return: bool) -> bool {
        let mut first = None;
        let mut refused: Vec<(u32, Refusal, bool)> = Vec::new();
        while let Some((suspected, net)) = self.suspects.pop_first() {
            if first.is_some_and(|first| suspected > first) {
                self.suspects.insert((suspected, net));
                break;
            }
            let faults = self.faults(net);
            let Some(at) = faults.iter().map(|(at, _)| *at).min() else { continue };
            if at > suspected {
                self.suspects.insert((at, net));
                continue;
            }
            first = Some(at);
            for (at, fault) in faults {
                let taken = matches!(fault, Fault::Taken { .. });
                refused.extend(self.refusal(at, net, fault).map(|refusal| (at, refusal, taken)));
            }
        }
        // From the last one on, so that the state that each has made is still there.
        refused.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        let found = !refused.is_empty();
        refused.into_iter().for_each(|(at, refusal, taken)| self.leave_out(at, refusal, taken && may_return));
        found
    }

    /// Refuses an operation for good, and takes back its effect.
    pub(super) fn leave_out(&mut self, at: u32, refusal: Refusal, may_return: bool) {
        self.outcomes[at as usize] = None;
        if !self.attribution.leave_out(at as usize, refusal) {
            return;
        }
        let net = self.resolution.net_of[at as usize];
        if let Some(nets) = self.resolution.rekeys.get(&(at as usize)).copied() {
            for net in nets.map(|net| net as u32) {
                self.on_key.remove(&(net, at));
                self.undo_from(net, at);
                self.unfinished.insert((at + 1, net));
            }
            return;
        }
        if net == NO_NET {
            for net in self.by_filter.remove(&at).into_iter().flatten() {
                self.undo_from(net, at);
                self.unfinished.insert((at + 1, net));
            }
            return;
        }
        let net = net as u32;
        self.on_key.remove(&(net, at));
        if may_return && !self.attribution.has_returned(at) {
            let needed = self.values_made_by(at, net);
            if !needed.is_empty() {
                self.needed.insert(at, needed);
                self.candidates.insert(at);
            }
        }
        self.undo_from(net, at);
        self.unfinished.insert((at + 1, net));
    }

    /// The unique values of the record that an operation has made.
    fn values_made_by(&mut self, at: u32, net: u32) -> SmallVec<[u32; 2]> {
        let mut values: SmallVec<[_; 2]> = SmallVec::new();
        let made = self.resolution.states(net as usize, self.operations).find(|(by, _)| *by == at);
        let Some((_, Some(record))) = made else { return SmallVec::new() };
        for (number, place) in self.constraints.iter().enumerate() {
            if let Ok(Some(value)) = self.table.unique_value(self.writer, *place, record) {
                values.push((number, value));
            }
        }
        values.into_iter().map(|(number, value)| self.slot(number, value)).collect()
    }

    /// Takes away the states of a record that the operations from this one on have left.
    fn undo_from(&mut self, net: u32, from: u32) {
        while let Some(at) = self.resolution.nets[net as usize].maker().filter(|at| *at >= from) {
            if let Some(nets) = self.by_filter.get_mut(&at) {
                nets.remove(&net);
            }
            self.known.remove(&(net, at));
            self.resolution.undo(net as usize);
        }
        self.candidates.extend(self.waiting.remove(&net).into_iter().flatten());
    }

    /// Returns the first operation that may return.
    fn return_one(&mut self) -> bool {
        while let Some(at) = self.candidates.pop_first() {
            let Some(needed) = self.needed.get(&at) else { continue };
            let net = self.resolution.net_of[at as usize] as u32;
            let of = &self.resolution.nets[net as usize];
            let runs_closure = self.runs_closure(at, net);
            let is_last = of.maker().is_none_or(|maker| maker < at);
            if is_last && needed.iter().all(|slot| self.claims.is_free(net, *slot)) {
                self.needed.remove(&at);
                if self.attribution.may_judge_again(at, net, runs_closure) {
                    self.attribution.put_back(at);
                    self.on_key.insert((net, at));
                    self.unfinished.insert((at, net));
                    return true;
                }
                continue;
            }
            needed.iter().for_each(|slot| self.claims.wait(at, *slot));
            self.waiting.entry(net).or_default().push(at);
        }
        false
    }
}
