//! Statements and their parameters.

use super::*;
use memdex_query::query::{Bucket, DateUnit, GroupBy, Metric, OrderBy, Statistics};

/// Filters, their SQL in both dialects, and the parameters, which are the same in both.
fn filters() -> Vec<(Predicate, &'static str, &'static str, Vec<SqlValue>)> {
    let eq = |name: &'static str| field(name).eq(1);
    vec![
        (field("status").eq("x"), "`status` = ?1", r#""status" = $1::text"#, vec![text("x")]),
        (field("status").ne("x"), "`status` <> ?1", r#""status" <> $1::text"#, vec![text("x")]),
        (
            !field("status").eq("x"),
            "(`status` = ?1) IS NOT TRUE",
            r#"("status" = $1::text) IS NOT TRUE"#,
            vec![text("x")],
        ),
        (field("status").is_null(), "`status` IS NULL", r#""status" IS NULL"#, vec![]),
        (
            field("status").is_in(["x", "y"]),
            "`status` IN (?1, ?2)",
            r#""status" IN ($1::text, $2::text)"#,
            vec![text("x"), text("y")],
        ),
        (field("status").is_in(Vec::<&str>::new()), "FALSE", "FALSE", vec![]),
        (field("status").gt("x"), "`status` > ?1", r#""status" COLLATE "C" > $1::text"#, vec![text("x")]),
        (
            field("amount").between(1, 2),
            "(`amount` >= ?1 AND `amount` <= ?2)",
            r#"("amount" >= $1::bigint AND "amount" <= $2::bigint)"#,
            vec![int(1), int(2)],
        ),
        (field("price").lt(3), "`price` < ?1", r#""price" < $1::double precision"#, vec![SqlValue::Real(3.0)]),
        (
            Predicate::Range("price".into(), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
            "`price` IS NOT NULL",
            r#""price" IS NOT NULL"#,
            vec![],
        ),
        (
            (eq("amount") | eq("balance")) & !(eq("id") & eq("amount")),
            "((`amount` = ?1 OR `balance` = ?2) AND (`id` = ?3 AND `amount` = ?4) IS NOT TRUE)",
            r#"(("amount" = $1::bigint OR "balance" = $2::bigint) AND ("id" = $3::bigint AND "amount" = $4::bigint) IS NOT TRUE)"#,
            vec![int(1), int(1), int(1), int(1)],
        ),
        (Predicate::And(Default::default()), "TRUE", "TRUE", vec![]),
        (Predicate::none(), "FALSE", "FALSE", vec![]),
        (!Predicate::All, "(TRUE) IS NOT TRUE", "(TRUE) IS NOT TRUE", vec![]),
        (
            field("cover").eq(&b"\0'"[..]),
            "`cover` = ?1",
            r#""cover" = $1::bytea"#,
            vec![SqlValue::Blob(b"\0'".to_vec())],
        ),
        (field("grade").eq('\''), "`grade` = ?1", r#""grade" = $1::text"#, vec![text("'")]),
        (field("home.city").eq("x"), "`home.city` = ?1", r#""home.city" = $1::text"#, vec![text("x")]),
        (field("fee").eq(decimal("1.50")), "`fee` = ?1", r#""fee" = $1::text::numeric"#, vec![text("1.5")]),
        (field("fee").eq("0001.50"), "`fee` = ?1", r#""fee" = $1::text::numeric"#, vec![text("1.5")]),
    ]
}

#[test]
fn filters_are_translated() {
    for (predicate, sqlite, postgres, params) in filters() {
        let [a, b] = translated(&query(predicate.clone()));
        let where_of = |sql: &Sql| sql.text.split_once(" WHERE ").map(|(_, filter)| filter.to_owned());
        assert_eq!(where_of(&a).as_deref(), Some(sqlite), "{predicate:?}");
        assert_eq!(where_of(&b).as_deref(), Some(postgres), "{predicate:?}");
        assert_eq!((&a.params, &b.params), (&params, &params), "{predicate:?}");
        let count = query(predicate.clone()).to_count_sql(Dialect::Postgres.with(&schema())).unwrap();
        assert_eq!(count.text, format!("SELECT count(*) FROM \"Payment\" WHERE {postgres}"));
    }
}

#[test]
fn a_filter_for_all_records_has_no_where_clause() {
    let all = query(Predicate::All);
    for (sql, quote) in translated(&all).into_iter().zip(['`', '"']) {
        assert!(sql.text.ends_with(&format!(" FROM {quote}Payment{quote}")), "{}", sql.text);
        assert!(sql.params.is_empty());
    }
    let count = all.to_count_sql(Dialect::Postgres.with(&schema())).unwrap();
    assert_eq!(count.text, "SELECT count(*) FROM \"Payment\"");
}

#[test]
fn values_with_different_types_in_the_dialects() {
    let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let Some(as_uuid) = Value::from_text(Kind::Uuid, uuid) else { panic!("a UUID") };
    let ValueRef::Uuid(bytes) = as_uuid.as_ref() else { panic!("a UUID") };
    for (predicate, sqlite, cast, postgres) in [
        (field("open").eq(true), int(1), "$1::boolean", SqlValue::Bool(true)),
        (field("uid").eq(uuid), SqlValue::Blob(bytes.to_vec()), "$1::text::uuid", text(uuid)),
        (field("at").eq(time(-1_000)), int(-1_000), "$1::text::timestamptz", text("1969-12-31T23:59:59.999999Z")),
        (field("at").eq("1970-01-01T01:00:00+01:00"), int(0), "$1::text::timestamptz", text("1970-01-01T00:00:00Z")),
        (field("due").eq(date(-1)), int(-1), "$1::text::date", text("1969-12-31")),
    ] {
        let [a, b] = translated(&query(predicate));
        assert_eq!(a.params, [sqlite]);
        assert!(b.text.ends_with(&format!("= {cast}")), "{}", b.text);
        assert_eq!(b.params, [postgres]);
    }
    let wide = query(field("balance").gt(1_i128 << 100)).to_sql(Dialect::Postgres).unwrap();
    assert_eq!(wide.text, r#"SELECT * FROM "Payment" WHERE "balance" > $1::text::numeric"#);
    assert_eq!(wide.params, [text("1267650600228229401496703205376")]);
    // PostgreSQL orders NaN above all other numbers, like the engine.
    let nan = query(field("price").lt(f64::NAN)).to_sql(Dialect::Postgres).unwrap();
    assert!(matches!(nan.params.as_slice(), [SqlValue::Real(x)] if x.is_nan()));
}

#[test]
fn without_a_schema_values_determine_the_kinds() {
    let query = Query::over(["t"]).filter(field("a").eq(1) & field("b").gt("x") & field("c").is_in([date(0)]));
    let sql = query.to_sql(Dialect::Postgres).unwrap();
    assert_eq!(
        sql.text,
        r#"SELECT * FROM "t" WHERE ("a" = $1::bigint AND "b" COLLATE "C" > $2::text AND "c" IN ($3::text::date))"#
    );
    let counts = query.statistics([Metric::count(), field("a").count(), field("a").distinct().named("d")]);
    assert_eq!(
        counts.to_sql(Dialect::Sqlite).unwrap().text,
        "SELECT count(*) AS `count`, count(`a`) AS `count(a)`, count(DISTINCT `a`) AS `d` FROM `t` \
         WHERE (`a` = ?1 AND `b` > ?2 AND `c` IN (?3))"
    );
}

#[test]
fn a_page_continues_after_an_empty_key() {
    let key = [ValueRef::Str(""), ValueRef::from(7)];
    let cursor = Cursor { key: Key::from_bytes(&encode_parts(key)), ..cursor_after([]) };
    let [sqlite, _] = translated(&query(Predicate::All).after(cursor));
    assert!(sqlite.text.contains("(`org` > ?2 OR (`org` = ?2 AND `id` > ?1))"), "{}", sqlite.text);
    assert_eq!(sqlite.params, [int(7), text("")]);
}

#[test]
fn pages_are_translated() {
    const COLUMNS: &str = "`org`, `id`, `status`, `amount`, `balance`, `price`, `open`, `grade`, `cover`, `uid`, `at`, \
                           `due`, `fee`, `home.city`";
    let all = || query(Predicate::All);
    let order = || [field("amount").desc(), field("status").asc().nulls_last()];
    for (query, rest, params) in [
        (all(), "", vec![]),
        (all().with_total(), "", vec![]),
        (all().limit(5), " ORDER BY `org` ASC, `id` ASC LIMIT ?1", vec![int(5)]),
        (all().offset(5), " ORDER BY `org` ASC, `id` ASC LIMIT -1 OFFSET ?1", vec![int(5)]),
        (
            all().order_by(order()).limit(5).offset(usize::MAX),
            " ORDER BY `amount` DESC NULLS LAST, `status` ASC NULLS LAST, `org` ASC, `id` ASC LIMIT ?1 OFFSET ?2",
            vec![int(5), int(i64::MAX)],
        ),
        (all().order_by([field("id").desc(), field("id").asc()]), " ORDER BY `id` DESC, `org` ASC, `id` ASC", vec![]),
        (
            all().after(cursor_after([])),
            " WHERE (`org` > ?2 OR (`org` = ?2 AND `id` > ?1)) ORDER BY `org` ASC, `id` ASC",
            vec![int(7), text("o")],
        ),
        (
            query(field("open").eq(true)).order_by(field("status").asc()).after(cursor_after([Value::from("s")])),
            " WHERE `open` = ?1 AND (`status` > ?4 OR (`status` = ?4 AND (`org` > ?3 OR (`org` = ?3 AND `id` > ?2)))) \
             ORDER BY `status` ASC NULLS FIRST, `org` ASC, `id` ASC",
            vec![int(1), int(7), text("o"), text("s")],
        ),
        (
            all().order_by(field("status").desc()).after(cursor_after([Value::from("s")])),
            " WHERE ((`status` < ?3 OR `status` IS NULL) OR (`status` = ?3 AND (`org` > ?2 OR (`org` = ?2 AND `id` > ?1)))) \
             ORDER BY `status` DESC NULLS LAST, `org` ASC, `id` ASC",
            vec![int(7), text("o"), text("s")],
        ),
        (
            all().order_by(field("status").asc()).after(cursor_after([Value::NULL])),
            " WHERE (`status` IS NOT NULL OR (`status` IS NULL AND (`org` > ?2 OR (`org` = ?2 AND `id` > ?1)))) \
             ORDER BY `status` ASC NULLS FIRST, `org` ASC, `id` ASC",
            vec![int(7), text("o")],
        ),
        (
            all().order_by(field("status").desc()).after(cursor_after([Value::NULL])),
            " WHERE (`status` IS NULL AND (`org` > ?2 OR (`org` = ?2 AND `id` > ?1))) \
             ORDER BY `status` DESC NULLS LAST, `org` ASC, `id` ASC",
            vec![int(7), text("o")],
        ),
    ] {
        let [sqlite, _] = translated(&query);
        assert_eq!(sqlite.text, format!("SELECT {COLUMNS} FROM `Payment`{rest}"), "{query:?}");
        assert_eq!(sqlite.params, params, "{query:?}");
    }
    let [_, postgres] = translated(&all().order_by(order()).offset(3));
    let (_, rest) = postgres.text.split_once(" FROM ").unwrap();
    assert_eq!(
        rest,
        "\"Payment\" ORDER BY \"amount\" DESC NULLS LAST, \"status\" COLLATE \"C\" ASC NULLS LAST, \
         \"org\" COLLATE \"C\" ASC, \"id\" ASC OFFSET $1::bigint"
    );
}

/// Statistics, and their SQL in both dialects.
fn statistics() -> Vec<(Statistics, &'static str, &'static str)> {
    let of = |bucket: Bucket| Statistics::from(GroupBy::new([bucket]).metrics([Metric::count()]));
    let date = |name: &'static str, unit| of(Bucket::date(name, unit));
    vec![
        (
            [field("amount").sum(), field("price").avg(), field("status").min(), field("open").max()].into(),
            "SELECT sum(`amount`) AS `sum(amount)`, avg(`price`) AS `avg(price)`, min(`status`) AS `min(status)`, \
             max(`open`) AS `max(open)` FROM `Payment`",
            "SELECT sum(\"amount\") AS \"sum(amount)\", avg(\"price\")::double precision AS \"avg(price)\", \
             min(\"status\" COLLATE \"C\") AS \"min(status)\", bool_or(\"open\") AS \"max(open)\" FROM \"Payment\"",
        ),
        (
            GroupBy::values("status").metrics([field("amount").sum().named("s")]).top(3, "s").into(),
            "SELECT `status` AS `status`, sum(`amount`) AS `s` FROM `Payment` GROUP BY 1 \
             ORDER BY 2 DESC NULLS LAST, 1 ASC NULLS FIRST LIMIT ?1",
            "SELECT \"status\" COLLATE \"C\" AS \"status\", sum(\"amount\") AS \"s\" FROM \"Payment\" GROUP BY 1 \
             ORDER BY 2 DESC NULLS LAST, 1 ASC NULLS FIRST LIMIT $1::bigint",
        ),
        (
            GroupBy::new([Bucket::values("open"), Bucket::values("due")]).into(),
            "SELECT `open` AS `open`, `due` AS `due` FROM `Payment` GROUP BY 1, 2 ORDER BY 1 ASC NULLS FIRST, 2 ASC NULLS FIRST",
            "SELECT \"open\" AS \"open\", \"due\" AS \"due\" FROM \"Payment\" GROUP BY 1, 2 \
             ORDER BY 1 ASC NULLS FIRST, 2 ASC NULLS FIRST",
        ),
        (
            of(Bucket::width("amount", 100)),
            "SELECT (`amount` - (`amount` % ?1 + ?1) % ?1) AS `amount`, count(*) AS `count` FROM `Payment` \
             WHERE `amount` IS NOT NULL GROUP BY 1 ORDER BY 1 ASC NULLS FIRST",
            "SELECT (\"amount\"::numeric - mod(mod(\"amount\"::numeric - $2::text::numeric, $1::text::numeric) + \
             $1::text::numeric, $1::text::numeric)) AS \"amount\", count(*) AS \"count\" FROM \"Payment\" \
             WHERE \"amount\" IS NOT NULL GROUP BY 1 ORDER BY 1 ASC NULLS FIRST",
        ),
        (
            of(Bucket::ranges("amount", [(None, Some(0)), (Some(0), None)])),
            "SELECT ranges.k AS `amount`, ranges.m0 AS `count` FROM (SELECT 0 AS p, ?2 AS k, count(*) AS m0 \
             FROM `Payment` WHERE `amount` < ?1 UNION ALL SELECT 1 AS p, ?4 AS k, count(*) AS m0 \
             FROM `Payment` WHERE `amount` >= ?3) AS ranges ORDER BY ranges.p",
            "SELECT ranges.k AS \"amount\", ranges.m0 AS \"count\" FROM (SELECT 0 AS p, $2::text AS k, count(*) AS m0 \
             FROM \"Payment\" WHERE \"amount\" < $1::bigint UNION ALL SELECT 1 AS p, $4::text AS k, count(*) AS m0 \
             FROM \"Payment\" WHERE \"amount\" >= $3::bigint) AS ranges ORDER BY ranges.p",
        ),
        // No range contains NaN. SQLite has no NaN.
        (
            of(Bucket::ranges("price", [(Some(0.5), None), (None, Some(0.5))])),
            "SELECT ranges.k AS `price`, ranges.m0 AS `count` FROM (SELECT 0 AS p, ?2 AS k, count(*) AS m0 \
             FROM `Payment` WHERE `price` >= ?1 UNION ALL SELECT 1 AS p, ?4 AS k, count(*) AS m0 \
             FROM `Payment` WHERE `price` < ?3) AS ranges ORDER BY ranges.p",
            "SELECT ranges.k AS \"price\", ranges.m0 AS \"count\" FROM (SELECT 0 AS p, $2::text AS k, count(*) AS m0 \
             FROM \"Payment\" WHERE \"price\" >= $1::double precision AND \"price\" <> 'NaN'::double precision UNION ALL \
             SELECT 1 AS p, $4::text AS k, count(*) AS m0 \
             FROM \"Payment\" WHERE \"price\" < $3::double precision) AS ranges ORDER BY ranges.p",
        ),
        (
            date("at", DateUnit::Month),
            "SELECT (CAST(strftime('%s', (`at` / 1000000000 - (`at` % 1000000000 < 0)), 'unixepoch', 'start of month') \
             AS INTEGER) * 1000000000) AS `at`, count(*) AS `count` FROM `Payment` WHERE `at` IS NOT NULL GROUP BY 1 \
             ORDER BY 1 ASC NULLS FIRST",
            "SELECT date_trunc('month', \"at\", 'UTC') AS \"at\", count(*) AS \"count\" FROM \"Payment\" \
             WHERE \"at\" IS NOT NULL GROUP BY 1 ORDER BY 1 ASC NULLS FIRST",
        ),
        (
            date("due", DateUnit::Week),
            "SELECT (`due` - (`due` % ?1 - ?2 + 2 * ?1) % ?1) AS `due`, count(*) AS `count` FROM `Payment` \
             WHERE `due` IS NOT NULL GROUP BY 1 ORDER BY 1 ASC NULLS FIRST",
            "SELECT date_trunc('week', \"due\"::timestamp)::date AS \"due\", count(*) AS \"count\" FROM \"Payment\" \
             WHERE \"due\" IS NOT NULL GROUP BY 1 ORDER BY 1 ASC NULLS FIRST",
        ),
    ]
}

#[test]
fn statistics_are_translated() {
    for (requested, sqlite, postgres) in statistics() {
        let [a, b] = translated(&query(Predicate::All).statistics(requested));
        assert_eq!(a.text, sqlite);
        assert_eq!(b.text, postgres);
    }
    let more = [
        field("amount").stddev().named("a"),
        field("fee").stddev_pop().named("b"),
        field("price").percentile(95.0).named("c"),
    ];
    let sql = query(Predicate::All).statistics(more).to_sql(Dialect::Postgres.with(&schema())).unwrap();
    assert_eq!(
        sql.text,
        "SELECT stddev_samp(\"amount\")::double precision AS \"a\", stddev_pop(\"fee\")::double precision AS \"b\", \
         percentile_cont($1::double precision) WITHIN GROUP (ORDER BY \"price\"::double precision) AS \"c\" FROM \"Payment\""
    );
    assert_eq!(sql.params, [SqlValue::Real(0.95)]);
}

#[test]
fn many_operands_make_a_balanced_tree() {
    let many = (0..1_000).map(|n| field("id").eq(n)).reduce(|a, b| a | b).unwrap();
    let sql = query(many).to_sql(Dialect::Sqlite).unwrap();
    let mut depth = 0_i32;
    let deepest = sql.text.bytes().map(|byte| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        depth
    });
    assert!((4..8).contains(&deepest.max().unwrap()));
    assert_eq!((depth, sql.params.len()), (0, 1_000));
}

#[test]
fn an_order_by_key_fields_repeats_the_key() {
    let by_key = [OrderBy::ascending("org"), OrderBy::descending("id")];
    let [sqlite, _] = translated(&query(Predicate::All).order_by(by_key));
    assert!(sqlite.text.ends_with(" ORDER BY `org` ASC, `id` DESC, `org` ASC, `id` ASC"), "{}", sqlite.text);
}

#[test]
fn tests_that_ignore_case_fold_the_letters_of_the_pattern() {
    let [a, b] = translated(&query(field("status").eq_ignore_case("Ék1")));
    assert!(a.text.ends_with("WHERE replace(replace(replace(`status`, ?1, ?2), ?3, ?4), ?5, ?6) = ?7"), "{}", a.text);
    let params = ["K", "k", "É", "é", "\u{212A}", "k", "ék1"].map(text);
    assert_eq!(a.params, params);
    assert!(b.text.ends_with(r#"WHERE translate("status" COLLATE "C", $1::text, $2::text) = $3::text"#), "{}", b.text);
    assert_eq!(b.params, [text("KÉ\u{212A}"), text("kék"), text("ék1")]);
    for (predicate, sqlite, postgres) in [
        (
            field("status").starts_with_ignore_case("a"),
            "instr(CAST({} AS BLOB), ?3) = 1",
            r#"strpos({} COLLATE "C", $3::text) = 1"#,
        ),
        (field("status").ends_with_ignore_case("a"), "substr(CAST({} AS BLOB), -1) = ?3", "right({}, 1) = $3::text"),
        (
            field("status").contains_str_ignore_case("a"),
            "instr(CAST({} AS BLOB), ?3) > 0",
            r#"strpos({} COLLATE "C", $3::text) > 0"#,
        ),
        (field("status").like_ignore_case("a_"), "{} GLOB ?3", r#"{} COLLATE "C" LIKE $3::text"#),
    ] {
        let [a, b] = translated(&query(predicate));
        let sqlite = sqlite.replace("{}", "replace(`status`, ?1, ?2)");
        let postgres = postgres.replace("{}", r#"translate("status" COLLATE "C", $1::text, $2::text)"#);
        assert!(a.text.ends_with(&format!(" WHERE {sqlite}")), "{}", a.text);
        assert!(b.text.ends_with(&format!(" WHERE {postgres}")), "{}", b.text);
    }
    // Without letters, the test is the case-sensitive one.
    assert_eq!(
        translated(&query(field("status").like_ignore_case("1%"))).map(|sql| (sql.text, sql.params)),
        translated(&query(field("status").like("1%"))).map(|sql| (sql.text, sql.params))
    );
}

/// SQLite's parser has a small stack, and conditions of indexes can't have subqueries.
#[test]
fn long_patterns_are_folded_in_parts() {
    let long = "zwölf boxkämpfer jagen viktor";
    let predicate = field("status").eq_ignore_case(long);
    let [a, b] = translated(&query(predicate.clone()));
    let (inner, outer) = a.text.split_once(" FROM (SELECT ").map(|(outer, inner)| (inner, outer)).unwrap();
    assert_eq!((outer.matches("replace(").count(), inner.matches("replace(").count()), (6, 16), "{}", a.text);
    assert!(outer.contains("replace(`folded`, ") && inner.ends_with(") AS `folded`)) = ?45"), "{}", a.text);
    assert_eq!(b.params.len(), 3);
    let of_index = |text: &str| {
        let index = IndexDef::ordered("amount").named("part").when(field("status").eq_ignore_case(text));
        schema().with_index(index).to_sql(Dialect::Sqlite, "Payment")
    };
    let short = of_index("ä1").unwrap().pop().unwrap();
    assert!(short.ends_with("WHERE replace(`status`, 'Ä', 'ä') = 'ä1'"), "{short}");
    assert_eq!(
        of_index(long).unwrap_err().to_string(),
        "can't translate eq_ignore_case of more than 16 different letters in the condition of an index (field \"status\") \
         to SQLite: no equivalent SQL exists; use fewer letters, or an index without a condition"
    );
}

#[test]
fn numbers_of_other_kinds_are_compared_by_value() {
    let next = (1_i64 << 53) + 1;
    for (predicate, expected) in [
        (field("amount").eq(5.0), "`amount` = ?1"),
        (field("amount").eq(5.5), "FALSE"),
        (field("amount").ne(5.5), "`amount` IS NOT NULL"),
        (field("amount").is_in([5.5, 6.0]), "`amount` IN (?1)"),
        (field("amount").is_in([5.5]), "FALSE"),
        (field("amount").ge(5.5), "`amount` > ?1"),
        (field("amount").lt(5.5), "`amount` < ?1"),
        (field("amount").le(f64::NAN), "`amount` IS NOT NULL"),
        (field("amount").between(f64::INFINITY, 9), "FALSE"),
        (field("price").eq(next), "FALSE"),
        (field("price").ge(next), "`price` > ?1"),
        (field("fee").eq(0.5), "`fee` = ?1"),
        (field("fee").eq(0.1), "FALSE"),
    ] {
        let [a, b] = translated(&query(predicate.clone()));
        assert!(a.text.ends_with(&format!(" WHERE {expected}")), "{predicate:?}: {}", a.text);
        assert_eq!(a.params, b.params, "{predicate:?}");
    }
    let params = |predicate| translated(&query(predicate)).map(|sql| sql.params);
    assert_eq!(params(field("amount").ge(5.5)), [[int(5)], [int(5)]]);
    assert_eq!(params(field("amount").lt(5.5)), [[int(6)], [int(6)]]);
    assert_eq!(
        params(field("price").ge(next)),
        [[SqlValue::Real(9_007_199_254_740_992.0)], [SqlValue::Real(9_007_199_254_740_992.0)]]
    );
    let ranges = GroupBy::new([Bucket::ranges("amount", [(Some(0.5), Some(9.5))])]).metrics([Metric::count()]);
    let [a, _] = translated(&query(Predicate::All).statistics(ranges));
    assert_eq!(a.params, [int(1), int(10), text("1..10")]);
}

#[test]
fn equality_of_a_field_that_ignores_case_folds_the_column() {
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("mail", Kind::Str).index().collate(Collation::NoCase),
    ]);
    let sql = |dialect: Dialect, query: Query| query.to_sql(dialect.with(&schema));
    let where_of = |dialect: Dialect, predicate: Predicate| {
        let sql = sql(dialect, query(predicate)).unwrap();
        (sql.text.split_once(" WHERE ").unwrap().1.to_owned(), sql.params)
    };
    let folded = ["A", "a", "a1"].map(text).to_vec();
    let mail = || field("mail");
    assert_eq!(where_of(Dialect::Sqlite, mail().eq("A1")), ("replace(`mail`, ?1, ?2) = ?3".to_owned(), folded.clone()));
    assert_eq!(where_of(Dialect::Sqlite, mail().eq("A1")), where_of(Dialect::Sqlite, mail().eq_ignore_case("A1")));
    assert_eq!(
        where_of(Dialect::Postgres, mail().ne("A1")),
        (r#"translate("mail" COLLATE "C", $1::text, $2::text) <> $3::text"#.to_owned(), folded)
    );
    assert_eq!(
        where_of(Dialect::Sqlite, mail().is_in(["B", "A", "2"])),
        (
            "replace(replace(`mail`, ?1, ?2), ?3, ?4) IN (?5, ?6, ?7)".to_owned(),
            ["A", "a", "B", "b", "b", "a", "2"].map(text).to_vec()
        )
    );
    // Other tests compare the text as it is written.
    assert_eq!(
        where_of(Dialect::Postgres, mail().starts_with("A")),
        (r#"strpos("mail" COLLATE "C", $1::text) = 1"#.to_owned(), vec![text("A")])
    );
    assert_eq!(where_of(Dialect::Postgres, mail().like("A")).1, [text("A")]);
    for refused in [
        query(mail().ge("a")),
        query(Predicate::All).order_by(OrderBy::ascending("mail")),
        query(Predicate::All).statistics(Statistics::of([field("mail").distinct()])),
    ] {
        let refused = sql(Dialect::Sqlite, refused).unwrap_err().to_string();
        assert!(refused.contains("of a field with a collation (field \"mail\")"), "{refused}");
    }
    let unique = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("mail", Kind::Str).unique().collate(Collation::NoCase),
    ]);
    let refused = unique.to_sql(Dialect::Postgres, "users").unwrap_err().to_string();
    assert!(refused.contains("a unique index of a field with a collation"), "{refused}");
    schema.to_sql(Dialect::Sqlite, "users").unwrap();
}

#[test]
fn references_and_checks() {
    use memdex_query::schema::{Check, OnDelete, OnUpdate, Reference};
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("account", Kind::Int).optional(),
        FieldDef::new("bank", Kind::Str).optional(),
        FieldDef::new("branch", Kind::Int).optional(),
        FieldDef::new("tags", Kind::Int).many(),
    ])
    .with_reference(Reference::new("account", "Account").on_delete(OnDelete::SetNull).on_update(OnUpdate::Cascade))
    .with_reference(Reference::new(["bank", "branch"], "Branch").on_delete(OnDelete::Cascade).named("at"))
    .with_reference(Reference::new("tags", "Tag"))
    .with_check(Check::new(field("branch").gt(0) & !field("branch").is_in([7, 8])))
    .with_check(Check::new(!(field("account").eq(1.5) | field("bank").starts_with(""))).named("odd"));
    let create = |dialect| schema.to_sql(dialect, "Payment").unwrap().remove(0);
    assert_eq!(
        create(Dialect::Postgres),
        "CREATE TABLE \"Payment\" (\"id\" numeric NOT NULL, \"account\" numeric, \"bank\" text COLLATE \"C\", \"branch\" numeric, PRIMARY KEY (\"id\"), \
         CONSTRAINT \"Payment_account_fkey\" FOREIGN KEY (\"account\") REFERENCES \"Account\" ON DELETE SET NULL ON UPDATE CASCADE \
         DEFERRABLE INITIALLY DEFERRED, \
         CONSTRAINT \"at\" FOREIGN KEY (\"bank\", \"branch\") REFERENCES \"Branch\" ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, \
         CONSTRAINT \"Payment_branch_check\" CHECK ((\"branch\" > '0'::bigint AND NOT (\"branch\" IN ('7'::bigint, '8'::bigint)))), \
         CONSTRAINT \"odd\" CHECK (NOT ((\"account\" IS NULL AND NULL) OR (\"bank\" IS NOT NULL OR NULL))))"
    );
    assert!(create(Dialect::Sqlite).contains("CONSTRAINT `odd` CHECK (NOT ((`account` IS NULL AND NULL)"));
}
