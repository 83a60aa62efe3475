//! What is a record? Its schema, its key, and the values of its fields, in memdex's own terms.

mod field_value;
mod key;
mod key_buffer;
mod key_encoding;
mod operand;
mod schema;
mod value;

pub use field_value::FieldValue;
pub use key::{IntoKey, Key, KeySink};
pub use key_buffer::KeyBuffer;
pub use operand::Operand;
pub use schema::{Access, FieldDef, Record, Schema};
pub use value::{Kind, Value, ValueRef};

pub(crate) use key_buffer::Lookup;
