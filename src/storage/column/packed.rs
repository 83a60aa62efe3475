//! Copies of cells in the width in which their page stores them, so that computing with many of them touches little memory
//! and vectorises.

use crate::limits::PAGE_ROWS;

/// A copy of the cells of a page.
pub(crate) enum Lanes {
    One(Box<[u8; PAGE_ROWS]>),
    Two(Box<[u16; PAGE_ROWS]>),
    Four(Box<[u32; PAGE_ROWS]>),
    Eight(Box<[u64; PAGE_ROWS]>),
}

/// The bits of rows, as offsets from `base`.
#[derive(Clone, Copy)]
pub(crate) struct Packed<'a> {
    pub(crate) base: u64,
    pub(crate) cells: PackedCells<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum PackedCells<'a> {
    One(&'a [u8]),
    Two(&'a [u16]),
    Four(&'a [u32]),
    Eight(&'a [u64]),
}

/// Computes with cells of any width: `with_cells!(packed, |cells| ...)`, where `cells` is a slice of integers that convert
/// into `u64`.
macro_rules! with_cells {
    ($packed:expr, |$cells:ident| $compute:expr) => {
        match $packed.cells {
            $crate::storage::PackedCells::One($cells) => $compute,
            $crate::storage::PackedCells::Two($cells) => $compute,
            $crate::storage::PackedCells::Four($cells) => $compute,
            #[allow(clippy::useless_conversion, reason = "useless only for the widest cells")]
            $crate::storage::PackedCells::Eight($cells) => $compute,
        }
    };
}
pub(crate) use with_cells;

impl Default for Lanes {
    fn default() -> Self {
        Lanes::One(Box::new([0; PAGE_ROWS]))
    }
}

/// The buffer for cells of one width; reuses the present one if it has that width.
macro_rules! buffer {
    ($($name:ident, $lane:ident: $t:ty);*) => {$(
        pub(super) fn $name(&mut self) -> &mut [$t; PAGE_ROWS] {
            if !matches!(self, Lanes::$lane(_)) {
                *self = Lanes::$lane(Box::new([0; PAGE_ROWS]));
            }
            match self {
                Lanes::$lane(cells) => cells,
                _ => unreachable!("the buffer was just set"),
            }
        }
    )*};
}

impl Lanes {
    buffer!(ones, One: u8; twos, Two: u16; fours, Four: u32; eights, Eight: u64);

    pub(crate) fn above(&self, base: u64) -> Packed<'_> {
        let cells = match self {
            Lanes::One(cells) => PackedCells::One(&cells[..]),
            Lanes::Two(cells) => PackedCells::Two(&cells[..]),
            Lanes::Four(cells) => PackedCells::Four(&cells[..]),
            Lanes::Eight(cells) => PackedCells::Eight(&cells[..]),
        };
        Packed { base, cells }
    }
}

impl<'a> Packed<'a> {
    /// Bits with base 0.
    pub(crate) fn plain(bits: &'a [u64]) -> Self {
        Packed { base: 0, cells: PackedCells::Eight(bits) }
    }

    pub(crate) fn len(self) -> usize {
        with_cells!(self, |cells| cells.len())
    }

    /// The bits of one row.
    #[inline]
    pub(crate) fn get(self, at: usize) -> u64 {
        with_cells!(self, |cells| self.base + u64::from(cells[at]))
    }

    /// Appends the bits of the rows at these offsets.
    pub(crate) fn pick(self, offsets: &[u16], into: &mut Vec<u64>) {
        let base = self.base;
        with_cells!(self, |cells| into.extend(offsets.iter().map(|at| base + u64::from(cells[usize::from(*at)]))));
    }

    /// The least and the greatest bits.
    pub(crate) fn extremes(self) -> Option<(u64, u64)> {
        let base = self.base;
        with_cells!(self, |cells| Some((
            base + u64::from(cells.iter().copied().min()?),
            base + u64::from(cells.iter().copied().max()?)
        )))
    }

    /// Bounds on all values that the cell width implies, without reading a cell; `None` for the widest cells.
    pub(crate) fn reach(self) -> Option<(u64, u64)> {
        let most = match self.cells {
            PackedCells::One(_) => u8::MAX.into(),
            PackedCells::Two(_) => u16::MAX.into(),
            PackedCells::Four(_) => u32::MAX.into(),
            PackedCells::Eight(_) => return None,
        };
        Some((self.base, self.base.saturating_add(most)))
    }
}
