//! Collections with a bound, beside readers that use records, extend their lifetimes and hold snapshots.

use super::explore;
use memdex::clock::ManualClock;
use memdex::write::{Bound, DefaultLifetime, EvictionPolicy};
use memdex::{Collection, Filter, Record, Snapshot, Store, Timestamp};
use shuttle::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Item {
    #[record(key)]
    key: u8,
    #[record(index)]
    group: u8,
    #[record(unique)]
    name: u8,
}

fn item(key: u8) -> Item {
    Item { key, group: key % 2, name: key }
}

#[derive(Clone)]
struct Scene {
    store: Store,
    items: Collection<Item>,
    clock: ManualClock,
}

const BOUND: usize = 3;

impl Scene {
    fn new(policy: EvictionPolicy) -> Self {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).build();
        let items = store.collection("items").unwrap();
        items.set_bound(Bound::records(BOUND).policy(policy)).unwrap();
        Scene { store, items, clock }
    }

    fn put(&self, keys: std::ops::Range<u8>) {
        for key in keys {
            self.items.store(item(key)).unwrap();
        }
    }

    fn spawn(&self, run: impl FnOnce(Scene) + Send + 'static) -> JoinHandle<()> {
        let scene = self.clone();
        thread::spawn(move || run(scene))
    }

    fn end(&self, threads: impl IntoIterator<Item = JoinHandle<()>>) {
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.check(&self.store.snapshot());
        self.store.verify().unwrap();
        self.store.optimize().unwrap();
        self.store.verify().unwrap();
    }

    /// All forms of reads agree, and find no more than the bound.
    fn check(&self, snapshot: &Snapshot) -> Vec<u8> {
        let view = snapshot.of(&self.items);
        let by_key: Vec<u8> = (0..9).filter(|key| view.contains(*key)).collect();
        let mut by_index: Vec<u8> =
            view.find(item::GROUP.is_in([0, 1])).fetch().unwrap().iter().map(|item| item.key).collect();
        by_index.sort_unstable();
        assert_eq!(by_key, by_index);
        assert_eq!((view.len(), view.find(Filter::all()).count()), (by_key.len(), Ok(by_key.len())));
        assert!(by_key.len() <= BOUND, "{by_key:?}");
        by_key
    }
}

fn evicted_beside_readers(policy: EvictionPolicy) {
    let scene = Scene::new(policy);
    scene.put(0..3);
    let writer = |keys: std::ops::Range<u8>| {
        move |scene: Scene| {
            for key in keys {
                let counts = scene.items.store(item(key)).unwrap().counts;
                assert!(counts.evicted <= 1);
            }
        }
    };
    let reader = |scene: Scene| {
        let snapshot = scene.store.snapshot();
        let found = scene.check(&snapshot);
        for key in [0, 1, 5] {
            let (by_get, by_name) = (scene.items.get(key), scene.items.get_by(item::NAME, key).unwrap());
            assert!(by_get.is_none_or(|of| *of == item(key)) && by_name.is_none_or(|of| *of == item(key)));
        }
        assert!(scene.items.len() <= BOUND);
        assert_eq!(scene.check(&snapshot), found);
    };
    let threads = [scene.spawn(writer(3..5)), scene.spawn(writer(5..7)), scene.spawn(reader), scene.spawn(reader)];
    scene.end(threads);
}

/// Records leave while others read them, by key, by a unique value and in snapshots.
#[test]
fn evicted_beside_readers_by_s3_fifo() {
    explore(|| evicted_beside_readers(EvictionPolicy::S3Fifo));
}

#[test]
fn evicted_beside_readers_by_sieve() {
    explore(|| evicted_beside_readers(EvictionPolicy::Sieve));
}

/// The bound is set while writers fill the collection: from then on nobody sees more.
#[test]
fn bound_beside_writers() {
    explore(|| {
        let scene = Scene::new(EvictionPolicy::Sieve);
        scene.items.remove_bound().unwrap();
        scene.put(0..4);
        let writer = scene.spawn(|scene| {
            scene.put(4..7);
        });
        let setter = scene.spawn(|scene| {
            scene.items.set_bound(Bound::records(BOUND)).unwrap();
            assert!(scene.items.len() <= BOUND);
            scene.check(&scene.store.snapshot());
        });
        let reader = scene.spawn(|scene| {
            let seen = scene.items.len();
            scene.items.get(0);
            assert!(seen <= 7);
        });
        scene.end([writer, setter, reader]);
    });
}

/// The committer takes back the uses of a record in the moment in which a read extends its lifetime: neither gets lost.
#[test]
fn uses_are_taken_back_beside_an_extension() {
    explore(|| {
        let scene = Scene::new(EvictionPolicy::Sieve);
        let lifetime = Duration::from_micros(10);
        scene.items.set_default_lifetime(DefaultLifetime::Sliding(lifetime)).unwrap();
        scene.put(0..3);
        scene.items.get(0).unwrap();
        scene.clock.set(Timestamp::from_micros(8));
        // Otherwise a commit could hold readers at an earlier time.
        assert_eq!(scene.store.snapshot().time(), Timestamp::from_micros(8));
        let reader = scene.spawn(|scene| {
            // Its lifetime does not end before 18.
            let until = scene.items.get(0).expect("it was used before").expires_at();
            scene.clock.set(Timestamp::from_micros(15));
            let snapshot = scene.store.snapshot();
            let found = scene.items.peek(0).is_some();
            assert!(found, "the extension to {until:?} got lost at {:?}", snapshot.time());
        });
        // The hand passes over 0, which was used, and takes 1.
        let writer = scene.spawn(|scene| scene.put(3..4));
        scene.end([reader, writer]);
    });
}
