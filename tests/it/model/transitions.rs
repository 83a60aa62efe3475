//! What can happen to the store: writes in every way, snapshots taken and dropped, questions.

use super::flights::Flight;
use super::operations::Op;
use super::payments::Payment;
use super::predicates::{Tree, tree};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) enum AnyOp {
    Payment(Op<Payment>),
    Flight(Op<Flight>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Batch,
    Closure,
    Single,
    /// With a report of what each operation did.
    Reported,
    /// What is refused is left out.
    Lenient,
    /// Through a lenient writer.
    LenientWriter {
        bulk: usize,
    },
    /// In groups of so many; a group that refuses is tried between them.
    Writer {
        bulk: usize,
        group: usize,
        end: End,
    },
}

/// What becomes of what a writer still holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Flushed,
    Dropped,
    TakenBack,
}

#[derive(Clone, Debug)]
pub(super) enum Transition {
    Write { how: How, ops: Vec<AnyOp>, rename: Option<usize> },
    Snapshot,
    CloneSnapshot(usize),
    DropSnapshot(usize),
    DropAllSnapshots,
    FindPayments(Vec<Tree>),
    FindFlights(Vec<Tree>),
    Look,
}

fn how() -> BoxedStrategy<How> {
    let end = prop_oneof![2 => Just(End::Flushed), 1 => Just(End::Dropped), 1 => Just(End::TakenBack)];
    prop_oneof![
        4 => Just(How::Batch),
        2 => Just(How::Closure),
        2 => Just(How::Single),
        2 => Just(How::Reported),
        4 => Just(How::Lenient),
        2 => (1..6_usize).prop_map(|bulk| How::LenientWriter { bulk }),
        3 => (1..6_usize, 1..4_usize, end).prop_map(|(bulk, group, end)| How::Writer { bulk, group, end }),
    ]
    .boxed()
}

pub(super) fn transition() -> BoxedStrategy<Transition> {
    let op = prop_oneof![
        3 => Op::<Payment>::any().prop_map(AnyOp::Payment),
        2 => Op::<Flight>::any().prop_map(AnyOp::Flight),
    ];
    let write = (how(), vec(op, 1..=8), proptest::option::of(0..4_usize));
    prop_oneof![
        10 => write.prop_map(|(how, ops, rename)| Transition::Write { how, ops, rename }),
        3 => Just(Transition::Snapshot),
        1 => any::<usize>().prop_map(Transition::CloneSnapshot),
        2 => any::<usize>().prop_map(Transition::DropSnapshot),
        1 => Just(Transition::DropAllSnapshots),
        4 => vec(tree::<Payment>(), 1..4).prop_map(Transition::FindPayments),
        3 => vec(tree::<Flight>(), 1..4).prop_map(Transition::FindFlights),
        2 => Just(Transition::Look),
    ]
    .boxed()
}
