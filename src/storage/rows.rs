//! A table without the record type, as reads see it.
//!
//! Queries, pages and statistics work on these traits, so they are compiled once, in this crate, and not for each record type. The methods
//! take many rows per call, so that dynamic dispatch costs nothing compared with the cache misses.

use super::any_version::SharedVersion;
use super::fork::Covered;
use super::pages::Pages;
use super::table::Table;
use super::table_core::TableCore;
use super::version::{At, Version};
use crate::error::Commit;
use crate::record::Record;
use crate::rowset::{Row, RowSet};
use crate::sync::Arc;
use memdex_query::value::Value;
use std::any::Any;

/// A layer of a fork as one of its readers sees it.
pub(crate) struct LayerView {
    pub(crate) rows: Arc<dyn Rows>,
    pub(crate) at: At,
    pub(crate) covered: Arc<Covered>,
}

/// The layers below a table at one of its commits.
pub(crate) type Under = Arc<[LayerView]>;

/// The records of a table, of any type.
pub(crate) trait Rows: Any + Send + Sync {
    fn core(&self) -> &TableCore;

    /// Adds the versions of these rows, which ascend strictly, that a reader sees; see [`Pages::fetch`].
    fn fetch(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>);

    /// Adds the versions of these rows that a reader sees, in the order of the rows, which may be any. Skips rows without a record.
    fn fetch_in_order(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>);

    /// Adds all records of a page that a reader sees. `false` past the last page.
    fn read_page(&self, number: usize, at: At, found: &mut Vec<SharedVersion>) -> bool;

    /// Adds the records at these places of a page that a reader sees.
    fn read_places(&self, number: usize, places: &[u16], at: At, found: &mut Vec<SharedVersion>);

    /// How many of these rows have a record that has expired, for a reader.
    fn count_expired(&self, rows: &RowSet, at: At) -> usize;

    /// The layers below the table at one of its commits. Empty if it is no fork's.
    fn under(&self, epoch: Commit) -> Option<Under>;

    /// The rows of these keys, given by their parts, in the newest state. One lookup each. Read it before the marks.
    fn rows_of_keys(&self, keys: &[Vec<Value>]) -> RowSet;
}

impl<R: Record> Rows for Table<R> {
    fn core(&self) -> &TableCore {
        self
    }

    fn fetch(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>) {
        self.pages.fetch(rows, at, &mut Erased(found));
    }

    fn fetch_in_order(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>) {
        found.extend(rows.iter().filter_map(|row| Some(self.pages.at(*row, at)? as SharedVersion)));
    }

    fn read_page(&self, number: usize, at: At, found: &mut Vec<SharedVersion>) -> bool {
        Pages::read_page(&self.pages, number, at, &mut Erased(found))
    }

    fn read_places(&self, number: usize, places: &[u16], at: At, found: &mut Vec<SharedVersion>) {
        self.pages.read_places(number, places, at, &mut Erased(found));
    }

    fn count_expired(&self, rows: &RowSet, at: At) -> usize {
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

    fn under(&self, epoch: Commit) -> Option<Under> {
        self.base.as_ref().map(|base| base.views(epoch))
    }

    fn rows_of_keys(&self, keys: &[Vec<Value>]) -> RowSet {
        Table::rows_of_keys(self, keys)
    }
}

/// Takes versions and drops their record type.
struct Erased<'a>(&'a mut Vec<SharedVersion>);

impl<R: Record> Extend<Arc<Version<R>>> for Erased<'_> {
    fn extend<I: IntoIterator<Item = Arc<Version<R>>>>(&mut self, versions: I) {
        self.0.extend(versions.into_iter().map(|version| version as SharedVersion));
    }
}
