//! What is a record, and does it meet a predicate? Schemas, indexes to be, and the values of fields in memdex's own terms.

pub(crate) mod bound;
mod condition;
mod cutter;
#[cfg(feature = "documents")]
mod document;
mod index_def;
#[cfg(feature = "documents")]
mod json;
mod key_value;
mod loose;
mod nested;
mod path;
#[expect(clippy::module_inception)]
mod record;
mod schema;
mod standing_def;

#[cfg(feature = "documents")]
pub use document::Document;
pub use index_def::{FieldNames, IndexDef, IndexKind};
pub use key_value::KeyValue;
pub use nested::Nested;
pub use record::Record;
pub use schema::{FieldAt, FieldDef, Schema};
pub use standing_def::StandingDef;

pub(crate) use bound::{Bound, Figure, Level};
pub(crate) use condition::{Condition, Test, fit};
pub(crate) use cutter::Cutter;
pub(crate) use key_value::schema as key_value_schema;
pub(crate) use standing_def::BoundStanding;
