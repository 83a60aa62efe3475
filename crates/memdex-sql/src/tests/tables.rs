//! Schemas as tables and indexes.

use super::super::SqlError;
use super::*;
use memdex_query::error::SchemaError;

#[test]
fn a_schema_becomes_a_table() {
    assert_eq!(
        schema().to_sql(Dialect::Sqlite, "Payment").unwrap(),
        [
            "CREATE TABLE `Payment` (`org` TEXT NOT NULL, `id` INTEGER NOT NULL, `status` TEXT, `amount` INTEGER, \
             `balance` INTEGER NOT NULL, `price` REAL, `open` INTEGER NOT NULL, `grade` TEXT, `cover` BLOB, \
             `uid` BLOB NOT NULL, `at` INTEGER, `due` INTEGER, `fee` TEXT, `home.city` TEXT, \
             PRIMARY KEY (`org`, `id`)) STRICT",
            "CREATE INDEX `Payment_status` ON `Payment` (`status`)",
            "CREATE INDEX `Payment_amount` ON `Payment` (`amount`)",
            "CREATE UNIQUE INDEX `Payment_uid_key` ON `Payment` (`uid`)",
            "CREATE INDEX `Payment_open ones` ON `Payment` (`status`, `amount`) WHERE `open` = 1",
        ]
    );
    assert_eq!(
        schema().to_sql(Dialect::Postgres, "Payment").unwrap(),
        [
            "CREATE TABLE \"Payment\" (\"org\" text COLLATE \"C\" NOT NULL, \"id\" numeric NOT NULL, \
             \"status\" text COLLATE \"C\", \"amount\" bigint, \"balance\" bigint NOT NULL, \"price\" double precision, \
             \"open\" boolean NOT NULL, \"grade\" text COLLATE \"C\", \"cover\" bytea, \"uid\" uuid NOT NULL, \
             \"at\" timestamptz, \"due\" date, \"fee\" numeric, \"home.city\" text COLLATE \"C\", \
             PRIMARY KEY (\"org\", \"id\"))",
            "CREATE INDEX \"Payment_status\" ON \"Payment\" (\"status\")",
            "CREATE INDEX \"Payment_amount\" ON \"Payment\" (\"amount\" NULLS FIRST)",
            "CREATE UNIQUE INDEX \"Payment_uid_key\" ON \"Payment\" (\"uid\")",
            "CREATE INDEX \"Payment_open ones\" ON \"Payment\" (\"status\" NULLS FIRST, \"amount\" NULLS FIRST) \
             WHERE \"open\" = TRUE::boolean",
        ]
    );
}

/// Translates the condition of an index to both dialects.
fn condition(when: Predicate) -> [Result<String, SqlError>; 2] {
    let index = IndexDef::equality("id").named("i").when(when);
    let schema = Schema::new(schema().fields().to_vec()).with_index(index);
    [Dialect::Sqlite, Dialect::Postgres].map(|dialect| {
        let statements = schema.to_sql(dialect, "t")?;
        Ok(statements.last().unwrap().split_once(" WHERE ").unwrap().1.to_owned())
    })
}

#[test]
fn conditions_of_indexes_have_literals() {
    for (when, sqlite, postgres) in [
        (field("id").eq(i64::MIN), "`id` = -9223372036854775808", r#""id" = '-9223372036854775808'::bigint"#),
        (field("price").gt(-1.5e300), "`price` > -1.5e300", r#""price" > '-1.5e300'::double precision"#),
        (field("price").lt(f64::INFINITY), "`price` < 9e999", r#""price" < 'Infinity'::double precision"#),
        (field("price").gt(f64::NEG_INFINITY), "`price` > -9e999", r#""price" > '-Infinity'::double precision"#),
        (field("status").eq("it's"), "`status` = 'it''s'", r#""status" = 'it''s'::text"#),
        (field("status").eq("\\'; --"), "`status` = '\\''; --'", r#""status" = E'\\''; --'::text"#),
        (field("status").gt("a\"`"), "`status` > 'a\"`'", r#""status" COLLATE "C" > 'a"`'::text"#),
        (field("cover").eq(&b"\0'\xff"[..]), "`cover` = X'0027FF'", r#""cover" = decode('0027FF', 'hex')"#),
        (field("fee").eq("-1.50"), "`fee` = '-1.5'", r#""fee" = '-1.5'::numeric"#),
        (field("due").ge(date(0)), "`due` >= 0", r#""due" >= '1970-01-01'::date"#),
        (field("at").lt(time(0)), "`at` < 0", r#""at" < '1970-01-01T00:00:00Z'::timestamptz"#),
        (!field("open").eq(false), "(`open` = 0) IS NOT TRUE", r#"("open" = FALSE::boolean) IS NOT TRUE"#),
    ] {
        let [a, b] = condition(when).map(|condition| condition.unwrap_or_else(|error| panic!("{error}")));
        assert_eq!((a.as_str(), b.as_str()), (sqlite, postgres));
    }
    let [sqlite, postgres] = condition(field("price").lt(f64::NAN));
    assert_eq!(postgres.as_deref(), Ok("\"price\" < 'NaN'::double precision"));
    assert!(matches!(sqlite, Err(SqlError::Value { .. })));
    for refused in condition(field("status").eq("a\0")) {
        assert!(matches!(&refused, Err(SqlError::Value { .. })), "{refused:?}");
    }
}

#[test]
fn invalid_tables_are_refused() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let no_key = Schema::new([FieldDef::of::<u8>("a")]);
        assert_eq!(no_key.to_sql(dialect, "t"), Err(SqlError::Schema(SchemaError::NoKey)));
        assert!(matches!(schema().to_sql(dialect, ""), Err(SqlError::Name { .. })));
        assert!(matches!(schema().to_sql(dialect, "t\0"), Err(SqlError::Name { .. })));
        let injection = schema().to_sql(dialect, "t`\"; DROP TABLE x; --").unwrap();
        assert!(
            injection.iter().all(|statement| statement.contains(["t``\"; DROP", "t`\"\"; DROP"][dialect as usize]))
        );
    }
    let same_but_for_case = Schema::new([FieldDef::of::<u8>("a").key(), FieldDef::of::<u8>("A")]);
    assert!(matches!(same_but_for_case.to_sql(Dialect::Sqlite, "t"), Err(SqlError::Name { .. })));
    assert!(same_but_for_case.to_sql(Dialect::Postgres, "t").is_ok());
    let same_but_for_case = Schema::new([FieldDef::of::<u8>("a").key(), FieldDef::of::<u8>("b")])
        .with_index(IndexDef::ordered(["a"]).named("x"))
        .with_index(IndexDef::ordered(["b"]).named("X"));
    assert!(matches!(same_but_for_case.to_sql(Dialect::Sqlite, "t"), Err(SqlError::Name { name, .. }) if name == "X"));
    assert!(same_but_for_case.to_sql(Dialect::Postgres, "t").is_ok());
    let long = schema().to_sql(Dialect::Postgres, &"t".repeat(60)).unwrap_err();
    assert!(long.to_string().contains("_status"), "{long}");
}
