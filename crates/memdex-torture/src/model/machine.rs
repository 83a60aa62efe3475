//! Runs the store against the model: commands of every kind over collections with few keys, committed in every way, refused, fixed and
//! committed again. One collection has a schema that is drawn for each history, and indexes that are added and dropped. Others have lifetimes,
//! a bound, and references. The store is forked, and returns to checkpoints. Random queries run on the newest state and on every held snapshot, with audits and statistics in
//! between. `reference.rs` has the model, which shares no code with the engine.

use super::aggregates::ModelAggregate;
use super::books::{self, Book};
use super::compare;
use super::flights::Flight;
use super::follower::Follower;
use super::payments::Payment;
use super::predicates::Tree;
use super::questions::Live;
use super::reference::World;
use super::sessions::{self, Session};
use super::transitions::{How, Transition};
use super::{ledger, recent};
use memdex::clock::ManualClock;
use memdex::error::{AggregateError, IndexError};
use memdex::schema::AggregateDef;
use memdex::write::{Checkpoint, RollbackError};
use memdex::{BackgroundWriter, Collection, IndexDef, Snapshot, Store};
use proptest::collection::SizeRange;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// A random history: the schema of a store, and operations. Its `Debug` output shows them all.
pub struct History {
    world: World,
    transitions: Vec<Transition>,
    seen: Option<Arc<AtomicUsize>>,
}

/// Histories of so many operations.
pub fn histories(operations: impl Into<SizeRange>) -> impl Strategy<Value = History> {
    let make = |(world, transitions, seen)| History { world, transitions, seen };
    World::sequential_strategy(operations).prop_map(make)
}

/// The history that these seeds draw: the first one a schema, each other one an operation. Without seeds there is none. For fuzzers: a change
/// of one seed leaves the operations before it, and most of those behind it.
pub fn history_of(seeds: impl IntoIterator<Item = [u8; 16]>) -> Option<History> {
    fn draw<T: fmt::Debug>(seed: [u8; 16], strategy: impl Strategy<Value = T>) -> Option<T> {
        let rng = TestRng::from_seed(RngAlgorithm::XorShift, &seed);
        let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
        strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
    }
    let mut seeds = seeds.into_iter();
    let world = draw(seeds.next()?, World::init_state())?;
    let (mut now, mut transitions) = (world.clone(), Vec::new());
    for seed in seeds {
        let transition = draw(seed, World::transitions(&now))?;
        now = World::apply(now, &transition);
        transitions.push(transition);
    }
    Some(History { world, transitions, seen: None })
}

impl History {
    /// How many operations of each kind it has.
    pub fn kinds(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        self.transitions.iter().for_each(|transition| *kinds.entry(transition.kind()).or_insert(0) += 1);
        kinds
    }

    /// Executes the operations on a store, and compares each outcome and each state with the model.
    ///
    /// # Panics
    /// If they differ.
    pub fn run(self) {
        Race::test_sequential(ProptestConfig::default(), self.world, self.transitions, self.seen);
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schema: {:?}", self.world.plan)?;
        self.transitions.iter().enumerate().try_for_each(|(at, transition)| writeln!(f, "{at}: {transition:?}"))
    }
}

/// The store, next to the model.
pub(super) struct Race {
    pub(super) store: Store,
    pub(super) payments: Collection<Payment>,
    pub(super) flights: Collection<Flight>,
    pub(super) books: Collection<Book>,
    pub(super) background: BackgroundWriter,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) checkpoints: Vec<Checkpoint>,
    /// The stores of which this one is a fork.
    pub(super) bases: Vec<Store>,
    pub(super) sessions: Collection<Session>,
    pub(super) items: Collection<recent::Item>,
    pub(super) ledger: ledger::Books,
    pub(super) clock: ManualClock,
    pub(super) live: Vec<Live>,
    pub(super) follower: Option<Follower>,
}

impl StateMachineTest for Race {
    type SystemUnderTest = Race;
    type Reference = World;

    fn init_test(world: &World) -> Race {
        let clock = world.others.sessions.to_clock();
        let store = Store::builder().clock(clock.clone()).build();
        let (payments, flights) = (store.collection("payments").unwrap(), store.collection("flights").unwrap());
        books::set_schema(&world.plan);
        let books = store.collection("books").unwrap();
        let background = store.background_writer().linger(Duration::ZERO).start().unwrap();
        let sessions = store.collection("sessions").unwrap();
        let (items, ledger) = (recent::open(&store), ledger::Books::open(&store));
        let (snapshots, checkpoints, bases, live) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let follower = None;
        Race {
            store,
            payments,
            flights,
            books,
            background,
            snapshots,
            checkpoints,
            bases,
            sessions,
            items,
            ledger,
            clock,
            live,
            follower,
        }
    }

    fn apply(mut race: Race, world: &World, transition: Transition) -> Race {
        let held = race.snapshots.len().max(1);
        match transition {
            Transition::Write { how: How::Writer { bulk, group, end }, .. } => {
                race.write_in_bulk(world, bulk, group, end)
            }
            Transition::Write { how: How::Lenient, .. } => race.write_leniently(world),
            Transition::Write { how: How::LenientBulk { bulk }, .. } => race.write_leniently_in_bulk(world, bulk),
            Transition::Write { how, .. } => world.attempts.iter().for_each(|attempt| race.write(world, attempt, how)),
            Transition::Snapshot => race.snapshots.push(race.store.snapshot()),
            Transition::CloneSnapshot(of) => race.snapshots.extend(race.snapshots.get(of % held).cloned()),
            Transition::DropSnapshot(at) if !race.snapshots.is_empty() => drop(race.snapshots.remove(at % held)),
            Transition::DropSnapshot(_) => {}
            Transition::DropAllSnapshots => race.snapshots.clear(),
            Transition::FindPayments(trees) => trees.iter().for_each(|tree| race.find_payments(world, tree)),
            Transition::FindFlights(trees) => trees.iter().for_each(|tree| race.find_flights(world, tree)),
            Transition::FindBooks(trees) => trees.iter().for_each(|tree| race.find_books(world, tree)),
            Transition::AddIndex(def) => race.check_index_change(world, race.books.add_index(def.to_store::<Book>())),
            Transition::DropIndex(name) => race.check_index_change(world, race.books.drop_index(&name)),
            Transition::AddAggregate(aggregate) => {
                race.aggregates_change(world, race.books.add_aggregate(aggregate.to_store()));
            }
            Transition::DropAggregate(name) => race.aggregates_change(world, race.books.drop_aggregate(name)),
            Transition::Optimize => race.store.optimize().unwrap(),
            Transition::Look => race.check_snapshots(world),
            Transition::Fork => race = race.forked(),
            Transition::Checkpoint => race.checkpoints.push(race.store.checkpoint().unwrap()),
            Transition::Rollback(_) if race.checkpoints.is_empty() => {}
            Transition::Rollback(to) => race.roll_back(world, to % race.checkpoints.len()),
            Transition::Ask(question, asked) => race.ask(world, &question, asked),
            Transition::Follow(room) => race.subscribe(room),
            Transition::Sessions(step) => race.sessions_step(world, &step),
            Transition::Recent(step) => race.recent_step(world, &step),
            Transition::Ledger(step) => race.ledger_step(world, &step),
            Transition::Number => assert_eq!(race.store.sequence("numbers").next(), world.number),
        }
        race.check_questions(world);
        race.check_follower(world);
        race
    }

    fn check_invariants(race: &Race, world: &World) {
        race.check_sessions(world);
        let newest = race.store.snapshot();
        race.check_recent_at(&newest, &world.others.recent);
        race.ledger.check_at(&newest, &world.others.ledger, false);
        drop(newest);
        race.equals_model_at(world, world.newest());
        if world.forked_at.is_none() {
            compare::figures(&race.store, world, world.steps.is_multiple_of(2));
        }
        if world.steps.is_multiple_of(3) {
            race.audit(world);
        }
    }

    fn teardown(mut race: Race, mut world: World) {
        race.check_snapshots(&world);
        race.checkpoints.clear();
        world.checkpoints.clear();
        while !race.snapshots.is_empty() {
            drop(race.snapshots.swap_remove(0));
            world.snapshots.swap_remove(0);
            world.snapshot_others.swap_remove(0);
            race.audit(&world);
        }
        // No pin is left, which the statistics and an audit must confirm.
        if world.forked_at.is_none() {
            compare::figures(&race.store, &world, true);
        }
        race.store.optimize().unwrap();
        assert_eq!(race.store.verify().unwrap().versions_retained, 0);
        for base in race.bases {
            base.verify().unwrap();
        }
    }
}

impl Race {
    fn forked(mut self) -> Race {
        self.snapshots.clear();
        self.checkpoints.clear();
        self.live.clear();
        let store = self.store.fork();
        let sessions = store.collection("sessions").unwrap();
        let (items, ledger) = (store.collection("items").unwrap(), ledger::Books::open(&store));
        let (payments, flights) = (store.collection("payments").unwrap(), store.collection("flights").unwrap());
        let books = store.collection("books").unwrap();
        let background = store.background_writer().linger(Duration::ZERO).start().unwrap();
        self.bases.push(self.store);
        Race { store, payments, flights, books, background, sessions, items, ledger, follower: None, ..self }
    }

    fn roll_back(&mut self, world: &World, to: usize) {
        self.expire_sessions(world);
        let (commit, done) = (self.checkpoints[to].commit(), self.store.rollback(&self.checkpoints[to]));
        match &world.objections[..] {
            [] => assert_eq!(done.unwrap().commit, world.newest()),
            _ => return assert!(matches!(done, Err(RollbackError::Refused(_))), "{done:?}"),
        }
        let is_undone =
            |checkpoint: &Checkpoint| matches!(self.store.rollback(checkpoint), Err(RollbackError::Undone { .. }));
        let later = self.checkpoints.iter().filter(|checkpoint| checkpoint.commit() > commit);
        // The newest commit may be one that the rollback found.
        later.for_each(|later| assert!(is_undone(later) || later.commit() == world.newest()));
        self.checkpoints.retain(|checkpoint| checkpoint.commit() <= commit);
    }

    /// The newest state of the store equals the model's state at a commit.
    pub(super) fn equals_model_at(&self, world: &World, commit: memdex::Commit) {
        assert_eq!(self.store.snapshot().commit(), commit);
        compare::newest(&self.payments, &world.at(commit).payments);
        compare::newest(&self.flights, &world.at(commit).flights);
        compare::newest(&self.books, &world.at(commit).books);
        for aggregate in &world.aggregates {
            aggregate.check(&self.books.aggregate(aggregate.name).unwrap(), &world.at(commit).books);
        }
    }

    pub(super) fn check_snapshots(&self, world: &World) {
        assert!(self.snapshots.iter().map(Snapshot::commit).eq(world.snapshots.iter().copied()));
        for (snapshot, others) in self.snapshots.iter().zip(&world.snapshot_others) {
            sessions::check_at(snapshot, &self.sessions, &others.sessions.alive());
            self.check_recent_at(snapshot, &others.recent);
            self.ledger.check_at(snapshot, &others.ledger, false);
            compare::snapshot(&snapshot.of(&self.payments), &world.at(snapshot.commit()).payments);
            compare::snapshot(&snapshot.of(&self.flights), &world.at(snapshot.commit()).flights);
            let (books, expected) = (snapshot.of(&self.books), world.at(snapshot.commit()));
            compare::snapshot(&books, &expected.books);
            for aggregate in &world.aggregates {
                aggregate.check(&books.aggregate(aggregate.name).unwrap(), &expected.books);
            }
        }
    }

    fn find_payments(&self, world: &World, tree: &Tree) {
        compare::answers(&self.payments.find(tree.filter()), tree, &world.at(world.newest()).payments);
        for snapshot in &self.snapshots {
            let view = snapshot.of(&self.payments);
            compare::answers(&view.find(tree.filter()), tree, &world.at(snapshot.commit()).payments);
        }
    }

    fn find_flights(&self, world: &World, tree: &Tree) {
        compare::answers(&self.flights.find(tree.filter()), tree, &world.at(world.newest()).flights);
        for snapshot in &self.snapshots {
            let view = snapshot.of(&self.flights);
            compare::answers(&view.find(tree.filter()), tree, &world.at(snapshot.commit()).flights);
        }
    }

    fn find_books(&self, world: &World, tree: &Tree) {
        compare::answers(&self.books.find(tree.filter()), tree, &world.at(world.newest()).books);
        for snapshot in &self.snapshots {
            let view = snapshot.of(&self.books);
            compare::answers(&view.find(tree.filter()), tree, &world.at(snapshot.commit()).books);
        }
    }

    /// An index was added or dropped as the model predicts, or refused without a change.
    fn check_index_change(&self, world: &World, done: Result<(), IndexError>) {
        let objection = done.err().map(|error| match error {
            IndexError::Schema { source, .. } => format!("{source:?}"),
            other => format!("{other:?}"),
        });
        let variant = objection.as_ref().map(|reported| reported.split(' ').next().unwrap());
        let predicted = variant.map_or(world.objections.is_empty(), |reported| world.objections.contains(&reported));
        assert!(predicted, "the model objects {:?}, the store: {objection:?}", world.objections);
        let expected: Vec<IndexDef> = world.indexes.iter().map(|def| def.to_store::<Book>()).collect();
        assert_eq!(self.books.indexes(), expected);
        self.audit(world);
    }

    /// An aggregate was added or dropped as the model predicts, or refused without a change.
    fn aggregates_change(&self, world: &World, done: Result<(), AggregateError>) {
        assert_eq!(done.is_ok(), world.objections.is_empty(), "the model objects {:?}: {done:?}", world.objections);
        let expected: Vec<AggregateDef> = world.aggregates.iter().map(ModelAggregate::to_store).collect();
        assert_eq!(self.books.aggregates(), expected);
        self.check_snapshots(world);
        self.audit(world);
    }

    pub(super) fn audit(&self, world: &World) {
        let report = self.store.verify().unwrap();
        if world.forked_at.is_some() {
            return;
        }
        let newest = world.at(world.newest());
        let records = newest.payments.len() + newest.flights.len() + newest.books.len();
        let (least, most) = world.others.held();
        assert_eq!(report.collections, 8);
        assert!((records + least..=records + most).contains(&report.records), "{report:?}");
        let kept: usize = self.store.stats().collections.iter().map(|collection| collection.versions_retained).sum();
        assert_eq!(report.versions_retained, kept);
    }
}
