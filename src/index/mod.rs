//! Which rows hold a value, and what do the records come to? Indexes from what records show to rows, and standing statistics.

mod any_index;
mod equality;
mod estimate;
mod guess;
mod kept;
mod moves;
mod ordered;
mod shape;
mod slab;
mod standing;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;
mod unique;

pub(crate) use any_index::{Index, IndexWriter, TidyAt};
pub(crate) use estimate::Sought;
pub(crate) use kept::{Kept, KeptStaging, KeptWriter, Shown};
pub(crate) use moves::Move;
pub(crate) use ordered::WalkSpec;
pub(crate) use shape::{IndexShape, checked, tuple};
pub(crate) use standing::{GroupFigures, GroupKey, MAX_STANDING_WIDTH, Recomputed, Standing, StandingChange};
pub(crate) use unique::{Clash, Other};
