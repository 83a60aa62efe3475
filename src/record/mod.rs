//! What is a record? Rust types, JSON documents and plain values, and the values of their fields in memdex's own terms.

#[cfg(feature = "documents")]
mod declared;
#[cfg(feature = "documents")]
mod document;
mod field_values;
mod fields;
#[cfg(feature = "documents")]
mod json;
mod key_buffer;
mod key_value;
mod matches;
mod nested;
#[expect(clippy::module_inception)]
mod record;

#[cfg(feature = "documents")]
pub use document::Document;
pub use field_values::FieldValues;
pub use key_buffer::KeyBuffer;
pub use key_value::KeyValue;
pub use matches::Matches;
pub(crate) use memdex_query::schema::{AggregateDef, FieldAt, FieldDef, IndexDef, IndexKind, Schema};
pub use nested::Nested;
pub use record::Record;

pub(crate) use fields::Fields;
pub(crate) use key_buffer::Lookup;
pub(crate) use key_value::schema as key_value_schema;
pub(crate) use memdex_query::schema::{
    Bound, BoundAggregate, Bucketer, Condition, FieldSource, Function, Level, Test, Values, bound, by_number,
    number_order, order_of_all,
};
pub(crate) use record::Access;
