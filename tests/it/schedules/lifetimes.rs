//! Records that expire, beside commits, readers with older times, and the removal of what has expired. Each record knows its own
//! deadline, so each read can be judged by itself.

use super::explore;
use memdex::clock::ManualClock;
use memdex::write::{DefaultLifetime, Lifetime};
use memdex::{Collection, Filter, Record, Snapshot, Store, Timestamp};
use shuttle::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Item {
    #[record(key)]
    key: u8,
    #[record(index)]
    group: u8,
    #[record(ordered, column)]
    rank: u8,
    #[record(unique)]
    name: u8,
    /// Its deadline; 0 for none.
    dies: i64,
}

#[derive(Clone)]
struct Scene {
    store: Store,
    items: Collection<Item>,
    clock: ManualClock,
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

impl Scene {
    fn new() -> Self {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).build();
        let items = store.collection("items").unwrap();
        Scene { store, items, clock }
    }

    /// Stores an item, unless its time is over.
    fn put(&self, key: u8, name: u8, dies: i64) {
        let item = Item { key, group: key % 2, rank: name, name, dies };
        let lifetime = if dies == 0 { Lifetime::Forever } else { Lifetime::Until(at(dies)) };
        let _ = self.items.with_lifetime(lifetime).store(item);
    }

    fn spawn(&self, run: impl FnOnce(Scene) + Send + 'static) -> JoinHandle<()> {
        let scene = self.clone();
        thread::spawn(move || run(scene))
    }

    fn end(&self, threads: impl IntoIterator<Item = JoinHandle<()>>) {
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.check(&self.store.snapshot());
        self.store.verify().unwrap();
        self.store.expire_now().unwrap();
        self.check(&self.store.snapshot());
        self.store.verify().unwrap();
    }

    /// All forms of reads agree, find nothing that has expired, and find the same again.
    fn check(&self, snapshot: &Snapshot) -> Vec<Item> {
        let (view, time) = (snapshot.of(&self.items), snapshot.time().as_micros());
        let first = self.read(snapshot);
        assert!(first.iter().all(|item| item.dies == 0 || item.dies > time), "{first:?} at {time}");
        assert_eq!(view.len(), first.len(), "{first:?} at {time}");
        assert_eq!(self.read(snapshot), first, "at {time}");
        first
    }

    fn read(&self, snapshot: &Snapshot) -> Vec<Item> {
        let view = snapshot.of(&self.items);
        let sorted = |mut found: Vec<Item>| {
            found.sort_by_key(|item| item.key);
            found
        };
        let by_index = view.find(item::GROUP.le(9) & item::GROUP.is_in([0, 1])).fetch().unwrap();
        let by_index = sorted(by_index.iter().map(|item| item.cloned()).collect());
        let by_key: Vec<Item> = (0..4).filter_map(|key| view.get(key)).map(|item| item.cloned()).collect();
        assert_eq!(by_index, by_key);
        assert_eq!(sorted(view.iter().map(|item| item.cloned()).collect()), by_key);
        let ranked = view.find(Filter::all()).order_by(item::RANK.asc()).limit(9).fetch().unwrap();
        assert_eq!(ranked.iter().count(), by_key.len());
        let sum = view.find(Filter::all()).statistics([item::RANK.sum()]).unwrap().int("sum(rank)").unwrap_or(0);
        assert_eq!(sum, by_key.iter().map(|item| i64::from(item.rank)).sum::<i64>());
        by_key
    }
}

/// Records are stored again with other deadlines, and removed, under snapshots with earlier and later times.
#[test]
fn deadlines_belong_to_versions() {
    explore(|| {
        let scene = Scene::new();
        scene.put(0, 0, 10);
        scene.put(1, 1, 0);
        scene.put(2, 2, 20);
        let clock = scene.spawn(|scene| [5, 12, 25].iter().for_each(|time| scene.clock.set(at(*time))));
        let writer = scene.spawn(|scene| {
            scene.put(0, 0, 40);
            scene.put(1, 3, 15);
            scene.put(3, 1, 18);
        });
        let reaper = scene.spawn(|scene| {
            scene.store.expire_now().unwrap();
            scene.store.expire_now().unwrap();
        });
        let reader = |scene: Scene| {
            let snapshot = scene.store.snapshot();
            let found = scene.check(&snapshot);
            assert!(found.iter().any(|item| item.key == 1) || snapshot.time() >= at(15));
            assert_eq!(scene.check(&snapshot), found);
        };
        scene.end([clock, writer, reaper, scene.spawn(reader), scene.spawn(reader)]);
    });
}

/// Once a record was found missing, nothing that has not stored it again finds it: neither a commit that took long, nor a read that did.
#[test]
fn the_dead_stay_dead() {
    explore(|| {
        let scene = Scene::new();
        scene.put(0, 0, 10);
        scene.clock.set(at(8));
        let clock = scene.spawn(|scene| [9, 12].iter().for_each(|time| scene.clock.set(at(*time))));
        let writer = scene.spawn(|scene| {
            let until = Lifetime::Until(at(50));
            let _ = scene.items.with_lifetime(until).update(0, |item| item.dies = 50);
        });
        let reader = |scene: Scene| {
            let mut missing = false;
            for _ in 0..2 {
                let found = scene.items.get(0).is_some();
                assert!(!(missing && found), "it came back");
                missing |= !found;
            }
            let snapshot = scene.store.snapshot();
            let found = !scene.check(&snapshot).is_empty();
            assert!(!(missing && found), "it came back");
            missing |= !found;
            assert!(!(missing && scene.items.peek(0).is_some()), "it came back");
        };
        scene.end([clock, writer, scene.spawn(reader), scene.spawn(reader)]);
    });
}

/// Reads extend a lifetime, and the row is filed again: a record that was seen expired is not extended, and one that was extended is
/// found by everybody.
#[test]
fn late_extensions() {
    explore(|| {
        let scene = Scene::new();
        scene.items.set_default_lifetime(DefaultLifetime::Sliding(Duration::from_micros(10))).unwrap();
        scene.items.store(Item { key: 0, group: 0, rank: 0, name: 0, dies: 0 }).unwrap();
        scene.items.store(Item { key: 1, group: 1, rank: 1, name: 1, dies: 0 }).unwrap();
        scene.clock.set(at(9));
        let clock = scene.spawn(|scene| [12, 16, 30].iter().for_each(|time| scene.clock.set(at(*time))));
        let user = |scene: Scene| {
            let before = scene.store.snapshot().time();
            if scene.items.get(0).is_some() {
                // It lives for 10 more from a time that is no earlier.
                let found = scene.items.peek(0).is_some();
                let after = scene.store.snapshot().time();
                assert!(found || after >= before + Duration::from_micros(10));
            } else {
                assert!(scene.items.get(0).is_none() && scene.items.peek(0).is_none());
            }
        };
        let reaper = scene.spawn(|scene| {
            scene.store.expire_now().unwrap();
            scene.store.expire_now().unwrap();
        });
        let reader = |scene: Scene| {
            let snapshot = scene.store.snapshot();
            let found = scene.check(&snapshot);
            if !found.iter().any(|item| item.key == 0) {
                assert!(scene.items.get(0).is_none(), "it came back");
            }
            assert_eq!(scene.check(&snapshot), found);
        };
        scene.end([clock, reaper, scene.spawn(user), scene.spawn(user), scene.spawn(reader)]);
    });
}

/// Two writers want the key and the unique value of a record that expires: each gets it at most once in a life.
#[test]
fn who_inherits() {
    explore(|| {
        let scene = Scene::new();
        scene.put(0, 0, 10);
        scene.clock.set(at(9));
        let clock = scene.spawn(|scene| scene.clock.set(at(10)));
        let heir = |key| {
            move |scene: Scene| {
                let item = Item { key, group: 0, rank: 0, name: 0, dies: 0 };
                if scene.items.insert(item).is_ok() {
                    let found = scene.items.get_by(item::NAME, 0).unwrap().unwrap();
                    assert_eq!((found.key, found.dies), (key, 0));
                }
            }
        };
        let reader = |scene: Scene| {
            let found = scene.check(&scene.store.snapshot());
            assert!(found.len() <= 1, "{found:?}");
        };
        scene.end([clock, scene.spawn(heir(0)), scene.spawn(heir(1)), scene.spawn(heir(2)), scene.spawn(reader)]);
    });
}

fn sliding() -> Scene {
    let scene = Scene::new();
    scene.items.set_default_lifetime(DefaultLifetime::Sliding(Duration::from_micros(10))).unwrap();
    scene.items.store(Item { key: 0, group: 0, rank: 0, name: 0, dies: 0 }).unwrap();
    scene.clock.set(at(9));
    scene
}

/// A read has drawn its time before the deadline, and extends the lifetime after another one has found it ended.
#[test]
fn a_late_extension() {
    explore(|| {
        let scene = sliding();
        let clock = scene.spawn(|scene| scene.clock.set(at(12)));
        let user = scene.spawn(|scene| drop(scene.items.get(0)));
        let other = scene.spawn(|scene| {
            let missing = scene.items.peek(0).is_none();
            assert!(!(missing && scene.items.peek(0).is_some()), "it came back");
        });
        scene.end([clock, user, other]);
    });
}

/// A row whose deadline has moved is filed again, beside a reader for whom that one is past too.
#[test]
fn filed_again_beside_a_reader() {
    explore(|| {
        let scene = sliding();
        assert!(scene.items.get(0).is_some());
        scene.clock.set(at(12));
        let clock = scene.spawn(|scene| scene.clock.set(at(25)));
        let reaper = scene.spawn(|scene| drop(scene.store.expire_now()));
        let reader = scene.spawn(|scene| {
            let snapshot = scene.store.snapshot();
            let found = scene.check(&snapshot);
            assert_eq!(found.is_empty(), snapshot.time() >= at(19), "at {}", snapshot.time());
        });
        scene.end([clock, reaper, reader]);
    });
}
