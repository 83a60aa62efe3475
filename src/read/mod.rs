//! What is the answer, as of one commit? Snapshots, look-ups by key, and the execution of queries.

mod access;
mod advice;
mod ask;
mod choice;
mod cost;
mod execute;
mod explain;
mod find;
mod iter;
mod lookup;
mod order;
mod page;
mod plan;
mod planner;
mod search;
mod set_expr;
mod snapshot;
mod sorted;
mod statistics;
mod walk;
mod words;

pub use ask::Answer;
pub(crate) use ask::asker;
pub use explain::{ExplainStep, Explanation};
pub use find::Find;
pub(crate) use find::evaluate;
pub use iter::Records;
pub use page::Page;
pub use search::{Hit, Search};
pub use snapshot::{Snapshot, View};
pub use statistics::{Figures, Group, Summary};
