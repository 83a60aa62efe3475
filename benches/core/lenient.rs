//! Lenient commits of a chain: each record takes the unique value of the next, and the last one's is taken by a record that
//! stays, so every operation is left out. Compared with the same chain to a free value, which is kept whole. Times are per commit.

use criterion::{BatchSize, BenchmarkId, Criterion};
use memdex::{Batch, Collection, Record, Store};
use std::time::Duration;

#[derive(Clone, Record)]
struct Seat {
    #[record(key)]
    id: u32,
    #[record(unique)]
    number: u32,
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lenient");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    for length in [1_000, 4_000, 16_000, 100_000] {
        let store = Store::new();
        let seats = store.collection::<Seat>("Seat").expect("the schema is sound");
        let all = |batch: &mut Batch| (0..=length).try_for_each(|id| batch.insert(&seats, Seat { id, number: id }));
        store.commit(all).expect("nothing refuses the inserts");
        for (name, free) in [("taken", false), ("free", true)] {
            group.bench_function(BenchmarkId::new(name, length), |bencher| {
                let commit = |batch: Batch| batch.commit_lenient().expect("operations are left out, not the batch");
                bencher.iter_batched(|| chain(&store, &seats, free, length), commit, BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

/// Each seat takes the number of the next. The last one takes that of the seat after it, which stays, or with `free` moves too.
fn chain(store: &Store, seats: &Collection<Seat>, free: bool, length: u32) -> Batch {
    let mut batch = store.batch();
    for id in 0..length + u32::from(free) {
        batch.update(seats, id, |seat| seat.number += 1).expect("the key is sound");
    }
    batch
}
