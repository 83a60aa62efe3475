//! Row → codes of what was indexed: the committer's own memory of which entry of each index a row is in.
//!
//! Read and written under the commit lock alone. A row leaves an index by these codes, never by asking its old record
//! again. Codes of one row lie side by side, so that an update finds them with one step to memory.

use crate::limits::PAGE_ROWS;
use crate::rowset::Row;

pub(crate) struct Codes {
    width: usize,
    /// What stands for the codes of no record.
    none: Box<[u32]>,
    pages: Vec<Box<[u32]>>,
}

impl Codes {
    pub(crate) fn new(width: usize) -> Self {
        Codes { width, none: vec![0; width].into(), pages: Vec::new() }
    }

    /// The codes of a row that holds a record.
    pub(crate) fn of(&self, row: Row) -> &[u32] {
        if self.width == 0 {
            return &[];
        }
        let from = row as usize % PAGE_ROWS * self.width;
        &self.pages[row as usize / PAGE_ROWS][from..from + self.width]
    }

    pub(crate) fn of_none(&self) -> &[u32] {
        &self.none
    }

    pub(crate) fn set(&mut self, row: Row, codes: &[u32]) {
        debug_assert_eq!(codes.len(), self.width);
        if self.width == 0 {
            return;
        }
        let page = row as usize / PAGE_ROWS;
        while self.pages.len() <= page {
            self.pages.push(vec![0; PAGE_ROWS * self.width].into());
        }
        let from = row as usize % PAGE_ROWS * self.width;
        self.pages[page][from..from + self.width].copy_from_slice(codes);
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.pages.len() * (PAGE_ROWS * self.width * 4 + size_of::<Box<[u32]>>())
    }
}
