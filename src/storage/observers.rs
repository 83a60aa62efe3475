//! Who is told of commits: what answers reads from memory, before a commit can be seen; the feed of changes, after it.

use super::handle::Handle;
use super::version::Version;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering::SeqCst, RwLock};
use crate::user_code;
use crate::value::Key;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;

/// Is told of every commit. Both methods may read the store; writes from inside them, to this or any store, are refused. A
/// panic in them is caught, counted in [`Stats`](crate::Stats) and logged; the commit stands.
pub trait CommitObserver: Send + Sync + 'static {
    /// Called between mark and publish, under the commit lock: the commit can't be seen yet, and every answer from memory
    /// that it makes wrong must go now. Keep it short: all writers wait.
    fn invalidate(&self, commit: &CommitInfo) {
        let _ = commit;
    }

    /// Called after the publish, outside of every lock, in the order of the commits; by the thread that commits or, when
    /// another is telling at that moment, by that one. What is not told yet waits in a queue without bound, and holds its
    /// records: a slow observer should hand its work to a thread of its own.
    fn committed(&self, commit: &CommitInfo) {
        let _ = commit;
    }
}

/// What one commit changed.
///
/// ```
/// use memdex::{CommitInfo, CommitObserver, Record, Store};
/// use std::sync::{Arc, Mutex};
///
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, name: String }
///
/// #[derive(Default)]
/// struct Feed(Mutex<Vec<String>>);
///
/// impl CommitObserver for Feed {
///     fn committed(&self, commit: &CommitInfo) {
///         for change in commit.changes::<User>("User") {
///             let name = change.after.as_ref().map(|user| user.name.clone());
///             self.0.lock().unwrap().push(format!("{}: {} is {name:?}", commit.number(), change.key));
///         }
///     }
/// }
///
/// let store = Store::new();
/// let feed = Arc::new(Feed::default());
/// store.observe(feed.clone())?;
/// let users = store.collection::<User>("User")?;
/// users.store(User { id: 1, name: "Ada".into() })?;
/// users.delete(1)?;
/// assert_eq!(*feed.0.lock().unwrap(), [r#"1: 1 is Some("Ada")"#, "2: 1 is None"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CommitInfo {
    pub(super) number: Commit,
    pub(super) at: Timestamp,
    pub(super) collections: Vec<CollectionChanges>,
}

pub(crate) struct CollectionChanges {
    name: Arc<str>,
    len: usize,
    changes: Box<dyn ChangeList>,
}

/// A `Vec<RecordChange<R>>` without its record type.
trait ChangeList: Any + Send + Sync {
    /// Drops each record by itself; gives the number of panics.
    fn drop_each(self: Box<Self>) -> u64;
}

impl<R: Send + Sync + 'static> ChangeList for Vec<RecordChange<R>> {
    fn drop_each(self: Box<Self>) -> u64 {
        user_code::drop_each(self.into_iter().flat_map(|change| [change.before, change.after]))
    }
}

/// The net change of one record in a commit.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordChange<R> {
    /// Its key.
    pub key: Key,
    /// The record before; `None` if there was none.
    pub before: Option<Handle<R>>,
    /// The record after; `None` if it is gone.
    pub after: Option<Handle<R>>,
}

impl<R> RecordChange<R> {
    pub(super) fn new(old: Option<&Arc<Version<R>>>, new: &Arc<Version<R>>) -> Self {
        RecordChange { key: new.key.clone(), before: old.cloned().and_then(Handle::of), after: Handle::of(new.clone()) }
    }
}

impl CollectionChanges {
    pub(super) fn new<R: Send + Sync + 'static>(name: Arc<str>, changes: Vec<RecordChange<R>>) -> Self {
        CollectionChanges { name, len: changes.len(), changes: Box::new(changes) }
    }
}

impl CommitInfo {
    pub(crate) fn new(number: Commit, at: Timestamp, collections: Vec<CollectionChanges>) -> Self {
        CommitInfo { number, at, collections }
    }

    /// The commit's number.
    pub fn number(&self) -> Commit {
        self.number
    }

    /// When it was committed.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The names of the collections that it changed, and how many records in each.
    pub fn collections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.collections.iter().map(|changes| (&*changes.name, changes.len))
    }

    /// The net changes in the collection `name`, one a key; none if it holds another type or was not touched.
    pub fn changes<R: 'static>(&self, name: &str) -> &[RecordChange<R>] {
        let of_name = self.collections.iter().find(|changes| &*changes.name == name);
        let list = of_name.and_then(|changes| (&*changes.changes as &dyn Any).downcast_ref::<Vec<RecordChange<R>>>());
        list.map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for CommitInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collections: Vec<_> = self.collections().collect();
        f.debug_struct("CommitInfo")
            .field("number", &self.number)
            .field("at", &self.at)
            .field("collections", &collections)
            .finish()
    }
}

/// The observers of a store, and the commits of which they have yet to be told.
#[derive(Default)]
pub(crate) struct Observers {
    any: AtomicBool,
    /// Each with the commit that was the newest when it came: it is told of later ones.
    list: RwLock<Vec<(Commit, Arc<dyn CommitObserver>)>>,
    queue: Mutex<VecDeque<Arc<CommitInfo>>>,
    telling: Mutex<()>,
}

impl Observers {
    /// Under the commit lock.
    pub(crate) fn add(&self, observer: Arc<dyn CommitObserver>, newest: Commit) {
        self.list.write().push((newest, observer));
        self.any.store(true, SeqCst);
    }

    /// Whether anyone wants to know.
    pub(crate) fn any(&self) -> bool {
        self.any.load(SeqCst)
    }

    /// Under the commit lock, before the publish. Gives the number of panics.
    pub(crate) fn invalidate(&self, commit: &CommitInfo) -> u64 {
        self.each(commit, |observer| observer.invalidate(commit))
    }

    /// Under the commit lock, so that the queue has the order of the commits.
    pub(crate) fn enqueue(&self, commit: Arc<CommitInfo>) {
        self.queue.lock().push_back(commit);
    }

    /// Tells what is queued, in order, unless another thread is at it: then it tells this too. Gives the number of panics
    /// of observers, and in the `Drop` of records that were told of last.
    pub(crate) fn tell(&self) -> (u64, u64) {
        let (mut observer_panics, mut drop_panics) = (0, 0);
        while !self.queue.lock().is_empty() {
            // Who is telling looks at the queue again after letting go, so nothing stays untold.
            let Some(telling) = self.telling.try_lock() else { break };
            loop {
                let next = self.queue.lock().pop_front();
                let Some(commit) = next else { break };
                observer_panics += self.each(&commit, |observer| observer.committed(&commit));
                let lists = Arc::into_inner(commit).into_iter().flat_map(|commit| commit.collections);
                drop_panics += lists.map(|list| list.changes.drop_each()).sum::<u64>();
            }
            drop(telling);
        }
        (observer_panics, drop_panics)
    }

    fn each(&self, commit: &CommitInfo, tell: impl Fn(&dyn CommitObserver)) -> u64 {
        let list = self.list.read().clone();
        let concerned = list.iter().filter(|(from, _)| *from < commit.number).map(|(_, observer)| observer);
        concerned.map(|observer| u64::from(user_code::run(|| tell(&**observer)).is_err())).sum()
    }
}
