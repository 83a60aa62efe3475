//! Durations of repeated steps, and printing them.

use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Durations(Vec<Duration>);

impl Durations {
    pub(crate) fn with_capacity(steps: usize) -> Self {
        Durations(Vec::with_capacity(steps))
    }

    pub(crate) fn time<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = step();
        self.0.push(started.elapsed());
        result
    }

    /// The durations of the first and of the last `count` steps.
    pub(crate) fn ends(&self, count: usize) -> (Durations, Durations) {
        let count = count.min(self.0.len());
        (Durations(self.0[..count].to_vec()), Durations(self.0[self.0.len() - count..].to_vec()))
    }

    /// The duration that this share of the steps does not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
        sorted.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.percentile(0.5)
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.iter().copied().max().unwrap_or_default()
    }

    pub(crate) fn least(&self) -> Duration {
        self.0.iter().copied().min().unwrap_or_default()
    }

    pub(crate) fn above(&self, limit: Duration) -> usize {
        self.0.iter().filter(|duration| **duration > limit).count()
    }
}

pub(crate) fn heading(group: &str) {
    println!("\n{group}");
}

pub(crate) fn line(what: &str, figure: impl std::fmt::Display) {
    println!("  {what:<52}{figure}");
}

/// Prints the ratio of `of` to `base` with its limit.
pub(crate) fn ratio(what: &str, of: Duration, base: Duration, limit: &str) {
    line(what, format_args!("{:.2} (limit {limit})", of.as_secs_f64() / base.as_secs_f64()));
}
