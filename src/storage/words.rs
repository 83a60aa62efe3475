//! Row → words: the committer's own memory of what each index has filed a row under.
//!
//! Read and written under the commit lock alone. A row leaves an index by these words, never by asking its old record again.
//! Words of one row lie side by side, so that an update finds those of all indexes with one step to memory. Indexes that come
//! later have a group of their own each.

use crate::index::MAX_STANDING_WIDTH;
use crate::limits::{MAX_INDEXES, MAX_STANDING, PAGE_ROWS};
use crate::rowset::Row;

pub(crate) struct Words {
    groups: Vec<Group>,
    width: usize,
}

/// The words of the indexes that came together.
pub(crate) struct Group {
    width: usize,
    pages: Vec<Box<[u32]>>,
}

impl Group {
    pub(crate) fn new(width: usize) -> Self {
        Group { width, pages: Vec::new() }
    }

    fn of(&self, row: Row) -> &[u32] {
        let from = row as usize % PAGE_ROWS * self.width;
        // A row that it has never heard of shows zeros.
        self.pages.get(row as usize / PAGE_ROWS).map_or(&ZEROS[..self.width], |page| &page[from..from + self.width])
    }

    pub(crate) fn get(&self, row: Row) -> &[u32] {
        self.of(row)
    }

    pub(crate) fn set(&mut self, row: Row, words: &[u32]) {
        debug_assert_eq!(words.len(), self.width);
        if self.width == 0 {
            return;
        }
        let page = row as usize / PAGE_ROWS;
        while self.pages.len() <= page {
            self.pages.push(vec![0; PAGE_ROWS * self.width].into());
        }
        let from = row as usize % PAGE_ROWS * self.width;
        self.pages[page][from..from + self.width].copy_from_slice(words);
    }
}

static ZEROS: [u32; MAX_WORDS] = [0; MAX_WORDS];

/// Most words of a row.
const MAX_WORDS: usize = MAX_INDEXES * MAX_WIDTH + MAX_STANDING * MAX_STANDING_WIDTH;

/// Most words of one index.
const MAX_WIDTH: usize = 3;

impl Words {
    pub(crate) fn new(width: usize) -> Self {
        Words { groups: vec![Group::new(width)], width }
    }

    /// How many words a row has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Adds the words of a row that holds a record to `words`.
    pub(crate) fn gather(&self, row: Row, words: &mut impl Extend<u32>) {
        self.groups.iter().for_each(|group| words.extend(group.of(row).iter().copied()));
    }

    pub(crate) fn set(&mut self, row: Row, words: &[u32]) {
        let mut rest = words;
        for group in &mut self.groups {
            let (own, others) = rest.split_at(group.width);
            group.set(row, own);
            rest = others;
        }
    }

    /// Adds the words of an index that has come later, behind all others.
    pub(crate) fn add(&mut self, group: Group) {
        self.width += group.width;
        self.groups.push(group);
    }

    /// Forgets a group, all of whose indexes are gone.
    pub(crate) fn remove(&mut self, group: usize) {
        self.width -= self.groups.remove(group).width;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let of = |group: &Group| group.pages.len() * (PAGE_ROWS * group.width * 4 + size_of::<Box<[u32]>>());
        self.groups.iter().map(of).sum()
    }
}
