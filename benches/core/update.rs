//! One indexed field of random existing payments changed, each in a commit of its own and a hundred in one; beside the
//! record and the two key sets changed by hand. Times are per update.

use crate::common::Status;
use crate::common::peer::{ByHand, add};
use crate::{BY_HAND, KEYS, STORE};
use criterion::Criterion;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH: usize = 100;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.bench_function("memdex, alone", |bencher| {
        let mut keys = KEYS.iter().cycle();
        bencher.iter(|| {
            let key = keys.next().expect("endless");
            STORE.1.update(key, |payment| payment.status = next(payment.status)).expect("nothing refuses the update")
        });
    });
    group.bench_function("memdex, batches of 100", |bencher| {
        let mut batches = KEYS.chunks_exact(BATCH).cycle();
        bencher.iter_custom(|updates| {
            let batches_now = updates.div_ceil(BATCH as u64);
            let started = Instant::now();
            for keys in batches.by_ref().take(batches_now as usize) {
                change_all(keys);
            }
            started.elapsed().mul_f64(updates as f64 / (batches_now * BATCH as u64) as f64)
        });
    });
    group.bench_function("DashMap + HashSet", |bencher| {
        let mut keys = KEYS.iter().cycle();
        bencher.iter(|| BY_HAND.change_status(keys.next().expect("endless")));
    });
    group.finish();
}

fn change_all(keys: &[String]) {
    let (store, payments) = &*STORE;
    let mut batch = store.batch();
    for key in keys {
        batch.update(payments, key, |payment| payment.status = next(payment.status)).expect("the key is sound");
    }
    batch.commit().expect("nothing refuses the updates");
}

fn next(status: Status) -> Status {
    match status {
        Status::Pending => Status::Completed,
        Status::Completed => Status::Refunded,
        Status::Refunded => Status::Failed,
        Status::Failed => Status::Pending,
    }
}

impl ByHand {
    /// A record that readers hold is cloned, one that nobody holds is changed where it lies.
    fn change_status(&self, key: &str) {
        let mut payment = self.payments.get_mut(key).expect("the key exists");
        let old = payment.status;
        Arc::make_mut(&mut payment).status = next(old);
        let key = self.by_status.get_mut(&old).and_then(|mut keys| keys.take(key)).expect("filed under its status");
        add(&self.by_status, &next(old), &key);
    }
}
