//! Runs one query in memdex and in SQLite.

use super::aggregation::flatten;
use super::naive::{Row, Shape, Table, Val};
use super::results::compare_results;
use crate::every_plan::by_every_plan;
use memdex::aggregate::Statistics;
use memdex::query::{Ask, Find, Paging};
use memdex::typing::ValueRef;
use memdex::{Collection, Page, Query, Record, Schema};
use memdex_sql::{Dialect, QueryToSql, SchemaToSql, Sql, SqlError, SqlValue};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};

/// In results with more rows than this, only serial numbers are compared.
const MAX_WHOLE_ROWS: usize = 300;

/// Number of pages that are compared.
const MAX_PAGES: usize = 3;

/// Number of plans that are compared for a query: over few records, over many.
const PLANS: [usize; 2] = [16, 8];

pub(super) fn to_cell(param: &SqlValue) -> Cell {
    match param {
        SqlValue::Null => Cell::Null,
        SqlValue::Bool(b) => Cell::Integer((*b).into()),
        SqlValue::Integer(n) => Cell::Integer(*n),
        SqlValue::Real(x) => Cell::Real(*x),
        SqlValue::Text(text) => Cell::Text(text.clone()),
        SqlValue::Blob(bytes) => Cell::Blob(bytes.clone()),
        other => panic!("{other:?}"),
    }
}

pub(super) fn rows(sqlite: &Connection, sql: &Sql) -> Vec<Vec<Cell>> {
    let mut statement = sqlite.prepare_cached(&sql.text).unwrap_or_else(|error| panic!("{error}: {}", sql.text));
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(sql.params.iter().map(to_cell)), |row| {
        (0..columns).map(|at| row.get::<_, Cell>(at)).collect::<Result<Vec<_>, _>>()
    });
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{error}: {}", sql.text))
}

/// Applies the paging of a query.
pub(super) fn find<R: Record>(find: Find<R>, paging: &Paging) -> Find<R> {
    let Paging { order, limit, offset, after, total, .. } = paging.clone();
    let find = find.order_by(order).offset(offset);
    let find = limit.map_or(find.clone(), |limit| find.limit(limit));
    let find = after.map_or(find.clone(), |after| find.after(after));
    if total { find.with_total() } else { find }
}

/// The SQLite cell of a value.
fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Bool(b) => Cell::Integer(b.into()),
        ValueRef::Int(n) => Cell::Integer(n),
        ValueRef::Float(x) => Cell::Real(x),
        ValueRef::Char(c) => Cell::Text(c.to_string()),
        ValueRef::Str(s) => Cell::Text(s.to_owned()),
        ValueRef::Bytes(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Uuid(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Timestamp(nanos) => Cell::Integer(nanos.try_into().unwrap()),
        ValueRef::Date(days) => Cell::Integer(days.into()),
        ValueRef::Decimal(number) => Cell::Text(number.to_string()),
        other => panic!("{other} has no SQLite type"),
    }
}

/// The same records in memdex, in SQLite and in a list.
pub(super) struct Comparison<'a, R: Record> {
    pub(super) collection: &'a Collection<R>,
    pub(super) schema: &'a Schema,
    pub(super) sqlite: &'a Connection,
    pub(super) shapes: &'a [Shape],
    pub(super) rows: &'a [Row],
    /// A field that identifies a record. Only this field is compared in long results.
    pub(super) id_field: &'static str,
}

/// Creates the table of a schema and fills it.
pub(super) fn fill<R: Record>(sqlite: &Connection, name: &str, schema: &Schema, records: &[R]) {
    let statements = schema.to_sql(Dialect::Sqlite, name).unwrap();
    let (table, indexes) = statements.split_first().unwrap();
    sqlite.execute_batch(&format!("{table}; BEGIN")).unwrap();
    let positions = column_positions(schema);
    let params: Vec<String> = (1..=positions.len()).map(|at| format!("?{at}")).collect();
    let mut insert = sqlite.prepare(&format!("INSERT INTO {name} VALUES ({})", params.join(", "))).unwrap();
    for record in records {
        insert.execute(params_from_iter(positions.iter().map(|at| cell(record.value(*at))))).unwrap();
    }
    sqlite.execute_batch(&format!("COMMIT; {}; ANALYZE", indexes.join("; "))).unwrap();
}

/// The positions of the fields that have a column.
pub(super) fn column_positions(schema: &Schema) -> Vec<usize> {
    (0..schema.fields().len()).filter(|at| !schema.fields()[*at].is_many()).collect()
}

impl<R: Record> Comparison<'_, R> {
    /// Executes a query in memdex and SQLite and compares the results. Returns an error if SQLite has no equivalent SQL.
    pub(super) fn compare(&self, query: &Query) -> Result<(), SqlError> {
        match &query.ask {
            Ask::Records(paging) => self.compare_records(query, paging),
            Ask::Statistics(statistics) => self.compare_statistics(query, statistics),
        }
    }

    fn compare_records(&self, query: &Query, paging: &Paging) -> Result<(), SqlError> {
        let target = || Dialect::Sqlite.with(self.schema);
        let mut query = query.clone();
        let counted = rows(self.sqlite, &query.to_count_sql(target())?);
        let mut paging = paging.clone();
        for _ in 0..MAX_PAGES {
            let mut sql = query.to_sql(target())?;
            let context = format!("{query:?}\n{}\n{:?}", sql.text, sql.params);
            let found = find(self.collection.find(query.filter.clone()), &paging);
            assert_eq!(counted, [[Cell::Integer(found.count().unwrap() as i64)]], "{context}");
            let Paging { order, limit, offset, after, .. } = &paging;
            let ordered = !order.is_empty() || limit.is_some() || *offset > 0 || after.is_some();
            let Page { records, next, total, .. } = found.fetch().unwrap();
            assert_eq!(total, paging.total.then(|| found.count().unwrap()), "{context}");
            let columns = if records.len() > MAX_WHOLE_ROWS {
                sql.text = format!("SELECT `{}` FROM ({})", self.id_field, sql.text);
                vec![self.schema.position(self.id_field).unwrap()]
            } else {
                column_positions(self.schema)
            };
            let cells = |record: &R| -> Vec<Cell> { columns.iter().map(|at| cell(record.value(*at))).collect() };
            let mut ours: Vec<Vec<Cell>> = records.iter().map(|record| cells(record)).collect();
            let mut theirs = rows(self.sqlite, &sql);
            if !ordered {
                ours.sort_by_cached_key(|row| format!("{row:?}"));
                theirs.sort_by_cached_key(|row| format!("{row:?}"));
            }
            assert_eq!(ours.len(), theirs.len(), "{context}");
            for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(ours, theirs, "row {at} of {context}");
            }
            self.compare_plans(&found, ordered, &context);
            let Some(next) = next else { return Ok(()) };
            query = query.after(next.clone()).offset(0);
            (paging.after, paging.offset) = (Some(next), 0);
        }
        Ok(())
    }

    /// Every legal plan returns the same records: in the same order, or in any order if the query has none.
    fn compare_plans(&self, found: &Find<R>, ordered: bool, context: &str) {
        let keys = |found: &Find<R>| {
            let mut keys = found.keys().unwrap();
            if !ordered {
                keys.sort();
            }
            keys
        };
        let first = keys(found);
        by_every_plan(found, self.plans(), |planned| {
            assert!(keys(&planned) == first, "by {planned:?} of {context}");
        });
    }

    fn plans(&self) -> usize {
        PLANS[usize::from(self.rows.len() > 1_000)]
    }

    fn compare_statistics(&self, query: &Query, requested: &Statistics) -> Result<(), SqlError> {
        let sql = query.to_sql(Dialect::Sqlite.with(self.schema))?;
        let theirs = rows(self.sqlite, &sql);
        let table = Table { shapes: self.shapes, rows: self.rows };
        let naive = table.aggregate(&table.selected(&query.filter), requested);
        let context = format!("{query:?}\n{}\n{:?}", sql.text, sql.params);
        compare_results(&self.collection.find(query.filter.clone()), query, requested, &naive, self.plans());
        let expected = flatten(requested, naive);
        assert_eq!(expected.len(), theirs.len(), "{context}\n{expected:?}\n{theirs:?}");
        for (at, (ours, theirs)) in expected.iter().zip(&theirs).enumerate() {
            let same =
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs));
            assert!(same, "row {at} is {theirs:?}, not {ours:?}, of {context}");
        }
        Ok(())
    }
}

/// Compares a value with SQLite's result: floats to nine digits, everything else exactly.
fn is_same(ours: &Option<Val>, theirs: &Cell) -> bool {
    match (ours, theirs) {
        (None, Cell::Null) => true,
        (Some(Val::Bool(a)), Cell::Integer(b)) => i64::from(*a) == *b,
        (Some(Val::Int(a) | Val::Time(a)), Cell::Integer(b)) => *a == i128::from(*b),
        (Some(Val::Date(a)), Cell::Integer(b)) => a == b,
        (Some(Val::Float(a)), Cell::Real(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (Some(Val::Text(a)), Cell::Text(b)) => a == b,
        (Some(Val::Char(a)), Cell::Text(b)) => a.to_string() == *b,
        (Some(Val::Bytes(a)), Cell::Blob(b)) => a == b,
        (Some(Val::Uuid(a)), Cell::Blob(b)) => a.as_slice() == b,
        _ => false,
    }
}
