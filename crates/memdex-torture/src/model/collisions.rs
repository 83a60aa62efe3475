//! Batches whose operations depend on each other: few keys, few unique values, records that can't be indexed, closures that depend
//! on the values that they find. Each is committed, or committed leniently, and leaves out what the model leaves out.

use super::books::{self, Book};
use super::compare;
use super::indexes::Plan;
use super::judgement::Judgement;
use super::operations::{Change, Fault, Op, put_in_batch};
use super::records::Subject;
use super::reference::{Dids, Shelf, seen};
use memdex::error::Cause;
use memdex::hook::RecordChange;
use memdex::schema::IndexKind;
use memdex::write::Outcome;
use memdex::{Commit, Handle, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn plan() -> Plan {
    let kind = |name: &&str| match *name {
        "isbn" | "depot.zip" => Some(IndexKind::Unique),
        "rating" => Some(IndexKind::Ordered),
        _ => None,
    };
    Plan { fields: Book::FIELDS.iter().map(|name| (kind(name), false)).collect(), more: vec![], aggregates: vec![] }
}

fn op() -> BoxedStrategy<Op<Book>> {
    let spoil = |(mut op, spoilt): (Op<Book>, bool)| {
        if spoilt {
            op.record.spoil();
            if let Change::Fields(fields) = &mut op.change {
                fields.spoil();
            }
        }
        op
    };
    (Op::any(), prop::bool::weighted(0.1)).prop_map(spoil).boxed()
}

fn is_due(faults: &[Fault], cause: &Cause) -> bool {
    faults.iter().any(|fault| fault.is(cause))
}

/// The changes of the records of these keys.
fn is_returned(
    changes: &[RecordChange<Book>],
    mut ids: Vec<u16>,
    in_order: bool,
    before: &Shelf<Book>,
    after: &Shelf<Book>,
) {
    let mut changes: Vec<_> = changes.iter().map(|change| (Book::id_of(&change.key), change)).collect();
    if !in_order {
        changes.sort_by_key(|(id, _)| *id);
        ids.sort_unstable();
    }
    assert!(changes.iter().map(|(id, _)| *id).eq(ids), "{changes:?}");
    let of = |shelf: &Shelf<Book>, id| shelf.get(id).map(|(book, commit)| (book.clone(), *commit));
    let shown = |handle: &Option<Handle<Book>>| handle.as_ref().map(|book| ((**book).clone(), book.commit()));
    for (id, change) in &changes {
        assert_eq!((shown(&change.before), shown(&change.after)), (of(before, id), of(after, id)));
    }
}

/// Batches of operations that depend on each other, each with whether it is committed leniently.
#[derive(Debug)]
pub struct Collisions(Vec<(bool, Vec<Op<Book>>)>);

/// Random batches over few keys and few unique values.
pub fn collisions() -> impl Strategy<Value = Collisions> {
    vec((prop::bool::weighted(0.8), vec(op(), 1..=14)), 1..8).prop_map(Collisions)
}

impl Collisions {
    /// Commits the batches one after the other, and compares the outcomes and states with the model.
    ///
    /// # Panics
    /// If they differ.
    pub fn run(self) {
        let batches = self.0;
        let plan = plan();
        books::set_schema(&plan);
        let (store, indexes) = (Store::new(), plan.indexes());
        let books = store.collection::<Book>("books").unwrap();
        let mut shelf: Shelf<Book> = Shelf::<Book>::new();
        for (lenient, ops) in &batches {
            let commit = store.newest_commit().next();
            let placed = ops.iter().enumerate().map(|(position, op)| {
                let begin: Option<Commit> = shelf.get(&op.id()).map(|(_, begin)| *begin);
                (position, seen(op, begin), op)
            });
            let placed: Vec<_> = placed.collect();
            let mut batch = store.batch();
            let mut pending = Vec::new();
            for (position, seen, op) in &placed {
                if op.is_by_predicate() {
                    pending.push((*position, op.first.is_some(), op.put_matching(&mut batch, &books).unwrap()));
                } else {
                    put_in_batch(&mut batch, &books, op, *seen).unwrap();
                }
            }
            let before = shelf.clone();
            let mut selected = BTreeMap::new();
            let judgement = Judgement::new(&shelf, &placed, &indexes, commit);
            if *lenient {
                let (applied, refused) = judgement.lenient();
                let report = batch.commit_lenient().unwrap();
                let left_out: Vec<usize> = report.refused.iter().map(|r| r.refusal.position().unwrap()).collect();
                assert!(refused.keys().eq(&left_out), "the model refuses {refused:?}, the store: {:?}", report.refused);
                for of_store in &report.refused {
                    let due = &refused[&of_store.operation.info.position];
                    assert!(is_due(due, of_store.refusal.cause()), "{due:?}, not {}", of_store.refusal);
                }
                let mut dids: Dids = refused.keys().map(|at| (*at, Outcome::Refused)).chain(applied.dids).collect();
                dids.sort_by_key(|(at, _)| *at);
                assert_eq!((&report.outcomes, report.receipt.counts), (&dids, applied.counts));
                if refused.len() < ops.len() {
                    (shelf, selected) = (applied.now, applied.selected);
                }
            } else {
                match (judgement.strict(), batch.commit()) {
                    (Ok(applied), Ok(receipt)) => {
                        assert_eq!(receipt.counts, applied.counts);
                        (shelf, selected) = (applied.now, applied.selected);
                    }
                    (Err((at, due)), Err(refused)) => {
                        let refusal = refused.refusal();
                        let is_it = refusal.position() == Some(at) && is_due(&due, refusal.cause());
                        assert!(is_it, "the model refuses {at} for {due:?}, the store says: {refusal}");
                    }
                    (Ok(_), Err(refused)) => panic!("the model refuses nothing, the store says: {refused}"),
                    (Err(refused), Ok(_)) => panic!("the model refuses {refused:?}"),
                }
            }
            compare::newest(&books, &shelf);
            for (position, in_order, pending) in &pending {
                let expected = selected.get(position);
                assert_eq!(pending.get().map(<[_]>::len), expected.map(Vec::len));
                if let (Some(changes), Some(ids)) = (pending.get(), expected) {
                    is_returned(changes, ids.clone(), *in_order, &before, &shelf);
                }
            }
        }
        store.verify().unwrap();
    }
}
