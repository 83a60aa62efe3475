//! Operations on a repository, and their outcomes, as plain data.

use crate::model::Summary;
use crate::row::{Row, RowKey};
use memdex::query::FieldName;
use memdex::{Query, Value};
use std::fmt;

/// One operation on a repository, as plain data. It names collections and fields as the schema does.
///
/// ```
/// use memdex_test::{Operation, Row};
///
/// let insert = Operation::insert("User", Row::new().with("id", 1).with("city", "Bern"));
/// let raise = Operation::add("User", [1.into()], "visits", 2);
/// assert_eq!(Operation::Batch(vec![insert, raise]).to_string(), r#"batch [insert User {city: "Bern", id: 1}; add 2 to visits of User [1]]"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "histories are short")]
pub enum Operation {
    /// Add a record. Refused if its key exists.
    Insert {
        /// The collection.
        collection: FieldName,
        /// The record.
        row: Row,
    },
    /// Insert the record or replace the one that has its key.
    Store {
        /// The collection.
        collection: FieldName,
        /// The record.
        row: Row,
    },
    /// Change fields of a record. Refused if it is missing.
    Update {
        /// The collection.
        collection: FieldName,
        /// The key of the record.
        key: RowKey,
        /// The fields to set, each with its values; without any, the field becomes missing.
        set: Vec<(FieldName, Vec<Value>)>,
    },
    /// Add to an integer field of a record, atomically. Refused if the record or the field is missing.
    Add {
        /// The collection.
        collection: FieldName,
        /// The key of the record.
        key: RowKey,
        /// The field.
        field: FieldName,
        /// The number to add.
        by: i64,
    },
    /// Remove a record, if it exists. The outcome is the number of removed records, 1 or 0.
    Delete {
        /// The collection.
        collection: FieldName,
        /// The key of the record.
        key: RowKey,
    },
    /// Remove the records that a query selects: all, or the first in its order if it has a limit.
    DeleteWhere(Query),
    /// Read a record by its key.
    Get {
        /// The collection.
        collection: FieldName,
        /// The key of the record.
        key: RowKey,
    },
    /// Read records, or statistics of them.
    Find(Query),
    /// Read all records that a query selects, page by page with the cursors of the backend. The query has a limit: the size of a page.
    Walk(Query),
    /// Writes that take place together, or not at all.
    Batch(Vec<Operation>),
    /// A command of the application. [`Model::define`](crate::Model::define) says what it does.
    Call {
        /// Its name.
        name: FieldName,
        /// Its arguments.
        arguments: Vec<Value>,
    },
}

impl Operation {
    /// An [`Operation::Insert`].
    pub fn insert(collection: impl Into<FieldName>, row: Row) -> Self {
        Operation::Insert { collection: collection.into(), row }
    }

    /// An [`Operation::Store`].
    pub fn store(collection: impl Into<FieldName>, row: Row) -> Self {
        Operation::Store { collection: collection.into(), row }
    }

    /// An [`Operation::Update`] of one field to one value.
    pub fn update(
        collection: impl Into<FieldName>,
        key: impl Into<RowKey>,
        field: impl Into<FieldName>,
        value: impl Into<Value>,
    ) -> Self {
        let set = vec![(field.into(), vec![value.into()])];
        Operation::Update { collection: collection.into(), key: key.into(), set }
    }

    /// An [`Operation::Add`].
    pub fn add(collection: impl Into<FieldName>, key: impl Into<RowKey>, field: impl Into<FieldName>, by: i64) -> Self {
        Operation::Add { collection: collection.into(), key: key.into(), field: field.into(), by }
    }

    /// An [`Operation::Delete`].
    pub fn delete(collection: impl Into<FieldName>, key: impl Into<RowKey>) -> Self {
        Operation::Delete { collection: collection.into(), key: key.into() }
    }

    /// An [`Operation::Get`].
    pub fn get(collection: impl Into<FieldName>, key: impl Into<RowKey>) -> Self {
        Operation::Get { collection: collection.into(), key: key.into() }
    }

    /// An [`Operation::Call`].
    pub fn call<V: Into<Value>>(name: impl Into<FieldName>, arguments: impl IntoIterator<Item = V>) -> Self {
        Operation::Call { name: name.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Whether it never changes a record.
    pub fn is_read(&self) -> bool {
        matches!(self, Operation::Get { .. } | Operation::Find(_) | Operation::Walk(_))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Insert { collection, row } => write!(f, "insert {collection} {row:?}"),
            Operation::Store { collection, row } => write!(f, "store {collection} {row:?}"),
            Operation::Update { collection, key, set } => {
                write!(f, "update {collection} {key:?} set")?;
                for (at, (name, values)) in set.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    match values.as_slice() {
                        [] => write!(f, "{comma} {name} = null")?,
                        [one] => write!(f, "{comma} {name} = {one:?}")?,
                        several => write!(f, "{comma} {name} = {several:?}")?,
                    }
                }
                Ok(())
            }
            Operation::Add { collection, key, field, by } => write!(f, "add {by} to {field} of {collection} {key:?}"),
            Operation::Delete { collection, key } => write!(f, "delete {collection} {key:?}"),
            Operation::DeleteWhere(query) => write!(f, "delete {}", Queried(query)),
            Operation::Get { collection, key } => write!(f, "get {collection} {key:?}"),
            Operation::Find(query) => write!(f, "find {}", Queried(query)),
            Operation::Walk(query) => write!(f, "walk {}", Queried(query)),
            Operation::Batch(operations) => {
                f.write_str("batch [")?;
                for (at, operation) in operations.iter().enumerate() {
                    write!(f, "{}{operation}", if at == 0 { "" } else { "; " })?;
                }
                f.write_str("]")
            }
            Operation::Call { name, arguments } => {
                write!(f, "{name}(")?;
                for (at, argument) in arguments.iter().enumerate() {
                    write!(f, "{}{argument:?}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A query without its default parts.
struct Queried<'a>(&'a Query);

impl fmt::Display for Queried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use memdex::query::{Ask, Direction};
        write!(f, "{}", self.0.collections.join(", "))?;
        if self.0.filter != memdex::query::Predicate::All {
            write!(f, " where {:?}", self.0.filter)?;
        }
        match &self.0.ask {
            Ask::Statistics(statistics) => write!(f, " {statistics:?}"),
            Ask::Records(paging) => {
                for (at, by) in paging.order.iter().enumerate() {
                    let direction = if by.direction == Direction::Descending { " descending" } else { "" };
                    let nulls = format!(" nulls {:?}", by.nulls).to_lowercase();
                    let before = if at == 0 { " order by" } else { "," };
                    write!(f, "{before} {}{direction}{nulls}", by.field)?;
                }
                if let Some(limit) = paging.limit {
                    write!(f, " limit {limit}")?;
                }
                if paging.offset > 0 {
                    write!(f, " offset {}", paging.offset)?;
                }
                f.write_str(if paging.total { " with total" } else { "" })
            }
        }
    }
}

/// Why a repository refuses a write. It has changed nothing then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The key exists, or a unique value. Databases don't tell them apart: both are SQLSTATE 23505.
    Duplicate,
    /// The record is missing, or a field that the operation needs.
    Missing,
    /// The record does not fit the schema.
    Invalid,
    /// A rule of the application.
    Rule,
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

impl std::error::Error for RefusalKind {}

/// The result of an [`Operation`].
///
/// ```
/// use memdex_test::{Outcome, RefusalKind};
/// assert_eq!(Outcome::Refused(RefusalKind::Duplicate).to_string(), "refused: duplicate");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// A write took place.
    Done,
    /// A write was refused and changed nothing.
    Refused(RefusalKind),
    /// The record of a key; `None` if it is missing.
    Record(Option<Row>),
    /// Records, in the order of the query.
    Records {
        /// The records.
        rows: Vec<Row>,
        /// The number of all selected records, if the query asks for it.
        total: Option<usize>,
    },
    /// Statistics.
    Summary(Summary),
    /// A number: the new value of an `add`, or the number of deleted records.
    Number(i64),
    /// The result of a command of the application.
    Values(Vec<Value>),
    /// An error of the backend, such as a lost connection. Whether a write took place is unknown.
    Failed(String),
    /// The repository has no such operation. It is left out.
    Unsupported,
}

impl Outcome {
    /// Records without a total.
    pub fn records(rows: impl IntoIterator<Item = Row>) -> Self {
        Outcome::Records { rows: rows.into_iter().collect(), total: None }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Refused(why) => write!(f, "refused: {why}"),
            Outcome::Record(None) => f.write_str("no record"),
            Outcome::Record(Some(row)) => write!(f, "{row:?}"),
            Outcome::Records { rows, total: None } => write!(f, "{rows:?}"),
            Outcome::Records { rows, total: Some(total) } => write!(f, "{rows:?} of {total}"),
            Outcome::Summary(summary) => write!(f, "{summary:?}"),
            Outcome::Number(number) => write!(f, "{number}"),
            Outcome::Values(values) => write!(f, "{values:?}"),
            Outcome::Failed(why) => write!(f, "failed: {why}"),
            Outcome::Unsupported => f.write_str("unsupported"),
        }
    }
}
