//! A statement on its way: what every part of it needs, and the methods that make whole ones.

use super::value::as_kind;
use super::{Dialect, SqlError, SqlTarget, SqlValue};
use memdex_query::error::QueryError;
use memdex_query::query::{Ask, Predicate, Query};
use memdex_query::schema::{Condition, FieldDef, Schema};
use memdex_query::value::{Kind, Value};

/// A statement and its parameters. The text names them by number, as `?1` or `$1`: a parameter may be named several times, and
/// no value is ever a part of the text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sql {
    /// The statement.
    pub text: String,
    /// Its parameters, the first one first.
    pub params: Vec<SqlValue>,
}

/// Translates a [`Query`] to SQL.
pub trait QueryToSql {
    /// This question in SQL, to a table that is called like the collection and has a column for each field.
    ///
    /// `target` is a [`Dialect`], or one [with the schema](Dialect::with) of the records. Which records are meant, and counts of them,
    /// can be said without one. For orders, pages and statistics the key and the kinds of fields must be known. With one, the
    /// predicate is judged as a query of the engine judges it, and the columns come in the order of its fields.
    ///
    /// Records are given in the same order as by the engine, ties broken by the key, and `after` a cursor begins with the next
    /// one; that a cursor belongs to this very query is not checked. The total that a page may ask for is a statement of its own:
    /// [`to_count_sql`](QueryToSql::to_count_sql). Statistics give a row a group: the parts of its key in columns that are called
    /// like their fields, then the metrics by their names. What is said here at some length costs little: nothing is looked at
    /// but the question.
    ///
    /// ```
    /// use memdex::{FieldDef, Query, Schema, field};
    /// use memdex_sql::{Dialect, QueryToSql, SqlValue};
    ///
    /// let query = Query::over(["Payment"]).filter(!field("status").eq("refunded"));
    /// let sql = query.to_sql(Dialect::Postgres)?;
    /// assert_eq!(sql.text, r#"SELECT * FROM "Payment" WHERE ("status" = $1::text) IS NOT TRUE"#);
    /// assert_eq!(sql.params, [SqlValue::Text("refunded".into())]);
    ///
    /// let schema = Schema::new([FieldDef::of::<u64>("id").key(), FieldDef::of::<Option<String>>("status")]);
    /// let sql = query.order_by(field("status").desc()).limit(10).to_sql(Dialect::Sqlite.with(&schema))?;
    /// assert_eq!(
    ///     sql.text,
    ///     "SELECT `id`, `status` FROM `Payment` WHERE (`status` = ?1) IS NOT TRUE \
    ///      ORDER BY `status` DESC NULLS LAST, `id` ASC LIMIT ?2"
    /// );
    /// # Ok::<(), memdex_sql::SqlError>(())
    /// ```
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] for what the dialect has no words for that mean the same: fields of many values, several
    /// collections, decimals in an order in SQLite, groups within groups and others; [`SqlError::Value`] for values that it
    /// can't hold; [`SqlError::NeedsSchema`]; [`SqlError::Name`], [`SqlError::NullOperand`] and [`SqlError::TooManyParams`]; and
    /// [`SqlError::Query`] for what the engine would refuse too.
    fn to_sql<'a>(&'a self, target: impl Into<SqlTarget<'a>>) -> Result<Sql, SqlError>;

    /// How many records this question means, whatever page of them or figure it asks for: one row with one number.
    ///
    /// ```
    /// use memdex::{Query, field};
    /// use memdex_sql::{Dialect, QueryToSql};
    /// let sql = Query::over(["Payment"]).filter(field("amount").ge(100)).to_count_sql(Dialect::Sqlite)?;
    /// assert_eq!(sql.text, "SELECT count(*) FROM `Payment` WHERE `amount` >= ?1");
    /// # Ok::<(), memdex_sql::SqlError>(())
    /// ```
    ///
    /// # Errors
    /// As [`to_sql`](QueryToSql::to_sql).
    fn to_count_sql<'a>(&'a self, target: impl Into<SqlTarget<'a>>) -> Result<Sql, SqlError>;
}

impl QueryToSql for Query {
    fn to_sql<'a>(&'a self, target: impl Into<SqlTarget<'a>>) -> Result<Sql, SqlError> {
        let mut statement = Statement::new(self, target.into())?;
        let filter = statement.filter(&self.filter)?;
        let text = match &self.ask {
            Ask::Records(paging) => statement.page(filter, paging)?,
            Ask::Statistics(statistics) => statement.statistics(filter, statistics)?,
        };
        statement.finish(text)
    }

    fn to_count_sql<'a>(&'a self, target: impl Into<SqlTarget<'a>>) -> Result<Sql, SqlError> {
        let mut statement = Statement::new(self, target.into())?;
        let filter = statement.filter(&self.filter)?;
        let text = format!("SELECT count(*) FROM {}{}", statement.table()?, clause(&filter));
        statement.finish(text)
    }
}

/// What the parts of a statement share.
pub(super) struct Statement<'a> {
    pub(super) dialect: Dialect,
    pub(super) schema: Option<&'a Schema>,
    pub(super) collection: &'a str,
    /// Values as literals: where no parameter can stand.
    literals: bool,
    params: Vec<SqlValue>,
}

impl<'a> Statement<'a> {
    fn new(query: &'a Query, target: SqlTarget<'a>) -> Result<Self, SqlError> {
        let SqlTarget { dialect, schema } = target;
        let collection = match query.collections.as_slice() {
            [one] => one,
            other => {
                let feature = format!("one question to {} collections", other.len());
                return Err(SqlError::Unsupported { dialect, feature, field: None, instead: "ask them one by one" });
            }
        };
        Ok(Statement { dialect, schema, collection, literals: false, params: Vec::new() })
    }

    /// For a condition of an index.
    pub(super) fn of_literals(collection: &'a str, dialect: Dialect, schema: &'a Schema) -> Self {
        Statement { dialect, schema: Some(schema), collection, literals: true, params: Vec::new() }
    }

    fn finish(self, text: String) -> Result<Sql, SqlError> {
        let (given, limit) = (self.params.len(), self.dialect.max_params());
        if given > limit {
            return Err(SqlError::TooManyParams { dialect: self.dialect, given, limit });
        }
        Ok(Sql { text, params: self.params })
    }

    pub(super) fn table(&self) -> Result<String, SqlError> {
        self.dialect.quoted(self.collection)
    }

    /// Which records are meant; what is true of all is left out.
    pub(super) fn filter(&mut self, predicate: &Predicate) -> Result<Vec<String>, SqlError> {
        if let Some(schema) = self.schema {
            Condition::new(self.collection, schema, predicate)?;
        }
        match predicate {
            Predicate::All => Ok(Vec::new()),
            other => Ok(vec![self.predicate(other)?]),
        }
    }

    pub(super) fn unsupported<T>(
        &self,
        feature: impl Into<String>,
        field: Option<&str>,
        instead: &'static str,
    ) -> Result<T, SqlError> {
        let (dialect, feature, field) = (self.dialect, feature.into(), field.map(str::to_owned));
        Err(SqlError::Unsupported { dialect, feature, field, instead })
    }

    /// What the schema says of a field; `None` without a schema.
    pub(super) fn def(&self, field: &str) -> Result<Option<&'a FieldDef>, SqlError> {
        let Some(schema) = self.schema else { return Ok(None) };
        let Some(position) = schema.position(field) else {
            let known = schema.fields().iter().map(|field| field.name().to_owned()).collect();
            let (collection, field) = (self.collection.to_owned(), field.to_owned());
            return Err(QueryError::UnknownField { collection, field, known }.into());
        };
        Ok(schema.fields().get(position))
    }

    /// The field, which must be known to be said.
    pub(super) fn known(&self, field: &str, feature: &str) -> Result<&'a FieldDef, SqlError> {
        let (dialect, feature) = (self.dialect, || feature.to_owned());
        let Some(def) = self.def(field)? else {
            let why = "what to say depends on the kind of the field";
            return Err(SqlError::NeedsSchema { dialect, feature: feature(), field: Some(field.to_owned()), why });
        };
        if def.is_many() {
            let instead = "its values have no column; keep them in a table of their own and join it";
            return self.unsupported(format!("{} with many values", feature()), Some(field), instead);
        }
        if dialect == Dialect::Sqlite && def.kind() == Kind::Decimal {
            let instead = "it keeps decimals as text; count them in their smallest unit, as an integer";
            return self.unsupported(format!("{} with decimals", feature()), Some(field), instead);
        }
        Ok(def)
    }

    /// A field's column.
    pub(super) fn column(&self, field: &str) -> Result<String, SqlError> {
        self.dialect.quoted(field)
    }

    /// A column where its order counts, which in PostgreSQL depends on the data base unless it is told.
    pub(super) fn in_order(&self, field: &str, kind: Option<Kind>) -> Result<String, SqlError> {
        let column = self.column(field)?;
        Ok(match (self.dialect, kind) {
            (Dialect::Postgres, Some(Kind::Char | Kind::Str)) => format!("{column} COLLATE \"C\""),
            _ => column,
        })
    }

    /// A value to compare a field with, as the schema says that it is to be read.
    pub(super) fn fitted(&self, field: &str, value: &Value) -> Result<Value, SqlError> {
        Ok(self.def(field)?.map_or_else(|| value.clone(), |def| as_kind(value, def.kind())))
    }

    /// A value to compare a field with: the name of a parameter, or a literal.
    pub(super) fn value(&mut self, field: &str, value: &Value) -> Result<String, SqlError> {
        let value = self.fitted(field, value)?;
        if self.literals {
            return self.dialect.literal(field, &value);
        }
        let encoded = self.dialect.encode(field, &value)?;
        Ok(self.param(encoded.value, encoded.casts))
    }

    /// A new parameter, of these types in PostgreSQL one after the other.
    pub(super) fn param(&mut self, value: SqlValue, casts: &[&str]) -> String {
        self.params.push(value);
        let number = self.params.len();
        match self.dialect {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}{}", casts.iter().map(|c| format!("::{c}")).collect::<String>()),
        }
    }

    /// A number that the question counts with.
    pub(super) fn count(&mut self, number: usize) -> String {
        self.param(SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX)), &["bigint"])
    }
}

/// Conditions that must all hold, as a clause.
pub(super) fn clause(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}
