//! The reference: one `BTreeMap` for each collection and commit; all commits are retained. It predicts the outcome of
//! each write before the store executes it, and records it as [`Attempt`]s for the comparison.

use super::aggregates::ModelAggregate;
use super::books::Book;
use super::flights::Flight;
use super::indexes::{Def, Plan, any_plan};
use super::judgement::{Applied, Judgement};
use super::operations::{Fault, Op, Seen};
use super::others::Others;
use super::payments::Payment;
use super::questions::{Asked, Question};
use super::records::Subject;
use super::steps::step;
use super::transitions::{self, AnyOp, End, How, Transition};
use memdex::Commit;
use memdex::write::{Counts, Outcome as Did};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records by key, each with the commit that wrote it.
pub(super) type Shelf<R> = BTreeMap<<R as Subject>::Id, (R, Commit)>;

/// The whole store at one commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelves {
    pub payments: Shelf<Payment>,
    pub flights: Shelf<Flight>,
    pub books: Shelf<Book>,
}

/// An operation with its position and the commit that a conditional form names.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub position: usize,
    pub seen: Commit,
    pub op: AnyOp,
}

/// One refusal: the first operation at fault, the causes that the store may name, and the fix.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub at: usize,
    pub faults: Vec<Fault>,
    pub fix: Option<Fix>,
}

/// A lenient commit: the operations, the causes for which each that is left out may be refused, and the effects of the others.
#[derive(Clone, Debug)]
pub(super) struct Lenient {
    pub ops: Vec<Placed>,
    pub commit: Commit,
    pub refused: BTreeMap<usize, Vec<Fault>>,
    pub counts: Counts,
    pub dids: Dids,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fix {
    Remove,
    /// Changes the key to the one with this number.
    Rename(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Committed(Counts, Vec<(usize, Did)>),
    /// No operation was left to commit.
    Empty,
    /// The operations were taken back, discarded, or lost with their writer.
    Gone,
}

/// One batch: the predicted pending state of each key, the refusals with their fixes, and the outcome.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub before: Commit,
    pub ops: Vec<Placed>,
    pub payments: Pendings<Payment>,
    pub flights: Pendings<Flight>,
    pub books: Pendings<Book>,
    pub rounds: Vec<Round>,
    pub outcome: Outcome,
}

/// The pending record of each key; if the batch would be refused, the position of the operation at fault.
pub(super) type Pendings<R> = Vec<(<R as Subject>::Id, Result<Option<R>, usize>)>;

#[derive(Clone, Debug)]
pub(super) struct World {
    /// States by number of the commit.
    pub history: Vec<Arc<Shelves>>,
    pub refusals: u64,
    pub snapshots: Vec<Commit>,
    pub lost_operations: u64,
    pub steps: usize,
    /// The indexes and columns of the books when the collection is opened.
    pub plan: Plan,
    /// The current indexes of the books, in the order of creation.
    pub indexes: Vec<Def>,
    /// The current aggregates of the books, in the order of creation.
    pub aggregates: Vec<ModelAggregate>,
    /// The writes of the last transition.
    pub attempts: Vec<Attempt>,
    /// Its lenient commits.
    pub lenient: Vec<Lenient>,
    /// The possible errors of the requested change of indexes or rollback; empty if it must succeed.
    pub objections: Vec<&'static str>,
    /// The commit of the last fork.
    pub forked_at: Option<Commit>,
    /// Whether the fork has taken over all books of its base.
    pub taken_over: bool,
    pub checkpoints: Vec<Kept>,
    /// The questions that the cache answers, and those of live queries.
    pub cached: Vec<Question>,
    pub live: Vec<Question>,
    pub others: Others,
    /// Those of each snapshot.
    pub snapshot_others: Vec<Others>,
    /// The last number of the sequence.
    pub number: u64,
}

/// The parts of a checkpoint that are not in the history.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub commit: Commit,
    pub others: Others,
    pub number: u64,
}

/// The operations on one collection.
fn of<'a, R: Subject>(ops: &'a [Placed], is: fn(&'a AnyOp) -> Option<&'a Op<R>>) -> Vec<(usize, Commit, &'a Op<R>)> {
    ops.iter().filter_map(|placed| Some((placed.position, placed.seen, is(&placed.op)?))).collect()
}

impl Shelves {
    /// The state after these operations, or the first at fault with the causes that the store may name.
    fn after(
        &self,
        ops: &[Placed],
        commit: Commit,
        indexes: &[Def],
    ) -> Result<(Shelves, Counts, Dids), (usize, Vec<Fault>)> {
        let (payments, flights, books) = (of(ops, AnyOp::payment), of(ops, AnyOp::flight), of(ops, AnyOp::book));
        let payments = Judgement::new(&self.payments, &payments, &[], commit).strict();
        let flights = Judgement::new(&self.flights, &flights, &[], commit).strict();
        let books = Judgement::new(&self.books, &books, indexes, commit).strict();
        match (payments, flights, books) {
            (Ok(payments), Ok(flights), Ok(books)) => Ok(together(payments, flights, books)),
            (payments, flights, books) => {
                let faults = payments.err().into_iter().chain(flights.err()).chain(books.err());
                Err(faults.min_by_key(|(position, _)| *position).unwrap())
            }
        }
    }

    /// The state after those of these operations that a lenient commit keeps, and the others with the causes that the store may name.
    fn after_lenient(
        &self,
        ops: &[Placed],
        commit: Commit,
        indexes: &[Def],
    ) -> ((Shelves, Counts, Dids), BTreeMap<usize, Vec<Fault>>) {
        let (payments, flights, books) = (of(ops, AnyOp::payment), of(ops, AnyOp::flight), of(ops, AnyOp::book));
        let (payments, mut refused) = Judgement::new(&self.payments, &payments, &[], commit).lenient();
        let (flights, more) = Judgement::new(&self.flights, &flights, &[], commit).lenient();
        refused.extend(more);
        let (books, more) = Judgement::new(&self.books, &books, indexes, commit).lenient();
        refused.extend(more);
        let (now, counts, mut dids) = together(payments, flights, books);
        dids.extend(refused.keys().map(|position| (*position, Did::Refused)));
        dids.sort_by_key(|(position, _)| *position);
        ((now, counts, dids), refused)
    }
}

fn together(payments: Applied<Payment>, flights: Applied<Flight>, books: Applied<Book>) -> (Shelves, Counts, Dids) {
    let mut counts = payments.counts;
    counts += flights.counts;
    counts += books.counts;
    let mut dids: Dids = [payments.dids, flights.dids, books.dids].concat();
    dids.sort_by_key(|(position, _)| *position);
    (Shelves { payments: payments.now, flights: flights.now, books: books.now }, counts, dids)
}

impl AnyOp {
    fn payment(&self) -> Option<&Op<Payment>> {
        if let AnyOp::Payment(op) = self { Some(op) } else { None }
    }

    fn flight(&self) -> Option<&Op<Flight>> {
        if let AnyOp::Flight(op) = self { Some(op) } else { None }
    }

    fn book(&self) -> Option<&Op<Book>> {
        if let AnyOp::Book(op) = self { Some(op) } else { None }
    }
}

/// The effect of each operation, by position.
pub(super) type Dids = Vec<(usize, Did)>;

fn pendings<R: Subject>(before: &Shelf<R>, ops: &[(usize, Commit, &Op<R>)]) -> Pendings<R> {
    let of_id = |id: R::Id| {
        // Also the keys from which and to which records of the key move.
        let mut related = BTreeSet::from([id.clone()]);
        for _ in 0..ops.len() {
            for (_, _, op) in ops.iter().filter(|(_, _, op)| op.is_rekey()) {
                if related.contains(&op.id()) || related.contains(&op.to) {
                    related.extend([op.id(), op.to.clone()]);
                }
            }
        }
        let mut now = before.clone();
        now.retain(|of, _| related.contains(of));
        let mut gone = BTreeSet::new();
        let mut own = ops.iter().filter(|(_, _, op)| op.is_by_predicate() || related.contains(&op.id()));
        let fault = own.find(|(_, seen, op)| {
            if let Some(first) = &op.first {
                // Only the commit decides which records come first.
                let may_be_one = now.values().any(|(record, _)| op.tree.holds(record));
                if may_be_one && (1..usize::MAX).contains(&first.records) {
                    return true;
                }
            }
            step(op, *seen, before, &mut now, &mut gone, &mut Counts::default(), Commit::ZERO).is_err()
        });
        let pending = match fault {
            Some((position, _, _)) => Err(*position),
            None => Ok(now.remove(&id).map(|(record, _)| record)),
        };
        (id, pending)
    };
    R::ids().into_iter().map(of_id).collect()
}

/// The commit that a conditional form names; `begin` is the commit that wrote the record.
pub(super) fn seen<R: Subject>(op: &Op<R>, begin: Option<Commit>) -> Commit {
    match op.seen {
        None | Some(Seen::Right) => begin.unwrap_or_default(),
        Some(Seen::Wrong(off)) => Commit::from_number(begin.unwrap_or_default().get() + 1 + off),
    }
}

fn commit_seen<R: Subject>(op: &Op<R>, shelf: &Shelf<R>) -> Commit {
    seen(op, shelf.get(&op.id()).map(|(_, begin)| *begin))
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
            AnyOp::Book(op) => rename(op, number),
        }
    }
}

impl World {
    fn new(plan: Plan) -> World {
        World {
            history: vec![Arc::default()],
            refusals: 0,
            snapshots: Vec::new(),
            lost_operations: 0,
            steps: 0,
            indexes: plan.indexes(),
            aggregates: plan.aggregates.clone(),
            plan,
            attempts: Vec::new(),
            lenient: Vec::new(),
            objections: Vec::new(),
            forked_at: None,
            taken_over: false,
            checkpoints: Vec::new(),
            cached: Vec::new(),
            live: Vec::new(),
            others: Others::new(),
            snapshot_others: Vec::new(),
            number: 0,
        }
    }

    fn add_index(&mut self, def: &Def) {
        self.objections = def.faults::<Book>(&self.indexes);
        if self.objections.is_empty() {
            self.take_over();
            let books = &self.at(self.newest()).books;
            self.objections.extend((!def.clashing(books).is_empty()).then_some("NotUnique"));
            let unordered = books.values().any(|(book, _)| def.unordered(book).is_some());
            self.objections.extend(unordered.then_some("Record"));
        }
        if self.objections.is_empty() {
            self.indexes.push(def.clone());
        }
    }

    fn drop_index(&mut self, name: &str) {
        match self.indexes.iter().position(|def| def.name::<Book>() == name) {
            Some(at) => drop(self.indexes.remove(at)),
            None => self.objections.push("Unknown"),
        }
    }

    fn add_aggregate(&mut self, aggregate: &ModelAggregate) {
        if self.aggregates.iter().any(|other| other.name == aggregate.name) {
            self.objections.push("Duplicate");
        } else {
            self.take_over();
            self.aggregates.push(aggregate.clone());
        }
    }

    fn drop_aggregate(&mut self, name: &str) {
        match self.aggregates.iter().position(|aggregate| aggregate.name == name) {
            Some(at) => drop(self.aggregates.remove(at)),
            None => self.objections.push("Unknown"),
        }
    }

    pub(super) fn newest(&self) -> Commit {
        Commit::from_number(self.history.len() as u64 - 1)
    }

    pub(super) fn at(&self, commit: Commit) -> Arc<Shelves> {
        self.history[commit.get() as usize].clone()
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals
    }

    pub(super) fn refuse(&mut self, refusals: usize) {
        self.refusals += refusals as u64;
    }

    pub(super) fn pinned(&self) -> BTreeSet<Commit> {
        self.snapshots.iter().copied().chain(self.checkpoints.iter().map(|kept| kept.commit)).collect()
    }

    fn write(&mut self, how: How, ops: &[AnyOp], rename: Option<usize>) {
        let (bulk, group, end) = match how {
            How::Batch | How::Closure | How::Reported | How::Once | How::Background => (usize::MAX, 1, End::Flushed),
            How::Lenient => return self.write_leniently(ops),
            How::LenientBulk { bulk } => return ops.chunks(bulk).for_each(|ops| self.write_leniently(ops)),
            How::Single => (1, 1, End::Flushed),
            How::Writer { bulk, group, end } => (bulk, group, end),
        };
        let mut buffer = Vec::new();
        for unit in ops.chunks(group) {
            buffer.extend_from_slice(unit);
            if buffer.len() >= bulk {
                let full = std::mem::take(&mut buffer);
                self.attempt(how, full, rename, End::Flushed);
            }
        }
        if !buffer.is_empty() {
            self.attempt(how, buffer, rename, end);
        }
    }

    /// A commit that changes none of these records.
    pub(super) fn repeat_newest(&mut self) {
        self.history.push(self.at(self.newest()));
    }

    fn place(&self, ops: Vec<AnyOp>) -> Vec<Placed> {
        let shelves = self.at(self.newest());
        let seen = |op: &AnyOp| match op {
            AnyOp::Payment(op) => commit_seen(op, &shelves.payments),
            AnyOp::Flight(op) => commit_seen(op, &shelves.flights),
            AnyOp::Book(op) => commit_seen(op, &shelves.books),
        };
        let place = |(position, op)| Placed { position, seen: seen(&op), op };
        ops.into_iter().enumerate().map(place).collect()
    }

    fn write_leniently(&mut self, ops: &[AnyOp]) {
        let (before, ops) = (self.newest(), self.place(ops.to_vec()));
        let (after, refused) = self.at(before).after_lenient(&ops, before.next(), &self.indexes);
        let (now, counts, dids) = after;
        self.refuse(refused.len());
        if refused.len() < ops.len() {
            self.history.push(Arc::new(now));
        }
        self.lenient.push(Lenient { ops, commit: self.newest(), refused, counts, dids });
    }

    fn attempt(&mut self, how: How, ops: Vec<AnyOp>, rename: Option<usize>, end: End) {
        let before = self.newest();
        let shelves = self.at(before);
        let mut left = self.place(ops);
        let ops = left.clone();
        let (mut of_payments, mut of_flights, mut of_books) = (Vec::new(), Vec::new(), Vec::new());
        for Placed { position, seen, op } in &ops {
            match op {
                AnyOp::Payment(op) => of_payments.push((*position, *seen, op)),
                AnyOp::Flight(op) => of_flights.push((*position, *seen, op)),
                AnyOp::Book(op) => of_books.push((*position, *seen, op)),
            }
        }
        let (payments, flights) = (pendings(&shelves.payments, &of_payments), pendings(&shelves.flights, &of_flights));
        let books = pendings(&shelves.books, &of_books);
        let (mut rounds, mut renamed): (Vec<Round>, BTreeSet<usize>) = Default::default();
        let outcome = loop {
            if end == End::TakenBack {
                break Outcome::Gone;
            }
            if left.is_empty() {
                break Outcome::Empty;
            }
            match shelves.after(&left, before.next(), &self.indexes) {
                Ok((now, counts, dids)) => {
                    self.history.push(Arc::new(now));
                    break Outcome::Committed(counts, dids);
                }
                Err(_) if end == End::Dropped => {
                    self.refuse(1);
                    self.lost_operations += left.len() as u64;
                    break Outcome::Gone;
                }
                Err((at, faults)) if matches!(how, How::Once) => {
                    self.refuse(1);
                    rounds.push(Round { at, faults, fix: None });
                    break Outcome::Gone;
                }
                Err((position, faults)) => {
                    self.refuse(1);
                    let at = left.iter().position(|placed| placed.position == position).unwrap();
                    let fix = match rename {
                        Some(number) if renamed.insert(position) && left[at].rename(number) => Fix::Rename(number),
                        _ => {
                            left.remove(at);
                            Fix::Remove
                        }
                    };
                    rounds.push(Round { at: position, faults, fix: Some(fix) });
                }
            }
        };
        self.attempts.push(Attempt { before, ops, payments, flights, books, rounds, outcome });
    }
}

impl ReferenceStateMachine for World {
    type State = World;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<World> {
        any_plan::<Book>().prop_map(World::new).boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Transition> {
        transitions::transition(&world.indexes)
    }

    fn apply(mut world: World, transition: &Transition) -> World {
        world.attempts.clear();
        world.lenient.clear();
        world.objections.clear();
        world.steps += 1;
        let held = world.snapshots.len().max(1);
        match transition {
            Transition::Write { how, ops, rename } => world.write(*how, ops, *rename),
            Transition::Snapshot => {
                world.snapshots.push(world.newest());
                world.snapshot_others.push(world.others.clone());
            }
            Transition::CloneSnapshot(of) => {
                world.snapshots.extend(world.snapshots.get(of % held).copied());
                world.snapshot_others.extend(world.snapshot_others.get(of % held).cloned());
            }
            Transition::DropSnapshot(at) if !world.snapshots.is_empty() => {
                world.snapshots.remove(at % held);
                world.snapshot_others.remove(at % held);
            }
            Transition::DropAllSnapshots => {
                world.snapshots.clear();
                world.snapshot_others.clear();
            }
            Transition::AddIndex(def) => world.add_index(def),
            Transition::DropIndex(name) => world.drop_index(name),
            Transition::AddAggregate(aggregate) => world.add_aggregate(aggregate),
            Transition::DropAggregate(name) => world.drop_aggregate(name),
            Transition::Fork => world.fork(),
            Transition::Checkpoint => {
                let (commit, others, number) = (world.newest(), world.others.clone(), world.number);
                world.checkpoints.push(Kept { commit, others, number });
            }
            Transition::Rollback(to) if !world.checkpoints.is_empty() => {
                world.rollback(&world.checkpoints[to % world.checkpoints.len()].clone());
            }
            Transition::Ask(question, Asked::Cached) => world.cached.push(Question::clone(question)),
            Transition::Ask(question, Asked::Live) => {
                world.take_over();
                world.live.push(Question::clone(question));
            }
            Transition::Sessions(step) => world.sessions_step(step),
            Transition::Recent(step) => world.recent_step(step),
            Transition::Ledger(step) => world.ledger_step(step),
            Transition::Number => world.number += 1,
            _ => {}
        }
        world
    }
}
