//! The dense content of a chunk: 65,536 bits (8 KiB) and how many of them are set.
//!
//! Invariant: `len` is the number of bits set. A one-bit change costs one word; whole-bitmap operations count while
//! they write (see `popcount`).

use super::chunk::low;
use super::{Row, popcount};

/// Words of a bitmap.
pub(super) const WORDS: usize = 1 << 16 >> 6;

/// The bits of a chunk: bit `low % 64` of word `low / 64`.
pub(super) type Words = [u64; WORDS];

/// Words without a bit set.
pub(super) fn zeroed() -> Box<Words> {
    Box::new([0; WORDS])
}

/// From this many rows on, they are set without counting, and the bitmap is counted afterwards.
const COUNT_AFTER: usize = 1024;

/// A bitmap that knows its cardinality.
#[derive(Clone)]
pub(super) struct Bitmap {
    words: Box<Words>,
    len: u32,
}

/// Word index and mask of a bit; the index is below `WORDS` for every `u16`.
#[inline(always)]
pub(super) fn place(low: u16) -> (usize, u64) {
    (usize::from(low >> 6), 1 << (low & 63))
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

    /// Takes over words with `len` bits set.
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
        let (word, mask) = place(low);
        self.words[word] & mask != 0
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

    /// Sets all bits of `lows`.
    pub(super) fn set_all(&mut self, lows: impl IntoIterator<Item = u16>) {
        lows.into_iter().for_each(|low| self.set(low));
    }

    /// Sets the bits of strictly ascending rows of one key.
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

    /// Sets the bits from `first` to `last`, which is not below it.
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

    /// Clears all bits of `lows`.
    pub(super) fn clear_all(&mut self, lows: impl IntoIterator<Item = u16>) {
        lows.into_iter().for_each(|low| self.clear(low));
    }

    /// Clears the bits from `first` on.
    pub(super) fn truncate(&mut self, first: u16) {
        let (word, mask) = place(first);
        self.words[word] &= mask - 1;
        self.words[word + 1..].fill(0);
        self.len = popcount::count(&self.words);
    }

    /// Number of bits set below `first`.
    pub(super) fn rank(&self, first: u16) -> u32 {
        let (word, mask) = place(first);
        let whole: u32 = self.words[..word].iter().map(|word| word.count_ones()).sum();
        whole + (self.words[word] & (mask - 1)).count_ones()
    }

    /// Calls `visit` with each bit set, in order.
    #[inline]
    pub(super) fn for_each(&self, visit: impl FnMut(u16)) {
        each_bit(&self.words, visit);
    }

    /// The bits set, as a sorted array.
    pub(super) fn to_array(&self) -> Vec<u16> {
        to_array(&self.words, self.len)
    }
}

/// Sets the bits of `lows`.
#[inline]
pub(super) fn mark(words: &mut Words, lows: impl IntoIterator<Item = u16>) {
    for low in lows {
        let (word, mask) = place(low);
        words[word] |= mask;
    }
}

/// Sets the bits of strictly ascending rows of one key, many of them: gathers those of a word in a register.
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

/// Calls `visit` with each bit set in `words`, in order.
#[inline]
pub(super) fn each_bit(words: &Words, mut visit: impl FnMut(u16)) {
    for (base, &word) in (0..).step_by(64).zip(words) {
        let mut rest = word;
        while rest != 0 {
            visit((base + rest.trailing_zeros()) as u16);
            rest &= rest - 1;
        }
    }
}

/// The `len` bits set in `words`, as a sorted array.
pub(super) fn to_array(words: &Words, len: u32) -> Vec<u16> {
    let mut out = Vec::with_capacity(len as usize);
    each_bit(words, |low| out.push(low));
    debug_assert_eq!(out.len(), len as usize);
    out
}
