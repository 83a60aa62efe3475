//! Reports: what was measured, its forms, and comparisons.

mod compare;
mod data;
mod escape;
mod html;
mod machine;
mod markdown;
mod plot;
mod units;

pub use compare::{Change, Comparison};
pub(crate) use data::QUANTILES;
pub use data::{OperationReport, Report, Round, Spread, TargetReport, WorkloadReport};
pub use machine::Machine;
