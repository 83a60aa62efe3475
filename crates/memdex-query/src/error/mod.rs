//! What is wrong with a query, a schema or a key, and what can the caller do about it?

mod aggregate;
#[cfg(feature = "json")]
mod criteria;
mod query;
mod schema;
mod statistics;
mod suggest;

pub use aggregate::AggregateDefError;
#[cfg(feature = "json")]
pub use criteria::CriteriaError;
pub use query::QueryError;
pub use schema::{Conflict, KeyError, SchemaError};
pub use statistics::StatisticsError;
pub use suggest::{ItHas, nearest};
