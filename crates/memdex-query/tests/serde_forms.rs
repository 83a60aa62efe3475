//! The serde forms do not change unseen: reading a golden file gives the value, and writing the value gives the file.

#![cfg(feature = "json")]

use memdex_query::query::{
    Bucket, Cursor, DateStep, DateUnit, GroupBy, Metric, Predicate, Query, Statistics, TextOp, TextTest, Versioned,
    Weekday, field,
};
use memdex_query::schema::{AggregateDef, FieldDef, IndexDef, Schema};
use memdex_query::value::{Kind, Timestamp, Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::ops::Bound::{Excluded, Included, Unbounded};
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
    let range = |from, to| Predicate::Range("f".into(), from, to);
    Predicate::all_of([
        f().eq("x"),
        f().ne(1) | f().is_null(),
        f().is_in(values()),
        f().lt(1) & f().le(1) & f().gt(2) & f().ge(2),
        f().between(1, 2),
        range(Unbounded, Unbounded),
        range(Included(1.into()), Excluded(Value::NULL)),
        range(Excluded(1.into()), Included(2.into())),
        Predicate::Text("f".into(), TextTest::new(TextOp::Eq, "a")),
        f().eq_ignore_case("a"),
        !f().starts_with("a"),
        f().starts_with_ignore_case("a"),
        f().ends_with("a"),
        f().ends_with_ignore_case("a"),
        f().contains_str("a"),
        f().contains_str_ignore_case("a"),
        f().like("a%_"),
        f().like_ignore_case("a%_"),
        f().contains(1),
        f().any([1, 2]),
        f().all(["x"]),
        f().any(Vec::<i64>::new()),
        Predicate::elem_match("f", field("a").eq(1) & field("b").lt(2)),
        !(f().eq(1) | Predicate::All),
        Predicate::none(),
    ])
}

fn statistics() -> Statistics {
    let f = || field("f");
    let metrics = [
        f().count(),
        f().sum(),
        f().avg(),
        f().min(),
        f().max(),
        f().stddev(),
        f().stddev_pop(),
        f().distinct(),
        f().percentile(99.5),
        f().median(),
        f().mode(),
        f().first_by(field("at").desc()),
        f().last_by([field("at").asc(), field("f").asc()]),
        Metric::ratio("sum(f)", "count(f)"),
        Metric::count().named("all"),
        Metric::count().filter(f().gt(5)),
    ];
    let days = Bucket::date_in("at", DateStep::weeks_from(Weekday::Sunday).every(2), "+02:00");
    let days = GroupBy::from(days).with_empty_between(Timestamp::from_secs(0), 5).only_between(1, 2);
    let by = [
        Bucket::values("city"),
        Bucket::values_or("city", "none"),
        Bucket::width("f", 10),
        Bucket::width_from("f", 10, 5),
        Bucket::ranges("f", [(None, Some(1)), (Some(1), None)]),
        Bucket::date("at", DateUnit::Minute),
    ];
    let groups =
        GroupBy::new(by).metrics([Metric::count(), f().avg()]).having(field("count").ge(2)).hits(3, f().desc());
    let bottom = groups.clone().bottom(2, "count");
    Statistics::of(metrics).group_by(groups.top(3, "count").group_by(bottom.group_by(days)))
}

#[test]
fn forms_are_those_of_the_golden_files() {
    check("predicate.json", &Versioned::new(predicate()));
    check("statistics.json", &Versioned::new(statistics()));
    check("statistics_query.json", &Query::over(["Payment"]).filter(field("f").eq(1)).statistics(statistics()));
    let orders = [field("a").asc(), field("b").desc(), field("c").asc().nulls_last(), field("d").desc().nulls_first()];
    let query = || Query::over(["A", "B"]).filter(field("f").eq(1)).order_by(orders.clone());
    check("query.json", &query().limit(10).offset(5).with_total());
    check("page_query.json", &query().select(["a", "f"]).page(3).size(20).with_total_up_to(100));
    check("default_query.json", &Query::over(["A"]));
    let schema = Schema::new([
        FieldDef::of::<u32>("id").key(),
        FieldDef::new("city", Kind::Str).optional().index(),
        FieldDef::new("mail", Kind::Str).required().unique(),
        FieldDef::new("celsius", Kind::Float).ordered().nan_last().column(),
        FieldDef::new("tags", Kind::Str).many().index().skip_conflicts(),
    ])
    .with_index(IndexDef::unique(["id", "city"]))
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
fn unknown_versions_are_refused() {
    for error in [
        serde_json::from_str::<Query>(r#"{ "version": 3, "collections": [] }"#).unwrap_err(),
        serde_json::from_str::<Schema>(r#"{ "version": 3, "fields": [] }"#).unwrap_err(),
        serde_json::from_str::<Versioned<Statistics>>(r#"{ "version": 3, "value": {} }"#).unwrap_err(),
    ] {
        let unknown = "form version 3 is not supported, this memdex reads version 2: update memdex";
        assert!(error.to_string().starts_with(unknown), "{error}");
    }
    let older = serde_json::from_str::<Query>(r#"{ "version": 1, "collections": [] }"#).unwrap_err();
    assert!(older.to_string().contains("this memdex reads version 2: write the form again"), "{older}");
    assert!(serde_json::from_str::<Query>(r#"{ "collections": [] }"#).is_ok(), "the version can be left out");
    assert!(serde_json::from_str::<Cursor>("\"00\"").is_err());
}

/// The error of an entry that is added to a form.
fn refusal<T: Serialize + DeserializeOwned + Debug>(value: &T, place: &str) -> String {
    let mut form = serde_json::to_value(value).unwrap();
    form.pointer_mut(place).unwrap().as_object_mut().unwrap().insert("kye".into(), 1.into());
    serde_json::from_value::<T>(form).unwrap_err().to_string()
}

#[test]
fn unknown_entries_are_refused() {
    let query = Query::over(["A"]).filter(field("f").between(1, 2)).order_by(field("a").asc());
    let counted = Query::over(["A"]).statistics(statistics());
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key()])
        .with_index(IndexDef::unique("id"))
        .with_aggregate(AggregateDef::new("all", [Metric::count()]));
    let range = Predicate::Range("f".into(), Included(1.into()), Excluded(2.into()));
    let mut refused = vec![
        refusal(&query, ""),
        refusal(&query, "/ask/records"),
        refusal(&query, "/ask/records/order/0"),
        refusal(&query, "/filter"),
        refusal(&range, "/range/1"),
        refusal(&schema, ""),
        refusal(&schema, "/fields/0"),
        refusal(&schema, "/indexes/0"),
        refusal(&schema, "/aggregates/0"),
        refusal(&Versioned::new(range), ""),
    ];
    let statistics = "/ask/statistics";
    refused.extend(
        ["", "/metrics/0", "/metrics/0/aggregate", "/groups", "/groups/top", "/groups/within"]
            .map(|at| refusal(&counted, &format!("{statistics}{at}"))),
    );
    for by in ["0/values", "2/width", "4/ranges", "5/date"] {
        refused.push(refusal(&counted, &format!("{statistics}/groups/by/{by}")));
    }
    for refused in refused {
        assert!(refused.contains("kye"), "{refused}");
    }
}

#[test]
fn misspelled_operators_get_a_suggestion() {
    let predicate = |text: &str| serde_json::from_str::<Predicate>(text).unwrap_err().to_string();
    for (form, expected) in [
        (r#"{ "gtw": ["f", 1] }"#, "unknown operator \"gtw\"; the operators are eq, ne, gt, "),
        (r#"{ "any_of": ["f", [1]] }"#, "the operators are eq, ne, "),
        (r#"{ "startswith": ["f", "a"] }"#, "; did you mean `starts_with`?"),
        (r#"{ "not_in": ["f", [1]] }"#, "unknown operator \"not_in\""),
        (r#"{}"#, "a predicate has no operator: add one, or write \"all\""),
        (r#""every""#, "expected a predicate: an object of one operator, or \"all\""),
        (r#"{ "is_null": "a", "eq": ["b", 1] }"#, "has the operators \"is_null\" and \"eq\": join two predicates by"),
        (r#"{ "range": ["f", { "gt": 1, "gte": 1 }] }"#, "the range of \"f\" has two bounds on one side: remove one"),
    ] {
        assert!(predicate(form).contains(expected), "{form}: {}", predicate(form));
    }
    let metric = |aggregate: &str| {
        serde_json::from_str::<Metric>(&format!(r#"{{ "aggregate": {aggregate} }}"#)).unwrap_err().to_string()
    };
    for (aggregate, expected) in [
        (r#"{ "std_dev": "f" }"#, "unknown aggregate \"std_dev\"; the aggregates are count, sum, "),
        (r#"{ "std_dev": "f" }"#, "; did you mean `stddev`?"),
        (r#""sum""#, "the aggregate \"sum\" has no field: write {\"sum\": \"field\"}"),
        ("\"total\"", "unknown aggregate \"total\""),
        (r#"{ "sum": "f", "avg": "f" }"#, "an aggregate has the functions \"sum\" and \"avg\": make two metrics"),
    ] {
        assert!(metric(aggregate).contains(expected), "{aggregate}: {}", metric(aggregate));
    }
}
