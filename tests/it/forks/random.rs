//! Random forks of random stores answer like full copies: under random schemas, while all of them are written, forked, rolled back and
//! dropped.

use crate::cases::default_cases;
use memdex::aggregate::Statistics;
use memdex::query::{Find, Predicate};
use memdex::schema::{AggregateDef, IndexKind};
use memdex::write::Checkpoint;
use memdex::{
    Bucket, Collection, FieldDef, Filter, GroupBy, IndexDef, KeyValue, Kind, Metric, Schema, Snapshot, Store, Value,
    field,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

type Row = KeyValue<u8>;

const KEYS: u8 = 24;
const WORDS: [&str; 4] = ["ant", "bee", "", "cat"];

#[derive(Clone, Debug)]
struct Values {
    key: u8,
    value: u8,
    word: Option<usize>,
    number: i64,
    price: Option<f64>,
    code: Option<u8>,
    tags: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Op {
    Store(Values),
    Insert(Values),
    Delete(u8),
    Add(u8, i64),
    Rekey(u8, u8),
    DeleteWhere(Predicate),
    /// The first in an order.
    DeleteFirst(Predicate, bool),
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<Op>, bool),
    Fork(usize),
    Drop(usize),
    Snapshot(usize),
    DropSnapshot(usize),
    Checkpoint(usize),
    Rollback(usize),
    AddIndex(usize, usize),
    DropIndex(usize, usize),
    Optimize(usize),
    Ask(usize, Predicate, Statistics),
}

/// The kinds of the indexes of the fields, and which have columns.
#[derive(Clone, Debug)]
struct Plan(Vec<(Option<IndexKind>, bool)>, bool);

const FIELDS: [&str; 5] = ["word", "number", "price", "code", "tags"];

fn schema(Plan(plan, has_aggregate): &Plan) -> Schema {
    let fields = [
        FieldDef::new("word", Kind::Str).optional(),
        FieldDef::new("number", Kind::Int),
        FieldDef::new("price", Kind::Float).optional(),
        FieldDef::new("code", Kind::Int).optional(),
        FieldDef::new("tags", Kind::Str).many(),
    ];
    let fields = fields.into_iter().zip(plan).map(|(field, (index, column))| {
        let is_many = field.is_many();
        let field = match index {
            None => field,
            Some(IndexKind::Unique) if field.name() == "code" => field.unique(),
            Some(IndexKind::Ordered) => field.ordered(),
            Some(_) => field.index(),
        };
        if *column && !is_many { field.column() } else { field }
    });
    let schema = Schema::new(fields);
    let groups = GroupBy::values("word").metrics([Metric::count(), field("number").sum()]);
    if *has_aggregate { schema.with_aggregate(AggregateDef::new("words", groups)) } else { schema }
}

fn name_of(key: u8) -> String {
    format!("{key:02}")
}

fn record(values: &Values) -> Row {
    let Values { key, value, word, number, price, code, tags } = values;
    let mut row = KeyValue::new(name_of(*key), *value).with("number", *number);
    word.iter().for_each(|word| row.set("word", WORDS[*word]));
    price.iter().for_each(|price| row.set("price", *price));
    code.iter().for_each(|code| row.set("code", i64::from(*code)));
    row.with_each("tags", tags.iter().map(|tag| WORDS[*tag]))
}

/// A fork, or the first store, and a full copy of it.
struct Pair {
    of: [(Store, Collection<Row>); 2],
    snapshots: Vec<[Snapshot; 2]>,
    checkpoints: Vec<[Checkpoint; 2]>,
}

fn shown(row: &Row) -> String {
    let fields = FIELDS.map(|name| row.field(name).cloned().collect::<Vec<Value>>());
    format!("{} {fields:?}", **row)
}

impl Pair {
    fn first(plan: &Plan) -> Pair {
        Pair { of: [(); 2].map(|()| opened(Store::new(), plan)), snapshots: Vec::new(), checkpoints: Vec::new() }
    }

    fn fork(&self, plan: &Plan) -> Pair {
        let [(store, _), (_, copied)] = &self.of;
        let fork = opened(store.fork(), plan);
        let copy = opened(Store::new(), plan);
        let have = |of: &(Store, Collection<Row>)| of.1.indexes();
        let (wanted, present) = (copied.indexes(), have(&copy));
        present.iter().filter(|def| !wanted.contains(def)).for_each(|def| copy.1.drop_index(def.name()).unwrap());
        wanted.iter().filter(|def| !present.contains(def)).for_each(|def| copy.1.add_index(def.clone()).unwrap());
        let write = |batch: &mut memdex::Batch| copied.iter().try_for_each(|row| batch.insert(&copy.1, (*row).clone()));
        copy.0.commit(write).unwrap();
        Pair { of: [fork, copy], snapshots: Vec::new(), checkpoints: Vec::new() }
    }

    fn write(&self, ops: &[Op], lenient: bool) {
        let outcomes = self.of.each_ref().map(|(store, rows)| {
            let mut batch = store.batch();
            for op in ops {
                match op {
                    Op::Store(values) => batch.store(rows, record(values)),
                    Op::Insert(values) => batch.insert(rows, record(values)),
                    Op::Delete(key) => batch.delete(rows, name_of(*key)),
                    Op::Add(key, by) => {
                        let by = *by;
                        batch.update(rows, name_of(*key), move |row: &mut Row| {
                            let number = row.field("number").next().and_then(|n| n.as_i64()).unwrap_or(0);
                            row.set("number", number + by);
                        })
                    }
                    Op::Rekey(from, to) => {
                        let (from, to) = (name_of(*from), name_of(*to));
                        let record = rows.get(&*from).map(|row| row.cloned());
                        match record {
                            None => batch.delete(rows, &*from),
                            Some(row) => batch.delete(rows, &*from).and_then(|()| {
                                let mut moved = KeyValue::new(to, *row);
                                for name in FIELDS {
                                    moved.set_each(name, row.field(name).cloned());
                                }
                                batch.insert(rows, moved)
                            }),
                        }
                    }
                    Op::DeleteWhere(predicate) => batch.delete_where(rows, predicate.clone()),
                    Op::DeleteFirst(predicate, up) => {
                        let order = if *up { field("number").asc() } else { field("price").desc() };
                        batch.matching(rows, predicate.clone()).order_by(order).first(2).delete().map(drop)
                    }
                }
                .unwrap();
            }
            if !lenient {
                return batch.commit().map(|receipt| (format!("{:?}", receipt.counts), Vec::new())).map_err(
                    |refused| {
                        let refusal = refused.into_refusal();
                        (refusal.position(), format!("{:?}", refusal.key()), variant(&refusal))
                    },
                );
            }
            let report = batch.commit_lenient().unwrap();
            let refused = report.refused.iter().map(|of| (of.refusal.position(), variant(&of.refusal))).collect();
            Ok((format!("{:?}", report.receipt.counts), refused))
        });
        assert_eq!(outcomes[0], outcomes[1], "the outcomes of a fork and of a copy");
    }

    fn checkpoint(&mut self) {
        self.checkpoints.push(self.of.each_ref().map(|(store, _)| store.checkpoint().unwrap()));
    }

    fn roll_back(&mut self) {
        let Some(checkpoints) = self.checkpoints.last() else { return };
        let done = [0, 1].map(|at| self.of[at].0.rollback(&checkpoints[at]).map(|r| r.counts.deleted).map_err(|_| ()));
        assert_eq!(done[0].is_ok(), done[1].is_ok());
    }

    fn add_index(&self, at: usize) {
        let defs = [IndexDef::ordered("number"), IndexDef::unique("code"), IndexDef::equality("word")];
        let name = format!("added {at}");
        let added = self.of.each_ref().map(|(_, rows)| rows.add_index(defs[at].clone().named(name.clone())).is_ok());
        assert_eq!(added[0], added[1], "adding {name}");
    }

    fn drop_index(&self, at: usize) {
        let names: Vec<String> = self.of[0].1.indexes().iter().map(|def| def.name().to_owned()).collect();
        assert_eq!(self.of[0].1.indexes(), self.of[1].1.indexes());
        if !names.is_empty() {
            self.of.iter().for_each(|(_, rows)| rows.drop_index(&names[at % names.len()]).unwrap());
        }
    }

    fn ask(&self, predicate: &Predicate, statistics: &Statistics) {
        let of = self.of.each_ref();
        let told = of.map(|(_, rows)| (answers(|| rows.find(predicate.clone()), statistics), by_key(rows)));
        assert_eq!(told[0], told[1], "{predicate:?} {statistics:?}");
        let searched = of.map(|(store, rows)| {
            let hits = store.snapshot().search(predicate.clone()).over(rows).order_by(field("word").asc());
            let hits = hits.limit(7).with_total().fetch().unwrap();
            (hits.total, hits.iter().map(|hit| hit.key().to_string()).collect::<Vec<_>>())
        });
        assert_eq!(searched[0], searched[1]);
        // From the cache of the copy; a fork computes them.
        for _ in 0..2 {
            let cached = of.map(|(_, rows)| {
                let find = rows.cached().find(predicate.clone()).order_by(field("number").desc());
                let keys: Vec<String> = find.fetch().unwrap().iter().map(|row| row.key().to_string()).collect();
                (keys, *find.count().unwrap(), shown_statistics(&find.statistics(statistics.clone()).unwrap()))
            });
            assert_eq!(cached[0], cached[1], "cached: {predicate:?} {statistics:?}");
        }
        let words = of.map(|(_, rows)| rows.aggregate("words").map(|of| shown_statistics(&of)).map_err(|_| ()));
        assert_eq!(words[0], words[1]);
        for snapshots in &self.snapshots {
            let told = [0, 1].map(|at| {
                let view = snapshots[at].of(&self.of[at].1);
                let keys: Vec<_> = (0..KEYS).map(|key| view.get(name_of(key)).map(|row| shown(&row))).collect();
                let words = view.aggregate("words").map(|of| shown_statistics(&of)).map_err(|_| ());
                (answers(|| view.find(predicate.clone()), statistics), keys, view.len(), view.iter().count(), words)
            });
            assert_eq!(told[0], told[1], "at a snapshot: {predicate:?} {statistics:?}");
        }
    }
}

fn variant(refusal: &memdex::error::Refusal) -> String {
    let cause = format!("{:?}", refusal.cause());
    cause.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn opened(store: Store, plan: &Plan) -> (Store, Collection<Row>) {
    let rows = store.key_values("Row", schema(plan)).unwrap();
    (store, rows)
}

fn by_key(rows: &Collection<Row>) -> (usize, Vec<Option<String>>, Vec<bool>) {
    let keys = || (0..KEYS).map(name_of);
    let many = rows.get_many(keys());
    let single: Vec<_> = keys().map(|key| rows.get(key).map(|row| shown(&row))).collect();
    assert!(many.iter().map(|row| row.as_ref().map(|row| shown(row))).eq(single.iter().cloned()));
    (rows.len(), single, keys().map(|key| rows.contains(key)).collect())
}

fn shown_statistics(result: &memdex::aggregate::AggregationResult) -> String {
    let mut groups: Vec<String> = result.groups().iter().map(|group| format!("{group:?}")).collect();
    groups.sort();
    format!("{:?} {groups:?}", result.values)
}

/// What a query says, in every form.
fn answers(find: impl Fn() -> Find<Row>, statistics: &Statistics) -> Vec<String> {
    let mut told = Vec::new();
    let mut all: Vec<String> =
        find().fetch().unwrap().iter().map(|row| format!("{} {}", row.key(), shown(row))).collect();
    all.sort();
    told.extend(all);
    let mut streamed: Vec<String> = find().iter().unwrap().map(|row| row.key().to_string()).collect();
    streamed.sort();
    told.extend(streamed);
    told.push(format!("{} {}", find().count().unwrap(), find().exists().unwrap()));
    for order in [field("number").asc(), field("word").desc(), field("price").asc(), field("code").desc()] {
        let mut after = None;
        loop {
            let mut page = find().order_by([order.clone(), field("number").desc()]).limit(4).with_total();
            if let Some(cursor) = after {
                page = page.after(cursor);
            }
            let page = page.fetch().unwrap();
            told.push(format!(
                "{:?} {:?}",
                page.total,
                page.iter().map(|row| row.key().to_string()).collect::<Vec<_>>()
            ));
            after = page.next.clone();
            if after.is_none() {
                break;
            }
        }
        let first = find().order_by(order).first().unwrap();
        told.push(format!("{:?}", first.map(|row| row.key().to_string())));
    }
    told.push(shown_statistics(&find().statistics(statistics.clone()).unwrap()));
    told
}

// ---- strategies -------------------------------------------------------------------------------------------------------

fn plan() -> impl Strategy<Value = Plan> {
    let kinds = vec![None, Some(IndexKind::Equality), Some(IndexKind::Ordered), Some(IndexKind::Unique)];
    (vec((select(kinds), any::<bool>()), FIELDS.len()), any::<bool>()).prop_map(|(fields, has)| Plan(fields, has))
}

fn values() -> impl Strategy<Value = Values> {
    let price = prop_oneof![Just(None), (0..4_u8).prop_map(|price| Some(f64::from(price) / 2.0))];
    let words = 0..WORDS.len();
    (
        0..KEYS,
        0..3_u8,
        proptest::option::of(words.clone()),
        -3..4_i64,
        price,
        proptest::option::of(0..40_u8),
        vec(words, 0..3),
    )
        .prop_map(|(key, value, word, number, price, code, tags)| Values {
            key,
            value,
            word,
            number,
            price,
            code,
            tags,
        })
}

fn predicate() -> BoxedStrategy<Predicate> {
    let word = || select(&WORDS[..]);
    let leaf = prop_oneof![
        Just(Filter::<Row>::all().into_predicate()),
        word().prop_map(|word| field("word").eq(word)),
        Just(field("word").is_null()),
        word().prop_map(|word| field("tags").any([word])),
        (-3..4_i64).prop_map(|from| field("number").ge(from)),
        (-3..4_i64, 0..4_i64).prop_map(|(from, by)| field("number").between(from, from + by)),
        (0..4_u8).prop_map(|price| field("price").lt(f64::from(price) / 2.0)),
        (0..40_i64).prop_map(|code| field("code").eq(code)),
        vec(0..40_i64, 1..5).prop_map(|codes| field("code").is_in(codes)),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a & b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a | b),
            inner.prop_map(|a| !a),
        ]
    })
    .boxed()
}

fn statistics() -> impl Strategy<Value = Statistics> {
    let metric = prop_oneof![
        Just(Metric::count()),
        Just(field("number").sum()),
        Just(field("number").min()),
        Just(field("price").avg()),
        Just(field("code").max()),
        Just(field("word").distinct()),
        Just(field("number").percentile(50.0)),
        Just(field("word").max()),
    ];
    let by = prop_oneof![
        Just(None),
        select(vec!["word", "number", "code", "tags"]).prop_map(|name| Some(GroupBy::values(name))),
        Just(Some(GroupBy::new([Bucket::width("number", 2)]))),
    ];
    (metric.clone(), by, metric).prop_map(|(total, by, of_group)| match by {
        None => Statistics::of([total]),
        Some(by) => Statistics::of([total]).group_by(by.metrics([of_group])),
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => values().prop_map(Op::Store),
        3 => values().prop_map(Op::Insert),
        3 => (0..KEYS).prop_map(Op::Delete),
        3 => (0..KEYS, -2..3_i64).prop_map(|(key, by)| Op::Add(key, by)),
        1 => (0..KEYS, 0..KEYS).prop_map(|(from, to)| Op::Rekey(from, to)),
        1 => predicate().prop_map(Op::DeleteWhere),
        1 => (predicate(), any::<bool>()).prop_map(|(predicate, up)| Op::DeleteFirst(predicate, up)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<u8>().prop_map(usize::from);
    prop_oneof![
        10 => (at.clone(), vec(op(), 1..6), any::<bool>()).prop_map(|(at, ops, lenient)| Step::Write(at, ops, lenient)),
        4 => at.clone().prop_map(Step::Fork),
        1 => at.clone().prop_map(Step::Drop),
        2 => at.clone().prop_map(Step::Snapshot),
        1 => at.clone().prop_map(Step::DropSnapshot),
        1 => at.clone().prop_map(Step::Checkpoint),
        1 => at.clone().prop_map(Step::Rollback),
        1 => (at.clone(), 0..3_usize).prop_map(|(at, index)| Step::AddIndex(at, index)),
        1 => (at.clone(), any::<u8>()).prop_map(|(at, index)| Step::DropIndex(at, usize::from(index))),
        1 => at.clone().prop_map(Step::Optimize),
        8 => (at, predicate(), statistics()).prop_map(|(at, predicate, statistics)| Step::Ask(at, predicate, statistics)),
    ]
}

fn run(plan: &Plan, first: &[Values], steps: Vec<Step>) {
    let mut pairs = vec![Pair::first(plan)];
    for values in first {
        pairs[0].write(&[Op::Store(values.clone())], true);
    }
    pairs.push(pairs[0].fork(plan));
    for step in steps {
        let some = pairs.len();
        match step {
            Step::Write(at, ops, lenient) => pairs[at % some].write(&ops, lenient),
            Step::Fork(at) if some < 6 => {
                let fork = pairs[at % some].fork(plan);
                pairs.push(fork);
            }
            Step::Fork(_) => {}
            Step::Drop(at) if some > 1 => drop(pairs.remove(at % some)),
            Step::Drop(_) => {}
            Step::Snapshot(at) => {
                let pair = &mut pairs[at % some];
                pair.snapshots.push(pair.of.each_ref().map(|(store, _)| store.snapshot()));
            }
            Step::DropSnapshot(at) => drop(pairs[at % some].snapshots.pop()),
            Step::Checkpoint(at) => pairs[at % some].checkpoint(),
            Step::Rollback(at) => pairs[at % some].roll_back(),
            Step::AddIndex(at, index) => pairs[at % some].add_index(index),
            Step::DropIndex(at, index) => pairs[at % some].drop_index(index),
            Step::Optimize(at) => pairs[at % some].of.iter().for_each(|(store, _)| store.optimize().unwrap()),
            Step::Ask(at, predicate, statistics) => pairs[at % some].ask(&predicate, &statistics),
        }
    }
    for pair in &pairs {
        pair.ask(&Filter::<Row>::all().into_predicate(), &Statistics::of([Metric::count()]));
        for (store, _) in &pair.of {
            store.verify().unwrap();
        }
    }
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn forks_equal_copies(plan in plan(), first in vec(values(), 0..30), steps in vec(step(), 1..30)) {
        run(&plan, &first, steps);
    }
}
