//! And, or and minus of two chunks of one key.
//!
//! Two bitmaps are combined and counted word by word in one pass. An array is tested against a bitmap bit by bit without
//! branches. Two arrays are merged if they are short or very different in length. Otherwise one of them is scattered into
//! a bitmap on the stack, which takes a quarter to a third of the time of a merge: the tests of bits are independent,
//! while every step of a merge waits for the one before. A union of two arrays is merged unless it may become a bitmap,
//! since reading an array back from a bitmap costs more than the merge. A result that equals an operand shares its chunk.

use super::chunk::{ARRAY_MAX, Chunk};
use super::popcount::{combine, count, count_and};
use super::slot::Slot;
use super::sorted;
use super::words::{WORDS, Words, has, mark, zeroed};

/// At this many entries together, a bitmap on the stack becomes faster than a merge.
const SCATTER: usize = 96;
/// At this ratio of lengths, galloping through the longer array becomes faster than a bitmap.
const SKEW: usize = 24;

impl Slot {
    /// Rows that are in both.
    pub(super) fn and(&self, other: &Slot) -> Option<Slot> {
        if self.shares(other) {
            return Some(self.clone());
        }
        let chunk = match (self.chunk(), other.chunk()) {
            (Chunk::Array(a), Chunk::Array(b)) => Chunk::from_array(array_and(a, b)),
            (Chunk::Array(a), Chunk::Bitmap(b)) | (Chunk::Bitmap(b), Chunk::Array(a)) => {
                Chunk::from_array(filter(a, |low| b.contains(low)))
            }
            (Chunk::Bitmap(a), Chunk::Bitmap(b)) => {
                let (words, len) = combine(a.words(), b.words(), |x, y| x & y);
                Chunk::from_words(words, len)
            }
        };
        self.sharing(other, chunk)
    }

    /// Number of rows that are in both.
    pub(super) fn and_len(&self, other: &Slot) -> usize {
        if self.shares(other) {
            return self.len() as usize;
        }
        match (self.chunk(), other.chunk()) {
            (Chunk::Array(a), Chunk::Array(b)) => array_and_len(a, b),
            (Chunk::Array(a), Chunk::Bitmap(b)) | (Chunk::Bitmap(b), Chunk::Array(a)) => {
                a.iter().map(|&low| usize::from(b.contains(low))).sum()
            }
            (Chunk::Bitmap(a), Chunk::Bitmap(b)) => count_and(a.words(), b.words()) as usize,
        }
    }

    /// Rows that are in either.
    pub(super) fn or(&self, other: &Slot) -> Option<Slot> {
        if self.shares(other) {
            return Some(self.clone());
        }
        let chunk = match (self.chunk(), other.chunk()) {
            (Chunk::Array(a), Chunk::Array(b)) if a.len() + b.len() <= ARRAY_MAX => Chunk::from_array(sorted::or(a, b)),
            (Chunk::Array(a), Chunk::Array(b)) => {
                let mut words = zeroed();
                mark(&mut words, a.iter().copied());
                mark(&mut words, b.iter().copied());
                let len = count(&words);
                Chunk::from_words(words, len)
            }
            (Chunk::Array(a), Chunk::Bitmap(b)) | (Chunk::Bitmap(b), Chunk::Array(a)) => {
                let mut bits = b.clone();
                bits.set_all(a.iter().copied());
                Chunk::from_bitmap(bits)
            }
            (Chunk::Bitmap(a), Chunk::Bitmap(b)) => {
                let (words, len) = combine(a.words(), b.words(), |x, y| x | y);
                Chunk::from_words(words, len)
            }
        };
        self.sharing(other, chunk)
    }

    /// Rows of `self` that are not in `other`.
    pub(super) fn minus(&self, other: &Slot) -> Option<Slot> {
        if self.shares(other) {
            return None;
        }
        let chunk = match (self.chunk(), other.chunk()) {
            (Chunk::Array(a), Chunk::Array(b)) => Chunk::from_array(array_minus(a, b)),
            (Chunk::Array(a), Chunk::Bitmap(b)) => Chunk::from_array(filter(a, |low| !b.contains(low))),
            (Chunk::Bitmap(a), Chunk::Array(b)) => {
                let mut bits = a.clone();
                bits.clear_all(b.iter().copied());
                Chunk::from_bitmap(bits)
            }
            (Chunk::Bitmap(a), Chunk::Bitmap(b)) => {
                let (words, len) = combine(a.words(), b.words(), |x, y| x & !y);
                Chunk::from_words(words, len)
            }
        };
        self.sharing(self, chunk)
    }

    /// The slot of a result. Shares the chunk of the operand that has as many rows: callers pass only operands that
    /// contain the result or are contained in it, so equal lengths mean equal rows.
    fn sharing(&self, other: &Slot, chunk: Chunk) -> Option<Slot> {
        [self, other]
            .into_iter()
            .find(|operand| operand.len() == chunk.len())
            .cloned()
            .or_else(|| Slot::new(self.key(), chunk))
    }
}

fn is_skewed(a: &[u16], b: &[u16]) -> bool {
    a.len().min(b.len()) * SKEW < a.len().max(b.len())
}

/// Whether a bitmap is the faster way to combine two arrays.
fn scatters(a: &[u16], b: &[u16]) -> bool {
    a.len() + b.len() >= SCATTER && !is_skewed(a, b)
}

/// A bitmap of `array` on the stack.
fn scatter(array: &[u16]) -> Words {
    let mut words = [0; WORDS];
    mark(&mut words, array.iter().copied());
    words
}

fn array_and(a: &[u16], b: &[u16]) -> Vec<u16> {
    if !scatters(a, b) {
        return sorted::and(a, b);
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    // Testing a bit costs half as much as setting one.
    let words = scatter(short);
    filter(long, |low| has(&words, low))
}

fn array_and_len(a: &[u16], b: &[u16]) -> usize {
    if !scatters(a, b) {
        return sorted::and_len(a, b);
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let words = scatter(short);
    long.iter().map(|&low| usize::from(has(&words, low))).sum()
}

fn array_minus(a: &[u16], b: &[u16]) -> Vec<u16> {
    if !scatters(a, b) {
        return sorted::minus(a, b);
    }
    let words = scatter(b);
    filter(a, |low| !has(&words, low))
}

/// The entries of `array` that pass the test, without a branch on its result.
#[inline(always)]
fn filter(array: &[u16], test: impl Fn(u16) -> bool) -> Vec<u16> {
    let mut out = vec![0; array.len()];
    let mut len = 0;
    for &low in array {
        // In bounds: `len` is at most the number of entries read before.
        out[len] = low;
        len += usize::from(test(low));
    }
    out.truncate(len);
    out
}
