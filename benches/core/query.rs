//! Conditions on two indexed fields: counts 50,000 of a million payments, and fetches 250 of them; compared with
//! hand-written look-ups of the keys of the smaller set in the larger set.

use crate::{BY_HAND, STORE, Walk, built};
use criterion::{Criterion, SamplingMode};
use memdex_benches::{Status, payment};
use std::time::Duration;

const STATUS: Status = Status::Completed;

pub(crate) fn benches(criterion: &mut Criterion) {
    count(criterion);
    find(criterion);
}

fn count(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("count");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    let by_memdex = || STORE.1.find(payment::STATUS.eq(STATUS) & payment::CURRENCY.eq("EUR")).count().ok();
    group.sample_size(50).bench_function("memdex", |bencher| {
        built(&STORE);
        bencher.iter(by_memdex);
    });
    let currency = Some("EUR".to_owned());
    group.sample_size(10).sampling_mode(SamplingMode::Flat).bench_function("HashSet", |bencher| {
        assert_eq!(BY_HAND.count(STATUS, &currency), by_memdex(), "both count the same");
        bencher.iter(|| BY_HAND.count(STATUS, &currency));
    });
    group.finish();
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    group.sample_size(50).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    let mut walk = Walk::default();
    group.bench_function("memdex", |bencher| {
        let (_, payments) = built(&STORE);
        let organizations = organizations(&mut walk);
        let mut organizations = organizations.iter().cycle();
        bencher.iter(|| {
            let filter = payment::ORGANIZATION_ID.eq(organizations.next()?) & payment::STATUS.eq(STATUS);
            payments.find(filter).fetch().ok()
        });
    });
    let mut walk = Walk::default();
    group.bench_function("DashMap + HashSet", |bencher| {
        let by_hand = built(&BY_HAND);
        let organizations = organizations(&mut walk);
        let mut organizations = organizations.iter().cycle();
        bencher.iter(|| by_hand.fetch(organizations.next()?, STATUS));
    });
    group.finish();
}

/// The organisations of the next thousand payments of a walk: different ones in every sample.
fn organizations(walk: &mut Walk) -> Vec<String> {
    let of = |key: &String| STORE.1.get_with(key.as_str(), |payment| payment.organization_id.clone());
    walk.keys(1_000).iter().filter_map(of).collect()
}
