//! Row sets: compressed sets of row numbers, what the indexes consist of and what queries compute with.
//!
//! - [`set`]: `RowSet`, its two shapes (tiny list, list of slots) and the one-row operations;
//! - [`slot`]: one 65,536-row chunk of a set, shared by reference count, with its key and cached cardinality;
//! - [`chunk`]: the contents of a chunk, a sorted array or a bitmap; [`bitmap`]: the latter;
//! - [`bulk`]: many rows at once; [`algebra`]: and, or, minus of sets; [`pair`]: the same of two chunks;
//!   [`union`]: of thousands of sets; [`collect`]: from rows in no order; [`iter`]: reading in order; [`pages`]: page by page;
//! - [`sorted`]: merges of sorted slices; [`popcount`]: counting bits; [`room`]: how vectors grow.

mod algebra;
mod bitmap;
mod bulk;
mod chunk;
mod collect;
mod iter;
mod pages;
mod pair;
mod popcount;
mod room;
mod set;
mod slot;
mod sorted;
#[cfg(test)]
mod tests;
mod union;

pub(crate) use collect::Collector;
pub(crate) use pages::OfPage;
pub(crate) use set::RowSet;

/// The number of a row in its table.
pub(crate) type Row = u32;
