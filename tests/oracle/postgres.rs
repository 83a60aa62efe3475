//! Compares the same queries with PostgreSQL, through `psql`, if a server is available:
//!
//! ```sh
//! .ci/postgres cargo test -p memdex-oracle -- --ignored
//! MEMDEX_POSTGRES="host=/tmp dbname=test" cargo test -p memdex-oracle -- --ignored
//! ```
//!
//! The test creates its own schema and drops it at the end.

use super::aggregation::flatten;
use super::corpus::Corpus;
use super::flights::load;
use super::naive::{Table, Val};
use super::sqlite::{Comparison, column_positions, find};
use super::{by_hand, random, words};
use memdex::query::Ask;
use memdex::typing::ValueRef;
use memdex::{Kind, Query, Record, Value};
use memdex_sql::{Dialect, QueryToSql, SchemaToSql, Sql, SqlError, SqlValue};
use std::io::Write;
use std::process::{Command, Stdio};

const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';
const END_OF_RESULT: char = '\u{1d}';
const NULL: &str = "(null)";

#[test]
#[ignore = "needs the PostgreSQL server that MEMDEX_POSTGRES names"]
fn postgres_returns_the_same_results() {
    let flights = load();
    let mut queries = [by_hand::queries(), by_hand::for_postgres()].concat();
    let mut corpus = Corpus::of(&flights);
    queries.extend((0..300).map(|_| corpus.next_query()));
    let compared = compare_all(&flights.with_sqlite(), queries);
    assert!(compared > 400, "{compared}");

    let words = words::load();
    let compared = compare_all(&words.with_sqlite(), words::queries());
    assert!(compared > 500, "{compared}");

    for seed in 0..4 {
        let compared = random::with_things_of_postgres(seed, 200, compare_all);
        assert!(compared > 60, "{compared}");
    }
}

/// Compares queries, and returns the number of those that PostgreSQL can execute.
fn compare_all<R: Record>(data: &Comparison<'_, R>, mut queries: Vec<Query>) -> usize {
    let connection = std::env::var("MEMDEX_POSTGRES").expect("MEMDEX_POSTGRES names a server, as psql takes it");
    let pages: Vec<Query> = queries.iter().filter_map(|query| next_page(data, query)).collect();
    queries.extend(pages);
    let translated: Vec<(Query, Sql)> = queries.into_iter().filter_map(|query| translate(data, query)).collect();
    let results = execute(&connection, &script(data, &translated));
    assert_eq!(results.len(), translated.len());
    for ((query, sql), result) in translated.iter().zip(&results) {
        compare(data, query, sql, result);
    }
    translated.len()
}

/// The query for the second page.
fn next_page<R: Record>(data: &Comparison<'_, R>, query: &Query) -> Option<Query> {
    let Ask::Records(paging) = &query.ask else { return None };
    let paged = !paging.order.is_empty() || paging.limit.is_some();
    let page = paged.then(|| find(data.collection.find(query.filter.clone()), paging).fetch().unwrap())?;
    page.next.map(|next| query.clone().after(next).offset(0))
}

fn translate<R: Record>(data: &Comparison<'_, R>, query: Query) -> Option<(Query, Sql)> {
    match query.to_sql(Dialect::Postgres.with(data.schema)) {
        Ok(sql) => Some((query, sql)),
        Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => None,
        Err(error) if random::is_expected(&error, &query) => None,
        Err(error) => panic!("{error}: {query:?}"),
    }
}

fn script<R: Record>(data: &Comparison<'_, R>, translated: &[(Query, Sql)]) -> String {
    let name = data.collection.name();
    let statements = data.schema.to_sql(Dialect::Postgres, name).unwrap();
    let (table, indexes) = statements.split_first().unwrap();
    let mut script = format!("CREATE SCHEMA memdex_oracle; SET search_path TO memdex_oracle;\n{table};\n");
    script += &format!("COPY \"{name}\" FROM STDIN;\n");
    let positions = column_positions(data.schema);
    for record in data.collection.iter() {
        let cells: Vec<String> = positions.iter().map(|at| copy_format(record.value(*at))).collect();
        script += &format!("{}\n", cells.join("\t"));
    }
    script += &format!("\\.\n{};\nANALYZE;\n", indexes.join(";\n"));
    for (query, Sql { text, params, .. }) in translated {
        let text = match query.ask {
            Ask::Records(_) => format!("SELECT \"{}\" FROM ({text}) AS page", data.id_field),
            // A row of one empty text would be printed like no row.
            Ask::Statistics(_) => format!("SELECT 'row', result.* FROM ({text}) AS result"),
        };
        let params: Vec<String> = params.iter().map(literal).collect();
        let params = if params.is_empty() { String::new() } else { format!("({})", params.join(", ")) };
        script += &format!("PREPARE q AS {text};\nEXECUTE q{params};\nDEALLOCATE q;\n\\echo '{END_OF_RESULT}'\n");
    }
    script + "DROP SCHEMA memdex_oracle CASCADE;\n"
}

/// A value in the format of COPY.
fn copy_format(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "\\N".to_owned(),
        ValueRef::Str(text) => text.replace('\\', "\\\\"),
        ValueRef::Char(c) => c.to_string(),
        ValueRef::Bytes(bytes) => format!("\\\\x{}", hex(bytes)),
        other => other.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn literal(param: &SqlValue) -> String {
    match param {
        SqlValue::Bool(b) => b.to_string(),
        SqlValue::Integer(n) => format!("'{n}'"),
        SqlValue::Real(x) if x.is_infinite() => if *x < 0.0 { "'-Infinity'" } else { "'Infinity'" }.to_owned(),
        SqlValue::Real(x) => format!("'{x:?}'"),
        SqlValue::Text(text) => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        SqlValue::Blob(bytes) => format!("'\\x{}'", hex(bytes)),
        other => panic!("{other:?}"),
    }
}

fn execute(connection: &str, script: &str) -> Vec<Vec<Vec<String>>> {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-P", &format!("null={NULL}")]);
    psql.args(["-F", &FIELD.to_string(), "-R", &RECORD.to_string(), "-d", connection]);
    let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql is installed");
    let mut input = psql.stdin.take().unwrap();
    let script = script.to_owned();
    let written = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = psql.wait_with_output().unwrap();
    written.join().unwrap().ok();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut results: Vec<&str> = text.split(END_OF_RESULT).collect();
    results.pop();
    assert!(output.status.success(), "{} results, then an error", results.len());
    let rows = |result: &str| -> Vec<Vec<String>> {
        let result = result.trim_matches('\n');
        let rows = result.split(RECORD).filter(|_| !result.is_empty());
        rows.map(|row| row.split(FIELD).map(str::to_owned).collect()).collect()
    };
    results.into_iter().map(rows).collect()
}

fn compare<R: Record>(data: &Comparison<'_, R>, query: &Query, sql: &Sql, result: &[Vec<String>]) {
    let context = format!("{query:?}\n{}\n{:?}", sql.text, sql.params);
    match &query.ask {
        Ask::Records(paging) => {
            let found = find(data.collection.find(query.filter.clone()), paging);
            let id = data.schema.position(data.id_field).unwrap();
            let number = |record: &R| match record.value(id) {
                ValueRef::Int(n) => n,
                other => panic!("{other} is not a number"),
            };
            let mut ours: Vec<i64> = found.fetch().unwrap().iter().map(|record| number(record)).collect();
            let mut theirs: Vec<i64> = result.iter().map(|row| row[0].parse().unwrap()).collect();
            if paging.order.is_empty() && paging.limit.is_none() && paging.offset == 0 {
                ours.sort();
                theirs.sort();
            }
            assert_eq!(ours, theirs, "{context}");
        }
        Ask::Statistics(requested) => {
            let table = Table { shapes: data.shapes, rows: data.rows };
            let expected = flatten(requested, table.aggregate(&table.selected(&query.filter), requested));
            assert_eq!(expected.len(), result.len(), "{context}\n{expected:?}\n{result:?}");
            for (ours, theirs) in expected.iter().zip(result.iter().map(|row| &row[1..])) {
                let same = ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| is_same(a, b));
                assert!(same, "{theirs:?}, not {ours:?}, of {context}");
            }
        }
    }
}

/// Compares a value with PostgreSQL's output: floats to nine digits, or to 10^-9, everything else exactly.
fn is_same(ours: &Option<Val>, theirs: &str) -> bool {
    let read = |kind: Kind| Value::from_text(kind, theirs).and_then(|value| Val::of(value.as_ref(), kind));
    match ours {
        None => theirs == NULL,
        Some(Val::Bool(b)) => theirs == if *b { "t" } else { "f" },
        Some(Val::Int(n)) => theirs.parse() == Ok(*n),
        Some(Val::Float(x)) => theirs.parse::<f64>().is_ok_and(|y| {
            *x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1.0)
        }),
        Some(Val::Char(c)) => theirs == c.to_string(),
        Some(Val::Text(text) | Val::Folded(text)) => theirs == text,
        Some(Val::Bytes(bytes)) => theirs == format!("\\x{}", hex(bytes)),
        Some(Val::Time(_)) => {
            // The text ends with the offset of the server, in hours.
            let text = format!("{}:00", theirs.replace(' ', "T"));
            let value = Value::from_text(Kind::Timestamp, &text);
            value
                .and_then(|value| Val::of(value.as_ref(), Kind::Timestamp))
                .zip(ours.as_ref())
                .is_some_and(|(a, b)| a.equals(b))
        }
        Some(value @ Val::Uuid(_)) => read(Kind::Uuid).is_some_and(|other| other.equals(value)),
        Some(value @ Val::Date(_)) => read(Kind::Date).is_some_and(|other| other.equals(value)),
        Some(value @ Val::Decimal(_)) => read(Kind::Decimal).is_some_and(|other| other.equals(value)),
    }
}
