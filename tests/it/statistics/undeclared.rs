//! Statistics of undeclared paths of documents: by hand, and random ones, which equal those of a typed collection.

use super::random::{DECLARED, JSON_FIELDS, NAMES, Sale, choices, sale, statistics};
use memdex::aggregate::{DateUnit, MetricValues, Statistics};
use memdex::error::{QueryError, StatisticsError};
use memdex::query::Predicate;
use memdex::schema::AggregateDef;
use memdex::{
    Bucket, Collection, Document, FieldDef, Filter, GroupBy, Json, Kind, Metric, Schema, Store, Value, field, json,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn notes(store: &Store, values: &[Json]) -> Collection<Document> {
    let notes = store.documents("Note", Schema::new([FieldDef::new("id", Kind::Int).key()])).unwrap();
    for (id, v) in values.iter().enumerate() {
        notes.store(Document::new(json!({ "id": id, "a": { "v": v } })).unwrap()).unwrap();
    }
    notes
}

fn ask(values: &[Json], requested: impl Into<Statistics>) -> MetricValues {
    notes(&Store::new(), values).find(Filter::all()).statistics(requested).unwrap().values
}

fn v() -> memdex::query::NamedField {
    field("a.v")
}

fn refusal(values: &[Json], requested: impl Into<Statistics>) -> QueryError {
    notes(&Store::new(), values).find(Filter::all()).statistics(requested).unwrap_err()
}

fn metrics() -> [Metric; 10] {
    let named = |metric: Metric, name: &'static str| metric.named(name);
    [
        named(v().count(), "count"),
        named(v().distinct(), "distinct"),
        named(v().min(), "min"),
        named(v().max(), "max"),
        named(v().mode(), "mode"),
        named(v().sum(), "sum"),
        named(v().avg(), "avg"),
        named(v().stddev_pop(), "deviation"),
        named(v().median(), "median"),
        Metric::ratio("sum", "max").named("ratio"),
    ]
}

fn figures(values: &[Json]) -> [Value; 10] {
    let figures = ask(values, metrics());
    ["count", "distinct", "min", "max", "mode", "sum", "avg", "deviation", "median", "ratio"]
        .map(|name| figures.get(name).unwrap().clone())
}

#[test]
fn metrics_take_values_of_all_kinds_and_compute_with_the_numbers() {
    let n = |n: i64| Value::from(n);
    let x = |x: f64| Value::from(x);
    let null = || Value::NULL;
    assert_eq!(
        figures(&[json!(null), json!([]), json!({ "v": 1 })]),
        [n(0), n(0), null(), null(), null(), null(), null(), null(), null(), null()]
    );
    assert_eq!(
        figures(&[json!("b"), json!(true), json!("a"), json!("b")]),
        [n(4), n(3), Value::from(true), Value::from("b"), Value::from("b"), null(), null(), null(), null(), null()]
    );
    // Equal numbers are one value, and a number that is whole is an integer.
    assert_eq!(
        figures(&[json!([5, 5.0, "x"]), json!(2), json!([[4.0]])]),
        [n(5), n(4), n(2), Value::from("x"), n(5), n(16), x(4.0), x(1.5_f64.sqrt()), x(4.5), null()]
    );
    assert_eq!(
        figures(&[json!(4), json!(2.5), json!(1)]),
        [n(3), n(3), n(1), n(4), n(1), x(7.5), x(2.5), x(1.5_f64.sqrt()), x(2.5), x(1.875)]
    );
    let wide = [json!(u64::MAX), json!(u64::MAX), json!(1)];
    assert_eq!(figures(&wide)[5], Value::from(2 * u128::from(u64::MAX) + 1), "exactly");
    assert_eq!(figures(&[json!(3e38), json!(3e38)])[5], x(6e38), "too large for an integer");
    assert_eq!(ask(&[json!(1), json!("a"), json!(3)], v().sum().filter(v().gt(1))).int("sum(a.v)"), Some(3));
}

fn counts(figures: &MetricValues) -> Vec<(Value, i64)> {
    figures.groups().iter().map(|group| (group.key[0].clone(), group.int("count").unwrap())).collect()
}

#[test]
fn groups_are_those_of_equal_values_in_the_order_of_all_kinds() {
    let values =
        [json!(5), json!(5.0), json!([5, "x", "x"]), json!("x"), json!(4.5), json!(false), json!(null), json!({})];
    let by_value = || GroupBy::values("a.v").metrics([Metric::count()]);
    let expected =
        [(Value::NULL, 2), (Value::from(false), 1), (Value::from(4.5), 1), (Value::from(5), 3), (Value::from("x"), 2)];
    assert_eq!(counts(&ask(&values, by_value())), expected);
    let named = GroupBy::from(Bucket::values_or("a.v", 5.0)).metrics([Metric::count()]);
    assert_eq!(counts(&ask(&values, named))[2], (Value::from(5), 5), "the name of missing values is also a value");
    let within = GroupBy::values("a.v").metrics([Metric::count()]).group_by(by_value());
    assert_eq!(counts(&ask(&values, within).groups()[3]), [(Value::from(5), 3), (Value::from("x"), 1)]);
    let top = GroupBy::values("id").metrics([v().max(), Metric::count()]).top(2, "max(a.v)");
    let ids: Vec<Value> = ask(&values, top).groups().iter().map(|group| group.key[0].clone()).collect();
    assert_eq!(ids, [2, 3].map(Value::from), "strings are above numbers");
}

#[test]
fn buckets_of_numbers_leave_out_other_values() {
    let values = [json!([-0.5, 7, "x"]), json!(2.5), json!(3), json!("4"), json!(true), json!(1e300), json!(null)];
    let by = |bucket| GroupBy::from(bucket).metrics([Metric::count()]);
    let whole = [(Value::from(-2), 1), (Value::from(2), 2), (Value::from(4), 0), (Value::from(6), 1)];
    assert_eq!(
        counts(&ask(&values, by(Bucket::width("a.v", 2)))),
        [whole[0].clone(), whole[1].clone(), whole[3].clone()]
    );
    let filled = by(Bucket::width("a.v", 2)).with_empty_between(1.5, 7.5).only_between(1.5, 7.5);
    assert_eq!(
        counts(&ask(&values, filled)),
        [(Value::from(0), 0)].into_iter().chain(whole[1..].to_vec()).collect::<Vec<_>>()
    );
    let halves = by(Bucket::width_from("a.v", 2.5, 0));
    let expected = [(-2.5, 1), (2.5, 2), (5.0, 1)].map(|(key, count)| (Value::from(key), count));
    assert_eq!(counts(&ask(&values[..5], halves)), expected);
    let ranges = by(Bucket::ranges("a.v", [(None, Some(3)), (Some(3), None), (Some(2), Some(3))]));
    let expected = [("..3", 2), ("3..", 3), ("2..3", 1)].map(|(key, count)| (Value::from(key), count));
    assert_eq!(counts(&ask(&values, ranges)), expected);
    // 2^53 + 1 is no float.
    let wide = [json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)];
    let ranges =
        by(Bucket::ranges("a.v", [(Some(0.5), Some(9_007_199_254_740_994.0)), (Some(9_007_199_254_740_993.5), None)]));
    assert_eq!(ask(&wide, ranges).groups()[0].int("count"), Some(2));
}

#[test]
fn conditions_on_groups_take_metrics_of_any_kind() {
    let values = [json!(5), json!("x"), json!(2.5)];
    let having = |condition: Predicate| {
        let by_id = GroupBy::values("id").metrics([v().max(), v().sum(), Metric::count()]).having(condition);
        let groups = ask(&values, by_id);
        groups.groups().iter().map(|group| group.key[0].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(having(field("max(a.v)").gt(2)), "0 2");
    assert_eq!(having(field("max(a.v)").eq("x")), "1");
    assert_eq!(having(field("sum(a.v)").is_null() & field("count").eq(1)), "1");
    assert_eq!(having(!field("sum(a.v)").eq(5.0)), "1 2");
    let unknown = GroupBy::values("id").metrics([v().max()]).having(field("min(a.v)").gt(1));
    assert!(matches!(refusal(&values, unknown), QueryError::UnknownMetric { metric, .. } if metric == "min(a.v)"));
    let element = Predicate::elem_match("max(a.v)", field("x").eq(1));
    for metric in [v().max(), v().count().named("max(a.v)")] {
        let list = GroupBy::values("id").metrics([metric]).having(!element.clone());
        assert!(matches!(refusal(&values, list), QueryError::NoElements { .. }));
    }
    let wrong = GroupBy::values("id").metrics([v().max(), Metric::count()]).having(field("count").gt("x"));
    assert!(matches!(refusal(&values, wrong), QueryError::WrongKind { .. }));
}

#[test]
fn what_needs_a_kind_must_be_declared() {
    let error = refusal(&[], GroupBy::from(Bucket::date("a.v", DateUnit::Day)));
    assert!(matches!(&error, QueryError::BadBucket { source, .. } if **source == StatisticsError::UndeclaredTimes));
    assert!(error.to_string().contains("declare it in the schema, as a timestamp"), "{error}");
    let error = refusal(&[], GroupBy::from(Bucket::ranges("a.v", [(Some("a"), None)])));
    assert!(matches!(error, QueryError::WrongKind { .. }), "{error}");
    let error = refusal(&[], GroupBy::from(Bucket::width("a.v", 0)));
    assert!(matches!(error, QueryError::BadBucket { .. }), "{error}");

    let store = Store::new();
    let notes = notes(&store, &[json!(1)]);
    let error = notes.add_aggregate(AggregateDef::new("sums", [v().sum()])).unwrap_err();
    assert!(error.to_string().contains("can't be used for a materialized aggregate: declare it"), "{error}");

    // Of several collections, all declare a field, with one kind, or none does.
    let declaring = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("a.v", Kind::Int)]);
    let others = store.documents("Other", declaring).unwrap();
    others.store(Document::new(json!({ "id": 1, "a": { "v": 2 } })).unwrap()).unwrap();
    let both = store.snapshot().search(Predicate::All).over(&notes).over(&others);
    let error = both.statistics(v().sum()).unwrap_err();
    assert!(matches!(&error, QueryError::UndeclaredField { collection, .. } if collection == "Note"), "{error}");
    assert!(error.to_string().contains("\"Other\", which declares it"), "{error}");
    assert_eq!(both.statistics(field("b").count()).unwrap().int("count(b)"), Some(0));
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<(u32, u64)>),
    Delete(u32),
    Ask(usize, Box<Statistics>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => vec((0u32..60, any::<u64>()), 1..20).prop_map(Step::Put),
        1 => (0u32..60).prop_map(Step::Delete),
        4 => (0..choices().len(), statistics(JSON_FIELDS)).prop_map(|(choice, asked)| Step::Ask(choice, Box::new(asked))),
    ];
    vec(step, 1..12)
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn random_statistics_of_undeclared_paths_equal_those_of_typed_fields(
        rows in 0u32..200,
        seed in any::<u64>(),
        steps in steps(),
    ) {
        let store = Store::new();
        DECLARED.set((vec![false; NAMES.len()], vec![false; NAMES.len()]));
        let typed: Collection<Sale> = store.collection("typed").unwrap();
        let schema = Schema::new([FieldDef::new("id", Kind::Int).key()]);
        let documents = store.documents("documents", schema).unwrap();
        let put = |sales: &BTreeMap<u32, u64>| store.commit(|batch| sales.iter().try_for_each(|(id, bits)| {
            let sale = sale(*id, *bits);
            batch.store(&documents, Document::new(sale.json()).unwrap())?;
            batch.store(&typed, sale)
        })).unwrap();
        put(&(0..rows).map(|id| (id, seed ^ u64::from(id) << 20)).collect());
        for step in steps {
            match step {
                Step::Put(sales) => {
                    put(&sales.into_iter().collect());
                }
                Step::Delete(id) => {
                    if typed.contains(id) {
                        store.commit(|batch| batch.delete(&typed, id).and_then(|()| batch.delete(&documents, id))).unwrap();
                    }
                }
                Step::Ask(choice, requested) => {
                    let predicate = &choices()[choice].0;
                    let snapshot = store.snapshot();
                    let known = snapshot.of(&typed).find(predicate.clone()).statistics((*requested).clone()).unwrap();
                    let found = snapshot.of(&documents).find(predicate.clone()).statistics((*requested).clone()).unwrap();
                    // Hits name their collections.
                    let found = format!("{:?}", found.values).replace("\"documents\"", "\"typed\"");
                    prop_assert_eq!(found, format!("{:?}", known.values), "{:?}", requested);
                }
            }
        }
    }
}
