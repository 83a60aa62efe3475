//! Reads cells by page and by row. A caller copies the cells, then loads the marks, then uses the copy for the rows that are
//! not marked.

use super::cells::Cell;
use super::packed::{Lanes, Packed};
use super::page::{PAGE_WORDS, Page};
use super::shared::Column;
use crate::limits::PAGE_ROWS;
use crate::rowset::Row;
use crate::sync;
use memdex_query::value::{Kind, Value, ValueRef, value_of_bits};
use smallvec::SmallVec;

/// Number of cells that are located before the first of them is loaded.
const READ_TOGETHER: usize = 32;

/// How a column encodes values as `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bits of values of this kind, in the order of the values. The lowest and the highest bits may be an escape for
    /// several values; see [`Overflow`].
    Bits(Kind),
    /// Codes of the dictionary, from 0.
    Codes,
}

/// A copy of one page.
#[derive(Default)]
pub(crate) struct PageCells {
    /// A bitmap of the rows that have a value.
    pub(crate) present: [u64; PAGE_WORDS],
    base: u64,
    lanes: Lanes,
    pub(crate) overflow: Overflow,
}

/// A copy of the cells of some rows.
#[derive(Default)]
pub(crate) struct RowCells {
    pub(crate) present: Vec<bool>,
    /// The bits of each row; meaningless for a row without a value.
    pub(crate) bits: Vec<u64>,
    pub(crate) overflow: Overflow,
}

/// The exact values of cells whose bits are an escape, by row, ascending.
#[derive(Default)]
pub(crate) struct Overflow(Vec<(Row, Value)>);

impl Overflow {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, row: Row) -> Option<&Value> {
        let place = self.0.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(&self.0[place].1)
    }
}

impl PageCells {
    /// The bits of each row; meaningless for a row without a value.
    pub(crate) fn bits(&self) -> Packed<'_> {
        self.lanes.above(self.base)
    }
}

impl Column {
    /// The meaning of the bits.
    pub(crate) fn encoding(&self) -> Encoding {
        if self.is_coded() { Encoding::Codes } else { Encoding::Bits(self.kind) }
    }

    /// Inclusive bounds on the bits of a page, possibly wider than needed; `None` if it has no values.
    pub(crate) fn zone(&self, page: usize) -> Option<(u64, u64)> {
        let zone = self.pages().page(page)?.zone();
        sync::fence_acquire();
        zone
    }

    /// Copies a page; a page that does not exist has no values. Callers load the marks afterwards.
    pub(crate) fn read_page(&self, number: usize, into: &mut PageCells) {
        into.present = [0; PAGE_WORDS];
        into.overflow.0.clear();
        let pages = self.pages();
        if let Some(page) = pages.page(number)
            && let Some(cells) = page.cells()
        {
            into.present = page.present();
            into.base = cells.base;
            cells.copy(&mut into.lanes);
            if page.zone().is_some_and(|(low, high)| self.is_escape(low) || self.is_escape(high)) {
                let first = (number * PAGE_ROWS) as Row;
                page.each_overflow(|at, value| into.overflow.0.push((first + at as Row, value.clone())));
            }
        }
        sync::fence_acquire();
    }

    /// Copies the cells of strictly ascending rows; their memory accesses overlap. Callers load the marks afterwards.
    pub(crate) fn read_rows(&self, rows: &[Row], into: &mut RowCells) {
        debug_assert!(rows.is_sorted_by(|a, b| a < b), "rows must ascend strictly");
        let RowCells { present, bits, overflow } = into;
        overflow.0.clear();
        present.clear();
        present.resize(rows.len(), false);
        bits.clear();
        bits.resize(rows.len(), 0);
        // Locate many cells first, then load them: in short loops the memory accesses of many rows overlap.
        let pages = self.pages();
        let mut places: SmallVec<[Option<(&Page, Cell<'_>)>; READ_TOGETHER]> = SmallVec::new();
        let groups = rows.chunks(READ_TOGETHER).zip(present.chunks_mut(READ_TOGETHER));
        for ((rows, present), bits) in groups.zip(bits.chunks_mut(READ_TOGETHER)) {
            places.clear();
            places.extend(rows.iter().map(|row| {
                let page = pages.page(*row as usize / PAGE_ROWS)?;
                Some((page, page.cells()?.cell(*row as usize % PAGE_ROWS)))
            }));
            for (((place, row), present), bits) in places.iter().zip(rows).zip(present).zip(bits) {
                if let Some((page, cell)) = place {
                    (*present, *bits) = (page.is_present(*row as usize % PAGE_ROWS), cell.bits());
                }
            }
        }
        if bits.iter().any(|bits| self.is_escape(*bits)) {
            self.read_overflow(rows, into);
        }
        sync::fence_acquire();
    }

    #[cold]
    fn read_overflow(&self, rows: &[Row], into: &mut RowCells) {
        let pages = self.pages();
        for ((row, bits), present) in rows.iter().zip(&into.bits).zip(&into.present) {
            if *present && self.is_escape(*bits) {
                let page = pages.page(*row as usize / PAGE_ROWS);
                let value = page.and_then(|page| page.overflow(*row as usize % PAGE_ROWS));
                into.overflow.0.extend(value.map(|value| (*row, value)));
            }
        }
    }

    /// The value of a row, from its bits and the overflow values that were read with them. A code can be looked up at any
    /// time while the reader holds its pin. For a marked row the result is arbitrary, possibly `NULL`.
    pub(crate) fn value_of(&self, row: Row, bits: u64, overflow: &Overflow) -> Value {
        if self.is_coded() {
            return self.with_dictionary(|values| values.get(bits as usize).cloned().flatten()).unwrap_or(Value::NULL);
        }
        match overflow.get(row) {
            Some(exact) if self.is_escape(bits) => exact.clone(),
            _ => self.plain_value(bits).to_value(),
        }
    }

    /// The value of bits that are not an escape.
    pub(super) fn plain_value(&self, bits: u64) -> ValueRef<'static> {
        value_of_bits(self.kind, bits).unwrap_or(ValueRef::Null)
    }

    /// Passes the values by code to `read`; `None` is a free code. Commits with new values wait while `read` runs, so it
    /// should only copy what it needs.
    pub(crate) fn with_dictionary<T>(&self, read: impl FnOnce(&[Option<Value>]) -> T) -> T {
        self.dictionary.with(read)
    }
}
