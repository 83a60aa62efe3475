//! One suite on every backend.

use super::difference::{Difference, Step};
use super::runner::{Machine, RunReport};
use super::sequential::Counts;
use crate::operation::{Operation, Outcome};
use crate::repository::{Repository, agrees, apply_caught};
use std::cell::Cell;
use std::fmt;

type Fresh<'a> = Box<dyn Fn() -> Box<dyn Repository + 'a> + 'a>;

/// The same generated histories on several backends: the in-memory double, and the databases of production.
///
/// Each operation is applied to all backends, and every outcome is compared with that of the first one. A difference is shrunk, and
/// printed as the operations with the outcomes of both sides. An operation that a backend does not support is left out, if it is a
/// read; a write that one supports and another does not is a difference.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex_test::{Domain, Machine, StoreRepository, Suite, Workload};
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("name", Kind::Str).unique()]);
/// let domain = Domain::of_schema("User", schema)?;
/// let machine = Machine::new(Workload::new([domain.clone()])).portable();
/// let in_memory = || StoreRepository::key_values([&domain]).unwrap();
/// // In earnest, the second one is a database.
/// let report = Suite::new(machine).backend("memdex", in_memory).backend("other", in_memory).run().unwrap();
/// assert_eq!(report.histories, 64);
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[must_use]
pub struct Suite<'a> {
    machine: Machine,
    backends: Vec<(String, Fresh<'a>)>,
}

impl<'a> Suite<'a> {
    /// A suite with the histories of a machine. Make the machine [portable](Machine::portable) if a backend is an SQL database.
    pub fn new(machine: Machine) -> Self {
        Suite { machine, backends: Vec::new() }
    }

    /// Adds a backend. `fresh` makes an empty repository for each history.
    pub fn backend<R: Repository + 'a>(mut self, name: impl Into<String>, fresh: impl Fn() -> R + 'a) -> Self {
        let fresh = move || -> Box<dyn Repository + 'a> { Box::new(fresh()) };
        self.backends.push((name.into(), Box::new(fresh)));
        self
    }

    /// Runs the histories.
    ///
    /// # Errors
    /// The shortest history found on which a backend differs from the first one.
    pub fn run(&self) -> Result<RunReport, Box<Difference>> {
        let (counts, differing) = (Counts::default(), Cell::new(0));
        let mut run = |history: &[Operation]| {
            self.apply(history, &counts).map_err(|(side, steps)| {
                differing.set(side);
                steps
            })
        };
        let name = |at: usize| self.backends.get(at).map_or_else(String::new, |(name, _)| name.clone());
        self.machine.run_all(&mut run, &|| [name(0), name(differing.get())], &counts)
    }

    /// The steps up to the first difference, and the side that differs.
    fn apply(&self, history: &[Operation], counts: &Counts) -> Result<(), (usize, Vec<Step>)> {
        let sides: Vec<_> = self.backends.iter().map(|(_, fresh)| fresh()).collect();
        let mut model = self.machine.model.clone();
        let mut steps: Vec<(Operation, Vec<Outcome>)> = Vec::new();
        for operation in self.machine.with_final_reads(history) {
            if self.machine.is_skipped(&model, &operation) {
                counts.skip();
                continue;
            }
            model.apply(&operation);
            let outcomes: Vec<Outcome> = sides.iter().map(|side| apply_caught(&**side, &operation)).collect();
            let supported = outcomes.iter().filter(|outcome| **outcome != Outcome::Unsupported).count();
            let is_left_out = supported == 0 || operation.is_read() && supported < outcomes.len();
            if is_left_out {
                counts.skip();
                continue;
            }
            counts.count();
            let first = &outcomes[0];
            let differs = |other: &Outcome| !agrees(&operation, first, other) && !agrees(&operation, other, first);
            let differing = outcomes.iter().position(differs);
            steps.push((operation, outcomes));
            if let Some(side) = differing {
                let step = |(operation, mut outcomes): (Operation, Vec<Outcome>)| {
                    let actual = outcomes.swap_remove(side);
                    Step { operation, expected: outcomes.swap_remove(0), actual }
                };
                return Err((side, steps.into_iter().map(step).collect()));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.backends.iter().map(|(name, _)| name).collect();
        f.debug_struct("Suite").field("machine", &self.machine).field("backends", &names).finish()
    }
}

/// Makes a test of each function for each backend: a contract that is written once, for a trait of yours.
///
/// The functions take a reference to the repository. For each backend, a module with its name has the tests, each with a repository of
/// its own. Attributes of a backend, such as `#[ignore]`, are those of its tests.
///
/// ```
/// use memdex_test::repository_suite;
/// use std::cell::RefCell;
/// use std::collections::BTreeSet;
///
/// trait Names {
///     fn add(&self, name: &str) -> bool;
/// }
///
/// #[derive(Default)]
/// struct Sorted(RefCell<BTreeSet<String>>);
///
/// impl Names for Sorted {
///     fn add(&self, name: &str) -> bool { self.0.borrow_mut().insert(name.to_owned()) }
/// }
///
/// #[derive(Default)]
/// struct Listed(RefCell<Vec<String>>);
///
/// impl Names for Listed {
///     fn add(&self, name: &str) -> bool {
///         let mut names = self.0.borrow_mut();
///         let is_new = names.iter().all(|known| known != name);
///         if is_new { names.push(name.to_owned()) }
///         is_new
///     }
/// }
///
/// fn names_are_unique(names: &impl Names) {
///     assert!(names.add("ada") && !names.add("ada"));
/// }
///
/// repository_suite! {
///     backends {
///         sorted => Sorted::default(),
///         #[ignore = "needs a server"]
///         listed => Listed::default(),
///     }
///     tests { names_are_unique }
/// }
/// # fn main() { names_are_unique(&Sorted::default()); names_are_unique(&Listed::default()) }
/// ```
#[macro_export]
macro_rules! repository_suite {
    (backends { $($(#[$attribute:meta])* $backend:ident => $make:expr),+ $(,)? } tests $tests:tt) => {
        $($crate::repository_suite! { @backend [$(#[$attribute])*] $backend, $make, $tests })+
    };
    (@backend $attributes:tt $backend:ident, $make:expr, { $($test:ident),+ $(,)? }) => {
        mod $backend {
            #[allow(unused_imports)]
            use super::*;
            $($crate::repository_suite! { @test $attributes $test, $make })+
        }
    };
    (@test [$(#[$attribute:meta])*] $test:ident, $make:expr) => {
        #[test]
        $(#[$attribute])*
        fn $test() {
            super::$test(&$make)
        }
    };
}
