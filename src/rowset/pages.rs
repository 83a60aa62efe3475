//! Reads a set page by page: `PAGE_ROWS` rows at a time, the pages of tables and columns.
//!
//! A page is identified by its number, a row by its offset on the page. If the set contains a whole page, no offsets are
//! listed, so that a full scan costs a few comparisons of words a page.

use super::chunk::Chunk;
use super::row::{Row, key, low};
use super::set::{Repr, RowSet};
use super::slot::{Slot, find};
use super::sorted;
use crate::limits::PAGE_ROWS;
use std::slice;

/// Pages of a chunk of 65,536 rows.
const PAGES: usize = (1 << 16) / PAGE_ROWS;
const _: () = assert!(PAGES * PAGE_ROWS == 1 << 16);

/// The rows of one page that are in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageRows {
    Nothing,
    /// Their offsets are listed.
    Some,
    /// The whole page; no offsets are listed.
    All,
}

/// The pages of a set that have rows, ascending.
pub(crate) struct Pages<'a> {
    tiny: &'a [Row],
    slots: slice::Iter<'a, Slot>,
    /// The current chunk, and the position in it.
    chunk: Option<(&'a Slot, usize)>,
}

impl Pages<'_> {
    /// If the next chunk of 65,536 rows has at most `limit` rows, skips it and appends its rows to `rows`: page by page
    /// would cost more. Returns `false` if the chunk has more rows or has been read in part.
    pub(crate) fn take_sparse(&mut self, limit: usize, rows: &mut Vec<Row>) -> bool {
        let (None, Some(slot)) = (self.chunk, self.slots.as_slice().first()) else { return false };
        match slot.chunk() {
            Chunk::Array(array) if array.len() <= limit => {
                rows.extend(array.iter().map(|low| slot.base() | Row::from(*low)));
                self.slots.next();
                true
            }
            _ => false,
        }
    }

    /// The next page that has rows; lists their offsets in `offsets`.
    pub(crate) fn next(&mut self, offsets: &mut Vec<u16>) -> Option<(usize, PageRows)> {
        if let Some(first) = self.tiny.first() {
            let page = *first as usize / PAGE_ROWS;
            let len = self.tiny.partition_point(|row| *row as usize / PAGE_ROWS == page);
            let (rows_of_page, rest) = self.tiny.split_at(len);
            self.tiny = rest;
            return Some((page, list(rows_of_page.iter().map(|row| *row as usize % PAGE_ROWS), offsets)));
        }
        loop {
            let (slot, at) = match self.chunk {
                Some(chunk) => chunk,
                None => (self.slots.next()?, 0),
            };
            let first_page = slot.base() as usize / PAGE_ROWS;
            let found = match slot.chunk() {
                Chunk::Array(array) => {
                    let rest = array.get(at..).unwrap_or_default();
                    rest.first().map(|low| {
                        let page = usize::from(*low) / PAGE_ROWS;
                        let len = sorted::gallop(rest, 0, |low| usize::from(*low) / PAGE_ROWS == page);
                        let lows = rest.get(..len).unwrap_or_default();
                        let rows_of_page = list(lows.iter().map(|low| usize::from(*low) % PAGE_ROWS), offsets);
                        (page, rows_of_page, at + len)
                    })
                }
                Chunk::Bitmap(bits) => (at..PAGES).find_map(|page| {
                    let rows_of_page = list_bits(bits.words(), page, offsets);
                    (rows_of_page != PageRows::Nothing).then_some((page, rows_of_page, page + 1))
                }),
            };
            match found {
                Some((page, rows_of_page, next)) => {
                    self.chunk = Some((slot, next));
                    return Some((first_page + page, rows_of_page));
                }
                None => self.chunk = None,
            }
        }
    }
}

fn list(rows_of_page: impl ExactSizeIterator<Item = usize>, offsets: &mut Vec<u16>) -> PageRows {
    offsets.clear();
    match rows_of_page.len() {
        0 => PageRows::Nothing,
        PAGE_ROWS => PageRows::All,
        _ => {
            offsets.extend(rows_of_page.map(|offset| offset as u16));
            PageRows::Some
        }
    }
}

fn list_bits(words: &[u64], page: usize, offsets: &mut Vec<u16>) -> PageRows {
    offsets.clear();
    const STEP: usize = if PAGE_ROWS < 64 { PAGE_ROWS } else { 64 };
    const MASK: u64 = if STEP == 64 { u64::MAX } else { (1 << STEP) - 1 };
    let word = |at: usize| {
        let bit = page * PAGE_ROWS + at * STEP;
        words[bit / 64] >> (bit % 64) & MASK
    };
    let steps = PAGE_ROWS / STEP;
    if (0..steps).all(|at| word(at) == MASK) {
        return PageRows::All;
    }
    for at in 0..steps {
        let mut bits = word(at);
        while bits != 0 {
            offsets.push((at * STEP) as u16 + bits.trailing_zeros() as u16);
            bits &= bits - 1;
        }
    }
    if offsets.is_empty() { PageRows::Nothing } else { PageRows::Some }
}

impl RowSet {
    /// The pages that have rows.
    pub(crate) fn pages(&self) -> Pages<'_> {
        match &self.repr {
            Repr::Tiny(rows) => Pages { tiny: rows, slots: [].iter(), chunk: None },
            Repr::Slots(slots) => Pages { tiny: &[], slots: slots.iter(), chunk: None },
        }
    }

    /// The rows of one page; lists their offsets in `offsets`.
    pub(crate) fn rows_of_page(&self, page: usize, offsets: &mut Vec<u16>) -> PageRows {
        let first = (page * PAGE_ROWS) as Row;
        let within = |rows: &[Row]| {
            let from = rows.partition_point(|row| *row < first);
            let len = rows[from..].partition_point(|row| (*row - first) < PAGE_ROWS as Row);
            from..from + len
        };
        match &self.repr {
            Repr::Tiny(rows) => list(rows[within(rows)].iter().map(|row| (*row - first) as usize), offsets),
            Repr::Slots(slots) => {
                offsets.clear();
                let Ok(at) = find(slots, key(first)) else { return PageRows::Nothing };
                let low = usize::from(low(&first));
                match slots[at].chunk() {
                    Chunk::Array(array) => {
                        let from = array.partition_point(|other| usize::from(*other) < low);
                        let len = array[from..].partition_point(|other| usize::from(*other) < low + PAGE_ROWS);
                        list(array[from..from + len].iter().map(|other| usize::from(*other) - low), offsets)
                    }
                    Chunk::Bitmap(bits) => list_bits(bits.words(), low / PAGE_ROWS, offsets),
                }
            }
        }
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    fn check(rows: &[Row]) {
        let set = RowSet::from_sorted(rows);
        let (mut pages, mut offsets, mut found) = (set.pages(), Vec::new(), Vec::new());
        let listed = |page: usize, rows_of_page, offsets: &[u16]| -> Vec<Row> {
            let row = |offset: u16| (page * PAGE_ROWS) as Row + Row::from(offset);
            assert_eq!(rows_of_page == PageRows::All, offsets.is_empty() && rows_of_page != PageRows::Nothing);
            if rows_of_page == PageRows::All {
                (0..PAGE_ROWS as u16).map(row).collect()
            } else {
                offsets.iter().map(|offset| row(*offset)).collect()
            }
        };
        while let Some((page, rows_of_page)) = pages.next(&mut offsets) {
            assert!(
                rows_of_page != PageRows::Nothing && found.last().is_none_or(|row| (*row as usize) < page * PAGE_ROWS)
            );
            let page_rows = listed(page, rows_of_page, &offsets);
            let mut again = Vec::new();
            assert_eq!(set.rows_of_page(page, &mut again), rows_of_page);
            assert_eq!(again, offsets);
            found.extend(page_rows);
        }
        assert_eq!(found, rows);
        let last = rows.last().map_or(0, |row| *row as usize / PAGE_ROWS);
        for page in (0..last).step_by(7).chain([last + 1, last + 100]) {
            let rows_of_page = set.rows_of_page(page, &mut offsets);
            let first = (page * PAGE_ROWS) as Row;
            let expected: Vec<Row> =
                rows.iter().copied().filter(|row| (first..first + PAGE_ROWS as Row).contains(row)).collect();
            assert_eq!(listed(page, rows_of_page, &offsets), expected);
        }
    }

    #[test]
    fn all_rows_are_found_page_by_page() {
        check(&[]);
        check(&[0, 1_023, 1_024, 5_000, 70_000]);
        check(&(0..1_024).collect::<Vec<_>>());
        check(&(0..200_000).collect::<Vec<_>>());
        check(&(0..200_000).filter(|row| row % 3 > 0).collect::<Vec<_>>());
        check(&(0..200_000).filter(|row| row % 61 == 0).collect::<Vec<_>>());
        check(&(0..300_000).filter(|row| row / 1_024 % 5 == 2 || row % 4_099 == 1).collect::<Vec<_>>());
        check(&(65_000..66_000).chain(140_000..150_001).collect::<Vec<_>>());
    }
}
