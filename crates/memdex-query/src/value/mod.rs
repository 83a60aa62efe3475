//! Values of fields, the Rust types that they come from, and keys.

#[cfg(feature = "accents")]
mod accents;
mod access;
mod any_key;
mod any_number;
mod base64;
mod bits;
pub mod civil;
mod collation;
mod decimal;
mod entity_key;
mod field_value;
mod fold;
mod from_text;
mod from_value;
mod heap_size;
#[cfg(feature = "json")]
mod json;
mod key;
mod key_encoding;
mod nest;
mod number;
mod operand;
mod other_types;
mod scalar;
#[cfg(feature = "serde")]
mod serialize;
mod set;
mod sum;
mod text;
mod timestamp;

pub use any_key::AnyKey;
pub use any_number::AnyNumber;
pub use collation::{Collated, Collation};
pub use decimal::{DecimalError, DecimalValue};
pub use entity_key::{EntityKey, EntityKeyError};
pub use field_value::{Element, FieldValue, Many, Multi, Nullable, Number, Single, Text};
pub(crate) use fold::fold_case;
pub use from_value::{FromKey, FromValue};
pub use heap_size::HeapSize;
#[doc(hidden)]
pub use heap_size::probe;
pub use key::{IntoKey, Key, KeyPart, KeySink};
#[doc(hidden)]
pub use nest::NoAttribute;
pub use nest::{Each, Maybe, Nest};
pub use number::{Fitted, compare_numbers};
pub use operand::Operand;
pub use scalar::{Kind, Value, ValueRef};
#[doc(hidden)]
pub use set::set_probe;
pub use sum::checked_sum;
pub use timestamp::{Timestamp, TimestampError};

pub use bits::{bits_of_int, float_of, int_of, narrow_bits, saturated_bits, value_of_bits, zero_bits};
#[cfg(feature = "json")]
pub use json::{json_of, json_type_name, plain_json};
#[doc(hidden)]
pub use key::sealed;
pub use key_encoding::{decode_parts, encode, encode_parts};
