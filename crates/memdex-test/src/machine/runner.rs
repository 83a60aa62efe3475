//! The settings of a machine.

use crate::model::Model;
use crate::strategy::Workload;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fmt;

/// The default seed.
const SEED: u64 = 0x6d65_6d64_6578;

/// The state machine: it draws histories from a [`Workload`], applies them to repositories, and compares the outcomes.
///
/// * [`check`](Machine::check) compares a repository with the [`Model`], one operation after the other.
/// * A [`Suite`](crate::Suite) compares several repositories with each other.
/// * [`check_threads`](Machine::check_threads) lets several threads use one repository, and checks the recorded history.
///
/// A difference is shrunk and printed with its seed. The seed is the same in every run unless you set another, by
/// [`seed`](Machine::seed) or the environment variable `MEMDEX_TEST_SEED`; so is the number of cases, by [`cases`](Machine::cases) or
/// `MEMDEX_TEST_CASES`.
///
/// ```
/// use memdex::Record;
/// use memdex_test::{Domain, Machine, StoreRepository, Workload};
///
/// #[derive(Clone, Debug, Record)]
/// #[record(from_values)]
/// struct User { #[record(key)] id: u32, #[record(unique)] email: String, #[record(index)] city: Option<String> }
///
/// let users = Domain::of::<User>("User")?;
/// let machine = Machine::new(Workload::new([users.clone()])).cases(20);
/// let report = machine.check(|| StoreRepository::key_values([&users]).unwrap()).unwrap();
/// assert_eq!(report.histories, 20);
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[derive(Clone)]
pub struct Machine {
    pub(super) workload: Workload,
    pub(super) model: Model,
    pub(super) seed: u64,
    pub(super) cases: u32,
    pub(super) length: usize,
    pub(super) is_portable: bool,
    pub(super) clients: usize,
    pub(super) version: Option<String>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunReport {
    /// The histories.
    pub histories: usize,
    /// The operations that were compared.
    pub operations: usize,
    /// The operations that were left out: unsupported, or without one meaning for all databases.
    pub skipped: usize,
}

impl Machine {
    /// A machine for this workload: 64 histories of up to 30 operations.
    pub fn new(workload: Workload) -> Self {
        let from_environment = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        Machine {
            model: workload.model(),
            workload,
            seed: from_environment("MEMDEX_TEST_SEED").unwrap_or(SEED),
            cases: from_environment("MEMDEX_TEST_CASES").map_or(64, |cases| cases.try_into().unwrap_or(u32::MAX)),
            length: 30,
            is_portable: false,
            clients: 3,
            version: None,
        }
    }

    /// Changes the model: to define the commands of the application, or to begin with records.
    #[must_use]
    pub fn model(self, change: impl FnOnce(Model) -> Model) -> Self {
        Machine { model: change(self.model), ..self }
    }

    /// The seed of the random histories.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Machine { seed, ..self }
    }

    /// The number of histories.
    #[must_use]
    pub fn cases(self, cases: u32) -> Self {
        Machine { cases, ..self }
    }

    /// The most operations of a history; with threads, of each of them.
    #[must_use]
    pub fn length(self, operations: usize) -> Self {
        Machine { length: operations.max(1), ..self }
    }

    /// Leaves out batches that databases judge in different ways: those whose uniqueness holds at the end but not in between.
    #[must_use]
    pub fn portable(self) -> Self {
        Machine { is_portable: true, ..self }
    }

    /// The number of threads of [`check_threads`](Machine::check_threads).
    #[must_use]
    pub fn clients(self, clients: usize) -> Self {
        Machine { clients: clients.max(1), ..self }
    }

    /// Names an integer field that the machine sets to another number in each write, so that a checker knows which write a read saw.
    /// It needs one to name the anomaly in a history of threads; without it, it can only say that the history is not linearizable.
    #[must_use]
    pub fn version_field(self, field: impl Into<String>) -> Self {
        Machine { version: Some(field.into()), ..self }
    }

    /// A runner of proptest whose random numbers depend on the seed only.
    pub(super) fn runner(&self) -> TestRunner {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { failure_persistence: None, ..Config::default() };
        TestRunner::new_with_rng(config, rng)
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("workload", &self.workload)
            .field("seed", &self.seed)
            .field("cases", &self.cases)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
