//! Each metric and each bucket on data that is small enough to compute by hand, with and without columns.

use memdex::aggregate::{Aggregate, DateUnit, MetricValues, Statistics};
use memdex::schema::AggregateDef;
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{
    Bucket, Collection, FieldDef, Filter, GroupBy, KeyValue, Kind, Metric, Record, Schema, Store, Timestamp, Value,
    field,
};
use std::time::Duration;

type Records = Collection<KeyValue<()>>;

fn schema(columns: bool) -> Schema {
    let fields = [
        FieldDef::new("shop", Kind::Str),
        FieldDef::new("n", Kind::Int),
        FieldDef::new("x", Kind::Float),
        FieldDef::new("price", Kind::Decimal),
        FieldDef::new("at", Kind::Timestamp),
        FieldDef::new("day", Kind::Date),
        FieldDef::new("open", Kind::Bool),
        FieldDef::new("mark", Kind::Char),
        FieldDef::new("id", Kind::Uuid),
        FieldDef::new("raw", Kind::Bytes),
    ];
    let fields = fields.map(|field| if columns { field.column() } else { field });
    let many = [FieldDef::new("tags", Kind::Str).many().index(), FieldDef::new("marks", Kind::Int).many()];
    Schema::new(fields.into_iter().chain(many))
}

/// Runs the same query on a collection with columns and on one without, and returns the common result.
pub(super) fn ask(records: &[KeyValue<()>], statistics: impl Into<Statistics>) -> MetricValues {
    let (store, statistics) = (Store::new(), statistics.into());
    let answers = [true, false].map(|columns| {
        let all: Records = store.key_values(&format!("columns: {columns}"), schema(columns)).unwrap();
        store.commit(|batch| records.iter().try_for_each(|record| batch.store(&all, record.clone()))).unwrap();
        let summary = all.find(memdex::query::Predicate::All).statistics(statistics.clone()).unwrap();
        assert!(!summary.materialized);
        summary.values
    });
    assert_eq!(answers[0], answers[1]);
    let [figures, _] = answers;
    figures
}

pub(super) fn record(key: usize) -> KeyValue<()> {
    KeyValue::new(format!("r-{key}"), ())
}

fn ints(values: impl IntoIterator<Item = impl Into<Value>>) -> Vec<KeyValue<()>> {
    values.into_iter().enumerate().map(|(key, n)| record(key).with("n", n)).collect()
}

fn keys(figures: &MetricValues) -> Vec<String> {
    let text = |key: &Vec<Value>| key.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" ");
    figures.groups().iter().map(|group| text(&group.key)).collect()
}

pub(super) fn counts(figures: &MetricValues) -> Vec<(String, i64)> {
    keys(figures).into_iter().zip(figures.groups().iter().map(|group| group.int("count").unwrap())).collect()
}

pub(super) fn named(counts: &[(&str, i64)]) -> Vec<(String, i64)> {
    counts.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

#[test]
fn metrics_of_integers() {
    let n = || field("n");
    let mut records = ints([2, 4, 4, 4, 5, 5, 7, 9]);
    records.push(record(8));
    let all = [
        Metric::count(),
        n().count(),
        n().sum(),
        n().avg(),
        n().min(),
        n().max(),
        n().stddev_pop(),
        n().stddev().named("of a sample"),
        n().distinct(),
        n().percentile(50.0),
        n().percentile(90.0),
    ];
    let figures = ask(&records, all);
    assert_eq!((figures.int("count"), figures.int("count(n)")), (Some(9), Some(8)));
    assert_eq!((figures.int("sum(n)"), figures.float("avg(n)")), (Some(40), Some(5.0)));
    assert_eq!((figures.int("min(n)"), figures.int("max(n)")), (Some(2), Some(9)));
    assert_eq!(figures.float("stddev_pop(n)"), Some(2.0));
    assert_eq!(figures.float("of a sample"), Some((32.0_f64 / 7.0).sqrt()));
    assert_eq!((figures.int("distinct(n)"), figures.float("percentile(n, 50)")), (Some(5), Some(4.5)));
    assert_eq!(figures.float("percentile(n, 90)"), Some(7.0 + 2.0 * 0.3));
    assert_eq!(figures.metrics().len(), 11);
    assert_eq!(figures.get("sum(x)"), None);
}

#[test]
fn without_values_only_counts_exist() {
    let n = || field("n");
    let all = [Metric::count(), n().count(), n().distinct(), n().sum(), n().avg(), n().min(), n().max()];
    let more = [n().stddev(), n().stddev_pop(), n().percentile(0.0)];
    let requested = Statistics::of(all.into_iter().chain(more));
    for records in [vec![], vec![record(1)]] {
        let figures = ask(&records, requested.clone());
        let values: Vec<&Value> = figures.metrics().map(|(_, value)| value).collect();
        let zero = Value::from(0);
        assert_eq!(values[0], &Value::from(records.len()));
        assert!(values[1..3].iter().all(|value| **value == zero));
        assert!(values[3..].iter().all(|value| **value == Value::NULL), "{values:?}");
        assert!(figures.groups().is_empty());
    }
    let one = ask(&ints([7]), requested);
    assert_eq!((one.get("stddev(n)"), one.float("stddev_pop(n)")), (Some(&Value::NULL), Some(0.0)));
}

#[test]
fn integers_of_any_width() {
    let n = || field("n");
    let figures = ask(&ints([i64::MAX, i64::MAX, i64::MIN]), [n().sum(), n().min(), n().max(), n().distinct()]);
    assert_eq!(figures.get("sum(n)"), Some(&Value::from(i64::MAX - 1)));
    assert_eq!((figures.int("min(n)"), figures.int("max(n)")), (Some(i64::MIN), Some(i64::MAX)));
    assert_eq!(figures.int("distinct(n)"), Some(2));
    let wide = [Value::from(u128::MAX), Value::from(1), Value::from(-1), Value::from(i128::MIN)];
    let figures = ask(&ints(wide), [n().sum(), n().min(), n().max(), n().percentile(0.0), n().distinct()]);
    assert_eq!(figures.get("sum(n)"), Some(&Value::from((1_u128 << 127) - 1)));
    assert_eq!(figures.get("min(n)"), Some(&Value::from(i128::MIN)));
    assert_eq!(figures.get("max(n)"), Some(&Value::from(u128::MAX)));
    assert_eq!(figures.float("percentile(n, 0)"), Some(i128::MIN as f64));
    assert_eq!(figures.int("distinct(n)"), Some(4));
    let beyond_floats = ask(&ints([(1_i64 << 53) + 7, (1 << 53) + 3]), [n().percentile(75.0)]);
    assert_eq!(beyond_floats.float("percentile(n, 75)"), Some(((1_i64 << 53) + 6) as f64));
    let by_value = ask(&ints(wide_again()), GroupBy::values("n").metrics([Metric::count()]));
    assert_eq!(counts(&by_value).last().unwrap().1, 2, "{by_value:?}");
}

fn wide_again() -> Vec<Value> {
    vec![Value::from(u128::MAX), Value::from(u128::MAX), Value::from(i64::MAX), Value::from(0)]
}

#[test]
fn float_sums_are_exact_and_nan_propagates() {
    let floats = |values: &[f64]| -> Vec<KeyValue<()>> {
        values.iter().enumerate().map(|(key, x)| record(key).with("x", *x)).collect()
    };
    let x = || field("x");
    let figures = ask(&floats(&[1e100, 1.0, -1e100, 0.1, 0.2, -0.0]), [x().sum(), x().avg(), x().distinct()]);
    assert_eq!((figures.float("sum(x)"), figures.float("avg(x)")), (Some(1.3), Some(1.3 / 6.0)));
    let with_nan = ask(&floats(&[1.0, f64::NAN, -3.0]), [x().sum(), x().min(), x().max(), x().percentile(0.0)]);
    assert!(with_nan.float("sum(x)").unwrap().is_nan() && with_nan.float("max(x)").unwrap().is_nan());
    assert_eq!((with_nan.float("min(x)"), with_nan.float("percentile(x, 0)")), (Some(-3.0), Some(-3.0)));
    let groups = ask(&floats(&[0.0, -0.0, f64::NAN, -f64::NAN]), GroupBy::values("x").metrics([Metric::count()]));
    assert_eq!(counts(&groups), named(&[("0.0", 2), ("NaN", 2)]));
}

#[test]
fn decimals_are_exact() {
    let price = |text: &str| text.parse::<DecimalValue>().unwrap();
    let prices = ["0.10", "0.20", "12.345", "-7"];
    let records: Vec<_> = prices.iter().enumerate().map(|(key, p)| record(key).with("price", price(p))).collect();
    let p = || field("price");
    let figures = ask(&records, [p().sum(), p().avg(), p().min(), p().max(), p().percentile(50.0)]);
    assert_eq!(figures.get("sum(price)"), Some(&price("5.645").into()));
    assert_eq!(
        (figures.get("avg(price)"), figures.float("avg(price)")),
        (Some(&price("1.41125").into()), Some(1.41125))
    );
    let third = ask(&records[..3], [p().avg()]);
    assert_eq!(third.get("avg(price)"), Some(&price("4.215").into()));
    assert_eq!(
        ask(&records[1..], [p().avg()]).get("avg(price)"),
        Some(&price("1.8483333333333333333333333333").into())
    );
    assert_eq!(figures.get("min(price)"), Some(&price("-7").into()));
    assert_eq!(figures.get("max(price)"), Some(&price("12.345").into()));
    assert_eq!(figures.float("percentile(price, 50)"), Some(0.15));
    let steps = ask(&records, GroupBy::new([Bucket::width("price", price("0.15"))]).metrics([Metric::count()]));
    assert_eq!(counts(&steps), named(&[("-7.05", 1), ("0", 1), ("0.15", 1), ("12.3", 1)]));
}

#[test]
fn min_and_max_of_every_kind() {
    let records = [
        record(0)
            .with("shop", "b")
            .with("open", true)
            .with("mark", 'z')
            .with("id", ValueRef::Uuid([7; 16]))
            .with("raw", &b"x"[..])
            .with("day", ValueRef::Date(5))
            .with("at", Timestamp::from_micros(9)),
        record(1)
            .with("shop", "a")
            .with("open", false)
            .with("mark", 'é')
            .with("id", ValueRef::Uuid([3; 16]))
            .with("raw", &b""[..])
            .with("day", ValueRef::Date(-5))
            .with("at", ValueRef::Timestamp(i128::MAX)),
        record(2),
    ];
    for name in ["shop", "open", "mark", "id", "raw", "day", "at"] {
        let [least, most] = [field(name).min(), field(name).max()].map(|metric| metric.named("it"));
        let values = [least, most].map(|metric| ask(&records, metric).get("it").unwrap().clone());
        assert!(values[0] < values[1] && values[0] != Value::NULL, "{name}: {values:?}");
        let distinct = ask(&records, [field(name).distinct().named("d"), field(name).count().named("c")]);
        assert_eq!((distinct.int("d"), distinct.int("c")), (Some(2), Some(2)), "{name}");
    }
}

#[test]
fn groups_by_value_with_missing_values_first() {
    let shops = [Some("b"), Some("a"), None, Some("a"), None];
    let records: Vec<_> =
        shops.iter().enumerate().map(|(key, shop)| record(key).with_each("shop", *shop).with("n", key)).collect();
    let by_shop = || GroupBy::values("shop").metrics([Metric::count(), field("n").sum()]);
    let figures = ask(&records, Statistics::of([Metric::count()]).group_by(by_shop()));
    assert_eq!(counts(&figures), named(&[("null", 2), ("\"a\"", 2), ("\"b\"", 1)]));
    assert_eq!((figures.int("count"), figures.groups_in_all()), (Some(5), 3));
    assert_eq!(figures.group("a").unwrap().int("sum(n)"), Some(4));
    assert_eq!(figures.group(Value::NULL).unwrap().int("sum(n)"), Some(6));
    assert!(figures.group("c").is_none());

    let top = ask(&records, by_shop().top(2, "sum(n)"));
    assert_eq!((keys(&top), top.groups_in_all()), (vec!["null".to_owned(), "\"a\"".to_owned()], 3));
    let ties = ask(&records, by_shop().bottom(2, "count"));
    assert_eq!(keys(&ties), ["\"b\"", "null"]);
    let all = ask(&records, by_shop().top(9, "count"));
    assert_eq!(keys(&all), ["null", "\"a\"", "\"b\""], "ties by key");
}

#[test]
fn ranges_may_overlap_and_be_empty() {
    let ranges = [(None, Some(10)), (Some(5), Some(15)), (Some(100), Some(200)), (Some(15), None)];
    let records = ints([1, 5, 9, 10, 15, 99]);
    let figures =
        ask(&records, GroupBy::new([Bucket::ranges("n", ranges)]).metrics([Metric::count(), field("n").max()]));
    let expected = [("\"..10\"", 3), ("\"5..15\"", 3), ("\"100..200\"", 0), ("\"15..\"", 2)];
    assert_eq!(counts(&figures), named(&expected));
    assert_eq!(figures.groups()[2].get("max(n)"), Some(&Value::NULL));
    let within =
        GroupBy::values("shop").group_by(GroupBy::new([Bucket::ranges("n", ranges)]).metrics([Metric::count()]));
    assert_eq!(counts(&ask(&records, within).groups()[0]), named(&expected), "in each group");
    let apart = [(Some("a"), Some("b")), (Some("b"), Some("c"))];
    let names = [record(0).with("shop", "a"), record(1).with("shop", "bcd"), record(2).with("shop", "z")];
    let by_name = ask(&names, GroupBy::new([Bucket::ranges("shop", apart)]).metrics([Metric::count()]));
    assert_eq!(counts(&by_name), named(&[("\"a..b\"", 1), ("\"b..c\"", 1)]));
}

#[test]
fn histograms_with_empty_buckets() {
    let by = |bucket: Bucket| GroupBy::new([bucket]).metrics([Metric::count()]);
    let records = ints([-1, 0, 9, 10, 41]);
    let figures = ask(&records, by(Bucket::width("n", 10)));
    assert_eq!(counts(&figures), named(&[("-10", 1), ("0", 2), ("10", 1), ("40", 1)]));
    let moved = ask(&records, by(Bucket::width_from("n", 10, 5)).with_empty());
    assert_eq!(counts(&moved), named(&[("-5", 2), ("5", 2), ("15", 0), ("25", 0), ("35", 1)]));
    assert_eq!(moved.groups_in_all(), 5);
    let floats: Vec<_> =
        [0.5, 1.75, f64::INFINITY].into_iter().enumerate().map(|(k, x)| record(k).with("x", x)).collect();
    let figures = ask(&floats, by(Bucket::width("x", 0.5)).with_empty());
    assert_eq!(counts(&figures), named(&[("0.5", 1), ("1.0", 0), ("1.5", 1)]));
}

#[test]
fn calendar_units_of_times_and_dates() {
    let by = |field: &'static str, unit, zone: &'static str| {
        GroupBy::new([Bucket::date_in(field, unit, zone)]).metrics([Metric::count()])
    };
    let at = |text| Value::from_text(Kind::Timestamp, text).unwrap();
    let times = ["2026-01-31T23:30:00Z", "2026-02-01T00:10:00Z", "2026-03-01T12:00:00Z"];
    let records: Vec<_> = times.iter().enumerate().map(|(key, time)| record(key).with("at", at(time))).collect();
    let days = ask(&records, by("at", DateUnit::Day, "UTC"));
    let first = ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"];
    assert_eq!(counts(&days), named(&first.map(|day| (day, 1))));
    let months = ask(&records, by("at", DateUnit::Month, "+02:00"));
    assert_eq!(counts(&months), named(&[("2026-01-31T22:00:00Z", 2), ("2026-02-28T22:00:00Z", 1)]));
    let quarters = ask(&records, by("at", DateUnit::Quarter, "UTC").with_empty());
    assert_eq!(counts(&quarters), named(&[("2026-01-01T00:00:00Z", 3)]));
    let hours = ask(&records, by("at", DateUnit::Hour, "UTC").with_empty());
    assert_eq!(hours.groups().len(), 1 + 28 * 24 + 13);

    let day = |text| Value::from_text(Kind::Date, text).unwrap();
    let dates: Vec<_> =
        ["2026-01-04", "2026-01-05"].iter().enumerate().map(|(key, date)| record(key).with("day", day(date))).collect();
    let weeks = ask(&dates, by("day", DateUnit::Week, "UTC"));
    assert_eq!(counts(&weeks), named(&[("2025-12-29", 1), ("2026-01-05", 1)]));
}

#[cfg(feature = "time-zones")]
#[test]
fn a_day_in_a_time_zone_may_have_23_hours() {
    let at = |text| Value::from_text(Kind::Timestamp, text).unwrap();
    let records: Vec<_> =
        ["2026-03-28T22:59:00Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:00Z", "2026-03-29T22:00:00Z"]
            .iter()
            .enumerate()
            .map(|(key, time)| record(key).with("at", at(time)))
            .collect();
    let by_day = GroupBy::new([Bucket::date_in("at", DateUnit::Day, "Europe/Zurich")]).metrics([Metric::count()]);
    let expected = [("2026-03-27T23:00:00Z", 1), ("2026-03-28T23:00:00Z", 2), ("2026-03-29T22:00:00Z", 1)];
    assert_eq!(counts(&ask(&records, by_day)), named(&expected));
}

#[test]
fn nested_groups() {
    let records: Vec<_> = (0..12_i64)
        .map(|n| record(n as usize).with("shop", ["a", "b"][(n % 2) as usize]).with("open", n % 3 == 0).with("n", n))
        .collect();
    let inner = GroupBy::new([Bucket::values("open")]).metrics([field("n").sum()]).top(1, "sum(n)");
    let figures = ask(&records, GroupBy::values("shop").metrics([Metric::count()]).group_by(inner));
    assert_eq!(counts(&figures), named(&[("\"a\"", 6), ("\"b\"", 6)]));
    let a = figures.group("a").unwrap();
    // 2 + 4 + 8 + 10 against 0 + 6.
    assert_eq!((a.groups()[0].key[0].clone(), a.groups()[0].int("sum(n)")), (Value::from(false), Some(24)));
    assert_eq!((a.groups().len(), a.groups_in_all()), (1, 2));
    let tuples =
        GroupBy::new([Bucket::values("shop"), Bucket::width("n", 6)]).metrics([Metric::from(Aggregate::Count)]);
    let figures = ask(&records, tuples);
    assert_eq!(keys(&figures), ["\"a\" 0", "\"a\" 6", "\"b\" 0", "\"b\" 6"]);
}

#[cfg(feature = "serde")]
#[test]
fn results_serialize() {
    let records = [record(0).with("shop", "a").with("n", 2), record(1).with("n", 3)];
    let figures =
        ask(&records, Statistics::of([Metric::count()]).group_by(GroupBy::values("shop").metrics([field("n").sum()])));
    let text = serde_json::to_string(&figures).unwrap();
    assert!(text.starts_with(r#"{"metrics":{"count":2},"groups":[{"key":[null],"#), "{text}");
    assert_eq!(serde_json::from_str::<MetricValues>(&text).unwrap(), figures);
}

/// NaN belongs to no range, not even an open one; infinity does.
#[test]
fn float_ranges_at_their_bounds() {
    #[derive(Clone, memdex::Record)]
    struct Odd {
        #[record(key)]
        id: u32,
        #[record(field)]
        ratio: f64,
        #[record(field)]
        fee: memdex::typing::DecimalValue,
    }
    let odds = Store::new().collection::<Odd>("Odd").unwrap();
    for (id, ratio) in [(0, f64::NAN), (1, f64::INFINITY), (2, f64::NEG_INFINITY)] {
        odds.store(Odd { id, ratio, fee: "1.5".parse().unwrap() }).unwrap();
    }
    let requested = GroupBy::from(Bucket::ranges(odd::RATIO, [(None, Some(3.0)), (Some(3.0), None)]))
        .metrics([Metric::count(), odd::FEE.stddev_pop()]);
    let summary = odds.find(memdex::Filter::all()).statistics(requested).unwrap();
    let counts: Vec<_> =
        summary.groups().iter().map(|group| (group.int("count"), group.float("stddev_pop(fee)"))).collect();
    assert_eq!(counts, [(Some(1), Some(0.0)), (Some(1), Some(0.0))]);
}

#[test]
fn values_in_no_bucket_are_skipped_in_whole_pages() {
    // More than a page without gaps and with few values: counted by code.
    let shops = ["a", "m", "z"];
    let records: Vec<_> = (0..2_500).map(|n| record(n).with("shop", shops[n % 3]).with("n", n as i64)).collect();
    let ranges = Bucket::ranges("shop", [(None, Some("b")), (Some("n"), Some("y"))]);
    let figures = ask(&records, GroupBy::new([ranges]).metrics([Metric::count(), field("n").sum()]));
    assert_eq!(counts(&figures), named(&[("\"..b\"", 834), ("\"n..y\"", 0)]));
    let sum: i64 = (0..2_500).filter(|n| n % 3 == 0).sum();
    assert_eq!(figures.groups()[0].int("sum(n)"), Some(sum));
    let prices: Vec<_> = (0..2_500)
        .map(|n| record(n).with("price", DecimalValue::new([0, 10i128.pow(37)][n % 2], 0).unwrap()))
        .collect();
    let width = DecimalValue::new(1, 9).unwrap();
    let figures = ask(&prices, GroupBy::new([Bucket::width("price", width)]).metrics([Metric::count()]));
    assert_eq!(figures.groups()[0].int("count"), Some(1_250));
}

#[test]
fn a_float_below_the_first_bucket_is_in_none() {
    let records: Vec<_> =
        [f64::MIN, -1e300, 0.0, 1e300].into_iter().enumerate().map(|(n, x)| record(n).with("x", x)).collect();
    let by = || Bucket::width("x", 1e300);
    let figures = ask(&records, GroupBy::new([by()]).metrics([Metric::count()]).with_empty());
    assert_eq!(figures.groups().len(), 3);
    let store = Store::new();
    let all: Records = store.key_values("all", schema(true)).unwrap();
    all.add_aggregate(AggregateDef::new("by x", GroupBy::new([by()]).metrics([Metric::count()]))).unwrap();
    store.commit(|batch| records.iter().try_for_each(|record| batch.store(&all, record.clone()))).unwrap();
    assert_eq!(all.aggregate("by x").unwrap().groups().len(), 3);
    store.verify().unwrap();
}

#[test]
fn histograms_have_bounds() {
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("at", Kind::Timestamp).column(), FieldDef::new("n", Kind::Int)]);
    let all = store.key_values::<()>("Visit", schema).unwrap();
    let by_hour = || GroupBy::from(Bucket::date("at", DateUnit::Hour.every(6))).metrics([Metric::count()]);
    let counts = |by: GroupBy| -> Vec<(String, i64)> {
        let result = all.find(Filter::all()).statistics(by).unwrap();
        result.groups().iter().map(|group| (group.key[0].to_string(), group.int("count").unwrap())).collect()
    };
    let day = |hour: &str, count| (format!("2026-11-22T{hour}:00:00Z"), count);
    let bounds = ("2026-11-22T07:00:00Z", "2026-11-22T20:00:00Z");
    // Without any record, too.
    assert_eq!(counts(by_hour().with_empty_between(bounds.0, bounds.1)), [day("06", 0), day("12", 0), day("18", 0)]);
    assert_eq!(counts(by_hour().only_between(bounds.0, bounds.1)), []);
    for (key, at) in [("a", "2026-11-22T01:00:00Z"), ("b", "2026-11-22T06:30:00Z"), ("c", "2026-11-22T13:00:00Z")] {
        let at = Value::from_text(Kind::Timestamp, at).unwrap();
        all.store(KeyValue::new(key, ()).with("at", at).with("n", 1)).unwrap();
    }
    assert_eq!(
        counts(by_hour().with_empty_between(bounds.0, bounds.1)),
        [day("00", 1), day("06", 1), day("12", 1), day("18", 0)]
    );
    // The bucket that contains a bound is within the bounds as a whole.
    assert_eq!(counts(by_hour().only_between(bounds.0, bounds.1)), [day("06", 1), day("12", 1)]);
    let both =
        by_hour().with_empty_between("2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z").only_between(bounds.0, bounds.1);
    assert_eq!(counts(both.clone()), [day("06", 1), day("12", 1), day("18", 0)]);
    // A materialized aggregate gives the same.
    all.add_aggregate(AggregateDef::new("by_hour", by_hour())).unwrap();
    assert_eq!(counts(both.clone()), [day("06", 1), day("12", 1), day("18", 0)]);
    assert!(all.find(Filter::all()).statistics(both).unwrap().materialized);
}

#[test]
fn times_have_buckets_of_one_length() {
    let store = Store::new();
    let all = store.key_values::<()>("Call", Schema::new([FieldDef::new("at", Kind::Timestamp).column()])).unwrap();
    // The last ones need more than 64 bits.
    let times = ["1969-12-31T23:59:59.9Z", "2026-11-22T00:00:00.3Z", "1066-10-14T09:00:00.5Z", "9999-12-31T23:59:59Z"];
    for (key, at) in ["a", "b", "c", "d"].into_iter().zip(times) {
        all.store(KeyValue::new(key, ()).with("at", Value::from_text(Kind::Timestamp, at).unwrap())).unwrap();
    }
    let by = GroupBy::from(Bucket::every("at", Duration::from_millis(250))).metrics([Metric::count()]);
    let result = all.find(Filter::all()).statistics(by).unwrap();
    let names: Vec<String> = result.groups().iter().map(|group| group.key[0].to_string()).collect();
    let starts =
        ["1066-10-14T09:00:00.5Z", "1969-12-31T23:59:59.75Z", "2026-11-22T00:00:00.25Z", "9999-12-31T23:59:59Z"];
    assert_eq!(names, starts);
}

/// Visits of two shops, with and without columns.
fn visits(columns: bool) -> Records {
    let fields = [FieldDef::new("shop", Kind::Str), FieldDef::new("n", Kind::Int), FieldDef::new("open", Kind::Bool)];
    let fields = fields.map(|field| if columns { field.column() } else { field });
    let all = Store::new().key_values::<()>("Visit", Schema::new(fields)).unwrap();
    for (key, shop, n, open) in
        [(1, "a", 5, true), (2, "a", 5, false), (3, "a", 9, true), (4, "b", 7, true), (5, "b", 1, true)]
    {
        let visit = KeyValue::new(key.to_string(), ()).with("shop", shop).with("n", n).with("open", open);
        all.store(visit).unwrap();
    }
    all
}

#[test]
fn metrics_have_filters_of_their_own() {
    for all in [visits(false), visits(true)] {
        let closed = || field("open").eq(false);
        let metrics = || {
            [
                Metric::count(),
                Metric::count().filter(closed()).named("closed"),
                field("n").sum().filter(field("n").ge(5)).named("big"),
                field("n").max().filter(closed()).named("highest"),
                field("n").median().filter(field("open").eq(true)),
            ]
        };
        let result = all
            .find(field("n").lt(9))
            .statistics(Statistics::of(metrics()).group_by(GroupBy::values("shop").metrics(metrics())));
        let result = result.unwrap();
        assert_eq!((result.int("count"), result.int("closed"), result.int("big")), (Some(4), Some(1), Some(17)));
        assert_eq!((result.int("highest"), result.float("median(n)")), (Some(5), Some(5.0)));
        let b = result.group("b").unwrap();
        assert_eq!((b.int("count"), b.int("closed"), b.int("big")), (Some(2), Some(0), Some(7)));
        assert_eq!((b.get("highest"), b.float("median(n)")), (Some(&Value::NULL), Some(4.0)));
    }
}

#[test]
fn groups_are_left_out_by_their_metrics() {
    for all in [visits(false), visits(true)] {
        let by_n = || GroupBy::from(Bucket::width("n", 2)).metrics([Metric::count(), field("n").sum()]);
        let keys = |by: GroupBy| -> Vec<Value> {
            let result = all.find(Filter::all()).statistics(by).unwrap();
            assert!(result.groups_in_all() >= result.groups().len());
            result.groups().iter().map(|group| group.key[0].clone()).collect()
        };
        let ints = |all: &[i64]| all.iter().map(|n| Value::from(*n)).collect::<Vec<_>>();
        assert_eq!(keys(by_n().having(field("count").ge(2))), ints(&[4]));
        assert_eq!(keys(by_n().having(field("sum(n)").gt(6.5) & field("count").eq(1))), ints(&[6, 8]));
        // Empty groups have a count of 0 and no sum.
        assert_eq!(keys(by_n().with_empty().having(field("count").lt(2))), ints(&[0, 2, 6, 8]));
        assert_eq!(keys(by_n().with_empty().having(field("sum(n)").is_null())), ints(&[2]));
        // The condition first, then the choice.
        assert_eq!(keys(by_n().having(field("count").eq(1)).top(1, "sum(n)")), ints(&[8]));
        // A materialized aggregate gives the same.
        let by_shop = || GroupBy::values("shop").metrics([Metric::count()]).having(field("count").gt(2));
        all.add_aggregate(AggregateDef::new("by_shop", by_shop())).unwrap();
        let result = all.find(Filter::all()).statistics(by_shop()).unwrap();
        assert!(result.materialized && result.groups().len() == 1 && result.group("a").is_some());
        assert_eq!(all.aggregate("by_shop").unwrap().groups().len(), 1);
        // Ratios are not maintained.
        let share = by_shop().metrics([Metric::count(), field("n").sum(), Metric::ratio("sum(n)", "count")]);
        let result = all.find(Filter::all()).statistics(share).unwrap();
        assert_eq!(result.group("a").unwrap().float("sum(n) / count"), Some(19.0 / 3.0));
    }
}

#[test]
fn modes_and_ratios() {
    for all in [visits(false), visits(true)] {
        let metrics = [
            field("n").mode(),
            field("shop").mode(),
            field("n").sum(),
            field("n").count().filter(field("n").gt(100)).named("none"),
            Metric::ratio("sum(n)", "none").named("nothing"),
            Metric::ratio("none", "sum(n)").named("zero"),
        ];
        let result = all.find(Filter::all()).statistics(metrics).unwrap();
        assert_eq!((result.int("mode(n)"), result.get("mode(shop)")), (Some(5), Some(&Value::from("a"))));
        assert_eq!((result.get("nothing"), result.float("zero")), (Some(&Value::NULL), Some(0.0)));
        // Of several values that are as frequent, the lowest.
        let result = all.find(field("n").ne(5)).statistics([field("n").mode(), field("open").mode()]).unwrap();
        assert_eq!((result.int("mode(n)"), result.get("mode(open)")), (Some(1), Some(&Value::from(true))));
        let nothing = all.find(field("n").gt(100)).statistics([field("n").mode()]).unwrap();
        assert_eq!(nothing.get("mode(n)"), Some(&Value::NULL));
    }
}

#[test]
fn times_of_all_years_have_keys_columns_and_buckets() {
    #[derive(Clone, Record)]
    struct Event {
        #[record(key)]
        at: Timestamp,
        #[record(column)]
        seen: Timestamp,
    }
    let all = Store::new().collection::<Event>("Event").unwrap();
    // Nanoseconds of 64 bits end in 1677 and 2262.
    let times = [
        "0001-01-01T00:00:00Z",
        "1066-10-14T09:00:00.000001Z",
        "1677-09-21T00:12:43Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "2262-04-11T23:47:17Z",
        "9999-12-30T21:59:59.999999Z",
    ];
    let times = times.map(|text| {
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(time.to_string(), text);
        time
    });
    assert!(times.is_sorted());
    for time in times.iter().rev() {
        all.store(Event { at: *time, seen: *time }).unwrap();
    }
    for time in times {
        assert!(all.get(time).is_some(), "{time}");
        assert_eq!(all.find(field("seen").eq(time)).count().unwrap(), 1, "{time}");
    }
    let before = |time: Timestamp| all.find(field("seen").lt(time)).count().unwrap();
    assert_eq!(times.map(before), [0, 1, 2, 3, 4, 5, 6]);
    for (unit, begin) in
        [(DateUnit::Year.every(1), 7), (DateUnit::Year.every(1_000), 4), (DateUnit::Minute.every(7), 7)]
    {
        let by = GroupBy::from(Bucket::date("seen", unit)).metrics([Metric::count(), field("seen").min()]);
        let result = all.find(Filter::all()).statistics(by).unwrap();
        assert_eq!(result.groups().len(), begin, "{unit:?}");
        assert!(result.groups().iter().all(|group| group.key[0] <= *group.get("min(seen)").unwrap()));
    }
}
