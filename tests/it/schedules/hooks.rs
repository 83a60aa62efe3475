//! Commit hooks under the checker: refusals under commits and readers, and registration during a commit.

use super::explore;
use super::world::Item;
use memdex::hook::{CommitHook, CommitInfo, ProposedCommit};
use memdex::{Collection, Commit, Store};
use shuttle::thread;
use std::error::Error;
use std::sync::{Arc, Mutex};

/// Refuses every record with this stamp.
const REFUSED: u32 = 99;

/// Keeps the state of the collection as commits build it, and checks that each step fits the one before.
#[derive(Default)]
struct Journal(Mutex<Steps>);

#[derive(Default)]
struct Steps {
    /// The commit that is prepared and neither aborted nor published.
    prepared: Option<Commit>,
    delivered: Vec<Commit>,
}

impl CommitHook for Journal {
    fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        assert_eq!(self.0.lock().unwrap().prepared.replace(commit.number()), None);
        Ok(())
    }

    fn aborted(&self, commit: &ProposedCommit) {
        assert_eq!(self.0.lock().unwrap().prepared.take(), Some(commit.number()));
    }

    fn invalidate(&self, commit: &CommitInfo) {
        assert_eq!(self.0.lock().unwrap().prepared.take(), Some(commit.number()));
    }

    fn committed(&self, commit: &CommitInfo) {
        self.0.lock().unwrap().delivered.push(commit.number());
    }
}

struct Refuses;

impl CommitHook for Refuses {
    fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        let refused = |item: &Item| item.stamp == REFUSED;
        let changes = commit.changes::<Item>("items");
        if changes.iter().any(|change| change.after().is_some_and(refused)) { Err("refused".into()) } else { Ok(()) }
    }
}

fn item(key: u32, stamp: u32) -> Item {
    Item { key: key as u8, a: 0, b: 0, c: 0, stamp }
}

fn put(store: &Store, items: &Collection<Item>, keys: [u32; 2], stamp: u32) -> bool {
    store.commit(|batch| keys.into_iter().try_for_each(|key| batch.store(items, item(key, stamp)))).is_ok()
}

/// No reader sees a refused commit, the rows planned for it go to the next commit, and delivery stays in order although the
/// queue holds two.
#[test]
fn refused_commits() {
    explore(|| {
        let store = Store::new();
        let items = store.collection::<Item>("items").unwrap();
        let journal = Arc::new(Journal::default());
        store.add_hook(journal.clone()).unwrap();
        store.add_hook(Arc::new(Refuses)).unwrap();
        let writer = |stamps: [u32; 3]| {
            let (store, items) = (store.clone(), items.clone());
            thread::spawn(move || {
                for stamp in stamps {
                    assert_eq!(put(&store, &items, [0, stamp % 3 + 1], stamp), stamp != REFUSED);
                }
            })
        };
        let reader = {
            let (store, items) = (store.clone(), items.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let snapshot = store.snapshot();
                    let seen: Vec<_> = snapshot.of(&items).iter().map(|item| item.stamp).collect();
                    assert!(!seen.contains(&REFUSED));
                    assert_eq!(seen.is_empty(), snapshot.commit() == Commit::ZERO);
                }
            })
        };
        let threads = [writer([1, REFUSED, 2]), writer([REFUSED, 3, 4]), reader];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let steps = journal.0.lock().unwrap();
        assert_eq!(steps.prepared, None);
        assert!(steps.delivered.iter().map(|commit| commit.get()).eq(1..=4));
        assert_eq!(store.newest_commit().get(), 4);
        store.verify().unwrap();
    });
}

/// A hook that is registered during commits takes part in all steps of each later commit, and in no step of an earlier one.
#[test]
fn registered_beside_a_commit() {
    explore(|| {
        let store = Store::new();
        let items = store.collection::<Item>("items").unwrap();
        let writer = {
            let (store, items) = (store.clone(), items.clone());
            thread::spawn(move || (1..=3).for_each(|stamp| assert!(put(&store, &items, [0, 1], stamp))))
        };
        let journal = Arc::new(Journal::default());
        let before = store.newest_commit();
        store.add_hook(journal.clone()).unwrap();
        let after = store.snapshot().commit();
        writer.join().unwrap();
        let steps = journal.0.lock().unwrap();
        let first = steps.delivered.first().map_or(4, |commit| commit.get());
        assert!(before.get() < first && first <= after.get() + 1, "{first} of {before} and {after}");
        assert!(steps.prepared.is_none() && steps.delivered.iter().map(|commit| commit.get()).eq(first..=3));
    });
}

/// A collection is dropped and opened again beside a commit on two collections and a reader.
#[test]
fn dropped_beside_a_commit() {
    explore(|| {
        let store = Store::new();
        let items = store.collection::<Item>("items").unwrap();
        let others = store.collection::<Item>("others").unwrap();
        let writer = {
            let (store, items, others) = (store.clone(), items.clone(), others.clone());
            thread::spawn(move || {
                let both = |stamp| {
                    store.commit(|batch| {
                        batch.store(&items, item(0, stamp))?;
                        batch.store(&others, item(0, stamp))
                    })
                };
                (1..=2).filter(|stamp| both(*stamp).is_ok()).count()
            })
        };
        let reader = {
            let (store, items, others) = (store.clone(), items.clone(), others.clone());
            thread::spawn(move || {
                let snapshot = store.snapshot();
                let stamp = |of: &Collection<Item>| snapshot.of(of).get(0).map(|item| item.stamp);
                assert_eq!(stamp(&items), stamp(&others));
            })
        };
        assert!(store.drop_collection("items").unwrap());
        let new = store.collection::<Item>("items").unwrap();
        assert!(new.is_empty() && items.store(item(1, 1)).is_err());
        let committed = writer.join().unwrap();
        reader.join().unwrap();
        assert_eq!(store.newest_commit().get(), committed as u64);
        assert_eq!(items.get(0).map(|item| item.stamp), others.get(0).map(|item| item.stamp));
        new.store(item(0, 7)).unwrap();
        store.verify().unwrap();
    });
}
