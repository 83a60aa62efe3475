//! The net change of one key by a commit.

use super::any_version::SharedVersion;
use super::eviction::Measured;
use super::fork::BaseRow;
use crate::rowset::Row;

/// The net change of one key.
pub(crate) struct Change {
    /// Whether the old record had expired at the time of the commit.
    pub(crate) expired: bool,
    /// Whether the record leaves because of the bound of the collection.
    pub(crate) evicted: bool,
    /// What the bound of the collection knows of the new record.
    pub(crate) measured: Option<Measured>,
    /// The version before in the table.
    pub(crate) old: Option<SharedVersion>,
    /// The version before in the base of a fork, if the table has none: the change covers its row.
    pub(crate) under: Option<(BaseRow, SharedVersion)>,
    pub(crate) new: SharedVersion,
    /// The row of `new`.
    pub(crate) row: Row,
}

impl Change {
    /// A change whose old record has not expired.
    pub(crate) fn new(old: Option<SharedVersion>, under: Option<(BaseRow, SharedVersion)>, new: SharedVersion) -> Self {
        let row = new.row;
        Change { expired: false, evicted: false, measured: None, old, under, new, row }
    }

    /// The version before.
    pub(crate) fn before(&self) -> Option<&SharedVersion> {
        self.old.as_ref().or(self.under.as_ref().map(|(_, under)| under))
    }

    pub(crate) fn had_record(&self) -> bool {
        self.before().is_some_and(|before| !before.is_tombstone())
    }
}
