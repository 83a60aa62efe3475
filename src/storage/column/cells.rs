//! The cells of one page, each as what its bits are above the page's base, in 1, 2, 4 or 8 bytes, packed into words of 64 bits.
//!
//! One committer at a time stores whole words, so a cell beside the one that it means stays as it was. A reader loads eight
//! narrow cells at once, and computes with its copy.

use super::packed::Lanes;
use crate::limits::PAGE_ROWS;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// How wide a cell is: `1 << width` bytes.
pub(super) type Width = usize;

/// Of cells that take all 64 bits.
pub(super) const WIDEST: Width = 3;

/// The most that a cell of this width can be above the base.
pub(super) const fn reach(width: Width) -> u64 {
    u64::MAX >> (64 - (8 << width))
}

/// The least width of a cell that is so much above the base.
pub(super) fn width_of(above: u64) -> Width {
    (0..WIDEST).find(|width| above <= reach(*width)).unwrap_or(WIDEST)
}

pub(super) struct Cells {
    pub(super) base: u64,
    width: Width,
    words: Box<[AtomicU64]>,
}

/// Where the bits of one row lie.
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

/// A base for bits from `low` to `high`, which cells of this width can tell apart: zero's bits if they can tell these too, since
/// most numbers are counted from there, else so that there is as much room below as above. What is highest above it fits 64 bits.
fn base_for(low: u64, high: u64, width: Width, zero: u64) -> u64 {
    let room = reach(width) - (high - low);
    if width == WIDEST {
        0
    } else if zero <= low && high - zero <= reach(width) {
        zero
    } else {
        low.saturating_sub(room / 2).min(u64::MAX - reach(width))
    }
}

impl Cells {
    /// Cells that take bits from `low` to `high`.
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

    /// Whether they can hold these bits.
    pub(super) fn take(&self, bits: u64) -> bool {
        self.base <= bits && bits - self.base <= reach(self.width)
    }

    /// The word of a cell, and how far it is shifted in there.
    fn place(&self, at: usize) -> (usize, usize) {
        let cells_a_word = WIDEST - self.width;
        (at >> cells_a_word, (at & ((1 << cells_a_word) - 1)) << (self.width + 3))
    }

    /// The bits of a cell; of one that was never written, the base.
    #[inline]
    pub(super) fn get(&self, at: usize) -> u64 {
        self.cell(at).bits()
    }

    /// Where a cell lies; nothing is loaded.
    #[inline]
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        let (word, shift) = self.place(at);
        Cell { word: &self.words[word], shift: shift as u32, reach: reach(self.width), base: self.base }
    }

    /// Under the commit lock.
    pub(super) fn set(&self, at: usize, bits: u64) {
        debug_assert!(self.take(bits), "the page was made wide enough");
        let (word, shift) = self.place(at);
        let word = &self.words[word];
        let others = word.load(Relaxed) & !(reach(self.width) << shift);
        word.store(others | (bits - self.base) << shift, Relaxed);
    }

    /// Copies all cells out, as wide as they are.
    pub(super) fn copy(&self, into: &mut Lanes) {
        match self.width {
            0 => u8::load(&self.words, into.ones()),
            1 => u16::load(&self.words, into.twos()),
            2 => u32::load(&self.words, into.fours()),
            _ => u64::load(&self.words, into.eights()),
        }
    }

    /// Says of each cell, 1 or 0, whether its bits lie between two, both included.
    pub(super) fn between(&self, low: u64, high: u64, met: &mut [u8]) {
        let least = low.saturating_sub(self.base);
        let most = high.checked_sub(self.base).map(|most| most.min(reach(self.width)));
        match most {
            Some(most) if least <= most => match self.width {
                0 => self.compare::<u8>(least, most, met),
                1 => self.compare::<u16>(least, most, met),
                2 => self.compare::<u32>(least, most, met),
                _ => self.compare::<u64>(least, most, met),
            },
            _ => met.fill(0),
        }
    }

    fn compare<L: Lane>(&self, least: u64, most: u64, met: &mut [u8]) {
        let mut cells = [L::default(); PAGE_ROWS];
        L::load(&self.words, &mut cells);
        L::within(&cells, least, most - least, met);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// Cells of one width, side by side.
trait Lane: Copy + Default + Into<u64> {
    fn load(words: &[AtomicU64], into: &mut [Self; PAGE_ROWS]);

    /// Says of each cell, 1 or 0, whether it is `least` or at most so much above it.
    fn within(cells: &[Self; PAGE_ROWS], least: u64, span: u64, met: &mut [u8]);
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
                // Only the checkers' pages are smaller than a word.
                if let (false, Some(last)) = (rest.is_empty(), words.last()) {
                    let len = rest.len();
                    rest.copy_from_slice(&parts(last)[..len]);
                }
            }

            #[inline]
            fn within(cells: &[Self; PAGE_ROWS], least: u64, span: u64, met: &mut [u8]) {
                let (least, span) = (least as $t, span as $t);
                for (met, cell) in met.iter_mut().zip(cells) {
                    *met = u8::from(cell.wrapping_sub(least) <= span);
                }
            }
        }
    )*};
}

lanes!(u8, u16, u32, u64);
