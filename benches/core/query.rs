//! Two indexed fields at once: counting 50,000 of a million payments, and fetching 250 of them; beside the keys of the
//! smaller of two sets looked up in the larger, by hand.

use crate::common::peer::ByHand;
use crate::common::{Payment, Status, payment};
use crate::{BY_HAND, KEYS, STORE};
use criterion::{Criterion, SamplingMode};
use std::collections::HashSet;
use std::sync::Arc;
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
    group.sample_size(50).bench_function("memdex", |bencher| bencher.iter(by_memdex));
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
    group.bench_function("memdex", |bencher| {
        let mut organizations = organizations();
        bencher.iter(|| {
            let filter = payment::ORGANIZATION_ID.eq(organizations.next()?) & payment::STATUS.eq(STATUS);
            STORE.1.find(filter).fetch().ok()
        });
    });
    group.bench_function("DashMap + HashSet", |bencher| {
        let mut organizations = organizations();
        bencher.iter(|| BY_HAND.fetch(&organizations.next()?, STATUS));
    });
    group.finish();
}

/// Organisations of random payments, for ever.
fn organizations() -> impl Iterator<Item = String> {
    let of = |key| STORE.1.get_with(key, |payment: &Payment| payment.organization_id.clone());
    let organizations: Vec<String> = KEYS.iter().take(10_000).filter_map(|key| of(key.as_str())).collect();
    organizations.into_iter().cycle()
}

impl ByHand {
    fn count(&self, status: Status, currency: &Option<String>) -> Option<usize> {
        let (of_status, of_currency) = (self.by_status.get(&status)?, self.by_currency.get(currency)?);
        Some(both(&of_status, &of_currency).count())
    }

    fn fetch(&self, organization: &str, status: Status) -> Option<Vec<Arc<Payment>>> {
        let (of_organization, of_status) = (self.by_organization.get(organization)?, self.by_status.get(&status)?);
        let record = |key: &Arc<str>| self.payments.get(key).map(|found| Arc::clone(&found));
        Some(both(&of_organization, &of_status).filter_map(record).collect())
    }
}

/// What is in both sets: `intersection` looks the keys of the smaller one up in the larger.
fn both<'a>(a: &'a HashSet<Arc<str>>, b: &'a HashSet<Arc<str>>) -> impl Iterator<Item = &'a Arc<str>> {
    a.intersection(b)
}
