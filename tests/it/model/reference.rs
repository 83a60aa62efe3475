//! The reference: a `BTreeMap` a collection a commit, every commit kept. It decides what each write must do before the
//! store is asked, and writes it down as [`Attempt`]s for the comparison.

use super::flights::Flight;
use super::operations::{Fault, Op, Seen, Verb};
use super::payments::Payment;
use super::records::Subject;
use super::transitions::{self, AnyOp, End, How, Transition};
use memdex::{Commit, Counts, Outcome as Did};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records by key, each with the commit that wrote it.
pub(super) type Shelf<R> = BTreeMap<<R as Subject>::Id, (R, Commit)>;

/// The whole store as of one commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelves {
    pub payments: Shelf<Payment>,
    pub flights: Shelf<Flight>,
}

/// An operation in its place, with the commit that a conditional form names.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub position: usize,
    pub seen: Commit,
    pub op: AnyOp,
}

/// One refusal. A batch is resolved collection by collection, so of each the first operation at fault may be told.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub faults: Vec<(usize, Fault)>,
    pub mends: Vec<(usize, Mend)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Mend {
    Remove,
    /// To the key of this number.
    Rename(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Committed(Counts, Vec<(usize, Did)>),
    /// Nothing was left to commit.
    Empty,
    /// The operations were taken back, or lost with their writer.
    Gone,
}

/// One batch on its way: what is predicted for each key, the refusals with what is done about them, and how it ends.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub before: Commit,
    pub ops: Vec<Placed>,
    pub payments: Pendings<Payment>,
    pub flights: Pendings<Flight>,
    pub rounds: Vec<Round>,
    pub outcome: Outcome,
}

/// What a batch would make of each key; where it would be refused, at which position.
pub(super) type Pendings<R> = Vec<(<R as Subject>::Id, Result<Option<R>, usize>)>;

#[derive(Clone, Debug)]
pub(super) struct World {
    /// By number of the commit.
    pub history: Vec<Arc<Shelves>>,
    pub snapshots: Vec<Commit>,
    pub refusals: u64,
    pub lost_flushes: u64,
    pub steps: usize,
    /// What the last transition was to do.
    pub attempts: Vec<Attempt>,
}

fn step<R: Subject>(
    op: &Op<R>,
    seen: Commit,
    before: &Shelf<R>,
    now: &mut Shelf<R>,
    counts: &mut Counts,
    commit: Commit,
) -> Result<Did, Fault> {
    if op.is_by_predicate() {
        return step_where(op, now, counts, commit);
    }
    let id = op.id();
    let found = before.get(&id).map(|(_, begin)| *begin);
    if op.seen.is_some() && found != Some(seen) {
        return Err(Fault::Stale { seen, now: found });
    }
    let present = now.get(&id).map(|(record, _)| record.clone());
    let (counted, did, record) = match (op.verb, present) {
        (Verb::Insert, Some(_)) => return Err(Fault::KeyExists),
        (Verb::Update | Verb::TryUpdate, None) => return Err(Fault::KeyMissing),
        (Verb::Store, Some(_)) => (&mut counts.replaced, Did::Replaced, op.record.clone()),
        (Verb::Store | Verb::Insert | Verb::Upsert, None) => (&mut counts.inserted, Did::Created, op.record.clone()),
        (Verb::Update | Verb::TryUpdate | Verb::Upsert, Some(mut record)) => {
            if !op.change.apply(&mut record) && op.verb == Verb::TryUpdate {
                return Err(Fault::Closure);
            }
            if record.id() != id {
                return Err(Fault::KeyChanged);
            }
            (&mut counts.updated, Did::Updated, record)
        }
        (Verb::Delete, Some(_)) => {
            counts.deleted += 1;
            now.remove(&id);
            return Ok(Did::Deleted);
        }
        (Verb::Delete, None) => {
            counts.missing += 1;
            return Ok(Did::Missing);
        }
        (Verb::UpdateWhere | Verb::TryUpdateWhere | Verb::DeleteWhere, _) => unreachable!("not on a key"),
    };
    *counted += 1;
    now.insert(id, (record, commit));
    Ok(did)
}

/// One that is on all records that a predicate means.
fn step_where<R: Subject>(op: &Op<R>, now: &mut Shelf<R>, counts: &mut Counts, commit: Commit) -> Result<Did, Fault> {
    let mut met: Vec<R> = now.values().map(|(record, _)| record).filter(|r| op.tree.holds(*r)).cloned().collect();
    if op.verb == Verb::DeleteWhere {
        counts.deleted += met.len();
        met.iter().for_each(|record| drop(now.remove(&record.id())));
        return Ok(Did::DeletedWhere(met.len()));
    }
    for record in &mut met {
        let id = record.id();
        if !op.change.apply(record) && op.verb == Verb::TryUpdateWhere {
            return Err(Fault::Closure);
        }
        if record.id() != id {
            return Err(Fault::KeyChanged);
        }
    }
    counts.updated += met.len();
    let updated = Did::UpdatedWhere(met.len());
    met.into_iter().for_each(|record| drop(now.insert(record.id(), (record, commit))));
    Ok(updated)
}

impl Shelves {
    /// The state after these operations, or the first fault of each collection.
    fn after(&self, ops: &[Placed], commit: Commit) -> Result<(Shelves, Counts, Dids), Vec<(usize, Fault)>> {
        let (mut now, mut counts, mut dids) = (self.clone(), Counts::default(), Dids::new());
        let (mut payments, mut flights) = (None, None);
        for Placed { position, seen, op } in ops {
            match op {
                AnyOp::Payment(op) if payments.is_none() => {
                    let done = step(op, *seen, &self.payments, &mut now.payments, &mut counts, commit);
                    payments = done.map(|did| dids.push((*position, did))).err().map(|fault| (*position, fault));
                }
                AnyOp::Flight(op) if flights.is_none() => {
                    let done = step(op, *seen, &self.flights, &mut now.flights, &mut counts, commit);
                    flights = done.map(|did| dids.push((*position, did))).err().map(|fault| (*position, fault));
                }
                _ => {}
            }
        }
        let faults: Vec<_> = payments.into_iter().chain(flights).collect();
        if faults.is_empty() { Ok((now, counts, dids)) } else { Err(faults) }
    }
}

impl Shelves {
    /// The state after these operations, without those that are at fault.
    fn after_leniently(&self, ops: &[Placed], commit: Commit) -> (Shelves, Counts, Dids, Vec<(usize, Fault)>) {
        let (mut now, mut counts, mut dids, mut faults) = (self.clone(), Counts::default(), Dids::new(), Vec::new());
        for Placed { position, seen, op } in ops {
            let did = match op {
                AnyOp::Payment(op) => step(op, *seen, &self.payments, &mut now.payments, &mut counts, commit),
                AnyOp::Flight(op) => step(op, *seen, &self.flights, &mut now.flights, &mut counts, commit),
            };
            dids.push((*position, *did.as_ref().unwrap_or(&Did::Refused)));
            faults.extend(did.err().map(|fault| (*position, fault)));
        }
        (now, counts, dids, faults)
    }
}

/// What each operation did, with its position.
pub(super) type Dids = Vec<(usize, Did)>;

fn pendings<R: Subject>(before: &Shelf<R>, ops: &[(usize, Commit, &Op<R>)]) -> Pendings<R> {
    let of_id = |id: R::Id| {
        let mut now: Shelf<R> =
            before.iter().filter(|(of, _)| **of == id).map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut own = ops.iter().filter(|(_, _, op)| op.is_by_predicate() || op.id() == id);
        let fault = own.find(|(_, seen, op)| step(op, *seen, before, &mut now, &mut Counts::default(), 0).is_err());
        let pending = match fault {
            Some((position, _, _)) => Err(*position),
            None => Ok(now.remove(&id).map(|(record, _)| record)),
        };
        (id, pending)
    };
    R::ids().into_iter().map(of_id).collect()
}

fn commit_seen<R: Subject>(op: &Op<R>, shelf: &Shelf<R>) -> Commit {
    let begin = shelf.get(&op.id()).map_or(0, |(_, begin)| *begin);
    match op.seen {
        None | Some(Seen::Right) => begin,
        Some(Seen::Wrong(off)) => begin + 1 + off,
    }
}

impl Placed {
    fn rename(&mut self, number: usize) -> bool {
        fn rename<R: Subject>(op: &mut Op<R>, number: usize) -> bool {
            if op.brings_record() {
                op.record.set_id(R::ids()[number].clone());
            }
            op.brings_record()
        }
        match &mut self.op {
            AnyOp::Payment(op) => rename(op, number),
            AnyOp::Flight(op) => rename(op, number),
        }
    }
}

impl World {
    pub(super) fn newest(&self) -> Commit {
        self.history.len() as Commit - 1
    }

    pub(super) fn at(&self, commit: Commit) -> &Shelves {
        &self.history[commit as usize]
    }

    pub(super) fn pinned(&self) -> BTreeSet<Commit> {
        self.snapshots.iter().copied().collect()
    }

    fn write(&mut self, how: How, ops: &[AnyOp], rename: Option<usize>) {
        let (bulk, group, end) = match how {
            How::Batch | How::Closure | How::Reported => (usize::MAX, 1, End::Flushed),
            How::Lenient => return self.attempt_leniently(ops.to_vec()),
            How::LenientWriter { bulk } => {
                return ops.chunks(bulk).for_each(|full| self.attempt_leniently(full.to_vec()));
            }
            How::Single => (1, 1, End::Flushed),
            How::Writer { bulk, group, end } => (bulk, group, end),
        };
        let mut buffer = Vec::new();
        for unit in ops.chunks(group) {
            buffer.extend_from_slice(unit);
            if buffer.len() >= bulk {
                let full = std::mem::take(&mut buffer);
                self.attempt(full, rename, End::Flushed);
            }
        }
        if !buffer.is_empty() {
            self.attempt(buffer, rename, end);
        }
    }

    fn place(&self, ops: Vec<AnyOp>) -> Vec<Placed> {
        let shelves = self.at(self.newest());
        let seen = |op: &AnyOp| match op {
            AnyOp::Payment(op) => commit_seen(op, &shelves.payments),
            AnyOp::Flight(op) => commit_seen(op, &shelves.flights),
        };
        let place = |(position, op)| Placed { position, seen: seen(&op), op };
        ops.into_iter().enumerate().map(place).collect()
    }

    fn attempt_leniently(&mut self, ops: Vec<AnyOp>) {
        let (before, ops) = (self.newest(), self.place(ops));
        let (now, counts, dids, faults) = self.at(before).after_leniently(&ops, before + 1);
        let outcome = if faults.len() == ops.len() {
            Outcome::Empty
        } else {
            self.history.push(Arc::new(now));
            Outcome::Committed(counts, dids)
        };
        self.refusals += faults.len() as u64;
        let rounds = if faults.is_empty() { Vec::new() } else { vec![Round { faults, mends: Vec::new() }] };
        let (payments, flights) = Default::default();
        self.attempts.push(Attempt { before, ops, payments, flights, rounds, outcome });
    }

    fn attempt(&mut self, ops: Vec<AnyOp>, rename: Option<usize>, end: End) {
        let before = self.newest();
        let shelves = self.history[before as usize].clone();
        let mut left = self.place(ops);
        let ops = left.clone();
        let (mut of_payments, mut of_flights) = (Vec::new(), Vec::new());
        for Placed { position, seen, op } in &ops {
            match op {
                AnyOp::Payment(op) => of_payments.push((*position, *seen, op)),
                AnyOp::Flight(op) => of_flights.push((*position, *seen, op)),
            }
        }
        let (payments, flights) = (pendings(&shelves.payments, &of_payments), pendings(&shelves.flights, &of_flights));
        let (mut rounds, mut renamed): (Vec<Round>, BTreeSet<usize>) = Default::default();
        let outcome = loop {
            if end == End::TakenBack {
                break Outcome::Gone;
            }
            if left.is_empty() {
                break Outcome::Empty;
            }
            match shelves.after(&left, before + 1) {
                Ok((now, counts, dids)) => {
                    self.history.push(Arc::new(now));
                    break Outcome::Committed(counts, dids);
                }
                Err(_) if end == End::Dropped => {
                    self.refusals += 1;
                    self.lost_flushes += 1;
                    break Outcome::Gone;
                }
                Err(faults) => {
                    self.refusals += 1;
                    let mut mends = Vec::new();
                    for (position, _) in &faults {
                        let at = left.iter().position(|placed| placed.position == *position).unwrap();
                        match rename {
                            Some(number) if renamed.insert(*position) && left[at].rename(number) => {
                                mends.push((*position, Mend::Rename(number)));
                            }
                            _ => {
                                left.remove(at);
                                mends.push((*position, Mend::Remove));
                            }
                        }
                    }
                    rounds.push(Round { faults, mends });
                }
            }
        };
        self.attempts.push(Attempt { before, ops, payments, flights, rounds, outcome });
    }
}

impl ReferenceStateMachine for World {
    type State = World;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<World> {
        let history = vec![Arc::default()];
        Just(World { history, snapshots: Vec::new(), refusals: 0, lost_flushes: 0, steps: 0, attempts: Vec::new() })
            .boxed()
    }

    fn transitions(_: &World) -> BoxedStrategy<Transition> {
        transitions::transition()
    }

    fn apply(mut world: World, transition: &Transition) -> World {
        world.attempts.clear();
        world.steps += 1;
        let held = world.snapshots.len().max(1);
        match transition {
            Transition::Write { how, ops, rename } => world.write(*how, ops, *rename),
            Transition::Snapshot => world.snapshots.push(world.newest()),
            Transition::CloneSnapshot(of) => world.snapshots.extend(world.snapshots.get(of % held).copied()),
            Transition::DropSnapshot(at) if !world.snapshots.is_empty() => {
                world.snapshots.remove(at % held);
            }
            Transition::DropAllSnapshots => world.snapshots.clear(),
            _ => {}
        }
        world
    }
}
