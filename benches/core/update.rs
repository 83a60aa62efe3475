//! Changes one indexed field of random existing payments, each in its own commit and a hundred in one; compared with
//! changing the record and the two key sets by hand. Times are per update.

use crate::{BY_HAND, STORE, Walk, built};
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use std::time::{Duration, Instant};

const BATCH: usize = 100;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let mut walk = Walk::default();
    group.bench_function("memdex, one per commit", |bencher| {
        let (_, payments) = built(&STORE);
        bencher.iter(|| {
            let updated = payments.update(walk.key(), |payment| payment.status = payment.status.next());
            updated.expect("nothing refuses the update")
        });
    });
    batches(&mut group, "memdex, batches of 100");
    let mut walk = Walk::default();
    group.bench_function("DashMap + HashSet", |bencher| {
        let by_hand = built(&BY_HAND);
        bencher.iter(|| by_hand.change_status(walk.key()));
    });
    group.finish();
}

/// Times commits of a hundred updates each, per update.
pub(crate) fn batches(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    let mut walk = Walk::default();
    group.bench_function(name, |bencher| {
        built(&STORE);
        bencher.iter_custom(|updates| {
            let batches_now = updates.div_ceil(BATCH as u64);
            let started = Instant::now();
            (0..batches_now).for_each(|_| change_all(walk.keys(BATCH)));
            started.elapsed().mul_f64(updates as f64 / (batches_now * BATCH as u64) as f64)
        });
    });
}

fn change_all(keys: &[String]) {
    let (store, payments) = &*STORE;
    let mut batch = store.batch();
    for key in keys {
        batch.update(payments, key, |payment| payment.status = payment.status.next()).expect("the key is sound");
    }
    batch.commit().expect("nothing refuses the updates");
}
