//! Runs the store against a naive model: random commands of every kind over three collections with few keys, committed
//! in every way, refused, fixed and committed again. One collection has a schema that is drawn for each case, and
//! indexes that are added and dropped. The store is forked, and returns to checkpoints. Random queries run on the newest state and on every held snapshot, with audits
//! and statistics in between. `reference.rs` has the model, which shares no code with the engine.

mod aggregates;
mod books;
mod branches;
mod collisions;
mod compare;
mod flights;
mod indexes;
mod judgement;
mod lenient;
mod operations;
mod payments;
mod predicates;
mod records;
mod reference;
mod transitions;
mod writes;

use aggregates::ModelAggregate;
use books::Book;
use flights::Flight;
use memdex::error::{AggregateError, IndexError};
use memdex::schema::AggregateDef;
use memdex::write::{Checkpoint, RollbackError};
use memdex::{BackgroundWriter, Collection, IndexDef, Snapshot, Store};
use payments::Payment;
use predicates::Tree;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use reference::World;
use std::time::Duration;
use transitions::{How, Transition};

prop_state_machine! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn the_store_equals_the_model(sequential 1..40 => Race);
}

/// The store, next to the model.
struct Race {
    store: Store,
    payments: Collection<Payment>,
    flights: Collection<Flight>,
    books: Collection<Book>,
    background: BackgroundWriter,
    snapshots: Vec<Snapshot>,
    checkpoints: Vec<Checkpoint>,
    /// The stores of which this one is a fork.
    bases: Vec<Store>,
}

impl StateMachineTest for Race {
    type SystemUnderTest = Race;
    type Reference = World;

    fn init_test(world: &World) -> Race {
        let store = Store::new();
        let (payments, flights) = (store.collection("payments").unwrap(), store.collection("flights").unwrap());
        books::set_schema(&world.plan);
        let books = store.collection("books").unwrap();
        let background = store.background_writer().linger(Duration::ZERO).start().unwrap();
        let (snapshots, checkpoints, bases) = (Vec::new(), Vec::new(), Vec::new());
        Race { store, payments, flights, books, background, snapshots, checkpoints, bases }
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
        }
        race
    }

    fn check_invariants(race: &Race, world: &World) {
        race.is_as_of(world, world.newest());
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
        let store = self.store.fork();
        let (payments, flights) = (store.collection("payments").unwrap(), store.collection("flights").unwrap());
        let books = store.collection("books").unwrap();
        let background = store.background_writer().linger(Duration::ZERO).start().unwrap();
        self.bases.push(self.store);
        Race { store, payments, flights, books, background, ..self }
    }

    fn roll_back(&mut self, world: &World, to: usize) {
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
    fn is_as_of(&self, world: &World, commit: memdex::Commit) {
        assert_eq!(self.store.snapshot().commit(), commit);
        compare::newest(&self.payments, &world.at(commit).payments);
        compare::newest(&self.flights, &world.at(commit).flights);
        compare::newest(&self.books, &world.at(commit).books);
        for aggregate in &world.aggregates {
            aggregate.check(&self.books.aggregate(aggregate.name).unwrap(), &world.at(commit).books);
        }
    }

    fn check_snapshots(&self, world: &World) {
        assert!(self.snapshots.iter().map(Snapshot::commit).eq(world.snapshots.iter().copied()));
        for snapshot in &self.snapshots {
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

    fn audit(&self, world: &World) {
        let report = self.store.verify().unwrap();
        if world.forked_at.is_some() {
            return;
        }
        let newest = world.at(world.newest());
        let records = newest.payments.len() + newest.flights.len() + newest.books.len();
        assert_eq!((report.collections, report.records), (3, records));
        let kept: usize = self.store.stats().collections.iter().map(|collection| collection.versions_retained).sum();
        assert_eq!(report.versions_retained, kept);
    }
}
