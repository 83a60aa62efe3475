//! Row → back references: what the committer remembers of a row for each index and aggregate.
//!
//! Read and written under the commit lock only. A row leaves a structure by its back references; its old record is never read again.
//! The back references of one row lie side by side, so that an update finds those of all structures with one cache miss. A structure
//! that is added later has its own group.

use crate::index::MAX_AGGREGATE_WIDTH;
use crate::limits::{MAX_AGGREGATES, MAX_INDEXES, PAGE_ROWS};
use crate::rowset::Row;

pub(crate) struct BackRefs {
    groups: Vec<RefGroup>,
    width: usize,
}

/// The back references of the structures that were added together.
pub(crate) struct RefGroup {
    width: usize,
    /// A page without words has been released.
    pages: Vec<Box<[u32]>>,
    /// How many pages have words.
    filled: usize,
}

impl RefGroup {
    pub(crate) fn new(width: usize) -> Self {
        RefGroup { width, pages: Vec::new(), filled: 0 }
    }

    /// Zeros for a row that was never set.
    pub(crate) fn get(&self, row: Row) -> &[u32] {
        let from = row as usize % PAGE_ROWS * self.width;
        let page = self.pages.get(row as usize / PAGE_ROWS);
        page.and_then(|page| page.get(from..from + self.width)).unwrap_or(&ZEROS[..self.width])
    }

    pub(crate) fn set(&mut self, row: Row, refs: &[u32]) {
        debug_assert_eq!(refs.len(), self.width);
        if self.width == 0 {
            return;
        }
        let page = row as usize / PAGE_ROWS;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, Box::default);
        }
        if self.pages[page].is_empty() {
            self.pages[page] = vec![0; PAGE_ROWS * self.width].into();
            self.filled += 1;
        }
        let from = row as usize % PAGE_ROWS * self.width;
        self.pages[page][from..from + self.width].copy_from_slice(refs);
    }

    fn release(&mut self, page: usize) {
        if let Some(words) = self.pages.get_mut(page).filter(|words| !words.is_empty()) {
            *words = Box::default();
            self.filled -= 1;
        }
    }
}

static ZEROS: [u32; MAX_WORDS] = [0; MAX_WORDS];

/// Most words of a row.
const MAX_WORDS: usize = MAX_INDEXES * MAX_INDEX_WIDTH + MAX_AGGREGATES * MAX_AGGREGATE_WIDTH;

/// Most words of one index.
const MAX_INDEX_WIDTH: usize = 3;

impl BackRefs {
    pub(crate) fn new(width: usize) -> Self {
        BackRefs { groups: vec![RefGroup::new(width)], width }
    }

    /// How many words a row has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Adds the back references of a row that holds a record to `refs`.
    pub(crate) fn gather(&self, row: Row, refs: &mut impl Extend<u32>) {
        self.groups.iter().for_each(|group| refs.extend(group.get(row).iter().copied()));
    }

    pub(crate) fn set(&mut self, row: Row, refs: &[u32]) {
        let mut rest = refs;
        for group in &mut self.groups {
            let (own, others) = rest.split_at(group.width);
            group.set(row, own);
            rest = others;
        }
    }

    /// Adds the group of a structure that was added later, behind all others.
    pub(crate) fn add(&mut self, group: RefGroup) {
        self.width += group.width;
        self.groups.push(group);
    }

    /// Removes a group of which no structure is left; returns its width.
    pub(crate) fn remove(&mut self, group: usize) -> usize {
        let width = self.groups.remove(group).width;
        self.width -= width;
        width
    }

    /// Gives back the page of these rows, which are all free.
    pub(super) fn release(&mut self, page: usize) {
        self.groups.iter_mut().for_each(|group| group.release(page));
    }

    /// Gives back what lies behind the last page with rows before `end`.
    pub(super) fn truncate(&mut self, end: Row) {
        let pages = (end as usize).div_ceil(PAGE_ROWS);
        for group in &mut self.groups {
            (pages..group.pages.len()).for_each(|page| group.release(page));
            group.pages.truncate(pages);
            group.pages.shrink_to_fit();
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let of =
            |group: &RefGroup| group.filled * PAGE_ROWS * group.width * 4 + group.pages.len() * size_of::<Box<[u32]>>();
        self.groups.iter().map(of).sum()
    }
}
