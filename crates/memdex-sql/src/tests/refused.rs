//! Errors and their messages; injection through names and values.

use super::super::SqlError;
use super::*;
use memdex_query::error::QueryError;
use memdex_query::limits::{MAX_PAGE, MAX_PREDICATE_DEPTH};
use memdex_query::query::{Bucket, Cursor, DateUnit, GroupBy, Metric, OrderBy, Statistics};
use memdex_query::value::Key;

fn refusal(query: &Query, dialect: Dialect) -> SqlError {
    match query.to_sql(dialect.with(&schema())) {
        Err(error) => error,
        Ok(sql) => panic!("{sql:?}"),
    }
}

/// Asserts that the message contains these words and the dialect.
#[track_caller]
fn assert_message(query: &Query, dialect: Dialect, words: &[&str]) {
    let message = refusal(query, dialect).to_string();
    for word in words.iter().chain([&dialect.to_string().as_str()]) {
        assert!(message.contains(word), "{message:?} does not contain {word:?}");
    }
}

fn statistics(statistics: impl Into<Statistics>) -> Query {
    query(Predicate::All).statistics(statistics)
}

#[test]
fn queries_without_equivalent_sql_are_refused() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let several = Query::over(["a", "b"]);
        let message = several.to_sql(dialect).unwrap_err().to_string();
        assert!(message.contains("2 collections") && message.contains("query each collection separately"), "{message}");
        assert!(Query::over(Vec::<&str>::new()).to_count_sql(dialect).is_err());
        let cursor = Cursor { query: 0, values: vec![], collection: None, key: Key::none() };
        assert_message(&query(Predicate::All).before(cursor), dialect, &["a page before a cursor", "after a cursor"]);
        assert_message(&query(Predicate::All).around(Key::none()), dialect, &["a page around a key"]);
        assert_message(
            &query(field("tags").contains("x")),
            dialect,
            &["contains or any on multi-valued fields", "\"tags\"", "join"],
        );
        assert_message(&query(field("tags").all(["x"])), dialect, &["all on multi-valued fields", "\"tags\""]);
        for test in [field("tags").eq("x"), field("tags").ne("x"), field("tags").is_in(["x"]), field("tags").like("x%")]
        {
            assert_message(&query(test), dialect, &["conditions on multi-valued fields", "\"tags\"", "join"]);
        }
        let element = Predicate::elem_match("items", field("sku").eq("x"));
        assert_message(&query(element.clone()), dialect, &["elem_match", "\"items\"", "join"]);
        let message = query(element).to_sql(dialect).unwrap_err().to_string();
        assert!(message.starts_with("can't translate elem_match"), "{message}");
        assert_message(&query(field("tags").is_null()), dialect, &["is_null on multi-valued fields", "\"tags\""]);
        for metric in [field("tags").count(), field("tags").min(), field("tags").distinct()] {
            assert_message(&statistics(metric), dialect, &["multi-valued fields", "\"tags\""]);
        }
        assert_message(&statistics(GroupBy::values("tags")), dialect, &["multi-valued fields", "\"tags\""]);
        assert_message(
            &statistics(GroupBy::values("status").group_by(GroupBy::values("open"))),
            dialect,
            &["nested groups", "status"],
        );
        assert_message(
            &statistics([Metric::count()])
                .statistics(Statistics::of([Metric::count()]).group_by(GroupBy::values("open"))),
            dialect,
            &["metrics of all records together with groups", "a separate query"],
        );
        assert_message(
            &statistics(GroupBy::new([Bucket::width("amount", 5)]).with_empty()),
            dialect,
            &["empty groups", "amount", "fill"],
        );
        let ahead = Bucket::date_in("at", DateUnit::Day, "+01:00");
        assert_message(&statistics(GroupBy::new([ahead])), dialect, &["the time zone +01:00", "\"at\"", "UTC"]);
        let two = [Bucket::values("open"), Bucket::ranges("amount", [(None, Some(1))])];
        assert_message(&statistics(GroupBy::new(two)), dialect, &["ranges together with other buckets", "amount"]);
        assert_message(&statistics(Statistics::default()), dialect, &["statistics without a metric"]);
    }
}

#[test]
fn queries_without_equivalent_sql_in_one_dialect_are_refused() {
    let decimals = ["on decimals", "\"fee\"", "smallest unit"];
    assert_message(&query(field("fee").gt(1)), Dialect::Sqlite, &["a range of decimals", "\"fee\"", "smallest unit"]);
    assert_message(&query(Predicate::All).order_by(field("fee").asc()), Dialect::Sqlite, &decimals);
    assert_message(&statistics(field("fee").sum()), Dialect::Sqlite, &decimals);
    assert_message(&statistics(GroupBy::values("fee")), Dialect::Sqlite, &decimals);
    assert_message(&statistics(field("price").stddev()), Dialect::Sqlite, &["standard deviation", "\"price\""]);
    assert_message(&statistics(field("price").percentile(50.0)), Dialect::Sqlite, &["percentiles", "\"price\""]);
    let ranges = |count: i64| statistics(GroupBy::from(Bucket::ranges("amount", (0..count).map(|n| (Some(n), None)))));
    assert_message(&ranges(501), Dialect::Sqlite, &["501 ranges", "\"amount\"", "at most 500 ranges"]);
    assert!(ranges(500).to_sql(Dialect::Sqlite.with(&schema())).is_ok());
    assert!(ranges(501).to_sql(Dialect::Postgres.with(&schema())).is_ok());
}

#[test]
fn values_that_a_dialect_cannot_represent_are_refused() {
    assert_message(&query(field("id").eq(u64::MAX)), Dialect::Sqlite, &["18446744073709551615", "\"id\"", "64 bits"]);
    assert_message(&query(field("price").eq(f64::NAN)), Dialect::Sqlite, &["NaN", "\"price\"", "is_null"]);
    assert_message(&query(field("at").eq(time(i128::from(i64::MAX) + 1))), Dialect::Sqlite, &["2262", "\"at\""]);
    assert_message(&query(field("at").eq(time(1))), Dialect::Postgres, &["microsecond", "\"at\"", "round"]);
    assert_message(&query(field("at").eq(time(i128::MAX / 1_000 * 1_000))), Dialect::Postgres, &["9999", "\"at\""]);
    assert_message(&query(field("due").eq(date(i32::MIN))), Dialect::Postgres, &["9999", "\"due\""]);
    assert_message(&query(field("status").eq("a\0")), Dialect::Postgres, &["NUL", "\"status\""]);
    let null = Query::over(["t"]).filter(Predicate::Eq("a".into(), Value::NULL)).to_sql(Dialect::Sqlite).unwrap_err();
    assert!(null.to_string().contains("use is_null"), "{null}");
    let many = Query::over(["t"]).filter(field("a").is_in(0..70_000));
    for (dialect, limit) in [(Dialect::Sqlite, 32_766), (Dialect::Postgres, 65_535)] {
        assert_eq!(many.to_sql(dialect), Err(SqlError::TooManyParams { dialect, given: 70_000, limit }));
    }
}

#[test]
fn queries_that_need_a_schema_say_so() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for query in [
            query(Predicate::All).order_by(field("a").asc()),
            query(Predicate::All).limit(1),
            query(Predicate::All).after(cursor_after([])),
            statistics(field("a").sum()),
            statistics(field("a").max()),
            statistics(GroupBy::values("a")),
        ] {
            let error = query.to_sql(dialect).unwrap_err();
            assert!(matches!(error, SqlError::NeedsSchema { .. }), "{error}");
            assert!(error.to_string().contains("to_sql(dialect.with(&schema))"), "{error}");
        }
    }
}

#[test]
fn queries_that_the_engine_refuses_are_refused() {
    let query_error = |error| match error {
        SqlError::Query(error) => error,
        other => panic!("{other}"),
    };
    let dialect = Dialect::Postgres;
    let refused = |invalid: Query| query_error(refusal(&invalid, dialect));
    assert!(matches!(refused(query(field("nope").eq(1))), QueryError::UnknownField { .. }));
    assert!(matches!(refused(query(field("id").eq("x"))), QueryError::WrongKind { .. }));
    assert!(matches!(refused(query(field("id").contains(1))), QueryError::WrongTest { .. }));
    assert!(matches!(refused(query(Predicate::All).order_by(field("nope").asc())), QueryError::UnknownField { .. }));
    assert!(matches!(refused(query(Predicate::All).limit(0)), QueryError::PageSize { .. }));
    assert!(matches!(refused(query(Predicate::All).limit(MAX_PAGE + 1)), QueryError::PageSize { .. }));
    assert!(matches!(refused(query(Predicate::All).order_by(vec![field("id").asc(); 33])), QueryError::TooMany { .. }));
    assert!(matches!(refused(statistics(field("status").sum())), QueryError::NotNumeric { .. }));
    assert!(matches!(
        refused(statistics(GroupBy::new([Bucket::date("id", DateUnit::Day)]))),
        QueryError::NotNumeric { .. }
    ));
    assert!(matches!(refused(statistics([Metric::count(), Metric::count()])), QueryError::DuplicateMetric { .. }));
    assert!(matches!(refused(statistics(GroupBy::values("open").top(1, "count"))), QueryError::UnknownMetric { .. }));
    assert!(matches!(
        refused(statistics(GroupBy::values("open").metrics([Metric::count()]).top(0, "count"))),
        QueryError::TopOfNothing { .. }
    ));
    assert!(matches!(refused(statistics(GroupBy::new([]))), QueryError::NoBuckets { .. }));
    assert!(matches!(refused(statistics(GroupBy::new(vec![Bucket::values("open"); 17]))), QueryError::TooMany { .. }));
    assert!(matches!(refused(statistics(Statistics::of(vec![Metric::count(); 257]))), QueryError::TooMany { .. }));
    assert!(matches!(refused(statistics(GroupBy::values("open").with_empty())), QueryError::NotAHistogram { .. }));
    assert!(matches!(refused(statistics(field("price").percentile(101.0))), QueryError::BadMetric { .. }));
    let nothing = Bucket::ranges("amount", [(Some(5), Some(5))]);
    let many = Bucket::ranges("amount", (0..1_025).map(|n| (Some(n), None)));
    let due = Bucket::date("due", DateUnit::Hour);
    for bucket in [nothing, many, due, Bucket::width("amount", 0)] {
        assert!(matches!(refused(statistics(GroupBy::from(bucket))), QueryError::BadBucket { .. }));
    }
    for pattern in ["a\\", "a\\\\\\"] {
        for predicate in [field("status").like(pattern), field("status").like_ignore_case(pattern)] {
            assert!(matches!(refused(query(predicate.clone())), QueryError::BadPattern { .. }));
            assert!(matches!(
                query_error(query(predicate).to_sql(dialect).unwrap_err()),
                QueryError::BadPattern { .. }
            ));
        }
    }
    let nest = |inner: Predicate, level: usize| {
        if level.is_multiple_of(2) { inner & field("id").eq(1) } else { inner | field("id").eq(2) }
    };
    let deepest = (1..MAX_PREDICATE_DEPTH).fold(field("status").starts_with("x"), nest);
    assert!(query(deepest).to_sql(dialect).is_ok());
    let deep = (0..=MAX_PREDICATE_DEPTH).fold(field("id").eq(1), nest);
    assert!(matches!(query_error(query(deep).to_sql(dialect).unwrap_err()), QueryError::TooDeep { .. }));
    // Cursors with too few values, too many values, a value of another kind, and null for a field that is never null.
    let by_status = || query(Predicate::All).order_by(field("status").asc());
    for cursor in [cursor_after([]), cursor_after([Value::from("a"), Value::from("b")]), cursor_after([Value::from(1)])]
    {
        assert!(matches!(refused(by_status().after(cursor)), QueryError::ForeignCursor { .. }));
    }
    let by_open = query(Predicate::All).order_by(field("open").asc());
    assert!(matches!(refused(by_open.after(cursor_after([Value::NULL]))), QueryError::ForeignCursor { .. }));
}

/// Names and values that try to inject SQL.
const INJECTIONS: [&str; 7] = [
    "x\"; DROP TABLE users; --",
    "x'; DROP TABLE users; --",
    "x`; DROP TABLE users; --",
    "\\'; DROP TABLE users; --",
    "?1 OR 1=1 /*",
    "$1::text) OR TRUE --",
    "[x]\n;",
];

#[test]
fn values_are_never_part_of_the_text() {
    for injection in INJECTIONS {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let query = Query::over(["t"])
                .filter(field("a").eq(injection) | field("a").gt(injection) | field("a").is_in([injection]));
            let sql = query.to_sql(dialect).unwrap();
            assert!(!sql.text.contains("DROP") && !sql.text.contains("OR TRUE") && !sql.text.contains('\''), "{sql:?}");
            assert_eq!(sql.params, vec![text(injection); 3]);
        }
    }
}

#[test]
fn names_are_quoted() {
    for injection in INJECTIONS {
        let query =
            Query::over([injection]).filter(field(injection).is_null()).statistics(Metric::count().named(injection));
        for (dialect, quote) in [(Dialect::Sqlite, '`'), (Dialect::Postgres, '"')] {
            let sql = query.to_sql(dialect).unwrap().text;
            let doubled = injection.replace(quote, &format!("{quote}{quote}"));
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

/// No expression of both databases removes the accents of a text as memdex does.
#[test]
fn comparisons_that_ignore_accents_are_refused() {
    let name = || field("name");
    let count = || [Metric::count()];
    let only_when = |predicate: Predicate| IndexDef::equality("id").named("some").when(predicate);
    for collation in [Collation::NoAccents, Collation::NoCaseNoAccents] {
        let plain = || FieldDef::new("name", Kind::Str).optional().collate(collation);
        let schema = |def: FieldDef| Schema::new([FieldDef::new("id", Kind::Int).key(), def]);
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let of = |query: Query| query.to_sql(dialect.with(&schema(plain())));
            for refused in [
                query(name().eq("Zoe")),
                query(!name().ne("Zoe")),
                query(name().is_in(["Zoe", "Ada"])),
                query(name().ge("Zoe")),
                query(name().between("Ada", "Zoe")),
                query(Predicate::All).order_by(OrderBy::ascending("name")),
                query(Predicate::All).statistics(GroupBy::values("name").metrics(count())),
                query(Predicate::All)
                    .statistics(GroupBy::new([Bucket::ranges("name", [(Some("a"), None)])]).metrics(count())),
                query(Predicate::All).statistics(Statistics::of([name().distinct()])),
                query(Predicate::All).statistics(Statistics::of([name().min()])),
                query(Predicate::All).statistics(Statistics::of([name().max()])),
                query(Predicate::All).statistics(Statistics::of([Metric::count().filter(name().eq("Zoe"))])),
            ] {
                let error = of(refused.clone()).unwrap_err();
                assert!(
                    matches!(&error, SqlError::Unsupported { feature, field: Some(field), .. }
                        if field == "name" && feature.ends_with("of a field with a collation")),
                    "{refused:?}: {error}"
                );
            }
            for index in [plain().index(), plain().unique(), plain().ordered()] {
                let error = schema(index).to_sql(dialect, "User").unwrap_err();
                assert!(
                    matches!(&error, SqlError::Unsupported { field: Some(field), .. } if field == "name"),
                    "{error}"
                );
            }
            let compound = schema(plain()).with_index(IndexDef::ordered(["id", "name"]));
            let error = compound.to_sql(dialect, "User").unwrap_err();
            assert!(error.to_string().contains("an index of a field that ignores accents (field \"name\")"), "{error}");
            assert!(schema(plain()).with_index(only_when(name().eq("Zoe"))).to_sql(dialect, "User").is_err());
            // These compare the text as it is written.
            for translated in [
                name().is_null(),
                name().starts_with("Zo"),
                name().like("Zoë"),
                name().eq_ignore_case("ZOË"),
                name().contains_str_ignore_case("O"),
            ] {
                of(query(translated.clone())).unwrap_or_else(|error| panic!("{translated:?}: {error}"));
            }
            schema(plain()).with_index(only_when(name().is_null())).to_sql(dialect, "User").unwrap();
        }
    }
}
