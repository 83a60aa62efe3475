//! Observers: notified of every commit, in order, with the records before and after; before the commit is visible, and
//! after.

use super::{User, user, users};
use memdex::hook::{CommitHook, CommitInfo};
use memdex::{Collection, Store};
use std::sync::{Arc, Mutex};

/// One change: key, visits before, visits after.
type Change = (String, Option<i64>, Option<i64>);

struct Recorder {
    users: Collection<User>,
    store: Store,
    invalidated: Mutex<Vec<u64>>,
    committed: Mutex<Vec<(u64, Vec<Change>)>>,
}

impl Recorder {
    fn of(store: &Store, users: &Collection<User>) -> Arc<Self> {
        let (users, observed) = (users.clone(), store.clone());
        let recorder = Recorder { users, store: observed, invalidated: Mutex::default(), committed: Mutex::default() };
        let recorder = Arc::new(recorder);
        store.add_hook(recorder.clone()).unwrap();
        recorder
    }
}

fn changes(commit: &CommitInfo) -> Vec<Change> {
    let visits = |user: &Option<memdex::Handle<User>>| user.as_ref().map(|user| user.visits);
    let change = |c: &memdex::hook::RecordChange<User>| (c.key.to_string(), visits(&c.before), visits(&c.after));
    let mut changes: Vec<Change> = commit.changes("users").iter().map(change).collect();
    changes.sort();
    changes
}

impl CommitHook for Recorder {
    fn invalidate(&self, commit: &CommitInfo) {
        self.invalidated.lock().unwrap().push(commit.number().get());
        assert_eq!(self.store.snapshot().commit().get(), commit.number().get() - 1, "the commit can't be seen yet");
        for change in commit.changes::<User>("users") {
            let visible = self.users.get(&change.key);
            assert_eq!(visible, change.before, "the state before it can");
            let before = change.before.as_ref().map_or(0, |_| 1);
            assert_eq!(
                self.users.find(super::user::ID.eq(change.key.parts()[0].to_string().trim_matches('"'))).count(),
                Ok(before)
            );
        }
    }

    fn committed(&self, commit: &CommitInfo) {
        assert!(self.store.snapshot().commit() >= commit.number(), "the commit can be seen");
        self.committed.lock().unwrap().push((commit.number().get(), changes(commit)));
    }
}

#[test]
fn observers_see_records_before_and_after() {
    let (store, users) = users();
    let others = store.collection::<User>("others").unwrap();
    let recorder = Recorder::of(&store, &users);
    users.store(user("1", 1)).unwrap();
    let batch = store.commit(|batch| {
        batch.store(&users, user("1", 2))?;
        batch.update(&users, "1", |user| user.visits = 3)?;
        batch.insert(&users, user("2", 4))?;
        batch.insert(&users, user("3", 5))?;
        batch.delete(&users, "3")?;
        batch.insert(&others, user("9", 9))
    });
    assert_eq!(batch.unwrap().commit, 2);
    users.delete("1").unwrap();
    users.delete("1").unwrap();
    users.insert(user("2", 1)).unwrap_err();
    others.delete("9").unwrap();
    let key = |id: &str| id.to_owned();
    let expected = [
        (1, vec![(key("1"), None, Some(1))]),
        (2, vec![(key("1"), Some(1), Some(3)), (key("2"), None, Some(4))]),
        (3, vec![(key("1"), Some(3), None)]),
        (4, vec![]),
        (5, vec![]),
    ];
    assert_eq!(*recorder.committed.lock().unwrap(), expected);
    assert_eq!(*recorder.invalidated.lock().unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(store.stats().hook_panics, 0);
}

#[test]
fn observers_are_notified_in_commit_order() {
    let (store, users) = users();
    let recorder = Recorder::of(&store, &users);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let users = &users;
            scope.spawn(move || {
                for n in 0..300 {
                    users.store(user(&(n % 7).to_string(), thread)).unwrap();
                }
            });
        }
    });
    // The notifying thread continues until the queue is empty, and every thread checks it after its commit.
    let committed = recorder.committed.lock().unwrap();
    assert!(committed.iter().map(|(number, _)| *number).eq(1..=900));
    assert!(recorder.invalidated.lock().unwrap().iter().copied().eq(1..=900));
    let mut visits = std::collections::BTreeMap::new();
    for (key, before, after) in committed.iter().flat_map(|(_, changes)| changes) {
        assert_eq!(
            visits.insert(key.clone(), *after).flatten(),
            *before,
            "each change starts where the last one ended"
        );
    }
    assert_eq!(store.stats().hook_panics, 0);
}

#[test]
fn observers_see_names_and_only_their_type() {
    struct Names(Mutex<Vec<Vec<(String, usize)>>>);
    impl CommitHook for Names {
        fn committed(&self, commit: &CommitInfo) {
            assert!(commit.changes::<String>("users").is_empty() && commit.changes::<User>("nobody").is_empty());
            self.0.lock().unwrap().push(commit.collections().map(|(name, len)| (name.to_owned(), len)).collect());
        }
    }
    let (store, users) = users();
    let names = Arc::new(Names(Mutex::default()));
    users.store(user("1", 1)).unwrap();
    store.add_hook(names.clone()).unwrap();
    let at = store.commit(|batch| (1..=3).try_for_each(|n| batch.store(&users, user(&n.to_string(), n)))).unwrap().at;
    assert!(store.snapshot().time() >= at);
    assert_eq!(*names.0.lock().unwrap(), [[("users".to_owned(), 3)]], "not of what was before it was there");
}
