//! Why a field of a record can't be changed by a command that names it.

use crate::value::{Kind, Value};
use std::fmt;

/// Why a command that names a field, such as `increment`, can't change it. The record is unchanged.
///
/// The message continues the name of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// It holds no numbers, so it has no sum.
    NoNumber {
        /// The kind of its values.
        kind: Kind,
    },
    /// It has many values.
    ManyValues,
    /// It has a single value.
    SingleValue,
    /// It is a part of the key.
    PartOfKey,
    /// The value is of another kind, or is a number that this kind can't represent.
    WrongKind {
        /// The kind of the field's values.
        expected: Kind,
        /// The value.
        given: Value,
    },
    /// The number is infinite or NaN.
    NotFinite {
        /// The number.
        given: Value,
    },
    /// The bound is zero.
    NoBound,
    /// The sum is out of range.
    Overflow {
        /// The value in the record.
        value: Value,
        /// The summand.
        by: Value,
        /// The type of the field.
        expected: &'static str,
    },
    /// The type of the field can't represent the value.
    DoesNotFit {
        /// The value.
        given: Value,
        /// The type of the field.
        expected: &'static str,
    },
    /// The record has no setter for the field.
    NoSetter,
    /// The field lies in a nested struct that the record lacks.
    NoStruct,
    /// The field has many values, but not in a list that has an oldest one.
    NoList,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::NoNumber { kind } => {
                write!(f, "is of kind {kind}, and increment needs integers, floats or decimals: use update")
            }
            FieldError::ManyValues => f.write_str("has many values: use append_bounded or update"),
            FieldError::SingleValue => {
                f.write_str("has a single value, and append_bounded needs a list: use increment, max, min or update")
            }
            FieldError::PartOfKey => f.write_str("is a part of the key: use rekey to change it"),
            FieldError::WrongKind { expected, given } => {
                write!(f, "is of kind {expected}, which can't represent {given:?}: use a value of kind {expected}")
            }
            FieldError::NotFinite { given } => write!(f, "can't be changed by {given:?}: use a finite number"),
            FieldError::NoBound => f.write_str("can't be bounded to zero values: use a bound of at least 1"),
            FieldError::Overflow { value, by, expected } => {
                write!(f, "is {value:?}, and {by:?} more does not fit {expected}: add less, or use a wider type")
            }
            FieldError::DoesNotFit { given, expected } => {
                write!(f, "is a {expected}, which can't be {given:?}: use a value that fits")
            }
            FieldError::NoSetter => f.write_str(
                "has no setter: derive Record for a field that can be built from a value, implement Record::set_value, or use update",
            ),
            FieldError::NoStruct => f.write_str("lies in a nested struct that this record lacks: use update to create it"),
            FieldError::NoList => {
                f.write_str("is no list of plain values, so it has no oldest value to drop: use a Vec, or update")
            }
        }
    }
}

impl std::error::Error for FieldError {}
