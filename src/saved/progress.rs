//! What a save and a load report.

use crate::clock::Timestamp;
use crate::error::Commit;

/// How far a save or a load is; see [`Archive::progress`](super::Archive::progress).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The collection whose records are being written or read.
    pub collection: &'a str,
    /// The records so far, of all collections.
    pub records: u64,
    /// How many there are in all; an estimate if records expire meanwhile.
    pub total: u64,
}

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The commit of the snapshot.
    pub commit: Commit,
    /// When the snapshot was taken.
    pub time: Timestamp,
    /// The number of collections.
    pub collections: usize,
    /// The number of records.
    pub records: u64,
    /// The length of the file.
    pub bytes: u64,
}
