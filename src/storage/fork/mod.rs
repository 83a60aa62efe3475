//! How does a fork of a store lie over its base? Layers, what covers their rows, and how rows are taken over.

mod base;
mod base_row;
mod covered;
mod load;
mod open;
mod point;
mod unopened;

pub(crate) use base_row::BaseRow;
pub(crate) use covered::Covered;
pub(crate) use load::Which;
pub(crate) use point::BasePoint;
pub(crate) use unopened::{CannotOpen, Unopened};
