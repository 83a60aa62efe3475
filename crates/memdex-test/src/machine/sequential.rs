//! One operation after the other.

use super::difference::{Difference, Step};
use super::minimize::minimize;
use super::runner::{Machine, RunReport};
use crate::model::Model;
use crate::operation::{Operation, Outcome};
use crate::repository::{Repository, agrees, apply_caught};
use memdex::Query;
use proptest::test_runner::{TestCaseError, TestError};
use std::cell::Cell;

impl Machine {
    /// Compares a repository with the model. `fresh` makes an empty one for each history. At the end of each history all records are
    /// compared.
    ///
    /// # Errors
    /// The shortest history found on which the repository differs.
    pub fn check<R: Repository>(&self, fresh: impl Fn() -> R) -> Result<RunReport, Box<Difference>> {
        let counts = Counts::default();
        let mut run = |history: &[Operation]| self.run(history, &fresh(), &counts);
        self.run_all(&mut run, ["model", "repository"], &counts)
    }

    /// Compares two repositories with each other; the model decides only which operations have one meaning. `fresh` makes both, empty,
    /// for each history. An operation that one of them does not support is left out, if it is a read; a write that one supports and the
    /// other does not is a difference.
    ///
    /// ```
    /// use memdex::{FieldDef, Kind, Schema};
    /// use memdex_test::{Domain, Machine, StoreRepository, Workload};
    ///
    /// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("name", Kind::Str).unique()]);
    /// let domain = Domain::of_schema("User", schema)?;
    /// let machine = Machine::new(Workload::new([domain.clone()]));
    /// let repository = || StoreRepository::key_values([&domain]).unwrap();
    /// machine.compare(["one", "other"], || (repository(), repository())).unwrap();
    /// # Ok::<(), memdex_test::DomainError>(())
    /// ```
    ///
    /// # Errors
    /// The shortest history found on which they differ.
    pub fn compare<A: Repository, B: Repository>(
        &self,
        names: [&'static str; 2],
        fresh: impl Fn() -> (A, B),
    ) -> Result<RunReport, Box<Difference>> {
        let counts = Counts::default();
        let mut run = |history: &[Operation]| {
            let (first, second) = fresh();
            let mut model = self.model.clone();
            let mut steps = Vec::new();
            for operation in self.with_final_reads(history) {
                if self.is_skipped(&model, &operation) {
                    counts.skip();
                    continue;
                }
                model.apply(&operation);
                let expected = apply_caught(&first, &operation);
                let actual = apply_caught(&second, &operation);
                let unsupported = [&expected, &actual].map(|outcome| *outcome == Outcome::Unsupported);
                if unsupported == [true, true] || operation.is_read() && unsupported != [false, false] {
                    counts.skip();
                    continue;
                }
                counts.count();
                let is_same = agrees(&operation, &expected, &actual) || agrees(&operation, &actual, &expected);
                steps.push(Step { operation, expected, actual });
                if !is_same {
                    return Err(steps);
                }
            }
            Ok(())
        };
        self.run_all(&mut run, names, &counts)
    }

    fn is_skipped(&self, model: &Model, operation: &Operation) -> bool {
        self.is_portable && !model.is_portable(operation)
    }

    /// The history, and a read of all records of each collection.
    fn with_final_reads(&self, history: &[Operation]) -> Vec<Operation> {
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

    fn run_all(
        &self,
        run: &mut dyn FnMut(&[Operation]) -> Result<(), Vec<Step>>,
        sides: [&str; 2],
        counts: &Counts,
    ) -> Result<RunReport, Box<Difference>> {
        let histories = Cell::new(0);
        let found = {
            let run = std::cell::RefCell::new(&mut *run);
            self.runner(self.cases).run(&self.workload.histories(self.length), |history| {
                histories.set(histories.get() + 1);
                let differs = run.borrow_mut()(&history).is_err();
                if differs { Err(TestCaseError::fail("the sides differ")) } else { Ok(()) }
            })
        };
        let history = match found {
            Ok(()) => return Ok(counts.report(histories.get())),
            Err(TestError::Fail(_, history)) => history,
            Err(TestError::Abort(why)) => panic!("the workload has no histories: {why}"),
        };
        let shortest = minimize(history, &mut |history| run(history).is_err());
        let steps = run(&shortest).err().unwrap_or_default();
        let sides = sides.map(str::to_owned);
        Err(Box::new(Difference { seed: self.seed, sides, steps }))
    }
}

#[derive(Default)]
struct Counts {
    operations: Cell<usize>,
    skipped: Cell<usize>,
}

impl Counts {
    fn count(&self) {
        self.operations.set(self.operations.get() + 1);
    }

    fn skip(&self) {
        self.skipped.set(self.skipped.get() + 1);
    }

    fn report(&self, histories: usize) -> RunReport {
        RunReport { histories, operations: self.operations.get(), skipped: self.skipped.get() }
    }
}
