//! Reads, writes and queries over one million payments with four equality indexes, each compared with a hand-written
//! alternative of `DashMap` and `HashSet`. See `benches/README.md` for the meaning and the limit of each figure.

mod aggregates;
mod background;
mod get;
mod ingest;
mod lenient;
mod query;
mod update;

use criterion::Criterion;
use memdex::{Collection, Store};
use memdex_benches::peer::ByHand;
use memdex_benches::{Payment, Random, payments, stored};
use std::sync::LazyLock;

/// Built by the first benchmark that needs it.
static STORE: LazyLock<(Store, Collection<Payment>)> = LazyLock::new(|| stored(payments()));
static BY_HAND: LazyLock<ByHand> = LazyLock::new(|| ByHand::of(payments()));

/// Number of keys of a walk: the number of payments, and a multiple of the batch size of updates.
const KEYS_WALKED: usize = 1_000_000;

/// Random payment ids, in the order of their memory, so that each step of a walk has the same cost.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let payments = payments();
    let mut random = Random::new(2);
    (0..KEYS_WALKED).map(|_| payments[random.below(payments.len() as u64) as usize].payment_id.clone()).collect()
});

/// An endless walk through [`KEYS`]. Criterion calls the closure of a benchmark for each sample, so the walk must be
/// created outside the closure: a new walk would find the keys of the previous sample in the caches.
#[derive(Default)]
pub(crate) struct Walk(usize);

impl Walk {
    pub(crate) fn key(&mut self) -> &'static str {
        self.keys(1)[0].as_str()
    }

    /// The next keys; `count` must divide the number of all keys.
    pub(crate) fn keys(&mut self, count: usize) -> &'static [String] {
        let at = self.0;
        self.0 = (at + count) % KEYS.len();
        &KEYS[at..at + count]
    }
}

/// Builds shared data before the clock starts; else criterion's warm-up takes the build for an iteration.
pub(crate) fn built<T>(shared: &'static LazyLock<T>) -> &'static T {
    LazyLock::force(&KEYS);
    LazyLock::force(shared)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    // Loading comes first, while memory is empty; updates come last, since they change the data of the others.
    ingest::benches(&mut criterion);
    background::benches(&mut criterion);
    get::benches(&mut criterion);
    query::benches(&mut criterion);
    update::benches(&mut criterion);
    aggregates::benches(&mut criterion);
    lenient::benches(&mut criterion);
    criterion.final_summary();
}
