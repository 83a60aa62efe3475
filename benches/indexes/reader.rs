//! A writer next to a reader that never pauses: durations of flushes of 100 updates each, without a reader, while
//! another thread looks up keys in a tight loop, and while one queries an index. A thread that only computes shows the
//! cost of sharing the machine.

use crate::data::{WidePayment, loaded, next, payments, wide_payment};
use crate::durations::{Durations, heading, line, ratio};
use memdex::{Collection, Store};
use memdex_benches::{PAYMENTS, Random};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

const FLUSHES: usize = 2_000;
const UPDATES: usize = 100;

type TestQuery<'a> = &'a (dyn Fn(&mut Random) + Sync);

pub(crate) fn run() {
    heading("reader");
    let (store, payments) = loaded(payments());
    let get = |random: &mut Random| assert!(payments.get(key(random)).is_some());
    let find = |random: &mut Random| {
        let user = format!("user-{:07}", random.below(100_000));
        payments.find(wide_payment::USER_ID.eq(user)).fetch().expect("the field exists");
    };
    // The first updates fill the caches, so they are not counted.
    flushes(&store, &payments, None);
    let idle = flushes(&store, &payments, None);
    let compute = |random: &mut Random| assert!((0..100).map(|_| random.below(7)).sum::<u64>() < 700);
    let with_compute = flushes(&store, &payments, Some(&compute));
    let with_get = flushes(&store, &payments, Some(&get));
    let with_find = flushes(&store, &payments, Some(&find));
    for (name, times) in [
        ("idle", &idle),
        ("next to a thread that only computes", &with_compute),
        ("next to get", &with_get),
        ("next to find", &with_find),
    ] {
        let (half, most, max) = (times.median(), times.percentile(0.99), times.max());
        line(name, format_args!("p50 {half:.1?}, p99 {most:.1?}, longest {max:.1?}"));
    }
    for (name, times) in [("get", &with_get), ("find", &with_find)] {
        ratio(&format!("p99 next to {name} / idle"), times.percentile(0.99), idle.percentile(0.99), "3");
        let (of, base) = (times.percentile(0.99), with_compute.percentile(0.99));
        ratio(&format!("p99 next to {name} / next to a thread that computes"), of, base, "none");
    }
}

fn key(random: &mut Random) -> String {
    format!("payment-{:07}", random.below(PAYMENTS as u64))
}

/// Flushes in direct succession; collecting their updates is not timed.
fn flushes(store: &Store, payments: &Collection<WidePayment>, query: Option<TestQuery<'_>>) -> Durations {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        if let Some(ask) = query {
            scope.spawn(|| {
                let mut random = Random::new(5);
                while !done.load(Relaxed) {
                    ask(&mut random);
                }
            });
        }
        let mut times = Durations::with_capacity(FLUSHES);
        let mut writer = store.writer().bulk_size(UPDATES + 1);
        let mut random = Random::new(6);
        for _ in 0..FLUSHES {
            for _ in 0..UPDATES {
                let update = |payment: &mut WidePayment| {
                    payment.status = next(payment.status);
                    payment.amount_cents += 1;
                };
                writer.update(payments, key(&mut random), update).expect("the record exists");
            }
            times.time(|| writer.flush().expect("the records exist"));
        }
        done.store(true, Relaxed);
        times
    })
}
