//! How does a fork of a store lie over its base? Layers, what covers their rows, and how rows are taken over.

mod base;
mod covered;
mod load;
mod open;
mod point;
mod unopened;

pub(crate) use covered::{BaseRow, Covered};
pub(crate) use load::Which;
pub(crate) use point::BasePoint;
pub(crate) use unopened::Unopened;
