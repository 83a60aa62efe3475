//! Statistics of many records: metrics and groups, exact, at one commit. [`run`] has the steps.

mod accumulate;
mod answer;
mod cells;
mod columns;
mod finish;
mod firsts;
mod groups;
mod kernels;
mod materialized;
mod measures;
mod parts;
mod run;
#[cfg(feature = "serde")]
mod serial;
mod spellings;

use crate::record::bound as bind;

pub use answer::{AggregationResult, Group, MetricValues};
pub(super) use materialized::Maintained;
pub(super) use run::{Of, check, compute};
