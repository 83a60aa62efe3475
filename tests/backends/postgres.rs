//! PostgreSQL: the server that `MEMDEX_POSTGRES` names. Statements go as text, so that every type is read alike.

use super::sql::{Database, DatabaseError, from_hex, from_text, hex};
use memdex::typing::ValueRef;
use memdex::{Kind, Value};
use memdex_sql::{Dialect, SchemaToSql, SqlValue};
use memdex_test::{Domain, RefusalKind};
use postgres::error::SqlState;
use postgres::{Client, Error, NoTls, SimpleQueryMessage};
use std::cell::RefCell;
use std::rc::Rc;

/// A connection with a new schema, which is dropped with it.
#[derive(Clone)]
pub(crate) struct Postgres(Rc<RefCell<Client>>);

impl Postgres {
    /// Connects, and creates the tables.
    pub(crate) fn connect<'a>(domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let address = std::env::var("MEMDEX_POSTGRES").expect("MEMDEX_POSTGRES names a server: run with .ci/postgres");
        let mut client = Client::connect(&address, NoTls).unwrap();
        // Temporary tables end with the connection.
        client
            .batch_execute("SET TIME ZONE 'UTC'; SET search_path TO pg_temp; SET client_min_messages TO error")
            .unwrap();
        for domain in domains {
            let statements = domain.schema().to_sql(Dialect::Postgres, domain.name()).unwrap();
            let statements = statements.join(";\n").replacen("CREATE TABLE", "CREATE TEMPORARY TABLE", 1);
            client.batch_execute(&statements).unwrap();
        }
        Postgres(Rc::new(RefCell::new(client)))
    }

    /// The same connection with empty tables.
    pub(crate) fn emptied<'a>(&self, domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let names: Vec<String> =
            domains.into_iter().map(|domain| format!("DELETE FROM \"{}\"", domain.name())).collect();
        self.0.borrow_mut().batch_execute(&format!("ROLLBACK; {}", names.join("; "))).unwrap();
        self.clone()
    }

    fn send(&self, text: &str, params: &[SqlValue]) -> Result<Vec<SimpleQueryMessage>, DatabaseError> {
        let text = with_literals(text, params);
        self.0.borrow_mut().simple_query(&text).map_err(|failure| error(&failure, &text))
    }
}

fn error(error: &Error, text: &str) -> DatabaseError {
    match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => DatabaseError::Refused(RefusalKind::Duplicate),
        Some(&SqlState::NOT_NULL_VIOLATION | &SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {
            DatabaseError::Refused(RefusalKind::Invalid)
        }
        _ => DatabaseError::Failed(format!("{error:?}: {text}")),
    }
}

/// Replaces the places of the parameters. No name of the suite has a dollar sign.
fn with_literals(text: &str, params: &[SqlValue]) -> String {
    let mut parts = text.split('$');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let number: usize = part[..end].parse().unwrap();
        result += &literal(&params[number - 1]);
        result += &part[end..];
    }
    result
}

fn literal(param: &SqlValue) -> String {
    match param {
        SqlValue::Null => "NULL".to_owned(),
        SqlValue::Bool(b) => b.to_string(),
        SqlValue::Integer(n) => format!("'{n}'"),
        SqlValue::Real(x) => format!("'{x:?}'"),
        SqlValue::Text(text) => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        SqlValue::Blob(bytes) => format!("'\\x{}'", hex(bytes)),
        other => panic!("{other:?}"),
    }
}

impl Database for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;

    fn query(&self, text: &str, params: &[SqlValue]) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let messages = self.send(text, params)?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let cell = |text: Option<&str>| text.map_or(SqlValue::Null, |text| SqlValue::Text(text.to_owned()));
        Ok(rows.map(|row| (0..row.len()).map(|at| cell(row.get(at))).collect()).collect())
    }

    fn execute(&self, text: &str, params: &[SqlValue]) -> Result<u64, DatabaseError> {
        let changed = self.send(text, params)?.into_iter().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(rows),
            _ => None,
        });
        Ok(changed.unwrap_or(0))
    }

    fn encode(value: &Value) -> SqlValue {
        match value.as_ref() {
            ValueRef::Null => SqlValue::Null,
            ValueRef::Bool(b) => SqlValue::Bool(b),
            ValueRef::Int(n) => SqlValue::Integer(n),
            ValueRef::Float(x) => SqlValue::Real(x),
            ValueRef::Bytes(bytes) => SqlValue::Blob(bytes.to_vec()),
            other => SqlValue::Text(other.to_string()),
        }
    }

    fn decode(cell: &SqlValue, kind: Kind) -> Value {
        match (cell, kind) {
            (SqlValue::Text(text), Kind::Bytes) => Value::from(from_hex(text.trim_start_matches("\\x"))),
            // The text ends with the offset of the server, in hours.
            (SqlValue::Text(text), Kind::Timestamp) => from_text(&format!("{}:00", text.replace(' ', "T")), kind),
            (SqlValue::Text(text), kind) => from_text(text, kind),
            _ => Value::NULL,
        }
    }
}
