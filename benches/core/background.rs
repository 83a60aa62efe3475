//! Loads a million payments into an empty store from one producer: through a writer, and through a background writer
//! in batches of different sizes. Commits have 1,000 operations on both sides. One second means one microsecond a
//! record.

use super::ingest::loaded;
use criterion::{Criterion, SamplingMode};
use memdex::{Collection, Store};
use memdex_benches::{Payment, payments, stored};
use std::cell::LazyCell;
use std::time::Duration;

pub(crate) fn benches(criterion: &mut Criterion) {
    let payments = LazyCell::new(payments);
    let mut group = criterion.benchmark_group("background");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_millis(100));
    loaded(&mut group, "writer", || payments.clone(), stored);
    for size in [1_000, 100, 10, 1] {
        let name = format!("background, batches of {size}");
        loaded(&mut group, &name, || payments.clone(), |payments| submitted(payments, size));
    }
    group.finish();
}

fn submitted(payments: Vec<Payment>, size: usize) -> (Store, Collection<Payment>) {
    let store = Store::new();
    let collection = store.collection("Payment").expect("the schema is sound");
    let background = store.background_writer().bulk_size(1_000).start().expect("there is a thread for it");
    let mut payments = payments.into_iter();
    while payments.len() > 0 {
        let gathered = background.submit_with(|batch| {
            payments.by_ref().take(size).try_for_each(|payment| batch.store(&collection, payment))
        });
        drop(gathered.expect("nothing refuses a payment"));
    }
    background.flush().expect("the flusher lives");
    assert_eq!(store.stats().refusals, 0);
    drop(background);
    (store, collection)
}
