//! A column as a whole: what readers share, what the committer knows of it, and how a commit changes both.

use super::cells::{WIDEST, Width, width_of};
use super::dictionary::{Codes, Dictionary};
use super::page::Page;
use crate::error::Commit;
use crate::hash::RandomState;
use crate::limits::PAGE_ROWS;
use crate::record::FieldDef;
use crate::rowset::Row;
use crate::storage::segments::Segments;
use crate::storage::table::Backlog;
use crate::sync::{self, AtomicU64, Ordering::Relaxed};
use crate::value::{Kind, Value, ValueRef, saturated_bits, zero_bits};
use std::collections::BTreeMap;

/// What readers share.
pub(crate) struct Column {
    pub(crate) field: usize,
    pub(super) kind: Kind,
    pub(super) pages: Segments<Page>,
    /// Of kinds that have no bits.
    pub(super) dictionary: Dictionary,
    /// How many rows have a value.
    pub(super) present: AtomicU64,
}

/// One cell as a commit writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Missing,
    Bits(u64),
    /// A value that its bits can't tell, by its place among those of the batch.
    Beyond(u32),
    Code(u32),
}

/// What the committer knows of a column, and what the batch at hand brings to it.
#[derive(Default)]
pub(crate) struct ColumnWriter {
    codes: Codes,
    /// Values of the batch that their bits can't tell, with these bits.
    beyond: Vec<(u64, Value)>,
    /// The cell of each change of the batch.
    pub(crate) cells: Vec<Cell>,
}

impl Column {
    pub(crate) fn new(position: usize, field: &FieldDef) -> (Self, ColumnWriter) {
        let column = Column {
            field: position,
            kind: field.kind(),
            pages: Segments::new(),
            dictionary: Dictionary::new(),
            present: AtomicU64::new(0),
        };
        (column, ColumnWriter::default())
    }

    /// Whether cells are codes.
    pub(super) fn is_coded(&self) -> bool {
        zero_bits(self.kind).is_none()
    }

    /// Whether these bits may stand for several values.
    #[inline]
    pub(crate) fn is_sentinel(&self, bits: u64) -> bool {
        matches!(self.kind, Kind::Int | Kind::Timestamp) && (bits == 0 || bits == u64::MAX)
    }

    /// The cell of a value, provisional if the value is new. Nothing is given out.
    pub(crate) fn stage(&self, writer: &mut ColumnWriter, seed: &RandomState, value: ValueRef<'_>) -> Cell {
        if value.is_null() {
            return Cell::Missing;
        }
        if self.is_coded() {
            return Cell::Code(self.dictionary.stage(&mut writer.codes, seed, value));
        }
        match saturated_bits(value) {
            Some(bits) if self.is_sentinel(bits) => {
                writer.beyond.push((bits, value.to_value()));
                Cell::Beyond(writer.beyond.len() as u32 - 1)
            }
            Some(bits) => Cell::Bits(bits),
            None => Cell::Missing,
        }
    }

    /// Gives out codes for the new values. After the last refusal.
    pub(crate) fn admit(&self, writer: &mut ColumnWriter, commit: Commit) {
        let admitted = self.dictionary.admit(&mut writer.codes, commit);
        if admitted.is_empty() {
            return;
        }
        for cell in &mut writer.cells {
            if let Cell::Code(code) = cell {
                admitted.settle(code);
            }
        }
    }

    /// Writes cells, given with their rows, which ascend. The commit has marked these rows.
    pub(crate) fn apply(&self, writer: &mut ColumnWriter, commit: Commit, cells: &[(Row, Cell)]) {
        debug_assert!(cells.is_sorted_by_key(|(row, _)| *row));
        // Who loads anything that is stored from here on sees the mark.
        sync::fence_release();
        let present = self.present.load(Relaxed);
        let (mut came, mut went) = (0, 0);
        for of_page in cells.chunk_by(|a, b| a.0 as usize / PAGE_ROWS == b.0 as usize / PAGE_ROWS) {
            let page = self.page_with_room(writer, of_page);
            let into = page.cells();
            for (row, cell) in of_page {
                let at = *row as usize % PAGE_ROWS;
                let bits = writer.bits(*cell);
                let before = page.put(into, at, bits);
                (came, went) = (came + u64::from(bits.is_some()), went + u64::from(before.is_some()));
                match cell {
                    Cell::Beyond(at_batch) => page.put_beyond(at, writer.take_beyond(*at_batch)),
                    _ if before.is_some_and(|before| self.is_sentinel(before)) => page.put_beyond(at, None),
                    _ => {}
                }
                if self.is_coded() {
                    writer.codes.moved(before.map(|code| code as u32), bits.map(|code| code as u32), commit);
                }
            }
        }
        self.present.store(present + came - went, Relaxed);
    }

    /// The page of some cells, which has room for them.
    fn page_with_room(&self, writer: &ColumnWriter, cells: &[(Row, Cell)]) -> &Page {
        let number = cells[0].0 as usize / PAGE_ROWS;
        let page = self.pages.page_to_write(number, Page::new);
        let bits = || cells.iter().filter_map(|(_, cell)| writer.bits(*cell));
        if let (Some(low), Some(high)) = (bits().min(), bits().max()) {
            page.widen_zone(low, high);
            page.make_room(zero_bits(self.kind).unwrap_or(0), self.likely_width(number, cells.len()));
        }
        page
    }

    /// How wide the first cells of a page should be at least: if there are few of them, as wide as those of the page before would have
    /// to be, since further ones will be like these.
    fn likely_width(&self, page: usize, cells: usize) -> Width {
        let before = page.checked_sub(1).filter(|_| cells < PAGE_ROWS / 2);
        let zone = before.and_then(|before| self.pages.page(before)?.zone());
        zone.map_or(0, |(low, high)| width_of(high - low)).min(WIDEST)
    }

    /// Frees what is retired, as far as no reader can see it; says what is left.
    pub(crate) fn settle(&self, writer: &mut ColumnWriter, pinned: &[Commit], budget: &mut usize) -> Backlog {
        self.dictionary.settle(&mut writer.codes, pinned, budget)
    }

    /// Gives back room of the dictionary and the committer that is not used. Under the commit lock.
    pub(crate) fn tidy(&self, writer: &mut ColumnWriter) {
        self.dictionary.tidy(&mut writer.codes);
        (writer.cells, writer.beyond) = (Vec::new(), Vec::new());
    }

    /// Tidies so many pages; whether there are more. Under the commit lock.
    pub(crate) fn tidy_pages(&self, from: usize, count: usize) -> bool {
        // Who loads a bound that leaves something out sees the marks of the commits that took that away.
        sync::fence_release();
        let pages = (from..from.saturating_add(count)).map_while(|number| self.pages.page(number));
        pages.inspect(|page| page.tidy()).count() == count
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let pages: usize = self.pages.pages().map(|page| size_of::<Page>() + page.heap_bytes()).sum();
        pages + self.dictionary.heap_bytes()
    }

    /// Shows each row's value as readers find it, missing ones too, and the code if there is one; for audits. Says what is wrong
    /// with the column in itself.
    pub(crate) fn audit(&self, mut look: impl FnMut(Row, ValueRef<'_>, Option<u32>)) -> Vec<String> {
        let mut flaws = Vec::new();
        let mut present = 0;
        for (number, page) in self.pages.pages().enumerate() {
            if !page.is_sound() {
                flaws.push(format!("page {number} has a value outside of its zone"));
            }
            let mut beyond = BTreeMap::new();
            page.each_beyond(|at, value| drop(beyond.insert(at, value.clone())));
            for at in 0..PAGE_ROWS {
                let row = (number * PAGE_ROWS + at) as Row;
                let bits = page.bits(at);
                present += u64::from(bits.is_some());
                let needed = bits.is_some_and(|bits| self.is_sentinel(bits));
                let exact = beyond.get(&at).map(Value::as_ref);
                if needed != exact.is_some() || exact.is_some_and(|exact| saturated_bits(exact) != bits) {
                    flaws.push(format!("row {row} has the wrong value beside its cell"));
                }
                let Some(bits) = bits else {
                    look(row, ValueRef::Null, None);
                    continue;
                };
                let code = self.is_coded().then_some(bits as u32);
                match (exact, code) {
                    (Some(exact), _) => look(row, exact, None),
                    (None, Some(code)) => self.with_dictionary(|values| {
                        let value = values.get(code as usize).and_then(Option::as_ref);
                        look(row, value.map_or(ValueRef::Null, Value::as_ref), Some(code));
                    }),
                    (None, None) => look(row, self.plain_value(bits), None),
                }
            }
        }
        let counted = self.present.load(Relaxed);
        if counted != present {
            flaws.push(format!("{present} values, but {counted} are counted"));
        }
        flaws
    }
}

impl ColumnWriter {
    /// Forgets an earlier batch, refused or not.
    pub(crate) fn clear(&mut self) {
        self.codes.clear();
        self.cells.clear();
        self.beyond.clear();
    }

    fn bits(&self, cell: Cell) -> Option<u64> {
        match cell {
            Cell::Missing => None,
            Cell::Bits(bits) => Some(bits),
            Cell::Beyond(at) => Some(self.beyond[at as usize].0),
            Cell::Code(code) => Some(code.into()),
        }
    }

    fn take_beyond(&mut self, at: u32) -> Option<Value> {
        Some(std::mem::replace(&mut self.beyond[at as usize].1, Value::NULL))
    }

    /// How many rows have each code that any has; for audits.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u32, u32)> {
        self.codes.counts()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.codes.heap_bytes()
    }
}
