//! What a saved file says of a store and of a collection, apart from the records.

use crate::clock::Timestamp;
use crate::write::DefaultLifetime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(super) struct StoreHead {
    pub(super) commit: u64,
    /// When the snapshot was taken.
    pub(super) time: Timestamp,
    /// Each with the number that comes next.
    pub(super) sequences: Vec<(String, u64)>,
    /// About how many records there are: for reports of progress only.
    pub(super) records: u64,
}

/// How the records of a collection find their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RecordKind {
    Typed,
    Document,
    KeyValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Encoding {
    Binary,
    Json,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CollectionHead {
    pub(super) name: String,
    pub(super) kind: RecordKind,
    /// As `std::any::type_name` names it: for messages, since the name may change.
    pub(super) record_type: String,
    pub(super) encoding: Encoding,
    /// The fields of the record type in serde's data model.
    pub(super) fields: Vec<String>,
    /// In JSON, like the next two: the forms of definitions need a format that names fields.
    pub(super) schema: String,
    /// All indexes, also those that were added at run time.
    pub(super) indexes: String,
    pub(super) aggregates: String,
    pub(super) lifetime: SavedLifetime,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum SavedLifetime {
    Forever,
    Fixed(Duration),
    Sliding(Duration),
    Field(String),
}

impl From<SavedLifetime> for DefaultLifetime {
    fn from(saved: SavedLifetime) -> Self {
        match saved {
            SavedLifetime::Forever => DefaultLifetime::Forever,
            SavedLifetime::Fixed(duration) => DefaultLifetime::Fixed(duration),
            SavedLifetime::Sliding(duration) => DefaultLifetime::Sliding(duration),
            SavedLifetime::Field(field) => DefaultLifetime::Field(field.into()),
        }
    }
}

/// The counts at the end of the file.
#[derive(Serialize, Deserialize)]
pub(super) struct EndOfFile {
    pub(super) collections: u64,
    pub(super) records: u64,
}
