//! One question to memdex and to SQLite.

use super::figures::flat;
use super::flights::{Flight, Flights, cell};
use super::naive::{Table, Val};
use memdex::{Ask, Dialect, Find, Paging, Query, Record, Sql, SqlError, SqlValue, Statistics};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};

/// Rows beyond so many are compared by their serial numbers alone.
const COMPARED_WHOLE: usize = 300;

/// How often the next page is asked for.
const PAGES: usize = 3;

pub(super) fn bound(param: &SqlValue) -> Cell {
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
    let rows = statement.query_map(params_from_iter(sql.params.iter().map(bound)), |row| {
        (0..columns).map(|at| row.get::<_, Cell>(at)).collect::<Result<Vec<_>, _>>()
    });
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{error}: {}", sql.text))
}

/// A question as the engine takes it.
pub(super) fn find<R: Record>(find: Find<R>, paging: &Paging) -> Find<R> {
    let Paging { order, limit, offset, after, total, .. } = paging.clone();
    let find = find.order_by(order).offset(offset);
    let find = limit.map_or(find.clone(), |limit| find.limit(limit));
    let find = after.map_or(find.clone(), |after| find.after(after));
    if total { find.with_total() } else { find }
}

impl Flights {
    /// Puts a question to both. An error says that it can't be said in SQLite's words.
    pub(super) fn compare(&self, query: &Query) -> Result<(), SqlError> {
        match &query.ask {
            Ask::Records(paging) => self.compare_records(query, paging),
            Ask::Statistics(statistics) => self.compare_statistics(query, statistics),
            other => panic!("{other:?}"),
        }
    }

    fn compare_records(&self, query: &Query, paging: &Paging) -> Result<(), SqlError> {
        let target = || Dialect::Sqlite.with(&self.schema);
        let mut query = query.clone();
        let counted = rows(&self.sqlite, &query.to_count_sql(target())?);
        let mut paging = paging.clone();
        for _ in 0..PAGES {
            let mut sql = query.to_sql(target())?;
            let context = format!("{query:?}\n{}\n{:?}", sql.text, sql.params);
            let found = find(self.collection.find(query.filter.clone()), &paging);
            assert_eq!(counted, [[Cell::Integer(found.count().unwrap() as i64)]], "{context}");
            let Paging { order, limit, offset, after, .. } = &paging;
            let ordered = !order.is_empty() || limit.is_some() || *offset > 0 || after.is_some();
            let (records, next) = if ordered {
                let page = found.page().unwrap();
                assert_eq!(page.total, paging.total.then(|| found.count().unwrap()), "{context}");
                (page.records, page.next)
            } else {
                (found.fetch().unwrap(), None)
            };
            if records.len() > COMPARED_WHOLE {
                sql.text = format!("SELECT `serial` FROM ({})", sql.text);
            }
            let width = if records.len() > COMPARED_WHOLE { 1 } else { self.schema.fields().len() };
            let serial = self.schema.position("serial").unwrap();
            let seen = |flight: &Flight| -> Vec<Cell> {
                if width == 1 {
                    vec![cell(flight.value(serial))]
                } else {
                    (0..width).map(|at| cell(flight.value(at))).collect()
                }
            };
            let mut ours: Vec<Vec<Cell>> = records.iter().map(|record| seen(record)).collect();
            let mut theirs = rows(&self.sqlite, &sql);
            if !ordered {
                let by_serial = |row: &Vec<Cell>| match &row[serial.min(width - 1)] {
                    Cell::Integer(serial) => *serial,
                    other => panic!("{other:?}"),
                };
                ours.sort_by_key(by_serial);
                theirs.sort_by_key(by_serial);
            }
            assert_eq!(ours.len(), theirs.len(), "{context}");
            for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(ours, theirs, "row {at} of {context}");
            }
            let Some(next) = next else { return Ok(()) };
            query = query.after(next.clone()).offset(0);
            (paging.after, paging.offset) = (Some(next), 0);
        }
        Ok(())
    }

    fn compare_statistics(&self, query: &Query, asked: &Statistics) -> Result<(), SqlError> {
        let sql = query.to_sql(Dialect::Sqlite.with(&self.schema))?;
        let theirs = rows(&self.sqlite, &sql);
        let table = Table { shapes: &self.shapes, rows: &self.rows };
        let naive = table.figures(&table.meant(&query.filter), asked);
        let context = format!("{query:?}\n{}\n{:?}", sql.text, sql.params);
        let expected = flat(asked, naive);
        assert_eq!(expected.len(), theirs.len(), "{context}\n{expected:?}\n{theirs:?}");
        for (at, (ours, theirs)) in expected.iter().zip(&theirs).enumerate() {
            let same =
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs));
            assert!(same, "row {at} is {theirs:?}, not {ours:?}, of {context}");
        }
        Ok(())
    }
}

/// Whether a figure is what SQLite says: floats to nine digits, everything else exactly.
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
