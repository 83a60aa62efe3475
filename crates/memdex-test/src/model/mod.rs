//! The naive model: what a correct repository does.

mod calendar;
mod commands;
pub(crate) mod compare;
mod metrics;
pub(crate) mod predicate;
mod statistics;
mod summary;
mod table;

pub(crate) use commands::Undo;
pub use commands::{Model, Scratch};
pub use summary::Summary;
pub(crate) use table::Accept;
