//! The records of a table, as queries read them. The methods take many rows per call, so that dynamic dispatch costs nothing compared with
//! the cache misses.

use super::any_version::SharedVersion;
use super::fork::Covered;
use super::table::Table;
use super::version::At;
use crate::error::Commit;
use crate::rowset::{Row, RowSet};
use crate::sync::Arc;

/// A layer of a fork as one of its readers sees it.
pub(crate) struct LayerView {
    pub(crate) table: Arc<Table>,
    pub(crate) at: At,
    pub(crate) covered: Arc<Covered>,
}

/// The layers below a table at one of its commits.
pub(crate) type Under = Arc<[LayerView]>;

impl Table {
    /// Adds the versions of these rows, which ascend strictly, that a reader sees; see [`AnyPages::fetch`](super::pages::AnyPages::fetch).
    pub(crate) fn fetch(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>) {
        self.pages.fetch(rows, at, found);
    }

    /// Adds the versions of these rows that a reader sees, in the order of the rows, which may be any. Skips rows without a record.
    pub(crate) fn fetch_in_order(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>) {
        found.extend(rows.iter().filter_map(|row| self.pages.at(*row, at)));
    }

    /// Adds all records of a page that a reader sees. `false` past the last page.
    pub(crate) fn read_page(&self, number: usize, at: At, found: &mut Vec<SharedVersion>) -> bool {
        self.pages.read_page(number, at, found)
    }

    /// Adds the records at these places of a page that a reader sees.
    pub(crate) fn read_places(&self, number: usize, places: &[u16], at: At, found: &mut Vec<SharedVersion>) {
        self.pages.read_places(number, places, at, found);
    }

    /// How many of these rows have a record that has expired, for a reader.
    pub(crate) fn count_expired(&self, rows: &RowSet, at: At) -> usize {
        let has_expired = |row: &Row| {
            let any = self.pages.at(*row, At::any_time(at.epoch));
            any.is_some_and(|version| {
                let expired = !version.is_alive(at.time);
                self.let_go(version);
                expired
            })
        };
        rows.iter().filter(has_expired).count()
    }

    /// The layers below the table at one of its commits. `None` if it is no fork's.
    pub(crate) fn under(&self, epoch: Commit) -> Option<Under> {
        self.base.as_ref().map(|base| base.views(epoch))
    }
}
