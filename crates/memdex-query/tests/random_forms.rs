//! Random predicates, statistics and queries survive a round trip through JSON.

#![cfg(feature = "json")]

use memdex_query::query::{
    Aggregate, Ask, Bucket, DateUnit, Direction, FieldName, GroupBy, Metric, Nulls, OrderBy, Paging, Predicate, Query,
    Statistics, TextOp, TextTest, Top, TopHits,
};
use memdex_query::value::{DecimalValue, Key, Value, ValueRef};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::ops::Bound;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1..2).prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any::<u128>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5.0]).prop_map(Value::from),
        any::<char>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        vec(any::<u8>(), 0..4).prop_map(Value::from),
        any::<[u8; 16]>().prop_map(|bytes| ValueRef::Uuid(bytes).to_value()),
        any::<i128>().prop_map(|nanos| ValueRef::Timestamp(nanos).to_value()),
        any::<i64>().prop_map(|seconds| ValueRef::Timestamp(i128::from(seconds)).to_value()),
        any::<i32>().prop_map(|days| ValueRef::Date(days).to_value()),
        (any::<i64>(), 0..29_u8)
            .prop_map(|(units, scale)| ValueRef::Decimal(DecimalValue::new(units.into(), scale).unwrap()).to_value()),
    ]
}

fn name() -> impl Strategy<Value = FieldName> {
    prop_oneof![
        select(vec!["f", "a.b", "all", "eq", ""]).prop_map(FieldName::from),
        any::<String>().prop_map(Into::into)
    ]
}

fn bound() -> impl Strategy<Value = Bound<Value>> {
    prop_oneof![Just(Bound::Unbounded), value().prop_map(Bound::Included), value().prop_map(Bound::Excluded),]
}

fn text_test() -> impl Strategy<Value = TextTest> {
    let ops = vec![TextOp::Eq, TextOp::StartsWith, TextOp::EndsWith, TextOp::Contains, TextOp::Like];
    (select(ops), any::<String>(), any::<bool>()).prop_map(|(op, pattern, ignore_case)| TextTest {
        op,
        pattern,
        ignore_case,
    })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let values = || vec(value(), 0..4);
    let test = prop_oneof![
        Just(Predicate::All),
        (name(), value()).prop_map(|(name, value)| Predicate::Eq(name, value)),
        (name(), value()).prop_map(|(name, value)| Predicate::Ne(name, value)),
        (name(), values()).prop_map(|(name, values)| Predicate::In(name, values)),
        name().prop_map(Predicate::IsNull),
        (name(), bound(), bound()).prop_map(|(name, from, to)| Predicate::Range(name, from, to)),
        (name(), text_test()).prop_map(|(name, test)| Predicate::Text(name, test)),
        (name(), values()).prop_map(|(name, values)| Predicate::AnyOf(name, values)),
        (name(), values()).prop_map(|(name, values)| Predicate::AllOf(name, values)),
        Just(Predicate::And(Default::default())),
    ];
    test.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Predicate::all_of),
            vec(inner.clone(), 0..4).prop_map(Predicate::any_of),
            (name(), inner.clone()).prop_map(|(name, part)| Predicate::elem_match(name, part)),
            inner.prop_map(|part| !part),
        ]
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let of_field: Vec<fn(FieldName) -> Aggregate> = vec![
        Aggregate::CountOf,
        Aggregate::Sum,
        Aggregate::Avg,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::StdDev,
        Aggregate::StdDevPop,
        Aggregate::Distinct,
        Aggregate::Mode,
    ];
    let aggregate = prop_oneof![
        Just(Aggregate::Count),
        (select(of_field), name()).prop_map(|(of, name)| of(name)),
        (name(), 0.0..100.0).prop_map(|(name, percent)| Aggregate::Percentile(name, percent)),
        (name(), vec(order(), 0..3)).prop_map(|(field, order)| Aggregate::First(field, order)),
        (name(), name()).prop_map(|(numerator, denominator)| Aggregate::Ratio(numerator, denominator)),
    ];
    (aggregate, option::of(name()), option::of(predicate())).prop_map(|(aggregate, name, filter)| {
        let metric = Metric { filter, ..Metric::from(aggregate) };
        name.into_iter().fold(metric, Metric::named)
    })
}

fn bucket() -> impl Strategy<Value = Bucket> {
    let range = || (option::of(value()), option::of(value()));
    let present = |value: Option<Value>| value.filter(|value| !value.is_null());
    prop_oneof![
        (name(), option::of(value()))
            .prop_map(move |(field, missing)| Bucket::Values { field, missing: present(missing) }),
        (name(), value(), value()).prop_map(|(field, width, offset)| Bucket::Width { field, width, offset }),
        (name(), value()).prop_map(|(field, width)| Bucket::width(field, width)),
        (name(), vec(range(), 0..3)).prop_map(move |(field, ranges)| {
            let ranges = ranges.into_iter().map(|(from, to)| (present(from), present(to))).collect();
            Bucket::Ranges { field, ranges }
        }),
        (name(), select(vec![DateUnit::Minute, DateUnit::Week, DateUnit::Year]), name(), 1..3_u32, -1..2_i64).prop_map(
            |(field, unit, zone, every, offset_seconds)| Bucket::Date { field, unit, zone, every, offset_seconds }
        ),
        (name(), select(vec![DateUnit::Hour, DateUnit::Day, DateUnit::Month, DateUnit::Quarter]))
            .prop_map(|(field, unit)| Bucket::date(field, unit)),
    ]
}

fn groups() -> impl Strategy<Value = GroupBy> {
    let top = (0..3_usize, name(), any::<bool>());
    let top = top.prop_map(|(groups, metric, descending)| Top { groups, metric, descending });
    let limits = || option::of((value(), value()));
    let hits = (0..3_usize, vec(order(), 0..3)).prop_map(|(records, order)| TopHits { records, order });
    let parts = (vec(bucket(), 0..3), any::<bool>(), limits(), limits(), option::of(predicate()), option::of(top));
    (parts, option::of(hits)).prop_map(|((by, empty, extended, hard, having, top), hits)| GroupBy {
        empty,
        extended,
        hard,
        having,
        top,
        hits,
        ..GroupBy::new(by)
    })
}

fn statistics() -> impl Strategy<Value = Statistics> {
    let level = || (vec(metric(), 0..3), groups());
    (vec(level(), 0..3), vec(metric(), 0..3)).prop_map(|(levels, metrics)| {
        levels.into_iter().fold(Statistics::of(metrics), |within, (metrics, groups)| {
            Statistics::of(metrics).group_by(GroupBy { within, ..groups })
        })
    })
}

fn order() -> impl Strategy<Value = OrderBy> {
    let directions = vec![Direction::Ascending, Direction::Descending];
    (name(), select(directions), select(vec![Nulls::First, Nulls::Last]))
        .prop_map(|(field, direction, nulls)| OrderBy { field, direction, nulls })
}

fn query() -> impl Strategy<Value = Query> {
    let number = || option::of(0..3_usize);
    let parts = vec(value().prop_filter("a key has no nulls", |value| !value.is_null()), 1..3);
    let key = parts.prop_map(|parts| serde_json::from_value::<Key>(serde_json::to_value(parts).unwrap()).unwrap());
    let paging = (
        (vec(order(), 0..3), vec(name(), 0..3), number(), 0..3_usize, number()),
        (option::of(key), any::<bool>(), number()),
    );
    let paging = paging.prop_map(|((order, select, limit, offset, page), (around, total, total_up_to))| Paging {
        order,
        select,
        limit,
        offset,
        page,
        around,
        total,
        total_up_to,
        ..Paging::default()
    });
    let ask = prop_oneof![paging.prop_map(Ask::Records), statistics().prop_map(Ask::Statistics),];
    (vec(name(), 0..3), predicate(), ask).prop_map(|(collections, filter, ask)| {
        let mut query = Query::over(collections).filter(filter);
        query.ask = ask;
        query
    })
}

/// Reads what is written, and writes it the same way.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let read: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&read, value, "{text}");
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}

proptest! {
    #[test]
    fn predicates_survive(predicate in predicate()) {
        check(&predicate);
    }

    #[test]
    fn statistics_survive(statistics in statistics()) {
        check(&statistics);
    }

    #[test]
    fn queries_survive(query in query()) {
        check(&query);
    }
}
