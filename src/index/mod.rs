//! Which rows hold a value? Indexes from what records show to rows.

mod any_index;
mod equality;
mod moves;
mod ordered;
mod shape;
mod slab;
mod unique;

pub(crate) use any_index::{Index, IndexWriter, Staging, TidyAt};
pub(crate) use moves::Move;
pub(crate) use shape::{Entry, IndexShape, checked, tuple};
pub(crate) use unique::{Clash, Other};
