//! Keys and schemas that are refused.

use super::suggest::ItHas;
use super::{AggregateDefError, QueryError};
use crate::value::Kind;
use std::error::Error;
use std::fmt;

/// A key that no record can have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Every part is an empty string, or there is no part.
    Empty,
    /// A part is a missing value.
    MissingPart,
    /// The key is longer than [`limits::MAX_KEY_BYTES`](crate::limits::MAX_KEY_BYTES).
    TooLong {
        /// Its length in bytes, encoded.
        bytes: usize,
        /// The longest that is allowed.
        limit: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Empty => f.write_str("the key is empty: give it at least one byte"),
            KeyError::MissingPart => f.write_str("a part of the key is missing: key fields can't be null"),
            KeyError::TooLong { bytes, limit } => {
                write!(f, "the key takes {bytes} bytes, the limit is {limit}: shorten it, or use a hash of it as key")
            }
        }
    }
}

impl Error for KeyError {}

/// A schema that no collection can have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaError {
    /// No field is part of the key.
    NoKey,
    /// A key field is optional.
    OptionalKey {
        /// The field.
        field: String,
    },
    /// A key field holds many values.
    ListKey {
        /// The field.
        field: String,
    },
    /// Two fields have the same name.
    DuplicateField {
        /// The name.
        field: String,
    },
    /// A field has no name.
    UnnamedField {
        /// Its position in the schema, from 0.
        position: usize,
    },
    /// More fields than [`limits::MAX_FIELDS`](crate::limits::MAX_FIELDS).
    TooManyFields {
        /// The number of fields.
        fields: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A column, or an index that takes single values only, on a field of many values.
    ManyValues {
        /// The part of the schema that takes single values only.
        what: &'static str,
        /// The field.
        field: String,
    },
    /// Two indexes have the same name.
    DuplicateIndex {
        /// The name.
        index: String,
    },
    /// An index without a name or without fields.
    EmptyIndex {
        /// Its name.
        index: String,
    },
    /// An index names a field that does not exist.
    UnknownField {
        /// The index.
        index: String,
        /// The name of the field.
        field: String,
        /// The fields that exist.
        known: Vec<String>,
    },
    /// An index names a field twice.
    RepeatedField {
        /// The index.
        index: String,
        /// The field.
        field: String,
    },
    /// JSON documents can't hold values of this kind.
    NotInDocuments {
        /// The field.
        field: String,
        /// The kind.
        kind: Kind,
    },
    /// More indexes than [`limits::MAX_INDEXES`](crate::limits::MAX_INDEXES).
    TooManyIndexes {
        /// The most that is allowed.
        limit: usize,
    },
    /// The condition of a partial index does not fit the schema.
    Condition {
        /// The index.
        index: String,
        /// The error of the condition.
        source: Box<QueryError>,
    },
    /// A materialized aggregate can't be maintained.
    Aggregate {
        /// Its name.
        aggregate: String,
        /// The error of its definition.
        source: AggregateDefError,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaError::NoKey => f.write_str("no field is the key: mark at least one as key"),
            SchemaError::OptionalKey { field } => {
                write!(f, "key field {field:?} is optional: a key has no missing parts, so make it required")
            }
            SchemaError::ListKey { field } => {
                write!(f, "key field {field:?} holds many values: a list can't be a key")
            }
            SchemaError::DuplicateField { field } => write!(f, "two fields are called {field:?}: rename one"),
            SchemaError::UnnamedField { position } => {
                write!(f, "the field at position {position} has an empty name: give it one")
            }
            SchemaError::TooManyFields { fields, limit } => {
                write!(f, "the schema has {fields} fields, the limit is {limit}: declare only those that you query")
            }
            SchemaError::ManyValues { what, field } => write!(
                f,
                "field {field:?} has many values, but {what} takes single ones: only an equality index of this field and \
                 no other takes many"
            ),
            SchemaError::DuplicateIndex { index } => {
                write!(f, "two indexes are called {index:?}: choose another name for one")
            }
            SchemaError::EmptyIndex { index } => write!(f, "index {index:?} has no name or no fields: give it both"),
            SchemaError::UnknownField { index, field, known } => {
                write!(f, "index {index:?}: the schema has no field {field:?}; {}", ItHas { name: field, known })
            }
            SchemaError::RepeatedField { index, field } => {
                write!(f, "index {index:?} names field {field:?} twice: name it once")
            }
            SchemaError::NotInDocuments { field, kind } => write!(
                f,
                "field {field:?} is of kind {kind}, which JSON does not have: declare it as a string or a number"
            ),
            SchemaError::TooManyIndexes { limit } => {
                write!(f, "more than {limit} indexes, which is the limit: drop one first")
            }
            SchemaError::Condition { index, source } => write!(f, "the condition of index {index:?}: {source}"),
            SchemaError::Aggregate { aggregate, source } => {
                write!(f, "materialized aggregate {aggregate:?}: {source}")
            }
        }
    }
}

impl Error for SchemaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SchemaError::Condition { source, .. } => Some(&**source),
            SchemaError::Aggregate { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A value of a record that its field can't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field.
    pub field: String,
    /// The kind that the schema declares.
    pub expected: String,
    /// The value in the record.
    pub found: String,
}
