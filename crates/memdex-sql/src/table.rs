//! Translates a schema to a table, which the statements of [`Query::to_sql`](crate::QueryToSql::to_sql) query.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::schema::{Collation, FieldDef, IndexDef, IndexKind, OnDelete, OnUpdate, Schema};

/// Translates a [`Schema`] to SQL.
pub trait SchemaToSql {
    /// Returns the statements that create a table for the records, and its indexes.
    ///
    /// * Each field has a column with its name and the type of its kind, `NOT NULL` if the field is never null. The table has
    ///   the primary key of the schema. In SQLite it is `STRICT`.
    /// * Each reference is a foreign key to the primary key of the other table, `DEFERRABLE INITIALLY DEFERRED`: like a batch, a transaction is
    ///   judged by what it leaves. `restrict` is the `NO ACTION` that SQL has by default, since it is judged at the end too. SQLite keeps
    ///   references only with `PRAGMA foreign_keys = ON`.
    /// * Each check is a `CHECK`. In PostgreSQL, constraints have the same names as in refusals.
    /// * Each index has an index named `table_index`; a unique one has the name of its constraint, such as `table_field_key`.
    /// * Multi-valued fields have no column, and their indexes and references are left out. Everything else is translated, or an error.
    /// * Conditions of partial indexes cannot have parameters, so their values are literals, escaped. The text contains no other
    ///   values.
    ///
    /// For documents and key/value records, use the schema of the collection (`Collection::schema`), which declares the
    /// fields that can be null.
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
    /// [`SqlError::Schema`] if the schema is not valid, [`SqlError::Name`] if the dialect does not accept a name,
    /// [`SqlError::Unsupported`] for a unique index of a field with a collation and any index of a field that ignores accents, and
    /// for conditions of indexes the errors of [`Query::to_sql`](crate::QueryToSql::to_sql).
    fn to_sql(&self, dialect: Dialect, table: &str) -> Result<Vec<String>, SqlError>;
}

impl SchemaToSql for Schema {
    fn to_sql(&self, dialect: Dialect, table: &str) -> Result<Vec<String>, SqlError> {
        self.check()?;
        let single: Vec<&FieldDef> = self.fields().iter().filter(|field| !field.is_many()).collect();
        let mut columns = Vec::with_capacity(single.len());
        for (at, field) in single.iter().enumerate() {
            if single[..at].iter().any(|other| clash(dialect, other.name(), field.name())) {
                let (name, why) = (field.name().to_owned(), "another column has the same name except for case");
                return Err(SqlError::Name { dialect, name, why, help: "rename one of the two" });
            }
            let null = if field.is_nullable() { "" } else { " NOT NULL" };
            columns.push(format!("{} {}{null}", dialect.quoted(field.name())?, dialect.column_type(field)));
        }
        let key = single.iter().filter(|field| field.is_key()).map(|field| dialect.quoted(field.name()));
        let key = key.collect::<Result<Vec<_>, _>>()?.join(", ");
        let strict = if dialect == Dialect::Sqlite { " STRICT" } else { "" };
        let name = dialect.quoted(table)?;
        columns.push(format!("PRIMARY KEY ({key})"));
        columns.extend(references_to_sql(self, dialect, table)?);
        columns.extend(checks_to_sql(self, dialect, table)?);
        let mut statements = vec![format!("CREATE TABLE {name} ({}){strict}", columns.join(", "))];
        let indexes = self.indexes();
        for (at, index) in indexes.iter().enumerate() {
            if indexes[..at].iter().any(|other| clash(dialect, other.name(), index.name())) {
                let (name, why) = (index.name().to_owned(), "another index has the same name except for case");
                return Err(SqlError::Name { dialect, name, why, help: "rename one of the two" });
            }
            statements.extend(index_to_sql(self, dialect, table, index)?);
        }
        Ok(statements)
    }
}

fn references_to_sql(schema: &Schema, dialect: Dialect, table: &str) -> Result<Vec<String>, SqlError> {
    let is_many = |name: &str| schema.find(name).is_some_and(|(_, field)| field.is_many());
    let named = schema.references().iter().zip(schema.reference_names(table));
    let single = named.filter(|(reference, _)| !reference.fields().iter().any(|name| is_many(name)));
    let constraint = |(reference, name): (&memdex_query::schema::Reference, String)| {
        let columns: Vec<String> =
            reference.fields().iter().map(|name| dialect.quoted(name)).collect::<Result<_, _>>()?;
        let (name, to) = (dialect.quoted(&name)?, dialect.quoted(reference.to())?);
        let on_delete = match reference.deletes() {
            OnDelete::Cascade => " ON DELETE CASCADE",
            OnDelete::SetNull => " ON DELETE SET NULL",
            _ => "",
        };
        let on_update = if reference.updates() == OnUpdate::Cascade { " ON UPDATE CASCADE" } else { "" };
        let columns = columns.join(", ");
        let deferred = "DEFERRABLE INITIALLY DEFERRED";
        Ok(format!("CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {to}{on_delete}{on_update} {deferred}"))
    };
    single.map(constraint).collect()
}

fn checks_to_sql(schema: &Schema, dialect: Dialect, table: &str) -> Result<Vec<String>, SqlError> {
    let mut constraints = Vec::new();
    for (check, name) in schema.checks().iter().zip(schema.check_names(table)) {
        let mut statement = Statement::of_check(table, dialect, schema);
        let conditions = statement.filter(check.predicate())?;
        for condition in conditions {
            constraints.push(format!("CONSTRAINT {} CHECK ({condition})", dialect.quoted(&name)?));
        }
    }
    Ok(constraints)
}

fn index_to_sql(schema: &Schema, dialect: Dialect, table: &str, index: &IndexDef) -> Result<Option<String>, SqlError> {
    let mut columns = Vec::new();
    for name in index.fields() {
        let def = schema.position(name).and_then(|position| schema.fields().get(position));
        if def.is_some_and(FieldDef::is_many) {
            return Ok(None);
        }
        let unsupported = |feature: &str, help| SqlError::Unsupported {
            dialect,
            feature: feature.to_owned(),
            field: Some(name.to_string()),
            help,
        };
        match def.and_then(FieldDef::collation) {
            Some(_) if index.kind() == IndexKind::Unique => {
                let help = "create it by hand, of an expression that folds texts as you need it";
                return Err(unsupported("a unique index of a field with a collation", help));
            }
            None | Some(Collation::NoCase) => {}
            // No statement would use it, since equality is not translated either.
            Some(_) => {
                let help = "store the key of the collation in a separate field, and index that one";
                return Err(unsupported("an index of a field that ignores accents", help));
            }
        }
        // Nulls first, as in the orders of queries.
        let ordered = index.kind() == IndexKind::Ordered && def.is_some_and(FieldDef::is_nullable);
        let nulls = if dialect == Dialect::Postgres && ordered { " NULLS FIRST" } else { "" };
        columns.push(format!("{}{nulls}", dialect.quoted(name)?));
    }
    let unique = if index.kind() == IndexKind::Unique { "UNIQUE " } else { "" };
    let name = match index.kind() {
        IndexKind::Unique => index.constraint_name(table),
        _ => format!("{table}_{}", index.name()),
    };
    let name = dialect.quoted(&name)?;
    let (table_name, columns) = (dialect.quoted(table)?, columns.join(", "));
    let condition = match index.condition() {
        None => String::new(),
        Some(condition) => {
            let mut statement = Statement::with_literals(table, dialect, schema);
            super::statement::where_clause(&statement.filter(condition)?)
        }
    };
    Ok(Some(format!("CREATE {unique}INDEX {name} ON {table_name} ({columns}){condition}")))
}

/// Whether two names of columns or indexes are the same for the dialect. SQLite ignores the case of ASCII letters.
fn clash(dialect: Dialect, one: &str, other: &str) -> bool {
    dialect == Dialect::Sqlite && one.eq_ignore_ascii_case(other)
}
