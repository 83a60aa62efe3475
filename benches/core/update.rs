//! One indexed field of random existing payments changed, each in a commit of its own and a hundred in one; beside the
//! record and the two key sets changed by hand. Times are per update.

use crate::common::Status;
use crate::common::peer::{ByHand, add};
use crate::{BY_HAND, STORE, Walk, built};
use criterion::Criterion;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH: usize = 100;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let mut walk = Walk::default();
    group.bench_function("memdex, alone", |bencher| {
        let (_, payments) = built(&STORE);
        bencher.iter(|| {
            let updated = payments.update(walk.key(), |payment| payment.status = next(payment.status));
            updated.expect("nothing refuses the update")
        });
    });
    let mut walk = Walk::default();
    group.bench_function("memdex, batches of 100", |bencher| {
        built(&STORE);
        bencher.iter_custom(|updates| {
            let batches_now = updates.div_ceil(BATCH as u64);
            let started = Instant::now();
            (0..batches_now).for_each(|_| change_all(walk.keys(BATCH)));
            started.elapsed().mul_f64(updates as f64 / (batches_now * BATCH as u64) as f64)
        });
    });
    let mut walk = Walk::default();
    group.bench_function("DashMap + HashSet", |bencher| {
        let by_hand = built(&BY_HAND);
        bencher.iter(|| by_hand.change_status(walk.key()));
    });
    group.finish();
}

pub(crate) fn change_all(keys: &[String]) {
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
