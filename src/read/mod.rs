//! What is the answer, as of one commit? Snapshots, look-ups by key, and the execution of queries.

mod access;
mod execute;
mod find;
mod iter;
mod lookup;
mod order;
mod page;
mod search;
mod set_expr;
mod snapshot;
mod statistics;

pub use find::Find;
pub(crate) use find::evaluate;
pub use iter::Records;
pub use page::Page;
pub use search::{Hit, Search};
pub use snapshot::{Snapshot, View};
pub use statistics::{Figures, Group, Summary};
