//! The rows of one chunk: the rows of a set that share their upper 16 bits, stored as their lower 16 bits.
//!
//! Up to `ARRAY_MAX` rows are a sorted array (2 bytes a row), more are a bitmap (8 KiB, less than such an array).
//! A bitmap becomes an array again only below `BITMAP_MIN`, so that a chunk near the limit does not thrash.
//! Invariants: an array is strictly ascending and at most `ARRAY_MAX` long; a bitmap has at least `BITMAP_MIN` rows.
//! A chunk may be empty only while its set is being changed.
//!
//! Changing one row costs a binary search and a move of at most 8 KiB (array), or one word (bitmap).

use super::bitmap::Bitmap;
use super::row::{Row, low};
use super::words::{Words, to_array};
use super::{capacity, popcount, sorted};

/// Most rows of an array.
pub(super) const ARRAY_MAX: usize = 4096;
/// Fewest rows of a bitmap.
pub(super) const BITMAP_MIN: usize = 3072;

/// A run that is this many times shorter than the array is applied row by row instead of by rewriting the array.
const ONE_BY_ONE: usize = 32;

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
            capacity::trim(&mut array);
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

    /// Index at which `low` is (`Ok`) or belongs (`Err`) in an array; 0 in a bitmap.
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

    /// Adds `low`, for which `search` returned `Err(at)`.
    pub(super) fn insert_at(&mut self, at: usize, low: u16) {
        debug_assert_eq!(self.search(low), Err(at));
        match self {
            Chunk::Array(array) if array.len() < ARRAY_MAX => {
                capacity::reserve(array, 1);
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

    /// Removes `low`, for which `search` returned `Ok(at)`.
    pub(super) fn remove_at(&mut self, at: usize, low: u16) {
        debug_assert_eq!(self.search(low), Ok(at));
        match self {
            Chunk::Array(array) => {
                array.remove(at);
                capacity::trim(array);
            }
            Chunk::Bitmap(bits) => {
                bits.clear(low);
                self.shrink();
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
                // Most rows of the run may have been present already.
                self.shrink();
            }
            Chunk::Array(array) if array.last() < run.first().map(low).as_ref() => {
                capacity::reserve(array, run.len());
                array.extend(run.iter().map(low));
            }
            Chunk::Array(array) if run.len() * ONE_BY_ONE <= array.len() => {
                for low in run.iter().map(low) {
                    if let Err(at) = array.binary_search(&low) {
                        capacity::reserve(array, 1);
                        array.insert(at, low);
                    }
                }
            }
            Chunk::Array(array) => {
                let lows: Vec<u16> = run.iter().map(low).collect();
                *array = sorted::or(array, &lows);
                capacity::trim(array);
            }
        }
    }

    /// Removes the strictly ascending rows of one key.
    pub(super) fn remove_run(&mut self, run: &[Row]) {
        match self {
            Chunk::Bitmap(bits) => {
                bits.clear_all(run.iter().map(low));
                self.shrink();
            }
            Chunk::Array(array) => {
                if run.len() * ONE_BY_ONE <= array.len() {
                    for low in run.iter().map(low) {
                        if let Ok(at) = array.binary_search(&low) {
                            array.remove(at);
                        }
                    }
                } else {
                    let mut removed = run.iter().map(low).peekable();
                    array.retain(|&low| {
                        while removed.next_if(|&other| other < low).is_some() {}
                        removed.peek() != Some(&low)
                    });
                }
                capacity::trim(array);
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

    /// Removes the rows at and above `first`.
    pub(super) fn truncate(&mut self, first: u16) {
        match self {
            Chunk::Array(array) => {
                array.truncate(array.partition_point(|&low| low < first));
                capacity::trim(array);
            }
            Chunk::Bitmap(bits) => {
                bits.truncate(first);
                self.shrink();
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

    /// Converts to the form that needs the least memory.
    pub(super) fn compact(&mut self) {
        match self {
            Chunk::Array(array) => array.shrink_to_fit(),
            Chunk::Bitmap(bits) if (bits.len() as usize) < ARRAY_MAX => *self = Chunk::Array(bits.to_array()),
            Chunk::Bitmap(_) => {}
        }
    }

    /// Converts a bitmap with too few rows to an array.
    fn shrink(&mut self) {
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
