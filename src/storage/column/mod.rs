//! A column holds the values of one field by row, at the newest commit, so that a scan of the field reads no record.
//!
//! A value is stored in 64 bits. For most kinds these are bits in the order of the values; for the others, codes of a
//! dictionary. A page of rows stores the offsets of its bits from the page's base, in as few bytes as they need.
//!
//! **Readers take no lock.** All cells are atomics that only the committer stores, under the commit lock. A commit marks
//! its rows, executes a release fence, then stores cells. A reader loads cells, executes an acquire fence, then loads the
//! marks. If it loaded anything that a later commit stored (a cell, a word of a bitmap, a bound of a zone, a level), the
//! fences guarantee that it sees that commit's mark, and it reads the version of that row instead. The cells of a row that
//! no later commit has marked were stored by commits published before the reader pinned, and have not changed since. If
//! rows share a word, a store leaves the bits of the other rows unchanged.
//!
//! So a reader must tolerate everything that it loads before it checks the marks: for a row that is changing it may find
//! offsets from another base, a freed code, or an escape without its overflow value.
//!
//! **Escapes and overflow values.** Integers outside `i64` and timestamps outside the years 1677 to 2262 have an escape as
//! their bits, the lowest or the highest ones; the exact value is stored in the page's overflow list. So is the one
//! value whose own bits equal an escape. Overflow values, unlike codes, are not retained for older readers: they are read
//! with the cells, before the marks.
//!
//! **Zones** are bounds on the bits of all values of a page. A commit widens them before it stores the first cell that
//! needs it. Only upkeep narrows them, to the newest state. The bits of a row that no later commit has changed are always
//! within the zone.
//!
//! **Pages without values are given back** by upkeep, which replaces the list of the pages by one without them. A reader takes the list
//! after it has pinned its commit. If it still has the list before, it finds in a page that was given back the state of the
//! replacement, when none of its rows had a value. Commits after that have marked the rows that they change.

mod cells;
mod dictionary;
mod estimate;
#[cfg(all(test, memdex_loom))]
mod orderings;
mod packed;
mod page;
mod page_list;
mod read;
mod scan;
mod shared;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;

pub(crate) use packed::{Packed, PackedCells, with_cells};
pub(crate) use read::{Encoding, PageCells, RowCells};
pub(crate) use shared::{Cell, Column, ColumnWriter};
