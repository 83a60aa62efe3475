//! Finds the rows that match a test, page by page, without a branch on the content of a cell.
//!
//! A test becomes runs of bits. A page is skipped if no run touches its zone, and matches as a whole if its zone lies
//! in a run. For the other pages a copy of the cells is compared with the few runs that touch the zone, and 64 results
//! make one word of the row set.

use super::cells::Cells;
use super::packed::{Lanes, with_cells};
use super::page::{PAGE_WORDS, Page};
use super::read::RowCells;
use super::shared::Column;
use crate::limits::PAGE_ROWS;
use crate::record::Test;
use crate::rowset::{Row, RowSet};
use crate::sync;
use memdex_query::value::{Kind, Value, ValueRef, saturated_bits};
use std::ops::Bound;

/// A range of bits; both ends are included.
pub(super) type Run = (u64, u64);

const PAGES_A_CHUNK: usize = (1 << 16) / PAGE_ROWS;
/// Up to this many runs are compared with all cells one by one; with more, each cell searches for its run.
const FEW_RUNS: usize = 8;
/// Number of dictionary values on which a test is evaluated under one guard.
const DICTIONARY_SLICE: usize = 4_096;

/// The bits that match a test.
struct Scan<'a> {
    test: &'a Test,
    /// Ascending, with gaps between them, and without escapes.
    runs: Vec<Run>,
    /// For codes with many runs: 1 or 0 by code. Else empty.
    table: Vec<u8>,
}

impl Column {
    /// The rows whose value matches a test of single values. Rows without a value match only `IsNull`, and then rows without
    /// a record match too. Callers load the marks afterwards.
    pub(crate) fn rows(&self, test: &Test) -> RowSet {
        let runs = self.runs(test);
        let table = if self.is_coded() && runs.len() > FEW_RUNS { table_of(&runs) } else { Vec::new() };
        let scan = Scan { test, runs, table };
        let mut lanes = Lanes::default();
        let list = self.pages();
        let mut pages = list.pages().enumerate().peekable();
        let rows = RowSet::from_words(list.len().div_ceil(PAGES_A_CHUNK), |chunk, words| {
            let mut any = 0;
            while let Some((number, page)) = pages.next_if(|(number, _)| number / PAGES_A_CHUNK == chunk) {
                let Some(matches) = self.rows_of(page, &scan, &mut lanes) else { continue };
                let first = number % PAGES_A_CHUNK * PAGE_ROWS;
                for (word, matches) in words[first / 64..].iter_mut().zip(matches) {
                    // The small pages of concurrency checkers share a word.
                    *word |= matches << (first % 64);
                    any |= matches;
                }
            }
            any != 0
        });
        sync::fence_acquire();
        rows
    }

    /// The candidate rows whose cells match a test. Callers load the marks afterwards. O(rows), with one or two memory
    /// accesses a row, many of which overlap.
    pub(crate) fn rows_among(&self, candidates: &RowSet, test: &Test) -> RowSet {
        let runs = if self.is_coded() { Vec::new() } else { self.runs(test) };
        let (mut cells, mut rows, mut matches) = (RowCells::default(), Vec::with_capacity(PAGE_ROWS), Vec::new());
        let mut candidates = candidates.iter();
        loop {
            rows.clear();
            rows.extend(candidates.by_ref().take(PAGE_ROWS));
            if rows.is_empty() {
                return RowSet::from_sorted(&matches);
            }
            self.read_rows(&rows, &mut cells);
            let RowCells { present, bits, overflow } = &cells;
            let all = rows.iter().zip(bits).zip(present);
            if *test == Test::IsNull {
                matches.extend(all.filter(|(_, present)| !**present).map(|((row, _), _)| *row));
            } else if self.is_coded() {
                self.with_dictionary(|values| {
                    let value = |code: u64| values.get(code as usize)?.as_ref();
                    let admits = |code: u64| value(code).is_some_and(|value| test.admits(value.as_ref()));
                    matches.extend(
                        all.filter(|((_, code), present)| **present && admits(**code)).map(|((row, _), _)| *row),
                    );
                });
            } else {
                let admits = |row: Row, bits: u64| {
                    if self.is_escape(bits) {
                        return test.admits(self.value_of(row, bits, overflow).as_ref());
                    }
                    !touching(&runs, bits, bits).is_empty()
                };
                matches.extend(
                    all.filter(|((row, bits), present)| **present && admits(**row, **bits)).map(|((row, _), _)| *row),
                );
            }
        }
    }

    /// A bitmap of the matching rows of a page; `None` if no row matches.
    fn rows_of(&self, page: Option<&Page>, scan: &Scan<'_>, lanes: &mut Lanes) -> Option<[u64; PAGE_WORDS]> {
        if *scan.test == Test::IsNull {
            let all = u64::MAX >> (64 - PAGE_ROWS.min(64));
            return Some(page.map_or([0; PAGE_WORDS], Page::present).map(|present| !present & all));
        }
        let page = page?;
        let (low, high) = page.zone()?;
        let near = touching(&scan.runs, low, high);
        let escapes = self.is_escape(low) || self.is_escape(high);
        if near.is_empty() && !escapes {
            return None;
        }
        let present = page.present();
        if let [(from, to)] = near
            && *from <= low
            && high <= *to
        {
            return Some(present);
        }
        let mut matches = scan.compare(page.cells()?, near, lanes);
        matches.iter_mut().zip(present).for_each(|(matches, present)| *matches &= present);
        if escapes {
            page.each_overflow(|at, value| {
                if scan.test.admits(value.as_ref()) {
                    matches[at / 64] |= 1 << (at % 64);
                }
            });
        }
        Some(matches)
    }

    /// The runs of bits of the values that match a test: ascending, with gaps between them, without escapes.
    pub(super) fn runs(&self, test: &Test) -> Vec<Run> {
        let mut runs = match test {
            _ if self.is_coded() => return self.runs_of_codes(test),
            Test::Eq(value) => saturated_bits(value.as_ref()).map(|bits| (bits, bits)).into_iter().collect(),
            Test::Ne(value) => match saturated_bits(value.as_ref()) {
                Some(bits) => {
                    let below = bits.checked_sub(1).map(|to| (0, to));
                    below.into_iter().chain(bits.checked_add(1).map(|from| (from, u64::MAX))).collect()
                }
                None => vec![(0, u64::MAX)],
            },
            Test::In(values) => {
                let mut bits: Vec<u64> = values.iter().filter_map(|value| saturated_bits(value.as_ref())).collect();
                bits.sort_unstable();
                bits.dedup();
                joined(bits)
            }
            Test::Range(from, to) => range(from, to).into_iter().collect(),
            Test::IsNull | Test::Text(_) | Test::Has(_) | Test::Any(_) | Test::All(_) | Test::HasNone => Vec::new(),
        };
        if matches!(self.kind, Kind::Int | Kind::Timestamp) {
            runs.iter_mut().for_each(|(from, to)| (*from, *to) = ((*from).max(1), (*to).min(u64::MAX - 1)));
            runs.retain(|(from, to)| from <= to);
        }
        runs
    }

    /// If a code is reassigned during the scan, its rows have changed since the reader's commit, so the marks exclude them.
    fn runs_of_codes(&self, test: &Test) -> Vec<Run> {
        let (mut codes, mut from) = (Vec::new(), 0);
        while self.with_dictionary(|values| {
            let slice = values.get(from..values.len().min(from + DICTIONARY_SLICE)).unwrap_or_default();
            let matches = |value: &Option<Value>| test.admits(value.as_ref().map_or(ValueRef::Null, Value::as_ref));
            codes.extend(
                (from as u64..).zip(slice).filter(|(_, value)| value.is_some() && matches(value)).map(|(code, _)| code),
            );
            from += slice.len();
            !slice.is_empty()
        }) {}
        joined(codes)
    }
}

impl Scan<'_> {
    /// A bitmap of the cells that match the test; escapes don't match. `near` are the runs that touch the page's zone.
    fn compare(&self, cells: &Cells, near: &[Run], lanes: &mut Lanes) -> [u64; PAGE_WORDS] {
        let mut matches = [0; PAGE_WORDS * 64];
        if near.len() <= FEW_RUNS {
            let mut words = [0; PAGE_WORDS];
            for (from, to) in near {
                cells.between(*from, *to, &mut matches[..PAGE_ROWS]);
                words.iter_mut().zip(packed_bits(&matches)).for_each(|(word, more)| *word |= more);
            }
            return words;
        }
        cells.copy(lanes);
        let base = cells.base;
        with_cells!(lanes.above(base), |cells| if self.table.is_empty() {
            for (matches, cell) in matches.iter_mut().zip(cells) {
                let bits = base + u64::from(*cell);
                let after = near.partition_point(|(from, _)| *from <= bits);
                *matches = u8::from(after > 0 && bits <= near[after - 1].1);
            }
        } else {
            for (matches, code) in matches.iter_mut().zip(cells) {
                *matches = self.table.get((base + u64::from(*code)) as usize).copied().unwrap_or(0);
            }
        });
        packed_bits(&matches)
    }
}

/// The runs that overlap `low..=high`.
pub(super) fn touching(runs: &[Run], low: u64, high: u64) -> &[Run] {
    let first = runs.partition_point(|(_, to)| *to < low);
    let end = runs.partition_point(|(from, _)| *from <= high);
    runs.get(first..end).unwrap_or_default()
}

/// The runs of strictly ascending bits.
fn joined(bits: Vec<u64>) -> Vec<Run> {
    bits.chunk_by(|a, b| b - a == 1).map(|run| (run[0], run[run.len() - 1])).collect()
}

/// By code, 1 if a run contains it, else 0.
fn table_of(runs: &[Run]) -> Vec<u8> {
    let mut table = vec![0; runs.last().map_or(0, |(_, to)| *to as usize + 1)];
    runs.iter().for_each(|(from, to)| table[*from as usize..=*to as usize].fill(1));
    table
}

/// The run of a range of values; `None` if it is empty.
fn range(from: &Bound<Value>, to: &Bound<Value>) -> Option<Run> {
    let bits = |value: &Value| saturated_bits(value.as_ref());
    let low = match from {
        Bound::Unbounded => 0,
        Bound::Included(value) => bits(value)?,
        Bound::Excluded(value) => bits(value)?.checked_add(1)?,
    };
    let high = match to {
        Bound::Unbounded => u64::MAX,
        Bound::Included(value) => bits(value)?,
        Bound::Excluded(value) => bits(value)?.checked_sub(1)?,
    };
    (low <= high).then_some((low, high))
}

/// Packs 64 results of 1 or 0 into each word: the multiplication moves the lowest bit of each of eight bytes into the
/// highest byte.
fn packed_bits(matches: &[u8; PAGE_WORDS * 64]) -> [u64; PAGE_WORDS] {
    let (eights, _) = matches.as_chunks::<8>();
    let mut words = [0; PAGE_WORDS];
    for (word, eights) in words.iter_mut().zip(eights.as_chunks::<8>().0) {
        for (at, eight) in eights.iter().enumerate() {
            *word |= (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at);
        }
    }
    words
}
