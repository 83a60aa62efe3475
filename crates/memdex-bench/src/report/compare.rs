//! Two reports, compared.

use super::data::{Report, Spread, TargetReport};
use super::escape::markdown as escaped;
use super::units::{rate, time};
use std::fmt;

/// How a later report differs from an earlier one; see [`Report::compare`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The figures that both reports have.
    pub changes: Vec<Change>,
    /// Workloads and targets that only one of them has.
    pub unmatched: Vec<String>,
}

/// A figure of both reports.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The workload.
    pub workload: String,
    /// The target.
    pub target: String,
    /// `throughput`, or the kind of operations and `median` or `99 %`.
    pub figure: String,
    /// In the earlier report.
    pub before: Spread,
    /// In the later one.
    pub after: Spread,
    /// How many times better the later median is: below 1 it is worse.
    pub better: f64,
    /// Whether the figures are times.
    is_time: bool,
}

impl Change {
    /// Whether the rounds of one report are all better than those of the other: then the change is more than the noise of these rounds.
    pub fn is_clear(&self) -> bool {
        self.before.high < self.after.low || self.after.high < self.before.low
    }
}

impl Report {
    /// Compares this report with an earlier one, by the names of workloads and targets.
    ///
    /// ```
    /// # use memdex_bench::{MemdexTarget, Suite, Workload};
    /// let suite = Suite::new("reads").rounds(1).workload(Workload::new("gets").records(100).operations(1_000))
    ///     .target("memdex", || Ok(MemdexTarget::new()?));
    /// let (before, after) = (suite.run()?, suite.run()?);
    /// let comparison = after.compare(&before);
    /// assert_eq!(comparison.changes[0].figure, "throughput");
    /// assert!(comparison.changes[0].better > 0.0);
    /// println!("{comparison}");
    /// # Ok::<(), memdex_bench::BenchError>(())
    /// ```
    pub fn compare(&self, before: &Report) -> Comparison {
        let mut comparison = Comparison { changes: Vec::new(), unmatched: Vec::new() };
        for workload in &self.workloads {
            let Some(old) = before.workload(&workload.name) else {
                comparison.unmatched.push(format!("{} (new)", workload.name));
                continue;
            };
            if old.description != workload.description {
                comparison.unmatched.push(format!("{} (another workload of this name)", workload.name));
                continue;
            }
            for target in &workload.targets {
                match old.target(&target.name) {
                    Some(old) => comparison.add(&workload.name, old, target),
                    None => comparison.unmatched.push(format!("{} in {} (new)", target.name, workload.name)),
                }
            }
            let gone = old.targets.iter().filter(|target| workload.target(&target.name).is_none());
            comparison.unmatched.extend(gone.map(|target| format!("{} in {} (gone)", target.name, workload.name)));
        }
        let gone = before.workloads.iter().filter(|workload| self.workload(&workload.name).is_none());
        comparison.unmatched.extend(gone.map(|workload| format!("{} (gone)", workload.name)));
        comparison
    }
}

impl Comparison {
    fn add(&mut self, workload: &str, before: &TargetReport, after: &TargetReport) {
        let mut change = |figure: String, old: Spread, new: Spread, is_time: bool| {
            let ratio = if is_time { old.median / new.median } else { new.median / old.median };
            // Without any figure there is no change.
            let better = if ratio.is_finite() && ratio > 0.0 { ratio } else { 1.0 };
            let (workload, target) = (workload.to_owned(), after.name.clone());
            self.changes.push(Change { workload, target, figure, before: old, after: new, better, is_time });
        };
        change("throughput".to_owned(), before.throughput, after.throughput, false);
        for new in &after.operations {
            if let Some(old) = before.operations.iter().find(|old| old.kind == new.kind) {
                change(format!("{} median", new.kind), old.p50_nanos, new.p50_nanos, true);
                change(format!("{} 99 %", new.kind), old.p99_nanos, new.p99_nanos, true);
            }
        }
    }
}

impl fmt::Display for Comparison {
    /// As a Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| workload | target | figure | before | after | better | |")?;
        writeln!(f, "| --- | --- | --- | ---: | ---: | ---: | --- |")?;
        for change in &self.changes {
            let shown = |spread: &Spread| if change.is_time { time(spread.median) } else { rate(spread.median) };
            let verdict = match (change.is_clear(), change.better) {
                (false, _) => "within the spread",
                (true, better) if better > 1.0 => "better",
                (true, _) => "worse",
            };
            let (workload, target) = (escaped(&change.workload), escaped(&change.target));
            let (before, after) = (shown(&change.before), shown(&change.after));
            writeln!(
                f,
                "| {workload} | {target} | {} | {before} | {after} | {:.2} × | {verdict} |",
                change.figure, change.better
            )?;
        }
        self.unmatched.iter().try_for_each(|name| write!(f, "\nNot compared: {}.\n", escaped(name)))
    }
}
