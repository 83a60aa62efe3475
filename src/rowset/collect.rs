//! Builds a set from rows in any order, added some hundred at a time.
//!
//! Rows are buffered in the order of arrival. Once the buffer has some thousand rows and they are dense in their chunks,
//! they are set as bits, so that a wide range takes only the memory of its set and not 4 bytes a row in addition. Sparse
//! or few rows are sorted at the end, by radix: no branch predictor can guess how two random rows compare.

use super::chunk::Chunk;
use super::row::{Row, key};
use super::set::RowSet;
use super::slot::Slot;
use super::sorted;
use super::words::WORDS;

/// At this many rows a chunk, setting bits becomes faster than sorting.
const DENSE: usize = 1_024;
/// Number of buffered rows that are set as bits together.
const MARK_AT: usize = 16_384;
/// Up to this many rows are sorted by comparisons.
const COMPARE: usize = 512;

#[derive(Default)]
pub(crate) struct Collector {
    rows: Vec<Row>,
    /// Number of buffered rows when they were last found to be sparse.
    sparse_at: usize,
    /// The bits of adjacent whole chunks, starting with the chunk of key `first`; empty while the rows are sparse.
    words: Vec<u64>,
    first: usize,
}

impl Collector {
    pub(crate) fn new() -> Self {
        Collector::default()
    }

    /// A collector of all rows at once.
    pub(super) fn of(rows: Vec<Row>) -> Self {
        Collector { rows, ..Collector::default() }
    }

    /// The buffer to which callers append rows; they must not change the rows that it holds.
    pub(crate) fn buffer(&mut self) -> &mut Vec<Row> {
        if self.rows.len() >= MARK_AT.max(2 * self.sparse_at) {
            if self.words.is_empty() && !is_dense(&self.rows) {
                self.sparse_at = self.rows.len();
            } else {
                self.mark();
            }
        }
        &mut self.rows
    }

    /// Moves the buffered rows into the bits.
    fn mark(&mut self) {
        let Some((first, last)) = keys(&self.rows) else { return };
        if self.words.is_empty() {
            self.first = first;
        } else if first < self.first {
            let more = (self.first - first) * WORDS;
            self.words.splice(0..0, std::iter::repeat_n(0, more));
            self.first = first;
        }
        let len = (last + 1 - self.first) * WORDS;
        if len > self.words.len() {
            self.words.resize(len, 0);
        }
        let offset = self.first * WORDS;
        if sorted::is_ascending(&self.rows) {
            mark_ascending(&mut self.words, offset, &self.rows);
        } else {
            self.rows.iter().for_each(|row| self.words[(row >> 6) as usize - offset] |= 1 << (row & 63));
        }
        self.rows.clear();
    }

    pub(crate) fn finish(mut self) -> RowSet {
        if self.words.is_empty() {
            if sorted::is_ascending(&self.rows) {
                return RowSet::from_sorted(&self.rows);
            }
            if self.rows.len() <= COMPARE || !is_dense(&self.rows) {
                sort(&mut self.rows);
                self.rows.dedup();
                return RowSet::from_sorted(&self.rows);
            }
        }
        self.mark();
        let (chunks, _) = self.words.as_chunks();
        let slots = (self.first..).zip(chunks);
        RowSet::from_slots(slots.filter_map(|(key, words)| Slot::new(key as u16, Chunk::of_words(words))).collect())
    }
}

/// The lowest and the highest chunk key of the rows.
fn keys(rows: &[Row]) -> Option<(usize, usize)> {
    let (min, max) = rows.iter().fold((Row::MAX, 0), |(min, max), row| (min.min(*row), max.max(*row)));
    (!rows.is_empty()).then(|| (key(min).into(), key(max).into()))
}

fn is_dense(rows: &[Row]) -> bool {
    keys(rows).is_some_and(|(first, last)| rows.len() >= (last + 1 - first) * DENSE)
}

/// Sets the bits of ascending rows in words whose first bit is the row `64 * offset`. Gathers the bits of one word in a
/// register, because each change of a word in memory waits for the one before.
fn mark_ascending(words: &mut [u64], offset: usize, rows: &[Row]) {
    let place = |row: Row| (row >> 6) as usize - offset;
    let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else { return };
    if (last - first) as usize + 1 == rows.len() {
        // No gaps, as in an index whose values grow with the rows.
        let (start, end) = (place(first), place(last));
        let (head, tail) = (u64::MAX << (first & 63), u64::MAX >> (63 - (last & 63)));
        if start == end {
            words[start] |= head & tail;
        } else {
            words[start] |= head;
            words[start + 1..end].fill(u64::MAX);
            words[end] |= tail;
        }
        return;
    }
    let (mut at, mut bits) = (place(first), 0);
    for row in rows {
        if place(*row) != at {
            words[at] |= bits;
            (at, bits) = (place(*row), 0);
        }
        bits |= 1 << (row & 63);
    }
    words[at] |= bits;
}

/// Radix sort, lowest digit first, over the digits that the highest row has.
fn sort(rows: &mut Vec<Row>) {
    const DIGIT: usize = 11;
    if rows.len() <= COMPARE {
        return rows.sort_unstable();
    }
    let all = rows.iter().fold(0, |all, row| all | row);
    let mut sorted = vec![0; rows.len()];
    for shift in (0..Row::BITS - all.leading_zeros()).step_by(DIGIT) {
        let digit = |row: &Row| (row >> shift) as usize % (1 << DIGIT);
        let mut next = [0_u32; 1 << DIGIT];
        rows.iter().for_each(|row| next[digit(row)] += 1);
        let mut end = 0;
        for next in &mut next {
            end += std::mem::replace(next, end);
        }
        for row in &*rows {
            let next = &mut next[digit(row)];
            sorted[*next as usize] = *row;
            *next += 1;
        }
        std::mem::swap(rows, &mut sorted);
    }
}
