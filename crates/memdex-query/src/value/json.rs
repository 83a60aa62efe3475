//! Converts plain JSON values.

use super::{Value, ValueRef, base64};
use serde_json::Value as Json;

/// A plain JSON value; `None` for arrays and objects. Numbers are integers or floats as written.
pub fn plain_json(json: &Json) -> Option<ValueRef<'_>> {
    Some(match json {
        Json::Null => ValueRef::Null,
        Json::Bool(b) => ValueRef::Bool(*b),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => ValueRef::Int(n),
            (None, Some(n)) => ValueRef::Int128(n.into()),
            _ => ValueRef::Float(number.as_f64()?),
        },
        Json::String(text) => ValueRef::Str(text),
        Json::Array(_) | Json::Object(_) => return None,
    })
}

/// A value as JSON, from which a field of its kind reads it back; `None` if JSON has no such value. Kinds that JSON does not have
/// become the text that [`Value::from_text`] reads.
pub fn json_of(value: ValueRef<'_>) -> Option<Json> {
    Some(match value {
        ValueRef::Null => Json::Null,
        ValueRef::Bool(value) => value.into(),
        ValueRef::Int(value) => value.into(),
        ValueRef::Int128(_) | ValueRef::UInt128(_) => u64::try_from(value.as_i128()?).ok()?.into(),
        ValueRef::Float(value) => Json::Number(serde_json::Number::from_f64(value)?),
        ValueRef::Str(text) => text.into(),
        ValueRef::Collated(collated) => collated.text().into(),
        ValueRef::Bytes(bytes) => base64::write(bytes).into(),
        ValueRef::Char(_) | ValueRef::Uuid(_) | ValueRef::Timestamp(_) | ValueRef::Date(_) | ValueRef::Decimal(_) => {
            let text = value.to_string();
            // Times and dates outside of the years 0 to 9999 have no text of RFC 3339.
            let read = Value::from_text(value.kind()?, &text)?;
            (read.as_ref() == value).then_some(text)?.into()
        }
    })
}

/// The sort of JSON value, for messages.
pub fn json_type_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
