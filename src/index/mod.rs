//! Indexes and materialized aggregates: the structures that are derived from the records of a collection and maintained by every
//! commit.

mod aggregate;
mod audit;
mod cardinality;
mod catalog;
mod changes;
mod entries;
mod equality;
mod estimate;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod fixture;
mod maintain;
mod ordered;
mod read;
mod shape;
mod slab;
mod structures;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;
mod unique;
mod walk;

pub(crate) use aggregate::{
    AggregatePlan, Contribution, GroupEntry, GroupResult, MAX_AGGREGATE_WIDTH, Materialized, Recomputed, Tallied,
};
pub(crate) use audit::{AuditRow, AuditRows, Findings};
pub(crate) use catalog::Catalog;
pub(crate) use changes::{ChangeSet, Moves, NetChanges, RefPlace, RowChange, Staged, StagedRefs};
pub(crate) use maintain::{Clash, Maintain, Other, Role, StagedRecords};
pub(crate) use read::{Index, Sought};
pub(crate) use shape::{IndexShape, checked, extract, tuple};
pub(crate) use structures::{aggregate, catalog, index, of_schema};
pub(crate) use walk::WalkSpec;
