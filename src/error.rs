//! What went wrong, and what the caller may do about it.

mod commit;
#[cfg(feature = "documents")]
mod document;

pub use commit::Commit;
#[cfg(feature = "documents")]
pub use document::DocumentError;
#[cfg(feature = "documents")]
pub use memdex_query::error::CriteriaError;
pub use memdex_query::error::{AggregateDefError, KeyError, QueryError, SchemaError, StatisticsError};

use crate::value::{Key, Kind, Value};
use memdex_query::error::{Conflict, ItHas};
use std::error::Error;
use std::fmt;

/// Why a collection could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// The name is empty.
    #[error("the name of the collection is empty: give it at least one character")]
    EmptyName,
    /// The type's schema is not sound.
    #[error("collection {collection:?}: {source}")]
    Schema {
        /// The name asked for.
        collection: String,
        /// What is wrong with the schema.
        source: SchemaError,
    },
    /// Records of this type have no schema of their own: it is given when their collection is opened.
    #[error("collection {collection:?}: {requested} has no schema of its own: open it with {open_with} and give one")]
    NeedsSchema {
        /// The name asked for.
        collection: String,
        /// The type asked for.
        requested: &'static str,
        /// The method that takes a schema.
        open_with: &'static str,
    },
    /// The name belongs to a collection of another type.
    #[error("collection {collection:?} holds {registered}, not {requested}: ask for that type or take another name")]
    OtherType {
        /// The name asked for.
        collection: String,
        /// The type that it holds.
        registered: &'static str,
        /// The type asked for.
        requested: &'static str,
    },
    /// The type is the same, but its schema has changed since the collection was made.
    #[error("collection {collection:?} has schema {registered}, not {requested}")]
    OtherSchema {
        /// The name asked for.
        collection: String,
        /// The schema that it has.
        registered: String,
        /// The schema asked for.
        requested: String,
    },
    /// User code panicked while it gave its schema.
    #[error("collection {collection:?}: asking for its schema panicked: {message}")]
    Panicked {
        /// The name asked for.
        collection: String,
        /// What it said.
        message: String,
    },
}

/// Why an index could not be added or dropped. The collection is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The index can't be declared so.
    #[error("collection {collection:?}: {source}")]
    Schema {
        /// The collection.
        collection: String,
        /// What is wrong with the declaration.
        source: SchemaError,
    },
    /// No index has this name.
    #[error("collection {collection:?} has no index {index:?}; {}", ItHas { name: index, known })]
    Unknown {
        /// The collection.
        collection: String,
        /// The name asked for.
        index: String,
        /// The indexes that there are.
        known: Vec<String>,
    },
    /// Two records have the same values in an index that was to be unique.
    #[error("collection {collection:?} can't have unique index {index:?}: {key:?} and {other:?} have the same value")]
    NotUnique {
        /// The collection.
        collection: String,
        /// The index.
        index: String,
        /// The key of the one.
        key: Key,
        /// The key of the other.
        other: Key,
    },
    /// A record can't be in the index.
    #[error("collection {collection:?} can't have index {index:?}: {key:?}: {cause}")]
    Record {
        /// The collection.
        collection: String,
        /// The index.
        index: String,
        /// The record's key.
        key: Key,
        /// Why.
        cause: Box<Cause>,
    },
    /// Writes are refused here, or altogether.
    #[error("index {index:?} of collection {collection:?}: {cause}")]
    Refused {
        /// The collection.
        collection: String,
        /// The index.
        index: String,
        /// Why.
        cause: Box<Cause>,
    },
}

/// Why a materialized aggregate could not be added or dropped. The collection is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// Its definition is refused.
    #[error("collection {collection:?}: {source}")]
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
    Refused {
        /// The collection.
        collection: String,
        /// The aggregate.
        aggregate: String,
        /// The cause.
        cause: Box<Cause>,
    },
}

/// Why an operation, and with it its batch, was refused. The batch has touched nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// An insert found a record with its key.
    #[error("a record with this key exists: use store to replace it, or upsert to change it")]
    KeyExists,
    /// An update found no record with its key.
    #[error("no record has this key: use store or upsert to create it")]
    KeyMissing,
    /// An update's closure changed the key.
    #[error("the closure changed the key to {to:?}: delete the record and store it under its new key instead")]
    KeyChanged {
        /// The key that it made.
        to: Key,
    },
    /// The record is no longer the one that the caller saw.
    #[error("the caller last saw this record as of commit {seen}, but {}: read it again", Now(*now))]
    Stale {
        /// The commit that the operation named.
        seen: Commit,
        /// The commit that wrote the record as it is; `None` if there is none.
        now: Option<Commit>,
    },
    /// The key can't be one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The predicate of a write can't be asked of the collection.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An indexed value is longer than [`limits::MAX_INDEXED_BYTES`](crate::limits::MAX_INDEXED_BYTES).
    #[error("indexed field {field:?} takes {bytes} bytes, the limit is {limit}: shorten it, or scan it instead")]
    ValueTooLong {
        /// The field.
        field: String,
        /// What its value takes.
        bytes: usize,
        /// What it may take.
        limit: usize,
    },
    /// A field of many values holds more than [`limits::MAX_FIELD_VALUES`](crate::limits::MAX_FIELD_VALUES).
    #[error("indexed field {field:?} holds {values} values, the limit is {limit}: split the record, or drop the index")]
    TooManyValues {
        /// The field.
        field: String,
        /// How many it holds.
        values: usize,
        /// How many it may hold.
        limit: usize,
    },
    /// A field with an ordered index is NaN, and is not [`nan_last`](crate::FieldDef::nan_last).
    #[error(
        "field {field:?} is not a number (NaN), which the ordered index {index:?} takes only of a field that is `nan_last`: \
         store none instead, or declare the field so"
    )]
    NotANumber {
        /// The field.
        field: String,
        /// The index.
        index: String,
    },
    /// Two records would have the same values in a unique index.
    #[error("unique index {index:?}: {value} would belong to {key:?} and to {other:?}")]
    NotUnique {
        /// The index.
        index: String,
        /// The value; of several fields a tuple.
        value: String,
        /// The key of the one.
        key: Key,
        /// The key of the other.
        other: Key,
    },
    /// A hand-written [`Record`](crate::Record) gave a value that its schema does not announce.
    #[error("field {field:?} is of kind {expected}, but its value is {given:?}: mend the schema or the extractor")]
    WrongKind {
        /// The field.
        field: String,
        /// The kind that the schema announces.
        expected: Kind,
        /// The value.
        given: Value,
    },
    /// A document or a key/value record holds, in a declared field, what the field can't be.
    #[error(
        "field {field:?} is declared {expected}, but the record has {found} there: mend the record, or declare the field \
         with skip_conflicts"
    )]
    Conflict {
        /// The field.
        field: String,
        /// What the schema declares.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A field that the schema requires is missing.
    #[error("field {field:?} is required, but missing: give it, or declare it without required")]
    MissingField {
        /// The field.
        field: String,
    },
    /// A key/value record brings a field that the schema does not declare.
    #[error("the schema declares no field {field:?} to be given with a record; it declares {}", known.join(", "))]
    UndeclaredField {
        /// The name.
        field: String,
        /// The fields that there are.
        known: Vec<String>,
    },
    /// JSON that can't be a document, or a patch of one.
    #[cfg(feature = "documents")]
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A mend of the operation broke off, so that its record and its key may differ.
    #[error("an earlier mend of this operation broke off: mend it again, or take it out")]
    HalfMended,
    /// The caller's own closure refused.
    #[error("{0}")]
    Closure(Box<dyn Error + Send + Sync>),
    /// A [`CommitHook`](crate::CommitHook) refused the batch.
    #[error("a commit hook refused the batch: {0}")]
    Hook(Box<dyn Error + Send + Sync>),
    /// The caller's code panicked.
    #[error("the {what} panicked: {message}")]
    Panicked {
        /// Which code: closure, key or field extractor.
        what: &'static str,
        /// What it said.
        message: String,
    },
    /// A write, to this or any store, was tried from inside an update closure, an extractor, an observer or `get_with`.
    #[error(
        "a write from inside a closure, an extractor or an observer: reads work there, writes must wait until it has returned"
    )]
    InsideUserCode,
    /// The collection belongs to another store.
    #[error("the collection belongs to another store: open it on this one")]
    OtherStore,
    /// [`Store::drop_collection`](crate::Store::drop_collection) has dropped the collection.
    #[error("the collection was dropped: open it again by its name, which makes a new one")]
    CollectionDropped,
    /// The batch holds as many operations as it may.
    #[error("the batch holds {limit} operations, which is the limit: commit it and go on with another")]
    BatchFull {
        /// How many it may hold.
        limit: usize,
    },
    /// The collection has used as many rows as it may.
    #[error("the collection holds {limit} rows, which is the limit: delete records, or spread them over collections")]
    CollectionFull {
        /// How many it may hold.
        limit: usize,
    },
    /// The store was damaged by a bug and refuses writes; reads go on.
    #[error("the store refuses writes since an earlier commit broke off: {why}; reads go on, copy out what you need")]
    Damaged {
        /// What broke off.
        why: String,
    },
}

impl From<Conflict> for Cause {
    fn from(Conflict { field, expected, found }: Conflict) -> Self {
        Cause::Conflict { field, expected, found }
    }
}

struct Now(Option<Commit>);

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(commit) => write!(f, "commit {commit} has changed it since"),
            None => f.write_str("it is gone"),
        }
    }
}

/// Which operation was refused, and why.
#[derive(Debug)]
pub struct Refusal {
    inner: Box<RefusedOperation>,
}

#[derive(Debug)]
struct RefusedOperation {
    position: Option<usize>,
    operation: &'static str,
    collection: String,
    key: Option<Key>,
    cause: Cause,
}

impl Refusal {
    pub(crate) fn new(operation: &'static str, collection: &str, cause: impl Into<Cause>) -> Self {
        let collection = collection.to_owned();
        Refusal {
            inner: Box::new(RefusedOperation { position: None, operation, collection, key: None, cause: cause.into() }),
        }
    }

    pub(crate) fn of_batch(cause: impl Into<Cause>) -> Self {
        Refusal::new("commit", "", cause)
    }

    pub(crate) fn with_key(mut self, key: &Key) -> Self {
        self.inner.key = Some(key.clone());
        self
    }

    pub(crate) fn at(mut self, position: usize) -> Self {
        self.inner.position = Some(position);
        self
    }

    /// A refusal of the caller's own, for the closure of [`Store::commit`](crate::Store::commit).
    ///
    /// ```
    /// # use memdex::{Refusal, Store};
    /// let refused = Store::new().commit(|_| Err(Refusal::because("the till is closed"))).unwrap_err();
    /// assert!(refused.to_string().contains("the till is closed"));
    /// ```
    pub fn because(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Refusal::of_batch(Cause::Closure(error.into()))
    }

    /// The operation's position in its batch, counted from 0; `None` if no single operation is at fault.
    pub fn position(&self) -> Option<usize> {
        self.inner.position
    }

    /// What was tried: `store`, `insert`, `update` …; `commit` if no single operation is at fault.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The name of the collection; empty if no single operation is at fault.
    pub fn collection(&self) -> &str {
        &self.inner.collection
    }

    /// The key concerned, if it is known.
    pub fn key(&self) -> Option<&Key> {
        self.inner.key.as_ref()
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.inner.cause
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Refusal::of_batch(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RefusedOperation { position, operation, collection, key, cause } = &*self.inner;
        f.write_str(operation)?;
        if let Some(key) = key {
            write!(f, " of {key:?}")?;
        }
        if !collection.is_empty() {
            write!(f, " in {collection:?}")?;
        }
        if let Some(position) = position {
            write!(f, " (operation {position} of the batch)")?;
        }
        write!(f, " refused: {cause}")
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.cause {
            Cause::Closure(error) | Cause::Hook(error) => Some(&**error),
            Cause::Query(error) => Some(error),
            _ => None,
        }
    }
}
