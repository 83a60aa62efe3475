//! Reads, writes and queries over one million payments with four equality indexes, each beside what one would write by
//! hand with `DashMap` and `HashSet`. See `benches/README.md` for what each figure means and which limit it has.

#[path = "../common/mod.rs"]
mod common;
mod get;
mod ingest;
mod query;
mod update;

use common::peer::ByHand;
use common::{Payment, Random, payments, stored};
use criterion::Criterion;
use memdex::{Collection, Store};
use std::sync::LazyLock;

/// Built by the first benchmark that wants it.
static STORE: LazyLock<(Store, Collection<Payment>)> = LazyLock::new(|| stored(payments()));
static BY_HAND: LazyLock<ByHand> = LazyLock::new(|| ByHand::of(payments()));

/// A million random payment ids, in the order in which they lie in memory, so that walking them costs all alike.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let payments = payments();
    let mut random = Random::new(2);
    (0..1 << 20).map(|_| payments[random.below(payments.len() as u64) as usize].payment_id.clone()).collect()
});

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    // Loading comes first, while memory holds nothing else; updates come last, since they change what the others read.
    ingest::benches(&mut criterion);
    get::benches(&mut criterion);
    query::benches(&mut criterion);
    update::benches(&mut criterion);
    criterion.final_summary();
}
