//! What is refused, with what words; and names and values that mean harm.

use super::super::SqlError;
use super::*;
use memdex_query::error::QueryError;
use memdex_query::limits::{MAX_PAGE, MAX_PREDICATE_DEPTH};
use memdex_query::query::{Bucket, DateUnit, GroupBy, Metric, Statistics};

fn refusal(query: &Query, dialect: Dialect) -> SqlError {
    match query.to_sql(dialect.with(&schema())) {
        Err(error) => error,
        Ok(sql) => panic!("{sql:?}"),
    }
}

/// What a message must name: the dialect, the field, the feature, and what to do.
#[track_caller]
fn says(query: &Query, dialect: Dialect, words: &[&str]) {
    let message = refusal(query, dialect).to_string();
    for word in words.iter().chain([&dialect.to_string().as_str()]) {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
}

fn of(statistics: impl Into<Statistics>) -> Query {
    ask(Predicate::All).statistics(statistics)
}

#[test]
fn what_no_dialect_has_words_for() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let several = Query::over(["a", "b"]);
        assert!(several.to_sql(dialect).unwrap_err().to_string().contains("2 collections: ask them one by one"));
        assert!(Query::over(Vec::<&str>::new()).to_count_sql(dialect).is_err());
        says(&ask(field("tags").contains("x")), dialect, &["contains and any of many values", "\"tags\"", "join"]);
        says(&ask(field("tags").all(["x"])), dialect, &["all of many values", "\"tags\""]);
        says(&ask(field("tags").is_null()), dialect, &["is_null of many values", "\"tags\""]);
        says(&of(field("tags").count()), dialect, &["many values", "\"tags\""]);
        says(&of(GroupBy::values("tags")), dialect, &["many values", "\"tags\""]);
        says(
            &of(GroupBy::values("status").group_by(GroupBy::values("open"))),
            dialect,
            &["groups within groups", "status"],
        );
        says(
            &of([Metric::count()]).statistics(Statistics::of([Metric::count()]).group_by(GroupBy::values("open"))),
            dialect,
            &["metrics of all records beside groups", "a query of its own"],
        );
        says(
            &of(GroupBy::new([Bucket::width("amount", 5)]).with_empty()),
            dialect,
            &["empty groups", "amount", "fill"],
        );
        let ahead = Bucket::date_in("at", DateUnit::Day, "+01:00");
        says(&of(GroupBy::new([ahead])), dialect, &["the calendar of +01:00", "\"at\"", "UTC"]);
        let two = [Bucket::values("open"), Bucket::ranges("amount", [(None, Some(1))])];
        says(&of(GroupBy::new(two)), dialect, &["ranges as one part of several", "amount"]);
        says(&of(Statistics::default()), dialect, &["statistics without a metric"]);
    }
}

#[test]
fn what_one_dialect_has_no_words_for() {
    let decimals = ["with decimals", "\"fee\"", "smallest unit"];
    says(&ask(field("fee").gt(1)), Dialect::Sqlite, &["a range of decimals", "\"fee\"", "smallest unit"]);
    says(&ask(Predicate::All).order_by(field("fee").asc()), Dialect::Sqlite, &decimals);
    says(&of(field("fee").sum()), Dialect::Sqlite, &decimals);
    says(&of(GroupBy::values("fee")), Dialect::Sqlite, &decimals);
    says(&of(field("price").stddev()), Dialect::Sqlite, &["standard deviation", "\"price\""]);
    says(&of(field("price").percentile(50.0)), Dialect::Sqlite, &["percentiles", "\"price\""]);
    let ranges = |count: i64| of(GroupBy::from(Bucket::ranges("amount", (0..count).map(|n| (Some(n), None)))));
    says(&ranges(501), Dialect::Sqlite, &["501 ranges", "\"amount\"", "500 at a time"]);
    assert!(ranges(500).to_sql(Dialect::Sqlite.with(&schema())).is_ok());
    assert!(ranges(501).to_sql(Dialect::Postgres.with(&schema())).is_ok());
}

#[test]
fn values_that_have_no_place() {
    says(&ask(field("id").eq(u64::MAX)), Dialect::Sqlite, &["18446744073709551615", "\"id\"", "64 bits"]);
    says(&ask(field("price").eq(f64::NAN)), Dialect::Sqlite, &["NaN", "\"price\"", "is_null"]);
    says(&ask(field("at").eq(time(i128::from(i64::MAX) + 1))), Dialect::Sqlite, &["2262", "\"at\""]);
    says(&ask(field("at").eq(time(1))), Dialect::Postgres, &["microsecond", "\"at\"", "round"]);
    says(&ask(field("at").eq(time(i128::MAX / 1_000 * 1_000))), Dialect::Postgres, &["9999", "\"at\""]);
    says(&ask(field("due").eq(date(i32::MIN))), Dialect::Postgres, &["9999", "\"due\""]);
    says(&ask(field("status").eq("a\0")), Dialect::Postgres, &["NUL", "\"status\""]);
    let null = Query::over(["t"]).filter(Predicate::Eq("a".into(), Value::NULL)).to_sql(Dialect::Sqlite).unwrap_err();
    assert!(null.to_string().contains("ask with is_null"), "{null}");
    let many = Query::over(["t"]).filter(field("a").is_in(0..70_000));
    for (dialect, limit) in [(Dialect::Sqlite, 32_766), (Dialect::Postgres, 65_535)] {
        assert_eq!(many.to_sql(dialect), Err(SqlError::TooManyParams { dialect, given: 70_000, limit }));
    }
}

#[test]
fn what_needs_a_schema_says_so() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for query in [
            ask(Predicate::All).order_by(field("a").asc()),
            ask(Predicate::All).limit(1),
            ask(Predicate::All).after(behind([])),
            of(field("a").sum()),
            of(field("a").max()),
            of(GroupBy::values("a")),
        ] {
            let error = query.to_sql(dialect).unwrap_err();
            assert!(matches!(error, SqlError::NeedsSchema { .. }), "{error}");
            assert!(error.to_string().contains("to_sql(dialect.with(&schema))"), "{error}");
        }
    }
}

#[test]
fn what_the_engine_refuses_is_refused_here() {
    let query = |error| match error {
        SqlError::Query(error) => error,
        other => panic!("{other}"),
    };
    let dialect = Dialect::Postgres;
    let refused = |asked: Query| query(refusal(&asked, dialect));
    assert!(matches!(refused(ask(field("nope").eq(1))), QueryError::UnknownField { .. }));
    assert!(matches!(refused(ask(field("id").eq("x"))), QueryError::WrongKind { .. }));
    assert!(matches!(refused(ask(field("tags").eq("x"))), QueryError::WrongTest { .. }));
    assert!(matches!(refused(ask(Predicate::All).order_by(field("nope").asc())), QueryError::UnknownField { .. }));
    assert!(matches!(refused(ask(Predicate::All).limit(0)), QueryError::PageSize { .. }));
    assert!(matches!(refused(ask(Predicate::All).limit(MAX_PAGE + 1)), QueryError::PageSize { .. }));
    assert!(matches!(refused(ask(Predicate::All).order_by(vec![field("id").asc(); 33])), QueryError::TooMany { .. }));
    assert!(matches!(refused(of(field("status").sum())), QueryError::NotNumeric { .. }));
    assert!(matches!(refused(of(GroupBy::new([Bucket::date("id", DateUnit::Day)]))), QueryError::NotNumeric { .. }));
    assert!(matches!(refused(of([Metric::count(), Metric::count()])), QueryError::DuplicateMetric { .. }));
    assert!(matches!(refused(of(GroupBy::values("open").top(1, "count"))), QueryError::UnknownMetric { .. }));
    assert!(matches!(
        refused(of(GroupBy::values("open").metrics([Metric::count()]).top(0, "count"))),
        QueryError::TopOfNothing { .. }
    ));
    assert!(matches!(refused(of(GroupBy::new([]))), QueryError::NoBuckets { .. }));
    assert!(matches!(refused(of(GroupBy::new(vec![Bucket::values("open"); 17]))), QueryError::TooMany { .. }));
    assert!(matches!(refused(of(Statistics::of(vec![Metric::count(); 257]))), QueryError::TooMany { .. }));
    assert!(matches!(refused(of(GroupBy::values("open").with_empty())), QueryError::NotAHistogram { .. }));
    assert!(matches!(refused(of(field("price").percentile(101.0))), QueryError::BadMetric { .. }));
    let nothing = Bucket::ranges("amount", [(Some(5), Some(5))]);
    let many = Bucket::ranges("amount", (0..1_025).map(|n| (Some(n), None)));
    let due = Bucket::date("due", DateUnit::Hour);
    for bucket in [nothing, many, due, Bucket::width("amount", 0)] {
        assert!(matches!(refused(of(GroupBy::from(bucket))), QueryError::BadBucket { .. }));
    }
    for pattern in ["a\\", "a\\\\\\"] {
        for predicate in [field("status").like(pattern), field("status").like_ignore_case(pattern)] {
            assert!(matches!(refused(ask(predicate.clone())), QueryError::BadPattern { .. }));
            assert!(matches!(query(ask(predicate).to_sql(dialect).unwrap_err()), QueryError::BadPattern { .. }));
        }
    }
    let nest = |inner: Predicate, level: usize| {
        if level.is_multiple_of(2) { inner & field("id").eq(1) } else { inner | field("id").eq(2) }
    };
    let deepest = (1..MAX_PREDICATE_DEPTH).fold(field("status").starts_with("x"), nest);
    assert!(ask(deepest).to_sql(dialect).is_ok());
    let deep = (0..=MAX_PREDICATE_DEPTH).fold(field("id").eq(1), nest);
    assert!(matches!(query(ask(deep).to_sql(dialect).unwrap_err()), QueryError::TooDeep { .. }));
    // Cursors with too few values, with too many, of another kind, or missing where none can be.
    let by_status = || ask(Predicate::All).order_by(field("status").asc());
    for cursor in [behind([]), behind([Value::from("a"), Value::from("b")]), behind([Value::from(1)])] {
        assert!(matches!(refused(by_status().after(cursor)), QueryError::ForeignCursor { .. }));
    }
    let by_open = ask(Predicate::All).order_by(field("open").asc());
    assert!(matches!(refused(by_open.after(behind([Value::NULL]))), QueryError::ForeignCursor { .. }));
}

/// Names and values of those who would rather say something else.
const HARM: [&str; 7] = [
    "x\"; DROP TABLE users; --",
    "x'; DROP TABLE users; --",
    "x`; DROP TABLE users; --",
    "\\'; DROP TABLE users; --",
    "?1 OR 1=1 /*",
    "$1::text) OR TRUE --",
    "[x]\n;",
];

#[test]
fn values_never_become_text() {
    for harm in HARM {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let query = Query::over(["t"]).filter(field("a").eq(harm) | field("a").gt(harm) | field("a").is_in([harm]));
            let sql = query.to_sql(dialect).unwrap();
            assert!(!sql.text.contains("DROP") && !sql.text.contains("OR TRUE") && !sql.text.contains('\''), "{sql:?}");
            assert_eq!(sql.params, vec![text(harm); 3]);
        }
    }
}

#[test]
fn names_stay_names() {
    for harm in HARM {
        let query = Query::over([harm]).filter(field(harm).is_null()).statistics(Metric::count().named(harm));
        for (dialect, quote) in [(Dialect::Sqlite, '`'), (Dialect::Postgres, '"')] {
            let sql = query.to_sql(dialect).unwrap().text;
            let doubled = harm.replace(quote, &format!("{quote}{quote}"));
            let name = format!("{quote}{doubled}{quote}");
            assert_eq!(sql, format!("SELECT count(*) AS {name} FROM {name} WHERE {name} IS NULL"));
        }
    }
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for wrong in ["", "a\0b"] {
            for query in [Query::over([wrong]), Query::over(["t"]).filter(field(wrong).is_null())] {
                assert!(matches!(query.to_sql(dialect), Err(SqlError::Name { .. })));
            }
        }
    }
    let long = Query::over(["t".repeat(64)]);
    assert!(long.to_sql(Dialect::Sqlite).is_ok());
    assert!(long.to_sql(Dialect::Postgres).unwrap_err().to_string().contains("63 bytes"));
}
