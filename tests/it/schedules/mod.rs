//! The engine's real commit, reclamation, get and query code under a concurrency checker: random schedules, and PCT
//! schedules, which find rare interleavings of few steps. The scenarios are directed, since random batches rarely
//! place several commits within one read.
//!
//! `RUSTFLAGS="--cfg memdex_shuttle" cargo test --release --test it schedules`; `SCHEDULES=100000` for more of them.
//! Shuttle explores sequential consistency. Loom tests in the library check which orderings pin and publish need.

mod aggregates;
mod background;
mod cache;
mod columns;
mod eviction;
mod feed;
mod forks;
mod hooks;
mod lifetimes;
mod observed;
mod pages;
mod statistics;
mod taken;
mod watch;
mod wide;
mod world;

use self::world::{KEYS, World, queries};
use memdex::{Commit, Snapshot};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, JoinHandle};

/// Runs a scenario on that number of random and as many PCT schedules.
fn explore(scenario: fn()) {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    shuttle::check_random(scenario, schedules);
    shuttle::check_pct(scenario, schedules, 3);
}

fn spawn_on<W: Clone + Send + 'static>(world: &W, run: impl FnOnce(W) + Send + 'static) -> JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || run(world))
}

fn spawn(world: &World, run: impl FnOnce(World) + Send + 'static) -> JoinHandle<()> {
    spawn_on(world, run)
}

fn join(world: &World, threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    world.check_at_rest();
}

/// Everything at once, with two writers.
#[test]
fn mixed() {
    explore(|| {
        let world = World::new();
        let writer = |commits| move |world: World| (0..commits).for_each(|_| world.random_commit());
        let reader = |world: World| {
            let mut seen = Commit::ZERO;
            for _ in 0..2 {
                let choice = thread_rng().gen_range(0..4);
                if choice == 0 {
                    seen = world.check_get(thread_rng().gen_range(0..KEYS), seen);
                    continue;
                }
                if choice == 1 {
                    seen = world.check_len(seen);
                    continue;
                }
                let snapshot = world.store.snapshot();
                assert!(snapshot.commit() >= seen, "a session went back in time");
                seen = snapshot.commit();
                world.check_random_query(&snapshot);
                world.check_random_query(&snapshot);
            }
        };
        let threads =
            [spawn(&world, writer(3)), spawn(&world, writer(1)), spawn(&world, reader), spawn(&world, reader)];
        join(&world, threads);
    });
}

/// One key that always exists is replaced repeatedly under gets without a pin.
#[test]
fn hot_key() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let writer = spawn(&world, |world| (0..5).for_each(|_| world.put(&[(0, thread_rng().gen_range(0..2), 0)])));
        let reader = spawn(&world, |world| {
            (0..3).fold(Commit::ZERO, |seen, _| world.check_get(0, seen));
        });
        join(&world, [writer, reader]);
    });
}

/// A key is deleted and inserted again, and its row reused, under snapshots and gets.
#[test]
fn reuse() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 1, 1)]);
        let writer = spawn(&world, |world| {
            for _ in 0..5 {
                let key = thread_rng().gen_range(0..KEYS);
                if thread_rng().gen_range(0..2) == 0 {
                    world.put(&[(key, 0, 1)]);
                } else {
                    world.left.delete(key).unwrap();
                }
            }
        });
        let reader = |world: World| {
            let snapshot = world.store.snapshot();
            world.check_random_query(&snapshot);
            world.check_keys(&snapshot);
            let seen = snapshot.commit();
            drop(snapshot);
            world.check_get(0, seen);
        };
        let threads = [writer, spawn(&world, reader), spawn(&world, reader)];
        join(&world, threads);
    });
}

/// Snapshots of different ages are held through many commits: retained versions, merged marks, rows that change
/// repeatedly. There are three readers for two slots, so one of them overflows.
#[test]
fn long_snapshots() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 0, 1)]);
        let writer = spawn(&world, |world| (0..6).for_each(|_| world.random_commit()));
        let reader = |world: World| {
            let snapshot = world.store.snapshot();
            for _ in 0..2 {
                world.check_random_query(&snapshot);
                thread::yield_now();
            }
            world.check_keys(&snapshot);
        };
        let readers: Vec<_> = (0..3).map(|_| spawn(&world, reader)).collect();
        join(&world, readers.into_iter().chain([writer]));
    });
}

/// Both collections change in each commit: a reader never sees one change without the other.
#[test]
fn two_collections() {
    explore(|| {
        let world = World::new();
        let writer = |world: World| {
            for key in 0..3 {
                let item = world.random_item(key % 2);
                world
                    .store
                    .commit(|batch| {
                        batch.store(&world.left, item.clone())?;
                        if key == 2 { batch.delete(&world.right, 0) } else { batch.store(&world.right, item) }
                    })
                    .unwrap();
            }
        };
        let reader = |world: World| {
            let snapshot = world.store.snapshot();
            let right = snapshot.of(&world.right).get_many([0, 1]);
            let left = snapshot.of(&world.left).get_many([0, 1]);
            if snapshot.commit().get() < 3 {
                assert_eq!(left, right, "at {}", snapshot.commit());
            }
            queries().iter().take(3).for_each(|query| world.check_query(&snapshot, query));
        };
        join(&world, [spawn(&world, writer), spawn(&world, reader), spawn(&world, reader)]);
    });
}

/// Clones of a snapshot share its pin; the last one to be dropped releases it, on any thread.
#[test]
fn shared_snapshots() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 1, 0)]);
        let snapshot = world.store.snapshot();
        let reader = |snapshot: Snapshot| {
            move |world: World| {
                world.check_random_query(&snapshot);
                drop(snapshot.clone());
                world.check_keys(&snapshot);
            }
        };
        let readers = [spawn(&world, reader(snapshot.clone())), spawn(&world, reader(snapshot))];
        let writer = spawn(&world, |world| {
            world.put(&[(0, 1, 1)]);
            world.left.delete(1).unwrap();
            world.put(&[(2, 0, 0)]);
        });
        join(&world, readers.into_iter().chain([writer]));
    });
}

/// A snapshot is dropped during a commit, and no commit follows: upkeep must find what it retained.
#[test]
fn last_pin_dropped_during_the_last_commit() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let snapshot = world.store.snapshot();
        let reader = spawn(&world, move |world| {
            let later = world.store.snapshot();
            drop(snapshot);
            drop(later);
        });
        let writer = spawn(&world, |world| {
            world.put(&[(0, 1, 0)]);
            world.left.delete(0).unwrap();
        });
        join(&world, [reader, writer]);
    });
}

/// Snapshots begin and end during commits, and no commit follows: the thread of the store reclaims what they retained.
#[test]
fn reclaimed_in_background() {
    explore(|| {
        let store = memdex::Store::builder().reclaim_in_background().build();
        let items = store.collection::<world::Item>("items").unwrap();
        let put = |items: &memdex::Collection<world::Item>, stamp| {
            items.store(world::Item { key: 0, a: 0, b: 0, c: 0, stamp }).unwrap();
        };
        put(&items, 0);
        let held = store.snapshot();
        let of_reader = store.clone();
        let reader = thread::spawn(move || {
            let later = of_reader.snapshot();
            drop(held);
            drop(later);
        });
        let short = {
            let store = store.clone();
            thread::spawn(move || drop(store.snapshot()))
        };
        put(&items, 1);
        items.delete(0).unwrap();
        reader.join().unwrap();
        short.join().unwrap();
        await_reclamation(&store);
    });
}

/// Waits until the thread of a store has dropped everything that snapshots retained.
fn await_reclamation(store: &memdex::Store) {
    loop {
        let stats = store.stats();
        let of_items = &stats.collections[0];
        if (of_items.versions_retained, of_items.marks, of_items.lengths_retained) == (0, 0, 0) {
            break;
        }
        thread::yield_now();
    }
    store.verify().unwrap();
}

/// One snapshot ends while the only commit under it looks which pins there are.
#[test]
fn reclaimed_in_background_after_one_commit() {
    explore(|| {
        let store = memdex::Store::builder().reclaim_in_background().build();
        let items = store.collection::<world::Item>("items").unwrap();
        items.store(world::Item { key: 0, a: 0, b: 0, c: 0, stamp: 0 }).unwrap();
        let reader = {
            let store = store.clone();
            thread::spawn(move || drop(store.snapshot()))
        };
        items.delete(0).unwrap();
        reader.join().unwrap();
        await_reclamation(&store);
    });
}

/// Two snapshots are dropped during an audit, which holds the commit lock.
#[test]
fn pins_dropped_during_an_audit() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let first = world.store.snapshot();
        world.put(&[(0, 1, 0)]);
        let second = world.store.snapshot();
        world.put(&[(0, 1, 1)]);
        let drops = [spawn(&world, move |_| drop(first)), spawn(&world, move |_| drop(second))];
        let audit = spawn(&world, |world| assert_eq!(world.store.verify().unwrap().records, 1));
        join(&world, drops.into_iter().chain([audit]));
    });
}

/// An observer that is registered before a snapshot is taken is notified of every commit after the snapshot, and of
/// none before the registration.
#[test]
fn observers_registered_under_commits() {
    #[derive(Default)]
    struct Feed(std::sync::Mutex<Vec<Commit>>);

    impl memdex::hook::CommitHook for Feed {
        fn committed(&self, commit: &memdex::hook::CommitInfo) {
            self.0.lock().unwrap().push(commit.number());
        }
    }

    explore(|| {
        // Not a `World`, which has its own observer: commits without observers take another path.
        let store = memdex::Store::new();
        let items = store.collection::<world::Item>("items").unwrap();
        let writer = thread::spawn(move || {
            for key in 0..3 {
                items.store(world::Item { key, a: 0, b: 0, c: 0, stamp: 0 }).unwrap();
            }
        });
        let feed = std::sync::Arc::new(Feed::default());
        let before = store.newest_commit();
        store.add_hook(feed.clone()).unwrap();
        let after = store.snapshot().commit();
        writer.join().unwrap();
        let reported = feed.0.lock().unwrap().clone();
        let from = reported.first().map_or(4, |commit| commit.get());
        assert!(
            before.get() < from && from <= after.get() + 1,
            "notified of {reported:?}; the newest commit was {before} before and {after} after"
        );
        assert_eq!(reported, (from..=3).map(Commit::from_number).collect::<Vec<_>>());
    });
}

/// More pins at once than there are slots, taken and released under commits.
#[test]
fn slots_overflow() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let writer = spawn(&world, |world| (0..3).for_each(|n| world.put(&[(0, n % 2, 1), (1 + n % 2, 0, 0)])));
        let reader = |world: World| {
            let first = world.store.snapshot();
            let second = world.store.snapshot();
            assert!(first.commit() <= second.commit());
            world.check_query(&first, &queries()[0]);
            drop(first);
            world.check_query(&second, &queries()[2]);
        };
        let readers: Vec<_> = (0..2).map(|_| spawn(&world, reader)).collect();
        join(&world, readers.into_iter().chain([writer]));
    });
}

/// A value loses its last row and gains another, so its posting is removed and added, under queries for it.
#[test]
fn emptied_values() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let writer = spawn(&world, |world| [1, 0, 1, 0].iter().for_each(|a| world.put(&[(0, *a, 1 - *a)])));
        let reader = |world: World| {
            let snapshot = world.store.snapshot();
            world.check_query(&snapshot, &queries()[thread_rng().gen_range(0..5)]);
            world.check_query(&snapshot, &queries()[thread_rng().gen_range(0..5)]);
        };
        join(&world, [writer, spawn(&world, reader), spawn(&world, reader)]);
    });
}

/// Lengths without a pin and of snapshots, while commits add and remove records.
#[test]
fn lengths() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 0, 0)]);
        let writer = spawn(&world, |world| {
            world.put(&[(2, 0, 0)]);
            world.left.delete(0).unwrap();
            world.put(&[(0, 1, 1)]);
            world.left.delete(1).unwrap();
        });
        let reader = |world: World| {
            let seen = (0..3).fold(Commit::ZERO, |seen, _| world.check_len(seen));
            let snapshot = world.store.snapshot();
            assert!(snapshot.commit() >= seen, "a session went back in time");
            world.check_keys(&snapshot);
        };
        join(&world, [writer, spawn(&world, reader), spawn(&world, reader)]);
    });
}
