//! What is a record, and does it meet a predicate? Schemas, indexes to be, and the values of fields in memdex's own terms.

mod aggregate_def;
mod any_record;
mod bind;
pub(crate) mod bound;
mod bucketer;
mod condition;
#[cfg(feature = "documents")]
mod document;
mod index_def;
#[cfg(feature = "documents")]
mod json;
mod key_value;
mod loose;
mod nested;
mod normal_form;
mod path;
mod pattern;
#[expect(clippy::module_inception)]
mod record;
mod schema;
mod test;
mod values;

pub use aggregate_def::AggregateDef;
#[cfg(feature = "documents")]
pub use document::Document;
pub use index_def::{FieldNames, IndexDef, IndexKind};
pub use key_value::KeyValue;
pub use nested::Nested;
pub use record::Record;
pub use schema::{FieldAt, FieldDef, Schema};

pub(crate) use aggregate_def::BoundAggregate;
pub(crate) use any_record::AnyRecord;
pub(crate) use bind::fit;
pub(crate) use bound::{Bound, Figure, Level};
pub(crate) use bucketer::{Bucketer, range_name};
pub(crate) use condition::Condition;
pub(crate) use key_value::schema as key_value_schema;
pub(crate) use loose::order_of_all;
pub(crate) use test::Test;
pub(crate) use values::Values;
