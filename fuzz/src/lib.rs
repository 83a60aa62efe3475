//! Fuzz targets of memdex, each with an oracle: a naive model, a round trip, an audit, or a second way to compute the same.
//!
//! A target is a function from bytes to a panic or not. `fuzz_targets` gives them to libFuzzer; `tests/replay.rs` runs them over all
//! seeds, kept crashes and some random changes of these. See `README.md`.

#![forbid(unsafe_code)]

pub mod cursors;
pub mod documents;
mod draw;
mod input;
mod naive;
pub mod operations;
pub mod queries;
mod results;
pub mod saved;
pub mod schemas;
pub mod sql;
mod tally;
mod world;

pub use draw::draw;
pub use input::Input;
pub use tally::compared;

/// A target: its name, which is that of its folders under `seeds` and `crashes`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("cursors", cursors::run),
    ("documents", documents::run),
    ("operations", operations::run),
    ("queries", queries::run),
    ("saved", saved::run),
    ("schemas", schemas::run),
    ("sql", sql::run),
];
