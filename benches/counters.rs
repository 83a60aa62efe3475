//! Counters: increments of one hot key, and of random keys, compared with atomics in a `DashMap`. Windows of values.
//!
//! `cargo bench --bench counters`, or with one of `hot`, `random`, `window`.

use ahash::RandomState;
use dashmap::DashMap;
use memdex::aggregate::Window;
use memdex::{Collection, Record, Store};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Counter {
    #[record(key)]
    id: u64,
    #[record(field)]
    n: u64,
    #[record(field)]
    route: String,
    #[record(field)]
    labels: Vec<String>,
}

fn counter(id: u64) -> Counter {
    Counter { id, n: 0, route: format!("/route/{id}"), labels: vec!["region=eu".into(), "tier=1".into()] }
}

const KEYS: u64 = 100_000;
const INCREMENTS: u64 = 1_000_000;
const BATCH: u64 = 1_000;

fn filled() -> (Store, Collection<Counter>) {
    let store = Store::new();
    let counters = store.collection::<Counter>("Counter").expect("the schema is valid");
    store.commit(|batch| (0..KEYS).try_for_each(|id| batch.insert(&counters, counter(id)))).expect("all are valid");
    (store, counters)
}

/// The same keys in every run, without a pattern.
fn keys(hot: bool) -> Vec<u64> {
    let mut state = 7_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % KEYS
    };
    (0..INCREMENTS).map(|_| if hot { 1 } else { next() }).collect()
}

/// Nanoseconds an increment, the median of five runs.
fn timed(mut run: impl FnMut() -> u64) -> f64 {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let increments = run();
            started.elapsed().as_nanos() as f64 / increments as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

fn compare(title: &str, hot: bool) {
    println!("{title}, ns an increment (medians of 5 runs)");
    let keys = keys(hot);
    let (store, counters) = filled();
    let single = &keys[..200_000];
    let by_closure = timed(|| {
        for key in single {
            counters.update(*key, |counter| counter.n += 1).expect("it exists");
        }
        single.len() as u64
    });
    let by_field = timed(|| {
        for key in single {
            counters.increment(*key, counter::N, 1).expect("it exists");
        }
        single.len() as u64
    });
    let batched = |add: &dyn Fn(&mut memdex::Batch, u64)| {
        timed(|| {
            for keys in keys.chunks(BATCH as usize) {
                let mut batch = store.batch();
                keys.iter().for_each(|key| add(&mut batch, *key));
                batch.commit().expect("nothing refuses it");
            }
            keys.len() as u64
        })
    };
    let closures =
        batched(&|batch, key| batch.update(&counters, key, |counter| counter.n += 1).expect("the key is valid"));
    let fields = batched(&|batch, key| batch.increment(&counters, key, counter::N, 1).expect("the field is a number"));
    let peer: DashMap<u64, AtomicU64, RandomState> = (0..KEYS).map(|id| (id, AtomicU64::new(0))).collect();
    let atomics = timed(|| {
        for key in &keys {
            peer.get(key).expect("it exists").fetch_add(1, Relaxed);
        }
        keys.len() as u64
    });
    println!("  DashMap of AtomicU64          {atomics:8.1}");
    println!("  update, one per commit        {by_closure:8.1}   {:.1} x", by_closure / atomics);
    println!("  increment, one per commit     {by_field:8.1}   {:.1} x", by_field / atomics);
    println!("  update, batches of 1,000      {closures:8.1}   {:.1} x", closures / atomics);
    println!("  increment, batches of 1,000   {fields:8.1}   {:.1} x", fields / atomics);
}

fn window() {
    let store = Store::new();
    let window = Window::new(&store, "latencies", Duration::from_secs(60), 15).expect("it is valid");
    let values: Vec<u64> = keys(false).into_iter().take(100_000).collect();
    let single = timed(|| {
        values.iter().for_each(|value| window.record("route", *value).expect("nothing refuses it"));
        values.len() as u64
    });
    let many = timed(|| {
        for values in values.chunks(BATCH as usize) {
            window.record_all("route", values.iter().copied()).expect("nothing refuses it");
        }
        values.len() as u64
    });
    let read = timed(|| {
        for _ in 0..10_000 {
            std::hint::black_box(window.percentile("route", 99.0));
        }
        10_000
    });
    println!("window of 15 buckets, ns (medians of 5 runs)");
    println!("  record                        {single:8.1}");
    println!("  record_all of 1,000, a value  {many:8.1}");
    println!("  percentile                    {read:8.1}");
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let hot = || compare("one hot key of 100,000", true);
    let random = || compare("random keys of 100,000", false);
    let groups: [(&str, &dyn Fn()); 3] = [("hot", &hot), ("random", &random), ("window", &window)];
    for (name, run) in groups {
        if chosen.is_empty() || chosen.iter().any(|of| of == name) {
            run();
        }
    }
}
