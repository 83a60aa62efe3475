//! A report as data.

use super::machine::Machine;
use crate::error::BenchError;
use crate::mix::Kind;
use crate::recorder::Latencies;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The quantiles of the latency curves.
pub(crate) const QUANTILES: [f64; 13] =
    [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999];

/// The results of a [`Suite`](crate::Suite).
///
/// Its JSON form is read by later versions; see [`to_json`](Report::to_json) and [`read`](Report::read).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The title of the suite.
    pub title: String,
    /// Where it ran.
    pub machine: Machine,
    /// The workloads, in the order of the suite.
    pub workloads: Vec<WorkloadReport>,
}

/// The results of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkloadReport {
    /// Its name.
    pub name: String,
    /// What it does, in words.
    pub description: String,
    /// The targets, in the order of the suite.
    pub targets: Vec<TargetReport>,
}

/// The results of a target in a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetReport {
    /// Its name.
    pub name: String,
    /// The rounds, in their order.
    pub rounds: Vec<Round>,
    /// Operations a second.
    pub throughput: Spread,
    /// The kinds of operations that the workload has.
    pub operations: Vec<OperationReport>,
    /// The latencies of all operations at the quantiles 0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995 and 0.9999.
    pub quantiles_nanos: Vec<u64>,
}

/// A round of a target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Round {
    /// How long it took.
    pub seconds: f64,
    /// Operations a second.
    pub throughput: f64,
}

/// The latencies of one kind of operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OperationReport {
    /// The kind.
    pub kind: Kind,
    /// Of all rounds together.
    pub latencies: Latencies,
    /// The medians of the rounds.
    pub p50_nanos: Spread,
    /// The 99th percentiles of the rounds.
    pub p99_nanos: Spread,
}

/// A value of each round: the median, the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spread {
    /// The median; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// The spread of values; zeros if there are none.
    ///
    /// ```
    /// use memdex_bench::Spread;
    /// let spread = Spread::of([3.0, 1.0, 2.0, 10.0]);
    /// assert_eq!((spread.low, spread.median, spread.high), (1.0, 2.5, 10.0));
    /// ```
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return Spread { median: 0.0, low: 0.0, high: 0.0 };
        };
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Spread { median, low: *low, high: *high }
    }
}

impl Report {
    /// The report as JSON.
    pub fn to_json(&self) -> String {
        match serde_json::to_string_pretty(self) {
            Ok(json) => json + "\n",
            Err(error) => unreachable!("a report is plain data: {error}"),
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`BenchError::Json`].
    pub fn from_json(json: &str) -> Result<Self, BenchError> {
        serde_json::from_str(json).map_err(|source| BenchError::Json { source })
    }

    /// Reads a file with the JSON form.
    ///
    /// # Errors
    /// [`BenchError::Io`] or [`BenchError::Json`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, BenchError> {
        let path = path.as_ref();
        let failed = |source| BenchError::Io { path: path.to_owned(), source };
        Report::from_json(&fs::read_to_string(path).map_err(failed)?)
    }

    /// Writes `report.json`, `report.md` and `report.html` into a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// [`BenchError::Io`].
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), BenchError> {
        let folder = folder.as_ref();
        let failed = |source| BenchError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let files =
            [("report.json", self.to_json()), ("report.md", self.to_markdown()), ("report.html", self.to_html())];
        files.iter().try_for_each(|(name, text)| fs::write(folder.join(name), text)).map_err(failed)
    }

    pub(super) fn workload(&self, name: &str) -> Option<&WorkloadReport> {
        self.workloads.iter().find(|workload| workload.name == name)
    }
}

impl WorkloadReport {
    pub(super) fn target(&self, name: &str) -> Option<&TargetReport> {
        self.targets.iter().find(|target| target.name == name)
    }
}
