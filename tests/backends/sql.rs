//! A repository of any schema in an SQL database.

use memdex::aggregate::{Aggregate, Statistics};
use memdex::query::{Ask, Paging};
use memdex::typing::ValueRef;
use memdex::{Bucket, FieldDef, Kind, Metric, Query, Schema, Value};
use memdex_sql::{Dialect, QueryToSql, SqlError, SqlValue};
use memdex_test::{Domain, Operation, Outcome, RefusalKind, Repository, Row, RowKey, Summary};

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum DatabaseError {
    Refused(RefusalKind),
    Failed(String),
}

/// A connection.
pub(crate) trait Database {
    const DIALECT: Dialect;

    /// Executes a statement with parameters and returns the rows.
    fn query(&self, text: &str, params: &[SqlValue]) -> Result<Vec<Vec<SqlValue>>, DatabaseError>;

    /// Executes a statement with parameters and returns the number of changed rows.
    fn execute(&self, text: &str, params: &[SqlValue]) -> Result<u64, DatabaseError>;

    /// A value as a parameter.
    fn encode(value: &Value) -> SqlValue;

    /// The value in a column of this kind.
    fn decode(cell: &SqlValue, kind: Kind) -> Value;
}

pub(crate) struct SqlRepository<D> {
    database: D,
    schemas: Vec<(String, Schema)>,
}

impl<D: Database> SqlRepository<D> {
    /// The tables exist, and are empty.
    pub(crate) fn new<'a>(database: D, domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let schemas = domains.into_iter().map(|domain| (domain.name().to_string(), domain.schema().clone()));
        SqlRepository { database, schemas: schemas.collect() }
    }

    fn schema(&self, name: &str) -> &Schema {
        &self.schemas.iter().find(|(of, _)| of == name).expect("a collection of the suite").1
    }

    fn write(&self, operation: &Operation) -> Result<Outcome, DatabaseError> {
        match operation {
            Operation::Insert { collection, row } => self.insert(collection, row, "")?,
            Operation::Store { collection, row } => {
                let schema = self.schema(collection);
                let set = schema.fields().iter().filter(|field| !field.is_key());
                let set: Vec<String> =
                    set.map(|field| format!("{0} = excluded.{0}", quoted::<D>(field.name()))).collect();
                let keys = keys(schema).map(|field| quoted::<D>(field.name())).collect::<Vec<_>>().join(", ");
                let set = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
                self.insert(collection, row, &format!(" ON CONFLICT ({keys}) DO {set}"))?;
            }
            Operation::Update { collection, key, set } => {
                let mut params: Vec<SqlValue> = Vec::new();
                let columns: Vec<String> = set
                    .iter()
                    .map(|(name, values)| {
                        params.push(values.first().map_or(SqlValue::Null, D::encode));
                        format!("{} = {}", quoted::<D>(name), place::<D>(params.len()))
                    })
                    .collect();
                let filter = self.by_key(collection, key, &mut params);
                let text = format!("UPDATE {} SET {}{filter}", quoted::<D>(collection), columns.join(", "));
                if self.database.execute(&text, &params)? == 0 {
                    return Err(DatabaseError::Refused(RefusalKind::Missing));
                }
            }
            Operation::Add { collection, key, field, by } => {
                let mut params = Vec::new();
                let filter = self.by_key(collection, key, &mut params);
                let (table, column) = (quoted::<D>(collection), quoted::<D>(field));
                let text = format!("UPDATE {table} SET {column} = {column} + {by}{filter} RETURNING {column}");
                let rows = self.database.query(&text, &params)?;
                let sum = rows.first().map(|row| D::decode(&row[0], Kind::Int)).and_then(|sum| sum.as_i64());
                return sum.map(Outcome::Number).ok_or(DatabaseError::Refused(RefusalKind::Missing));
            }
            Operation::Delete { collection, key } => {
                let mut params = Vec::new();
                let filter = self.by_key(collection, key, &mut params);
                let text = format!("DELETE FROM {}{filter}", quoted::<D>(collection));
                return Ok(Outcome::Number(self.database.execute(&text, &params)? as i64));
            }
            _ => return Ok(Outcome::Unsupported),
        }
        Ok(Outcome::Done)
    }

    fn insert(&self, collection: &str, row: &Row, conflict: &str) -> Result<(), DatabaseError> {
        let fields = self.schema(collection).fields();
        let params: Vec<SqlValue> =
            fields.iter().map(|field| row.one(field.name()).map_or(SqlValue::Null, D::encode)).collect();
        let places: Vec<String> = (1..=params.len()).map(place::<D>).collect();
        let text = format!("INSERT INTO {} VALUES ({}){conflict}", quoted::<D>(collection), places.join(", "));
        self.database.execute(&text, &params).map(drop)
    }

    fn by_key(&self, collection: &str, key: &RowKey, params: &mut Vec<SqlValue>) -> String {
        let parts = keys(self.schema(collection)).zip(key).map(|(field, value)| {
            params.push(D::encode(value));
            format!("{} = {}", quoted::<D>(field.name()), place::<D>(params.len()))
        });
        format!(" WHERE {}", parts.collect::<Vec<_>>().join(" AND "))
    }

    fn batch(&self, parts: &[Operation]) -> Result<Outcome, DatabaseError> {
        self.database.execute("BEGIN", &[])?;
        for part in parts {
            if let Err(error) = self.write(part) {
                self.database.execute("ROLLBACK", &[])?;
                return Err(error);
            }
        }
        self.database.execute("COMMIT", &[]).map(|_| Outcome::Done)
    }

    fn rows(&self, query: &Query) -> Result<Option<Vec<Row>>, DatabaseError> {
        let schema = self.schema(&query.collections[0]);
        let Some(sql) = translated(query.to_sql(D::DIALECT.with(schema)))? else { return Ok(None) };
        let row =
            |cells: &Vec<SqlValue>| {
                schema.fields().iter().zip(cells).fold(Row::new(), |row, (field, cell)| {
                    row.with(field.name().to_owned(), D::decode(cell, field.kind()))
                })
            };
        Ok(Some(self.database.query(&sql.text, &sql.params)?.iter().map(row).collect()))
    }

    fn find(&self, query: &Query) -> Result<Outcome, DatabaseError> {
        let paging = match &query.ask {
            Ask::Statistics(statistics) => return self.statistics(query, statistics),
            Ask::Records(paging) => paging,
        };
        let Some(rows) = self.rows(query)? else { return Ok(Outcome::Unsupported) };
        let schema = self.schema(&query.collections[0]);
        let total = match translated(query.to_count_sql(D::DIALECT.with(schema)))? {
            Some(sql) if paging.total => {
                let counted = self.database.query(&sql.text, &sql.params)?;
                D::decode(&counted[0][0], Kind::Int).as_i64().map(|total| total as usize)
            }
            _ => None,
        };
        Ok(Outcome::Records { rows, total })
    }

    /// Page by page, by offset: nobody writes meanwhile.
    fn walk(&self, query: &Query) -> Result<Outcome, DatabaseError> {
        let Ask::Records(Paging { limit: Some(size), .. }) = query.ask else { return Ok(Outcome::Unsupported) };
        let mut all = Vec::new();
        loop {
            let Some(rows) = self.rows(&query.clone().offset(all.len()))? else { return Ok(Outcome::Unsupported) };
            let is_last = rows.len() < size;
            all.extend(rows);
            if is_last {
                return Ok(Outcome::records(all));
            }
        }
    }

    fn statistics(&self, query: &Query, requested: &Statistics) -> Result<Outcome, DatabaseError> {
        let schema = self.schema(&query.collections[0]);
        let buckets: &[Bucket] = requested.groups.as_ref().map_or(&[], |groups| &groups.by);
        let is_odd = |bucket: &Bucket| matches!(bucket, Bucket::Ranges { .. });
        // SQL returns groups or totals, the first groups without their number, and names of ranges of its own.
        let is_nested =
            requested.groups.as_ref().is_some_and(|groups| groups.top.is_some() || groups.within.groups.is_some());
        if is_nested || buckets.iter().any(is_odd) || !buckets.is_empty() && !requested.metrics.is_empty() {
            return Ok(Outcome::Unsupported);
        }
        let Some(sql) = translated(query.to_sql(D::DIALECT.with(schema)))? else { return Ok(Outcome::Unsupported) };
        let metrics = requested.groups.as_ref().map_or(&requested.metrics, |groups| &groups.within.metrics);
        let result = |cells: &Vec<SqlValue>| {
            let keys = buckets.iter().zip(cells).map(|(bucket, cell)| D::decode(cell, kind_of(schema, bucket.field())));
            let cells = cells.iter().skip(buckets.len());
            let metrics = metrics.iter().zip(cells).map(|(metric, cell)| D::decode(cell, result_kind(schema, metric)));
            (keys.collect(), Summary { metrics: metrics.collect(), groups: Vec::new(), groups_in_all: 0 })
        };
        let mut results: Vec<(Vec<Value>, Summary)> =
            self.database.query(&sql.text, &sql.params)?.iter().map(result).collect();
        Ok(Outcome::Summary(if requested.groups.is_none() {
            results.swap_remove(0).1
        } else {
            Summary { metrics: Vec::new(), groups_in_all: results.len(), groups: results }
        }))
    }
}

impl<D: Database> Repository for SqlRepository<D> {
    fn apply(&self, operation: &Operation) -> Outcome {
        let outcome = match operation {
            Operation::Batch(parts) => self.batch(parts),
            Operation::Get { collection, key } => {
                let mut params = Vec::new();
                let filter = self.by_key(collection, key, &mut params);
                let fields = self.schema(collection).fields();
                let columns = fields.iter().map(|field| quoted::<D>(field.name())).collect::<Vec<_>>().join(", ");
                let text = format!("SELECT {columns} FROM {}{filter}", quoted::<D>(collection));
                self.database.query(&text, &params).map(|rows| {
                    Outcome::Record(rows.first().map(|cells| {
                        fields.iter().zip(cells).fold(Row::new(), |row, (field, cell)| {
                            row.with(field.name().to_owned(), D::decode(cell, field.kind()))
                        })
                    }))
                })
            }
            Operation::Find(query) => self.find(query),
            Operation::Walk(query) => self.walk(query),
            other => self.write(other),
        };
        match outcome {
            Ok(outcome) => outcome,
            Err(DatabaseError::Refused(why)) => Outcome::Refused(why),
            Err(DatabaseError::Failed(why)) => Outcome::Failed(why),
        }
    }
}

/// `None` if the database has no equivalent.
fn translated<T>(sql: Result<T, SqlError>) -> Result<Option<T>, DatabaseError> {
    match sql {
        Ok(sql) => Ok(Some(sql)),
        Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => Ok(None),
        Err(error) => Err(DatabaseError::Failed(error.to_string())),
    }
}

fn keys(schema: &Schema) -> impl Iterator<Item = &FieldDef> {
    schema.fields().iter().filter(|field| field.is_key())
}

fn kind_of(schema: &Schema, field: &str) -> Kind {
    schema.find(field).map_or(Kind::Int, |(_, field)| field.kind())
}

fn result_kind(schema: &Schema, metric: &Metric) -> Kind {
    match &metric.aggregate {
        Aggregate::Min(field) | Aggregate::Max(field) | Aggregate::Mode(field) | Aggregate::Sum(field) => {
            kind_of(schema, field)
        }
        Aggregate::Avg(field) if kind_of(schema, field) == Kind::Decimal => Kind::Decimal,
        Aggregate::Count | Aggregate::CountOf(_) | Aggregate::Distinct(_) => Kind::Int,
        _ => Kind::Float,
    }
}

fn quoted<D: Database>(name: &str) -> String {
    if D::DIALECT == Dialect::Sqlite { format!("`{name}`") } else { format!("\"{name}\"") }
}

fn place<D: Database>(number: usize) -> String {
    if D::DIALECT == Dialect::Sqlite { format!("?{number}") } else { format!("${number}") }
}

/// The text of a value: as it is written, and in hexadecimal digits for bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The value of a column that the database stores as text.
pub(crate) fn from_text(text: &str, kind: Kind) -> Value {
    match kind {
        Kind::Str => text.into(),
        Kind::Int => text.parse::<i128>().map_or(Value::NULL, Value::from),
        Kind::Float => text.parse::<f64>().map_or(Value::NULL, Value::from),
        Kind::Bool => Value::from(text == "t"),
        _ => Value::from_text(kind, text).unwrap_or_else(|| panic!("{text:?} is not a {kind}")),
    }
}

pub(crate) fn timestamp(nanos: i128) -> Value {
    ValueRef::Timestamp(nanos).to_value()
}
