//! Loads a million payments into an empty store: a writer with batches of 1,000, compared with the hand-written
//! structures, which are not atomic. One second means one microsecond a record.

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use memdex_benches::peer::ByHand;
use memdex_benches::{Payment, payments, stored};
use std::cell::LazyCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub(crate) fn benches(criterion: &mut Criterion) {
    let payments = LazyCell::new(payments);
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_millis(100));
    loaded(&mut group, "memdex", || payments.clone(), stored);
    loaded(&mut group, "DashMap + HashSet", || payments.clone(), ByHand::of);
    group.finish();
}

/// Times only `load`, without creating its payments and dropping its result.
pub(crate) fn loaded<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    payments: impl Fn() -> Vec<Payment>,
    load: impl Fn(Vec<Payment>) -> T,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let payments = payments();
                let started = Instant::now();
                let loaded = load(payments);
                took += started.elapsed();
                drop(black_box(loaded));
            }
            took
        });
    });
}
