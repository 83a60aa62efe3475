//! How is a question said in SQL? [`Query::to_sql`](crate::QueryToSql::to_sql) and [`Schema::to_sql`](crate::SchemaToSql::to_sql), for those
//! who keep the same records in a data base, and for tests that ask both.
//!
//! A collection is a table, a field a column of its name. What a value is there:
//!
//! | kind | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | bool | INTEGER, 0 or 1 | boolean |
//! | integer | INTEGER | bigint; numeric where 64 bits with a sign may not do |
//! | float | REAL; there is no NaN | double precision |
//! | char, string | TEXT | text, in the order of its bytes |
//! | bytes | BLOB | bytea |
//! | uuid | BLOB of 16 bytes | uuid |
//! | timestamp | INTEGER, nanoseconds since 1970 | timestamptz, to the microsecond |
//! | date | INTEGER, days since 1970 | date |
//! | decimal | TEXT, without zeros at the end of its fraction: equal or not, but not in order | numeric |
//!
//! The statements mean exactly what the engine means, or they are refused with an error that says why. SQL's third truth value
//! never shows: every part that `!` stands before is asked whether it `IS NOT TRUE`.

#![forbid(unsafe_code)]

mod bucket;
mod dialect;
mod error;
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
