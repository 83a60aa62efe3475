//! One state of one row. Immutable: what it replaces and what replaces it is the row page's knowledge.
//!
//! A version is seen by epochs from its `begin` up to, not including, the `begin` of the next newer version that is
//! still kept. (Where versions between the two were forgotten, no pinned epoch lies there, and none ever will: new pins
//! are never older than `published`. So no `until` needs to be stored.)

use crate::error::Commit;
use crate::rowset::Row;
use crate::sync::Arc;
use memdex_query::value::Key;

/// In this order, so that what a look-up compares lies in one cache line with the reference counts.
#[repr(C)]
pub(crate) struct Version<R> {
    /// The commit that wrote it.
    pub(crate) begin: Commit,
    pub(crate) row: Row,
    /// Of the key: it fills what alignment would leave empty, and spares the key table the hashes.
    pub(crate) hash: u32,
    pub(crate) key: Key,
    /// `None` is a tombstone.
    pub(crate) record: Option<R>,
}

impl<R> Version<R> {
    pub(crate) fn is_tombstone(&self) -> bool {
        self.record.is_none()
    }
}

/// The net change of one key.
pub(crate) struct Change<R> {
    pub(crate) old: Option<Arc<Version<R>>>,
    pub(crate) new: Arc<Version<R>>,
}

impl<R> Change<R> {
    pub(crate) fn row(&self) -> Row {
        self.new.row
    }

    pub(crate) fn had_record(&self) -> bool {
        self.old.as_ref().is_some_and(|old| !old.is_tombstone())
    }
}
