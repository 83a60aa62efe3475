//! Materialized aggregates: declarations, reads at any commit, queries that use them, adding and dropping them; and
//! random ones, compared with a collection without any.

mod random;

use memdex::aggregate::{DateUnit, MetricValues, Statistics};
use memdex::error::{AggregateDefError, AggregateError, Cause, QueryError, SchemaError};
use memdex::query::Predicate;
use memdex::schema::AggregateDef;
use memdex::{Bucket, Collection, FieldDef, FieldValue, GroupBy, Metric, Record, Schema, Store, field};

#[derive(Clone, Debug, Record)]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(index)]
    status: Status,
    #[record(field)]
    currency: Option<String>,
    #[record(field)]
    amount: i64,
    #[record(field)]
    wide: Option<i128>,
    #[record(unique)]
    code: Option<u8>,
    #[record(field)]
    tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
enum Status {
    Open,
    Paid,
    Void,
}

fn paid(id: u32, status: Status, amount: i64) -> Payment {
    let currency = [None, Some("CHF"), Some("EUR")][id as usize % 3].map(str::to_owned);
    Payment { id, status, currency, amount, wide: None, code: None, tags: Vec::new() }
}

fn bed() -> (Store, Collection<Payment>) {
    let store = Store::new();
    let payments = store.collection("payments").unwrap();
    (store, payments)
}

fn by_status() -> AggregateDef {
    let figures = [Metric::count(), payment::AMOUNT.sum(), payment::AMOUNT.avg(), payment::CURRENCY.distinct()];
    AggregateDef::new(
        "by_status",
        Statistics::of([Metric::count(), payment::AMOUNT.max()])
            .group_by(GroupBy::values(payment::STATUS).metrics(figures)),
    )
}

/// Key, count and sum of each group.
fn rows(figures: &MetricValues) -> Vec<(String, i64, Option<i64>)> {
    let row = |group: &memdex::aggregate::Group| {
        (group.key[0].to_string(), group.int("count").unwrap(), group.int("sum(amount)"))
    };
    figures.groups().iter().map(row).collect()
}

fn row(key: &str, count: i64, sum: i64) -> (String, i64, Option<i64>) {
    (key.to_owned(), count, Some(sum))
}

#[test]
fn each_snapshot_keeps_its_groups() {
    let (store, payments) = bed();
    payments.add_aggregate(by_status()).unwrap();
    assert_eq!((payments.aggregate("by_status").unwrap().int("count"), store.newest_commit().get()), (Some(0), 0));
    store.commit(|batch| (0..4).try_for_each(|id| batch.store(&payments, paid(id, Status::Open, 10)))).unwrap();
    let first = store.snapshot();
    payments.update(0, |payment| payment.status = Status::Paid).unwrap();
    let second = store.snapshot();
    store.commit(|batch| (1..4).try_for_each(|id| batch.delete(&payments, id))).unwrap();
    payments.update(0, |payment| payment.amount = 7).unwrap();

    let now = payments.aggregate("by_status").unwrap();
    assert_eq!(rows(&now), [row("Paid", 1, 7)]);
    assert_eq!(
        (now.int("count"), now.int("max(amount)"), now.commit.get(), now.materialized),
        (Some(1), Some(7), 4, true)
    );
    assert_eq!(now.group("Paid").unwrap().int("distinct(currency)"), Some(0));
    let at = |snapshot: &memdex::Snapshot| rows(&snapshot.of(&payments).aggregate("by_status").unwrap());
    assert_eq!(at(&first), [row("Open", 4, 40)]);
    assert_eq!(at(&second), [row("Open", 3, 30), row("Paid", 1, 10)]);
    let stats = &store.stats().collections[0];
    assert_eq!((stats.aggregates[0].groups, stats.results_retained > 0, stats.memory.aggregates > 0), (1, true, true));
    assert_eq!(store.verify().unwrap().aggregate_groups, 1);
    drop(first);
    assert_eq!(at(&second), [row("Open", 3, 30), row("Paid", 1, 10)]);
    drop(second);
    store.optimize().unwrap();
    assert_eq!(store.stats().collections[0].results_retained, 0);
    store.verify().unwrap();
    payments.delete(0).unwrap();
    assert_eq!(payments.aggregate("by_status").unwrap().groups().len(), 0);
    assert_eq!(store.stats().collections[0].aggregates[0].groups, 0);
    store.verify().unwrap();
}

#[test]
fn an_older_snapshot_computes_from_its_records() {
    let (store, payments) = bed();
    payments.store(paid(1, Status::Open, 5)).unwrap();
    let before = store.snapshot();
    payments.store(paid(1, Status::Paid, 6)).unwrap();
    payments.add_aggregate(by_status()).unwrap();
    let old = before.of(&payments).aggregate("by_status").unwrap();
    assert_eq!((rows(&old), old.materialized, old.commit.get()), (vec![row("Open", 1, 5)], false, 1));
    assert_eq!((old.int("count"), old.int("max(amount)")), (Some(1), Some(5)));
    payments.delete(1).unwrap();
    let old = before.of(&payments).aggregate("by_status").unwrap();
    assert_eq!((rows(&old), old.materialized), (vec![row("Open", 1, 5)], false));
}

#[test]
fn a_matching_query_uses_the_aggregate() {
    let (_store, payments) = bed();
    let big = payment::AMOUNT.gt(3) & payment::CODE.is_null();
    payments.add_aggregate(by_status().when(big.clone())).unwrap();
    for id in 0..9 {
        payments.store(paid(id, [Status::Open, Status::Paid, Status::Void][id as usize % 3], id.into())).unwrap();
    }
    let ask = |filter: Predicate, requested: Statistics| payments.find(filter).statistics(requested).unwrap();
    let groups = || GroupBy::values("status");
    let turned = payment::CODE.is_null() & payment::AMOUNT.gt(3);
    let best = groups().metrics([payment::AMOUNT.sum().named("sum"), Metric::count()]).top(1, "sum");
    let found = ask(turned.into(), best.clone().into());
    assert_eq!((found.materialized, found.groups_in_all(), found.groups().len()), (true, 3, 1));
    let top = &found.groups()[0];
    assert_eq!((top.key[0].to_string(), top.int("sum"), top.int("count")), ("Void".into(), Some(13), Some(2)));
    assert_eq!(ask(big.clone().into(), [payment::AMOUNT.max()].into()).int("max(amount)"), Some(8));
    for (filter, requested) in [
        (Predicate::All, Statistics::from(best.clone())),
        (big.clone().into(), groups().metrics([payment::AMOUNT.stddev()]).into()),
        (big.clone().into(), groups().metrics([payment::AMOUNT.percentile(50.0)]).into()),
        (big.clone().into(), GroupBy::values("currency").metrics([Metric::count()]).into()),
        (big.into(), groups().group_by(GroupBy::values("currency")).into()),
    ] {
        assert!(!ask(filter, requested).materialized);
    }
}

#[test]
fn refused_batches_leave_no_trace() {
    let (store, payments) = bed();
    payments.add_aggregate(by_status()).unwrap();
    payments.add_aggregate(AggregateDef::new("by_currency", GroupBy::values("currency"))).unwrap();
    payments.store(Payment { code: Some(1), ..paid(0, Status::Open, 1) }).unwrap();
    let before = (payments.aggregate("by_status").unwrap().values, store.stats().collections[0].aggregates.clone());
    let taken = Payment { code: Some(1), currency: Some("new".into()), ..paid(1, Status::Void, 2) };
    assert!(matches!(payments.store(taken.clone()).unwrap_err().cause(), Cause::NotUnique { .. }));
    let long = Payment { currency: Some("x".repeat(70_000)), ..paid(1, Status::Void, 2) };
    assert!(matches!(payments.store(long.clone()).unwrap_err().cause(), Cause::ValueTooLong { .. }));
    let now = (payments.aggregate("by_status").unwrap().values, store.stats().collections[0].aggregates.clone());
    assert_eq!(now, before);
    store.verify().unwrap();

    let mut batch = store.batch();
    batch.store(&payments, taken).unwrap();
    batch.store(&payments, paid(2, Status::Paid, 20)).unwrap();
    batch.store(&payments, Payment { id: 3, ..long }).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(report.refused.len(), 2);
    let now = payments.aggregate("by_status").unwrap();
    assert_eq!(rows(&now), [row("Open", 1, 1), row("Paid", 1, 20)]);
    store.verify().unwrap();
}

#[test]
fn an_overflowing_sum_is_an_error_only_when_read() {
    let (store, payments) = bed();
    let figures = [payment::WIDE.sum(), payment::WIDE.avg(), Metric::count()];
    payments.add_aggregate(AggregateDef::new("wide", Statistics::of(figures))).unwrap();
    let wide = |id, wide| Payment { wide: Some(wide), ..paid(id, Status::Open, 0) };
    payments.store(wide(1, i128::MIN)).unwrap();
    payments.store(wide(2, i128::MIN)).unwrap();
    let overflow = payments.aggregate("wide").unwrap_err();
    assert!(
        matches!(&overflow, QueryError::Overflow { metric, field, .. } if metric == "sum(wide)" && field == "wide")
    );
    let requested = payments.find(Predicate::All).statistics([payment::WIDE.avg(), Metric::count()]).unwrap();
    assert_eq!(
        (requested.materialized, requested.int("count"), requested.float("avg(wide)")),
        (true, Some(2), Some(i128::MIN as f64))
    );
    assert_eq!(payments.find(Predicate::All).statistics(payment::WIDE.sum()), Err(overflow));
    payments.store(wide(3, i128::MAX)).unwrap();
    assert!(payments.aggregate("wide").is_err(), "one below the lowest");
    store.verify().unwrap();
    payments.delete(1).unwrap();
    assert_eq!(payments.aggregate("wide").unwrap().int("sum(wide)"), Some(-1));
}

#[test]
fn histograms_and_ranges_have_their_empty_buckets() {
    let (_store, payments) = bed();
    let steps = || GroupBy::new([Bucket::width("amount", 10)]).metrics([Metric::count(), payment::AMOUNT.sum()]);
    let ranges = GroupBy::new([Bucket::ranges("amount", [(None, Some(0)), (Some(0), Some(20)), (Some(30), None)])]);
    payments.add_aggregate(AggregateDef::new("steps", steps().with_empty())).unwrap();
    payments.add_aggregate(AggregateDef::new("ranges", ranges.metrics([Metric::count()]))).unwrap();
    assert_eq!(payments.aggregate("steps").unwrap().groups().len(), 0);
    for (id, amount) in [(1, 5), (2, 31), (3, 25)] {
        payments.store(paid(id, Status::Open, amount)).unwrap();
    }
    let counts = |figures: &MetricValues| -> Vec<(String, i64)> {
        figures.groups().iter().map(|group| (group.key[0].to_string(), group.int("count").unwrap())).collect()
    };
    let found = |name: &str| counts(&payments.aggregate(name).unwrap());
    let named = |of: &[(&str, i64)]| of.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(found("steps"), named(&[("0", 1), ("10", 0), ("20", 1), ("30", 1)]));
    assert_eq!(found("ranges"), named(&[("..0", 0), ("0..20", 1), ("30..", 1)]));
    let requested = payments.find(Predicate::All).statistics(steps()).unwrap();
    assert_eq!((requested.materialized, counts(&requested)), (true, named(&[("0", 1), ("20", 1), ("30", 1)])));
}

fn problem(def: AggregateDef) -> AggregateDefError {
    let (_store, payments) = bed();
    match payments.add_aggregate(def).unwrap_err() {
        AggregateError::Schema { source: SchemaError::Aggregate { source, .. }, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn unsupported_declarations_are_named() {
    let groups = || GroupBy::values("status").metrics([Metric::count()]);
    let reported = problem(AggregateDef::new("a", groups().metrics([field("amount").percentile(50.0)])));
    assert!(
        matches!(&reported, AggregateDefError::Percentile { metric, field, .. } if metric == "percentile(amount, 50)" && field == "amount")
    );
    let reported = problem(AggregateDef::new("a", [payment::TAGS.distinct()]));
    assert!(
        matches!(&reported, AggregateDefError::ManyValues { metric: Some(m), field, .. } if m == "distinct(tags)" && field == "tags")
    );
    let reported = problem(AggregateDef::new("a", GroupBy::values(payment::TAGS)));
    assert!(matches!(&reported, AggregateDefError::ManyValues { metric: None, .. }));
    let reported = problem(AggregateDef::new("a", groups().group_by(GroupBy::values("currency"))));
    assert!(matches!(reported, AggregateDefError::Levels { levels: 2, .. }), "{reported}");
    let overlap = GroupBy::new([Bucket::ranges("amount", [(Some(0), Some(9)), (Some(8), None)])]);
    assert!(matches!(problem(AggregateDef::new("a", overlap)), AggregateDefError::Overlap { .. }));
    assert_eq!(problem(AggregateDef::new("a", Statistics::default())), AggregateDefError::Nothing);
    assert_eq!(problem(AggregateDef::new("", groups())), AggregateDefError::Unnamed);
    for unsound in [
        AggregateDef::new("a", GroupBy::values("height")),
        AggregateDef::new("a", [field("status").sum()]),
        AggregateDef::new("a", groups()).when(field("amount").eq("much")),
        AggregateDef::new("a", GroupBy::new([Bucket::width("amount", 0)])),
        AggregateDef::new("a", GroupBy::new([Bucket::date("amount", DateUnit::Day)])),
        AggregateDef::new("a", groups().top(0, "count")),
    ] {
        assert!(matches!(problem(unsound), AggregateDefError::Query { .. }));
    }
    let fields = || [FieldDef::of::<u32>("id").key(), FieldDef::of::<i64>("n")];
    let twice = Schema::new(fields()).with_aggregate(AggregateDef::new("a", [Metric::count()]));
    let twice = twice.with_aggregate(AggregateDef::new("a", [field("n").sum()]));
    let reported = Store::new().key_values::<u8>("n", twice).unwrap_err().to_string();
    assert!(reported.contains("materialized aggregate \"a\": the name is already taken"), "{reported}");
    let (_store, payments) = bed();
    payments.add_aggregate(by_status()).unwrap();
    assert!(matches!(payments.add_aggregate(by_status()), Err(AggregateError::Schema { .. })));
    let unknown = payments.aggregate("other").unwrap_err();
    assert!(matches!(&unknown, QueryError::UnknownAggregate { known, .. } if known == &["by_status"]), "{unknown}");
    assert!(matches!(payments.drop_aggregate("other"), Err(AggregateError::Unknown { .. })));
    payments.drop_aggregate("by_status").unwrap();
    assert!(payments.aggregate("by_status").is_err() && payments.aggregates().is_empty());
}

#[test]
fn an_unsupported_record_stops_the_build() {
    let (store, payments) = bed();
    payments.store(Payment { currency: Some("x".repeat(70_000)), ..paid(1, Status::Void, 2) }).unwrap();
    let def = AggregateDef::new("a", GroupBy::values("currency"));
    let error = payments.add_aggregate(def.clone()).unwrap_err();
    assert!(matches!(&error, AggregateError::Record { cause, .. } if matches!(**cause, Cause::ValueTooLong { .. })));
    assert!(payments.aggregates().is_empty());
    payments.delete(1).unwrap();
    payments.add_aggregate(def).unwrap();
    store.verify().unwrap();
}

#[test]
fn documents_have_aggregates() {
    let schema = Schema::new([
        FieldDef::of::<u32>("id").key(),
        FieldDef::of::<String>("shop.city").optional(),
        FieldDef::of::<i64>("total").optional(),
    ]);
    let by_city = GroupBy::values("shop.city").metrics([field("total").sum(), field("total").count()]);
    let schema = schema.with_aggregate(AggregateDef::new("by_city", by_city));
    let store = Store::new();
    let values = store.key_values::<&str>("sales", schema.clone()).unwrap();
    assert_eq!(values.aggregates(), schema.aggregates());
    #[cfg(feature = "documents")]
    {
        let sales = store.documents("documents", schema).unwrap();
        for (id, city, total) in [(1, "Bern", 5), (2, "Bern", 6), (3, "Basel", 1)] {
            let text = format!(r#"{{"id": {id}, "shop": {{"city": "{city}"}}, "total": {total}}}"#);
            sales.store(text.parse().unwrap()).unwrap();
        }
        let found = sales.aggregate("by_city").unwrap();
        assert_eq!(found.group("Bern").unwrap().int("sum(total)"), Some(11));
        assert_eq!(found.groups()[0].int("count(total)"), Some(1));
    }
}
