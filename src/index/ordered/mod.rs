//! The ordered index: rows in the order of their values, in leaves of some hundred sorted entries.
//!
//! Keys come in two widths: what fits 64 bits is kept as such, everything else as bytes whose order is the order of the values;
//! several fields are one such key. [`leaves`] holds the entries, [`directory`] leads to the leaves, [`cursor`] reads them one after
//! the other, [`index`] says what a value's key is and what the committer remembers of a row, [`edges`] where a bound lies among the
//! keys. On these stand [`walk`] and [`estimate`].

mod cursor;
mod directory;
mod edges;
mod estimate;
mod index;
mod leaf;
mod leaves;
#[cfg(all(test, memdex_shuttle))]
mod schedules;
mod walk;

pub(crate) use index::{Audited, CompactAt, OrderedIndex, OrderedStaging, OrderedWriter};
pub(crate) use walk::{Walk, WalkSpec};
