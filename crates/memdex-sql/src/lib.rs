//! Translates a memdex [`Query`](memdex_query::query::Query) or [`Schema`](memdex_query::schema::Schema) to SQL: see
//! [`QueryToSql`] and [`SchemaToSql`].
//!
#![doc = include_str!("../../../docs/guide/sql.md")]
#![forbid(unsafe_code)]

mod bucket;
mod dialect;
mod error;
mod fold;
mod name;
mod predicate;
mod records;
mod statement;
mod statistics;
mod table;
mod text;
mod value;

#[cfg(test)]
mod tests;

pub use dialect::{Dialect, SqlTarget};
pub use error::SqlError;
pub use statement::{QueryToSql, Sql};
pub use table::SchemaToSql;
pub use value::SqlValue;
