//! Errors of the translation to SQL.

use super::Dialect;
use memdex_query::error::{QueryError, SchemaError};
use memdex_query::value::Value;
use std::error::Error;
use std::fmt;

/// Why a query or a schema cannot be translated to SQL with the same meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlError {
    /// The dialect has no equivalent SQL.
    #[non_exhaustive]
    Unsupported {
        /// The requested dialect.
        dialect: Dialect,
        /// The part of the query that has no equivalent.
        feature: String,
        /// The field that the feature uses, if it uses one.
        field: Option<String>,
        /// The advice.
        help: &'static str,
    },
    /// The dialect cannot represent a value.
    #[non_exhaustive]
    Value {
        /// The requested dialect.
        dialect: Dialect,
        /// The field that the value belongs to.
        field: String,
        /// The value.
        value: Value,
        /// The problem.
        why: &'static str,
        /// The advice.
        help: &'static str,
    },
    /// A condition compares a field with null.
    #[non_exhaustive]
    NullOperand {
        /// The requested dialect.
        dialect: Dialect,
        /// The field.
        field: String,
    },
    /// The translation depends on the key or on the kinds of the fields, and the target has no schema.
    #[non_exhaustive]
    NeedsSchema {
        /// The requested dialect.
        dialect: Dialect,
        /// The part of the query that needs the schema.
        feature: String,
        /// The field that the feature uses, if it uses one.
        field: Option<String>,
        /// The reason.
        why: &'static str,
    },
    /// The dialect does not accept a name of a table, column or index.
    #[non_exhaustive]
    Name {
        /// The requested dialect.
        dialect: Dialect,
        /// The name.
        name: String,
        /// The problem.
        why: &'static str,
        /// The advice.
        help: &'static str,
    },
    /// The statement has more parameters than the dialect allows.
    #[non_exhaustive]
    TooManyParams {
        /// The requested dialect.
        dialect: Dialect,
        /// The number of parameters of the statement.
        given: usize,
        /// The largest number of parameters that the dialect allows.
        limit: usize,
    },
    /// The query is not valid; the engine returns the same error.
    Query(QueryError),
    /// The schema is not valid; the engine returns the same error.
    Schema(SchemaError),
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlError::Unsupported { dialect, feature, field, help } => {
                let field = in_parentheses(field.as_deref());
                write!(f, "can't translate {feature}{field} to {dialect}: no equivalent SQL exists; {help}")
            }
            SqlError::Value { dialect, field, value, why, help } => {
                write!(f, "can't use {value:?} for field {field:?} in {dialect}: {why}; {help}")
            }
            SqlError::NullOperand { dialect, field } => {
                write!(
                    f,
                    "can't translate a comparison of field {field:?} with null to {dialect}: it is never true; use is_null"
                )
            }
            SqlError::NeedsSchema { dialect, feature, field, why } => {
                let field = in_parentheses(field.as_deref());
                write!(
                    f,
                    "can't translate {feature}{field} to {dialect} without the schema: {why}; \
                     call to_sql(dialect.with(&schema))"
                )
            }
            SqlError::Name { dialect, name, why, help } => {
                write!(f, "can't use the name {name:?} in {dialect}: {why}; {help}")
            }
            SqlError::TooManyParams { dialect, given, limit } => {
                write!(
                    f,
                    "can't write the statement for {dialect}: it has {given} parameters, and the limit is {limit}; \
                     use fewer values in each query"
                )
            }
            SqlError::Query(error) => error.fmt(f),
            SqlError::Schema(error) => error.fmt(f),
        }
    }
}

impl Error for SqlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // These two display the inner error itself, so their source is the inner error's source.
            SqlError::Query(error) => error.source(),
            SqlError::Schema(error) => error.source(),
            _ => None,
        }
    }
}

impl From<QueryError> for SqlError {
    fn from(error: QueryError) -> Self {
        SqlError::Query(error)
    }
}

impl From<SchemaError> for SqlError {
    fn from(error: SchemaError) -> Self {
        SqlError::Schema(error)
    }
}

fn in_parentheses(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!(" (field {field:?})"))
}
