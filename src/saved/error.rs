//! Why a store could not be saved or loaded.

use crate::error::{AggregateError, CollectionError, IndexError, Refusal};
use memdex_query::value::Key;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a snapshot was not saved. No file is left, and a file that had the name before is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The system could not write the file.
    #[error("could not {action}{}: {source}", Of(path.as_ref()))]
    #[non_exhaustive]
    Io {
        /// The step that failed.
        action: &'static str,
        /// The file or the folder; `None` for a writer of the caller.
        path: Option<PathBuf>,
        /// The error of the system.
        source: io::Error,
    },
    /// The archive does not know how records of this type are written.
    #[error(
        "collection {collection:?} holds {record_type}, which the archive can't write: declare it with \
         `.collection::<{record_type}>({collection:?})` (or `.key_values`), or leave it out with `.without({collection:?})`"
    )]
    #[non_exhaustive]
    Undeclared {
        /// The name of the collection.
        collection: String,
        /// The type of its records.
        record_type: &'static str,
    },
    /// The archive declares the collection with another type.
    #[error("collection {collection:?} holds {record_type}, but the archive declares {declared}: declare that type")]
    #[non_exhaustive]
    OtherType {
        /// The name of the collection.
        collection: String,
        /// The type of its records.
        record_type: &'static str,
        /// The type that the archive declares.
        declared: &'static str,
    },
    /// The `Serialize` of a record failed or panicked.
    #[error("collection {collection:?}: {key:?} could not be serialized: {message}")]
    #[non_exhaustive]
    Record {
        /// The name of the collection.
        collection: String,
        /// The key of the record.
        key: Key,
        /// The error.
        message: String,
    },
    /// A record does not come back from what its `Serialize` has written.
    #[error(
        "collection {collection:?}: {key:?} can't be read back: {message}. Serde attributes such as `skip_serializing_if`, `flatten` \
         and `untagged` need a format that names fields: declare the collection with `collection_as_json`"
    )]
    #[non_exhaustive]
    NotReadBack {
        /// The name of the collection.
        collection: String,
        /// The key of the record.
        key: Key,
        /// The error of its `Deserialize`.
        message: String,
    },
    /// A record is longer than a block can be.
    #[error("collection {collection:?}: {key:?} takes {bytes} bytes, the limit is {limit}: split the record")]
    #[non_exhaustive]
    TooLong {
        /// The name of the collection.
        collection: String,
        /// The key of the record.
        key: Key,
        /// Its length.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
}

/// Why a saved store was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The system could not read the file.
    #[error("could not {action}{}: {source}", Of(path.as_ref()))]
    #[non_exhaustive]
    Io {
        /// The step that failed.
        action: &'static str,
        /// The file; `None` for a reader of the caller.
        path: Option<PathBuf>,
        /// The error of the system.
        source: io::Error,
    },
    /// It is no saved store.
    #[error("this is not a saved store: it begins with \"{}\"", found.escape_ascii())]
    #[non_exhaustive]
    Foreign {
        /// The first bytes, at most 8.
        found: Vec<u8>,
    },
    /// A later version of memdex has written it.
    #[error("the file has version {found} of the format, and this program reads up to {known}: use a newer memdex")]
    #[non_exhaustive]
    Version {
        /// The version of the file.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// The file is damaged.
    #[error("the file is damaged {place}: {damage}")]
    #[non_exhaustive]
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong.
        damage: Damage,
    },
    /// The archive does not know the type of the records of a collection.
    #[error(
        "the file has a collection {collection:?} of {record_type}: declare its type with `.collection` (or `.key_values`), or leave it \
         out with `.without({collection:?})`"
    )]
    #[non_exhaustive]
    Undeclared {
        /// The name of the collection.
        collection: String,
        /// The type of its records when it was saved.
        record_type: String,
    },
    /// The archive declares a collection as another form of records: a Rust type, documents, or key/value records.
    #[error("collection {collection:?} was saved with records of {record_type}, and the archive declares {declared}")]
    #[non_exhaustive]
    OtherType {
        /// The name of the collection.
        collection: String,
        /// The type of its records when it was saved.
        record_type: String,
        /// The type that the archive declares.
        declared: &'static str,
    },
    /// The fields of the program's schema are not those of the saved one.
    #[error(
        "the schema of collection {collection:?} has changed: {difference}. Load the file with a program that has the old schema, and \
         convert its records"
    )]
    #[non_exhaustive]
    OtherSchema {
        /// The name of the collection.
        collection: String,
        /// The first difference.
        difference: String,
    },
    /// The fields of the record type, as its `Deserialize` names them, are not those of the saved records.
    #[error(
        "the record type of collection {collection:?} has changed: its fields were {}, and are {} now. Load the file with the old \
         type, and convert its records; or save with `collection_as_json`, which reads fields by name",
        saved.join(", "),
        now.join(", ")
    )]
    #[non_exhaustive]
    OtherFields {
        /// The name of the collection.
        collection: String,
        /// The fields of the saved records.
        saved: Vec<String>,
        /// The fields of the type.
        now: Vec<String>,
    },
    /// A collection could not be opened.
    #[error("{source} {place}")]
    #[non_exhaustive]
    Collection {
        /// Where the file describes it.
        place: Place,
        /// The error.
        source: Box<CollectionError>,
    },
    /// An index that was added at run time could not be added again.
    #[error("{source} {place}")]
    #[non_exhaustive]
    Index {
        /// Where the file describes it.
        place: Place,
        /// The error.
        source: Box<IndexError>,
    },
    /// A materialized aggregate that was added at run time could not be added again.
    #[error("{source} {place}")]
    #[non_exhaustive]
    Aggregate {
        /// Where the file describes it.
        place: Place,
        /// The error.
        source: Box<AggregateError>,
    },
    /// The store refuses records: two with one key or one unique value, or a record that does not fit the schema.
    #[error("{source} {place}")]
    #[non_exhaustive]
    Refused {
        /// The block of the record.
        place: Place,
        /// The refusal.
        source: Refusal,
    },
}

/// A place in a saved file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// In bytes from the start of the file.
    pub offset: u64,
    /// The block, counted from 0; the header counts as block 0.
    pub block: u64,
    /// The collection that the block belongs to.
    pub collection: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}, block {}", self.offset, self.block)?;
        match &self.collection {
            Some(collection) => write!(f, ", collection {collection:?}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a damaged file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file ends early.
    #[error("the file ends {missing} bytes before the end of the {part}")]
    #[non_exhaustive]
    Truncated {
        /// What is not complete.
        part: &'static str,
        /// How many bytes are missing at least.
        missing: u64,
    },
    /// The checksum does not match.
    #[error("the checksum of the {part} is {computed:#010x}, and {stored:#010x} is stored")]
    #[non_exhaustive]
    Checksum {
        /// What it covers.
        part: &'static str,
        /// The stored CRC-32.
        stored: u32,
        /// That of the bytes.
        computed: u32,
    },
    /// A block is longer than any that a store writes.
    #[error("a block of {bytes} bytes, the limit is {limit}")]
    #[non_exhaustive]
    BlockTooLong {
        /// Its length.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A block is out of place.
    #[error("found {found} in place of {expected}")]
    #[non_exhaustive]
    Order {
        /// The block that is there.
        found: String,
        /// The blocks that can be there.
        expected: &'static str,
    },
    /// The content of a block is invalid.
    #[error("invalid {part}: {message}")]
    #[non_exhaustive]
    Content {
        /// The invalid part.
        part: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A count does not match.
    #[error("the file has {found} {what}, and states {stated}")]
    #[non_exhaustive]
    Count {
        /// What is counted.
        what: &'static str,
        /// The count that the file states.
        stated: u64,
        /// How many there are.
        found: u64,
    },
    /// There are bytes after the end.
    #[error("there are bytes after the end")]
    Trailing,
}

struct Of<'a>(Option<&'a PathBuf>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, " {}", path.display()))
    }
}
