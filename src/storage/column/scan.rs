//! Which rows meet a test: page by page, without a branch on what a cell holds.
//!
//! A test becomes runs of bits. A page whose zone no run touches is passed over, one whose zone lies in a run is taken as a whole; of the
//! others a copy of the cells is compared with the few runs that touch the zone, and 64 answers make a word of the row set.

use super::cells::Cells;
use super::packed::{Lanes, with_cells};
use super::page::{PAGE_WORDS, Page};
use super::read::RowCells;
use super::shared::Column;
use crate::limits::PAGE_ROWS;
use crate::record::Test;
use crate::rowset::{Row, RowSet};
use crate::sync;
use crate::value::{Kind, Value, ValueRef, saturated_bits};
use std::ops::Bound;

/// Both ends included.
pub(super) type Run = (u64, u64);

const PAGES_A_CHUNK: usize = (1 << 16) / PAGE_ROWS;
/// So many runs are compared with all cells one after the other; of more, each cell looks for its own.
const FEW_RUNS: usize = 8;
/// Values of a dictionary that are judged under one guard.
const DICTIONARY_SLICE: usize = 4_096;

/// Which bits meet a test.
struct Wanted<'a> {
    test: &'a Test,
    /// Ascending, with gaps between them. None of them has a sentinel.
    runs: Vec<Run>,
    /// Of codes with many runs: by code, 1 or 0.
    table: Vec<u8>,
}

impl Column {
    /// The rows whose value meets a test of single values: those of a missing value among them only if `IsNull` is asked, and then
    /// those without a record too. A part: read it before the marks.
    pub(crate) fn rows(&self, test: &Test) -> RowSet {
        let runs = self.runs(test);
        let table = if self.is_coded() && runs.len() > FEW_RUNS { table_of(&runs) } else { Vec::new() };
        let wanted = Wanted { test, runs, table };
        let mut lanes = Lanes::default();
        let mut pages = self.pages.pages().enumerate().peekable();
        let rows = RowSet::from_words(self.pages.len().div_ceil(PAGES_A_CHUNK), |chunk, words| {
            let mut any = 0;
            while let Some((number, page)) = pages.next_if(|(number, _)| number / PAGES_A_CHUNK == chunk) {
                let Some(met) = self.rows_of(page, &wanted, &mut lanes) else { continue };
                let first = number % PAGES_A_CHUNK * PAGE_ROWS;
                for (word, met) in words[first / 64..].iter_mut().zip(met) {
                    // The checkers' pages share a word.
                    *word |= met << (first % 64);
                    any |= met;
                }
            }
            any != 0
        });
        sync::fence_acquire();
        rows
    }

    /// Those of some rows whose cells meet a test. A part: read it before the marks. O(rows), a step or two to memory each, many at a
    /// time.
    pub(crate) fn rows_among(&self, rows: &RowSet, test: &Test) -> RowSet {
        let runs = if self.is_coded() { Vec::new() } else { self.runs(test) };
        let (mut cells, mut some, mut met) = (RowCells::default(), Vec::with_capacity(PAGE_ROWS), Vec::new());
        let mut rows = rows.iter();
        loop {
            some.clear();
            some.extend(rows.by_ref().take(PAGE_ROWS));
            if some.is_empty() {
                return RowSet::from_sorted(&met);
            }
            self.read_rows(&some, &mut cells);
            let RowCells { present, bits, beyond } = &cells;
            let all = some.iter().zip(bits).zip(present);
            if *test == Test::IsNull {
                met.extend(all.filter(|(_, present)| !**present).map(|((row, _), _)| *row));
            } else if self.is_coded() {
                self.with_dictionary(|values| {
                    let value = |code: u64| values.get(code as usize)?.as_ref();
                    let admits = |code: u64| value(code).is_some_and(|value| test.admits(value.as_ref()));
                    met.extend(
                        all.filter(|((_, code), present)| **present && admits(**code)).map(|((row, _), _)| *row),
                    );
                });
            } else {
                let admits = |row: Row, bits: u64| {
                    if self.is_sentinel(bits) {
                        return test.admits(self.value_of(row, bits, beyond).as_ref());
                    }
                    !touching(&runs, bits, bits).is_empty()
                };
                met.extend(
                    all.filter(|((row, bits), present)| **present && admits(**row, **bits)).map(|((row, _), _)| *row),
                );
            }
        }
    }

    /// The rows of a page, a bit each; `None` if there are none.
    fn rows_of(&self, page: &Page, wanted: &Wanted<'_>, lanes: &mut Lanes) -> Option<[u64; PAGE_WORDS]> {
        if *wanted.test == Test::IsNull {
            let all = u64::MAX >> (64 - PAGE_ROWS.min(64));
            return Some(page.present().map(|present| !present & all));
        }
        let (low, high) = page.zone()?;
        let near = touching(&wanted.runs, low, high);
        let sentinels = self.is_sentinel(low) || self.is_sentinel(high);
        if near.is_empty() && !sentinels {
            return None;
        }
        let present = page.present();
        if let [(from, to)] = near
            && *from <= low
            && high <= *to
        {
            return Some(present);
        }
        let mut met = wanted.compare(page.cells()?, near, lanes);
        met.iter_mut().zip(present).for_each(|(met, present)| *met &= present);
        if sentinels {
            page.each_beyond(|at, value| {
                if wanted.test.admits(value.as_ref()) {
                    met[at / 64] |= 1 << (at % 64);
                }
            });
        }
        Some(met)
    }

    /// Runs of bits, ascending and with gaps between them, of the values that meet a test; none with a sentinel.
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
            Test::IsNull | Test::Text(_) | Test::Any(_) | Test::All(_) | Test::HasNone => Vec::new(),
        };
        if matches!(self.kind, Kind::Int | Kind::Timestamp) {
            runs.iter_mut().for_each(|(from, to)| (*from, *to) = ((*from).max(1), (*to).min(u64::MAX - 1)));
            runs.retain(|(from, to)| from <= to);
        }
        runs
    }

    /// A code that is given to another value meanwhile is that of rows which have changed since: what is said of it is not looked at.
    fn runs_of_codes(&self, test: &Test) -> Vec<Run> {
        let (mut codes, mut from) = (Vec::new(), 0);
        while self.with_dictionary(|values| {
            let slice = values.get(from..values.len().min(from + DICTIONARY_SLICE)).unwrap_or_default();
            let meets = |value: &Option<Value>| test.admits(value.as_ref().map_or(ValueRef::Null, Value::as_ref));
            codes.extend(
                (from as u64..).zip(slice).filter(|(_, value)| value.is_some() && meets(value)).map(|(code, _)| code),
            );
            from += slice.len();
            !slice.is_empty()
        }) {}
        joined(codes)
    }
}

impl Wanted<'_> {
    /// Which cells meet the test, of those that do not hold a sentinel. `near` are the runs that touch the page.
    fn compare(&self, cells: &Cells, near: &[Run], lanes: &mut Lanes) -> [u64; PAGE_WORDS] {
        let mut met = [0; PAGE_WORDS * 64];
        if near.len() <= FEW_RUNS {
            let mut words = [0; PAGE_WORDS];
            for (from, to) in near {
                cells.between(*from, *to, &mut met[..PAGE_ROWS]);
                words.iter_mut().zip(gathered(&met)).for_each(|(word, more)| *word |= more);
            }
            return words;
        }
        cells.copy(lanes);
        let base = cells.base;
        with_cells!(lanes.above(base), |cells| if self.table.is_empty() {
            for (met, cell) in met.iter_mut().zip(cells) {
                let bits = base + u64::from(*cell);
                let after = near.partition_point(|(from, _)| *from <= bits);
                *met = u8::from(after > 0 && bits <= near[after - 1].1);
            }
        } else {
            for (met, code) in met.iter_mut().zip(cells) {
                *met = self.table.get((base + u64::from(*code)) as usize).copied().unwrap_or(0);
            }
        });
        gathered(&met)
    }
}

/// The runs that have bits from `low` to `high`.
pub(super) fn touching(runs: &[Run], low: u64, high: u64) -> &[Run] {
    let first = runs.partition_point(|(_, to)| *to < low);
    let end = runs.partition_point(|(from, _)| *from <= high);
    runs.get(first..end).unwrap_or_default()
}

/// Runs of strictly ascending bits.
fn joined(bits: Vec<u64>) -> Vec<Run> {
    bits.chunk_by(|a, b| b - a == 1).map(|run| (run[0], run[run.len() - 1])).collect()
}

/// By code, 1 or 0: whether it is in one of the runs.
fn table_of(runs: &[Run]) -> Vec<u8> {
    let mut table = vec![0; runs.last().map_or(0, |(_, to)| *to as usize + 1)];
    runs.iter().for_each(|(from, to)| table[*from as usize..=*to as usize].fill(1));
    table
}

/// The bits of a range, both ends included.
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

/// Answers of 1 or 0, 64 to a word: the multiplication moves the lowest bit of each of eight bytes into the highest byte.
fn gathered(met: &[u8; PAGE_WORDS * 64]) -> [u64; PAGE_WORDS] {
    let (eights, _) = met.as_chunks::<8>();
    let mut words = [0; PAGE_WORDS];
    for (word, eights) in words.iter_mut().zip(eights.as_chunks::<8>().0) {
        for (at, eight) in eights.iter().enumerate() {
            *word |= (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at);
        }
    }
    words
}
