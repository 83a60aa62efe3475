//! SQL dialects and the column types of each.

use memdex_query::schema::{FieldDef, Schema};
use memdex_query::value::Kind;
use std::fmt;

/// A dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite 3.37 or later, for `STRICT` tables. Queries need 3.30 or later.
    Sqlite,
    /// PostgreSQL 12 or later.
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

/// The target of [`to_sql`](crate::QueryToSql::to_sql): a dialect, with or without the schema of the records.
///
/// ```
/// use memdex::{FieldDef, Query, Schema, field};
/// use memdex_sql::{Dialect, QueryToSql, SqlTarget};
///
/// let schema = Schema::new([FieldDef::of::<u32>("id").key()]);
/// let target: SqlTarget<'_> = Dialect::Sqlite.with(&schema);
/// let sql = Query::over(["User"]).filter(field("id").gt(9)).to_sql(target)?;
/// assert_eq!(sql.text, "SELECT `id` FROM `User` WHERE `id` > ?1");
/// # Ok::<(), memdex_sql::SqlError>(())
/// ```
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

impl Dialect {
    /// This dialect with the schema of the records. Orders, pages and most statistics can only be translated with a
    /// schema.
    pub fn with(self, schema: &Schema) -> SqlTarget<'_> {
        SqlTarget { dialect: self, schema: Some(schema) }
    }

    /// The column type of a field.
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

    /// The largest number of parameters in one statement.
    pub(super) fn max_params(self) -> usize {
        match self {
            Dialect::Sqlite => 32_766,
            Dialect::Postgres => 65_535,
        }
    }
}
