//! Reading a set page by page: `PAGE_ROWS` rows at a time, as tables and columns keep them.
//!
//! A page is named by its number, its rows by their places on it. Where all of a page is in the set nothing is listed, so that a
//! whole table costs a few counts of bits a page.

use super::chunk::Chunk;
use super::set::Repr;
use super::slot::{Slot, find, key};
use super::{Row, RowSet, sorted};
use crate::limits::PAGE_ROWS;
use std::slice;

/// Pages of a chunk of 65,536 rows.
const PAGES: usize = (1 << 16) / PAGE_ROWS;
const _: () = assert!(PAGES * PAGE_ROWS == 1 << 16);

/// What of a page is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfPage {
    Nothing,
    /// These places are listed.
    Some,
    /// All of it; nothing is listed.
    All,
}

/// The pages of a set that have rows, ascending.
pub(crate) struct Pages<'a> {
    tiny: &'a [Row],
    slots: slice::Iter<'a, Slot>,
    /// The chunk at hand, and where to go on in it.
    chunk: Option<(&'a Slot, usize)>,
}

impl Pages<'_> {
    /// Passes over the next 65,536 rows at once if so few of them are in the set that going page by page would be most of the work,
    /// and adds these to `rows`. `false` if they are not so few, or if some of them were passed already.
    pub(crate) fn pass_few(&mut self, few: usize, rows: &mut Vec<Row>) -> bool {
        let (None, Some(slot)) = (self.chunk, self.slots.as_slice().first()) else { return false };
        match slot.chunk() {
            Chunk::Array(array) if array.len() <= few => {
                rows.extend(array.iter().map(|low| slot.base() | Row::from(*low)));
                self.slots.next();
                true
            }
            _ => false,
        }
    }

    /// The next page that has rows, and which; `places` is what is listed.
    pub(crate) fn next(&mut self, places: &mut Vec<u16>) -> Option<(usize, OfPage)> {
        if let Some(first) = self.tiny.first() {
            let page = *first as usize / PAGE_ROWS;
            let len = self.tiny.partition_point(|row| *row as usize / PAGE_ROWS == page);
            let (of_page, rest) = self.tiny.split_at(len);
            self.tiny = rest;
            return Some((page, list(of_page.iter().map(|row| *row as usize % PAGE_ROWS), places)));
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
                        let of_page = list(lows.iter().map(|low| usize::from(*low) % PAGE_ROWS), places);
                        (page, of_page, at + len)
                    })
                }
                Chunk::Bitmap(bits) => (at..PAGES).find_map(|page| {
                    let of_page = list_bits(bits.words(), page, places);
                    (of_page != OfPage::Nothing).then_some((page, of_page, page + 1))
                }),
            };
            match found {
                Some((page, of_page, next)) => {
                    self.chunk = Some((slot, next));
                    return Some((first_page + page, of_page));
                }
                None => self.chunk = None,
            }
        }
    }
}

fn list(of_page: impl ExactSizeIterator<Item = usize>, places: &mut Vec<u16>) -> OfPage {
    places.clear();
    match of_page.len() {
        0 => OfPage::Nothing,
        PAGE_ROWS => OfPage::All,
        _ => {
            places.extend(of_page.map(|place| place as u16));
            OfPage::Some
        }
    }
}

fn list_bits(words: &[u64], page: usize, places: &mut Vec<u16>) -> OfPage {
    places.clear();
    const STEP: usize = if PAGE_ROWS < 64 { PAGE_ROWS } else { 64 };
    const MASK: u64 = if STEP == 64 { u64::MAX } else { (1 << STEP) - 1 };
    let word = |at: usize| {
        let bit = page * PAGE_ROWS + at * STEP;
        words[bit / 64] >> (bit % 64) & MASK
    };
    let steps = PAGE_ROWS / STEP;
    if (0..steps).all(|at| word(at) == MASK) {
        return OfPage::All;
    }
    for at in 0..steps {
        let mut bits = word(at);
        while bits != 0 {
            places.push((at * STEP) as u16 + bits.trailing_zeros() as u16);
            bits &= bits - 1;
        }
    }
    if places.is_empty() { OfPage::Nothing } else { OfPage::Some }
}

impl RowSet {
    /// The pages that have rows.
    pub(crate) fn pages(&self) -> Pages<'_> {
        match &self.repr {
            Repr::Tiny(rows) => Pages { tiny: rows, slots: [].iter(), chunk: None },
            Repr::Slots(slots) => Pages { tiny: &[], slots: slots.iter(), chunk: None },
        }
    }

    /// What of one page is in the set; `places` is what is listed.
    pub(crate) fn of_page(&self, page: usize, places: &mut Vec<u16>) -> OfPage {
        let first = (page * PAGE_ROWS) as Row;
        let within = |rows: &[Row]| {
            let from = rows.partition_point(|row| *row < first);
            let len = rows[from..].partition_point(|row| (*row - first) < PAGE_ROWS as Row);
            from..from + len
        };
        match &self.repr {
            Repr::Tiny(rows) => list(rows[within(rows)].iter().map(|row| (*row - first) as usize), places),
            Repr::Slots(slots) => {
                places.clear();
                let Ok(at) = find(slots, key(first)) else { return OfPage::Nothing };
                let low = usize::from(super::chunk::low(&first));
                match slots[at].chunk() {
                    Chunk::Array(array) => {
                        let from = array.partition_point(|other| usize::from(*other) < low);
                        let len = array[from..].partition_point(|other| usize::from(*other) < low + PAGE_ROWS);
                        list(array[from..from + len].iter().map(|other| usize::from(*other) - low), places)
                    }
                    Chunk::Bitmap(bits) => list_bits(bits.words(), low / PAGE_ROWS, places),
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
        let (mut pages, mut places, mut found) = (set.pages(), Vec::new(), Vec::new());
        let listed = |page: usize, of_page, places: &[u16]| -> Vec<Row> {
            let row = |place: u16| (page * PAGE_ROWS) as Row + Row::from(place);
            assert_eq!(of_page == OfPage::All, places.is_empty() && of_page != OfPage::Nothing);
            if of_page == OfPage::All {
                (0..PAGE_ROWS as u16).map(row).collect()
            } else {
                places.iter().map(|place| row(*place)).collect()
            }
        };
        while let Some((page, of_page)) = pages.next(&mut places) {
            assert!(of_page != OfPage::Nothing && found.last().is_none_or(|row| (*row as usize) < page * PAGE_ROWS));
            let of_this = listed(page, of_page, &places);
            let mut again = Vec::new();
            assert_eq!(set.of_page(page, &mut again), of_page);
            assert_eq!(again, places);
            found.extend(of_this);
        }
        assert_eq!(found, rows);
        let last = rows.last().map_or(0, |row| *row as usize / PAGE_ROWS);
        for page in (0..last).step_by(7).chain([last + 1, last + 100]) {
            let of_page = set.of_page(page, &mut places);
            let first = (page * PAGE_ROWS) as Row;
            let expected: Vec<Row> =
                rows.iter().copied().filter(|row| (first..first + PAGE_ROWS as Row).contains(row)).collect();
            assert_eq!(listed(page, of_page, &places), expected);
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
