//! Upkeep: memory that is not used is given back, and what has become scattered is packed, slice by slice.
//!
//! Each slice is short and under the commit lock; between two of them commits have their turn. Readers wait for the part at hand
//! alone. Nothing that anybody can see changes, so nothing is marked: whatever moves entries holds every guard concerned.

use super::table::Table;
use crate::limits::KEY_SHARDS;
use crate::record::Record;
use crate::rowset::RowSet;

/// Where the next slice begins.
pub(crate) enum Upkeep {
    /// Of the key table: shards from here on.
    Keys(usize),
    /// Row pages from here on.
    Pages(usize),
    /// Of the column at this place: pages from here on.
    Column(usize, usize),
    /// The structure at this place, from its beginning or from where the last slice ended.
    Structure { place: usize, restart: bool },
}

/// Shards of the key table in a slice.
const SHARDS: usize = 16;
/// Row pages in a slice.
const PAGES: usize = 16;
/// Pages of a column in a slice.
const COLUMN_PAGES: usize = 64;

impl<R: Record> Table<R> {
    /// One slice; where to go on. Under the commit lock.
    pub(super) fn upkeep(&self, at: Upkeep) -> Option<Upkeep> {
        match at {
            Upkeep::Keys(from) if from < KEY_SHARDS => {
                (from..KEY_SHARDS.min(from + SHARDS)).for_each(|shard| self.keys.shrink(shard));
                Some(Upkeep::Keys(from + SHARDS))
            }
            Upkeep::Keys(_) => {
                self.all_rows_bytes.track(&mut *self.all_rows.write(), RowSet::heap_bytes, RowSet::compact);
                let mut writer = self.writer();
                writer.free_rows.shrink_to_fit();
                for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
                    column.tidy(of_column);
                }
                Some(Upkeep::Pages(0))
            }
            Upkeep::Pages(from) => {
                let more = (from..from + PAGES).all(|page| self.pages.shrink(page));
                Some(if more { Upkeep::Pages(from + PAGES) } else { Upkeep::Column(0, 0) })
            }
            Upkeep::Column(place, from) => Some(match self.columns.get(place) {
                Some(column) if column.tidy_pages(from, COLUMN_PAGES) => Upkeep::Column(place, from + COLUMN_PAGES),
                Some(_) => Upkeep::Column(place + 1, 0),
                None => Upkeep::Structure { place: 0, restart: true },
            }),
            Upkeep::Structure { place, restart } => {
                let mut writer = self.writer();
                // Structures may have gone since the last slice: then this one is another, or the last is behind us.
                let maintained = writer.structures.get_mut(place)?;
                Some(if maintained.structure.tidy(restart) {
                    Upkeep::Structure { place, restart: false }
                } else {
                    Upkeep::Structure { place: place + 1, restart: true }
                })
            }
        }
    }
}
