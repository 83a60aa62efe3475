//! Errors: what was tried, what is wrong, and what to do.

pub(crate) mod commit;
mod constraint;
#[cfg(feature = "documents")]
mod document;
mod now;
mod refusal;

pub(crate) use commit::Commit;
#[cfg(feature = "documents")]
pub use document::DocumentError;
#[cfg(feature = "documents")]
pub use memdex_query::error::CriteriaError;
pub use memdex_query::error::{
    AggregateDefError, Failure, FieldError, KeyError, QueryError, ReferenceFault, SchemaError, StatisticsError,
};
pub use refusal::{Cause, Refusal};

use memdex_query::error::ItHas;
use memdex_query::value::{Key, Kind};

/// Why a collection could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// The name is empty.
    #[error("the name of the collection is empty: give it at least one character")]
    EmptyName,
    /// The schema of the type is invalid.
    #[error("collection {collection:?}: {source}")]
    #[non_exhaustive]
    Schema {
        /// The name of the collection.
        collection: String,
        /// The fault of the schema.
        source: SchemaError,
    },
    /// The type has no schema: pass one when you open the collection.
    #[error(
        "collection {collection:?}: {} has no schema: open the collection with {open_with} and pass one",
        public_path(requested)
    )]
    #[non_exhaustive]
    NeedsSchema {
        /// The name of the collection.
        collection: String,
        /// The requested type.
        requested: &'static str,
        /// The method that takes a schema.
        open_with: &'static str,
    },
    /// The name belongs to a collection of another type.
    #[error(
        "collection {collection:?} holds {}, not {}: request that type, or use another name",
        public_path(registered),
        public_path(requested)
    )]
    #[non_exhaustive]
    OtherType {
        /// The name of the collection.
        collection: String,
        /// The type of its records.
        registered: &'static str,
        /// The requested type.
        requested: &'static str,
    },
    /// The type is the same, but its schema has changed since the collection was created.
    #[error(
        "collection {collection:?} was created with schema {registered}, not {requested}: open it with the same schema, or \
         use another name"
    )]
    #[non_exhaustive]
    OtherSchema {
        /// The name of the collection.
        collection: String,
        /// The schema of the collection.
        registered: String,
        /// The requested schema.
        requested: String,
    },
    /// The collection and one to which it refers, or which refers to it, do not fit together.
    #[error("collection {collection:?} can't have reference {constraint:?} to {to:?}: {why}")]
    #[non_exhaustive]
    Reference {
        /// The collection with the reference.
        collection: String,
        /// The name of the reference.
        constraint: String,
        /// The collection to which it refers.
        to: String,
        /// What is wrong.
        why: ReferenceMismatch,
    },
    /// The collection is one of a fork. Since the fork was made, reads of the base have begun to extend the lifetimes of records, and the
    /// deadlines that they had are not known any more.
    #[error(
        "collection {collection:?}: the base has begun to extend lifetimes since the fork was made: open the collection in the fork \
         before set_default_lifetime is called on the base"
    )]
    #[non_exhaustive]
    LifetimesExtended {
        /// The name of the collection.
        collection: String,
    },
    /// The code that returns the schema panicked, or in a fork that must copy the collection, an extractor.
    #[error("collection {collection:?}: user code panicked when it was opened: {message}")]
    #[non_exhaustive]
    Panicked {
        /// The name of the collection.
        collection: String,
        /// The message of the panic.
        message: String,
    },
}

/// Why a reference does not fit the collections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceMismatch {
    /// The key has another number of parts than the reference has fields.
    #[error("it has {fields} fields, and the key has {parts} parts: name a field for each part")]
    #[non_exhaustive]
    Parts {
        /// The fields of the reference.
        fields: usize,
        /// The parts of the key.
        parts: usize,
    },
    /// A field has another kind than its part of the key.
    #[error("field {field:?} is of kind {kind}, and the part of the key is of kind {part}: use one kind")]
    #[non_exhaustive]
    Kind {
        /// The field.
        field: String,
        /// The kind of its values.
        kind: Kind,
        /// The kind of the part.
        part: Kind,
    },
    /// The reference writes fields of records whose type can't be cloned by the store.
    #[error(
        "it writes records of type {record}, which the store can't clone: implement `Record::cloner`, which the derive does for references \
         in attributes, or use restrict or cascade"
    )]
    #[non_exhaustive]
    NoCloner {
        /// The type of the records.
        record: &'static str,
    },
    /// Records to which others refer may vanish by themselves: the collection has lifetimes and the reference restricts deletions, or it
    /// has a bound.
    #[error("{what} may remove records to which others refer: use cascade or set_null for lifetimes, and no bound")]
    #[non_exhaustive]
    Vanishes {
        /// What may remove them.
        what: &'static str,
    },
}

/// Why an index could not be added or dropped. The collection is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The definition of the index is invalid.
    #[error("collection {collection:?}: {source}")]
    #[non_exhaustive]
    Schema {
        /// The collection.
        collection: String,
        /// The fault of the definition.
        source: SchemaError,
    },
    /// The collection has no index of this name.
    #[error("collection {collection:?} has no index {index:?}; {}", ItHas { name: index, known })]
    #[non_exhaustive]
    Unknown {
        /// The collection.
        collection: String,
        /// The name of the index.
        index: String,
        /// The indexes that exist.
        known: Vec<String>,
    },
    /// Two records have the same values in an index that should be unique.
    #[error("collection {collection:?} can't have unique index {index:?}: {key:?} and {other:?} have the same value")]
    #[non_exhaustive]
    NotUnique {
        /// The collection.
        collection: String,
        /// The index.
        index: String,
        /// The key of one record.
        key: Key,
        /// The key of the other record.
        other: Key,
    },
    /// A record can't be indexed.
    #[error("collection {collection:?} can't have index {index:?}: {key:?}: {cause}")]
    #[non_exhaustive]
    Record {
        /// The collection.
        collection: String,
        /// The index.
        index: String,
        /// The record's key.
        key: Key,
        /// The cause.
        cause: Box<Cause>,
    },
    /// The collection or the store refuses writes.
    #[error("index {index:?} of collection {collection:?}: {cause}")]
    #[non_exhaustive]
    Refused {
        /// The collection.
        collection: String,
        /// The index.
        index: String,
        /// The cause.
        cause: Box<Cause>,
    },
}

/// Why a materialized aggregate could not be added or dropped. The collection is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// Its definition is refused.
    #[error("collection {collection:?}: {source}")]
    #[non_exhaustive]
    Schema {
        /// The collection.
        collection: String,
        /// The error of the definition.
        source: SchemaError,
    },
    /// The collection has no aggregate of this name.
    #[error(
        "collection {collection:?} has no materialized aggregate {aggregate:?}; {}",
        ItHas { name: aggregate, known }
    )]
    #[non_exhaustive]
    Unknown {
        /// The collection.
        collection: String,
        /// The name.
        aggregate: String,
        /// The aggregates that exist.
        known: Vec<String>,
    },
    /// A record can't be aggregated: a value is too long, of another kind than its field, or an extractor panics.
    #[error("collection {collection:?} can't have the materialized aggregate {aggregate:?}: {key:?}: {cause}")]
    #[non_exhaustive]
    Record {
        /// The collection.
        collection: String,
        /// The aggregate.
        aggregate: String,
        /// The record's key.
        key: Key,
        /// The cause.
        cause: Box<Cause>,
    },
    /// The collection or the store refuses writes.
    #[error("materialized aggregate {aggregate:?} of collection {collection:?}: {cause}")]
    #[non_exhaustive]
    Refused {
        /// The collection.
        collection: String,
        /// The aggregate.
        aggregate: String,
        /// The cause.
        cause: Box<Cause>,
    },
}

/// The name of a type, with the public paths of memdex's own types in place of the private ones.
fn public_path(name: &str) -> String {
    name.replace("memdex::record::document::", "memdex::").replace("memdex::record::key_value::", "memdex::")
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Refusal::of_batch(error)
    }
}
