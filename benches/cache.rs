//! Cached queries over a million records, next to plain caches with the same keys, and commits that keep 100,000 answers exact.

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, measurement::WallTime};
use memdex::query::cache::{CacheSettings, CachedCollection, Prepared};
use memdex::{Collection, GroupBy, Handle, Metric, Page, Record, Store};
use memdex_benches::Random;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    owner: u32,
    #[record(index)]
    kind: u8,
    #[record(ordered, column)]
    score: u32,
}

const ITEMS: u32 = 1_000_000;
const OWNERS: u32 = 100_000;
const HOT: u32 = 1_000;
const ALL: u32 = 100_000;

fn item(id: u32) -> Item {
    Item { id, owner: id % OWNERS, kind: (id / OWNERS) as u8 % 2, score: id }
}

fn stored() -> (Store, Collection<Item>) {
    let store = Store::builder().cache(CacheSettings::default().entries(1_000_000).bytes(4 << 30)).build();
    let items = store.collection::<Item>("items").expect("the schema is valid");
    let ids: Vec<u32> = (0..ITEMS).collect();
    for some in ids.chunks(10_000) {
        store.commit(|batch| some.iter().try_for_each(|id| batch.store(&items, item(*id)))).expect("all are valid");
    }
    (store, items)
}

fn one(cached: &CachedCollection<Item>, owner: u32) -> usize {
    cached.find(item::OWNER.eq(owner)).limit(20).fetch().expect("it is valid").len()
}

fn two(cached: &CachedCollection<Item>, owner: u32) -> usize {
    let both = item::OWNER.eq(owner) & item::SCORE.ge(0_u32);
    cached.find(both).limit(20).fetch().expect("it is valid").len()
}

fn three(cached: &CachedCollection<Item>, owner: u32) -> usize {
    let all = item::OWNER.eq(owner) & item::SCORE.ge(0_u32) & item::KIND.is_in([0_u8, 1]);
    cached.find(all).limit(20).fetch().expect("it is valid").len()
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Questions drawn at random from so many.
fn ask(group: &mut Group<'_>, name: &str, of: u32, mut ask: impl FnMut(u32) -> usize) {
    for owner in 0..of {
        black_box(ask(owner));
    }
    let mut random = Random::new(7);
    group.bench_function(BenchmarkId::new(name, of), |bencher| {
        bencher.iter(|| black_box(ask(random.below(of.into()) as u32)));
    });
}

fn hits(group: &mut Group<'_>, items: &Collection<Item>) {
    let cached = items.cached();
    for of in [HOT, ALL] {
        let prepared: Vec<Prepared<Item, Page<Handle<Item>>>> =
            (0..of).map(|owner| cached.find(item::OWNER.eq(owner)).limit(20).prepare().expect("it is valid")).collect();
        ask(group, "prepared", of, |owner| prepared[owner as usize].fetch().expect("it is valid").len());
        ask(group, "one condition", of, |owner| one(&cached, owner));
        ask(group, "two conditions", of, |owner| two(&cached, owner));
        ask(group, "three conditions", of, |owner| three(&cached, owner));
        let answer = |owner: u32| -> Arc<Vec<Handle<Item>>> {
            Arc::new(items.find(item::OWNER.eq(owner)).limit(20).fetch().expect("it is valid").records)
        };
        let moka = moka::sync::Cache::builder().max_capacity(1_000_000).build();
        (0..of).for_each(|owner| moka.insert(owner, answer(owner)));
        ask(group, "moka", of, |owner| moka.get(&owner).expect("it is there").len());
        let quick = quick_cache::sync::Cache::new(1_000_000);
        (0..of).for_each(|owner| quick.insert(owner, answer(owner)));
        ask(group, "quick_cache", of, |owner| quick.get(&owner).expect("it is there").len());
        ask(group, "not cached", of, |owner| {
            items.find(item::OWNER.eq(owner)).limit(20).fetch().expect("it is valid").len()
        });
    }
}

/// A commit of one record, which changes an answer or none.
fn commits(group: &mut Group<'_>, name: &str, items: &Collection<Item>, ids: impl Fn(u32) -> u32) {
    let mut random = Random::new(9);
    group.bench_function(BenchmarkId::new("commit of one record", name), |bencher| {
        bencher.iter_custom(|commits| {
            let started = Instant::now();
            for _ in 0..commits {
                items.store(item(ids(random.below(ITEMS.into()) as u32))).expect("it is valid");
            }
            started.elapsed()
        });
    });
}

fn registered(group: &mut Group<'_>) {
    let (store, items) = stored();
    commits(group, "no questions", &items, |id| id);
    let cached = items.cached();
    let ranges = ALL / 5;
    // Owners of the lower half have a question each, four fifths of all; the others are narrow ranges of scores, whose records
    // have the other owners.
    for number in 0..ALL - ranges {
        let owner = number % (OWNERS / 2);
        let find = cached.find(item::OWNER.eq(owner));
        let answered = if number < OWNERS / 2 { find.fetch().map(drop) } else { find.count().map(drop) };
        answered.expect("it is valid");
    }
    for number in 0..ranges {
        let from = number * (ITEMS / ranges);
        cached.find(item::SCORE.between(from, from + 49)).count().expect("it is valid");
    }
    assert_eq!(store.stats().cache.entries, ALL as usize);
    // Each image is in one range, so a range of scores is found; owners of the upper half have no question.
    commits(group, "100,000 questions, 1 found", &items, |id| id - id % OWNERS + OWNERS / 2 + id % (OWNERS / 2));
    commits(group, "100,000 questions, 3 found, 1 changed", &items, |id| id - id % OWNERS + id % (OWNERS / 2));
    report(&store);
}

/// How often commits repair an answer, and whether the others had to go.
fn repairs() {
    let (store, items) = stored();
    let cached = items.cached();
    let mut random = Random::new(3);
    for _ in 0..100_000 {
        let id = random.below(ITEMS.into()) as u32;
        let owner = id % 100;
        let change = |score| Item { owner, score, ..item(id) };
        match random.below(10) {
            0 => drop(items.delete(id)),
            _ => drop(items.store(change(random.below(ITEMS.into()) as u32))),
        }
        let asked = random.below(100) as u32;
        let of_owner = || cached.find(item::OWNER.eq(asked));
        of_owner().order_by(item::SCORE.desc()).limit(20).fetch().expect("it is valid");
        let class = |name| cached.clone().class(name).find(item::OWNER.eq(asked));
        class("counts").count().expect("it is valid");
        class("sums").statistics(item::SCORE.sum()).expect("it is valid");
        class("groups").statistics(GroupBy::values("kind").metrics([Metric::count()])).expect("it is valid");
        if asked < 10 {
            class("sets").fetch().expect("it is valid");
        }
    }
    report(&store);
}

fn report(store: &Store) {
    for class in store.stats().cache.classes {
        let memdex::stats::ClassStats { class, hits, misses, repairs, drops, sampled_drops, false_drops, .. } = class;
        let repaired = 100.0 * repairs as f64 / (repairs + drops).max(1) as f64;
        eprintln!(
            "cache: {class:<10} {hits:>7} hits, {misses:>6} misses, {repairs:>7} repairs, {drops:>5} drops ({repaired:.1} % repaired), \
             {false_drops} of {sampled_drops} sampled drops were false"
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("cache");
    group.sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let (store, items) = stored();
    hits(&mut group, &items);
    drop((store, items));
    registered(&mut group);
    group.finish();
    repairs();
}
