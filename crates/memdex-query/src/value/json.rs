//! Converts plain JSON values.

use super::ValueRef;
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
