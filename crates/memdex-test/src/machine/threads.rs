//! Several threads on one repository.

use super::runner::{Machine, RunReport};
use crate::history::{Event, Recorder, Violation, classify, linearizable};
use crate::operation::{Operation, Outcome};
use crate::repository::{Repository, apply_caught};
use crate::strategy::{OperationKind, Workload};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::fmt;
use std::sync::Barrier;

/// A history of threads that no order of its operations explains.
///
/// Printed, it has the anomaly, the operations that show it, and the seed. The seed gives the same operations again; the threads may
/// interleave differently.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ThreadFailure {
    /// The seed of the run.
    pub seed: u64,
    /// The round of the run, from 0.
    pub round: u32,
    /// What is wrong. The positions are those of `history`.
    pub violation: Violation,
    /// The whole history of the round.
    pub history: Vec<Event>,
    /// The part of the history that suffices: reads and refused writes that don't matter are left out.
    pub shortest: Vec<Event>,
}

impl fmt::Display for ThreadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (seed {}, round {})", self.violation, self.seed, self.round)?;
        write!(f, "these operations show it:")?;
        self.shortest.iter().try_for_each(|event| write!(f, "\n  {event}"))
    }
}

impl std::error::Error for ThreadFailure {}

impl Machine {
    /// Lets several threads apply random operations to one repository, records the history, and checks whether it is
    /// [linearizable](crate::history::linearizable) by the model: each operation, also a batch or a read by predicate, takes place at
    /// one moment between its call and its return. `fresh` makes an empty repository for each round; a round begins with some operations
    /// of one thread.
    ///
    /// Walks are left out, since the pages of a walk are several reads.
    ///
    /// ```
    /// use memdex::{FieldDef, Kind, Schema};
    /// use memdex_test::{Domain, Machine, StoreRepository, Workload};
    ///
    /// let fields = [FieldDef::new("id", Kind::Int).key(), FieldDef::new("cents", Kind::Int), FieldDef::new("version", Kind::Int)];
    /// let accounts = Domain::of_schema("Account", Schema::new(fields))?.keys(3)?;
    /// let machine = Machine::new(Workload::new([accounts.clone()])).version_field("version").cases(5);
    /// machine.check_threads(|| StoreRepository::key_values([&accounts]).unwrap()).unwrap();
    /// # Ok::<(), memdex_test::DomainError>(())
    /// ```
    ///
    /// # Errors
    /// The first round whose history is not linearizable, with the anomaly by name if a [version field](Machine::version_field) is set.
    pub fn check_threads<R: Repository + Sync>(&self, fresh: impl Fn() -> R) -> Result<RunReport, Box<ThreadFailure>> {
        let workload = self.workload.clone().without([OperationKind::Walk]);
        let mut runner = self.runner();
        let plan = self.plans(&workload);
        let (mut report, mut version) = (RunReport::default(), 1_000);
        for round in 0..self.cases {
            let Ok(tree) = plan.new_tree(&mut runner) else { continue };
            let mut plan = tree.current();
            if let Some(field) = &self.version {
                plan.iter_mut().for_each(|operations| {
                    operations.retain_mut(|operation| set_version(operation, field, &mut version));
                });
            }
            let repository = fresh();
            let history = self.run_threads(&repository, &plan);
            report.histories += 1;
            report.operations += history.len();
            report.skipped += history.iter().filter(|event| event.outcome == Outcome::Unsupported).count();
            if let Err(violation) = linearizable(&history, &self.model) {
                let shortest = self.shortest(&history, &violation);
                let named = self.version.as_deref().and_then(|field| classify(&history, &self.model, field));
                let violation = named.unwrap_or(violation);
                return Err(Box::new(ThreadFailure { seed: self.seed, round, violation, history, shortest }));
            }
        }
        Ok(report)
    }

    /// The operations of the beginning, and those of each client.
    fn plans(&self, workload: &Workload) -> BoxedStrategy<Vec<Vec<Operation>>> {
        let client = proptest::collection::vec(workload.operations(), self.length);
        let start = proptest::collection::vec(workload.operations(), self.length / 2);
        (start, proptest::collection::vec(client, self.clients))
            .prop_map(|(start, clients)| std::iter::once(start).chain(clients).collect())
            .boxed()
    }

    fn run_threads(&self, repository: &(dyn Repository + Sync), plan: &[Vec<Operation>]) -> Vec<Event> {
        let recorder = Recorder::new();
        let Some((start, clients)) = plan.split_first() else { return Vec::new() };
        for operation in start {
            recorder.record(0, operation.clone(), |operation| apply_caught(repository, operation));
        }
        let together = Barrier::new(clients.len());
        std::thread::scope(|scope| {
            for (client, operations) in clients.iter().enumerate() {
                let (recorder, together) = (&recorder, &together);
                scope.spawn(move || {
                    together.wait();
                    for operation in operations {
                        recorder.record(client, operation.clone(), |operation| apply_caught(repository, operation));
                    }
                });
            }
        });
        recorder.history()
    }

    /// A part of the history that is not linearizable either. The part up to a time is linearizable if the whole is, with the operations
    /// that have not returned by then; and leaving out operations without effect makes no history less linearizable.
    fn shortest(&self, history: &[Event], violation: &Violation) -> Vec<Event> {
        let end = violation.operations.iter().filter_map(|at| history[*at].returned).max().unwrap_or(u64::MAX);
        let until_then = |event: &Event| {
            let is_open = event.returned.is_none_or(|returned| returned > end);
            (event.invoked <= end).then(|| Event { returned: event.returned.filter(|_| !is_open), ..event.clone() })
        };
        let fails = |events: &[Event]| linearizable(events, &self.model).is_err();
        let mut events: Vec<Event> = history.iter().filter_map(until_then).collect();
        if !fails(&events) {
            events = history.to_vec();
        }
        let has_no_effect = |event: &Event| {
            let is_without = matches!(event.outcome, Outcome::Refused(_) | Outcome::Number(0) | Outcome::Unsupported);
            event.operation.is_read() || is_without && !matches!(event.operation, Operation::Add { .. })
        };
        let mut at = events.len();
        while at > 0 {
            at -= 1;
            if has_no_effect(&events[at]) {
                let without: Vec<Event> = [&events[..at], &events[at + 1..]].concat();
                if fails(&without) {
                    events = without;
                }
            }
        }
        events
    }
}

/// Gives each write a version of its own; false for an operation that adds to versions.
fn set_version(operation: &mut Operation, field: &str, version: &mut i64) -> bool {
    *version += 1;
    match operation {
        Operation::Insert { row, .. } | Operation::Store { row, .. } => row.set(field.to_owned(), [*version]),
        Operation::Update { set, .. } => {
            set.retain(|(name, _)| *name != *field);
            set.push((field.to_owned().into(), vec![(*version).into()]));
        }
        Operation::Add { field: of, .. } => return *of != *field,
        Operation::Batch(parts) => parts.retain_mut(|part| set_version(part, field, version)),
        _ => {}
    }
    true
}
