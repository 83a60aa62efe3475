//! Several workloads on several targets, in interleaved rounds.

use crate::error::BenchError;
use crate::mix::Kind;
use crate::recorder::Recorder;
use crate::report::{Machine, OperationReport, QUANTILES, Report, Round, Spread, TargetReport, WorkloadReport};
use crate::runner::{Measured, run};
use crate::target::{BoxError, Target};
use crate::workload::Workload;

type Make = Box<dyn Fn() -> Result<Box<dyn Target>, BoxError>>;

/// Workloads and targets to be compared. See the [crate](crate).
pub struct Suite {
    title: String,
    rounds: usize,
    workloads: Vec<Workload>,
    targets: Vec<(String, Make)>,
}

impl Suite {
    /// An empty suite of five rounds.
    pub fn new(title: impl Into<String>) -> Self {
        Suite { title: title.into(), rounds: 5, workloads: Vec::new(), targets: Vec::new() }
    }

    /// How often each target runs each workload; at least once. Results are medians over the rounds.
    #[must_use]
    pub fn rounds(self, rounds: usize) -> Self {
        Suite { rounds: rounds.max(1), ..self }
    }

    /// Adds a workload.
    #[must_use]
    pub fn workload(mut self, workload: Workload) -> Self {
        self.workloads.push(workload);
        self
    }

    /// Adds a target. `make` makes an empty one for each round.
    #[must_use]
    pub fn target<T: Target + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> Result<T, BoxError> + 'static,
    ) -> Self {
        let make = move || make().map(|target| -> Box<dyn Target> { Box::new(target) });
        self.targets.push((name.into(), Box::new(make)));
        self
    }

    /// Runs all workloads.
    ///
    /// # Errors
    /// A [`BenchError`]: a workload that can't be run, an error of a target, or targets that do not do the same work.
    pub fn run(&self) -> Result<Report, BenchError> {
        for (what, is_empty) in [("workloads", self.workloads.is_empty()), ("targets", self.targets.is_empty())] {
            if is_empty {
                return Err(BenchError::Empty { what });
            }
        }
        self.workloads.iter().try_for_each(Workload::check)?;
        let workloads = self.workloads.iter().map(|workload| self.run_workload(workload)).collect::<Result<_, _>>()?;
        Ok(Report { title: self.title.clone(), machine: Machine::this(), workloads })
    }

    fn run_workload(&self, workload: &Workload) -> Result<WorkloadReport, BenchError> {
        let mut measured: Vec<Vec<Measured>> = self.targets.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            for turn in 0..self.targets.len() {
                let at = (round + turn) % self.targets.len();
                measured[at].push(self.run_target(workload, at)?);
            }
        }
        if workload.threads == 1 {
            self.check_work(workload, &measured)?;
        }
        let targets = self.targets.iter().zip(measured);
        Ok(WorkloadReport {
            name: workload.name.clone(),
            description: workload.description(),
            targets: targets.map(|((name, _), rounds)| target_report(name, &rounds, workload)).collect(),
        })
    }

    fn run_target(&self, workload: &Workload, at: usize) -> Result<Measured, BenchError> {
        let (name, make) = &self.targets[at];
        let failed = |action| {
            move |source| BenchError::Target { workload: workload.name.clone(), target: name.clone(), action, source }
        };
        let mut target = make().map_err(failed("be made"))?;
        target.fill(&mut workload.items()).map_err(failed("be filled"))?;
        run(&*target, workload).map_err(|(action, source)| failed(action)(source))
    }

    /// All targets must have found the same records.
    fn check_work(&self, workload: &Workload, measured: &[Vec<Measured>]) -> Result<(), BenchError> {
        let all = self
            .targets
            .iter()
            .zip(measured)
            .flat_map(|((name, _), rounds)| rounds.iter().map(move |of| (name, of.counts)));
        let mut all = all.peekable();
        let Some((first, expected)) = all.peek().map(|(name, counts)| ((*name).clone(), *counts)) else {
            return Ok(());
        };
        for (name, counts) in all {
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| counts[*kind as usize] != expected[*kind as usize]) {
                return Err(BenchError::Disagreement {
                    workload: workload.name.clone(),
                    kind,
                    first,
                    expected: expected[kind as usize],
                    target: name.clone(),
                    count: counts[kind as usize],
                });
            }
        }
        Ok(())
    }
}

fn target_report(name: &str, rounds: &[Measured], workload: &Workload) -> TargetReport {
    let mut all = Recorder::new();
    rounds.iter().for_each(|round| all.merge(&round.recorder));
    let report = |kind: Kind| {
        let of_rounds: Vec<_> = rounds.iter().filter_map(|round| round.recorder.latencies(kind)).collect();
        let spread = |of: fn(&crate::Latencies) -> u64| Spread::of(of_rounds.iter().map(|round| of(round) as f64));
        let latencies = all.latencies(kind)?;
        let (p50_nanos, p99_nanos) = (spread(|of| of.p50_nanos), spread(|of| of.p99_nanos));
        Some(OperationReport { kind, latencies, p50_nanos, p99_nanos })
    };
    let rounds: Vec<Round> = rounds
        .iter()
        .map(|round| {
            let seconds = round.took.as_secs_f64().max(1e-9);
            Round { seconds, throughput: workload.operations as f64 / seconds }
        })
        .collect();
    TargetReport {
        name: name.to_owned(),
        throughput: Spread::of(rounds.iter().map(|round| round.throughput)),
        rounds,
        operations: Kind::ALL.into_iter().filter_map(report).collect(),
        quantiles_nanos: all.at_quantiles(&QUANTILES),
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let targets: Vec<&str> = self.targets.iter().map(|(name, _)| &**name).collect();
        let mut suite = f.debug_struct("Suite");
        suite.field("title", &self.title).field("rounds", &self.rounds);
        suite.field("workloads", &self.workloads).field("targets", &targets).finish()
    }
}
