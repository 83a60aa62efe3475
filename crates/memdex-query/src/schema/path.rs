//! Where a record without a Rust type has a field: by name, not by position; and what its value is as the declared kind.

use super::FieldDef;
use crate::value::{Kind, ValueRef};

/// Where such a record has a field. Taken apart once, when a collection is opened or a query is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub name: Box<str>,
    /// The parts of the name, between the dots.
    pub steps: Box<[Box<str>]>,
    /// As what its values are shown; as what they are where that is not declared.
    pub kind: Option<Kind>,
    pub many: bool,
    /// The how manieth part of the key it is.
    pub key_part: Option<usize>,
}

impl Path {
    pub fn new(field: &FieldDef, key_part: Option<usize>) -> Self {
        Path { kind: Some(field.kind()), many: field.is_many(), key_part, ..Path::undeclared(field.name()) }
    }

    /// The path to whatever is there.
    pub fn undeclared(name: &str) -> Self {
        let steps = name.split('.').map(Box::from).collect();
        Path { name: name.into(), steps, kind: None, many: true, key_part: None }
    }

    /// A value as this field shows it; `None` if it can't be one of the field's.
    pub fn shown<'a>(&self, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self.kind {
            Some(kind) => as_kind(value, kind),
            None => Some(value),
        }
    }
}

/// A value as one of a kind, if it can be that: any number is a float, and a string of one character is that character.
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
