//! A benchmark harness for stores: seeded workloads, latency histograms, repeated interleaved runs, and reports with plots.
//!
//! Implement [`Target`] for what you want to measure, or use [`MemdexTarget`]. A [`Suite`] runs [`Workload`]s on all targets and makes a
//! [`Report`], which is written as Markdown, JSON, or one HTML page with plots, and compared with an earlier one.
//!
//! ```
//! use memdex_bench::{Keys, MemdexTarget, Mix, Suite, Workload};
//!
//! let workload = Workload::new("reads")
//!     .records(1_000)
//!     .operations(5_000)
//!     .keys(Keys::Zipf { exponent: 0.99 })
//!     .mix(Mix::new().get(95).update(5));
//! let report = Suite::new("a comparison")
//!     .rounds(2)
//!     .workload(workload)
//!     .target("memdex", || Ok(MemdexTarget::new()?))
//!     .run()?;
//! let memdex = &report.workloads[0].targets[0];
//! assert_eq!(memdex.rounds.len(), 2);
//! assert!(memdex.throughput.median > 0.0);
//! assert!(report.to_markdown().contains("memdex"));
//! assert!(report.to_html().starts_with("<!DOCTYPE html>"));
//! # Ok::<(), memdex_bench::BenchError>(())
//! ```
//!
//! # Rules that the harness keeps
//!
//! * The operations of a workload depend on its seed only: every target gets the same ones, and so does every later run.
//! * All operations are made before the clock starts.
//! * The targets take turns, round by round, and the first one of a round changes, so that a slow minute of the machine hits all of them.
//! * Each target starts each round new, filled and warmed up.
//! * With a [rate](Workload::rate), a latency counts from the moment at which the operation was due, not from the moment at which a late thread
//!   got to it: a stall hits all operations that were due meanwhile (*coordinated omission*).
//! * With one thread, all targets must return the same numbers of records. A target that does less work is found out.
//! * Results are medians over the rounds, with their spread.

#![forbid(unsafe_code)]

mod error;
mod keys;
mod memdex_target;
mod mix;
mod random;
mod recorder;
mod report;
mod runner;
mod suite;
mod target;
mod workload;

pub use error::BenchError;
pub use keys::{KeySampler, Keys};
pub use memdex_target::MemdexTarget;
pub use mix::{Kind, Mix};
pub use random::Random;
pub use recorder::{Latencies, Recorder};
pub use report::{Change, Comparison, Machine, OperationReport, Report, Round, Spread, TargetReport, WorkloadReport};
pub use suite::Suite;
pub use target::{BoxError, Item, Operation, Target};
pub use workload::Workload;
