//! Invalid statistics are refused with an error that names the collection and the problem.

use memdex::aggregate::{Aggregate, DateUnit, Statistics};
use memdex::error::{QueryError, StatisticsError};
use memdex::{Bucket, FieldDef, GroupBy, KeyValue, Kind, Metric, Schema, Store, Value, field, limits};

fn refusal(statistics: impl Into<Statistics>) -> QueryError {
    let schema = Schema::new([
        FieldDef::new("shop", Kind::Str).column(),
        FieldDef::new("n", Kind::Int).column(),
        FieldDef::new("big", Kind::Int),
        FieldDef::new("x", Kind::Float),
        FieldDef::new("at", Kind::Timestamp),
        FieldDef::new("day", Kind::Date),
        FieldDef::new("tags", Kind::Str).many(),
    ]);
    let all = Store::new().key_values::<()>("Sale", schema).unwrap();
    for (key, n) in [("a", 0_i64), ("b", 1_000_000_000)] {
        let big = u128::MAX;
        all.store(KeyValue::new(key, ()).with("n", n).with("big", big).with("x", 1.0).with("shop", key)).unwrap();
    }
    let error = all.find(memdex::query::Predicate::All).statistics(statistics).unwrap_err();
    assert!(error.to_string().contains("Sale"), "{error}");
    error
}

fn metric(aggregate: Aggregate) -> QueryError {
    refusal(Metric::from(aggregate))
}

fn bucket(bucket: Bucket) -> QueryError {
    refusal(GroupBy::new([bucket]))
}

fn bad_bucket(given: Bucket) -> StatisticsError {
    source(bucket(given))
}

fn source(error: QueryError) -> StatisticsError {
    match error {
        QueryError::BadBucket { source, .. } | QueryError::BadMetric { source, .. } => *source,
        other => panic!("{other}"),
    }
}

#[test]
fn unknown_and_non_numeric_fields() {
    assert!(matches!(metric(Aggregate::Sum("m".into())), QueryError::UnknownField { field, .. } if field == "m"));
    assert!(matches!(bucket(Bucket::values("m")), QueryError::UnknownField { .. }));
    for name in ["shop", "at"] {
        for aggregate in [
            Aggregate::Sum(name.into()),
            Aggregate::Avg(name.into()),
            Aggregate::StdDev(name.into()),
            Aggregate::StdDevPop(name.into()),
            Aggregate::Percentile(name.into(), 50.0),
        ] {
            let error = metric(aggregate.clone());
            assert!(matches!(&error, QueryError::NotNumeric { purpose, .. } if purpose == aggregate.verb()), "{error}");
        }
    }
    assert!(matches!(metric(Aggregate::Sum("tags".into())), QueryError::NotNumeric { kind: Kind::Str, .. }));
    assert!(matches!(bucket(Bucket::width("tags", 1)), QueryError::NotNumeric { .. }));
    assert!(matches!(bucket(Bucket::width("shop", 1)), QueryError::NotNumeric { kind: Kind::Str, .. }));
    assert!(matches!(bucket(Bucket::date("n", DateUnit::Day)), QueryError::NotNumeric { kind: Kind::Int, .. }));
}

#[test]
fn metric_names() {
    let twice = [field("n").sum(), field("x").sum().named("sum(n)")];
    assert!(matches!(refusal(twice), QueryError::DuplicateMetric { metric, .. } if metric == "sum(n)"));
    let by = || GroupBy::values("shop").metrics([Metric::count()]);
    let error = refusal(by().top(3, "sum(n)"));
    assert!(matches!(&error, QueryError::UnknownMetric { known, .. } if *known == ["count"]), "{error}");
    assert!(matches!(refusal(by().top(0, "count")), QueryError::TopOfNothing { .. }));
    for percent in [-0.5, 100.5, f64::NAN] {
        let error = source(metric(Aggregate::Percentile("n".into(), percent)));
        assert!(matches!(error, StatisticsError::BadPercentile { .. }), "{error}");
    }
}

#[test]
fn invalid_buckets() {
    assert!(matches!(refusal(GroupBy::new([])), QueryError::NoBuckets { .. }));
    assert!(matches!(bucket(Bucket::ranges::<i64>("n", [])), QueryError::NoBuckets { .. }));
    for width in [0, -1] {
        assert!(matches!(bad_bucket(Bucket::width("n", width)), StatisticsError::BadWidth { .. }));
    }
    for width in [0.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(bad_bucket(Bucket::width("x", width)), StatisticsError::BadWidth { .. }));
    }
    assert!(matches!(bad_bucket(Bucket::width_from("x", 1.0, f64::NAN)), StatisticsError::BadWidth { .. }));
    assert!(matches!(bad_bucket(Bucket::width("n", 0.5)), StatisticsError::BadWidth { .. }));
    for (from, to) in [(Some(f64::INFINITY), None), (None, Some(f64::NAN)), (Some(1.2), Some(1.8))] {
        assert!(matches!(bad_bucket(Bucket::ranges("n", [(from, to)])), StatisticsError::BadRange { .. }));
    }
    assert!(matches!(bucket(Bucket::width("n", Value::NULL)), QueryError::WrongKind { .. }));
    assert!(matches!(bad_bucket(Bucket::ranges("n", [(Some(2), Some(1))])), StatisticsError::BadRange { .. }));
    assert!(matches!(bucket(Bucket::ranges("n", [(Some("a"), None)])), QueryError::WrongKind { .. }));
    assert!(matches!(bucket(Bucket::ranges("n", [(Some(Value::NULL), None)])), QueryError::NullOperand { .. }));
    let many = vec![(Some(1), None); limits::MAX_RANGES + 1];
    assert!(matches!(bad_bucket(Bucket::ranges("n", many)), StatisticsError::TooManyRanges { .. }));
    assert!(matches!(
        bad_bucket(Bucket::date_in("at", DateUnit::Day, "Middle/Earth")),
        StatisticsError::UnknownTimeZone { .. } | StatisticsError::TimeZonesNotBuilt { .. }
    ));
    assert!(matches!(bad_bucket(Bucket::date("day", DateUnit::Hour)), StatisticsError::NoTimeOfDay { .. }));
    assert!(matches!(bad_bucket(Bucket::date_in("day", DateUnit::Day, "+01:00")), StatisticsError::DateInZone { .. }));
}

#[test]
fn empty_buckets_need_a_single_histogram() {
    let two = [Bucket::width("n", 1), Bucket::values("shop")];
    for by in [GroupBy::values("shop"), GroupBy::new(two), GroupBy::new([Bucket::ranges("n", [(Some(1), None)])])] {
        assert!(matches!(refusal(by.with_empty()), QueryError::NotAHistogram { .. }));
    }
    let error = source(refusal(GroupBy::new([Bucket::width("n", 1)]).with_empty()));
    assert!(matches!(error, StatisticsError::TooManyBuckets { buckets: 1_000_000_001, .. }), "{error}");
}

#[test]
fn limits_at_the_edge_and_one_beyond() {
    let metrics = |count: usize| (0..count).map(|n| Metric::count().named(format!("{n}"))).collect::<Vec<_>>();
    let levels = |count: usize| (1..count).fold(GroupBy::values("shop"), |by, _| GroupBy::values("shop").group_by(by));
    let parts = |count: usize| GroupBy::new(vec![Bucket::values("shop"); count]);
    let all = Store::new().key_values::<()>("Sale", Schema::new([FieldDef::new("shop", Kind::Str)])).unwrap();
    let find = all.find(memdex::query::Predicate::All);
    find.statistics(Statistics::of(metrics(limits::MAX_METRICS))).unwrap();
    find.statistics(levels(limits::MAX_GROUP_LEVELS)).unwrap();
    find.statistics(parts(limits::MAX_GROUP_PARTS)).unwrap();
    let too_many = |statistics: Statistics, of: &str| {
        assert!(matches!(refusal(statistics), QueryError::TooMany { what, .. } if what.contains(of)), "{of}");
    };
    too_many(Statistics::of(metrics(limits::MAX_METRICS + 1)), "metrics");
    let apart = Statistics::of(metrics(200)).group_by(GroupBy::values("shop").metrics(metrics(57)));
    too_many(apart, "metrics");
    too_many(levels(limits::MAX_GROUP_LEVELS + 1).into(), "levels");
    too_many(parts(limits::MAX_GROUP_PARTS + 1).into(), "parts");
}

#[test]
fn sums_overflow_and_means_do_not() {
    let error = metric(Aggregate::Sum("big".into()));
    assert!(
        matches!(&error, QueryError::Overflow { metric, field, .. } if metric == "sum(big)" && field == "big"),
        "{error}"
    );
    let all = Store::new().key_values::<()>("Sale", Schema::new([FieldDef::new("big", Kind::Int)])).unwrap();
    for key in ["a", "b"] {
        all.store(KeyValue::new(key, ()).with("big", u128::MAX)).unwrap();
    }
    let mean = all.find(memdex::query::Predicate::All).statistics(field("big").avg()).unwrap();
    assert_eq!(mean.float("avg(big)"), Some(u128::MAX as f64));
}

#[test]
fn too_many_groups() {
    let schema = Schema::new([FieldDef::new("n", Kind::Int).column(), FieldDef::new("m", Kind::Int)]);
    let store = Store::new();
    let all = store.key_values::<()>("Sale", schema).unwrap();
    let mut writer = store.writer().bulk_size(10_000);
    for n in 0..2_000_i64 {
        writer.store(&all, KeyValue::new(format!("{n}"), ()).with("n", n).with("m", n)).unwrap();
    }
    writer.flush().unwrap();
    // One group for each range within each value.
    let ranges: Vec<_> = (0..1_000).map(|from| (Some(from), Some(from + 1))).collect();
    for name in ["n", "m"] {
        let by = GroupBy::values(name).group_by(GroupBy::new([Bucket::ranges(name, ranges.clone())]));
        let error = all.find(memdex::query::Predicate::All).statistics(by).unwrap_err();
        assert!(matches!(&error, QueryError::TooManyGroups { fields, .. } if *fields == [name, name]), "{error}");
    }
}

#[test]
fn too_deep_nesting_is_refused() {
    let deep = |levels| (0..levels).fold(GroupBy::values("shop"), |within, _| GroupBy::values("shop").group_by(within));
    let statistics = Statistics::from(deep(100_000));
    let copy = statistics.clone();
    assert!(copy == statistics && copy != Statistics::from(deep(limits::MAX_GROUP_LEVELS - 1)));
    assert!(matches!(refusal(copy), QueryError::TooMany { .. }), "{}", refusal(statistics));
}

#[test]
fn steps_and_bounds_that_make_no_sense() {
    for step in
        [DateUnit::Day.every(0), DateUnit::Year.every(10_001), DateUnit::Day.every(1).offset_seconds(367 * 86_400)]
    {
        for field in ["at", "day"] {
            assert!(matches!(bad_bucket(Bucket::date(field, step)), StatisticsError::BadStep { .. }));
        }
    }
    let half_a_day = DateUnit::Day.every(1).offset_seconds(43_200);
    assert!(matches!(bad_bucket(Bucket::date("day", half_a_day)), StatisticsError::BadStep { .. }));
    for width in [std::time::Duration::ZERO, std::time::Duration::MAX] {
        let bad = Bucket::Width { field: "at".into(), width: width.as_nanos().into(), offset: Value::from(1.5) };
        assert!(matches!(bad_bucket(bad), StatisticsError::BadWidth { .. }));
    }
    let histogram = || GroupBy::from(Bucket::width("n", 10));
    assert!(matches!(source(refusal(histogram().only_between(9, -9))), StatisticsError::BadBounds { .. }));
    let floats = GroupBy::from(Bucket::width("x", 10.0));
    assert!(matches!(source(refusal(floats.with_empty_between(0.0, f64::NAN))), StatisticsError::BadBounds { .. }));
    let many = histogram().with_empty_between(i64::MIN, i64::MAX);
    assert!(matches!(source(refusal(many)), StatisticsError::TooManyBuckets { .. }));
    assert!(matches!(refusal(GroupBy::values("n").only_between(1, 2)), QueryError::NotAHistogram { .. }));
    assert!(matches!(refusal(GroupBy::values("n").with_empty_between(1, 2)), QueryError::NotAHistogram { .. }));
    assert!(matches!(refusal(histogram().only_between("a", "b")), QueryError::WrongKind { .. }));
}

#[test]
fn filters_conditions_and_ratios_of_unknown_things() {
    let unknown = refusal(Metric::count().filter(field("nothing").eq(1)));
    assert!(matches!(&unknown, QueryError::UnknownField { field, .. } if field == "nothing"), "{unknown}");
    assert!(matches!(refusal(Metric::count().filter(field("n").eq("x"))), QueryError::WrongKind { .. }));
    let groups = || GroupBy::values("shop").metrics([Metric::count(), field("shop").max()]);
    let error = refusal(groups().having(field("sum").ge(1)));
    assert!(
        matches!(&error, QueryError::UnknownMetric { metric, known, .. } if metric == "sum" && known.len() == 2),
        "{error}"
    );
    assert!(matches!(refusal(groups().having(field("count").eq("x"))), QueryError::WrongKind { .. }));
    let ratio = |numerator: &'static str, denominator: &'static str| {
        let ratio = || Metric::ratio(numerator, denominator);
        refusal([Metric::count(), field("shop").max(), ratio().named("r"), ratio().named("q")])
    };
    assert!(matches!(ratio("count", "sum"), QueryError::UnknownMetric { .. }));
    assert!(matches!(ratio("count", "r"), QueryError::UnknownMetric { .. }));
    assert!(matches!(ratio("max(shop)", "count"), QueryError::NotNumeric { .. }));
    let filtered = [Metric::count(), Metric::ratio("count", "count").filter(field("n").eq(1))];
    assert_eq!(source(refusal(filtered)), StatisticsError::FilteredRatio);
    let all = Store::new().key_values::<()>("Sale", Schema::new([FieldDef::new("n", Kind::Int)])).unwrap();
    for metric in [field("n").mode(), Metric::count().filter(field("n").eq(1))] {
        let error = all.add_aggregate(memdex::schema::AggregateDef::new("one", [metric])).unwrap_err();
        assert!(error.to_string().contains("can't be maintained"), "{error}");
    }
}
