//! Histories of several clients, and checkers of them: linearizability and isolation.

mod classify;
mod graph;
mod isolation;
mod linear;
mod recorder;
mod transaction;
mod verdict;
mod versions;

pub(crate) use classify::classify;
pub use isolation::{IsolationReport, Level, isolated};
pub use linear::{LinearReport, MOST_CONFIGURATIONS, linearizable};
pub use recorder::{Event, Recorder};
pub use transaction::{Access, Condition, End, Item, Transaction, Version};
pub use verdict::{Anomaly, Violation};
