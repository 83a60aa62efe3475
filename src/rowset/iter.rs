//! Reads a set in order.
//!
//! The iterator holds the remaining slots and a cursor into the current chunk. In a bitmap the cursor is the rest of one
//! word, whose lowest bit is cleared at each step, so that an empty word costs one test. The exact number of remaining
//! rows is known, so `collect` allocates once; `fold` (and with it `for_each`, `sum`, `count`) runs a plain loop per chunk.

use super::chunk::Chunk;
use super::row::Row;
use super::set::{Repr, RowSet};
use super::slot::Slot;
use std::slice;

/// Ascending iterator over the rows of a set.
#[derive(Clone)]
pub(crate) struct Iter<'a> {
    left: usize,
    cursor: Cursor<'a>,
    slots: slice::Iter<'a, Slot>,
}

#[derive(Clone)]
enum Cursor<'a> {
    Tiny(slice::Iter<'a, Row>),
    Array {
        base: Row,
        lows: slice::Iter<'a, u16>,
    },
    /// `base` is the row of the lowest bit of `word`; `words` are those after it.
    Bitmap {
        base: Row,
        word: u64,
        words: slice::Iter<'a, u64>,
    },
}

impl<'a> Cursor<'a> {
    fn of(slot: &'a Slot) -> Self {
        let base = slot.base();
        match slot.chunk() {
            Chunk::Array(array) => Cursor::Array { base, lows: array.iter() },
            Chunk::Bitmap(bits) => {
                let mut words = bits.words().iter();
                let word = words.next().copied().unwrap_or(0);
                Cursor::Bitmap { base, word, words }
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Option<Row> {
        match self {
            Cursor::Tiny(rows) => rows.next().copied(),
            Cursor::Array { base, lows } => lows.next().map(|&low| *base | Row::from(low)),
            Cursor::Bitmap { base, word, words } => {
                while *word == 0 {
                    *word = *words.next()?;
                    // Cannot overflow: this is a word of the same chunk.
                    *base += 64;
                }
                let row = *base + word.trailing_zeros();
                *word &= *word - 1;
                Some(row)
            }
        }
    }

    #[inline]
    fn fold<B>(self, init: B, mut f: impl FnMut(B, Row) -> B) -> B {
        match self {
            Cursor::Tiny(rows) => rows.copied().fold(init, f),
            Cursor::Array { base, lows } => lows.fold(init, |acc, &low| f(acc, base | Row::from(low))),
            Cursor::Bitmap { mut base, mut word, mut words } => {
                let mut acc = init;
                loop {
                    while word != 0 {
                        acc = f(acc, base + word.trailing_zeros());
                        word &= word - 1;
                    }
                    match words.next() {
                        Some(&next) => (word, base) = (next, base + 64),
                        None => return acc,
                    }
                }
            }
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = Row;

    #[inline]
    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.cursor.next() {
                self.left -= 1;
                return Some(row);
            }
            self.cursor = Cursor::of(self.slots.next()?);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    fn fold<B, F: FnMut(B, Row) -> B>(self, init: B, mut f: F) -> B {
        let acc = self.cursor.fold(init, &mut f);
        self.slots.fold(acc, |acc, slot| Cursor::of(slot).fold(acc, &mut f))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl RowSet {
    /// The rows, ascending.
    pub(crate) fn iter(&self) -> Iter<'_> {
        let (rows, slots): (&[Row], &[Slot]) = match &self.repr {
            Repr::Tiny(rows) => (rows, &[]),
            Repr::Slots(slots) => (&[], slots),
        };
        Iter { left: self.len(), cursor: Cursor::Tiny(rows.iter()), slots: slots.iter() }
    }
}

impl<'a> IntoIterator for &'a RowSet {
    type Item = Row;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
