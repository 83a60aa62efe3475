//! The transitions of the store: writes in every way, adding and dropping indexes, taking and dropping snapshots,
//! queries.

use super::aggregates::{ModelAggregate, any_aggregate};
use super::books::Book;
use super::flights::Flight;
use super::indexes::{Def, any_def};
use super::operations::Op;
use super::payments::Payment;
use super::predicates::{Tree, tree};
use super::questions::{Asked, Question, any_question};
use super::{ledger, recent, sessions};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

#[derive(Clone, Debug)]
pub(super) enum AnyOp {
    Payment(Op<Payment>),
    Flight(Op<Flight>),
    Book(Op<Book>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Batch,
    Closure,
    Single,
    /// With a report of the effect of each operation.
    Reported,
    /// A batch that is discarded at its first refusal.
    Once,
    /// Through the background writer.
    Background,
    /// Skips the refused operations.
    Lenient,
    /// Through a lenient writer.
    LenientBulk {
        bulk: usize,
    },
    /// In groups of this size; the writer flushes between groups, and a refused group is fixed and retried.
    Writer {
        bulk: usize,
        group: usize,
        end: End,
    },
}

/// The fate of the operations that a writer still buffers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Flushed,
    Dropped,
    TakenBack,
}

#[derive(Clone, Debug)]
pub(super) enum Transition {
    Write {
        how: How,
        ops: Vec<AnyOp>,
        rename: Option<usize>,
    },
    Snapshot,
    CloneSnapshot(usize),
    DropSnapshot(usize),
    DropAllSnapshots,
    FindPayments(Vec<Tree>),
    FindFlights(Vec<Tree>),
    FindBooks(Vec<Tree>),
    /// An index of the books.
    AddIndex(Def),
    DropIndex(String),
    AddAggregate(Box<ModelAggregate>),
    DropAggregate(&'static str),
    Optimize,
    Look,
    /// The store is replaced by a fork of it.
    Fork,
    Checkpoint,
    /// To one of the checkpoints.
    Rollback(usize),
    Ask(Box<Question>, Asked),
    /// Subscribes to the feed, with room for so many changes.
    Follow(usize),
    Sessions(sessions::Step),
    Recent(recent::Step),
    Ledger(ledger::Step),
    /// Draws a number of a sequence.
    Number,
}

impl Transition {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Transition::Write { how, .. } => match how {
                How::Batch | How::Closure | How::Reported | How::Once => "batch",
                How::Single => "command",
                How::Background => "batch of a background writer",
                How::Lenient => "lenient batch",
                How::LenientBulk { .. } => "batches of a lenient writer",
                How::Writer { .. } => "batches of a writer",
            },
            Transition::Snapshot | Transition::CloneSnapshot(_) => "snapshot",
            Transition::DropSnapshot(_) | Transition::DropAllSnapshots => "end of snapshots",
            Transition::FindPayments(_) | Transition::FindFlights(_) | Transition::FindBooks(_) => "predicates",
            Transition::AddIndex(_) | Transition::DropIndex(_) => "change of indexes",
            Transition::AddAggregate(_) | Transition::DropAggregate(_) => "change of aggregates",
            Transition::Optimize => "upkeep",
            Transition::Look => "look at all snapshots",
            Transition::Fork => "fork",
            Transition::Checkpoint => "checkpoint",
            Transition::Rollback(_) => "rollback",
            Transition::Ask(_, Asked::Once) => "query in an order, by pages, with statistics",
            Transition::Ask(_, Asked::Cached) => "cached query",
            Transition::Ask(_, Asked::Live) => "live query",
            Transition::Follow(_) => "subscription",
            Transition::Sessions(step) => step.kind(),
            Transition::Recent(_) => "batch of a bounded collection",
            Transition::Ledger(_) => "batch of referring records and documents",
            Transition::Number => "number of a sequence",
        }
    }
}

fn how() -> BoxedStrategy<How> {
    let end = prop_oneof![2 => Just(End::Flushed), 1 => Just(End::Dropped), 1 => Just(End::TakenBack)];
    prop_oneof![
        4 => Just(How::Batch),
        2 => Just(How::Closure),
        2 => Just(How::Single),
        2 => Just(How::Reported),
        2 => Just(How::Once),
        2 => Just(How::Background),
        4 => Just(How::Lenient),
        2 => (1..6_usize).prop_map(|bulk| How::LenientBulk { bulk }),
        3 => (1..6_usize, 1..4_usize, end).prop_map(|(bulk, group, end)| How::Writer { bulk, group, end }),
    ]
    .boxed()
}

/// Transitions while the books have these indexes.
pub(super) fn transition(indexes: &[Def]) -> BoxedStrategy<Transition> {
    let op = prop_oneof![
        2 => Op::<Payment>::any().prop_map(AnyOp::Payment),
        2 => Op::<Flight>::any().prop_map(AnyOp::Flight),
        3 => Op::<Book>::any().prop_map(AnyOp::Book),
    ];
    let write = (how(), vec(op, 1..=8), proptest::option::of(0..4_usize));
    let aimed: Vec<_> =
        indexes.iter().map(|index| (1, index.aimed_at::<Book>())).chain([(1, tree::<Book>())]).collect();
    let names: Vec<String> = indexes.iter().map(Def::name::<Book>).chain(["none".to_owned()]).collect();
    let queries = prop_oneof![
        4 => vec(tree::<Payment>(), 1..4).prop_map(Transition::FindPayments),
        3 => vec(tree::<Flight>(), 1..4).prop_map(Transition::FindFlights),
        3 => vec(tree::<Book>(), 1..4).prop_map(Transition::FindBooks),
        5 => vec(Union::new_weighted(aimed), 1..6).prop_map(Transition::FindBooks),
    ];
    let asked = prop_oneof![3 => Just(Asked::Once), 1 => Just(Asked::Cached), 1 => Just(Asked::Live)];
    prop_oneof![
        12 => write.prop_map(|(how, ops, rename)| Transition::Write { how, ops, rename }),
        3 => Just(Transition::Snapshot),
        1 => any::<usize>().prop_map(Transition::CloneSnapshot),
        2 => any::<usize>().prop_map(Transition::DropSnapshot),
        1 => Just(Transition::DropAllSnapshots),
        9 => queries,
        2 => any_def::<Book>().prop_map(Transition::AddIndex),
        1 => select(names).prop_map(Transition::DropIndex),
        1 => any_aggregate().prop_map(|aggregate| Transition::AddAggregate(Box::new(aggregate))),
        1 => select(vec!["one", "two", "three"]).prop_map(Transition::DropAggregate),
        1 => Just(Transition::Optimize),
        2 => Just(Transition::Look),
        1 => Just(Transition::Fork),
        1 => Just(Transition::Checkpoint),
        2 => any::<usize>().prop_map(Transition::Rollback),
        5 => (any_question().prop_map(Box::new), asked).prop_map(|(question, asked)| Transition::Ask(question, asked)),
        1 => prop_oneof![1..8_usize, Just(1_000)].prop_map(Transition::Follow),
        8 => sessions::any_step().prop_map(Transition::Sessions),
        3 => recent::any_step().prop_map(Transition::Recent),
        6 => ledger::any_step().prop_map(Transition::Ledger),
        1 => Just(Transition::Number),
    ]
    .boxed()
}
