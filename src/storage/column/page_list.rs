//! The pages of a column.

use super::page::Page;
use crate::memory::HeapBytes;
use crate::storage::segments::Segments;
use crate::sync::{Arc, OnceLock};

/// Pages by number. A page that is not there has no values. Grows without a lock and without moving pages.
pub(super) struct PageList(Segments<OnceLock<Arc<Page>>>);

/// The heap bytes of a page without its contents.
const PAGE_BYTES: usize = size_of::<Page>() + 16;

impl PageList {
    pub(super) fn new() -> Self {
        PageList(Segments::new())
    }

    /// How many pages there is room for. Later rows never had a value.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn page(&self, number: usize) -> Option<&Page> {
        self.0.page(number)?.get().map(|page| &**page)
    }

    /// A page that is about to be used. Under the commit lock.
    pub(super) fn page_to_write(&self, number: usize) -> &Page {
        let place = self.0.page_to_write(number, OnceLock::new);
        if place.get().is_none() && place.set(Arc::new(Page::new())).is_ok() {
            self.bytes().change(0, PAGE_BYTES);
        }
        match place.get() {
            Some(page) => page,
            None => unreachable!("the page was just added"),
        }
    }

    /// All pages up to the last one that there is room for.
    pub(super) fn pages(&self) -> impl Iterator<Item = Option<&Page>> {
        self.0.pages().map(|place| place.get().map(|page| &**page))
    }

    /// The same pages without those that have no values, if at least one in eight has none. Readers may still use the others.
    /// Under the commit lock. O(pages).
    pub(super) fn without_empty(&self) -> Option<PageList> {
        let (mut empty, mut pages) = (0, 0);
        for page in self.pages().flatten() {
            pages += 1;
            empty += usize::from(page.zone().is_none());
        }
        if empty == 0 || empty * 8 < pages {
            return None;
        }
        let rest = PageList::new();
        for (number, place) in self.0.pages().enumerate() {
            if let Some(page) = place.get().filter(|page| page.zone().is_some()) {
                let added = rest.0.page_to_write(number, OnceLock::new).set(page.clone());
                debug_assert!(added.is_ok(), "the list is new");
                rest.bytes().change(0, PAGE_BYTES + page.walk_bytes());
            }
        }
        // Rows without a value are found up to the end of the list, so that must not come nearer.
        if let Some(last) = self.len().checked_sub(1) {
            rest.0.page_to_write(last, OnceLock::new);
        }
        Some(rest)
    }

    /// The heap bytes of the list and of all its pages. Their writers count their contents.
    pub(super) fn bytes(&self) -> &HeapBytes {
        &self.0.bytes
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let pages: usize = self.pages().flatten().map(|page| PAGE_BYTES + page.walk_bytes()).sum();
        self.len() * size_of::<OnceLock<Arc<Page>>>() + pages
    }
}
