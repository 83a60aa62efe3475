//! Look-ups of random existing records by a unique field, compared with look-ups by key. The limit is 2 × `get`.

use crate::data::loaded;
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use memdex::{Collection, Handle, Record};
use memdex_benches::{PAYMENTS, Random};
use std::cell::Cell;
use std::time::Duration;

#[derive(Clone, Debug, Record)]
struct Invoice {
    #[record(key)]
    invoice_id: String,
    #[record(unique)]
    reference: String,
    #[record(field)]
    amount_cents: i64,
}

fn invoice(n: u64) -> Invoice {
    let amount_cents = n as i64 % 100_000;
    Invoice { invoice_id: format!("invoice-{n:07}"), reference: format!("ref-{n:07}"), amount_cents }
}

/// The look-up by the unique field.
fn get_by_reference(invoices: &Collection<Invoice>, reference: &str) -> Option<Handle<Invoice>> {
    invoices.get_by(invoice::REFERENCE, reference).ok()?
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let (store, invoices) = loaded((0..PAYMENTS as u64).map(invoice).collect());
    let mut random = Random::new(4);
    let drawn: Vec<Invoice> = (0..PAYMENTS).map(|_| invoice(random.below(PAYMENTS as u64))).collect();
    let mut group = criterion.benchmark_group("unique");
    group.sample_size(50).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    looked_up(&mut group, "get", &drawn, |drawn| invoices.get(&drawn.invoice_id));
    looked_up(&mut group, "by unique field", &drawn, |drawn| get_by_reference(&invoices, &drawn.reference));
    group.finish();
    drop(store);
}

fn looked_up(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    drawn: &[Invoice],
    look_up: impl Fn(&Invoice) -> Option<Handle<Invoice>>,
) {
    // Outside the closure, which criterion calls for each sample; else each sample would find its keys in the caches.
    let at = Cell::new(0);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            at.set((at.get() + 1) % drawn.len());
            look_up(&drawn[at.get()]).expect("the record exists").amount_cents
        });
    });
}
