//! Tests of the exact SQL in both dialects. The package `memdex-oracle` tests that it returns the results of memdex.

mod refused;
mod statements;
mod tables;

use super::{Dialect, QueryToSql, SchemaToSql, Sql, SqlValue};
use memdex_query::query::{Cursor, Predicate, Query, field};
use memdex_query::schema::{Collation, FieldDef, IndexDef, Schema};
use memdex_query::value::{DecimalValue, Key, Kind, Value, ValueRef, encode_parts};

fn schema() -> Schema {
    Schema::new([
        FieldDef::new("org", Kind::Str).key(),
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("status", Kind::Str).optional().index(),
        FieldDef::of::<Option<i32>>("amount").ordered(),
        FieldDef::of::<i64>("balance"),
        FieldDef::new("price", Kind::Float).optional(),
        FieldDef::new("open", Kind::Bool),
        FieldDef::new("grade", Kind::Char).optional(),
        FieldDef::new("cover", Kind::Bytes).optional(),
        FieldDef::new("uid", Kind::Uuid).unique(),
        FieldDef::new("at", Kind::Timestamp).optional(),
        FieldDef::new("due", Kind::Date).optional(),
        FieldDef::new("fee", Kind::Decimal).optional(),
        FieldDef::new("tags", Kind::Str).many().index(),
        FieldDef::new("home.city", Kind::Str).optional(),
    ])
    .with_index(IndexDef::ordered(["status", "amount"]).named("open ones").when(field("open").eq(true)))
}

fn query(predicate: Predicate) -> Query {
    Query::over(["Payment"]).filter(predicate)
}

fn text(text: &str) -> SqlValue {
    SqlValue::Text(text.into())
}

fn int(n: i64) -> SqlValue {
    SqlValue::Integer(n)
}

fn decimal(text: &str) -> DecimalValue {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn time(nanos: i128) -> Value {
    ValueRef::Timestamp(nanos).to_value()
}

fn date(days: i32) -> Value {
    ValueRef::Date(days).to_value()
}

/// A cursor after these values and this key.
fn cursor_after<const N: usize>(values: [Value; N]) -> Cursor {
    let key = [Value::from("o"), Value::from(7)];
    Cursor {
        query: 0,
        values: values.into(),
        collection: None,
        key: Key::from_bytes(&encode_parts(key.iter().map(Value::as_ref))),
    }
}

/// Translates a query to both dialects, with the schema.
fn translated(query: &Query) -> [Sql; 2] {
    [Dialect::Sqlite, Dialect::Postgres]
        .map(|dialect| query.to_sql(dialect.with(&schema())).unwrap_or_else(|error| panic!("{error}: {query:?}")))
}
