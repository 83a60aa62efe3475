//! The rows of one chunk: those of a set which share their upper 16 bits, kept by their lower 16.
//!
//! Up to `ARRAY_MAX` rows are a sorted array (2 bytes a row), more are a bitmap (8 KiB, less than such an array).
//! A bitmap becomes an array again only below `BITMAP_MIN`, so that a chunk hovering at the border does not thrash.
//! Invariants: an array is strictly ascending and at most `ARRAY_MAX` long; a bitmap has at least `BITMAP_MIN` rows.
//! A chunk may be empty only while its set is being changed.
//!
//! One-row changes cost a binary search and a move of at most 8 KiB (array), or one word (bitmap).

use super::Row;
use super::bitmap::{Bitmap, Words, to_array};
use super::{popcount, room, sorted};

/// Most rows of an array.
pub(super) const ARRAY_MAX: usize = 4096;
/// Fewest rows of a bitmap.
pub(super) const BITMAP_MIN: usize = 3072;

/// Rows are changed one by one in an array, rather than by rewriting it, while they are this many times fewer.
const ONE_BY_ONE: usize = 32;

/// The lower half of a row, its place in a chunk.
#[inline(always)]
pub(super) fn low(row: &Row) -> u16 {
    *row as u16
}

#[derive(Clone)]
pub(super) enum Chunk {
    Array(Vec<u16>),
    Bitmap(Bitmap),
}

impl Chunk {
    /// The chunk of strictly ascending rows of one key.
    pub(super) fn from_run(run: &[Row]) -> Self {
        if run.len() <= ARRAY_MAX {
            Chunk::Array(run.iter().map(low).collect())
        } else {
            let mut bits = Bitmap::new();
            bits.set_run(run);
            Chunk::Bitmap(bits)
        }
    }

    /// The chunk of a strictly ascending array of any length.
    pub(super) fn from_array(mut array: Vec<u16>) -> Self {
        if array.len() <= ARRAY_MAX {
            room::trim(&mut array);
            Chunk::Array(array)
        } else {
            Chunk::Bitmap(Bitmap::from_array(&array))
        }
    }

    /// The chunk of `len` bits set in `words`.
    pub(super) fn from_words(words: Box<Words>, len: u32) -> Self {
        if len as usize <= ARRAY_MAX {
            Chunk::Array(to_array(&words, len))
        } else {
            Chunk::Bitmap(Bitmap::from_words(words, len))
        }
    }

    /// The chunk of the bits set in `words`.
    pub(super) fn of_words(words: &Words) -> Self {
        let len = popcount::count(words);
        if len as usize <= ARRAY_MAX {
            Chunk::Array(to_array(words, len))
        } else {
            Chunk::Bitmap(Bitmap::from_words(Box::new(*words), len))
        }
    }

    /// The chunk of the bits of a bitmap.
    pub(super) fn from_bitmap(bits: Bitmap) -> Self {
        if bits.len() as usize <= ARRAY_MAX { Chunk::Array(bits.to_array()) } else { Chunk::Bitmap(bits) }
    }

    pub(super) fn len(&self) -> u32 {
        match self {
            Chunk::Array(array) => array.len() as u32,
            Chunk::Bitmap(bits) => bits.len(),
        }
    }

    #[inline]
    pub(super) fn contains(&self, low: u16) -> bool {
        match self {
            Chunk::Array(array) => array.binary_search(&low).is_ok(),
            Chunk::Bitmap(bits) => bits.contains(low),
        }
    }

    /// Where `low` is (`Ok`) or belongs (`Err`): for an array the index, for a bitmap nothing of interest.
    #[inline]
    pub(super) fn search(&self, low: u16) -> Result<usize, usize> {
        match self {
            Chunk::Array(array) => match array.last() {
                Some(&last) if last >= low => array.binary_search(&low),
                _ => Err(array.len()),
            },
            Chunk::Bitmap(bits) if bits.contains(low) => Ok(0),
            Chunk::Bitmap(_) => Err(0),
        }
    }

    /// Adds `low`, for which `search` gave `Err(at)`.
    pub(super) fn insert_at(&mut self, at: usize, low: u16) {
        debug_assert_eq!(self.search(low), Err(at));
        match self {
            Chunk::Array(array) if array.len() < ARRAY_MAX => {
                room::reserve(array, 1);
                array.insert(at, low);
            }
            Chunk::Array(array) => {
                let mut bits = Bitmap::from_array(array);
                bits.set(low);
                *self = Chunk::Bitmap(bits);
            }
            Chunk::Bitmap(bits) => bits.set(low),
        }
    }

    /// Takes out `low`, for which `search` gave `Ok(at)`.
    pub(super) fn remove_at(&mut self, at: usize, low: u16) {
        debug_assert_eq!(self.search(low), Ok(at));
        match self {
            Chunk::Array(array) => {
                array.remove(at);
                room::trim(array);
            }
            Chunk::Bitmap(bits) => {
                bits.clear(low);
                self.settle();
            }
        }
    }

    /// Adds the strictly ascending rows of one key.
    pub(super) fn insert_run(&mut self, run: &[Row]) {
        match self {
            Chunk::Bitmap(bits) => bits.set_run(run),
            Chunk::Array(array) if array.len() + run.len() > ARRAY_MAX => {
                let mut bits = Bitmap::from_array(array);
                bits.set_run(run);
                *self = Chunk::Bitmap(bits);
                // Most rows of the run may have been there.
                self.settle();
            }
            Chunk::Array(array) if array.last() < run.first().map(low).as_ref() => {
                room::reserve(array, run.len());
                array.extend(run.iter().map(low));
            }
            Chunk::Array(array) if run.len() * ONE_BY_ONE <= array.len() => {
                for low in run.iter().map(low) {
                    if let Err(at) = array.binary_search(&low) {
                        room::reserve(array, 1);
                        array.insert(at, low);
                    }
                }
            }
            Chunk::Array(array) => {
                let lows: Vec<u16> = run.iter().map(low).collect();
                *array = sorted::or(array, &lows);
                room::trim(array);
            }
        }
    }

    /// Takes out the strictly ascending rows of one key.
    pub(super) fn remove_run(&mut self, run: &[Row]) {
        match self {
            Chunk::Bitmap(bits) => {
                bits.clear_all(run.iter().map(low));
                self.settle();
            }
            Chunk::Array(array) => {
                if run.len() * ONE_BY_ONE <= array.len() {
                    for low in run.iter().map(low) {
                        if let Ok(at) = array.binary_search(&low) {
                            array.remove(at);
                        }
                    }
                } else {
                    let mut gone = run.iter().map(low).peekable();
                    array.retain(|&kept| {
                        while gone.next_if(|&low| low < kept).is_some() {}
                        gone.peek() != Some(&kept)
                    });
                }
                room::trim(array);
            }
        }
    }

    /// Number of rows below `first`.
    pub(super) fn rank(&self, first: u16) -> u32 {
        match self {
            Chunk::Array(array) => array.partition_point(|&low| low < first) as u32,
            Chunk::Bitmap(bits) => bits.rank(first),
        }
    }

    /// Takes out the rows from `first` on.
    pub(super) fn truncate(&mut self, first: u16) {
        match self {
            Chunk::Array(array) => {
                array.truncate(array.partition_point(|&low| low < first));
                room::trim(array);
            }
            Chunk::Bitmap(bits) => {
                bits.truncate(first);
                self.settle();
            }
        }
    }

    /// Calls `visit` with each row of the chunk, in order.
    #[inline]
    pub(super) fn for_each(&self, visit: impl FnMut(u16)) {
        match self {
            Chunk::Array(array) => array.iter().copied().for_each(visit),
            Chunk::Bitmap(bits) => bits.for_each(visit),
        }
    }

    /// Heap memory of the content.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Chunk::Array(array) => array.capacity() * size_of::<u16>(),
            Chunk::Bitmap(_) => size_of::<Words>(),
        }
    }

    /// Takes the form that needs the least memory.
    pub(super) fn compact(&mut self) {
        match self {
            Chunk::Array(array) => array.shrink_to_fit(),
            Chunk::Bitmap(bits) if (bits.len() as usize) < ARRAY_MAX => *self = Chunk::Array(bits.to_array()),
            Chunk::Bitmap(_) => {}
        }
    }

    /// Turns a bitmap of too few rows into an array.
    fn settle(&mut self) {
        if let Chunk::Bitmap(bits) = self
            && (bits.len() as usize) < BITMAP_MIN
        {
            *self = Chunk::Array(bits.to_array());
        }
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Chunk::Array(a), Chunk::Array(b)) => a == b,
            (Chunk::Bitmap(a), Chunk::Bitmap(b)) => a.words() == b.words(),
            (Chunk::Array(a), Chunk::Bitmap(b)) | (Chunk::Bitmap(b), Chunk::Array(a)) => {
                a.len() == b.len() as usize && a.iter().all(|&low| b.contains(low))
            }
        }
    }
}

impl Eq for Chunk {}
