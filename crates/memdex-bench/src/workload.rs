//! A workload: its records and its operations, all by a seed.

use crate::error::BenchError;
use crate::keys::{KeySampler, Keys};
use crate::mix::{Kind, Mix};
use crate::random::Random;
use crate::target::{Item, Operation};

/// Records and operations. The same workload has the same ones in every run.
///
/// ```
/// use memdex_bench::{Keys, Mix, Workload};
/// let workload = Workload::new("sessions")
///     .records(100_000)
///     .operations(500_000)
///     .keys(Keys::Zipf { exponent: 0.99 })
///     .mix(Mix::new().get(90).insert(5).delete(5))
///     .threads(2)
///     .rate(200_000.0);
/// assert_eq!(workload.name(), "sessions");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    pub(crate) name: String,
    pub(crate) records: u64,
    pub(crate) operations: u64,
    pub(crate) warm_up: u64,
    pub(crate) groups: u32,
    pub(crate) text_bytes: usize,
    pub(crate) keys: Keys,
    pub(crate) mix: Mix,
    pub(crate) threads: usize,
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
}

impl Workload {
    /// A workload of 100,000 gets of uniform keys over 10,000 records in 100 groups, by one thread.
    pub fn new(name: impl Into<String>) -> Self {
        Workload {
            name: name.into(),
            records: 10_000,
            operations: 100_000,
            warm_up: 10_000,
            groups: 100,
            text_bytes: 50,
            keys: Keys::Uniform,
            mix: Mix::new().get(1),
            threads: 1,
            rate: None,
            seed: 1,
        }
    }

    /// The number of records that are there before the operations.
    #[must_use]
    pub fn records(self, records: u64) -> Self {
        Workload { records, ..self }
    }

    /// The number of measured operations of each round, of all threads together.
    #[must_use]
    pub fn operations(self, operations: u64) -> Self {
        Workload { operations, ..self }
    }

    /// The number of operations before, which are not measured. They have keys and a mix like the others.
    #[must_use]
    pub fn warm_up(self, operations: u64) -> Self {
        Workload { warm_up: operations, ..self }
    }

    /// The number of groups that the records are in.
    #[must_use]
    pub fn groups(self, groups: u32) -> Self {
        Workload { groups, ..self }
    }

    /// The length of the text of each record.
    #[must_use]
    pub fn text_bytes(self, bytes: usize) -> Self {
        Workload { text_bytes: bytes, ..self }
    }

    /// How the keys are chosen.
    #[must_use]
    pub fn keys(self, keys: Keys) -> Self {
        Workload { keys, ..self }
    }

    /// The kinds of operations.
    #[must_use]
    pub fn mix(self, mix: Mix) -> Self {
        Workload { mix, ..self }
    }

    /// The number of threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Workload { threads, ..self }
    }

    /// Starts so many operations a second, of all threads together, whether or not those before have ended (*open loop*). Latencies count from
    /// the moment at which an operation is due. Without a rate, each thread starts an operation when the one before has ended (*closed
    /// loop*): that measures throughput, and hides what a stall does to operations that would have come meanwhile.
    #[must_use]
    pub fn rate(self, operations_per_second: f64) -> Self {
        Workload { rate: Some(operations_per_second), ..self }
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Workload { seed, ..self }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// In words, for reports.
    pub(crate) fn description(&self) -> String {
        let keys = match self.keys {
            Keys::Uniform => "uniform".to_owned(),
            Keys::Zipf { exponent } => format!("Zipf {exponent}"),
            Keys::Latest { exponent } => format!("latest, Zipf {exponent}"),
        };
        let pace = self.rate.map_or("closed loop".to_owned(), |rate| format!("{rate} operations a second"));
        let threads = if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        format!(
            "{} records in {} groups; {} operations: {}; keys {keys}; {threads}; {pace}; seed {}",
            self.records, self.groups, self.operations, self.mix, self.seed
        )
    }

    pub(crate) fn check(&self) -> Result<(), BenchError> {
        let faults = [
            (self.records == 0, "it has no records: set at least one"),
            (self.operations == 0, "it has no operations: set at least one"),
            (self.groups == 0, "its records are in no group: set at least one"),
            (self.threads == 0, "it has no threads: set at least one"),
            (self.mix.total() == 0, "its mix has no weights: set one greater than 0"),
            (!self.keys.is_valid(), "the exponent of its keys must be greater than 0 and at most 100"),
            (self.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())), "its rate must be greater than 0"),
        ];
        match faults.into_iter().find(|(is_at_fault, _)| *is_at_fault) {
            Some((_, message)) => Err(BenchError::Workload { workload: self.name.clone(), message }),
            None => Ok(()),
        }
    }

    /// The records that are there before the operations, by ascending keys.
    pub(crate) fn items(&self) -> impl Iterator<Item = Item> {
        let mut random = Random::new(self.seed);
        (0..self.records).map(move |key| self.item(key, &mut random))
    }

    fn item(&self, key: u64, random: &mut Random) -> Item {
        let (group, amount) = (random.below(self.groups.into()) as u32, random.below(1_000_000) as i64);
        let text = (0..self.text_bytes).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        Item { key, group, amount, text }
    }

    /// The operations of a thread: first those of the warm-up, then the measured ones.
    pub(crate) fn operations_of(&self, thread: usize) -> (Vec<Operation>, Vec<Operation>) {
        let mut random = Random::new(self.seed ^ (thread as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F));
        let mut sampler = KeySampler::new(self.keys, self.records);
        let mut inserted = 0;
        let (threads, thread) = (self.threads as u64, thread as u64);
        // Each thread inserts its own keys. It chooses among these and the keys that were there at the start.
        let key_of = |position: u64| match position.checked_sub(self.records) {
            None => position,
            Some(own) => self.records + own * threads + thread,
        };
        let mut next = |random: &mut Random| match self.mix.draw(random) {
            Kind::Get => Operation::Get { key: key_of(sampler.next(random)) },
            Kind::Insert => {
                let key = key_of(self.records + inserted);
                inserted += 1;
                sampler.grow_to(self.records + inserted);
                Operation::Insert(self.item(key, random))
            }
            Kind::Update => {
                let key = key_of(sampler.next(random));
                Operation::Update { key, amount: random.below(201) as i64 - 100 }
            }
            Kind::Delete => Operation::Delete { key: key_of(sampler.next(random)) },
            Kind::Query => Operation::Query { group: random.below(self.groups.into()) as u32 },
        };
        let share = |all: u64| all / threads + u64::from(thread < all % threads);
        let mut take = |count: u64| (0..count).map(|_| next(&mut random)).collect();
        (take(share(self.warm_up)), take(share(self.operations)))
    }
}
