//! The content of a dense chunk: 65,536 bits (8 KiB) and the number of set bits.
//!
//! Invariant: `len` is the number of set bits. Changing one bit costs one word; operations on whole bitmaps count while
//! they write (see `popcount`).

use super::popcount;
use super::row::{Row, low};
use super::words::{Words, each_bit, has, mark, place, to_array, zeroed};

/// Runs of at least this many rows are set without counting; the bitmap is counted afterwards.
const COUNT_AFTER: usize = 1024;

/// A bitmap that knows its cardinality.
#[derive(Clone)]
pub(super) struct Bitmap {
    words: Box<Words>,
    len: u32,
}

impl Bitmap {
    pub(super) fn new() -> Self {
        Bitmap { words: zeroed(), len: 0 }
    }

    /// The bits of a strictly ascending array.
    pub(super) fn from_array(array: &[u16]) -> Self {
        let mut words = zeroed();
        mark(&mut words, array.iter().copied());
        Bitmap { words, len: array.len() as u32 }
    }

    /// Takes ownership of words with `len` bits set.
    pub(super) fn from_words(words: Box<Words>, len: u32) -> Self {
        debug_assert_eq!(popcount::count(&words), len);
        Bitmap { words, len }
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    #[inline]
    pub(super) fn contains(&self, low: u16) -> bool {
        has(&self.words, low)
    }

    /// Sets a bit, whether or not it was set.
    #[inline]
    pub(super) fn set(&mut self, low: u16) {
        let (word, mask) = place(low);
        let word = &mut self.words[word];
        self.len += u32::from(*word & mask == 0);
        *word |= mask;
    }

    /// Clears a bit, whether or not it was set.
    #[inline]
    pub(super) fn clear(&mut self, low: u16) {
        let (word, mask) = place(low);
        let word = &mut self.words[word];
        self.len -= u32::from(*word & mask != 0);
        *word &= !mask;
    }

    /// Sets the bits of `lows`.
    pub(super) fn set_all(&mut self, lows: impl IntoIterator<Item = u16>) {
        lows.into_iter().for_each(|low| self.set(low));
    }

    /// Sets the bits of a strictly ascending run of rows of one key.
    pub(super) fn set_run(&mut self, run: &[Row]) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        if (last - first) as usize + 1 == run.len() {
            self.set_range(low(first), low(last));
        } else if run.len() < COUNT_AFTER {
            self.set_all(run.iter().map(low));
        } else {
            mark_run(&mut self.words, run);
            self.len = popcount::count(&self.words);
        }
    }

    /// Sets the bits `first..=last`; `last` must not be below `first`.
    fn set_range(&mut self, first: u16, last: u16) {
        let ((start, low), (end, high)) = (place(first), place(last));
        let Some(words) = self.words.get_mut(start..=end) else { return };
        let before: u32 = words.iter().map(|word| word.count_ones()).sum();
        if let [word] = words {
            *word |= (high | (high - 1)) & !(low - 1);
        } else if let [head, middle @ .., tail] = words {
            *head |= !(low - 1);
            middle.fill(u64::MAX);
            *tail |= high | (high - 1);
        }
        let after: u32 = words.iter().map(|word| word.count_ones()).sum();
        self.len += after - before;
    }

    /// Clears the bits of `lows`.
    pub(super) fn clear_all(&mut self, lows: impl IntoIterator<Item = u16>) {
        lows.into_iter().for_each(|low| self.clear(low));
    }

    /// Clears the bits at and above `first`.
    pub(super) fn truncate(&mut self, first: u16) {
        let (word, mask) = place(first);
        self.words[word] &= mask - 1;
        self.words[word + 1..].fill(0);
        self.len = popcount::count(&self.words);
    }

    /// Number of set bits below `first`.
    pub(super) fn rank(&self, first: u16) -> u32 {
        let (word, mask) = place(first);
        let whole: u32 = self.words[..word].iter().map(|word| word.count_ones()).sum();
        whole + (self.words[word] & (mask - 1)).count_ones()
    }

    /// Calls `visit` with each set bit, in order.
    #[inline]
    pub(super) fn for_each(&self, visit: impl FnMut(u16)) {
        each_bit(&self.words, visit);
    }

    /// The set bits, as a sorted array.
    pub(super) fn to_array(&self) -> Vec<u16> {
        to_array(&self.words, self.len)
    }
}

/// Sets the bits of a long strictly ascending run of rows of one key: gathers the bits of a word in a register.
fn mark_run(words: &mut Words, run: &[Row]) {
    let mut rows = run.iter().peekable();
    while let Some(row) = rows.next() {
        let (word, mut mask) = place(low(row));
        while let Some(next) = rows.next_if(|next| usize::from(low(next) >> 6) == word) {
            mask |= place(low(next)).1;
        }
        words[word] |= mask;
    }
}
