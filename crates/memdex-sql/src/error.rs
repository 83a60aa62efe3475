//! Why a question can't be said in SQL.

use super::Dialect;
use memdex_query::error::{QueryError, SchemaError};
use memdex_query::value::Value;

/// Why a question, or a schema, can't be said in SQL so that it means the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The dialect has no words for it that would mean the same.
    #[error("{dialect} has no words for {feature}{}: {instead}", of(field.as_deref()))]
    Unsupported {
        /// Whose SQL was asked for.
        dialect: Dialect,
        /// What can't be said.
        feature: String,
        /// The field that it is about, if it is about one.
        field: Option<String>,
        /// What to do.
        instead: &'static str,
    },
    /// A value that the dialect has no place for.
    #[error("{dialect} can't take {value:?} for field {field:?}: {why}; {instead}")]
    Value {
        /// Whose SQL was asked for.
        dialect: Dialect,
        /// The field.
        field: String,
        /// The value.
        value: Value,
        /// What is wrong with it.
        why: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// A comparison with a missing value, which nothing is equal to.
    #[error("field {field:?} is compared with null, to which {dialect} has no answer either: ask with is_null")]
    NullOperand {
        /// Whose SQL was asked for.
        dialect: Dialect,
        /// The field.
        field: String,
    },
    /// What can only be said if the key and the kinds of the fields are known.
    #[error("{dialect} can be asked for {feature}{} only if the schema is known: {why}; give to_sql(dialect.with(&schema))", of(field.as_deref()))]
    NeedsSchema {
        /// Whose SQL was asked for.
        dialect: Dialect,
        /// What was asked for.
        feature: String,
        /// The field that it is about, if it is about one.
        field: Option<String>,
        /// What for.
        why: &'static str,
    },
    /// A name that no table, column or index can have.
    #[error("{dialect} can't take the name {name:?}: it {why}; {instead}")]
    Name {
        /// Whose SQL was asked for.
        dialect: Dialect,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// More parameters than a statement may have.
    #[error("the statement has {given} parameters, {dialect} takes {limit}: ask for fewer values at a time")]
    TooManyParams {
        /// Whose SQL was asked for.
        dialect: Dialect,
        /// How many there are.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The question is none, in any language.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The schema is none.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

fn of(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!(" of field {field:?}"))
}
