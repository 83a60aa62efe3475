//! A schema as a table: what [`Query::to_sql`](crate::QueryToSql::to_sql) asks.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::schema::{FieldDef, IndexDef, IndexKind, Schema};

/// Translates a [`Schema`] to SQL.
pub trait SchemaToSql {
    /// Statements that make a table for these records, and its indexes: a column for each field, under its name, with the
    /// type of its kind, `NOT NULL` where a value is always there; the key; an index for each index, named like table and index with
    /// `_` between. In SQLite the table is a `STRICT` one.
    ///
    /// Fields of many values have no column, and their indexes are left out. Everything else is in the table, or an error.
    ///
    /// Conditions of partial indexes can't have parameters: their values, and no others, are written into the text, escaped.
    ///
    /// Of documents and key/value records take the schema that the collection has (`Collection::schema`): it
    /// knows which fields can be missing.
    ///
    /// ```
    /// use memdex::{FieldDef, IndexDef, Schema, field};
    /// use memdex_sql::{Dialect, SchemaToSql};
    ///
    /// let schema = Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<Option<String>>("city").index()])
    ///     .with_index(IndexDef::ordered(["city", "id"]).when(field("id").gt(9)));
    /// assert_eq!(
    ///     schema.to_sql(Dialect::Sqlite, "User")?,
    ///     [
    ///         "CREATE TABLE `User` (`id` INTEGER NOT NULL, `city` TEXT, PRIMARY KEY (`id`)) STRICT",
    ///         "CREATE INDEX `User_city` ON `User` (`city`)",
    ///         "CREATE INDEX `User_city+id` ON `User` (`city`, `id`) WHERE `id` > 9",
    ///     ]
    /// );
    /// # Ok::<(), memdex_sql::SqlError>(())
    /// ```
    ///
    /// # Errors
    /// [`SqlError::Schema`] for a schema that no collection can have, [`SqlError::Name`] for names that can't be used, and for conditions
    /// of indexes those of [`Query::to_sql`](crate::QueryToSql::to_sql).
    fn to_sql(&self, dialect: Dialect, table: &str) -> Result<Vec<String>, SqlError>;
}

impl SchemaToSql for Schema {
    fn to_sql(&self, dialect: Dialect, table: &str) -> Result<Vec<String>, SqlError> {
        self.check()?;
        let single: Vec<&FieldDef> = self.fields().iter().filter(|field| !field.is_many()).collect();
        let mut columns = Vec::with_capacity(single.len());
        for (at, field) in single.iter().enumerate() {
            if single[..at].iter().any(|other| clash(dialect, other.name(), field.name())) {
                let (name, why) = (field.name().to_owned(), "differs from another column's by capitals alone");
                return Err(SqlError::Name { dialect, name, why, instead: "rename one of the two" });
            }
            let null = if field.is_nullable() { "" } else { " NOT NULL" };
            columns.push(format!("{} {}{null}", dialect.quoted(field.name())?, dialect.column_type(field)));
        }
        let key = single.iter().filter(|field| field.is_key()).map(|field| dialect.quoted(field.name()));
        let key = key.collect::<Result<Vec<_>, _>>()?.join(", ");
        let strict = if dialect == Dialect::Sqlite { " STRICT" } else { "" };
        let name = dialect.quoted(table)?;
        let columns = columns.join(", ");
        let mut statements = vec![format!("CREATE TABLE {name} ({columns}, PRIMARY KEY ({key})){strict}")];
        let indexes = self.indexes();
        for (at, index) in indexes.iter().enumerate() {
            if indexes[..at].iter().any(|other| clash(dialect, other.name(), index.name())) {
                let (name, why) = (index.name().to_owned(), "differs from another index's by capitals alone");
                return Err(SqlError::Name { dialect, name, why, instead: "rename one of the two" });
            }
            statements.extend(index_to_sql(self, dialect, table, index)?);
        }
        Ok(statements)
    }
}

fn index_to_sql(schema: &Schema, dialect: Dialect, table: &str, index: &IndexDef) -> Result<Option<String>, SqlError> {
    let mut columns = Vec::new();
    for name in index.fields() {
        let def = schema.position(name).and_then(|position| schema.fields().get(position));
        if def.is_some_and(FieldDef::is_many) {
            return Ok(None);
        }
        // The engine's order, in which it is asked for.
        let ordered = index.kind() == IndexKind::Ordered && def.is_some_and(FieldDef::is_nullable);
        let nulls = if dialect == Dialect::Postgres && ordered { " NULLS FIRST" } else { "" };
        columns.push(format!("{}{nulls}", dialect.quoted(name)?));
    }
    let unique = if index.kind() == IndexKind::Unique { "UNIQUE " } else { "" };
    let name = dialect.quoted(&format!("{table}_{}", index.name()))?;
    let (table_name, columns) = (dialect.quoted(table)?, columns.join(", "));
    let condition = match index.condition() {
        None => String::new(),
        Some(condition) => {
            let mut statement = Statement::of_literals(table, dialect, schema);
            super::statement::clause(&statement.filter(condition)?)
        }
    };
    Ok(Some(format!("CREATE {unique}INDEX {name} ON {table_name} ({columns}){condition}")))
}

/// Whether two columns, or indexes, can't stand in one table. SQLite does not tell capitals from others, in ASCII.
fn clash(dialect: Dialect, one: &str, other: &str) -> bool {
    dialect == Dialect::Sqlite && one.eq_ignore_ascii_case(other)
}
