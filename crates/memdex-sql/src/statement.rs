//! Translates a query to a statement, and the state that its parts share.

use super::{Dialect, SqlError, SqlTarget, SqlValue};
use memdex_query::error::QueryError;
use memdex_query::query::{Ask, Predicate, Query};
use memdex_query::schema::{self, Condition, FieldDef, Schema};
use memdex_query::value::{Fitted, Kind, Value};

/// A statement and its parameters.
///
/// The text refers to parameters by number, as `?1` or `$1`, and may use one several times. It never contains values.
///
/// ```
/// use memdex::{Query, field};
/// use memdex_sql::{Dialect, QueryToSql, SqlValue};
///
/// let sql = Query::over(["Payment"]).filter(field("amount").between(1, 9)).to_sql(Dialect::Sqlite)?;
/// assert_eq!(sql.text, "SELECT * FROM `Payment` WHERE (`amount` >= ?1 AND `amount` <= ?2)");
/// assert_eq!(sql.params, [SqlValue::Integer(1), SqlValue::Integer(9)]);
/// # Ok::<(), memdex_sql::SqlError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sql {
    /// The statement.
    pub text: String,
    /// The parameters, in order of their numbers.
    pub params: Vec<SqlValue>,
}

/// Translates a [`Query`] to SQL.
pub trait QueryToSql {
    /// Translates this query. The table has the name of the collection and a column for each field.
    ///
    /// `target` is a [`Dialect`], or a dialect [with the schema](Dialect::with) of the records. Filters and counts can
    /// be translated without a schema. Orders, pages and most statistics need the key and the kinds of the fields, so
    /// they need a schema. Without one, values must have the kinds of
    /// their columns. With a schema, the filter is validated as the engine validates it, and the columns have the
    /// order of the fields.
    ///
    /// * **Records** have the same order as in the engine, and ties are broken by the key. A page `after` a cursor starts with
    ///   the next record. Whether the cursor belongs to this query is not checked.
    /// * **The total** of a page needs a second statement: [`to_count_sql`](QueryToSql::to_count_sql).
    /// * **Statistics** return one row for each group. Its columns are the parts of the group key, named like their fields, and
    ///   then the metrics, by name.
    ///
    /// The cost is linear in the size of the query.
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
    /// * [`SqlError::Unsupported`] if the dialect has no equivalent, for example for multi-valued fields, several collections,
    ///   nested groups, or an order of decimals in SQLite
    /// * [`SqlError::Value`] if the dialect cannot represent a value
    /// * [`SqlError::NullOperand`] if a condition compares a field with null
    /// * [`SqlError::NeedsSchema`] if the target has no schema, and the query needs one
    /// * [`SqlError::Name`] if the dialect does not accept a name
    /// * [`SqlError::TooManyParams`] if the statement has more parameters than the dialect allows
    /// * [`SqlError::Query`] if the query is not valid in the engine either
    fn to_sql<'a>(&'a self, target: impl Into<SqlTarget<'a>>) -> Result<Sql, SqlError>;

    /// Translates the count of the records that the filter selects, regardless of page and statistics. It returns one
    /// row with one number.
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
    /// The same as [`to_sql`](QueryToSql::to_sql).
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
        let text = format!("SELECT count(*) FROM {}{}", statement.table()?, where_clause(&filter));
        statement.finish(text)
    }
}

/// The state of a translation.
pub(super) struct Statement<'a> {
    pub(super) dialect: Dialect,
    pub(super) schema: Option<&'a Schema>,
    pub(super) collection: &'a str,
    /// Whether values become literals. Conditions of indexes cannot have parameters.
    literals: bool,
    /// Whether a condition on a missing value is unknown, and so is its opposite: as in a check, which accepts what is unknown.
    three_valued: bool,
    params: Vec<SqlValue>,
}

impl<'a> Statement<'a> {
    fn new(query: &'a Query, target: SqlTarget<'a>) -> Result<Self, SqlError> {
        let SqlTarget { dialect, schema } = target;
        let collection = match query.collections.as_slice() {
            [one] => one,
            other => {
                let feature = format!("one query over {} collections", other.len());
                return Err(SqlError::Unsupported {
                    dialect,
                    feature,
                    field: None,
                    help: "query each collection separately",
                });
            }
        };
        Ok(Statement { dialect, schema, collection, literals: false, three_valued: false, params: Vec::new() })
    }

    /// A statement with literals, for the condition of an index.
    pub(super) fn with_literals(collection: &'a str, dialect: Dialect, schema: &'a Schema) -> Self {
        Statement { dialect, schema: Some(schema), collection, literals: true, three_valued: false, params: Vec::new() }
    }

    /// The same for a check.
    pub(super) fn of_check(collection: &'a str, dialect: Dialect, schema: &'a Schema) -> Self {
        Statement { three_valued: true, ..Statement::with_literals(collection, dialect, schema) }
    }

    /// Whether a condition on a missing value is unknown, and so is its opposite.
    pub(super) fn is_three_valued(&self) -> bool {
        self.three_valued
    }

    /// A condition that no value of a column meets.
    pub(super) fn nothing(&self, field: &str) -> Result<String, SqlError> {
        let column = self.column(field)?;
        Ok(if self.three_valued { format!("({column} IS NULL AND NULL)") } else { "FALSE".to_owned() })
    }

    /// A condition that every value of a column meets.
    pub(super) fn anything(&self, field: &str) -> Result<String, SqlError> {
        let column = self.column(field)?;
        Ok(if self.three_valued { format!("({column} IS NOT NULL OR NULL)") } else { format!("{column} IS NOT NULL") })
    }

    /// Whether this is the condition of an index, which has no parameters and no subqueries.
    pub(super) fn is_of_index(&self) -> bool {
        self.literals
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

    /// The conditions of a predicate; none if it selects all records.
    pub(super) fn filter(&mut self, predicate: &Predicate) -> Result<Vec<String>, SqlError> {
        if let Some(schema) = self.schema {
            match Condition::new(self.collection, schema, predicate) {
                Err(QueryError::NoElements { field, .. }) => return self.elem_match(&field),
                bound => bound?,
            };
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
        help: &'static str,
    ) -> Result<T, SqlError> {
        let (dialect, feature, field) = (self.dialect, feature.into(), field.map(str::to_owned));
        Err(SqlError::Unsupported { dialect, feature, field, help })
    }

    /// The definition of a field; `None` without a schema.
    pub(super) fn def(&self, field: &str) -> Result<Option<&'a FieldDef>, SqlError> {
        let Some(schema) = self.schema else { return Ok(None) };
        match schema.position(field) {
            Some(position) => Ok(schema.fields().get(position)),
            None => Err(schema.unknown_field(self.collection, field).into()),
        }
    }

    /// The definition of a field whose kind the translation depends on.
    pub(super) fn require_field(&self, field: &str, feature: &str) -> Result<&'a FieldDef, SqlError> {
        let (dialect, feature) = (self.dialect, || feature.to_owned());
        let Some(def) = self.def(field)? else {
            let why = "the SQL depends on the kind of the field";
            return Err(SqlError::NeedsSchema { dialect, feature: feature(), field: Some(field.to_owned()), why });
        };
        if def.is_many() {
            let help = "store the values in a separate table and join it";
            return self.unsupported(format!("{} on multi-valued fields", feature()), Some(field), help);
        }
        if dialect == Dialect::Sqlite && def.kind() == Kind::Decimal {
            let help = "store amounts in the smallest unit, as an integer";
            return self.unsupported(format!("{} on decimals", feature()), Some(field), help);
        }
        Ok(def)
    }

    /// The quoted column of a field.
    pub(super) fn column(&self, field: &str) -> Result<String, SqlError> {
        self.dialect.quoted(field)
    }

    /// A column where the order of its values matters. Without an explicit collation, PostgreSQL uses that of the
    /// database.
    pub(super) fn collated(&self, field: &str, kind: Option<Kind>) -> Result<String, SqlError> {
        if self.collation(field)?.is_some() {
            return self.has_collation(field, "the order or groups");
        }
        let column = self.column(field)?;
        Ok(match (self.dialect, kind) {
            (Dialect::Postgres, Some(Kind::Char | Kind::Str)) => format!("{column} COLLATE \"C\""),
            _ => column,
        })
    }

    /// An operand among the values of its field's kind. Without a schema it is of that kind already.
    pub(super) fn fitted(&self, field: &str, value: &Value) -> Result<Fitted, SqlError> {
        let fitted = self.def(field)?.map(|def| schema::fit(self.collection, def, value)).transpose()?;
        Ok(fitted.unwrap_or_else(|| Fitted::Exact(value.clone())))
    }

    /// The same for a comparison of whole values: the key of the field's collation.
    pub(super) fn operand(&self, field: &str, value: &Value) -> Result<Fitted, SqlError> {
        let fitted = self.def(field)?.map(|def| schema::operand(self.collection, def, value)).transpose()?;
        Ok(fitted.unwrap_or_else(|| Fitted::Exact(value.clone())))
    }

    /// An operand, converted to the kind of its field if there is a schema and the kind has this value.
    pub(super) fn converted(&self, field: &str, value: &Value) -> Result<Value, SqlError> {
        let fitted = self.def(field)?.and_then(|def| schema::fit(self.collection, def, value).ok());
        Ok(fitted.and_then(Fitted::exact).unwrap_or_else(|| value.clone()))
    }

    /// An operand as SQL: a parameter or a literal.
    pub(super) fn value(&mut self, field: &str, value: &Value) -> Result<String, SqlError> {
        let value = self.converted(field, value)?;
        if self.literals {
            return self.dialect.literal(field, &value);
        }
        let encoded = self.dialect.encode(field, &value)?;
        Ok(self.param(encoded.value, encoded.casts))
    }

    /// Adds a parameter and returns its name. PostgreSQL applies the casts in order.
    pub(super) fn param(&mut self, value: SqlValue, casts: &[&str]) -> String {
        self.params.push(value);
        let number = self.params.len();
        match self.dialect {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}{}", casts.iter().map(|c| format!("::{c}")).collect::<String>()),
        }
    }

    /// Adds a parameter for a number of rows.
    pub(super) fn count_param(&mut self, number: usize) -> String {
        self.param(SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX)), &["bigint"])
    }
}

/// The `WHERE` clause of conditions that must all hold.
pub(super) fn where_clause(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}
