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
        without_fields {
            /// There is no part: the record's `key` has pushed none. An empty string is a part.
            Empty => ("the key has no parts: push at least one in `Record::key`"),
            /// A part is a missing value.
            MissingPart => ("a part of the key is missing: key fields can't be null"),
        }
        /// The key is longer than [`limits::MAX_KEY_BYTES`](crate::limits::MAX_KEY_BYTES).
        TooLong [] {
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
        without_fields {
            /// No field is part of the key.
            NoKey => ("no field is the key: mark at least one as key"),
        }
        /// A key field is optional.
        OptionalKey [field] {} => ("key field {field:?} is optional: a key has no missing parts, so make it required"),
        /// A key field holds many values.
        ListKey [field] {} => ("key field {field:?} holds many values: a list can't be a key"),
        /// A collation on a field of the key, or of a kind other than strings.
        Collation [field] {
            /// The kind of the field.
            kind: Kind,
            /// Whether the field is part of the key.
            key: bool,
        } => (
            "field {field:?} can't have a collation: it {}", if *key {
                "is part of the key, which is compared by bytes; add a unique field with the collation".to_owned()
            } else {
                format!("is of kind {kind}, and a collation compares strings")
            }
        ),
        /// Two fields have the same name.
        DuplicateField [field] {} => ("two fields are called {field:?}: rename one"),
        /// A field has no name.
        UnnamedField [] {
            /// Its position in the schema, from 0.
            position: usize,
        } => ("the field at position {position} has an empty name: give it one"),
        /// More fields than [`limits::MAX_FIELDS`](crate::limits::MAX_FIELDS).
        TooManyFields [] {
            /// The number of fields.
            fields: usize,
            /// The most that is allowed.
            limit: usize,
        } => ("the schema has {fields} fields, the limit is {limit}: declare only those that you query"),
        /// A column, or an index that takes single values only, on a field of many values or an undeclared path of
        /// documents, which can have many.
        ManyValues [field] {
            /// The part of the schema that takes single values only.
            what: &'static str,
        } => (
            "field {field:?} can have many values, but {what} takes single ones: an equality or an ordered index of \
             this field and no other takes many; declare a path that has one value as such a field"
        ),
        /// Two indexes have the same name.
        DuplicateIndex [index] {} => ("two indexes are called {index:?}: choose another name for one"),
        /// An index without a name or without fields.
        EmptyIndex [index] {} => ("index {index:?} has no name or no fields: give it both"),
        /// An index names a field that does not exist.
        UnknownField [index, field] {
            /// The fields that exist.
            known: Vec<String>,
        } => ("index {index:?}: the schema has no field {field:?}; {}", ItHas { name: field, known }),
        /// An index names a field twice.
        RepeatedField [index, field] {} => ("index {index:?} names field {field:?} twice: name it once"),
        /// More indexes than [`limits::MAX_INDEXES`](crate::limits::MAX_INDEXES).
        TooManyIndexes [] {
            /// The most that is allowed.
            limit: usize,
        } => ("more than {limit} indexes, which is the limit: drop one first"),
        /// The condition of a partial index does not fit the schema.
        Condition [index] {
            /// The error of the condition.
            source: Box<QueryError>,
        } => ("the condition of index {index:?}: {source}"),
        /// A reference that can't be kept.
        Reference [reference] {
            /// What is wrong.
            fault: ReferenceFault,
        } => ("reference {reference}: {fault}"),
        /// The condition of a check does not fit the schema.
        Check [check] {
            /// The error of the condition.
            source: Box<QueryError>,
        } => ("check {check:?}: {source}"),
        /// Two constraints have the same name.
        DuplicateConstraint [constraint] {} => ("two constraints are called {constraint:?}: choose another name for one"),
        /// More references or checks than the limit.
        TooManyConstraints [] {
            /// References or checks.
            what: &'static str,
            /// The most that is allowed.
            limit: usize,
        } => ("the schema has more than {limit} {what}, which is the limit: leave some out"),
        /// A materialized aggregate can't be maintained.
        Aggregate [aggregate] {
            /// The error of its definition.
            source: AggregateDefError,
        } pub fn aggregate => ("materialized aggregate {aggregate:?}: {source}"),
    }
}

impl Error for SchemaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SchemaError::Condition { source, .. } | SchemaError::Check { source, .. } => Some(&**source),
            SchemaError::Aggregate { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What is wrong with a [`Reference`](crate::schema::Reference).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferenceFault {
    /// It has no fields, or names no collection.
    Empty,
    /// A field that does not exist, among the ones that do.
    UnknownField {
        /// The name.
        field: String,
        /// The fields that exist.
        known: Vec<String>,
    },
    /// A field is named twice.
    RepeatedField(String),
    /// A field with a collation, by which other texts than the key are equal to it.
    Collation(String),
    /// One of several fields has many values.
    OneOfMany(String),
    /// `set null` or a cascading change of the key would write a field of many values.
    WritesMany(String),
    /// `set null` or a cascading change of the key would write a part of the record's own key.
    WritesKey(String),
    /// `set null` on a field that can't be missing.
    NeverNull(String),
}

impl std::fmt::Display for ReferenceFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReferenceFault::Empty => f.write_str("it needs at least one field, and the name of a collection"),
            ReferenceFault::UnknownField { field, known } => {
                write!(f, "the schema has no field {field:?}; {}", ItHas { name: field, known })
            }
            ReferenceFault::RepeatedField(field) => write!(f, "it names field {field:?} twice: name it once"),
            ReferenceFault::Collation(field) => {
                write!(f, "field {field:?} has a collation, but keys are compared by bytes: leave the collation out")
            }
            ReferenceFault::OneOfMany(field) => {
                write!(f, "field {field:?} can have many values, so it must be the only field of the reference")
            }
            ReferenceFault::WritesMany(field) => {
                write!(
                    f,
                    "field {field:?} can have many values, which are not written: use restrict, or cascade on delete"
                )
            }
            ReferenceFault::WritesKey(field) => {
                write!(
                    f,
                    "field {field:?} is part of the key, which is not written: use restrict, or cascade on delete"
                )
            }
            ReferenceFault::NeverNull(field) => {
                write!(f, "field {field:?} can't be missing, so it can't be set to null: make it optional")
            }
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
