//! Cached answers beside commits: a question that is registered at any step of a commit, answers that are filled in, repaired, dropped
//! and evicted meanwhile, and deadlines. Each answer is compared with the recorded state of the commit for which it was asked.

use super::world::{Item, World, item};
use super::{explore, join, spawn};
use memdex::clock::ManualClock;
use memdex::query::cache::{CacheSettings, CachedCollection};
use memdex::write::Lifetime;
use memdex::{Commit, Filter, GroupBy, Metric, Record, Store, Timestamp, field};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

/// Asks a question in some form, and checks the answer. Returns the commit for which it was asked.
fn ask(world: &World, cached: &CachedCollection<Item>, filter: Filter<Item>, holds: fn(&Item) -> bool) -> Commit {
    let expected =
        |commit: Commit| -> Vec<Item> { world.left_at(commit.get()).into_iter().filter(|item| holds(item)).collect() };
    let find = cached.find(filter);
    match thread_rng().gen_range(0..4) {
        0 => {
            let answer = find.fetch().unwrap();
            let mut found: Vec<Item> = answer.iter().map(|item| Item::clone(item)).collect();
            found.sort_unstable();
            assert_eq!(found, expected(answer.commit()), "cached: {}", answer.is_cached());
            assert!(answer.from_commit() <= answer.commit());
            answer.commit()
        }
        1 => {
            let answer = find.order_by(item::C.asc()).limit(1).with_total().fetch().unwrap();
            let mut items = expected(answer.commit());
            items.sort_unstable_by_key(|item| (item.c, item.key));
            assert_eq!(answer.first().map(|item| Item::clone(item)), items.first().cloned());
            assert_eq!((answer.total, answer.next.is_some()), (Some(items.len()), items.len() > 1));
            answer.commit()
        }
        2 => {
            let answer = find.count().unwrap();
            assert_eq!(*answer, expected(answer.commit()).len(), "cached: {}", answer.is_cached());
            answer.commit()
        }
        _ => {
            let groups = GroupBy::values("b").metrics([Metric::count(), field("c").sum()]);
            let answer = find.statistics(groups).unwrap();
            let items = expected(answer.commit());
            for b in 0..2 {
                let of_b = items.iter().filter(|item| item.b == b);
                let count = answer.group(b).map_or(0, |group| group.int("count").unwrap());
                assert_eq!(count, of_b.count() as i64, "cached: {}", answer.is_cached());
            }
            answer.commit()
        }
    }
}

fn ask_any(world: &World, cached: &CachedCollection<Item>) -> Commit {
    match thread_rng().gen_range(0..3) {
        0 => ask(world, cached, item::A.eq(0).into(), |item| item.a == 0),
        1 => ask(world, cached, item::A.eq(1) & item::C.eq(0), |item| item.a == 1 && item.c == 0),
        // Nobody can file it: it follows the log.
        _ => ask(world, cached, item::A.ne(0).into(), |item| item.a != 0),
    }
}

/// The reader asks more often than the log is long, and no commit is the last.
fn reader(asks: u32) -> impl FnOnce(World) + Send {
    move |world| {
        let cached = world.left.cached();
        let mut seen = Commit::ZERO;
        for _ in 0..asks {
            let commit = ask_any(&world, &cached);
            assert!(commit >= seen, "a reader went back in time");
            seen = commit;
        }
    }
}

fn writer(commits: u32) -> impl FnOnce(World) + Send {
    move |world| (0..commits).for_each(|_| world.random_commit())
}

fn check_after(world: &World) {
    let cached = world.left.cached();
    (0..6).for_each(|_| assert_eq!(ask_any(world, &cached), world.store.newest_commit()));
}

/// Two readers that share answers, and a writer.
#[test]
fn cache_asked_beside_commits() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 1, 1)]);
        let threads = [spawn(&world, writer(4)), spawn(&world, reader(4)), spawn(&world, reader(3))];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        check_after(&world);
        join(&world, []);
    });
}

/// One question, asked for the first time during a commit that changes its answer, and again after it.
#[test]
fn cache_registered_during_a_commit() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let of_zero = |world: &World| ask(world, &world.left.cached(), item::A.eq(0).into(), |item| item.a == 0);
        let threads = [
            spawn(&world, |world| {
                world.put(&[(1, 0, 0)]);
                world.put(&[(0, 1, 0)]);
            }),
            spawn(&world, move |world| {
                of_zero(&world);
                of_zero(&world);
            }),
        ];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        (0..8).for_each(|_| assert_eq!(of_zero(&world), world.store.newest_commit()));
        join(&world, []);
    });
}

/// Snapshots ask the same questions as readers of the newest commit.
#[test]
fn cache_shared_with_snapshots() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 0, 1)]);
        let of_snapshot = |world: World| {
            let snapshot = world.store.snapshot();
            let cached = snapshot.of(&world.left).cached();
            (0..3).for_each(|_| assert_eq!(ask_any(&world, &cached), snapshot.commit()));
        };
        let threads = [spawn(&world, writer(3)), spawn(&world, of_snapshot), spawn(&world, reader(3))];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        check_after(&world);
        join(&world, []);
    });
}

/// Answers leave the cache while they are computed, read and changed.
#[test]
fn cache_too_small_and_cleared() {
    explore(|| {
        let world = World::with_cache(CacheSettings::default().entries(1));
        world.put(&[(0, 0, 0), (1, 0, 1)]);
        let clear = |world: World| {
            world.store.cache().clear();
            world.store.cache().clean_expired();
        };
        let threads =
            [spawn(&world, writer(3)), spawn(&world, reader(3)), spawn(&world, reader(3)), spawn(&world, clear)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        check_after(&world);
        join(&world, []);
    });
}

/// A prepared query keeps its answer, whatever leaves the cache.
#[test]
fn cache_prepared_beside_commits() {
    explore(|| {
        let world = World::with_cache(CacheSettings::default().entries(1));
        world.put(&[(0, 0, 0), (1, 0, 1)]);
        let prepared = |world: World| {
            let of_zero = world.left.cached().find(item::A.eq(0)).prepare_count().unwrap();
            for _ in 0..3 {
                let count = of_zero.fetch().unwrap();
                let items = world.left_at(count.commit().get());
                assert_eq!(*count, items.iter().filter(|item| item.a == 0).count());
            }
        };
        let threads = [spawn(&world, writer(3)), spawn(&world, reader(2)), spawn(&world, prepared)];
        join(&world, threads);
    });
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Mortal {
    #[record(key)]
    key: u8,
    #[record(index)]
    group: u8,
    /// Its deadline; 0 for none.
    dies: i64,
}

/// Records expire between the commits: what a snapshot finds through the cache is what it finds without.
#[test]
fn cache_under_deadlines() {
    explore(|| {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).build();
        let items = store.collection::<Mortal>("items").unwrap();
        let at = Timestamp::from_micros;
        let put = {
            let items = items.clone();
            move |key: u8, dies: i64| {
                let lifetime = if dies == 0 { Lifetime::Forever } else { Lifetime::Until(at(dies)) };
                let _ = items.with_lifetime(lifetime).store(Mortal { key, group: 0, dies });
            }
        };
        put(0, 10);
        put(1, 0);
        put(2, 20);
        let of_clock = thread::spawn({
            let clock = clock.clone();
            move || [5, 12, 25].iter().for_each(|time| clock.set(at(*time)))
        });
        let of_writer = thread::spawn({
            let put = put.clone();
            move || {
                put(0, 40);
                put(1, 15);
            }
        });
        let of_reaper = thread::spawn({
            let store = store.clone();
            move || assert!(store.expire_now().is_ok())
        });
        let check = {
            let (store, items) = (store.clone(), items.clone());
            move || {
                for _ in 0..2 {
                    let snapshot = store.snapshot();
                    let view = snapshot.of(&items);
                    let keys = |page: &memdex::Page<memdex::Handle<Mortal>>| {
                        let mut keys: Vec<u8> = page.iter().map(|item| item.key).collect();
                        keys.sort_unstable();
                        keys
                    };
                    let of_group = mortal::GROUP.eq(0);
                    let expected = keys(&view.find(of_group.clone()).fetch().unwrap());
                    let found = view.cached().find(of_group.clone()).fetch().unwrap();
                    assert_eq!(keys(&found), expected, "{:?}, cached: {}", snapshot.time(), found.is_cached());
                    let count = view.cached().find(of_group.clone()).count().unwrap();
                    assert_eq!(*count, expected.len(), "{:?}, cached: {}", snapshot.time(), count.is_cached());
                    // Nobody can file this one.
                    let all = view.find(Filter::all()).count().unwrap();
                    let count = view.cached().find(Filter::all()).count().unwrap();
                    assert_eq!(*count, all, "{:?}, cached: {}", snapshot.time(), count.is_cached());
                    let before = store.snapshot().time().as_micros();
                    let newest = items.cached().find(of_group).fetch().unwrap();
                    assert!(newest.iter().all(|item| item.dies == 0 || item.dies > before), "{newest:?} at {before}");
                }
            }
        };
        let readers = [thread::spawn(check.clone()), thread::spawn(check.clone())];
        [of_clock, of_writer, of_reaper].into_iter().chain(readers).for_each(|thread| thread.join().unwrap());
        check();
        store.verify().unwrap();
    });
}

/// A record is extended before its first deadline, and then that passes: it was never missing.
#[test]
fn cache_record_extended_in_time() {
    explore(|| {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).build();
        let items = store.collection::<Mortal>("items").unwrap();
        let until = |micros: i64| Lifetime::Until(Timestamp::from_micros(micros));
        items.with_lifetime(until(10)).store(Mortal { key: 0, group: 0, dies: 10 }).unwrap();
        let found = {
            let items = items.clone();
            move || assert_eq!(items.cached().find(mortal::GROUP.eq(0)).fetch().unwrap().len(), 1)
        };
        found();
        let writer = thread::spawn(move || {
            items.with_lifetime(until(40)).store(Mortal { key: 0, group: 0, dies: 40 }).unwrap();
            clock.set(Timestamp::from_micros(12));
        });
        let reader = thread::spawn(found.clone());
        [writer, reader].into_iter().for_each(|thread| thread.join().unwrap());
        found();
    });
}
