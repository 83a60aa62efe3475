//! Reads at one commit: snapshots, lookups by key, and the execution of queries.
//!
//! Only `snapshot`, `lookup`, `find` and `iter` know record types; everything below them is compiled once, in this crate.

mod access;
mod advice;
mod bound_query;
mod builder;
mod by_columns;
pub(crate) mod cache;
mod choice;
mod condition_text;
mod cost;
mod estimate;
mod execute;
mod explain;
mod find;
mod hit;
mod iter;
mod live;
mod lookup;
mod merge;
mod order;
mod page;
mod plan;
mod planner;
mod query;
mod ranking;
mod search;
mod set_expr;
mod snapshot;
mod sort;
mod statistics;
mod stream;
mod strict;
mod through;
mod top_k;
mod walk;

pub use explain::{ExplainStep, Explanation};
pub use find::Find;
pub(crate) use find::evaluate;
pub use hit::Hit;
pub use iter::Records;
pub use live::Difference;
pub(crate) use live::{LiveRecords, LiveStatistics, TooMany, apply, differences};
pub use page::Page;
pub use query::QueryResult;
pub(crate) use ranking::Ranking;
pub use search::{Hits, Search};
pub use snapshot::{Snapshot, View};
pub use statistics::{AggregationResult, Group, MetricValues};
