//! The ordered index: rows in the order of their values, in leaves of some hundred sorted entries.
//!
//! [`position`] names places in the order, [`leaf`] holds entries, [`directory`] finds the leaf of a position, [`leaves`] splits and
//! merges them, [`cursor`] reads them one after the other, [`estimate`] samples them. [`key`] turns values into keys, [`mixed`] those
//! of several kinds, and [`memory`] is the committer's copy of keys; on these are built [`index`], the shared side, and [`writer`], the
//! committer's.

mod cursor;
mod directory;
mod estimate;
mod index;
mod key;
mod leaf;
mod leaves;
mod memory;
mod mixed;
mod position;
#[cfg(all(test, memdex_shuttle))]
mod schedules;
mod writer;

pub(super) use writer::ordered;
