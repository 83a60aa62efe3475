//! Latencies of one thread, and of all threads together.

use crate::mix::Kind;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Three significant digits, up to an hour: longer ones count as an hour.
const LONGEST_NANOS: u64 = 3_600_000_000_000;

/// Records latencies of operations by their kind, in histograms of three significant digits. Each thread has its own; they are
/// [merged](Recorder::merge) at the end.
///
/// ```
/// use memdex_bench::{Kind, Recorder};
/// use std::time::Duration;
/// let (mut one, mut other) = (Recorder::new(), Recorder::new());
/// one.record(Kind::Get, Duration::from_micros(1));
/// other.record(Kind::Get, Duration::from_micros(2));
/// one.merge(&other);
/// let latencies = one.latencies(Kind::Get).unwrap();
/// assert_eq!((latencies.count, latencies.max_nanos), (2, 2_000));
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    kinds: [Histogram<u64>; 5],
}

/// What a histogram says. Times are in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latencies {
    /// How many operations there were.
    pub count: u64,
    /// Their mean.
    pub mean_nanos: f64,
    /// The median.
    pub p50_nanos: u64,
    /// The 90th percentile.
    pub p90_nanos: u64,
    /// The 99th percentile.
    pub p99_nanos: u64,
    /// The 99.9th percentile.
    pub p999_nanos: u64,
    /// The longest.
    pub max_nanos: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::new()
    }
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        let empty = || match Histogram::new_with_bounds(1, LONGEST_NANOS, 3) {
            Ok(histogram) => histogram,
            Err(error) => unreachable!("the bounds are constants: {error}"),
        };
        Recorder { kinds: std::array::from_fn(|_| empty()) }
    }

    /// Records a latency.
    pub fn record(&mut self, kind: Kind, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.kinds[kind as usize].saturating_record(nanos.clamp(1, LONGEST_NANOS));
    }

    /// Adds what another recorder has recorded.
    pub fn merge(&mut self, other: &Recorder) {
        for (own, other) in self.kinds.iter_mut().zip(&other.kinds) {
            // All histograms have the same bounds.
            if let Err(error) = own.add(other) {
                unreachable!("the bounds are equal: {error}");
            }
        }
    }

    /// The latencies of a kind; `None` if there are none.
    pub fn latencies(&self, kind: Kind) -> Option<Latencies> {
        let histogram = &self.kinds[kind as usize];
        let at = |quantile| histogram.value_at_quantile(quantile);
        (!histogram.is_empty()).then(|| Latencies {
            count: histogram.len(),
            mean_nanos: histogram.mean(),
            p50_nanos: at(0.5),
            p90_nanos: at(0.9),
            p99_nanos: at(0.99),
            p999_nanos: at(0.999),
            max_nanos: histogram.max(),
        })
    }

    /// The latencies of all kinds at these quantiles, from 0 to 1. Empty if there are none.
    pub fn at_quantiles(&self, quantiles: &[f64]) -> Vec<u64> {
        let [mut all, others @ ..] = self.kinds.clone();
        for other in &others {
            if let Err(error) = all.add(other) {
                unreachable!("the bounds are equal: {error}");
            }
        }
        if all.is_empty() { Vec::new() } else { quantiles.iter().map(|at| all.value_at_quantile(*at)).collect() }
    }
}
