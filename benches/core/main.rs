//! Reads, writes and queries over one million payments with four equality indexes, each beside what one would write by
//! hand with `DashMap` and `HashSet`. See `benches/README.md` for what each figure means and which limit it has.

mod background;
mod get;
mod ingest;
mod query;
mod standing;
mod update;

use criterion::Criterion;
use memdex::{Collection, Store};
use memdex_benches::peer::ByHand;
use memdex_benches::{Payment, Random, payments, stored};
use std::sync::LazyLock;

/// Built by the first benchmark that wants it.
static STORE: LazyLock<(Store, Collection<Payment>)> = LazyLock::new(|| stored(payments()));
static BY_HAND: LazyLock<ByHand> = LazyLock::new(|| ByHand::of(payments()));

/// Keys of a walk: as many as there are payments, and whole batches of updates.
const KEYS_WALKED: usize = 1_000_000;

/// Random payment ids, in the order in which they lie in memory, so that walking them costs all alike.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let payments = payments();
    let mut random = Random::new(2);
    (0..KEYS_WALKED).map(|_| payments[random.below(payments.len() as u64) as usize].payment_id.clone()).collect()
});

/// A walk through [`KEYS`] without an end. Criterion calls a benchmark's closure anew for each sample, so a walk is made
/// outside of it: one that started over would find in the caches what the sample before has left there.
#[derive(Default)]
pub(crate) struct Walk(usize);

impl Walk {
    pub(crate) fn key(&mut self) -> &'static str {
        self.keys(1)[0].as_str()
    }

    /// The next keys; `count` divides their number.
    pub(crate) fn keys(&mut self, count: usize) -> &'static [String] {
        let at = self.0;
        self.0 = (at + count) % KEYS.len();
        &KEYS[at..at + count]
    }
}

/// Builds what benchmarks share before any clock runs: in the warm-up, criterion would take it for an iteration.
pub(crate) fn built<T>(shared: &'static LazyLock<T>) -> &'static T {
    LazyLock::force(&KEYS);
    LazyLock::force(shared)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    // Loading comes first, while memory holds nothing else; updates come last, since they change what the others read.
    ingest::benches(&mut criterion);
    background::benches(&mut criterion);
    get::benches(&mut criterion);
    query::benches(&mut criterion);
    update::benches(&mut criterion);
    standing::benches(&mut criterion);
    criterion.final_summary();
}
