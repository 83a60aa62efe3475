//! Commits, short snapshots and queries while many snapshots are held, each of another commit.

use criterion::{BenchmarkId, Criterion};
use memdex::{Collection, Record, Snapshot, Store};
use std::hint::black_box;
use std::time::Duration;

#[derive(Clone, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    group: u32,
    #[record(ordered)]
    score: u32,
}

const ITEMS: u32 = 200_000;

/// A store with `held` snapshots, and `changes` records changed since the oldest.
fn store(held: u32, changes: u32) -> (Store, Collection<Item>, Collection<Item>, Vec<Snapshot>) {
    let store = Store::new();
    let items = store.collection::<Item>("items").expect("the schema is valid");
    let others = store.collection::<Item>("others").expect("the schema is valid");
    let item = |id| Item { id, group: id % 1_000, score: id };
    for collection in [&items, &others] {
        store.commit(|batch| (0..ITEMS).try_for_each(|id| batch.store(collection, item(id)))).expect("all are valid");
    }
    let mut snapshots = Vec::new();
    for id in 0..changes.max(held) {
        if id < held {
            snapshots.push(store.snapshot());
        }
        items.store(Item { group: id % 1_000 + 1, ..item(id) }).expect("all are valid");
    }
    (store, items, others, snapshots)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("pins");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for held in [0, 100, 10_000, 100_000] {
        let (store, items, others, snapshots) = store(held, held);
        let mut next = 0;
        let mut id = || {
            next = (next + 7_919) % ITEMS;
            next
        };
        group.bench_function(BenchmarkId::new("commit of one record", held), |bencher| {
            bencher.iter(|| {
                let id = id();
                items.store(Item { id, group: id % 999, score: id }).expect("all are valid")
            });
        });
        group.bench_function(BenchmarkId::new("commit to a collection without history", held), |bencher| {
            bencher.iter(|| {
                let id = id();
                others.store(Item { id, group: id % 999, score: id }).expect("all are valid")
            });
        });
        group.bench_function(BenchmarkId::new("snapshot, commit, end of the snapshot", held), |bencher| {
            bencher.iter(|| {
                let snapshot = store.snapshot();
                let id = id();
                items.store(Item { id, group: id % 999, score: id }).expect("all are valid");
                drop(snapshot);
            });
        });
        let ends = std::time::Instant::now();
        drop(snapshots);
        store.optimize().expect("nothing refuses it");
        println!("the end of {held} snapshots, and optimize: {:?}", ends.elapsed());
    }
    // As many rows have changed since the oldest snapshot, whether it is alone or not.
    for (held, changes) in [(1, 10_000), (10_000, 10_000), (1, 100_000), (100_000, 100_000)] {
        let (_store, items, _, snapshots) = store(held, changes);
        let oldest = snapshots[0].of(&items);
        let name = format!("query of the oldest of so many snapshots, {changes} changes");
        group.bench_function(BenchmarkId::new(name, held), |bencher| {
            bencher.iter(|| black_box(oldest.find(item::GROUP.eq(7_u32)).count()));
        });
    }
    // The same ten records again and again.
    for held in [1, 10_000, 100_000] {
        let (store, items, _, mut snapshots) = store(1, 0);
        for commit in 0..100_000_u32 {
            items.store(Item { id: commit % 10, group: commit % 1_000, score: 0 }).expect("all are valid");
            if commit < held {
                snapshots.push(store.snapshot());
            }
        }
        let oldest = snapshots[0].of(&items);
        let name = "query of the oldest of so many snapshots, 10 records changed 100000 times";
        group.bench_function(BenchmarkId::new(name, held), |bencher| {
            bencher.iter(|| black_box(oldest.find(item::GROUP.eq(7_u32)).count()));
        });
    }
    group.finish();
    criterion.final_summary();
}
