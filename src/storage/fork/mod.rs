//! How does a fork of a store lie over its base? Layers, what covers their rows, and how rows are taken over.

mod base;
mod covered;
mod load;
mod origin;

pub(crate) use base::{Base, BaseRow, LayerView, Under};
pub(crate) use covered::Covered;
pub(crate) use load::Which;
pub(super) use origin::{ForkPoint, Origin};
