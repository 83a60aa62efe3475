//! Materialized aggregates: results that commits maintain, as the committer accumulates them and as readers find them.

mod audit;
mod groups;
mod interned;
mod layout;
mod materialized;
mod plan;
mod recompute;
mod tallied;
mod tally;
mod writer;

pub(crate) use layout::MAX_AGGREGATE_WIDTH;
pub(crate) use materialized::{GroupEntry, Materialized};
pub(crate) use plan::AggregatePlan;
pub(crate) use recompute::Recomputed;
pub(crate) use tallied::{Contribution, Tallied};
pub(crate) use tally::GroupResult;
pub(super) use writer::AggregateWriter;
