//! The serde forms do not change unseen: reading a golden file gives the value, and writing the value gives the file.

#![cfg(feature = "json")]

use memdex_query::query::{
    Aggregate, Bucket, Cursor, DateUnit, GroupBy, Metric, Predicate, Query, Statistics, Versioned, field,
};
use memdex_query::schema::{AggregateDef, FieldDef, IndexDef, Schema};
use memdex_query::value::{Kind, Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::Path;

/// With `BLESS` in the environment, the files are written instead.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let written = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, golden, "{name}: the form has changed");
    assert_eq!(&serde_json::from_str::<T>(&golden).unwrap(), value, "{name}");
}

fn values() -> Vec<Value> {
    let others = [
        ValueRef::Bytes(b"\x00\xff").to_value(),
        ValueRef::Uuid([7; 16]).to_value(),
        ValueRef::Timestamp(1_700_000_000_123_456_789).to_value(),
        ValueRef::Date(19_000).to_value(),
        Value::from_text(Kind::Decimal, "12.50").unwrap(),
    ];
    let plain = [true.into(), 5.into(), u128::MAX.into(), 1.5.into(), f64::INFINITY.into(), 'c'.into(), "text".into()];
    plain.into_iter().chain(others).collect()
}

fn predicate() -> Predicate {
    let f = || field("f");
    Predicate::all_of([
        f().eq("x"),
        f().ne(1) | f().is_null(),
        f().is_in(values()),
        f().lt(1) & f().ge(2),
        f().between(1, 2),
        Predicate::Range("f".into(), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
        !f().starts_with("a"),
        f().ends_with("a"),
        f().contains_str_ignore_case("a"),
        f().like("a%_"),
        f().eq_ignore_case("a"),
        f().contains(1),
        f().any([1, 2]),
        f().all(["x"]),
        !(f().eq(1) | Predicate::All),
        Predicate::none(),
    ])
}

fn statistics() -> Statistics {
    let f = || field("f");
    let metrics =
        [f().count(), f().sum(), f().avg(), f().min(), f().max(), f().stddev(), f().stddev_pop(), f().distinct()];
    let days = GroupBy::new([Bucket::date_in("at", DateUnit::Quarter, "+02:00")]).with_empty();
    let by = [
        Bucket::values("city"),
        Bucket::width_from("f", 10, 5),
        Bucket::ranges("f", [(None, Some(1)), (Some(1), None)]),
        Bucket::date("at", DateUnit::Minute),
    ];
    let groups = GroupBy::new(by).metrics([Metric::count(), f().percentile(99.5)]).top(3, "count").group_by(days);
    Statistics::of(metrics.into_iter().chain([Metric::from(Aggregate::Count).named("all")])).group_by(groups)
}

#[test]
fn forms_are_those_of_the_golden_files() {
    check("predicate.json", &Versioned::new(predicate()));
    check("statistics.json", &Versioned::new(statistics()));
    check("statistics_query.json", &Query::over(["Payment"]).filter(field("f").eq(1)).statistics(statistics()));
    let orders = [field("a").asc().nulls_last(), field("b").desc()];
    check(
        "query.json",
        &Query::over(["A", "B"]).filter(field("f").eq(1)).order_by(orders).limit(10).offset(5).with_total(),
    );
    let schema = Schema::new([
        FieldDef::of::<u32>("id").key(),
        FieldDef::new("city", Kind::Str).optional().index(),
        FieldDef::new("mail", Kind::Str).required().unique(),
        FieldDef::new("celsius", Kind::Float).ordered().nan_last().column(),
        FieldDef::new("tags", Kind::Str).many().index().skip_conflicts(),
    ])
    .with_index(IndexDef::ordered(["city", "celsius"]).named("warm").when(field("celsius").gt(20.0)))
    .with_aggregate(
        AggregateDef::new("by_city", GroupBy::values("city").metrics([Metric::count()])).when(Predicate::All),
    );
    check("schema.json", &schema);
}

#[test]
fn kinds_have_one_spelling() {
    let kinds = [
        Kind::Bool,
        Kind::Int,
        Kind::Float,
        Kind::Char,
        Kind::Str,
        Kind::Bytes,
        Kind::Uuid,
        Kind::Timestamp,
        Kind::Date,
        Kind::Decimal,
    ];
    for kind in kinds {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
    }
}

#[test]
fn unknown_versions_and_entries_are_refused() {
    let unknown = "form version 2 is unknown, this memdex reads version 1: update memdex";
    for error in [
        serde_json::from_str::<Query>(r#"{ "version": 2, "collections": [] }"#).unwrap_err(),
        serde_json::from_str::<Schema>(r#"{ "version": 2, "fields": [] }"#).unwrap_err(),
        serde_json::from_str::<Versioned<Statistics>>(r#"{ "version": 2, "value": {} }"#).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with(unknown), "{error}");
    }
    assert!(serde_json::from_str::<Query>(r#"{ "collections": [] }"#).is_ok(), "the version can be left out");
    let misspelled = r#"{ "fields": [{ "name": "id", "kind": "integer", "kye": true }] }"#;
    assert!(serde_json::from_str::<Schema>(misspelled).unwrap_err().to_string().contains("kye"));
    assert!(serde_json::from_str::<Cursor>("\"00\"").is_err());
}
