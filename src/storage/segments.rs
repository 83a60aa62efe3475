//! A list of pages that grows without a lock and without moving pages. It consists of segments, each twice as long as
//! the previous one (as in the lock-free vectors of Dechev et al.).

use crate::memory::HeapBytes;
use crate::sync::OnceLock;

/// Segment s has 2^s pages: enough for all rows that fit a `u32`.
const SEGMENTS: usize = 32;

pub(super) struct Segments<P> {
    list: [OnceLock<Box<[P]>>; SEGMENTS],
    /// The heap bytes of the pages, and of those contents that their writers count.
    pub(super) bytes: HeapBytes,
}

fn place(page: usize) -> (usize, usize) {
    let segment = (page + 1).ilog2() as usize;
    (segment, page + 1 - (1 << segment))
}

impl<P> Segments<P> {
    pub(super) fn new() -> Self {
        Segments { list: std::array::from_fn(|_| OnceLock::new()), bytes: HeapBytes::default() }
    }

    /// A page; `None` past the last one.
    #[inline]
    pub(super) fn page(&self, number: usize) -> Option<&P> {
        let (segment, page) = place(number);
        self.list.get(segment)?.get().map(|pages| &pages[page])
    }

    /// A page that is about to be used. The caller holds the commit lock.
    pub(super) fn page_to_write(&self, number: usize, empty: impl Fn() -> P) -> &P {
        let (segment, page) = place(number);
        // Add missing earlier segments too, so that the position of a page among all pages is its number.
        for (earlier, pages) in
            self.list[..=segment].iter().enumerate().rev().take_while(|(_, pages)| pages.get().is_none())
        {
            let added = pages.set((0..1_usize << earlier).map(|_| empty()).collect());
            debug_assert!(added.is_ok(), "pages are added under the commit lock");
            self.bytes.change(0, size_of::<P>() << earlier);
        }
        match self.list[segment].get() {
            Some(pages) => &pages[page],
            None => unreachable!("the segment was just added"),
        }
    }

    /// The number of pages, used or not.
    pub(super) fn len(&self) -> usize {
        self.list.iter().filter_map(OnceLock::get).map(|pages| pages.len()).sum()
    }

    /// All pages, in order.
    pub(super) fn pages(&self) -> impl Iterator<Item = &P> {
        self.list.iter().filter_map(OnceLock::get).flat_map(|pages| pages.iter())
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn each_page_number_has_its_own_place() {
        assert_eq!([0, 1, 2, 3, 6, 7].map(place), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 3), (3, 0)]);
        let last = u32::MAX as usize / crate::limits::PAGE_ROWS;
        assert!(place(last).0 < SEGMENTS);
        let segments = Segments::new();
        assert!(segments.page(5).is_none());
        segments.page_to_write(5, || std::cell::Cell::new(0)).set(7);
        assert_eq!(segments.page(5).map(std::cell::Cell::get), Some(7));
        assert_eq!((segments.pages().count(), segments.len()), (7, 7), "the earlier pages exist too");
    }
}
