//! The place of a field in a record: its position, and for records without a Rust type its path.

use crate::value::{Collated, Collation, Kind, Value, ValueRef};
use std::sync::Arc;

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
    /// An undeclared path.
    pub fn undeclared(name: &str) -> Self {
        let steps = name.split('.').map(Box::from).collect();
        Path { name: name.into(), steps, kind: None, many: true, key_part: None }
    }

    /// The value converted to the field's kind; `None` if it can't be.
    pub fn coerce<'a>(&self, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self.kind {
            Some(kind) => as_kind(value, kind),
            None => Some(value),
        }
    }
}

/// The place of a field in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldAt {
    position: usize,
    /// The path, for records without a Rust type.
    path: Option<Arc<Path>>,
    reading: Reading,
}

/// How the strings of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The field has no collation.
    Plain,
    /// To be compared by the collation of the field.
    By(Collation),
    /// As they are written, although the field has a collation. Its indexes and its column hold keys of the collation, so
    /// that only the record knows.
    AsWritten,
}

impl FieldAt {
    /// The field at a position; with its path, for records without a Rust type.
    pub(super) fn new(position: usize, path: Option<Arc<Path>>, collation: Option<Collation>) -> Self {
        FieldAt { position, path, reading: collation.map_or(Reading::Plain, Reading::By) }
    }

    /// The same field with its strings as they are written. It differs from the field if that has a collation.
    #[must_use]
    pub fn as_written(&self) -> Self {
        let reading = if self.reading == Reading::Plain { Reading::Plain } else { Reading::AsWritten };
        FieldAt { reading, ..self.clone() }
    }

    /// Whether these are the strings as written of a field with a collation: no index and no column has them.
    pub fn is_as_written(&self) -> bool {
        self.reading == Reading::AsWritten
    }

    /// The collation by which its values are compared.
    pub fn collation(&self) -> Option<Collation> {
        if let Reading::By(collation) = self.reading { Some(collation) } else { None }
    }

    /// A value of the field in a record, as the field is compared.
    #[inline]
    pub fn read<'a>(&self, value: ValueRef<'a>) -> ValueRef<'a> {
        match (self.reading, value) {
            (Reading::By(collation), ValueRef::Str(text)) => ValueRef::Collated(Collated::new(text, collation)),
            _ => value,
        }
    }

    /// An undeclared path.
    pub(super) fn of_undeclared(name: &str) -> Self {
        FieldAt::new(usize::MAX, Some(Arc::new(Path::undeclared(name))), None)
    }

    /// The position in the schema; `usize::MAX` for an undeclared path of documents.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The path, for records whose fields are read by name.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The path, if the schema does not declare it.
    pub fn undeclared(&self) -> Option<&str> {
        self.path().filter(|_| self.position == usize::MAX).map(|path| &*path.name)
    }
}

/// Converts a value to a kind: any integer to a float, and a string of one character to a `char`.
pub fn as_kind(value: ValueRef<'_>, kind: Kind) -> Option<ValueRef<'_>> {
    match (value, kind) {
        (ValueRef::Int(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::Int128(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::UInt128(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::Str(text), Kind::Char) => Value::from_text(kind, text)?.as_char().map(ValueRef::Char),
        (value, kind) => (value.kind() == Some(kind)).then_some(value),
    }
}
