//! Shared parts of the scenarios: a small store, the recorded state of each commit, and the checks against it.
//!
//! An observer records the state between mark and publish, under the commit lock, so it is there before any reader can
//! see the commit. It is protected by `std`'s locks, which the checker does not schedule, so it adds no interleavings.

use memdex::error::Refusal;
use memdex::hook::{CommitHook, CommitInfo, RecordChange};
use memdex::query::cache::CacheSettings;
use memdex::{Collection, Commit, Filter, Handle, Record, Snapshot, Store, field};
use shuttle::rand::{Rng, thread_rng};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

pub(super) const KEYS: u8 = 3;
const VALUES: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record)]
pub(super) struct Item {
    #[record(key)]
    pub(super) key: u8,
    #[record(index)]
    pub(super) a: u8,
    #[record(index)]
    pub(super) b: u8,
    /// Like `b`, but without an index.
    #[record(field)]
    pub(super) c: u8,
    /// A different stamp for each write, so that all states of a key differ.
    pub(super) stamp: u32,
}

/// The state after one commit, by collection and key.
pub(super) type State = BTreeMap<(&'static str, u8), Item>;

/// Both collections hold items.
pub(super) const NAMES: [&str; 2] = ["left", "right"];

pub(super) struct Truth {
    states: Mutex<Vec<State>>,
    /// The commits in the order in which the feed reported them.
    reported: Mutex<Vec<Commit>>,
}

impl CommitHook for Truth {
    fn invalidate(&self, commit: &CommitInfo) {
        let mut states = self.states.lock().unwrap();
        assert_eq!(states.len() as u64, commit.number().get(), "commits come in order");
        let mut state = states.last().unwrap().clone();
        for name in NAMES {
            for RecordChange { before, after, .. } in commit.changes::<Item>(name) {
                let key = before.as_ref().or(after.as_ref()).unwrap().key;
                let was = state.remove(&(name, key));
                assert_eq!(was.as_ref(), before.as_deref(), "the feed knows the record before");
                after.iter().for_each(|item| {
                    state.insert((name, key), Item::clone(item));
                });
            }
        }
        states.push(state);
    }

    fn committed(&self, commit: &CommitInfo) {
        self.reported.lock().unwrap().push(commit.number());
    }
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) store: Store,
    pub(super) left: Collection<Item>,
    pub(super) right: Collection<Item>,
    truth: Arc<Truth>,
    stamps: Arc<AtomicU32>,
}

/// A predicate in two forms: for the store, and for the recorded state.
pub(super) struct TestQuery {
    pub(super) filter: Filter<Item>,
    pub(super) holds: fn(&Item) -> bool,
}

pub(super) fn queries() -> Vec<TestQuery> {
    let query = |filter, holds| TestQuery { filter, holds };
    vec![
        query(item::A.eq(0) & item::B.eq(0), |i| i.a == 0 && i.b == 0),
        query(item::A.eq(0) | item::B.eq(0), |i| i.a == 0 || i.b == 0),
        query(!item::A.eq(0) & !item::B.eq(0), |i| i.a != 0 && i.b != 0),
        query(item::A.ne(0) | item::B.is_in([0, 1]), |_| true),
        query(item::A.eq(1) & item::C.eq(1), |i| i.a == 1 && i.c == 1),
        query(field("c").eq(0).into(), |i| i.c == 0),
        query(Filter::all(), |_| true),
    ]
}

/// The commits of an inclusive range.
fn between(from: Commit, to: Commit) -> impl Iterator<Item = Commit> {
    (from.get()..=to.get()).map(Commit::from_number)
}

impl World {
    pub(super) fn new() -> Self {
        World::with_cache(CacheSettings::default())
    }

    pub(super) fn with_cache(cache: CacheSettings) -> Self {
        let store = Store::builder().cache(cache).build();
        let (left, right) = (store.collection("left").unwrap(), store.collection("right").unwrap());
        let truth = Arc::new(Truth { states: Mutex::new(vec![State::new()]), reported: Mutex::new(Vec::new()) });
        store.add_hook(truth.clone()).unwrap();
        World { store, left, right, truth, stamps: Arc::default() }
    }

    pub(super) fn item(&self, key: u8, a: u8, b: u8) -> Item {
        Item { key, a, b, c: b, stamp: self.new_stamp() }
    }

    pub(super) fn new_stamp(&self) -> u32 {
        self.stamps.fetch_add(1, Relaxed)
    }

    /// The items of the left collection after a commit, by key.
    pub(super) fn left_at(&self, commit: u64) -> Vec<Item> {
        let state = self.state(Commit::from_number(commit));
        state.into_iter().filter(|((of, _), _)| *of == "left").map(|(_, item)| item).collect()
    }

    pub(super) fn random_item(&self, key: u8) -> Item {
        let mut rng = thread_rng();
        self.item(key, rng.gen_range(0..VALUES), rng.gen_range(0..VALUES))
    }

    pub(super) fn put(&self, items: &[(u8, u8, u8)]) {
        let store_all = |batch: &mut memdex::Batch| {
            items.iter().try_for_each(|(key, a, b)| batch.store(&self.left, self.item(*key, *a, *b)))
        };
        self.store.commit(store_all).unwrap();
    }

    /// One or two random operations.
    pub(super) fn random_commit(&self) {
        let operations = thread_rng().gen_range(1..=2);
        let gather = |batch: &mut memdex::Batch| (0..operations).try_for_each(|_| self.random_operation(batch));
        self.store.commit(gather).unwrap();
    }

    fn random_operation(&self, batch: &mut memdex::Batch) -> Result<(), Refusal> {
        let key = thread_rng().gen_range(0..KEYS);
        let item = self.random_item(key);
        match thread_rng().gen_range(0..4) {
            0 => batch.delete(&self.left, key),
            1 => {
                let stamp = item.stamp;
                batch.upsert(&self.left, item, move |item| {
                    item.a = 1 - item.a;
                    item.stamp = stamp;
                })
            }
            _ => batch.store(&self.left, item),
        }
    }

    fn state(&self, commit: Commit) -> State {
        self.truth.states.lock().unwrap()[commit.get() as usize].clone()
    }

    /// Checks every form of one query over both collections, at a snapshot.
    pub(super) fn check_query(&self, snapshot: &Snapshot, query: &TestQuery) {
        let state = self.state(snapshot.commit());
        for (name, collection) in [("left", &self.left), ("right", &self.right)] {
            let of_name = state.iter().filter(|((of, _), _)| *of == name).map(|(_, item)| item);
            let expected: Vec<&Item> = of_name.filter(|item| (query.holds)(item)).collect();
            let find = snapshot.of(collection).find(query.filter.clone());
            let mut items: Vec<Handle<Item>> = find.fetch().unwrap().into_iter().collect();
            items.sort_by(|x, y| x.key.cmp(&y.key));
            let got: Vec<&Item> = items.iter().map(|item| &**item).collect();
            assert_eq!(got, expected, "{name} at {}: {:?}", snapshot.commit(), query.filter);
            assert_eq!(find.count().unwrap(), expected.len(), "{name} at {}: {:?}", snapshot.commit(), query.filter);
        }
    }

    pub(super) fn check_random_query(&self, snapshot: &Snapshot) {
        let mut queries = queries();
        self.check_query(snapshot, &queries.swap_remove(thread_rng().gen_range(0..queries.len())));
    }

    /// Checks look-ups by key, length and iteration, at a snapshot.
    pub(super) fn check_keys(&self, snapshot: &Snapshot) {
        let state = self.state(snapshot.commit());
        let view = snapshot.of(&self.left);
        let left: Vec<&Item> = state.iter().filter(|((of, _), _)| *of == "left").map(|(_, item)| item).collect();
        let many = view.get_many(0..KEYS);
        let got: Vec<&Item> = many.iter().flatten().map(|item| &**item).collect();
        assert_eq!(got, left, "get_many at {}", snapshot.commit());
        assert_eq!(view.len(), left.len(), "len at {}", snapshot.commit());
        let mut all: Vec<Handle<Item>> = view.iter().collect();
        all.sort_by(|x, y| x.key.cmp(&y.key));
        assert_eq!(all.iter().map(|item| &**item).collect::<Vec<_>>(), left, "iter at {}", snapshot.commit());
    }

    /// A get without a pin returns the state of a commit at or after `seen`. Returns the first such commit.
    pub(super) fn check_get(&self, key: u8, seen: Commit) -> Commit {
        let from = self.store.newest_commit().max(seen);
        let got = if thread_rng().gen_range(0..2) == 0 {
            self.left.get(key).map(|item| Item::clone(&item))
        } else {
            self.left.get_with(key, Item::clone)
        };
        let to = self.store.newest_commit();
        let at = between(from, to).find(|commit| self.state(*commit).get(&("left", key)) == got.as_ref());
        at.unwrap_or_else(|| panic!("get of {key} between {from} and {to}: {got:?}"))
    }

    /// The length without a pin is that of a commit at or after `seen`. Returns the first such commit.
    pub(super) fn check_len(&self, seen: Commit) -> Commit {
        let from = self.store.newest_commit().max(seen);
        let got = self.left.len();
        let to = self.store.newest_commit();
        let len = |commit| self.state(commit).keys().filter(|(of, _)| *of == "left").count();
        let at = between(from, to).find(|commit| len(*commit) == got);
        at.unwrap_or_else(|| panic!("len between {from} and {to}: {got}"))
    }

    /// Without readers, upkeep reclaims everything, and every structure is consistent, before and after.
    pub(super) fn check_at_rest(&self) {
        self.store.verify().unwrap();
        self.store.optimize().unwrap();
        let stats = self.store.stats();
        assert_eq!(stats.oldest_pin, None);
        assert_eq!(stats.poisoned, None);
        for collection in &stats.collections {
            let left = (collection.versions_retained, collection.marks, collection.lengths_retained);
            assert_eq!(left, (0, 0, 0), "without readers everything is reclaimed: {stats:?}");
        }
        self.store.verify().unwrap();
        let reported = self.truth.reported.lock().unwrap().clone();
        assert_eq!(
            reported,
            (1..=stats.commits).map(Commit::from_number).collect::<Vec<_>>(),
            "the feed tells of each commit once, in order"
        );
        let snapshot = self.store.snapshot();
        self.check_keys(&snapshot);
        queries().iter().for_each(|query| self.check_query(&snapshot, query));
    }
}
