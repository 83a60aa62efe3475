//! A column: the values of one field side by side, by row, as of the newest commit, so that looking at all of them reads no record.
//!
//! Values of kinds that need no more are kept in 64 bits whose order is theirs; others as codes of a dictionary, which readers look
//! up beside the page. A code that no row has any longer is retired, and given to another value only once no reader can stand
//! on a commit in which some row had it.

use super::segments::Segments;
use super::table::Backlog;
use super::timeline::newest_within;
use crate::error::Commit;
use crate::hash::{self, RandomState, spread};
use crate::limits::PAGE_ROWS;
use crate::record::{FieldDef, Test};
use crate::rowset::{Row, RowSet};
use crate::sync::RwLock;
use crate::value::{Value, ValueRef, narrow_bits};
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::ops::Bound;

/// No value, or no record.
const MISSING: u32 = 0;
/// Set in a provisional code.
const NEW: u32 = 1 << 31;

/// What readers share.
pub(crate) struct Column {
    pub(crate) field: usize,
    narrow: bool,
    pages: Segments<Page>,
    /// By code, the first one is [`MISSING`]; `None` is free.
    dictionary: RwLock<Vec<Option<Value>>>,
}

#[repr(align(64))]
struct Page(RwLock<Cells>);

enum Cells {
    /// No row of the page has a value yet: no memory is taken for it.
    Empty,
    Narrow {
        bits: Box<[u64]>,
        present: Box<[bool]>,
    },
    Coded(Box<[u32]>),
}

/// One cell as a commit writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Missing,
    Bits(u64),
    Code(u32),
}

/// What the committer knows of a column, and what the batch at hand brings to it.
#[derive(Default)]
pub(crate) struct ColumnWriter {
    /// Codes, by the hashes of their values.
    codes: HashTable<u32>,
    /// By code: how many rows have it, and the hash of its value.
    counts: Vec<(u32, u32)>,
    free: Vec<u32>,
    /// Codes that have lost their last row, each once.
    retired: Vec<u32>,
    /// By code: in which commits some row had it.
    used: Vec<Used>,
    /// Retired codes, filed under a pinned commit in which some row had them.
    kept: BTreeMap<Commit, Vec<u32>>,
    new: Vec<(u32, Value)>,
    /// The cell of each change of the batch.
    pub(crate) cells: Vec<Cell>,
}

/// From the commit that gave a code out to the one that took it from its last row.
#[derive(Clone, Copy, Default)]
struct Used {
    since: Commit,
    until: Commit,
    /// It is among the retired or kept ones.
    filed: bool,
}

impl Column {
    pub(crate) fn new(position: usize, field: &FieldDef) -> (Self, ColumnWriter) {
        let narrow = field.fits_64_bits();
        let column = Column {
            field: position,
            narrow,
            pages: Segments::new(),
            dictionary: RwLock::new(if narrow { Vec::new() } else { vec![None] }),
        };
        let writer = ColumnWriter { counts: vec![(0, 0)], used: vec![Used::default()], ..ColumnWriter::default() };
        (column, writer)
    }

    fn cells(&self) -> Cells {
        if self.narrow {
            Cells::Narrow { bits: vec![0; PAGE_ROWS].into(), present: vec![false; PAGE_ROWS].into() }
        } else {
            Cells::Coded(vec![MISSING; PAGE_ROWS].into())
        }
    }

    /// The cell of a value, provisional if the value is new. Nothing is given out.
    pub(crate) fn stage(&self, writer: &mut ColumnWriter, seed: &RandomState, value: ValueRef<'_>) -> Cell {
        if value.is_null() {
            return Cell::Missing;
        }
        if self.narrow {
            return narrow_bits(value).map_or(Cell::Missing, Cell::Bits);
        }
        let hash = hash::short(seed, &value);
        let dictionary = self.dictionary.read();
        let of = |code: u32| match code & NEW {
            0 => dictionary[code as usize].as_ref().map(Value::as_ref),
            _ => Some(writer.new[(code & !NEW) as usize].1.as_ref()),
        };
        if let Some(code) = writer.codes.find(spread(hash), |code| of(*code) == Some(value)) {
            return Cell::Code(*code);
        }
        drop(dictionary);
        let code = NEW | writer.new.len() as u32;
        writer.new.push((hash, value.to_value()));
        let ColumnWriter { codes, counts, new, .. } = writer;
        codes.insert_unique(spread(hash), code, |code| spread(hash_of(counts, new, *code)));
        Cell::Code(code)
    }

    /// Gives out codes for the new values. After the last refusal.
    pub(crate) fn admit(&self, writer: &mut ColumnWriter, commit: Commit) {
        if writer.new.is_empty() {
            return;
        }
        let mut dictionary = self.dictionary.write();
        let mut admitted = Vec::with_capacity(writer.new.len());
        for (at, (hash, value)) in std::mem::take(&mut writer.new).into_iter().enumerate() {
            let code = writer.free.pop().unwrap_or(writer.counts.len() as u32);
            if code as usize == writer.counts.len() {
                writer.counts.push((0, 0));
                writer.used.push(Used::default());
                dictionary.push(None);
            }
            writer.counts[code as usize] = (0, hash);
            writer.used[code as usize] = Used { since: commit, ..Used::default() };
            dictionary[code as usize] = Some(value);
            if let Some(entry) = writer.codes.find_mut(spread(hash), |known| *known == NEW | at as u32) {
                *entry = code;
            }
            admitted.push(code);
        }
        for cell in &mut writer.cells {
            match cell {
                Cell::Code(code) if *code & NEW != 0 => *code = admitted[(*code & !NEW) as usize],
                _ => {}
            }
        }
    }

    /// Writes cells, given with their rows, which ascend; one guard a page.
    pub(crate) fn apply(&self, writer: &mut ColumnWriter, commit: Commit, cells: &[(Row, Cell)]) {
        debug_assert!(cells.is_sorted_by_key(|(row, _)| *row));
        for of_page in cells.chunk_by(|a, b| a.0 as usize / PAGE_ROWS == b.0 as usize / PAGE_ROWS) {
            let page = self.pages.page_to_write(of_page[0].0 as usize / PAGE_ROWS, || Page(RwLock::new(Cells::Empty)));
            let mut page = page.0.write();
            if matches!(*page, Cells::Empty) {
                *page = self.cells();
            }
            for (row, cell) in of_page {
                let at = *row as usize % PAGE_ROWS;
                match &mut *page {
                    Cells::Empty => {}
                    Cells::Narrow { bits, present } => {
                        present[at] = *cell != Cell::Missing;
                        bits[at] = if let Cell::Bits(own) = cell { *own } else { 0 };
                    }
                    Cells::Coded(codes) => {
                        let code = if let Cell::Code(code) = cell { *code } else { MISSING };
                        let before = std::mem::replace(&mut codes[at], code);
                        writer.moved(before, code, commit);
                    }
                }
            }
        }
    }

    /// Frees retired codes that no pinned commit saw in use, and files the others under one that did; of those filed under commits
    /// that nobody pins any longer at most `budget`.
    pub(crate) fn settle(&self, writer: &mut ColumnWriter, pinned: &[Commit], budget: &mut usize) -> Backlog {
        let retired = std::mem::take(&mut writer.retired);
        self.free(writer, retired, pinned);
        while *budget > 0 {
            let Some(&pin) = writer.kept.keys().find(|pin| pinned.binary_search(pin).is_err()) else { break };
            let Some(codes) = writer.kept.get_mut(&pin) else { break };
            let slice = codes.split_off(codes.len().saturating_sub(*budget));
            if codes.is_empty() {
                writer.kept.remove(&pin);
            }
            *budget -= slice.len();
            self.free(writer, slice, pinned);
        }
        if writer.kept.keys().any(|pin| pinned.binary_search(pin).is_err()) {
            Backlog::CutShort
        } else if writer.kept.is_empty() {
            Backlog::Nothing
        } else {
            Backlog::Pinned
        }
    }

    fn free(&self, writer: &mut ColumnWriter, retired: Vec<u32>, pinned: &[Commit]) {
        let mut dictionary = None;
        for code in retired {
            let (count, hash) = writer.counts[code as usize];
            let used = &mut writer.used[code as usize];
            used.filed = false;
            if count > 0 {
                // Some row has it again; it will be retired anew.
                continue;
            }
            if let Some(pin) = newest_within(pinned, used.since, used.until) {
                used.filed = true;
                writer.kept.entry(pin).or_default().push(code);
            } else if let Ok(entry) = writer.codes.find_entry(spread(hash), |known| *known == code) {
                entry.remove();
                dictionary.get_or_insert_with(|| self.dictionary.write())[code as usize] = None;
                writer.free.push(code);
            }
        }
    }

    /// The rows whose value meets a test of single values: those of a missing value among them only if `IsNull` is asked, and then
    /// those without a record too. A part: read it before the marks.
    pub(crate) fn rows(&self, test: &Test) -> RowSet {
        let mut rows = Vec::new();
        let mut codes: Box<[u32]> = std::iter::repeat_n(MISSING, PAGE_ROWS).collect();
        // By code: whether it meets the test.
        let mut known: Vec<Option<bool>> = Vec::new();
        for (number, page) in self.pages.pages().enumerate() {
            let first = (number * PAGE_ROWS) as Row;
            let cells = page.0.read();
            match &*cells {
                Cells::Empty if *test == Test::IsNull => rows.extend(first..first + PAGE_ROWS as Row),
                Cells::Empty => {}
                Cells::Narrow { bits, present } => {
                    let meets = bits_meet(test);
                    let met =
                        bits.iter().zip(present).enumerate().filter(|(_, (bits, present))| {
                            if **present { meets(**bits) } else { *test == Test::IsNull }
                        });
                    rows.extend(met.map(|(at, _)| first + at as Row));
                }
                Cells::Coded(of_page) => {
                    codes.copy_from_slice(of_page);
                    drop(cells);
                    // A code that is gone is that of a row which has changed since: what it says is not looked at.
                    let dictionary = self.dictionary.read();
                    known.resize(dictionary.len(), None);
                    let met = codes.iter().enumerate().filter(|(_, code)| {
                        let value = || dictionary[**code as usize].as_ref().map_or(ValueRef::Null, Value::as_ref);
                        known
                            .get_mut(**code as usize)
                            .is_some_and(|met| *met.get_or_insert_with(|| test.admits(value())))
                    });
                    rows.extend(met.map(|(at, _)| first + at as Row));
                }
            }
        }
        RowSet::from_sorted(&rows)
    }

    /// Gives back the codes at the end that no row has, and room that is not used. (Readers have no such code: it was free only once
    /// no pin lay before the commit that took it from its last row.) Under the commit lock.
    pub(crate) fn tidy(&self, writer: &mut ColumnWriter) {
        // Provisional codes of a refused batch mean nothing without its values.
        writer.clear();
        let ColumnWriter { codes, counts, used, free, .. } = writer;
        let mut dictionary = self.dictionary.write();
        while dictionary.len() > 1 && dictionary.last().is_some_and(Option::is_none) {
            dictionary.pop();
            counts.pop();
            used.pop();
        }
        free.retain(|code| (*code as usize) < dictionary.len());
        dictionary.shrink_to_fit();
        drop(dictionary);
        codes.shrink_to_fit(|code| spread(counts[*code as usize].1));
        counts.shrink_to_fit();
        used.shrink_to_fit();
        free.shrink_to_fit();
        writer.retired.shrink_to_fit();
        (writer.cells, writer.new) = (Vec::new(), Vec::new());
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let page = if self.narrow { 9 } else { 4 } * PAGE_ROWS + size_of::<Page>();
        let dictionary = self.dictionary.read();
        let values: usize = dictionary.iter().flatten().map(Value::heap_bytes).sum();
        let pages = self.pages.pages().filter(|page| !matches!(*page.0.read(), Cells::Empty)).count();
        pages * page + dictionary.capacity() * size_of::<Option<Value>>() + values
    }

    /// Shows each row's value, missing ones included; for audits.
    pub(crate) fn audit(&self, mut look: impl FnMut(Row, Cell, Option<&Value>)) {
        let dictionary = self.dictionary.read();
        for (number, page) in self.pages.pages().enumerate() {
            let cells = page.0.read();
            for at in 0..PAGE_ROWS {
                let row = (number * PAGE_ROWS + at) as Row;
                match &*cells {
                    Cells::Narrow { bits, present } if present[at] => look(row, Cell::Bits(bits[at]), None),
                    Cells::Coded(codes) if codes[at] != MISSING => {
                        look(row, Cell::Code(codes[at]), dictionary[codes[at] as usize].as_ref());
                    }
                    _ => look(row, Cell::Missing, None),
                }
            }
        }
    }
}

impl ColumnWriter {
    /// Forgets an earlier batch, refused or not.
    pub(crate) fn clear(&mut self) {
        for (at, (hash, _)) in self.new.iter().enumerate() {
            if let Ok(entry) = self.codes.find_entry(spread(*hash), |code| *code == NEW | at as u32) {
                entry.remove();
            }
        }
        self.new.clear();
        self.cells.clear();
    }

    fn moved(&mut self, before: u32, after: u32, commit: Commit) {
        if before == after {
            return;
        }
        if after != MISSING {
            self.counts[after as usize].0 += 1;
        }
        if before != MISSING {
            let (count, _) = &mut self.counts[before as usize];
            *count -= 1;
            if *count == 0 {
                let used = &mut self.used[before as usize];
                used.until = commit;
                if !std::mem::replace(&mut used.filed, true) {
                    self.retired.push(before);
                }
            }
        }
    }

    /// How many rows have each code that any has; for audits.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u32, u32)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, (count, _))| *count > 0)
            .map(|(code, (count, _))| (code as u32, *count))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.codes.allocation_size()
            + self.counts.capacity() * 8
            + self.used.capacity() * size_of::<Used>()
            + (self.free.capacity() + self.retired.capacity()) * 4
            + self.kept.values().map(|codes| codes.capacity() * 4).sum::<usize>()
    }
}

fn hash_of(counts: &[(u32, u32)], new: &[(u32, Value)], code: u32) -> u32 {
    if code & NEW == 0 { counts[code as usize].1 } else { new[(code & !NEW) as usize].0 }
}

/// A test of present values in 64 bits.
fn bits_meet(test: &Test) -> impl Fn(u64) -> bool {
    // From and to, both included, less a single one; `None` is nothing at all.
    let (mut range, mut but, mut listed) = (None, None, None);
    match test {
        Test::Eq(value) => range = narrow_bits(value.as_ref()).map(|bits| (bits, bits)),
        Test::Ne(value) => (range, but) = (Some((0, u64::MAX)), narrow_bits(value.as_ref())),
        Test::In(values) => {
            let mut bits: Vec<u64> = values.iter().filter_map(|value| narrow_bits(value.as_ref())).collect();
            bits.sort_unstable();
            listed = Some(bits);
        }
        Test::Range(from, to) => range = narrow_range(from, to),
        // No text takes 64 bits.
        Test::Text(_) | Test::IsNull | Test::Any(_) | Test::All(_) | Test::HasNone => {}
    }
    move |bits| match (&listed, range) {
        (Some(listed), _) => listed.binary_search(&bits).is_ok(),
        (None, Some((from, to))) => from <= bits && bits <= to && but != Some(bits),
        (None, None) => false,
    }
}

/// The bits of a range, both ends included. An integer beyond 64 bits lies above or below all that fit.
fn narrow_range(from: &Bound<Value>, to: &Bound<Value>) -> Option<(u64, u64)> {
    let above = |value: &Value| value.as_ref() > ValueRef::Int(0);
    let low = match from {
        Bound::Unbounded => 0,
        Bound::Included(value) | Bound::Excluded(value) => match narrow_bits(value.as_ref()) {
            Some(bits) if matches!(from, Bound::Excluded(_)) => bits.checked_add(1)?,
            Some(bits) => bits,
            None if above(value) => return None,
            None => 0,
        },
    };
    let high = match to {
        Bound::Unbounded => u64::MAX,
        Bound::Included(value) | Bound::Excluded(value) => match narrow_bits(value.as_ref()) {
            Some(bits) if matches!(to, Bound::Excluded(_)) => bits.checked_sub(1)?,
            Some(bits) => bits,
            None if above(value) => u64::MAX,
            None => return None,
        },
    };
    (low <= high).then_some((low, high))
}
