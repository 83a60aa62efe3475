//! Who learns of commits and of reads.

use super::Store;
use crate::error::Refusal;
use crate::feed::SubscriptionBuilder;
use crate::storage::{CommitHook, CommitInfo, ReadInfo, Registration};
use crate::sync::Arc;

impl Store {
    /// Registers a hook for every later commit. Snapshots taken before this call see none of these commits; commits
    /// that a snapshot taken after it does not see all call the hook. Waits for the commit lock, as a commit does.
    /// Hooks stay registered for the life of the store.
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is poisoned.
    pub fn add_hook(&self, hook: Arc<impl CommitHook>) -> Result<(), Refusal> {
        self.engine.add_hook(Registration::of_hook(hook)).map_err(|cause| Refusal::new("add_hook", "", cause))
    }

    /// Calls `observer` with each later commit, in order, once the commit is visible. This is
    /// [`add_hook`](Store::add_hook) with a hook that never refuses and so costs commits less.
    ///
    /// The closure may read the store; writes from inside it, to this or any store, are refused. A panic in it is caught,
    /// counted in [`Stats::hook_panics`](crate::stats::Stats::hook_panics) and logged; the commit stands.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use std::sync::{Arc, Mutex};
    ///
    /// #[derive(Record)]
    /// struct User { #[record(key)] id: u32, name: String }
    ///
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// let feed = Arc::new(Mutex::new(Vec::new()));
    /// let lines = feed.clone();
    /// store.observe(move |commit| {
    ///     for change in commit.changes::<User>("User") {
    ///         let name = change.after.as_ref().map(|user| user.name.clone());
    ///         lines.lock().unwrap().push(format!("{}: {} is {name:?}", commit.number(), change.key));
    ///     }
    /// })?;
    /// users.store(User { id: 1, name: "Ada".into() })?;
    /// users.delete(1)?;
    /// assert_eq!(*feed.lock().unwrap(), [r#"1: 1 is Some("Ada")"#, "2: 1 is None"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is poisoned.
    pub fn observe(&self, observer: impl Fn(&CommitInfo) + Send + Sync + 'static) -> Result<(), Refusal> {
        self.engine.add_hook(Registration::of_observer(observer)).map_err(|cause| Refusal::new("observe", "", cause))
    }

    /// Configures a subscription: a snapshot of the store, and an event for each later commit that changes what it follows, in order. The
    /// subscriber reads the events whenever it likes, on any thread; writers do not wait for it unless you choose so.
    /// [`observe`](Store::observe) calls a closure on the thread that commits instead.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::hook::FeedEvent;
    /// use memdex::hook::ChangeKind;
    ///
    /// #[derive(Clone, Record)]
    /// struct Job { #[record(key)] id: u32, #[record(field)] state: String }
    ///
    /// let store = Store::new();
    /// let jobs = store.collection::<Job>("Job")?;
    /// jobs.insert(Job { id: 1, state: "open".into() })?;
    ///
    /// let (snapshot, mut subscription) = store.subscribe().matching(&jobs, job::STATE.eq("open")).start()?;
    /// assert_eq!(snapshot.of(&jobs).len(), 1);
    /// drop(snapshot);
    ///
    /// jobs.insert(Job { id: 2, state: "done".into() })?; // does not match
    /// jobs.update(1, |job| job.state = "done".into())?;  // has matched before
    /// let Some(FeedEvent::Commit(commit)) = subscription.next() else { panic!() };
    /// let [change] = commit.changes::<Job>("Job") else { panic!() };
    /// assert_eq!((commit.number().get(), change.kind()), (3, ChangeKind::Updated));
    /// assert_eq!(change.before.as_ref().unwrap().state, "open");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self) -> SubscriptionBuilder {
        SubscriptionBuilder::new(self.engine.clone())
    }

    /// Calls a closure before each read: of keys, of queries, also of those that the cache answers, of aggregates and of all records. For
    /// audits. `len`, `is_empty`, `stats`, the evaluation of a write by filter, and what subscriptions and watches follow are not reported. There is no way to remove it.
    ///
    /// It runs on the thread that reads, outside of every lock. It may read, which is reported too, but not write. A panic reaches the caller of the read. A
    /// store that nobody observes pays for one load in each read.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # use std::sync::{Arc, Mutex};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let lines = log.clone();
    /// store.observe_reads(move |read| lines.lock().unwrap().push(format!("{}: {:?}", read.collection, read.what)));
    /// users.get(7);
    /// users.find(user::CITY.eq("Bern")).count()?;
    /// let log = log.lock().unwrap();
    /// assert!(log[0].starts_with("User: Key(") && log[1].contains("Bern"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe_reads(&self, observer: impl Fn(&ReadInfo<'_>) + Send + Sync + 'static) {
        self.engine.reads.observe(Arc::new(observer));
    }
}
