//! Which values can be compared, and how do they make a key? Values of fields, the Rust types that show them, keys.

mod any_key;
mod bits;
pub mod civil;
mod decimal;
mod entity_key;
mod field_value;
#[cfg(feature = "json")]
mod json;
mod key;
mod key_encoding;
mod nest;
mod operand;
mod other_types;
mod scalar;
#[cfg(feature = "serde")]
mod serialize;
mod text;
mod timestamp;

pub use any_key::AnyKey;
pub use decimal::{DecimalError, DecimalValue};
pub use entity_key::{EntityKey, EntityKeyError};
pub use field_value::{Element, FieldValue, Many, Multi, Text};
pub use key::{IntoKey, Key, KeySink};
pub use nest::{Each, Maybe, Nest, Nullable};
pub use operand::Operand;
pub use scalar::{Kind, Value, ValueRef};
pub use timestamp::Timestamp;

pub use bits::{bits_of_int, float_of, int_of, narrow_bits, saturated_bits, value_of_bits, zero_bits};
#[cfg(feature = "json")]
pub use json::{plain_json, sort_of_json};
pub use key_encoding::{decode_parts, encode, encode_parts};
