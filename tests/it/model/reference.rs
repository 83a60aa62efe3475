//! The reference: one `BTreeMap` for each collection and commit; all commits are retained. It predicts the outcome of
//! each write before the store executes it, and records it as [`Attempt`]s for the comparison.

use super::aggregates::ModelAggregate;
use super::books::Book;
use super::flights::Flight;
use super::indexes::{Def, Plan, any_plan};
use super::operations::{Fault, Op, Seen, Verb};
use super::payments::Payment;
use super::records::Subject;
use super::transitions::{self, AnyOp, End, How, Transition};
use memdex::Commit;
use memdex::error::Cause;
use memdex::write::{Counts, Outcome as Did};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use std::cell::{Cell, RefCell};
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

/// One refusal. The store resolves a batch collection by collection, so it may report the first operation at fault of
/// any collection. If indexes refuse a record, it may report any operation on it.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub faults: Vec<(usize, Fault)>,
    pub fixes: Vec<(usize, Fix)>,
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
    /// States by number of the commit. The store chooses what a lenient commit skips if values clash, so the model
    /// adds the state of such a commit after the store has executed it, hence the cells.
    history: RefCell<Vec<Arc<Shelves>>>,
    refusals: Cell<u64>,
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
    /// The possible errors of the requested change of indexes; empty if it must succeed.
    pub objections: Vec<&'static str>,
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

/// Applies an operation on the records that a predicate selects.
fn step_where<R: Subject>(op: &Op<R>, now: &mut Shelf<R>, counts: &mut Counts, commit: Commit) -> Result<Did, Fault> {
    let mut matching: Vec<R> = now.values().map(|(record, _)| record).filter(|r| op.tree.holds(*r)).cloned().collect();
    if op.verb == Verb::DeleteWhere {
        counts.deleted += matching.len();
        matching.iter().for_each(|record| drop(now.remove(&record.id())));
        return Ok(Did::DeletedWhere(matching.len()));
    }
    for record in &mut matching {
        let id = record.id();
        if !op.change.apply(record) && op.verb == Verb::TryUpdateWhere {
            return Err(Fault::Closure);
        }
        if record.id() != id {
            return Err(Fault::KeyChanged);
        }
    }
    counts.updated += matching.len();
    let updated = Did::UpdatedWhere(matching.len());
    matching.into_iter().for_each(|record| drop(now.insert(record.id(), (record, commit))));
    Ok(updated)
}

/// The books that the indexes refuse, and the reasons.
fn refused_by(indexes: &[Def], books: &Shelf<Book>) -> Vec<(u16, Fault)> {
    let unorderable = indexes.iter().flat_map(|index| {
        let fault = |field| Fault::NotANumber { index: index.name::<Book>(), field };
        index.unorderable(books).into_iter().map(move |(id, field)| (id, fault(field)))
    });
    let unorderable: Vec<_> = unorderable.collect();
    if !unorderable.is_empty() {
        return unorderable;
    }
    let clashing = indexes.iter().flat_map(|index| {
        let fault = || Fault::NotUnique { index: index.name::<Book>() };
        index.clashing(books).into_iter().map(move |id| (id, fault()))
    });
    clashing.collect()
}

impl Shelves {
    fn step(&self, placed: &Placed, now: &mut Shelves, counts: &mut Counts, commit: Commit) -> Result<Did, Fault> {
        match &placed.op {
            AnyOp::Payment(op) => step(op, placed.seen, &self.payments, &mut now.payments, counts, commit),
            AnyOp::Flight(op) => step(op, placed.seen, &self.flights, &mut now.flights, counts, commit),
            AnyOp::Book(op) => step(op, placed.seen, &self.books, &mut now.books, counts, commit),
        }
    }

    /// The state after these operations, or the first fault of each collection. If indexes refuse the net result, all
    /// operations that may have caused it are faults.
    fn after(&self, ops: &[Placed], commit: Commit, indexes: &[Def]) -> Result<(Shelves, Counts, Dids), Faults> {
        let (mut now, mut counts, mut dids) = (self.clone(), Counts::default(), Dids::new());
        let mut faults = Faults::new();
        let mut spoilt = BTreeSet::new();
        for placed in ops {
            let collection = placed.op.collection();
            if !spoilt.contains(&collection) {
                match self.step(placed, &mut now, &mut counts, commit) {
                    Ok(did) => dids.push((placed.position, did)),
                    Err(fault) => {
                        spoilt.insert(collection);
                        faults.push((placed.position, fault));
                    }
                }
            }
        }
        if !spoilt.contains(&BOOKS) {
            for (id, fault) in refused_by(indexes, &now.books) {
                let may_have = |placed: &&Placed| matches!(&placed.op, AnyOp::Book(op) if op.may_have_made(id));
                faults.extend(ops.iter().filter(may_have).map(|placed| (placed.position, fault.clone())));
            }
        }
        if faults.is_empty() { Ok((now, counts, dids)) } else { Err(faults) }
    }

    /// The state after these operations without those that the store skipped; checks that the store had a reason to
    /// skip each.
    fn state_after_lenient(
        &self,
        ops: &[Placed],
        commit: Commit,
        left_out: &BTreeMap<usize, &Cause>,
        indexes: &[Def],
    ) -> (Shelves, Counts, Dids) {
        let (mut now, mut counts, mut dids) = (self.clone(), Counts::default(), Dids::new());
        let mut for_indexes = 0;
        for placed in ops {
            let did = match left_out.get(&placed.position) {
                None => self.step(placed, &mut now, &mut counts, commit).unwrap_or_else(|fault| {
                    panic!("the model refuses {placed:?}: {fault:?}, but the store does not");
                }),
                Some(cause) => {
                    let by_index = |index: &Def| {
                        let index = index.name::<Book>();
                        let faults = [Fault::NotUnique { index: index.clone() }].into_iter();
                        let of_field = |field: &&'static str| Fault::NotANumber { index: index.clone(), field };
                        let all = faults.chain(Book::FIELDS.iter().map(of_field));
                        all.into_iter().any(|fault| fault.is(cause))
                    };
                    if matches!(placed.op, AnyOp::Book(_)) && indexes.iter().any(by_index) {
                        for_indexes += 1;
                    } else {
                        match self.step(placed, &mut now.clone(), &mut Counts::default(), commit) {
                            Err(fault) if fault.is(cause) => {}
                            other => panic!("the store refuses {placed:?}: {cause}, the model says: {other:?}"),
                        }
                    }
                    Did::Refused
                }
            };
            dids.push((placed.position, did));
        }
        assert_eq!(refused_by(indexes, &now.books), [], "{now:?}");
        if for_indexes > 0 {
            let mut all = self.clone();
            let step = |placed: &Placed| drop(self.step(placed, &mut all, &mut Counts::default(), commit));
            ops.iter().for_each(step);
            assert_ne!(
                refused_by(indexes, &all.books),
                [],
                "the store skipped operations for indexes without need: {left_out:?}"
            );
        }
        (now, counts, dids)
    }
}

type Faults = Vec<(usize, Fault)>;

/// The number of their collection.
const BOOKS: usize = 2;

impl AnyOp {
    fn collection(&self) -> usize {
        match self {
            AnyOp::Payment(_) => 0,
            AnyOp::Flight(_) => 1,
            AnyOp::Book(_) => BOOKS,
        }
    }
}

impl<R: Subject> Op<R> {
    fn may_have_made(&self, id: R::Id) -> bool {
        match self.verb {
            Verb::Delete | Verb::DeleteWhere => false,
            _ => self.is_by_predicate() || self.id() == id,
        }
    }
}

/// The effect of each operation, by position.
pub(super) type Dids = Vec<(usize, Did)>;

fn pendings<R: Subject>(before: &Shelf<R>, ops: &[(usize, Commit, &Op<R>)]) -> Pendings<R> {
    let of_id = |id: R::Id| {
        let mut now: Shelf<R> =
            before.iter().filter(|(of, _)| **of == id).map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut own = ops.iter().filter(|(_, _, op)| op.is_by_predicate() || op.id() == id);
        let fault =
            own.find(|(_, seen, op)| step(op, *seen, before, &mut now, &mut Counts::default(), Commit::ZERO).is_err());
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
            history: RefCell::new(vec![Arc::default()]),
            refusals: Cell::new(0),
            snapshots: Vec::new(),
            lost_operations: 0,
            steps: 0,
            indexes: plan.indexes(),
            aggregates: plan.aggregates.clone(),
            plan,
            attempts: Vec::new(),
            objections: Vec::new(),
        }
    }

    fn add_index(&mut self, def: &Def) {
        self.objections = def.faults::<Book>(&self.indexes);
        if self.objections.is_empty() {
            let books = &self.at(self.newest()).books;
            self.objections.extend((!def.clashing(books).is_empty()).then_some("NotUnique"));
            self.objections.extend((!def.unorderable(books).is_empty()).then_some("Record"));
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
        Commit::from_number(self.history.borrow().len() as u64 - 1)
    }

    pub(super) fn at(&self, commit: Commit) -> Arc<Shelves> {
        self.history.borrow()[commit.get() as usize].clone()
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals.get()
    }

    fn refuse(&self, refusals: usize) {
        self.refusals.update(|before| before + refusals as u64);
    }

    pub(super) fn pinned(&self) -> BTreeSet<Commit> {
        self.snapshots.iter().copied().collect()
    }

    fn write(&mut self, how: How, ops: &[AnyOp], rename: Option<usize>) {
        let (bulk, group, end) = match how {
            How::Batch | How::Closure | How::Reported | How::Once | How::Background => (usize::MAX, 1, End::Flushed),
            // Checked after the store has executed it.
            How::Lenient | How::LenientBulk { .. } => return,
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

    /// Adds a lenient commit that the store has executed, from the operations it skipped, by position. Returns the
    /// effects of the others.
    pub(super) fn apply_lenient(&self, ops: &[Placed], left_out: &BTreeMap<usize, &Cause>) -> (Counts, Dids) {
        let before = self.newest();
        let (now, counts, dids) = self.at(before).state_after_lenient(ops, before.next(), left_out, &self.indexes);
        self.refuse(left_out.len());
        if left_out.len() < ops.len() {
            self.history.borrow_mut().push(Arc::new(now));
        }
        (counts, dids)
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
                    self.history.get_mut().push(Arc::new(now));
                    break Outcome::Committed(counts, dids);
                }
                Err(_) if end == End::Dropped => {
                    self.refuse(1);
                    self.lost_operations += left.len() as u64;
                    break Outcome::Gone;
                }
                Err(faults) if matches!(how, How::Once) => {
                    self.refuse(1);
                    rounds.push(Round { faults, fixes: Vec::new() });
                    break Outcome::Gone;
                }
                Err(faults) => {
                    self.refuse(1);
                    let mut fixes = Vec::new();
                    let at_fault: BTreeSet<usize> = faults.iter().map(|(position, _)| *position).collect();
                    for position in &at_fault {
                        let at = left.iter().position(|placed| placed.position == *position).unwrap();
                        match rename {
                            Some(number) if renamed.insert(*position) && left[at].rename(number) => {
                                fixes.push((*position, Fix::Rename(number)));
                            }
                            _ => {
                                left.remove(at);
                                fixes.push((*position, Fix::Remove));
                            }
                        }
                    }
                    rounds.push(Round { faults, fixes });
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
        world.objections.clear();
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
            Transition::AddIndex(def) => world.add_index(def),
            Transition::DropIndex(name) => world.drop_index(name),
            Transition::AddAggregate(aggregate) => world.add_aggregate(aggregate),
            Transition::DropAggregate(name) => world.drop_aggregate(name),
            _ => {}
        }
        world
    }
}
