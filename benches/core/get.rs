//! Look-ups of random existing keys, compared with a `DashMap` from which the record's `Arc` is cloned.

use crate::{STORE, Walk, built};
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use dashmap::DashMap;
use memdex_benches::{Payment, payments};
use std::cell::LazyCell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get");
    group.sample_size(50).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    looked_up(&mut group, "memdex get_with", |key| STORE.1.get_with(key, |payment| payment.amount_cents));
    looked_up(&mut group, "memdex get", |key| STORE.1.get(key).map(|payment| payment.amount_cents));
    compare(&mut group, "DashMap", RandomState::new);
    compare(&mut group, "DashMap, ahash", ahash::RandomState::new);
    group.finish();
}

fn compare<S: BuildHasher + Clone>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, hasher: impl Fn() -> S) {
    let map: LazyCell<DashMap<String, Arc<Payment>, S>, _> = LazyCell::new(|| {
        let mut map = DashMap::with_hasher(hasher());
        map.extend(payments().into_iter().map(|payment| (payment.payment_id.clone(), Arc::new(payment))));
        map
    });
    looked_up(group, name, |key| {
        let payment = map.get(key).map(|found| Arc::clone(&found));
        payment.map(|payment| payment.amount_cents)
    });
}

fn looked_up(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, look_up: impl Fn(&str) -> Option<i64>) {
    let mut walk = Walk::default();
    group.bench_function(name, |bencher| {
        built(&STORE);
        assert!(look_up(walk.key()).is_some(), "the keys exist");
        bencher.iter(|| look_up(walk.key()));
    });
}
