//! The cache of query results.

mod kept;
mod random;

use memdex::clock::ManualClock;
use memdex::query::cache::CacheSettings;
use memdex::{Filter, GroupBy, Metric, Query, Record, Store, Timestamp, field};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Task {
    #[record(key)]
    id: u32,
    #[record(index)]
    user: String,
    #[record(ordered)]
    points: i64,
    #[record(field)]
    tags: Vec<i64>,
}

fn task_of(id: u32, user: &str, points: i64) -> Task {
    Task { id, user: user.into(), points, tags: vec![points] }
}

fn stored(store: &Store, tasks: impl IntoIterator<Item = Task>) -> memdex::Collection<Task> {
    let collection = store.collection::<Task>("Task").unwrap();
    store.commit(|batch| tasks.into_iter().try_for_each(|task| batch.store(&collection, task))).unwrap();
    collection
}

/// The figures of a class: hits, misses, repairs, drops.
fn figures(store: &Store, class: &str) -> [u64; 4] {
    let classes = store.stats().cache.classes;
    let of = classes.into_iter().find(|of| of.class == class).unwrap_or_default();
    [of.hits, of.misses, of.repairs, of.drops]
}

#[test]
fn a_question_written_in_two_ways_has_one_answer() {
    let store = Store::new();
    let tasks = stored(&store, (0..9).map(|id| task_of(id, ["ada", "bob"][id as usize % 2], id.into())));
    let cached = tasks.cached();
    let one = cached.find(task::USER.eq("ada") & task::POINTS.ge(3));
    let other = cached.find(task::POINTS.ge(3) & task::USER.is_in(["ada"]) & task::POINTS.ge(1));
    assert!(!one.fetch().unwrap().is_cached());
    assert!(other.fetch().unwrap().is_cached());
    assert_eq!(store.stats().cache.entries, 1);
    assert!(!cached.find(task::USER.eq("ada")).fetch().unwrap().is_cached(), "another question");
    assert!(!other.count().unwrap().is_cached(), "its count is another question");
    assert_eq!(figures(&store, "search"), [1, 2, 0, 0]);
    assert_eq!(figures(&store, "statistics"), [0, 1, 0, 0]);
}

#[test]
fn commits_touch_only_the_answers_that_they_concern() {
    let store = Store::new();
    let tasks = stored(&store, (0..100).map(|id| task_of(id, &format!("u{}", id % 10), id.into())));
    let of_user = |user: usize| tasks.cached().find(task::USER.eq(format!("u{user}")));
    (0..10).for_each(|user| drop(of_user(user).fetch().unwrap()));
    let before = of_user(4).fetch().unwrap();
    tasks.update(3, |task| task.points = 1_000).unwrap();
    let after = of_user(4).fetch().unwrap();
    assert!(after.is_cached() && Arc::ptr_eq(&before.clone().into_shared(), &after.into_shared()));
    let changed = of_user(3).fetch().unwrap();
    assert!(changed.is_cached() && changed.iter().any(|task| task.points == 1_000));
    assert_eq!((changed.from_commit().get(), changed.commit().get()), (2, 2));
    assert_eq!(before.from_commit().get(), 1);
    assert_eq!(figures(&store, "search")[2..], [1, 0]);
}

#[test]
fn a_page_is_repaired_until_its_spare_records_are_used_up() {
    let store = Store::new();
    let tasks = stored(&store, (0..200).map(|id| task_of(id, "ada", id.into())));
    let top = tasks.cached().find(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(20);
    let best = |answer: &memdex::Page<memdex::Handle<Task>>| answer.iter().map(|task| task.id).collect::<Vec<_>>();
    top.fetch().unwrap();
    let mut computed = 0;
    for gone in 0..100 {
        tasks.delete(199 - gone).unwrap();
        let answer = top.fetch().unwrap();
        computed += u32::from(!answer.is_cached());
        assert_eq!(best(&answer), (179 - gone..199 - gone).rev().collect::<Vec<_>>());
        assert!(answer.next.is_some());
    }
    assert!((1..=5).contains(&computed), "computed {computed} times");
    tasks.store(task_of(500, "ada", 1_000)).unwrap();
    assert_eq!(best(&top.fetch().unwrap())[..2], [500, 99]);
}

#[test]
fn a_page_takes_no_record_in_behind_its_end() {
    let store = Store::new();
    let tasks = stored(&store, (0..200).map(|id| task_of(id, "ada", id.into())));
    let top = || tasks.cached().find(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(20).fetch().unwrap();
    top();
    // The page keeps 41 records. These come behind them, and behind others that it does not know.
    (300..310).for_each(|id| assert!(tasks.store(task_of(id, "ada", 50)).is_ok()));
    for gone in 0..60 {
        tasks.delete(199 - gone).unwrap();
        let fresh = tasks.find(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(20).fetch().unwrap();
        let ids = |page: &memdex::Page<memdex::Handle<Task>>| page.iter().map(|task| task.id).collect::<Vec<_>>();
        assert_eq!(ids(&top()), ids(&fresh), "without {}", 199 - gone);
    }
}

#[test]
fn statistics_are_repaired_to_the_last_bit() {
    let store = Store::new();
    let tasks = stored(&store, (0..500).map(|id| task_of(id, ["ada", "bob", "eve"][id as usize % 3], id.into())));
    let groups = || {
        let by_user = GroupBy::values("user").metrics([Metric::count(), task::POINTS.sum(), task::POINTS.max()]);
        by_user.top(2, "sum(points)")
    };
    let cached = tasks.cached().find(task::POINTS.lt(400));
    cached.statistics(groups()).unwrap();
    for id in 0..50 {
        tasks.update(id * 7, move |task| task.points = i64::from(id * 11)).unwrap();
        let answer = cached.statistics(groups()).unwrap();
        assert!(answer.is_cached());
        assert_eq!(answer.values, tasks.find(task::POINTS.lt(400)).statistics(groups()).unwrap().values);
    }
    assert_eq!(figures(&store, "statistics")[3], 0);
}

#[test]
fn answers_end_with_their_lifetime_and_their_records() {
    let clock = ManualClock::starting_at(Timestamp::from_secs(0));
    let settings = CacheSettings::default().lifetime("short", Duration::from_secs(5));
    let store = Store::builder().clock(clock.clone()).cache(settings).build();
    let tasks = stored(&store, [task_of(1, "ada", 1)]);
    let seconds = Duration::from_secs;
    let [search, count, short] =
        [tasks.cached(), tasks.cached(), tasks.cached().class("short")].map(|cached| cached.find(Filter::all()));
    let ask = || {
        let (search, count) = (search.fetch().unwrap(), count.count().unwrap());
        let short = short.fetch().unwrap();
        [search.is_cached(), count.is_cached(), short.is_cached()]
    };
    assert_eq!((ask(), ask()), ([false; 3], [true; 3]));
    clock.advance(seconds(5));
    assert_eq!(ask(), [true, true, false]);
    clock.advance(seconds(1_795));
    assert_eq!(ask(), [false, true, false]);
    assert_eq!(ask(), [true; 3]);
    // A record that expires leaves its answers at that moment.
    tasks.with_lifetime(seconds(2)).store(task_of(2, "ada", 2)).unwrap();
    assert_eq!((search.fetch().unwrap().len(), *count.count().unwrap()), (2, 2));
    clock.advance(seconds(2));
    assert_eq!((search.fetch().unwrap().len(), *count.count().unwrap()), (1, 1));
    clock.advance(seconds(5_000));
    assert_eq!(store.cache().clean_expired(), 3);
    assert_eq!((store.stats().cache.entries, store.stats().cache.bytes), (0, 0));
}

#[test]
fn an_answer_does_not_outlive_the_records_of_its_commit() {
    let clock = ManualClock::starting_at(Timestamp::from_secs(0));
    let store = Store::builder().clock(clock.clone()).build();
    let tasks = store.collection::<Task>("Task").unwrap();
    let seconds = Duration::from_secs;
    tasks.with_lifetime(seconds(20)).store(task_of(1, "ada", 1)).unwrap();
    let count = |snapshot: &memdex::Snapshot| *snapshot.of(&tasks).cached().find(Filter::all()).count().unwrap();
    assert_eq!(*tasks.cached().find(Filter::all()).count().unwrap(), 1);
    clock.advance(seconds(10));
    let early = store.snapshot();
    clock.advance(seconds(15));
    let late = store.snapshot();
    // The same commit, before and after the record has expired; then it is removed, and its deadline is filed no longer.
    assert_eq!((early.commit(), store.expire_now().unwrap()), (late.commit(), 1));
    for _ in 0..3 {
        assert_eq!((count(&late), count(&early), count(&late)), (0, 1, 0));
    }
}

#[test]
fn large_answers_are_not_kept() {
    let store = Store::builder().cache(CacheSettings::default().bytes(1 << 20)).build();
    let tasks = stored(&store, (0..20_000).map(|id| task_of(id, "ada", id.into())));
    let all = tasks.cached().find(task::USER.eq("ada"));
    let asked = || [all.fetch().unwrap().is_cached(), all.fetch().unwrap().is_cached()];
    assert_eq!((asked(), store.stats().cache.entries), ([false; 2], 0));
    // One that becomes large is dropped.
    let of_bob = tasks.cached().find(task::USER.eq("bob"));
    assert!(of_bob.fetch().unwrap().is_empty());
    store.commit(|batch| (0..4_000).try_for_each(|id| batch.store(&tasks, task_of(id, "bob", 0)))).unwrap();
    let answer = of_bob.fetch().unwrap();
    assert_eq!((answer.len(), answer.is_cached()), (4_000, true));
    store.commit(|batch| (4_000..9_000).try_for_each(|id| batch.store(&tasks, task_of(id, "bob", 0)))).unwrap();
    let answer = of_bob.fetch().unwrap();
    assert_eq!((answer.len(), answer.is_cached()), (9_000, false));
    assert!(store.stats().cache.bytes <= 1 << 20);
}

#[test]
fn snapshots_share_what_holds_for_them() {
    let store = Store::new();
    let tasks = stored(&store, [task_of(1, "ada", 1), task_of(2, "bob", 2)]);
    let before = store.snapshot();
    let of_ada =
        |cached: memdex::query::cache::CachedCollection<Task>| cached.find(task::USER.eq("ada")).fetch().unwrap();
    assert!(!of_ada(tasks.cached()).is_cached());
    tasks.store(task_of(3, "bob", 3)).unwrap();
    assert!(of_ada(before.of(&tasks).cached()).is_cached(), "the commit does not concern it");
    tasks.store(task_of(4, "ada", 4)).unwrap();
    assert_eq!(of_ada(tasks.cached()).len(), 2);
    let old = of_ada(before.of(&tasks).cached());
    assert_eq!((old.len(), old.is_cached(), old.commit()), (1, false, before.commit()));
    assert!(of_ada(tasks.cached()).is_cached(), "an older answer replaces no newer one");
}

#[test]
fn names_clear_and_warm_up() {
    let store = Store::new();
    let tasks = stored(&store, [task_of(1, "ada", 1)]);
    let cached = tasks.cached();
    let named = || cached.find(task::USER.eq("ada")).named("of ada").fetch().unwrap();
    assert!(!named().is_cached() && named().is_cached());
    assert!(store.cache().invalidate("of ada") && !store.cache().invalidate("of ada"));
    assert!(!named().is_cached());
    // The name of another question finds the other question.
    let other = cached.find(task::USER.eq("bob")).named("of ada").fetch().unwrap();
    assert_eq!((other.len(), other.is_cached()), (0, false));
    assert_eq!(named().len(), 1);
    store.cache().clear();
    assert_eq!(store.stats().cache.entries, 0);
    let queries = [
        Query::over(["Task"]).order_by(field("points").desc()).limit(100),
        Query::over(["Task"]).statistics([Metric::count()]),
    ];
    assert_eq!(cached.warm_up(queries.clone()), Ok(2));
    assert_eq!(cached.warm_up(queries), Ok(0));
    assert!(cached.find(Filter::all()).order_by(task::POINTS.desc()).limit(100).fetch().unwrap().is_cached());
    assert!(cached.warm_up([Query::over(["Task"]).filter(field("none").eq(1))]).is_err());
}

#[test]
fn the_cache_stays_within_its_bounds() {
    let store = Store::builder().cache(CacheSettings::default().entries(100)).build();
    let tasks = stored(&store, (0..1_000).map(|id| task_of(id, &format!("u{id}"), id.into())));
    let find = |id: u32| tasks.cached().find(task::USER.eq(format!("u{id}")));
    (0..1_000).for_each(|id| assert_eq!(find(id).fetch().unwrap().len(), 1));
    let stats = store.stats().cache;
    assert!(stats.entries <= 100 && stats.bytes <= 64 << 20, "{stats:?}");
    assert!(stats.classes[0].evictions >= 900);
    // A prepared query stays.
    let prepared = find(7).prepare().unwrap();
    prepared.fetch().unwrap();
    (0..1_000).for_each(|id| drop(find(id).fetch().unwrap()));
    assert!(prepared.fetch().unwrap().is_cached());
    tasks.delete(7).unwrap();
    let answer = prepared.fetch().unwrap();
    assert!(answer.is_cached() && answer.is_empty());

    let none = Store::builder().cache(CacheSettings::default().entries(0)).build();
    let tasks = stored(&none, [task_of(1, "ada", 1)]);
    let prepared = tasks.cached().find(task::USER.eq("ada")).prepare().unwrap();
    for _ in 0..2 {
        assert!(!tasks.cached().find(Filter::all()).fetch().unwrap().is_cached());
        assert!(!prepared.fetch().unwrap().is_cached());
    }
    assert_eq!(none.stats().cache.entries, 0);
}

#[test]
fn questions_that_nobody_can_file_follow_the_log() {
    let store = Store::new();
    let tasks = stored(&store, (0..10).map(|id| task_of(id, "ada", id.into())));
    let all = tasks.cached().find(Filter::all());
    assert_eq!(*all.count().unwrap(), 10);
    for id in 10..30 {
        tasks.store(task_of(id, "bob", 0)).unwrap();
        let count = all.count().unwrap();
        assert_eq!((*count, count.is_cached()), (id as usize + 1, true));
    }
    // More changes than the log has: computed again.
    for _ in 0..3 {
        store.commit(|batch| (0..5_000).try_for_each(|id| batch.store(&tasks, task_of(id, "eve", 1)))).unwrap();
    }
    let count = all.count().unwrap();
    assert_eq!((*count, count.is_cached()), (5_000, false));
}

#[test]
fn user_code_that_panics_drops_answers_and_harms_nothing() {
    static PANICS: AtomicBool = AtomicBool::new(false);
    #[derive(Clone)]
    struct Moody(u32, i64);
    impl Record for Moody {
        type Key = u32;
        fn schema() -> memdex::Schema {
            let [id, points] = ["id", "points"].map(|name| memdex::FieldDef::new(name, memdex::Kind::Int));
            memdex::Schema::new([id.key(), points])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(memdex::typing::ValueRef::Int(self.0.into()));
        }
        fn value(&self, position: usize) -> memdex::typing::ValueRef<'_> {
            assert!(position == 0 || !PANICS.load(Ordering::SeqCst), "moody");
            memdex::typing::ValueRef::Int(if position == 0 { self.0.into() } else { self.1 })
        }
    }
    let store = Store::new();
    let moody = store.collection::<Moody>("Moody").unwrap();
    (0..5).for_each(|id| assert!(moody.store(Moody(id, 1)).is_ok()));
    let ones = moody.cached().find(field("points").eq(1));
    assert_eq!(*ones.count().unwrap(), 5);
    PANICS.store(true, Ordering::SeqCst);
    moody.store(Moody(9, 1)).unwrap();
    PANICS.store(false, Ordering::SeqCst);
    let count = ones.count().unwrap();
    assert_eq!((*count, count.is_cached()), (6, false));
    store.verify().unwrap();
}

#[test]
fn concurrent_misses_are_computed_once() {
    let store = Store::new();
    let tasks = stored(&store, (0..100).map(|id| task_of(id, "ada", id.into())));
    let barrier = std::sync::Barrier::new(4);
    let computed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for from in 0..20 {
                    barrier.wait();
                    let answer = tasks.cached().find(task::POINTS.ge(from)).limit(10).fetch().unwrap();
                    computed.fetch_add(u64::from(!answer.is_cached()), Ordering::SeqCst);
                    assert_eq!(answer.len(), 10);
                }
            });
        }
    });
    // Nobody waits longer than a millisecond, so some may have computed it too.
    assert!(computed.load(Ordering::SeqCst) < 60, "{computed:?}");
}

#[test]
fn cached_answers_under_writers_are_exact() {
    let store = Store::new();
    let tasks = stored(&store, (0..100).map(|id| task_of(id, "ada", 10)));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2_u32 {
            let (store, tasks, stop) = (&store, &tasks, &stop);
            scope.spawn(move || {
                for round in 0..2_000_u32 {
                    let (from, to) = ((round * 7 + writer) % 100, (round * 13 + 1 + writer) % 100);
                    if from != to {
                        store
                            .commit(|batch| {
                                batch.update(tasks, from, |task| task.points -= 1)?;
                                batch.update(tasks, to, |task| task.points += 1)
                            })
                            .unwrap();
                    }
                }
                stop.store(true, Ordering::SeqCst);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !stop.load(Ordering::SeqCst) {
                    let sum = tasks.cached().find(task::USER.eq("ada")).statistics(task::POINTS.sum()).unwrap();
                    assert_eq!(sum.int("sum(points)"), Some(1_000));
                    assert!(sum.commit().get() >= last, "no reader goes back in time");
                    last = sum.commit().get();
                    let all = tasks.cached().find(Filter::all()).fetch().unwrap();
                    assert_eq!(all.iter().map(|task| task.points).sum::<i64>(), 1_000);
                    let snapshot = store.snapshot();
                    let sum = snapshot.of(&tasks).cached().find(Filter::all()).statistics(task::POINTS.sum()).unwrap();
                    assert_eq!(sum.int("sum(points)"), Some(1_000));
                }
            });
        }
    });
    let [hits, misses, repairs, _] = figures(&store, "statistics");
    assert!(hits > 0 && misses > 0 && repairs > 0);
    store.verify().unwrap();
}

thread_local! {
    /// Whether the extractor of `Nosy` asks the cache, and whether it panics.
    static ASKS: std::cell::Cell<(bool, bool)> = const { std::cell::Cell::new((false, false)) };
}

static NOSY: std::sync::OnceLock<memdex::Collection<Nosy>> = std::sync::OnceLock::new();

/// Its extractor asks the question for which it is called.
struct Nosy(u32);

impl Record for Nosy {
    type Key = u32;

    fn schema() -> memdex::Schema {
        let [id, even] = ["id", "even"].map(|name| memdex::FieldDef::new(name, memdex::Kind::Int));
        memdex::Schema::new([id.key(), even])
    }

    fn key(&self, key: &mut memdex::typing::KeyBuffer) {
        key.push(memdex::typing::ValueRef::Int(self.0.into()));
    }

    fn value(&self, position: usize) -> memdex::typing::ValueRef<'_> {
        let (asks, panics) = ASKS.get();
        assert!(position == 0 || !panics, "nosy");
        if asks && position == 1 {
            ASKS.set((false, false));
            NOSY.get().unwrap().cached().find(field("even").eq(0)).count().unwrap();
            ASKS.set((true, false));
        }
        memdex::typing::ValueRef::Int(if position == 0 { self.0.into() } else { i64::from(self.0 % 2) })
    }
}

#[test]
fn nobody_waits_for_itself_or_for_who_panics() {
    let store = Store::new();
    let nosy = NOSY.get_or_init(|| store.collection::<Nosy>("Nosy").unwrap());
    (0..10).for_each(|id| assert!(nosy.store(Nosy(id)).is_ok()));
    let even = || nosy.cached().find(field("even").eq(0)).count();
    ASKS.set((true, false));
    assert_eq!(*even().unwrap(), 5);
    nosy.store(Nosy(12)).unwrap();
    ASKS.set((false, false));
    assert_eq!(*even().unwrap(), 6);

    store.cache().clear();
    ASKS.set((false, true));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(even)).is_err());
    ASKS.set((false, false));
    assert_eq!(store.stats().cache.computing, 0);
    let count = even().unwrap();
    assert_eq!((*count, count.is_cached()), (6, false));
    assert!(even().unwrap().is_cached());
    assert_eq!(store.verify().unwrap().cached_answers, 1);
}

#[test]
fn an_audit_finds_answers_that_are_wrong() {
    // An extractor that does not return the same each time makes a cached answer differ from the records.
    static POINTS: AtomicU64 = AtomicU64::new(1);
    struct Fickle(u32);
    impl Record for Fickle {
        type Key = u32;
        fn schema() -> memdex::Schema {
            let [id, points] = ["id", "points"].map(|name| memdex::FieldDef::new(name, memdex::Kind::Int));
            memdex::Schema::new([id.key(), points])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(memdex::typing::ValueRef::Int(self.0.into()));
        }
        fn value(&self, position: usize) -> memdex::typing::ValueRef<'_> {
            let points = POINTS.load(Ordering::SeqCst) as i64;
            memdex::typing::ValueRef::Int(if position == 0 { self.0.into() } else { points })
        }
    }
    let store = Store::new();
    let fickle = store.collection::<Fickle>("Fickle").unwrap();
    fickle.store(Fickle(1)).unwrap();
    let ones = fickle.cached().find(field("points").eq(1));
    assert_eq!(*ones.count().unwrap(), 1);
    store.verify().unwrap();
    POINTS.store(2, Ordering::SeqCst);
    let found = store.verify().unwrap_err().to_string();
    assert!(found.contains("a cached answer at commit 1 differs"), "{found}");
    // Whatever it returns: the store stays sound.
    for points in 0..20 {
        POINTS.store(points % 3, Ordering::SeqCst);
        fickle.store(Fickle(points as u32 % 2)).unwrap();
        fickle.delete(points as u32 % 5).unwrap();
        let _ = ones.count().unwrap();
        let _ = ones.statistics(field("points").sum()).unwrap();
    }
    store.cache().clear();
    store.verify().unwrap();
}
