//! A whole column: the side that readers share, the committer's side, and the steps of a commit that change both.

use super::cells::{WIDEST, Width, width_of};
use super::dictionary::{Codes, Dictionary};
use super::page::Page;
use super::page_list::PageList;
use crate::error::Commit;
use crate::hash::RandomState;
use crate::limits::PAGE_ROWS;
use crate::reclaim::Pins;
use crate::record::FieldDef;
use crate::rowset::Row;
use crate::sync::{self, Arc, AtomicU64, Ordering::Relaxed, RwLock};
use memdex_query::value::{Kind, Value, ValueRef, saturated_bits, zero_bits};
use std::collections::BTreeMap;

/// The side that readers share.
pub(crate) struct Column {
    pub(crate) field: usize,
    pub(super) kind: Kind,
    /// Replaced by upkeep.
    list: RwLock<Arc<PageList>>,
    /// For kinds whose values have no ordered bits.
    pub(super) dictionary: Dictionary,
    /// The number of rows that have a value.
    pub(super) present: AtomicU64,
}

/// A cell that a commit writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Missing,
    Bits(u64),
    /// The index of an overflow value of the batch.
    Overflow(u32),
    Code(u32),
}

/// The committer's side of a column, and the staged changes of the current batch.
pub(crate) struct ColumnWriter {
    /// Those that readers find.
    pages: Arc<PageList>,
    codes: Codes,
    /// The overflow values of the batch, with their escapes.
    overflow: Vec<(u64, Value)>,
    /// The cell of each change of the batch.
    pub(crate) cells: Vec<Cell>,
}

impl Column {
    pub(crate) fn new(position: usize, field: &FieldDef) -> (Self, ColumnWriter) {
        let pages = Arc::new(PageList::new());
        let column = Column {
            field: position,
            kind: field.kind(),
            list: RwLock::new(pages.clone()),
            dictionary: Dictionary::new(),
            present: AtomicU64::new(0),
        };
        (column, ColumnWriter { pages, codes: Codes::default(), overflow: Vec::new(), cells: Vec::new() })
    }

    /// The pages, for a reader that has pinned its commit.
    pub(super) fn pages(&self) -> Arc<PageList> {
        self.list.read().clone()
    }

    /// Whether cells are codes.
    pub(super) fn is_coded(&self) -> bool {
        zero_bits(self.kind).is_none()
    }

    /// Whether these bits are an escape, which may stand for several values.
    #[inline]
    pub(crate) fn is_escape(&self, bits: u64) -> bool {
        matches!(self.kind, Kind::Int | Kind::Timestamp) && (bits == 0 || bits == u64::MAX)
    }

    /// The cell of a value, with a provisional code if the value is new.
    pub(crate) fn stage(&self, writer: &mut ColumnWriter, seed: &RandomState, value: ValueRef<'_>) -> Cell {
        if value.is_null() {
            return Cell::Missing;
        }
        if self.is_coded() {
            return Cell::Code(self.dictionary.stage(&mut writer.codes, seed, value));
        }
        match saturated_bits(value) {
            Some(bits) if self.is_escape(bits) => {
                writer.overflow.push((bits, value.to_value()));
                Cell::Overflow(writer.overflow.len() as u32 - 1)
            }
            Some(bits) => Cell::Bits(bits),
            None => Cell::Missing,
        }
    }

    /// Assigns codes to the new values. The batch can no longer be refused.
    pub(crate) fn admit(&self, writer: &mut ColumnWriter, commit: Commit) {
        let admitted = self.dictionary.admit(&mut writer.codes, commit);
        if admitted.is_empty() {
            return;
        }
        for cell in &mut writer.cells {
            if let Cell::Code(code) = cell {
                admitted.resolve(code);
            }
        }
    }

    /// Writes cells, ascending by row. The commit has marked these rows.
    pub(crate) fn apply(&self, writer: &mut ColumnWriter, commit: Commit, cells: &[(Row, Cell)]) {
        debug_assert!(cells.is_sorted_by_key(|(row, _)| *row));
        // A reader that loads anything stored after this fence sees the mark.
        sync::fence_release();
        let present = self.present.load(Relaxed);
        let pages = writer.pages.clone();
        let (bytes, mut added, mut removed) = (pages.bytes(), 0, 0);
        for page_cells in cells.chunk_by(|a, b| a.0 as usize / PAGE_ROWS == b.0 as usize / PAGE_ROWS) {
            let page = self.prepare_page(&pages, writer, page_cells);
            let into = page.cells();
            for (row, cell) in page_cells {
                let at = *row as usize % PAGE_ROWS;
                let bits = writer.bits(*cell);
                let before = page.put(into, at, bits);
                (added, removed) = (added + u64::from(bits.is_some()), removed + u64::from(before.is_some()));
                match cell {
                    Cell::Overflow(index) => page.put_overflow(bytes, at, writer.take_overflow(*index)),
                    _ if before.is_some_and(|before| self.is_escape(before)) => page.put_overflow(bytes, at, None),
                    _ => {}
                }
                if self.is_coded() {
                    writer.codes.moved(before.map(|code| code as u32), bits.map(|code| code as u32), commit);
                }
            }
        }
        self.present.store(present + added - removed, Relaxed);
    }

    /// The page of some cells, made wide enough for them.
    fn prepare_page<'a>(&self, pages: &'a PageList, writer: &ColumnWriter, cells: &[(Row, Cell)]) -> &'a Page {
        let number = cells[0].0 as usize / PAGE_ROWS;
        let page = pages.page_to_write(number);
        let bits = || cells.iter().filter_map(|(_, cell)| writer.bits(*cell));
        if let (Some(low), Some(high)) = (bits().min(), bits().max()) {
            page.widen_zone(low, high);
            let likely = likely_width(pages, number, cells.len());
            page.widen_cells(pages.bytes(), zero_bits(self.kind).unwrap_or(0), likely);
        }
        page
    }

    /// Frees the codes that the last commit retired and no reader can see, and retains the others.
    pub(crate) fn reclaim_displaced(&self, writer: &mut ColumnWriter, pins: &Pins<'_>) {
        self.dictionary.reclaim_retired(&mut writer.codes, pins);
    }

    /// No reader is at `ended` any longer: frees at most `budget` codes for that reason. Returns whether that was all of them.
    pub(crate) fn end(&self, writer: &mut ColumnWriter, ended: Commit, pins: &Pins<'_>, budget: &mut usize) -> bool {
        self.dictionary.end(&mut writer.codes, ended, pins, budget)
    }

    /// Releases unused memory of the dictionary and of the committer's side. Under the commit lock.
    pub(crate) fn tidy(&self, writer: &mut ColumnWriter) {
        self.dictionary.tidy(&mut writer.codes);
        (writer.cells, writer.overflow) = (Vec::new(), Vec::new());
    }

    /// Tidies a page. Returns whether there can be any values in it; `None` past the last page. Under the commit lock.
    pub(crate) fn tidy_page(&self, writer: &ColumnWriter, number: usize) -> Option<bool> {
        if number >= writer.pages.len() {
            return None;
        }
        let Some(page) = writer.pages.page(number) else { return Some(false) };
        // A reader that loads a narrowed bound sees the marks of the commits that removed the excluded values.
        sync::fence_release();
        Some(page.tidy(writer.pages.bytes()))
    }

    /// Gives pages without values back, after all pages have been tidied. Under the commit lock. Returns the work done.
    pub(crate) fn release_pages(&self, writer: &mut ColumnWriter) -> usize {
        if let Some(rest) = writer.pages.without_empty() {
            writer.pages = Arc::new(rest);
            let before = std::mem::replace(&mut *self.list.write(), writer.pages.clone());
            drop(before);
        }
        1 + writer.pages.len() / 64
    }

    /// Heap bytes of both sides. O(1).
    pub(crate) fn heap_bytes(&self, writer: &ColumnWriter) -> usize {
        writer.pages.bytes().get() + self.dictionary.bytes.get() + writer.codes.heap_bytes()
    }

    /// The heap bytes, by a walk; for audits.
    pub(crate) fn walk_bytes(&self, writer: &ColumnWriter) -> usize {
        writer.pages.walk_bytes() + self.dictionary.walk_bytes() + writer.codes.heap_bytes()
    }

    /// Passes each row's value, present or missing, to `visit` as readers find it, with its code if it has one; for audits.
    /// Returns the internal inconsistencies of the column.
    pub(crate) fn audit(&self, mut visit: impl FnMut(Row, ValueRef<'_>, Option<u32>)) -> Vec<String> {
        let mut flaws = Vec::new();
        let mut present = 0;
        for (number, page) in self.pages().pages().enumerate() {
            let Some(page) = page else {
                (0..PAGE_ROWS).for_each(|at| visit((number * PAGE_ROWS + at) as Row, ValueRef::Null, None));
                continue;
            };
            if !page.is_sound() {
                flaws.push(format!("page {number} has a value outside its zone"));
            }
            let mut overflow = BTreeMap::new();
            page.each_overflow(|at, value| drop(overflow.insert(at, value.clone())));
            for at in 0..PAGE_ROWS {
                let row = (number * PAGE_ROWS + at) as Row;
                let bits = page.bits(at);
                present += u64::from(bits.is_some());
                let needed = bits.is_some_and(|bits| self.is_escape(bits));
                let exact = overflow.get(&at).map(Value::as_ref);
                if needed != exact.is_some() || exact.is_some_and(|exact| saturated_bits(exact) != bits) {
                    flaws.push(format!("row {row} has a wrong or missing overflow value"));
                }
                let Some(bits) = bits else {
                    visit(row, ValueRef::Null, None);
                    continue;
                };
                let code = self.is_coded().then_some(bits as u32);
                match (exact, code) {
                    (Some(exact), _) => visit(row, exact, None),
                    (None, Some(code)) => {
                        // By a copy: `visit` runs user code, under no guard.
                        let value = self.with_dictionary(|values| values.get(code as usize).cloned().flatten());
                        visit(row, value.as_ref().map_or(ValueRef::Null, Value::as_ref), Some(code));
                    }
                    (None, None) => visit(row, self.plain_value(bits), None),
                }
            }
        }
        let counted = self.present.load(Relaxed);
        if counted != present {
            flaws.push(format!("the column has {present} values, but its counter says {counted}"));
        }
        flaws
    }
}

/// The least width for the first cells of a page: if they are few, the width that the previous page needs, since later
/// values are likely to resemble those.
fn likely_width(pages: &PageList, page: usize, cells: usize) -> Width {
    let before = page.checked_sub(1).filter(|_| cells < PAGE_ROWS / 2);
    let zone = before.and_then(|before| pages.page(before)?.zone());
    zone.map_or(0, |(low, high)| width_of(high - low)).min(WIDEST)
}

impl ColumnWriter {
    /// Whether any retired code is retained.
    pub(crate) fn retains(&self) -> bool {
        self.codes.retains()
    }

    /// Discards the state of an earlier batch, whether it was committed or refused.
    pub(crate) fn clear(&mut self) {
        self.codes.clear();
        self.cells.clear();
        self.overflow.clear();
    }

    fn bits(&self, cell: Cell) -> Option<u64> {
        match cell {
            Cell::Missing => None,
            Cell::Bits(bits) => Some(bits),
            Cell::Overflow(at) => Some(self.overflow[at as usize].0),
            Cell::Code(code) => Some(code.into()),
        }
    }

    fn take_overflow(&mut self, at: u32) -> Option<Value> {
        Some(std::mem::replace(&mut self.overflow[at as usize].1, Value::NULL))
    }

    /// Each code in use and the number of its rows; for audits.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u32, u32)> {
        self.codes.counts()
    }
}
