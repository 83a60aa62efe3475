//! Row numbers, and their halves: the upper one is the key of a chunk, the lower one the place in it.

/// The number of a row in its table.
pub(crate) type Row = u32;

/// The upper half of a row, the key of its chunk.
#[inline(always)]
pub(super) fn key(row: Row) -> u16 {
    (row >> 16) as u16
}

/// The lower half of a row, its place in the chunk.
#[inline(always)]
pub(super) fn low(row: &Row) -> u16 {
    *row as u16
}
