//! Cells by page and by row, for who computes with them: a copy first, then the marks, then what the copy says of rows that are not marked.

use super::cells::Cell;
use super::packed::{Lanes, Packed};
use super::page::{PAGE_WORDS, Page};
use super::shared::Column;
use crate::limits::PAGE_ROWS;
use crate::rowset::Row;
use crate::sync;
use crate::value::{Kind, Value, ValueRef, value_of_bits};
use smallvec::SmallVec;

/// Cells that are looked for at once.
const READ_TOGETHER: usize = 32;

/// What the bits of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Those of values of this kind, whose order is the bits' order. The lowest and the highest bits may stand for several values:
    /// [`Beyond`].
    Bits(Kind),
    /// Codes of the dictionary, from zero.
    Codes,
}

/// A copy of one page.
#[derive(Default)]
pub(crate) struct PageCells {
    /// A bit for each row that has a value.
    pub(crate) present: [u64; PAGE_WORDS],
    base: u64,
    lanes: Lanes,
    pub(crate) beyond: Beyond,
}

/// A copy of the cells of some rows.
#[derive(Default)]
pub(crate) struct RowCells {
    pub(crate) present: Vec<bool>,
    /// The bits of each row; those of a row without a value mean nothing.
    pub(crate) bits: Vec<u64>,
    pub(crate) beyond: Beyond,
}

/// Values that their bits can't tell, by row, ascending.
#[derive(Default)]
pub(crate) struct Beyond(Vec<(Row, Value)>);

impl Beyond {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, row: Row) -> Option<&Value> {
        let place = self.0.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(&self.0[place].1)
    }
}

impl PageCells {
    /// The bits of each row; those of a row without a value mean nothing.
    pub(crate) fn bits(&self) -> Packed<'_> {
        self.lanes.above(self.base)
    }
}

impl Column {
    /// What bits are read.
    pub(crate) fn reads(&self) -> Reads {
        if self.is_coded() { Reads::Codes } else { Reads::Bits(self.kind) }
    }

    /// How many pages there are: rows beyond have no value.
    #[cfg(test)]
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Between which bits the values of a page lie, both included; perhaps they lie closer. `None` if it has none.
    pub(crate) fn zone(&self, page: usize) -> Option<(u64, u64)> {
        let zone = self.pages.page(page)?.zone();
        sync::fence_acquire();
        zone
    }

    /// Copies a page out; one that is not there has no values. A part: read it before the marks.
    pub(crate) fn read_page(&self, number: usize, into: &mut PageCells) {
        into.present = [0; PAGE_WORDS];
        into.beyond.0.clear();
        if let Some(page) = self.pages.page(number)
            && let Some(cells) = page.cells()
        {
            into.present = page.present();
            into.base = cells.base;
            cells.copy(&mut into.lanes);
            if page.zone().is_some_and(|(low, high)| self.is_sentinel(low) || self.is_sentinel(high)) {
                let first = (number * PAGE_ROWS) as Row;
                page.each_beyond(|at, value| into.beyond.0.push((first + at as Row, value.clone())));
            }
        }
        sync::fence_acquire();
    }

    /// Copies the cells of rows out, which ascend strictly. No row's steps to memory wait for another's. A part: read it before the marks.
    pub(crate) fn read_rows(&self, rows: &[Row], into: &mut RowCells) {
        debug_assert!(rows.is_sorted_by(|a, b| a < b), "rows must ascend strictly");
        let RowCells { present, bits, beyond } = into;
        beyond.0.clear();
        present.clear();
        present.resize(rows.len(), false);
        bits.clear();
        bits.resize(rows.len(), 0);
        // First where each lies, then what lies there: in short loops the steps to memory of many rows overlap.
        let mut places: SmallVec<[Option<(&Page, Cell<'_>)>; READ_TOGETHER]> = SmallVec::new();
        let groups = rows.chunks(READ_TOGETHER).zip(present.chunks_mut(READ_TOGETHER));
        for ((rows, present), bits) in groups.zip(bits.chunks_mut(READ_TOGETHER)) {
            places.clear();
            places.extend(rows.iter().map(|row| {
                let page = self.pages.page(*row as usize / PAGE_ROWS)?;
                Some((page, page.cells()?.cell(*row as usize % PAGE_ROWS)))
            }));
            for (((place, row), present), bits) in places.iter().zip(rows).zip(present).zip(bits) {
                if let Some((page, cell)) = place {
                    (*present, *bits) = (page.is_present(*row as usize % PAGE_ROWS), cell.bits());
                }
            }
        }
        if bits.iter().any(|bits| self.is_sentinel(*bits)) {
            self.read_beyond(rows, into);
        }
        sync::fence_acquire();
    }

    #[cold]
    fn read_beyond(&self, rows: &[Row], into: &mut RowCells) {
        for ((row, bits), present) in rows.iter().zip(&into.bits).zip(&into.present) {
            if *present && self.is_sentinel(*bits) {
                let page = self.pages.page(*row as usize / PAGE_ROWS);
                let value = page.and_then(|page| page.beyond(*row as usize % PAGE_ROWS));
                into.beyond.0.extend(value.map(|value| (*row, value)));
            }
        }
    }

    /// The value of a row that was read with these bits, and with `beyond`. A code may be looked up at any time while the reader's pin
    /// is held. Of a row that is marked it may be any value or none.
    pub(crate) fn value_of(&self, row: Row, bits: u64, beyond: &Beyond) -> Value {
        if self.is_coded() {
            return self.with_dictionary(|values| values.get(bits as usize).cloned().flatten()).unwrap_or(Value::NULL);
        }
        match beyond.get(row) {
            Some(exact) if self.is_sentinel(bits) => exact.clone(),
            _ => self.plain_value(bits).to_value(),
        }
    }

    /// The value that has these bits and fits them.
    pub(super) fn plain_value(&self, bits: u64) -> ValueRef<'static> {
        value_of_bits(self.kind, bits).unwrap_or(ValueRef::Null)
    }

    /// Shows the values by code; `None` is a code that nobody has. For as long as `look` runs, commits wait that bring new values:
    /// let it copy out what it needs.
    pub(crate) fn with_dictionary<T>(&self, look: impl FnOnce(&[Option<Value>]) -> T) -> T {
        self.dictionary.with(look)
    }
}
