//! Random schemas of collections that refer to each other and to themselves, and random batches, compared with a naive model: after each
//! decision it applies all operations again, one by one, and looks at all records.

use crate::cases::default_cases;
use memdex::error::{Cause, Refusal};
use memdex::query::Predicate;
use memdex::schema::{Check, OnDelete, OnUpdate, Reference};
use memdex::write::Outcome;
use memdex::{Batch, Collection, FieldDef, Filter, KeyValue, Kind, Schema, Store, field};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const FIELDS: [&str; 2] = ["x", "y"];

#[derive(Clone, Copy, Debug)]
struct Edge {
    of: usize,
    field: usize,
    to: usize,
    on_delete: OnDelete,
    on_update: OnUpdate,
}

#[derive(Clone, Debug, PartialEq)]
struct Rec {
    refs: [Option<i64>; 2],
    n: i64,
}

#[derive(Clone, Debug)]
enum Op {
    Insert(usize, i64, Rec),
    Store(usize, i64, Rec),
    Set(usize, i64, usize, Option<i64>),
    Add(usize, i64, i64),
    Delete(usize, i64),
    /// To another key, and perhaps another reference in the first field.
    Rekey(usize, i64, i64, Option<Option<i64>>),
    DeleteWhere(usize, usize, i64),
    SetWhere(usize, usize, i64, Option<i64>),
}

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let actions = (
        select(vec![OnDelete::Restrict, OnDelete::Cascade, OnDelete::SetNull]),
        select(vec![OnUpdate::Restrict, OnUpdate::Cascade]),
    );
    let edge = (0..4_usize, 0..2_usize, 0..4_usize, actions);
    vec(edge, 1..6).prop_map(|edges| {
        let mut known = BTreeSet::new();
        let edges = edges.into_iter().filter(|(of, field, ..)| known.insert((*of, *field)));
        let mut edges: Vec<Edge> =
            edges.map(|(of, field, to, (on_delete, on_update))| Edge { of, field, to, on_delete, on_update }).collect();
        edges.sort_by_key(|edge| (edge.of, edge.field));
        edges
    })
}

fn op() -> impl Strategy<Value = Op> {
    let (at, id, of) = (0..4_usize, 0..5_i64, 0..2_usize);
    let to = || option::weighted(0.6, 0..5_i64);
    let rec = (to(), to(), -1..8_i64).prop_map(|(x, y, n)| Rec { refs: [x, y], n });
    prop_oneof![
        6 => (at.clone(), id.clone(), rec.clone()).prop_map(|(at, id, rec)| Op::Insert(at, id, rec)),
        3 => (at.clone(), id.clone(), rec).prop_map(|(at, id, rec)| Op::Store(at, id, rec)),
        3 => (at.clone(), id.clone(), of.clone(), to()).prop_map(|(at, id, of, to)| Op::Set(at, id, of, to)),
        2 => (at.clone(), id.clone(), -3..3_i64).prop_map(|(at, id, n)| Op::Add(at, id, n)),
        5 => (at.clone(), id.clone()).prop_map(|(at, id)| Op::Delete(at, id)),
        2 => (at.clone(), id.clone(), id.clone(), option::weighted(0.3, to())).prop_map(|(at, id, to, x)| Op::Rekey(at, id, to, x)),
        1 => (at.clone(), of.clone(), id.clone()).prop_map(|(at, of, id)| Op::DeleteWhere(at, of, id)),
        1 => (at, of, id, to()).prop_map(|(at, of, id, to)| Op::SetWhere(at, of, id, to)),
    ]
}

// ---- the model ------------------------------------------------------------------------------------------------------------------------

type Shelf = BTreeMap<(usize, i64), Rec>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KeyExists,
    KeyMissing,
    Check,
    Missing,
    Referred,
}

/// The records that operations have made, each with the operation.
type Made = Vec<(usize, Option<Rec>)>;

struct Applied {
    now: Shelf,
    cascaded: usize,
    refused: BTreeMap<usize, Fault>,
    /// By key, what each operation has left.
    made: BTreeMap<(usize, i64), Made>,
}

struct Model<'a> {
    edges: &'a [Edge],
    before: &'a Shelf,
    ops: &'a [Op],
}

impl Model<'_> {
    fn apply(&self, left_out: &BTreeMap<usize, Vec<Fault>>) -> Applied {
        let (now, refused, made) = (self.before.clone(), BTreeMap::new(), BTreeMap::new());
        let mut applied = Applied { now, cascaded: 0, refused, made };
        for (at, op) in self.ops.iter().enumerate().filter(|(at, _)| !left_out.contains_key(at)) {
            if let Err(fault) = self.step(at, op, &mut applied) {
                applied.refused.insert(at, fault);
            }
        }
        applied
    }

    fn step(&self, at: usize, op: &Op, applied: &mut Applied) -> Result<(), Fault> {
        let has = |applied: &Applied, of, id| applied.now.contains_key(&(of, id));
        match op {
            Op::Insert(of, id, _) if has(applied, *of, *id) => return Err(Fault::KeyExists),
            Op::Insert(of, id, rec) | Op::Store(of, id, rec) => applied.put(at, (*of, *id), Some(rec.clone())),
            Op::Set(of, id, ..) | Op::Add(of, id, _) if !has(applied, *of, *id) => return Err(Fault::KeyMissing),
            Op::Set(of, id, field, to) => applied.change(at, (*of, *id), |rec| rec.refs[*field] = *to),
            Op::Add(of, id, n) => applied.change(at, (*of, *id), |rec| rec.n += n),
            Op::Delete(of, id) => {
                if has(applied, *of, *id) {
                    applied.put(at, (*of, *id), None);
                    self.follow(at, (*of, *id), None, applied);
                }
            }
            Op::Rekey(of, id, to, x) => {
                if !has(applied, *of, *id) {
                    return Err(Fault::KeyMissing);
                }
                let mut rec = applied.now[&(*of, *id)].clone();
                x.iter().for_each(|x| rec.refs[0] = *x);
                if to == id {
                    applied.put(at, (*of, *id), Some(rec));
                    return Ok(());
                }
                if has(applied, *of, *to) {
                    return Err(Fault::KeyExists);
                }
                applied.put(at, (*of, *id), None);
                applied.put(at, (*of, *to), Some(rec));
                self.follow(at, (*of, *id), Some(*to), applied);
            }
            Op::DeleteWhere(of, field, value) => {
                let selected = applied.selected(*of, *field, *value);
                selected.iter().for_each(|key| applied.put(at, *key, None));
                selected.iter().for_each(|key| self.follow(at, *key, None, applied));
            }
            Op::SetWhere(of, field, value, to) => {
                for key in applied.selected(*of, *field, *value) {
                    applied.change(at, key, |rec| rec.refs[*field] = *to);
                }
            }
        }
        Ok(())
    }

    fn follow(&self, at: usize, (parent, id): (usize, i64), to: Option<i64>, applied: &mut Applied) {
        for edge in self.edges.iter().filter(|edge| edge.to == parent) {
            for key in applied.selected(edge.of, edge.field, id) {
                match (to, edge.on_delete, edge.on_update) {
                    (None, OnDelete::Restrict, _) | (Some(_), _, OnUpdate::Restrict) => continue,
                    (None, OnDelete::Cascade, _) => {
                        applied.put(at, key, None);
                        self.follow(at, key, None, applied);
                    }
                    (None, OnDelete::SetNull, _) => applied.change(at, key, |rec| rec.refs[edge.field] = None),
                    (Some(_), _, OnUpdate::Cascade) => applied.change(at, key, |rec| rec.refs[edge.field] = to),
                }
                applied.cascaded += 1;
            }
        }
    }

    /// The operations that made records for which the check is false.
    fn spoilt(&self, applied: &Applied) -> BTreeMap<usize, Fault> {
        let of = |made: &Vec<(usize, Option<Rec>)>| {
            let is_bad = |rec: &Option<Rec>| rec.as_ref().is_some_and(|rec| rec.n < 0);
            made.last().filter(|(_, rec)| is_bad(rec))?;
            made.iter().rev().take_while(|(_, rec)| is_bad(rec)).last().map(|(at, _)| (*at, Fault::Check))
        };
        applied.made.values().filter_map(of).collect()
    }

    fn reference_faults(&self, applied: &Applied) -> Vec<(usize, Fault)> {
        let mut faults = Vec::new();
        for edge in self.edges {
            for ((of, id), rec) in applied.now.iter().filter(|((of, _), _)| *of == edge.of) {
                let Some(to) = rec.refs[edge.field] else { continue };
                if applied.now.contains_key(&(edge.to, to)) {
                    continue;
                }
                let refers = |rec: &Rec| rec.refs[edge.field] == Some(to);
                let since = match (self.before.get(&(*of, *id)), applied.made.get(&(*of, *id))) {
                    (Some(before), _) if refers(before) => None,
                    (_, made) => {
                        made.unwrap().iter().rev().take_while(|(_, rec)| rec.as_ref().is_some_and(refers)).last()
                    }
                };
                let since = since.map(|(at, _)| *at);
                let gone = applied.made.get(&(edge.to, to)).map(|made| made.last().unwrap().0);
                match (since, gone) {
                    (Some(since), gone) if gone.is_none_or(|gone| since >= gone) => {
                        faults.push((since, Fault::Missing))
                    }
                    (_, gone) => faults.push((gone.unwrap(), Fault::Referred)),
                }
            }
        }
        faults
    }

    /// The first operation that references put at fault, with all causes.
    fn first_of_references(&self, applied: &Applied) -> Option<(usize, Vec<Fault>)> {
        let faults = self.reference_faults(applied);
        let first = faults.iter().map(|(at, _)| *at).min()?;
        Some((first, faults.into_iter().filter(|(at, _)| *at == first).map(|(_, fault)| fault).collect()))
    }

    /// The state that a strict commit leaves, or the operation at fault with the causes that its refusal may have.
    fn strict(&self) -> Result<Applied, (usize, Vec<Fault>)> {
        let applied = self.apply(&BTreeMap::new());
        let mut faults = self.spoilt(&applied);
        faults.extend(applied.refused.iter().map(|(at, fault)| (*at, *fault)));
        let first = faults.into_iter().next().map(|(at, fault)| (at, vec![fault]));
        first.or_else(|| self.first_of_references(&applied)).map_or(Ok(applied), Err)
    }

    /// The state that a lenient commit leaves, and the operations that it leaves out with the causes that their refusals may have.
    fn lenient(&self) -> (Applied, BTreeMap<usize, Vec<Fault>>) {
        let mut left_out = BTreeMap::new();
        loop {
            let applied = self.apply(&left_out);
            let first = self.spoilt(&applied).into_iter().next().map(|(at, fault)| (at, vec![fault]));
            match first.or_else(|| self.first_of_references(&applied)) {
                Some((at, faults)) => drop(left_out.insert(at, faults)),
                None => {
                    left_out.extend(applied.refused.iter().map(|(at, fault)| (*at, vec![*fault])));
                    return (applied, left_out);
                }
            }
        }
    }
}

impl Applied {
    fn put(&mut self, at: usize, key: (usize, i64), rec: Option<Rec>) {
        self.made.entry(key).or_default().push((at, rec.clone()));
        match rec {
            Some(rec) => drop(self.now.insert(key, rec)),
            None => drop(self.now.remove(&key)),
        }
    }

    fn change(&mut self, at: usize, key: (usize, i64), change: impl FnOnce(&mut Rec)) {
        let mut rec = self.now[&key].clone();
        change(&mut rec);
        self.put(at, key, Some(rec));
    }

    fn selected(&self, of: usize, field: usize, value: i64) -> Vec<(usize, i64)> {
        let found = self.now.iter().filter(|((at, _), rec)| *at == of && rec.refs[field] == Some(value));
        found.map(|(key, _)| *key).collect()
    }
}

// ---- the engine -----------------------------------------------------------------------------------------------------------------------

type Records = Collection<KeyValue<()>>;

fn record(id: i64, rec: &Rec) -> KeyValue<()> {
    let fields = FIELDS.into_iter().zip(rec.refs).filter_map(|(name, to)| Some((name, to?)));
    fields.fold(KeyValue::new(id, ()).with("n", rec.n), |record, (name, to)| record.with(name, to))
}

fn open(store: &Store, edges: &[Edge], order: &[usize]) -> Vec<Records> {
    let schema = |of: usize| {
        let fields =
            [FieldDef::new("id", Kind::Int).key(), FieldDef::new("x", Kind::Int), FieldDef::new("y", Kind::Int)];
        let schema = Schema::new(fields.into_iter().chain([FieldDef::new("n", Kind::Int).ordered()]));
        let schema = schema.with_check(Check::new(field("n").ge(0)));
        edges.iter().filter(|edge| edge.of == of).fold(schema, |schema, edge| {
            let reference = Reference::new(FIELDS[edge.field], NAMES[edge.to]);
            schema.with_reference(reference.on_delete(edge.on_delete).on_update(edge.on_update))
        })
    };
    order.iter().for_each(|of| drop(store.key_values::<()>(NAMES[*of], schema(*of)).unwrap()));
    (0..4).map(|of| store.key_values(NAMES[of], schema(of)).unwrap()).collect()
}

fn add(batch: &mut Batch, to: &[Records], op: &Op) -> Result<(), Refusal> {
    let set = |field: usize, to: Option<i64>| move |record: &mut KeyValue<()>| record.set_each(FIELDS[field], to);
    let eq = |field: usize, value: i64| Predicate::Eq(FIELDS[field].into(), value.into());
    match op {
        Op::Insert(of, id, rec) => batch.insert(&to[*of], record(*id, rec)),
        Op::Store(of, id, rec) => batch.store(&to[*of], record(*id, rec)),
        Op::Set(of, id, field, value) => batch.update(&to[*of], *id, set(*field, *value)),
        Op::Add(of, id, n) => batch.increment(&to[*of], *id, field("n"), *n),
        Op::Delete(of, id) => batch.delete(&to[*of], *id),
        Op::Rekey(of, id, new, x) => {
            let (new, x) = (*new, *x);
            batch.rekey(&to[*of], *id, new, move |record| {
                let mut moved = KeyValue::new(new, ());
                for name in ["x", "y", "n"] {
                    moved.set_each(name, record.field(name).cloned().collect::<Vec<_>>());
                }
                x.iter().for_each(|x| moved.set_each("x", *x));
                *record = moved;
            })
        }
        Op::DeleteWhere(of, field, value) => batch.delete_where(&to[*of], eq(*field, *value)),
        Op::SetWhere(of, field, value, new) => batch.update_where(&to[*of], eq(*field, *value), set(*field, *new)),
    }
}

fn shelf(collections: &[Records]) -> Shelf {
    let mut shelf = Shelf::new();
    for (of, records) in collections.iter().enumerate() {
        for record in records.find(Filter::all()).fetch().unwrap() {
            let int = |name| record.field(name).next().and_then(|value| value.as_i64());
            let id = record.key().parts()[0].as_i64().unwrap();
            shelf.insert((of, id), Rec { refs: [int("x"), int("y")], n: int("n").unwrap() });
        }
    }
    shelf
}

fn fault(cause: &Cause) -> Fault {
    match cause {
        Cause::KeyExists => Fault::KeyExists,
        Cause::KeyMissing => Fault::KeyMissing,
        Cause::CheckFailed { .. } => Fault::Check,
        Cause::ParentMissing { .. } => Fault::Missing,
        Cause::StillReferred { .. } => Fault::Referred,
        other => panic!("{other:?}"),
    }
}

/// Without records for which the check is false, if a record changes its key: an operation that rests on one of these is judged by rules of
/// its own, which the model of one collection knows.
fn without_spoilt(ops: &[Op]) -> Vec<Op> {
    let mut ops = ops.to_vec();
    if ops.iter().any(|op| matches!(op, Op::Rekey(..))) {
        ops.iter_mut().for_each(|op| match op {
            Op::Insert(.., rec) | Op::Store(.., rec) => rec.n = rec.n.abs(),
            Op::Add(.., n) => *n = n.abs(),
            _ => {}
        });
    }
    ops
}

fn compare(edges: &[Edge], order: &[usize], batches: &[(bool, bool, Vec<Op>)]) {
    let mut store = Store::new();
    let mut collections = open(&store, edges, order);
    let mut now = Shelf::new();
    for (is_lenient, is_in_fork, ops) in batches {
        if *is_in_fork {
            store = store.fork();
            collections = open(&store, edges, order);
        }
        let ops = &if *is_lenient { without_spoilt(ops) } else { ops.clone() };
        let mut batch = store.batch();
        ops.iter().for_each(|op| add(&mut batch, &collections, op).unwrap());
        let model = Model { edges, before: &now, ops };
        now = if *is_lenient {
            let (applied, left_out) = model.lenient();
            let report = batch.commit_lenient().unwrap();
            let refused: BTreeMap<usize, Fault> =
                report.refused.iter().map(|of| (of.refusal.position().unwrap(), fault(of.refusal.cause()))).collect();
            assert!(refused.keys().eq(left_out.keys()), "{refused:?}, not {left_out:?}");
            assert!(refused.iter().all(|(at, fault)| left_out[at].contains(fault)), "{refused:?}, not {left_out:?}");
            let outcomes: BTreeMap<usize, Outcome> = report.outcomes.iter().copied().collect();
            assert_eq!(outcomes.len(), ops.len());
            assert!((0..ops.len()).all(|at| (outcomes[&at] == Outcome::Refused) == left_out.contains_key(&at)));
            if refused.len() < ops.len() {
                assert_eq!(report.receipt.counts.cascaded, applied.cascaded);
            }
            applied.now
        } else {
            match (model.strict(), batch.commit()) {
                (Ok(applied), Ok(receipt)) => {
                    assert_eq!(receipt.counts.cascaded, applied.cascaded);
                    applied.now
                }
                (Err((at, expected)), Err(refused)) => {
                    let refusal = refused.refusal();
                    assert_eq!(refusal.position(), Some(at), "{refusal}");
                    assert!(expected.contains(&fault(refusal.cause())), "{refusal}, not {expected:?}");
                    assert_eq!(refused.into_batch().len(), ops.len());
                    now
                }
                (expected, found) => panic!("{:?} instead of {:?}", found, expected.map(|of| of.now)),
            }
        };
        assert_eq!(shelf(&collections), now);
        store.verify().unwrap();
    }
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn random_batches_leave_what_the_model_leaves(
        edges in edges(),
        order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
        batches in vec((any::<bool>(), weighted(0.1), vec(op(), 1..9)), 1..12),
    ) {
        compare(&edges, &order, &batches);
    }
}
