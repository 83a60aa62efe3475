//! What is a record, and does it meet a predicate? Schemas, indexes to be, and the values of fields in memdex's own terms.

mod condition;
mod index_def;
mod nested;
#[expect(clippy::module_inception)]
mod record;
mod schema;

pub use index_def::{FieldNames, IndexDef, IndexKind};
pub use nested::Nested;
pub use record::Record;
pub use schema::{FieldAt, FieldDef, Schema};

pub(crate) use condition::{Condition, Test};
