//! The plain data of [memdex](https://docs.rs/memdex): values, keys, schemas, predicates, queries, statistics, and
//! their errors.
//!
//! This crate has no locks and no threads, and does not depend on the engine. `memdex` re-exports what its users need;
//! depend on this crate directly to write an adapter that translates queries, or an engine that answers them.
//!
//! * [`value`]: values of fields, the Rust types that they come from, keys.
//! * [`query`]: filters, orders, pages and statistics as data.
//! * [`schema`]: fields and indexes of a collection, and predicates and statistics bound to them.
//! * [`aggregate`]: exact arithmetic over many values.

#![forbid(unsafe_code)]

// First, for its macro.
#[macro_use]
pub mod error;

pub mod aggregate;
pub mod limits;
pub mod query;
pub mod schema;
pub mod value;
