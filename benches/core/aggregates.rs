//! A materialized aggregate with four groups and three metrics over a million payments: the time to read it, and its
//! extra cost for commits of a hundred updates that move payments between groups. Times of updates are per update.

use crate::update::batches;
use crate::{STORE, built};
use criterion::Criterion;
use memdex::schema::AggregateDef;
use memdex::{GroupBy, Metric, field};
use std::hint::black_box;
use std::time::{Duration, Instant};

const NAME: &str = "by status";

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aggregates");
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    batches(&mut group, "updates without");
    let metrics = || [Metric::count(), field("amount_cents").sum(), field("amount_cents").avg()];
    let by_status = || GroupBy::values("status").metrics(metrics());
    let materialized = || {
        let (_, payments) = built(&STORE);
        if payments.aggregate(NAME).is_err() {
            let started = Instant::now();
            payments.add_aggregate(AggregateDef::new(NAME, by_status())).expect("the declaration is sound");
            eprintln!("aggregates: built over {} payments in {:?}", payments.len(), started.elapsed());
        }
        payments
    };
    group.bench_function("read", |bencher| {
        let payments = materialized();
        bencher.iter(|| black_box(payments.aggregate(NAME).expect("they are there")).groups().len());
    });
    group.bench_function("read by a snapshot", |bencher| {
        let payments = materialized();
        let (store, _) = &*STORE;
        bencher
            .iter(|| black_box(store.snapshot().of(payments).aggregate(NAME).expect("they are there")).groups().len());
    });
    group.bench_function("queried", |bencher| {
        let payments = materialized();
        bencher.iter(|| {
            let summary = payments.find(memdex::Filter::all()).statistics(by_status()).expect("the query is sound");
            assert!(summary.materialized);
            summary.groups().len()
        });
    });
    materialized();
    batches(&mut group, "updates with");
    drop(STORE.1.drop_aggregate(NAME));
    group.finish();
}
