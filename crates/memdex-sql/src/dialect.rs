//! Whose SQL it is, and what it knows of the records: names and types.

use super::SqlError;
use memdex_query::schema::{FieldDef, Schema};
use memdex_query::value::Kind;
use std::fmt;

/// Whose SQL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite, from 3.37 on (for `STRICT` tables; what is asked needs 3.30).
    Sqlite,
    /// PostgreSQL, from 12 on.
    Postgres,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
        })
    }
}

/// A dialect, and the schema of the records if it is known: what [`Query::to_sql`](crate::QueryToSql::to_sql) writes for.
#[derive(Clone, Copy, Debug)]
pub struct SqlTarget<'a> {
    pub(super) dialect: Dialect,
    pub(super) schema: Option<&'a Schema>,
}

impl From<Dialect> for SqlTarget<'_> {
    fn from(dialect: Dialect) -> Self {
        SqlTarget { dialect, schema: None }
    }
}

/// PostgreSQL cuts longer names off without an error.
const MAX_POSTGRES_NAME: usize = 63;

impl Dialect {
    /// The same dialect, and the schema of the records: which fields there are, of which kinds, and which are the key.
    pub fn with(self, schema: &Schema) -> SqlTarget<'_> {
        SqlTarget { dialect: self, schema: Some(schema) }
    }

    /// A name in quotes.
    pub(super) fn quoted(self, name: &str) -> Result<String, SqlError> {
        let refused = |why, instead| SqlError::Name { dialect: self, name: name.to_owned(), why, instead };
        if name.is_empty() {
            return Err(refused("is empty", "give it one"));
        }
        if name.contains('\0') {
            return Err(refused("has a NUL in it", "take another"));
        }
        match self {
            // Not the quotes of the standard: what is in these SQLite takes for a string if there is no such column, without a word.
            Dialect::Sqlite => Ok(format!("`{}`", name.replace('`', "``"))),
            Dialect::Postgres if name.len() > MAX_POSTGRES_NAME => {
                Err(refused("is longer than the 63 bytes that are kept of a name", "shorten it"))
            }
            Dialect::Postgres => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
        }
    }

    /// The type of the column of a field.
    pub(super) fn column_type(self, field: &FieldDef) -> &'static str {
        match (self, field.kind()) {
            (Dialect::Sqlite, Kind::Bool | Kind::Int | Kind::Timestamp | Kind::Date) => "INTEGER",
            (Dialect::Sqlite, Kind::Float) => "REAL",
            (Dialect::Sqlite, Kind::Char | Kind::Str | Kind::Decimal) => "TEXT",
            (Dialect::Sqlite, Kind::Bytes | Kind::Uuid) => "BLOB",
            (Dialect::Postgres, Kind::Bool) => "boolean",
            (Dialect::Postgres, Kind::Int) if field.fits_64_bits() => "bigint",
            (Dialect::Postgres, Kind::Int | Kind::Decimal) => "numeric",
            (Dialect::Postgres, Kind::Float) => "double precision",
            (Dialect::Postgres, Kind::Char | Kind::Str) => "text COLLATE \"C\"",
            (Dialect::Postgres, Kind::Bytes) => "bytea",
            (Dialect::Postgres, Kind::Uuid) => "uuid",
            (Dialect::Postgres, Kind::Timestamp) => "timestamptz",
            (Dialect::Postgres, Kind::Date) => "date",
        }
    }

    /// Most parameters of one statement.
    pub(super) fn max_params(self) -> usize {
        match self {
            Dialect::Sqlite => 32_766,
            Dialect::Postgres => 65_535,
        }
    }
}
