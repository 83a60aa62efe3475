//! Upkeep: frees unused memory and packs scattered entries, slice by slice.
//!
//! A turn holds the commit lock for as many slices as its budget of work allows; commits run between two turns. So the number of turns
//! depends on the work: parts that are empty or packed cost almost nothing. Readers wait only for the part that a slice works on.
//! Nothing visible changes, so nothing is marked; code that moves entries holds every guard concerned.

use super::pages::Shrunk;
use super::table::Table;
use super::table_writer::TableWriter;
use crate::limits::UPKEEP_WORK;
use crate::rowset::{Row, RowSet};

/// Where the next slice begins.
#[derive(Clone, Copy)]
pub(crate) enum Upkeep {
    /// The key table, from this shard on.
    Keys(usize),
    /// The row pages, from this one on.
    Pages(usize),
    /// The free rows at the end.
    Rows,
    /// The pages of the column at this place, from this one on.
    Column(usize, usize),
    /// The structure at this place, from its beginning or from where the last slice ended.
    Structure { place: usize, restart: bool },
}

/// The work of moving a row page.
const PAGE_WORK: usize = 16;
/// The work of reading a page of a column.
const COLUMN_PAGE_WORK: usize = 64;

impl Table {
    /// One turn. Returns the place at which to continue. Under the commit lock.
    pub(super) fn upkeep(&self, from: Upkeep) -> Option<Upkeep> {
        let (mut at, mut work) = (from, 0);
        while work < UPKEEP_WORK {
            let (next, more) = self.slice(at)?;
            (at, work) = (next, work + more);
        }
        Some(at)
    }

    /// Makes the free rows behind the last one that is not free count as never used. Returns the work done. Not while anything is
    /// marked: a mark does not list the rows from its first new one on, so that one must not be lower than in an earlier mark.
    fn forget_rows_at_the_end(&self, writer: &mut TableWriter) -> usize {
        let end = self.pages.end();
        if self.marks.len() > 0 || end >= writer.used_rows() {
            return 1;
        }
        let work = writer.free_rows() / 16;
        writer.forget_rows_from(end as Row);
        work
    }

    /// One slice. Returns the place at which to continue, and the work done.
    fn slice(&self, at: Upkeep) -> Option<(Upkeep, usize)> {
        Some(match at {
            Upkeep::Keys(shard) => {
                if let Some(moved) = self.keys.shrink(shard) {
                    return Some((Upkeep::Keys(shard + 1), 1 + moved));
                }
                let mut all_rows = self.all_rows.write();
                self.all_rows_bytes.track(&mut *all_rows, RowSet::heap_bytes, RowSet::compact);
                let work = 1 + all_rows.heap_bytes() / 64;
                drop(all_rows);
                let mut writer = self.writer();
                writer.free_rows.shrink_to_fit();
                for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
                    column.tidy(of_column);
                }
                (Upkeep::Pages(0), work)
            }
            Upkeep::Pages(page) => match self.pages.shrink(page) {
                Some(Shrunk { has_changed, is_free }) => {
                    if is_free {
                        self.writer().back_refs.release(page);
                    }
                    (Upkeep::Pages(page + 1), if has_changed { PAGE_WORK } else { 1 })
                }
                None => (Upkeep::Rows, 0),
            },
            Upkeep::Rows => {
                let work = self.forget_rows_at_the_end(&mut self.writer());
                (Upkeep::Column(0, 0), work)
            }
            Upkeep::Column(place, page) => {
                let Some(column) = self.columns.get(place) else {
                    return Some((Upkeep::Structure { place: 0, restart: true }, 0));
                };
                let of_column = &mut self.writer().columns[place];
                match column.tidy_page(of_column, page) {
                    Some(has_values) => {
                        (Upkeep::Column(place, page + 1), if has_values { COLUMN_PAGE_WORK } else { 1 })
                    }
                    None => (Upkeep::Column(place + 1, 0), column.release_pages(of_column)),
                }
            }
            Upkeep::Structure { place, restart } => {
                let mut writer = self.writer();
                // Structures may have gone since the last slice: then this one is another, or the last is behind us.
                match writer.structures.get_mut(place)?.structure.tidy(restart) {
                    Some(work) => (Upkeep::Structure { place, restart: false }, work),
                    None => (Upkeep::Structure { place: place + 1, restart: true }, 0),
                }
            }
        })
    }
}
