//! SQL from queries: SQLite returns for the translation what memdex returns for the query, whatever the names and values are.

use crate::draw::{draw, predicate};
use crate::input::Input;
use crate::results::{Answer, answer, is_ordered};
use crate::tally;
use memdex::aggregate::Statistics;
use memdex::query::Ask;
use memdex::typing::ValueRef;
use memdex::{Bucket, FieldDef, IndexDef, KeyValue, Kind, Query, Schema, Store, Value};
use memdex_sql::{Dialect, QueryToSql, SchemaToSql, Sql, SqlError, SqlValue};
use memdex_test::strategy::schemas;
use memdex_test::{Domain, Form, Model, Operation, Outcome, Row, Summary};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};
use std::collections::BTreeSet;

/// Statements of a hostile text that ended a name or a value would change the tables.
const WITNESS: &str = "CREATE TABLE witness (n); INSERT INTO witness VALUES (7)";

/// The most queries of an input.
const MOST_QUERIES: usize = 6;

/// The first byte says where the schema comes from: `h` for one of hostile names and texts, each a part with its length; `d` for a drawn
/// one. Then the number of rows, with four bytes that draw each; then queries: four bytes, and the program of a predicate as a part.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        b'h' => hostile(input),
        b'd' => drawn(input),
        _ => {}
    }
}

fn drawn(mut input: Input<'_>) {
    let Some(schema) = draw(input.bytes(8), schemas()) else { return };
    let Ok(domain) = Domain::of_schema("Thing", schema) else { return };
    compared(&domain, input.rest());
}

fn hostile(mut input: Input<'_>) {
    let table = text(input.part());
    let mut names = BTreeSet::new();
    let kinds = [Kind::Int, Kind::Str, Kind::Str, Kind::Bool, Kind::Bytes, Kind::Timestamp];
    let mut fields = Vec::new();
    for kind in kinds {
        let name = text(input.part());
        if names.insert(name.clone()) {
            let field = FieldDef::new(name, kind);
            fields.push(if fields.is_empty() { field.key() } else { field.optional() });
        }
    }
    let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let texts: Vec<String> = (0..4).map(|_| text(input.part())).collect();
    let strings: Vec<String> = fields
        .iter()
        .filter(|field| field.kind() == Kind::Str && !field.is_key())
        .map(|field| field.name().to_owned())
        .collect();
    let mut schema = Schema::new(fields);
    if names.len() > 2 {
        let condition = memdex::field(names[1].clone()).ne(texts[0].clone());
        let condition =
            if strings.contains(&names[1]) { condition } else { !memdex::field(names[1].clone()).is_null() };
        schema = schema.with_index(
            IndexDef::ordered([names[1].clone(), names[2].clone()]).named(texts[1].clone()).when(condition),
        );
    }
    let Ok(mut domain) = Domain::of_schema(table, schema) else { return };
    for name in strings {
        domain = domain.values(&name, texts.iter().cloned()).expect("a text is a string");
    }
    compared(&domain, input.rest());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fills a store and a table with the same rows, and compares the answers of a few queries.
fn compared(domain: &Domain, choices: &[u8]) {
    let mut domain = domain.clone().portable();
    // Sums near the limits of 64 bits fail in SQLite, and floats of both sizes round differently.
    for field in domain.schema().clone().fields().iter().filter(|field| !field.is_key()) {
        let small: &[i32] = &[-100, -7, -1, 0, 1, 2, 3, 10, 99];
        let narrowed = match field.kind() {
            Kind::Int => domain.clone().values(field.name(), small.iter().copied()),
            Kind::Float => domain.clone().values(field.name(), [-7.25, -1.0, 0.0, 0.1, 0.5, 2.0, 99.99]),
            _ => continue,
        };
        domain = narrowed.expect("numbers");
    }
    let mut input = Input::new(choices);
    let schema = domain.schema();
    let mut model = Model::new([(domain.name().to_string(), schema.clone())]);
    let count = input.byte() % 16;
    let of_rows = domain.rows();
    let drawn: Vec<Row> = (0..count).filter_map(|_| draw(input.bytes(4), &of_rows)).collect();
    let mut is_new = |row: &Row| model.apply(&Operation::insert(domain.name().clone(), row.clone())) == Outcome::Done;
    let rows: Vec<Row> = drawn.into_iter().filter(|row| is_new(row)).collect();
    let (dialect, name) = (Dialect::Sqlite, domain.name().as_ref());
    let statements = match schema.to_sql(dialect, name) {
        Ok(statements) => statements,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    if let Err(error) = schema.to_sql(Dialect::Postgres, name) {
        assert!(!error.to_string().is_empty());
    }
    let store = Store::new();
    let Ok(things) = store.key_values::<()>(name, schema.clone()) else { return };
    let form = Form::<KeyValue<()>>::key_values(schema.clone());
    let sqlite = Connection::open_in_memory().expect("memory");
    sqlite.execute_batch(WITNESS).expect("a table");
    for statement in &statements {
        sqlite.execute_batch(statement).unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    let columns: Vec<&str> = schema.fields().iter().filter(|field| !field.is_many()).map(FieldDef::name).collect();
    let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
    // The quotes of the table are those of the statement that made it.
    let table = statements[0].strip_prefix("CREATE TABLE ").and_then(|rest| quoted(rest)).expect("a table");
    let insert = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
    for row in &rows {
        let record = form.build(&row.to_values()).expect("a valid row");
        let stored = things.insert(record);
        let Some(cells) = cells(row, &columns) else { return };
        let inserted = sqlite.execute(&insert, params_from_iter(cells));
        assert_eq!(stored.is_ok(), inserted.is_ok(), "{stored:?}\n{inserted:?}\n{row:?} in {schema:?}");
    }
    let [queries, statistics] = [domain.queries(), domain.statistics()];
    let predicates = domain.predicates();
    for _ in 0..MOST_QUERIES {
        if input.is_empty() {
            break;
        }
        let seed = input.bytes(4);
        let strategy = if seed[0].is_multiple_of(2) { &queries } else { &statistics };
        if let Some(query) = draw(seed, strategy) {
            asked(&store, &sqlite, schema, &columns, &query.filter(predicate(input.part(), &predicates)));
        }
    }
    let witness: i64 = sqlite.query_row("SELECT n FROM witness", [], |row| row.get(0)).expect("nothing was dropped");
    let tables: i64 = sqlite
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .expect("a count");
    assert_eq!((witness, tables), (7, 2));
}

/// The quoted name at the beginning of a text.
fn quoted(text: &str) -> Option<&str> {
    let mut end = 1;
    loop {
        end += text.get(end..)?.find('`')? + 1;
        if !text[end..].starts_with('`') {
            return text.get(..end);
        }
        end += 1;
    }
}

fn asked(store: &Store, sqlite: &Connection, schema: &Schema, columns: &[&str], query: &Query) {
    let given = answer(store, query);
    let translated = query.to_sql(Dialect::Sqlite.with(schema));
    if let Err(error) = query.to_sql(Dialect::Postgres.with(schema)) {
        assert!(!error.to_string().is_empty());
    }
    let sql = match translated {
        Ok(sql) => sql,
        Err(SqlError::Query(error)) => return assert!(matches!(given, Answer::Refused(_)), "{error}: {query:?}"),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let found = selected(sqlite, &sql);
    match (&given, &query.ask) {
        (Answer::Records { rows, total, .. }, _) => {
            let Some(mut expected) = rows.iter().map(|(_, _, row)| cells(row, columns)).collect::<Option<Vec<_>>>()
            else {
                return;
            };
            let mut found = found;
            if !is_ordered(query) {
                expected.sort_by_key(|row| format!("{row:?}"));
                found.sort_by_key(|row| format!("{row:?}"));
            }
            assert_eq!(found, expected, "{sql:?} of {query:?}");
            tally::count();
            if let (Some(total), Ok(count)) = (total, query.to_count_sql(Dialect::Sqlite.with(schema))) {
                assert_eq!(selected(sqlite, &count), [[Cell::Integer(*total as i64)]], "{count:?} of {query:?}");
            }
        }
        (Answer::Statistics(summary, _), Ask::Statistics(requested)) => {
            let Some(expected) = table_of(requested, summary) else { return };
            let same = |a: &Vec<Cell>, b: &Vec<Cell>| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b));
            let all = found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| same(a, b));
            assert!(all, "{found:?}, not {expected:?}, by {sql:?} of {query:?}");
            tally::count();
        }
        _ => panic!("{given:?}, but {sql:?}, of {query:?}"),
    }
}

fn selected(sqlite: &Connection, sql: &Sql) -> Vec<Vec<Cell>> {
    let mut statement = sqlite.prepare(&sql.text).unwrap_or_else(|error| panic!("{error}: {}", sql.text));
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(sql.params.iter().map(param)), |row| {
        (0..columns).map(|at| row.get::<_, Cell>(at)).collect::<Result<Vec<_>, _>>()
    });
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{error}: {sql:?}"))
}

fn param(param: &SqlValue) -> Cell {
    match param {
        SqlValue::Null => Cell::Null,
        SqlValue::Bool(b) => Cell::Integer((*b).into()),
        SqlValue::Integer(n) => Cell::Integer(*n),
        SqlValue::Real(x) => Cell::Real(*x),
        SqlValue::Text(text) => Cell::Text(text.clone()),
        SqlValue::Blob(bytes) => Cell::Blob(bytes.clone()),
        other => panic!("{other:?} is no value of SQLite"),
    }
}

/// `None` for a value that SQLite does not have.
fn cells(row: &Row, columns: &[&str]) -> Option<Vec<Cell>> {
    columns.iter().map(|name| row.one(name).map_or(Some(Cell::Null), cell)).collect()
}

fn cell(value: &Value) -> Option<Cell> {
    Some(match value.as_ref() {
        ValueRef::Null => Cell::Null,
        ValueRef::Bool(b) => Cell::Integer(b.into()),
        ValueRef::Int(n) => Cell::Integer(n),
        ValueRef::Float(x) => Cell::Real(x),
        ValueRef::Char(c) => Cell::Text(c.to_string()),
        ValueRef::Str(text) => Cell::Text(text.to_owned()),
        ValueRef::Bytes(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Uuid(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Timestamp(nanos) => Cell::Integer(nanos.try_into().ok()?),
        ValueRef::Date(days) => Cell::Integer(days.into()),
        ValueRef::Decimal(number) => Cell::Text(number.to_string()),
        _ => return None,
    })
}

/// The rows of statistics: the metrics, or for each group its key and its metrics. `None` for what a table does not have.
fn table_of(requested: &Statistics, summary: &Summary) -> Option<Vec<Vec<Cell>>> {
    let row = |values: &mut dyn Iterator<Item = &Value>| values.map(cell).collect::<Option<Vec<_>>>();
    let Some(groups) = &requested.groups else { return Some(vec![row(&mut summary.metrics.iter())?]) };
    // Names of ranges are texts of their own.
    if groups.by.iter().any(|bucket| matches!(bucket, Bucket::Ranges { .. })) || !requested.metrics.is_empty() {
        return None;
    }
    summary.groups.iter().map(|(key, within)| row(&mut key.iter().chain(&within.metrics))).collect()
}

/// Floats that SQLite computes are equal to nine digits.
fn is_same(found: &Cell, expected: &Cell) -> bool {
    match (found, expected) {
        (Cell::Real(a), Cell::Real(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3),
        (a, b) => a == b,
    }
}
