//! JSON as plain values.

use super::ValueRef;
use serde_json::Value as Json;

/// A plain value as what it is: integers and floats are told apart as the text tells them.
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

/// What it is, in words.
pub fn sort_of_json(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
