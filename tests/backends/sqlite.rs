//! SQLite, in memory.

use super::sql::{Database, DatabaseError, from_text, timestamp};
use memdex::typing::ValueRef;
use memdex::{Kind, Value};
use memdex_sql::{Dialect, SchemaToSql, SqlValue};
use memdex_test::{Domain, RefusalKind};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Error, ErrorCode, params_from_iter};

pub(crate) struct Sqlite(Connection);

impl Sqlite {
    /// A new database with empty tables.
    pub(crate) fn open<'a>(domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        for domain in domains {
            let statements = domain.schema().to_sql(Dialect::Sqlite, domain.name()).unwrap();
            connection.execute_batch(&statements.join(";\n")).unwrap();
        }
        Sqlite(connection)
    }
}

fn cell(value: &SqlValue) -> Cell {
    match value {
        SqlValue::Null => Cell::Null,
        SqlValue::Bool(b) => Cell::Integer((*b).into()),
        SqlValue::Integer(n) => Cell::Integer(*n),
        SqlValue::Real(x) => Cell::Real(*x),
        SqlValue::Text(text) => Cell::Text(text.clone()),
        SqlValue::Blob(bytes) => Cell::Blob(bytes.clone()),
        other => panic!("{other:?}"),
    }
}

fn error(error: Error) -> DatabaseError {
    match &error {
        Error::SqliteFailure(failure, _) if failure.code == ErrorCode::ConstraintViolation => {
            // SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE.
            let is_duplicate = matches!(failure.extended_code, 1555 | 2067);
            DatabaseError::Refused(if is_duplicate { RefusalKind::Duplicate } else { RefusalKind::Invalid })
        }
        _ => DatabaseError::Failed(error.to_string()),
    }
}

impl Database for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn query(&self, text: &str, params: &[SqlValue]) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let mut statement = self.0.prepare_cached(text).map_err(error)?;
        let columns = statement.column_count();
        let rows = statement.query_map(params_from_iter(params.iter().map(cell)), |row| {
            (0..columns)
                .map(|at| {
                    Ok(match row.get::<_, Cell>(at)? {
                        Cell::Null => SqlValue::Null,
                        Cell::Integer(n) => SqlValue::Integer(n),
                        Cell::Real(x) => SqlValue::Real(x),
                        Cell::Text(text) => SqlValue::Text(text),
                        Cell::Blob(bytes) => SqlValue::Blob(bytes),
                    })
                })
                .collect()
        });
        rows.and_then(Iterator::collect).map_err(error)
    }

    fn execute(&self, text: &str, params: &[SqlValue]) -> Result<u64, DatabaseError> {
        let mut statement = self.0.prepare_cached(text).map_err(error)?;
        statement.execute(params_from_iter(params.iter().map(cell))).map(|rows| rows as u64).map_err(error)
    }

    fn encode(value: &Value) -> SqlValue {
        match value.as_ref() {
            ValueRef::Null => SqlValue::Null,
            ValueRef::Bool(b) => SqlValue::Integer(b.into()),
            ValueRef::Int(n) => SqlValue::Integer(n),
            ValueRef::Float(x) => SqlValue::Real(x),
            ValueRef::Bytes(bytes) => SqlValue::Blob(bytes.to_vec()),
            ValueRef::Uuid(bytes) => SqlValue::Blob(bytes.to_vec()),
            ValueRef::Timestamp(nanos) => SqlValue::Integer(nanos as i64),
            ValueRef::Date(days) => SqlValue::Integer(days.into()),
            other => SqlValue::Text(other.to_string()),
        }
    }

    fn decode(cell: &SqlValue, kind: Kind) -> Value {
        match (cell, kind) {
            (SqlValue::Null, _) => Value::NULL,
            (SqlValue::Integer(n), Kind::Bool) => Value::from(*n != 0),
            (SqlValue::Integer(n), Kind::Timestamp) => timestamp((*n).into()),
            (SqlValue::Integer(n), Kind::Date) => ValueRef::Date(*n as i32).to_value(),
            (SqlValue::Integer(n), Kind::Float) => Value::from(*n as f64),
            (SqlValue::Integer(n), _) => Value::from(*n),
            (SqlValue::Real(x), _) => Value::from(*x),
            (SqlValue::Blob(bytes), Kind::Uuid) => ValueRef::Uuid(bytes.as_slice().try_into().unwrap()).to_value(),
            (SqlValue::Blob(bytes), _) => Value::from(bytes.as_slice()),
            (SqlValue::Text(text), kind) => from_text(text, kind),
            (other, _) => panic!("{other:?}"),
        }
    }
}
