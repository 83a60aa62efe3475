//! Keys and schemas that are refused.

use super::suggest::ItHas;
use super::{AggregateDefError, QueryError};
use crate::value::Kind;
use std::error::Error;

errors! {
    /// A key that no record can have.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum KeyError {
        /// Every part is an empty string, or there is no part.
        Empty => ("the key is empty: give it at least one byte"),
        /// A part is a missing value.
        MissingPart => ("a part of the key is missing: key fields can't be null"),
        /// The key is longer than [`limits::MAX_KEY_BYTES`](crate::limits::MAX_KEY_BYTES).
        #[non_exhaustive]
        TooLong {
            /// Its length in bytes, encoded.
            bytes: usize,
            /// The longest that is allowed.
            limit: usize,
        } pub fn too_long => (
            "the key takes {bytes} bytes, the limit is {limit}: shorten it, or use a hash of it as key"
        ),
    }
}

impl Error for KeyError {}

errors! {
    /// A schema that no collection can have.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum SchemaError {
        /// No field is part of the key.
        NoKey => ("no field is the key: mark at least one as key"),
        /// A key field is optional.
        #[non_exhaustive]
        OptionalKey {
            /// The field.
            field: String,
        } => ("key field {field:?} is optional: a key has no missing parts, so make it required"),
        /// A key field holds many values.
        #[non_exhaustive]
        ListKey {
            /// The field.
            field: String,
        } => ("key field {field:?} holds many values: a list can't be a key"),
        /// Two fields have the same name.
        #[non_exhaustive]
        DuplicateField {
            /// The name.
            field: String,
        } => ("two fields are called {field:?}: rename one"),
        /// A field has no name.
        #[non_exhaustive]
        UnnamedField {
            /// Its position in the schema, from 0.
            position: usize,
        } => ("the field at position {position} has an empty name: give it one"),
        /// More fields than [`limits::MAX_FIELDS`](crate::limits::MAX_FIELDS).
        #[non_exhaustive]
        TooManyFields {
            /// The number of fields.
            fields: usize,
            /// The most that is allowed.
            limit: usize,
        } => ("the schema has {fields} fields, the limit is {limit}: declare only those that you query"),
        /// A column, or an index that takes single values only, on a field of many values.
        #[non_exhaustive]
        ManyValues {
            /// The part of the schema that takes single values only.
            what: &'static str,
            /// The field.
            field: String,
        } => (
            "field {field:?} has many values, but {what} takes single ones: only an equality index of this field and \
             no other takes many"
        ),
        /// Two indexes have the same name.
        #[non_exhaustive]
        DuplicateIndex {
            /// The name.
            index: String,
        } => ("two indexes are called {index:?}: choose another name for one"),
        /// An index without a name or without fields.
        #[non_exhaustive]
        EmptyIndex {
            /// Its name.
            index: String,
        } => ("index {index:?} has no name or no fields: give it both"),
        /// An index names a field that does not exist.
        #[non_exhaustive]
        UnknownField {
            /// The index.
            index: String,
            /// The name of the field.
            field: String,
            /// The fields that exist.
            known: Vec<String>,
        } => ("index {index:?}: the schema has no field {field:?}; {}", ItHas { name: field, known }),
        /// An index names a field twice.
        #[non_exhaustive]
        RepeatedField {
            /// The index.
            index: String,
            /// The field.
            field: String,
        } => ("index {index:?} names field {field:?} twice: name it once"),
        /// JSON documents can't hold values of this kind.
        #[non_exhaustive]
        NotInDocuments {
            /// The field.
            field: String,
            /// The kind.
            kind: Kind,
        } pub fn not_in_documents => (
            "field {field:?} is of kind {kind}, which JSON does not have: declare it as a string or a number"
        ),
        /// More indexes than [`limits::MAX_INDEXES`](crate::limits::MAX_INDEXES).
        #[non_exhaustive]
        TooManyIndexes {
            /// The most that is allowed.
            limit: usize,
        } => ("more than {limit} indexes, which is the limit: drop one first"),
        /// The condition of a partial index does not fit the schema.
        #[non_exhaustive]
        Condition {
            /// The index.
            index: String,
            /// The error of the condition.
            source: Box<QueryError>,
        } => ("the condition of index {index:?}: {source}"),
        /// A materialized aggregate can't be maintained.
        #[non_exhaustive]
        Aggregate {
            /// Its name.
            aggregate: String,
            /// The error of its definition.
            source: AggregateDefError,
        } pub fn aggregate => ("materialized aggregate {aggregate:?}: {source}"),
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
