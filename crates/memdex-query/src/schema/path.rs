//! The place of a field in a record: its position, and for records without a Rust type its path.

use crate::value::{Collation, Kind, Value, ValueRef};
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

    /// The value converted to the field's kind; `None` if it can't be. See [`as_kind`].
    pub fn coerce<'a>(&self, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self.kind {
            Some(kind) => as_kind(value, kind),
            None => Some(value),
        }
    }

    /// A copy of the value, converted to the field's kind. Unlike [`coerce`](Path::coerce) it reads bytes from text.
    pub fn copy(&self, value: ValueRef<'_>) -> Option<Value> {
        match (value, self.kind) {
            (ValueRef::Str(text), Some(Kind::Bytes)) => Value::from_text(Kind::Bytes, text),
            _ => self.coerce(value).map(ValueRef::to_value),
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
    #[inline]
    pub fn collation(&self) -> Option<Collation> {
        if let Reading::By(collation) = self.reading { Some(collation) } else { None }
    }

    /// A value of the field in a record, as the field is compared.
    #[inline]
    pub fn read<'a>(&self, value: ValueRef<'a>) -> ValueRef<'a> {
        value.collated(self.collation())
    }

    /// An undeclared path.
    pub(super) fn of_undeclared(name: &str) -> Self {
        FieldAt::new(usize::MAX, Some(Arc::new(Path::undeclared(name))), None)
    }

    /// The path to a declared field from the element that has it.
    pub(super) fn of_element(name: &str, kind: Kind, collation: Option<Collation>) -> Self {
        let path = Path { kind: Some(kind), ..Path::undeclared(name) };
        FieldAt::new(usize::MAX, Some(Arc::new(path)), collation)
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

/// Converts a value to a kind, as records without a Rust type hold it: any integer to a float or a decimal, a float to the
/// decimal that its shortest text writes, and a text to a value of a kind that is written as text, as
/// [`Value::from_text`] reads it. Not bytes, which need memory of their own: see [`Path::copy`].
pub fn as_kind(value: ValueRef<'_>, kind: Kind) -> Option<ValueRef<'_>> {
    if value.kind() == Some(kind) {
        return Some(value);
    }
    match (value, kind) {
        (ValueRef::Int(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::Int128(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::UInt128(n), Kind::Float) => Some(ValueRef::Float(n as f64)),
        (ValueRef::Float(x), Kind::Decimal) => ValueRef::from_text(kind, &x.to_string()),
        (_, Kind::Decimal) if value.kind() == Some(Kind::Int) => value.as_decimal().map(ValueRef::Decimal),
        (ValueRef::Str(text), _) => ValueRef::from_text(kind, text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::DecimalValue;

    #[test]
    fn numbers_become_the_decimals_that_they_are_written_as() {
        let decimal = |value: ValueRef<'_>| as_kind(value, Kind::Decimal).and_then(ValueRef::as_decimal);
        let written = |text: &str| text.parse::<DecimalValue>().ok();
        for (value, text) in [
            (ValueRef::from(7), "7"),
            (ValueRef::from(u64::MAX), "18446744073709551615"),
            (ValueRef::from(0.1), "0.1"),
            (ValueRef::from(-12.5), "-12.5"),
            (ValueRef::from(-0.0), "0"),
            (ValueRef::from(1e-28), "0.0000000000000000000000000001"),
            (ValueRef::from(1e21), "1000000000000000000000"),
            (ValueRef::from("12.50"), "12.5"),
        ] {
            assert_eq!(decimal(value), written(text), "{value:?}");
            assert!(decimal(value).is_some(), "{value:?}");
        }
        for none in [f64::NAN.into(), f64::INFINITY.into(), 1e300.into(), 1e-29.into(), u128::MAX.into(), true.into()] {
            assert_eq!(decimal(none), None, "{none:?}");
        }
    }
}
