//! The place of a field in a record without a Rust type: a name, not a position.

use super::FieldDef;
use crate::value::{Kind, ValueRef};

/// The path to a field, parsed once: when a collection is opened, or a query is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The whole name.
    pub name: Box<str>,
    /// The parts of the name, between the dots.
    pub steps: Box<[Box<str>]>,
    /// The kind that its values are converted to; `None` for an undeclared path, whose values keep their kinds.
    pub kind: Option<Kind>,
    /// Whether it holds any number of values.
    pub many: bool,
    /// Its position in the key, from 0.
    pub key_part: Option<usize>,
}

impl Path {
    /// The path to a declared field.
    pub fn new(field: &FieldDef, key_part: Option<usize>) -> Self {
        Path { kind: Some(field.kind()), many: field.is_many(), key_part, ..Path::undeclared(field.name()) }
    }

    /// An undeclared path.
    pub fn undeclared(name: &str) -> Self {
        let steps = name.split('.').map(Box::from).collect();
        Path { name: name.into(), steps, kind: None, many: true, key_part: None }
    }

    /// The value converted to the field's kind; `None` if it can't be.
    pub fn shown<'a>(&self, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self.kind {
            Some(kind) => as_kind(value, kind),
            None => Some(value),
        }
    }
}

/// Converts a value to a kind: any integer to a float, and a string of one character to a `char`.
fn as_kind(value: ValueRef<'_>, kind: Kind) -> Option<ValueRef<'_>> {
    match (value, kind) {
        (ValueRef::Int(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::Int128(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::UInt128(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::Str(text), Kind::Char) => {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none()).map(ValueRef::Char)
        }
        (value, kind) => (value.kind() == Some(kind)).then_some(value),
    }
}
