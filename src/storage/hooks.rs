//! Commit hooks: code that takes part in every commit of a store. A journal, a constraint and a cache are hooks.
//!
//! [`Hooks`] keeps them with the queue of commits that still have to be reported, to them and to the [`Feed`]. All of its methods but
//! `deliver` run under the commit lock, so hooks see commits one at a time and in order.

use super::changes::{CommitInfo, ProposedCommit};
use super::feed::{Event, Feed, Room};
use crate::error::{Cause, Commit};
use crate::limits::{MAX_QUEUED_CHANGES, MAX_QUEUED_COMMITS};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering::SeqCst, RwLock};
use crate::user_code;
use std::collections::VecDeque;
use std::error::Error;

/// Takes part in every commit of a store: it can refuse a commit, and it learns of the commit once it is visible. Register
/// one with [`Store::add_hook`](crate::Store::add_hook).
///
/// For each commit the store calls, of every hook in the order of registration:
///
/// 1. `prepare`, at the end of staging. After the last built-in check, before anything has changed.
/// 2. `committed`, after readers can see it.
///
/// If one `prepare` refuses, the batch is refused and nothing has changed; the store calls `aborted` of the hooks that had
/// already prepared, in reverse order. After the last `prepare` succeeds the commit happens, unless a bug of memdex breaks
/// it off: then the store is poisoned and refuses writes, and calls neither `aborted` nor `committed`.
///
/// All methods may read the store. Writes from inside them, to this or any store, are refused. `prepare` and `aborted`
/// run under the commit lock: all writers wait, so keep them short, and never wait for a thread that writes.
///
/// A panic in `prepare` refuses the batch. A panic in another method is caught, counted in
/// [`Stats::hook_panics`](crate::stats::Stats::hook_panics) and logged; the commit stands.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::hook::{CommitHook, ProposedCommit};
/// use std::error::Error;
/// use std::sync::Arc;
///
/// #[derive(Record)]
/// struct Account { #[record(key)] id: u32, balance: i64 }
///
/// /// Refuses commits that change the sum of all balances.
/// struct Conserved;
///
/// impl CommitHook for Conserved {
///     fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
///         let balance = |account: Option<&Account>| account.map_or(0, |account| account.balance);
///         let changes = commit.changes::<Account>("Account").iter();
///         let moved: i64 = changes.map(|change| balance(change.after()) - balance(change.before())).sum();
///         if moved == 0 { Ok(()) } else { Err(format!("{moved} appeared from nowhere").into()) }
///     }
/// }
///
/// let store = Store::new();
/// let accounts = store.collection::<Account>("Account")?;
/// accounts.store(Account { id: 1, balance: 100 })?;
/// store.add_hook(Arc::new(Conserved))?;
/// assert!(accounts.store(Account { id: 2, balance: 30 }).is_err());
/// store.commit(|batch| {
///     batch.store(&accounts, Account { id: 1, balance: 70 })?;
///     batch.store(&accounts, Account { id: 2, balance: 30 })
/// })?;
/// # Ok::<(), Box<dyn Error>>(())
/// ```
pub trait CommitHook: Send + Sync + 'static {
    /// Whether [`prepare`](CommitHook::prepare) can refuse a commit. Called once, when the hook is registered. If it returns
    /// false, `prepare` and `aborted` are never called, and commits need not build a [`ProposedCommit`] for the hook.
    fn can_refuse(&self) -> bool {
        true
    }

    /// Decides whether the commit may happen.
    ///
    /// # Errors
    /// An error refuses the whole batch with [`Cause::Hook`]; a lenient commit too, since no single operation is at fault.
    fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _ = commit;
        Ok(())
    }

    /// Undoes `prepare`: a later hook refused the commit. Its number will be used again.
    fn aborted(&self, commit: &ProposedCommit) {
        let _ = commit;
    }

    /// For tests: runs after the commit has been applied and before readers can see it. No user code runs there in shipped
    /// builds.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    fn invalidate(&self, commit: &CommitInfo) {
        let _ = commit;
    }

    /// Learns of the commit once it is visible. Commits arrive in order and outside of every lock, on the thread that
    /// committed or on another thread that is delivering at that moment.
    ///
    /// Commits that are not delivered yet wait in a queue and keep their records in memory. When
    /// [`limits::MAX_QUEUED_COMMITS`](crate::limits::MAX_QUEUED_COMMITS) are waiting, or
    /// [`limits::MAX_QUEUED_CHANGES`](crate::limits::MAX_QUEUED_CHANGES), further commits return only after
    /// the queue has been delivered. So never wait here for a thread that writes to the store: hand the work over to it.
    fn committed(&self, commit: &CommitInfo) {
        let _ = commit;
    }
}

/// A closure that learns of every commit, as a hook.
struct Observer<F>(F);

impl<F: Fn(&CommitInfo) + Send + Sync + 'static> CommitHook for Observer<F> {
    fn can_refuse(&self) -> bool {
        false
    }

    fn committed(&self, commit: &CommitInfo) {
        self.0(commit);
    }
}

/// A registered hook.
pub(crate) struct Registration {
    hook: Arc<dyn CommitHook>,
    /// Whether it can refuse. A store without such hooks builds no proposals.
    can_refuse: bool,
    /// The newest commit when it was registered. It takes part in later ones.
    since: Commit,
}

impl Registration {
    /// Call it outside of every lock: it runs user code. A hook whose `can_refuse` panics can refuse.
    pub(crate) fn of_hook(hook: Arc<dyn CommitHook>) -> Self {
        let can_refuse = user_code::run(|| hook.can_refuse()).unwrap_or(true);
        Registration { can_refuse, hook, since: Commit::default() }
    }

    pub(crate) fn of_observer(observer: impl Fn(&CommitInfo) + Send + Sync + 'static) -> Self {
        Registration::of_hook(Arc::new(Observer(observer)))
    }
}

/// The hooks of a store, and the commits that have not been delivered to them.
#[derive(Default)]
pub(crate) struct Hooks {
    any: AtomicBool,
    any_can_refuse: AtomicBool,
    list: RwLock<Arc<Vec<Registration>>>,
    pub(crate) feed: Arc<Feed>,
    queue: Mutex<Pending>,
    /// Held by the thread that delivers.
    delivering: Mutex<()>,
}

/// Events that have not been delivered, with the room that their commits have reserved.
#[derive(Default)]
struct Pending {
    events: VecDeque<(Event, Room)>,
    /// The changes of all of them.
    changes: usize,
}

impl Pending {
    fn is_full(&self) -> bool {
        self.events.len() >= MAX_QUEUED_COMMITS || self.changes >= MAX_QUEUED_CHANGES
    }

    fn pop(&mut self) -> Option<(Event, Room)> {
        let (event, room) = self.events.pop_front()?;
        self.changes -= event.changed();
        Some((event, room))
    }
}

impl Drop for Hooks {
    /// Drops each hook by itself: it is the user's.
    fn drop(&mut self) {
        self.feed.end();
        user_code::drop_each(Arc::into_inner(std::mem::take(&mut *self.list.write())).into_iter().flatten());
    }
}

impl Hooks {
    /// Registers a hook for every commit after `newest`.
    pub(crate) fn add(&self, registration: Registration, newest: Commit) {
        let can_refuse = registration.can_refuse;
        let mut list = self.list.write();
        let present = list.iter().map(|of| Registration { hook: of.hook.clone(), ..*of });
        *list = Arc::new(present.chain([Registration { since: newest, ..registration }]).collect());
        drop(list);
        self.any.store(true, SeqCst);
        self.any_can_refuse.fetch_or(can_refuse, SeqCst);
    }

    /// Whether anyone learns of commits.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(SeqCst) || self.feed.any()
    }

    /// Whether anyone can refuse them.
    #[inline]
    pub(crate) fn any_can_refuse(&self) -> bool {
        self.any_can_refuse.load(SeqCst)
    }

    /// Asks every hook. On a refusal also calls `aborted` of those that had prepared; the count is that of their panics.
    pub(crate) fn prepare(&self, commit: &ProposedCommit) -> Result<(), (Cause, u64)> {
        let list = self.list.read().clone();
        let refusing: Vec<_> = list.iter().filter(|of| of.can_refuse).collect();
        for (at, of) in refusing.iter().enumerate() {
            let cause = match user_code::run(|| of.hook.prepare(commit)) {
                Ok(Ok(())) => continue,
                #[cfg(feature = "testing")]
                Ok(Err(error)) => super::injected::cause_of(error),
                #[cfg(not(feature = "testing"))]
                Ok(Err(error)) => Cause::Hook(error),
                Err(message) => Cause::Panicked { what: "prepare of a commit hook", message },
            };
            let aborted = refusing[..at].iter().rev().map(|of| user_code::run(|| of.hook.aborted(commit)));
            return Err((cause, aborted.map(|outcome| u64::from(outcome.is_err())).sum()));
        }
        Ok(())
    }

    /// Before the publish. Returns the number of panics. Hooks take part in tests only: no user code may run here.
    pub(crate) fn invalidate(&self, commit: &CommitInfo) -> u64 {
        #[cfg(feature = "test-hooks")]
        return self.each(commit, |hook| hook.invalidate(commit));
        #[cfg(not(feature = "test-hooks"))]
        {
            let _ = commit;
            0
        }
    }

    /// Queues an event. Under the commit lock, so that the queue has the order of the commits.
    pub(crate) fn enqueue(&self, event: Event, room: Room) {
        let mut queue = self.queue.lock();
        queue.changes += event.changed();
        queue.events.push_back((event, room));
    }

    /// Delivers the queued events, in order and outside of every lock: to the subscriptions, then to the hooks. While another thread
    /// delivers, that one delivers these too; the caller then waits only if the queue is full. Returns the panics of hooks and filters,
    /// and those in the `Drop` of records whose last reference was in the queue.
    pub(crate) fn deliver(&self) -> (u64, u64) {
        let (mut hook_panics, mut drop_panics) = (0, 0);
        loop {
            let (is_empty, is_full) = {
                let queue = self.queue.lock();
                (queue.events.is_empty(), queue.is_full())
            };
            // A thread that delivers checks the queue again after it has let go, so nothing stays undelivered.
            let delivering = match (is_empty, is_full) {
                (true, _) => break,
                (_, true) => self.delivering.lock(),
                _ => match self.delivering.try_lock() {
                    Some(delivering) => delivering,
                    None => break,
                },
            };
            loop {
                let next = self.queue.lock().pop();
                let Some((event, room)) = next else { break };
                let panics = self.feed.deliver(&event, &room);
                drop(room);
                hook_panics += panics.filters;
                if let Event::Commit(commit) = &event {
                    hook_panics += self.each(commit, |hook| hook.committed(commit));
                }
                drop_panics += panics.drops + event.let_go();
            }
            drop(delivering);
        }
        (hook_panics, drop_panics)
    }

    /// Waits until nobody delivers.
    pub(crate) fn wait_for_delivery(&self) {
        drop(self.delivering.lock());
    }

    fn each(&self, commit: &CommitInfo, call: impl Fn(&dyn CommitHook)) -> u64 {
        let list = self.list.read().clone();
        let taking_part = list.iter().filter(|of| of.since < commit.number());
        taking_part.map(|of| u64::from(user_code::run(|| call(&*of.hook)).is_err())).sum()
    }
}
