//! Why a benchmark failed.

use crate::mix::Kind;
use crate::target::BoxError;
use std::io;
use std::path::PathBuf;

/// Why a benchmark has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A workload can't be run.
    #[error("workload {workload:?}: {message}")]
    #[non_exhaustive]
    Workload {
        /// The name of the workload.
        workload: String,
        /// What is wrong, and what to do.
        message: &'static str,
    },
    /// There is nothing to run.
    #[error("the suite has no {what}: add one")]
    #[non_exhaustive]
    Empty {
        /// `workloads` or `targets`.
        what: &'static str,
    },
    /// A target could not be made, filled or used.
    #[error("target {target:?} could not {action} in workload {workload:?}: {source}")]
    #[non_exhaustive]
    Target {
        /// The name of the workload.
        workload: String,
        /// The name of the target.
        target: String,
        /// What it was doing.
        action: &'static str,
        /// Its error.
        source: BoxError,
    },
    /// Two targets did not do the same.
    #[error(
        "in workload {workload:?}, {kind} operations concern {count} records in {target:?}, and {expected} in {first:?}: the targets must \
         do the same work"
    )]
    #[non_exhaustive]
    Disagreement {
        /// The name of the workload.
        workload: String,
        /// The kind of the operations.
        kind: Kind,
        /// The first target.
        first: String,
        /// The records of its operations.
        expected: u64,
        /// The other target.
        target: String,
        /// The records of its operations.
        count: u64,
    },
    /// A report could not be read or written.
    #[error("report {}: {source}", path.display())]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file is no report.
    #[error("not a report: {source}")]
    #[non_exhaustive]
    Json {
        /// The error of the parser.
        source: serde_json::Error,
    },
}

/// For targets that are made without an error of their own.
impl From<memdex::error::CollectionError> for BenchError {
    fn from(source: memdex::error::CollectionError) -> Self {
        let (workload, target) = (String::new(), "memdex".to_owned());
        BenchError::Target { workload, target, action: "open its collection", source: Box::new(source) }
    }
}
