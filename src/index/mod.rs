//! Which rows hold a value? Indexes from what records show to rows.

mod any_index;
mod equality;
mod estimate;
mod guess;
mod moves;
mod ordered;
mod shape;
mod slab;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;
mod unique;

pub(crate) use any_index::{Index, IndexWriter, Staging, TidyAt};
pub(crate) use estimate::Sought;
pub(crate) use moves::Move;
#[expect(unused_imports, reason = "for the ordered pages")]
pub(crate) use ordered::Walk;
pub(crate) use ordered::WalkSpec;
pub(crate) use shape::{Entry, IndexShape, checked, tuple};
pub(crate) use unique::{Clash, Other};
