//! Commit hooks: what they see, in which order they are called, and that a refusal touches nothing.

use super::{User, state, user, users};
use memdex::error::Cause;
use memdex::hook::{CommitHook, CommitInfo, ProposedCommit};
use memdex::limits::MAX_QUEUED_COMMITS;
use memdex::{Collection, Commit, Store};
use std::error::Error;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

type Verdict = Result<(), Box<dyn Error + Send + Sync>>;
type Log = Arc<Mutex<Vec<String>>>;
type Action = Box<dyn Fn(&ProposedCommit) -> Verdict + Send>;

/// Logs every call, and runs the configured action at `prepare`.
struct Logging {
    name: &'static str,
    log: Log,
    prepare: Mutex<Option<Action>>,
}

impl Logging {
    fn of(store: &Store, name: &'static str, log: &Log) -> Arc<Self> {
        let hook = Arc::new(Logging { name, log: log.clone(), prepare: Mutex::default() });
        store.add_hook(hook.clone()).unwrap();
        hook
    }

    fn log(&self, step: &str, commit: Commit) {
        self.log.lock().unwrap().push(format!("{} {step} {commit}", self.name));
    }

    fn set(&self, prepare: impl Fn(&ProposedCommit) -> Verdict + Send + 'static) {
        *self.prepare.lock().unwrap() = Some(Box::new(prepare));
    }

    fn clear(&self) {
        *self.prepare.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

impl CommitHook for Logging {
    fn prepare(&self, commit: &ProposedCommit) -> Verdict {
        self.log("prepare", commit.number());
        let prepare = self.prepare.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        prepare.as_ref().map_or(Ok(()), |prepare| prepare(commit))
    }

    fn aborted(&self, commit: &ProposedCommit) {
        self.log("aborted", commit.number());
    }

    fn invalidate(&self, commit: &CommitInfo) {
        self.log("invalidate", commit.number());
    }

    fn committed(&self, commit: &CommitInfo) {
        self.log("committed", commit.number());
    }
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

/// Every structure agrees, nothing is retained, and the next commit has the next number.
fn is_untouched(store: &Store, users: &Collection<User>, commit: u64, expected: &[(String, i64)]) {
    assert_eq!((store.newest_commit().get(), state(users)), (commit, expected.to_vec()));
    store.verify().unwrap();
    store.optimize().unwrap();
    let stats = store.stats();
    assert_eq!((stats.poisoned, stats.collections[0].versions_retained, stats.collections[0].marks), (None, 0, 0));
}

#[test]
fn a_commit_calls_every_hook_in_order() {
    let (store, users) = users();
    let log = Log::default();
    let _hooks = ["a", "b"].map(|name| Logging::of(&store, name, &log));
    users.store(user("1", 1)).unwrap();
    let steps = ["a prepare", "b prepare", "a invalidate", "b invalidate", "a committed", "b committed"];
    assert_eq!(taken(&log), steps.map(|step| format!("{step} 1")));
    // Without a commit no hook is called.
    store.batch().commit().unwrap();
    users.update("9", |user| user.visits = 1).unwrap_err();
    let mut lenient = store.batch();
    lenient.insert(&users, user("1", 0)).unwrap();
    assert_eq!(lenient.commit_lenient().unwrap().refused.len(), 1);
    assert_eq!(taken(&log), [""; 0]);
}

#[test]
fn a_proposal_shows_the_net_changes() {
    let (store, users) = users();
    let others = store.collection::<User>("others").unwrap();
    users.store(user("1", 1)).unwrap();
    let hook = Logging::of(&store, "a", &Log::default());
    let (tell, told) = channel();
    let of_users = users.clone();
    hook.set(move |commit| {
        let visits = |user: Option<&User>| user.map(|user| user.visits);
        let change = |change: &memdex::hook::ProposedChange<User>| {
            (change.key().to_string(), visits(change.before()), visits(change.after()))
        };
        let mut changes: Vec<_> = commit.changes::<User>("users").iter().map(change).collect();
        changes.sort();
        let collections: Vec<_> = commit.collections().map(|(name, len)| (name.to_owned(), len)).collect();
        assert!(commit.changes::<String>("users").is_empty() && commit.changes::<User>("nobody").is_empty());
        let before = commit.number().get() as i64 - 1;
        assert_eq!(of_users.get("1").map(|user| user.visits), Some(before), "reads see the state before the commit");
        tell.send((commit.number(), commit.at(), collections, changes)).unwrap();
        Ok(())
    });
    let receipt = store
        .commit(|batch| {
            batch.update(&users, "1", |user| user.visits += 1)?;
            batch.insert(&users, user("2", 5))?;
            batch.insert(&users, user("3", 6))?;
            batch.delete(&users, "3")?;
            batch.insert(&others, user("9", 9))
        })
        .unwrap();
    let (number, at, collections, changes) = told.recv().unwrap();
    assert_eq!((number, at), (receipt.commit, receipt.at));
    assert_eq!(collections, [("users".to_owned(), 2), ("others".to_owned(), 1)]);
    let key = |id: &str| users.get(id).unwrap().key().to_string();
    assert_eq!(changes, [(key("1"), Some(1), Some(2)), (key("2"), None, Some(5))]);
    users.delete("1").unwrap();
    assert_eq!(
        told.recv().unwrap().3,
        [("\"1\"".to_owned(), Some(2), None)].map(|(_, before, after)| { (changes[0].0.clone(), before, after) })
    );
}

/// Every kind of operation, refused and then tried again with the batch as it came back.
#[test]
fn a_refusal_touches_nothing_and_gives_the_batch_back() {
    let (store, users) = users();
    let others = store.collection::<User>("others").unwrap();
    let log = Log::default();
    let hooks = ["a", "b", "c"].map(|name| Logging::of(&store, name, &log));
    store.commit(|batch| (1..=4).try_for_each(|n| batch.insert(&users, user(&n.to_string(), n)))).unwrap();
    // A free row and one that was never used are both foreseen.
    users.delete("4").unwrap();
    taken(&log);
    let before = state(&users);
    hooks[2].set(|_| Err("not today".into()));
    let mut batch = store.batch();
    batch.store(&users, user("1", 10)).unwrap();
    batch.update(&users, "2", |user| user.visits = 20).unwrap();
    batch.delete(&users, "3").unwrap();
    batch.insert(&users, user("5", 50)).unwrap();
    batch.upsert(&users, user("6", 60), |user| user.visits += 1).unwrap();
    batch.upsert(&users, user("2", 60), |user| user.visits += 1).unwrap();
    batch.store(&users, user("7", 70)).unwrap();
    batch.insert(&others, user("9", 9)).unwrap();
    for _ in 0..3 {
        let refused = batch.commit().unwrap_err();
        assert!(matches!(refused.cause(), Cause::Hook(error) if error.to_string() == "not today"), "{refused}");
        assert_eq!(refused.refusal().position(), None);
        let calls = ["a prepare", "b prepare", "c prepare", "b aborted", "a aborted"];
        assert_eq!(taken(&log), calls.map(|call| format!("{call} 3")));
        is_untouched(&store, &users, 2, &before);
        assert!(others.is_empty());
        batch = refused.into_batch();
        assert_eq!(batch.len(), 8);
    }
    // An insert is still an insert, also of a lenient commit, which a hook refuses as a whole.
    users.store(user("5", 0)).unwrap_err();
    hooks[2].clear();
    users.store(user("5", 0)).unwrap();
    hooks[2].set(|_| Err("not today".into()));
    let refused = batch.commit_lenient().unwrap_err();
    assert!(matches!(refused.cause(), Cause::Hook(_)), "{refused}");
    hooks[2].clear();
    let batch = refused.into_batch();
    assert_eq!(batch.len(), 8);
    let report = batch.commit_lenient().unwrap();
    assert_eq!(report.refused.len(), 1, "the record with key 5 exists by now");
    assert_eq!(report.receipt.commit.get(), 4);
    let expected = [("1", 10), ("2", 21), ("5", 0), ("6", 60), ("7", 70)];
    assert_eq!(state(&users), expected.map(|(id, visits)| (id.to_owned(), visits)));
    assert_eq!(others.len(), 1);
    store.verify().unwrap();
}

#[test]
fn a_panic_in_prepare_is_a_refusal() {
    let (store, users) = users();
    let log = Log::default();
    let hooks = ["a", "b"].map(|name| Logging::of(&store, name, &log));
    hooks[1].set(|_| panic!("no"));
    let refused = users.store(user("1", 1)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Panicked { message, .. } if message == "no"), "{refused}");
    assert_eq!(taken(&log), ["a prepare 1", "b prepare 1", "a aborted 1"]);
    is_untouched(&store, &users, 0, &[]);
    assert_eq!(store.stats().hook_panics, 0, "it is counted as a refusal");
    hooks[1].clear();
    refused.into_batch().commit().unwrap();
    assert_eq!(users.len(), 1);
}

#[test]
fn panics_in_the_other_steps_are_counted() {
    #[derive(Default)]
    struct Panics(Mutex<Vec<&'static str>>);
    impl CommitHook for Panics {
        fn aborted(&self, _: &ProposedCommit) {
            panic!("aborted");
        }
        fn invalidate(&self, _: &CommitInfo) {
            self.0.lock().unwrap().push("invalidate");
            std::panic::panic_any(1);
        }
        fn committed(&self, _: &CommitInfo) {
            self.0.lock().unwrap().push("committed");
            std::panic::panic_any(2);
        }
    }
    let (store, users) = users();
    let panics = Arc::new(Panics::default());
    store.add_hook(panics.clone()).unwrap();
    let log = Log::default();
    let hook = Logging::of(&store, "a", &log);
    users.store(user("1", 1)).unwrap();
    assert_eq!((users.len(), store.stats().hook_panics), (1, 2));
    assert_eq!(*panics.0.lock().unwrap(), ["invalidate", "committed"]);
    assert_eq!(taken(&log), ["a prepare 1", "a invalidate 1", "a committed 1"]);
    hook.set(|_| Err("no".into()));
    users.store(user("2", 2)).unwrap_err();
    assert_eq!(store.stats().hook_panics, 3, "that of `aborted`");
    is_untouched(&store, &users, 1, &[("1".to_owned(), 1)]);
}

#[test]
fn writes_from_inside_prepare_are_refused() {
    let (store, users) = users();
    let hook = Logging::of(&store, "a", &Log::default());
    let (inner, of_store) = (users.clone(), store.clone());
    let (tell, told) = channel();
    hook.set(move |_| {
        tell.send(inner.store(user("2", 2)).unwrap_err()).unwrap();
        drop(of_store.snapshot());
        Ok(())
    });
    let held = store.snapshot();
    users.store(user("1", 1)).unwrap();
    assert!(matches!(told.recv().unwrap().cause(), Cause::InsideUserCode));
    drop(held);
    is_untouched(&store, &users, 1, &[("1".to_owned(), 1)]);
}

/// A full queue holds further commits back, outside of the commit lock, and delivers everything in order.
#[test]
fn the_queue_of_commits_is_bounded() {
    struct Waits {
        go_on: Mutex<std::sync::mpsc::Receiver<()>>,
        waits: std::sync::mpsc::Sender<()>,
        seen: Mutex<Vec<Commit>>,
    }
    impl CommitHook for Waits {
        fn committed(&self, commit: &CommitInfo) {
            if self.seen.lock().unwrap().is_empty() {
                self.waits.send(()).unwrap();
                self.go_on.lock().unwrap().recv().unwrap();
            }
            self.seen.lock().unwrap().push(commit.number());
        }
    }
    let (store, users) = users();
    let ((go_on, wait), (waits, is_waiting)) = (channel(), channel());
    let hook = Arc::new(Waits { go_on: Mutex::new(wait), waits, seen: Mutex::default() });
    store.add_hook(hook.clone()).unwrap();
    let many = MAX_QUEUED_COMMITS as i64;
    std::thread::scope(|scope| {
        scope.spawn(|| users.store(user("first", 0)).unwrap());
        is_waiting.recv().unwrap();
        // All but the last find room in the queue and return.
        (1..many).for_each(|n| assert_eq!(users.store(user("1", n)).unwrap().commit.get(), n as u64 + 1));
        let (tell, returned) = channel();
        let of_thread = users.clone();
        scope.spawn(move || {
            of_thread.store(user("last", 0)).unwrap();
            tell.send(()).unwrap();
        });
        while store.newest_commit().get() < many as u64 + 1 {
            std::thread::yield_now();
        }
        assert!(returned.try_recv().is_err(), "it has committed and waits for the delivery");
        assert_eq!(users.get("last").unwrap().visits, 0, "readers see the commit");
        go_on.send(()).unwrap();
        returned.recv().unwrap();
    });
    assert!(hook.seen.lock().unwrap().iter().map(|commit| commit.get()).eq(1..=many as u64 + 1));
}

/// A hook that cannot refuse.
struct Watching(Log);

impl CommitHook for Watching {
    fn can_refuse(&self) -> bool {
        false
    }

    fn prepare(&self, _: &ProposedCommit) -> Verdict {
        Err("never called".into())
    }

    fn committed(&self, commit: &CommitInfo) {
        self.0.lock().unwrap().push(format!("committed {}", commit.number()));
    }
}

#[test]
fn a_hook_that_cannot_refuse_does_not_prepare() {
    let (store, users) = users();
    let log = Log::default();
    store.add_hook(Arc::new(Watching(log.clone()))).unwrap();
    let lines = log.clone();
    store.observe(move |commit| lines.lock().unwrap().push(format!("observed {}", commit.number()))).unwrap();
    users.store(user("a", 1)).unwrap();
    assert!(users.insert(user("a", 1)).is_err());
    users.delete("a").unwrap();
    assert_eq!(*log.lock().unwrap(), ["committed 1", "observed 1", "committed 2", "observed 2"]);
}

#[test]
fn a_panic_of_a_closure_that_observes_is_counted() {
    let (store, users) = users();
    store.observe(|_| panic!("observer")).unwrap();
    users.store(user("a", 1)).unwrap();
    assert_eq!((store.stats().hook_panics, users.len()), (1, 1));
}
