//! A column: the values of one field side by side, by row, as of the newest commit, so that looking at all of them reads no record.
//!
//! Values are 64 bits. Of most kinds they are bits whose order is the values' order; of the others they are codes of a dictionary.
//! A page of rows keeps them as what they are above the page's base, in as few bytes as that takes.
//!
//! **Readers take no lock.** All cells are atomics, stored by the committer alone, under the commit lock. A commit marks its rows, then
//! passes a release fence, then stores cells. A reader loads cells, then passes an acquire fence, then loads the marks. Had it loaded
//! anything that a commit after its own stored (a cell, a word of a bitmap, a bound of a zone, a level), the fences make it see
//! that commit's mark: so it takes the version of that row instead. What it loads of a row that no later commit has marked was stored by
//! commits that were published before it pinned, and nobody has stored anything else there since. A word that rows share is
//! stored anew with the others' parts as they were.
//!
//! Thus nothing that a reader finds may make it fail: of rows that are changed while it reads it may find bits beside another base, codes
//! that are gone, a sentinel without its value. All these are right as soon as the marks were asked.
//!
//! **Sentinels.** Integers beyond 64 bits with their sign, and timestamps beyond the years 1677 to 2262, have the lowest or the highest
//! bits, and their value lies beside the page (so does that of the one value which has such bits by itself). These, unlike codes, are
//! not kept for older readers: they are read with the cells, before the marks.
//!
//! **Zones** are bits between which all of a page's values lie. They are widened before the first such cell is stored, and drawn in by upkeep
//! alone, to what is there in the newest state: what a row has that nobody changed is always within.

mod cells;
mod dictionary;
mod estimate;
#[cfg(all(test, memdex_loom))]
mod orderings;
mod packed;
mod page;
mod read;
mod scan;
mod shared;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;

pub(crate) use packed::{Packed, PackedCells, with_cells};
pub(crate) use read::{PageCells, Reads, RowCells};
pub(crate) use shared::{Cell, Column, ColumnWriter};
