//! The cells of one column for the current rows. First read them, then reload the marks, then pick the trusted ones.

use super::measures::is_escape;
use crate::limits::PAGE_ROWS;
use crate::rowset::Row;
use crate::storage::{Column, Encoding, Packed, PageCells, RowCells};
use memdex_query::value::{Kind, Value};

/// Rows that are processed together; each has a position among them.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A whole page.
    Page(usize),
    /// Ascending rows, few per page.
    Rows(&'a [Row]),
}

impl Source<'_> {
    #[inline]
    pub(super) fn row(self, place: u16) -> Row {
        match self {
            Source::Page(page) => (page * PAGE_ROWS) as Row + Row::from(place),
            Source::Rows(rows) => rows[usize::from(place)],
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Source::Page(_) => PAGE_ROWS,
            Source::Rows(rows) => rows.len(),
        }
    }
}

/// How to read the value of a row's cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    Nothing,
    Bits,
    /// A value that its bits don't represent.
    Overflow,
}

pub(super) struct Cells<'t> {
    pub(super) column: &'t Column,
    pub(super) encoding: Encoding,
    page: PageCells,
    rows: RowCells,
    by_row: bool,
    picked: Vec<u64>,
    /// By row; empty if all rows have bits.
    pub(super) has: Vec<Has>,
    /// Overflow values, with their positions among the picked rows.
    pub(super) overflow: Vec<(u32, Value)>,
    /// No picks were given: take the whole source.
    all: bool,
    /// Bounds of the page's bits, if known. Read with the cells: the zone is widened before a cell is stored, so only
    /// cells that changed after the marks may lie outside.
    pub(super) zone: Option<(u64, u64)>,
}

impl<'t> Cells<'t> {
    pub(super) fn new(column: &'t Column) -> Self {
        Cells {
            column,
            encoding: column.encoding(),
            page: PageCells::default(),
            rows: RowCells::default(),
            by_row: false,
            picked: Vec::with_capacity(PAGE_ROWS),
            has: Vec::with_capacity(PAGE_ROWS),
            overflow: Vec::new(),
            all: false,
            zone: None,
        }
    }

    /// Reads the cells. Reload the marks afterwards.
    pub(super) fn read(&mut self, source: Source<'_>) {
        self.by_row = matches!(source, Source::Rows(_));
        match source {
            Source::Rows(rows) => {
                self.zone = None;
                self.column.read_rows(rows, &mut self.rows);
            }
            Source::Page(page) => {
                self.column.read_page(page, &mut self.page);
                self.zone = self.column.zone(page);
            }
        }
    }

    /// Picks the cells at some positions, or all of them.
    pub(super) fn pick(&mut self, source: Source<'_>, picks: Option<&[u16]>) {
        self.has.clear();
        self.overflow.clear();
        self.picked.clear();
        self.all = picks.is_none();
        let complete = if self.by_row {
            self.rows.present.iter().all(|present| *present)
        } else {
            // A page with fewer rows than a word has bits is never complete; only model checkers use such pages.
            self.page.present.iter().all(|word| *word == u64::MAX)
        };
        let all = if self.by_row { Packed::plain(&self.rows.bits) } else { self.page.bits() };
        if let Some(picks) = picks {
            all.pick(picks, &mut self.picked);
        }
        let kind = match self.encoding {
            Encoding::Bits(kind @ (Kind::Int | Kind::Timestamp)) => Some(kind),
            _ => None,
        };
        let overflow = if self.by_row { &self.rows.overflow } else { &self.page.overflow };
        if complete && (kind.is_none() || overflow.is_empty()) {
            return;
        }
        let count = picks.map_or(all.len(), <[u16]>::len);
        let mut whole = true;
        for at in 0..count {
            let place = picks.map_or(at, |picks| usize::from(picks[at]));
            let present = if self.by_row {
                self.rows.present[place]
            } else {
                self.page.present[place / 64] >> (place % 64) & 1 == 1
            };
            let bits = all.get(place);
            let has = match kind {
                _ if !present => Has::Nothing,
                Some(kind) if is_escape(kind, bits) => {
                    let row = source.row(place as u16);
                    self.overflow.push((at as u32, self.column.value_of(row, bits, overflow)));
                    Has::Overflow
                }
                _ => Has::Bits,
            };
            whole &= has == Has::Bits;
            self.has.push(has);
        }
        if whole {
            self.has.clear();
        }
    }

    /// The bits of the picked rows.
    pub(super) fn bits(&self) -> Packed<'_> {
        match (self.all, self.by_row) {
            (false, _) => Packed::plain(&self.picked),
            (true, true) => Packed::plain(&self.rows.bits),
            (true, false) => self.page.bits(),
        }
    }

    /// Whether every row has bits.
    pub(super) fn are_whole(&self) -> bool {
        self.has.is_empty()
    }
}
