//! One operation after the other.

use super::difference::{Difference, Step};
use super::minimize::minimize;
use super::runner::{Machine, RunReport};
use crate::model::Model;
use crate::operation::{Operation, Outcome};
use crate::repository::{Repository, agrees, apply_caught};
use memdex::Query;
use proptest::strategy::{Strategy, ValueTree};
use std::cell::Cell;

/// Runs a history; the error has the steps up to the first difference.
pub(super) type Run<'a> = dyn FnMut(&[Operation]) -> Result<(), Vec<Step>> + 'a;

/// Most runs in which proptest makes the values of a failing history simpler.
const MOST_SHRINKS: usize = 256;

impl Machine {
    /// Compares a repository with the model. `fresh` makes an empty one for each history. At the end of each history all records are
    /// compared.
    ///
    /// # Errors
    /// The shortest history found on which the repository differs.
    pub fn check<R: Repository>(&self, fresh: impl Fn() -> R) -> Result<RunReport, Box<Difference>> {
        let counts = Counts::default();
        let mut run = |history: &[Operation]| self.run(history, &fresh(), &counts);
        self.run_all(&mut run, &|| ["model", "repository"].map(str::to_owned), &counts)
    }

    pub(super) fn is_skipped(&self, model: &Model, operation: &Operation) -> bool {
        self.is_portable && !model.is_portable(operation)
    }

    /// The history, and a read of all records of each collection.
    pub(super) fn with_final_reads(&self, history: &[Operation]) -> Vec<Operation> {
        let all = self.workload.domains().iter().map(|domain| Operation::Find(Query::over([domain.name().clone()])));
        history.iter().cloned().chain(all).collect()
    }

    fn run(&self, history: &[Operation], repository: &dyn Repository, counts: &Counts) -> Result<(), Vec<Step>> {
        let (mut model, mut steps) = (self.model.clone(), Vec::new());
        for operation in self.with_final_reads(history) {
            if self.is_skipped(&model, &operation) {
                counts.skip();
                continue;
            }
            let (expected, undo) = model.run(&operation);
            if expected == Outcome::Unsupported {
                counts.skip();
                continue;
            }
            let actual = apply_caught(repository, &operation);
            if actual == Outcome::Unsupported {
                model.undo(undo);
                counts.skip();
                continue;
            }
            counts.count();
            let is_right = agrees(&operation, &expected, &actual);
            steps.push(Step { operation, expected, actual });
            if !is_right {
                return Err(steps);
            }
        }
        Ok(())
    }

    pub(super) fn run_all(
        &self,
        run: &mut Run<'_>,
        sides: &dyn Fn() -> [String; 2],
        counts: &Counts,
    ) -> Result<RunReport, Box<Difference>> {
        let (mut runner, histories) = (self.runner(), self.workload.histories(self.length));
        for _ in 0..self.cases {
            let mut tree = histories.new_tree(&mut runner).expect("the workload has operations");
            let mut history = tree.current();
            if run(&history).is_ok() {
                continue;
            }
            // Simpler values first, by proptest; then fewer and simpler operations.
            let mut fails = true;
            for _ in 0..MOST_SHRINKS {
                if !(if fails { tree.simplify() } else { tree.complicate() }) {
                    break;
                }
                let candidate = tree.current();
                fails = run(&candidate).is_err();
                if fails {
                    history = candidate;
                }
            }
            let shortest = minimize(history, &mut |history| run(history).is_err());
            let steps = run(&shortest).err().unwrap_or_default();
            return Err(Box::new(Difference { seed: self.seed, sides: sides(), steps }));
        }
        Ok(counts.report(self.cases as usize))
    }
}

#[derive(Default)]
pub(super) struct Counts {
    operations: Cell<usize>,
    skipped: Cell<usize>,
}

impl Counts {
    pub(super) fn count(&self) {
        self.operations.set(self.operations.get() + 1);
    }

    pub(super) fn skip(&self) {
        self.skipped.set(self.skipped.get() + 1);
    }

    pub(super) fn report(&self, histories: usize) -> RunReport {
        RunReport { histories, operations: self.operations.get(), skipped: self.skipped.get() }
    }
}
