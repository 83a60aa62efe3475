//! A commit of one record while 10,000 filtered subscriptions follow its collection.

use criterion::{BenchmarkId, Criterion};
use memdex::hook::Subscription;
use memdex::{Collection, Filter, Record, Store};
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    group: u32,
    #[record(field)]
    score: u32,
}

const ITEMS: u32 = 100_000;
const SUBSCRIPTIONS: u32 = 10_000;
/// Subscriptions with the same filter: as many match a commit.
const MATCHING: u32 = 10;

fn store() -> (Store, Collection<Item>) {
    let store = Store::new();
    let items = store.collection::<Item>("items").expect("the schema is valid");
    let item = |id| Item { id, group: id % (SUBSCRIPTIONS / MATCHING), score: id };
    store.commit(|batch| (0..ITEMS).try_for_each(|id| batch.store(&items, item(id)))).expect("all are valid");
    (store, items)
}

/// Of ten subscriptions each, the same filter.
fn subscribe(store: &Store, items: &Collection<Item>, filter: impl Fn(u32) -> Filter<Item>) -> Vec<Subscription> {
    let started = Instant::now();
    let subscribe = |number: u32| {
        let builder = store.subscribe().matching(items, filter(number / MATCHING)).max_operations(1_000);
        builder.start().expect("the filter fits").1
    };
    let subscriptions = (0..SUBSCRIPTIONS).map(subscribe).collect();
    eprintln!("feed: {SUBSCRIPTIONS} subscriptions started in {:?}", started.elapsed());
    subscriptions
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("feed");
    group.sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let groups = SUBSCRIPTIONS / MATCHING;
    type Build = fn(u32) -> Filter<Item>;
    // Each commit replaces a record by one of the same group and score, so its two images match the same ten subscriptions.
    let cases: [(&str, Option<Build>); 4] = [
        ("no subscriptions", None),
        ("10,000 by a value, 10 match", Some(|group| item::GROUP.eq(group))),
        ("10,000 by a value and a range, 10 match", Some(|group| item::GROUP.eq(group) & item::SCORE.ge(0_u32))),
        ("10,000 by ranges, 10 match", Some(|group| item::SCORE.between(group * 100, group * 100 + 99))),
    ];
    for (name, filter) in cases {
        let (store, items) = store();
        let mut subscriptions = filter.map_or_else(Vec::new, |filter| subscribe(&store, &items, filter));
        let mut next = 0;
        group.bench_function(BenchmarkId::new("commit of one record", name), |bencher| {
            bencher.iter_custom(|commits| {
                let mut took = Duration::ZERO;
                for commit in 0..commits {
                    next = (next + 7_919) % ITEMS;
                    let item = Item { id: next, group: next % groups, score: next };
                    let started = Instant::now();
                    items.store(item).expect("all are valid");
                    took += started.elapsed();
                    // Readers keep pace, untimed.
                    if commit % 50_000 == 49_999 {
                        read(&mut subscriptions);
                    }
                }
                read(&mut subscriptions);
                took
            });
        });
        let gaps: u64 = store.stats().subscriptions.iter().map(|of| of.gaps).sum();
        assert_eq!(gaps, 0, "every match was queued");
    }
    let (store, items) = store();
    let subscriptions: Vec<Subscription> =
        (0..1).map(|_| store.subscribe().max_operations(usize::MAX).start().expect("it is valid").1).collect();
    let mut subscriptions = subscriptions;
    group.bench_function(BenchmarkId::new("commit of one record", "1 to everything"), |bencher| {
        bencher.iter_custom(|commits| {
            let started = Instant::now();
            for commit in 0..commits {
                let id = commit as u32 % ITEMS;
                items.store(Item { id, group: id % groups, score: id }).expect("all are valid");
            }
            let took = started.elapsed();
            read(&mut subscriptions);
            took
        });
    });
    group.finish();
}

fn read(subscriptions: &mut [Subscription]) {
    for subscription in subscriptions {
        while subscription.try_next().is_some() {}
    }
}
