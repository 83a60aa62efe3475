//! What can be asked? Questions as plain data, and the typed fields that make them.

mod field;
mod filter;
mod predicate;

pub use field::{Field, NamedField, field};
pub use filter::Filter;
pub use predicate::{FieldName, Predicate};
