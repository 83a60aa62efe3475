//! The cells of one page: the offsets of the bits from the page's base, in 1, 2, 4 or 8 bytes each, packed into 64-bit words.
//!
//! The committer stores whole words and preserves the other cells of a word. A reader loads up to eight narrow cells at
//! once and computes with its copy.

use super::packed::Lanes;
use crate::limits::PAGE_ROWS;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// The width of a cell: `1 << width` bytes.
pub(super) type Width = usize;

/// The width of cells of 64 bits.
pub(super) const WIDEST: Width = 3;

/// The greatest offset from the base that a cell of this width can hold.
pub(super) const fn reach(width: Width) -> u64 {
    u64::MAX >> (64 - (8 << width))
}

/// The least width of a cell that can hold this offset.
pub(super) fn width_of(offset: u64) -> Width {
    (0..WIDEST).find(|width| offset <= reach(*width)).unwrap_or(WIDEST)
}

pub(super) struct Cells {
    pub(super) base: u64,
    width: Width,
    words: Box<[AtomicU64]>,
}

/// The location of the bits of one row.
pub(super) struct Cell<'a> {
    word: &'a AtomicU64,
    shift: u32,
    reach: u64,
    base: u64,
}

impl Cell<'_> {
    #[inline]
    pub(super) fn bits(&self) -> u64 {
        self.base + (self.word.load(Relaxed) >> self.shift & self.reach)
    }
}

/// A base from which cells of this width reach the bits `low..=high`. It is the bits of the value zero if cells reach from
/// there too, since most numbers are near zero; else it leaves the same slack below and above. The greatest offset from
/// it does not overflow 64 bits.
fn base_for(low: u64, high: u64, width: Width, zero: u64) -> u64 {
    let slack = reach(width) - (high - low);
    if width == WIDEST {
        0
    } else if zero <= low && high - zero <= reach(width) {
        zero
    } else {
        low.saturating_sub(slack / 2).min(u64::MAX - reach(width))
    }
}

impl Cells {
    /// Cells that can hold the bits `low..=high`.
    pub(super) fn new(low: u64, high: u64, width: Width, zero: u64) -> Self {
        debug_assert!(low <= high && high - low <= reach(width));
        let words = (PAGE_ROWS << width).div_ceil(8);
        let base = base_for(low, high, width, zero);
        let cells = Cells { base, width, words: (0..words).map(|_| AtomicU64::new(0)).collect() };
        debug_assert!(cells.take(low) && cells.take(high));
        cells
    }

    pub(super) fn width(&self) -> Width {
        self.width
    }

    /// Whether the cells can hold these bits.
    pub(super) fn take(&self, bits: u64) -> bool {
        self.base <= bits && bits - self.base <= reach(self.width)
    }

    /// The word of a cell, and the shift of the cell within it.
    fn place(&self, at: usize) -> (usize, usize) {
        let cells_a_word = WIDEST - self.width;
        (at >> cells_a_word, (at & ((1 << cells_a_word) - 1)) << (self.width + 3))
    }

    /// The bits of a cell; the base if it was never written.
    #[inline]
    pub(super) fn get(&self, at: usize) -> u64 {
        self.cell(at).bits()
    }

    /// The location of a cell, without loading it.
    #[inline]
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        let (word, shift) = self.place(at);
        Cell { word: &self.words[word], shift: shift as u32, reach: reach(self.width), base: self.base }
    }

    /// Under the commit lock.
    pub(super) fn set(&self, at: usize, bits: u64) {
        debug_assert!(self.take(bits), "the page must be wide enough");
        let (word, shift) = self.place(at);
        let word = &self.words[word];
        let others = word.load(Relaxed) & !(reach(self.width) << shift);
        word.store(others | (bits - self.base) << shift, Relaxed);
    }

    /// Copies all cells, in their width.
    pub(super) fn copy(&self, into: &mut Lanes) {
        match self.width {
            0 => u8::load(&self.words, into.ones()),
            1 => u16::load(&self.words, into.twos()),
            2 => u32::load(&self.words, into.fours()),
            _ => u64::load(&self.words, into.eights()),
        }
    }

    /// Sets each match to 1 if the bits of its cell are in `low..=high`, else to 0.
    pub(super) fn between(&self, low: u64, high: u64, matches: &mut [u8]) {
        let least = low.saturating_sub(self.base);
        let most = high.checked_sub(self.base).map(|most| most.min(reach(self.width)));
        match most {
            Some(most) if least <= most => match self.width {
                0 => self.compare::<u8>(least, most, matches),
                1 => self.compare::<u16>(least, most, matches),
                2 => self.compare::<u32>(least, most, matches),
                _ => self.compare::<u64>(least, most, matches),
            },
            _ => matches.fill(0),
        }
    }

    fn compare<L: Lane>(&self, least: u64, most: u64, matches: &mut [u8]) {
        let mut cells = [L::default(); PAGE_ROWS];
        L::load(&self.words, &mut cells);
        L::within(&cells, least, most - least, matches);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// A cell of one width.
trait Lane: Copy + Default + Into<u64> {
    fn load(words: &[AtomicU64], into: &mut [Self; PAGE_ROWS]);

    /// Sets each match to 1 if its cell is in `least..=least + span`, else to 0.
    fn within(cells: &[Self; PAGE_ROWS], least: u64, span: u64, matches: &mut [u8]);
}

macro_rules! lanes {
    ($($t:ty),*) => {$(
        impl Lane for $t {
            #[inline]
            fn load(words: &[AtomicU64], into: &mut [Self; PAGE_ROWS]) {
                const A_WORD: usize = 8 / size_of::<$t>();
                let parts = |word: &AtomicU64| {
                    let word = word.load(Relaxed);
                    std::array::from_fn::<$t, A_WORD, _>(|part| (word >> (part * <$t>::BITS as usize)) as $t)
                };
                let (whole, rest) = into.as_chunks_mut::<A_WORD>();
                for (cells, word) in whole.iter_mut().zip(words) {
                    *cells = parts(word);
                }
                // Only the pages of concurrency checkers are smaller than a word.
                if let (false, Some(last)) = (rest.is_empty(), words.last()) {
                    let len = rest.len();
                    rest.copy_from_slice(&parts(last)[..len]);
                }
            }

            #[inline]
            fn within(cells: &[Self; PAGE_ROWS], least: u64, span: u64, matches: &mut [u8]) {
                let (least, span) = (least as $t, span as $t);
                for (matches, cell) in matches.iter_mut().zip(cells) {
                    *matches = u8::from(cell.wrapping_sub(least) <= span);
                }
            }
        }
    )*};
}

lanes!(u8, u16, u32, u64);
