//! The state that all collections of a store share: the sequence of commits, the pins, the commit lock, the clock and the hooks.

mod collections;

use super::answers::AnswerCache;
use super::backlog::{Backlogged, Committer};
use super::counters::Counters;
use super::feed::{Queue, Spec};
use super::fork::{BasePoint, Unopened};
use super::garbage::Garbage;
use super::hooks::{Hooks, Registration};
use super::links::Links;
use super::reads::Reads;
use super::reaper::Reaper;
use super::reclaimer::Reclaimer;
#[cfg(feature = "testing")]
use super::shown::Shown;
use super::stats::{MemoryUse, Stats};
use super::table::Table;
use super::timeline::{Pin, Timeline};
use super::upkeep::Upkeep;
use super::version::At;
use crate::clock::{Clock, SteadyClock, Timestamp};
use crate::error::{Cause, Commit, Refusal};
use crate::hash::RandomState;
use crate::keys::KeyMakers;
use crate::latency::Latency;
use crate::limits::RECLAIM_SLICE;
use crate::memory::Total;
use crate::reclaim::{Backlog, Pass};
use crate::sync::{Arc, Mutex, MutexGuard, NameMap, OnceLock, Ordering::SeqCst, StatsCounter, Weak, thread};
#[cfg(feature = "testing")]
use crate::testing::Testing;
use crate::trace;
use crate::user_code;
use std::any::Any;
use std::collections::HashMap;

/// See [`Engine::watched`].
type Watched = Mutex<HashMap<(usize, u128), Weak<dyn Any + Send + Sync>>>;

pub(crate) struct Engine {
    pub(crate) timeline: Timeline,
    pub(crate) clock: SteadyClock,
    pub(crate) hooks: Hooks,
    /// The references between collections.
    pub(crate) links: Links,
    /// The cache of query results.
    pub(crate) answers: Arc<dyn AnswerCache>,
    pub(crate) reads: Reads,
    #[cfg(feature = "testing")]
    pub(crate) testing: Arc<Testing>,
    #[cfg(feature = "testing")]
    pub(super) shown: Shown,
    /// The live queries, by collection and fingerprint, so that equal ones share their work.
    pub(crate) watched: Watched,
    pub(crate) seed: RandomState,
    pub(crate) counters: Arc<Counters>,
    /// Those of a fork are its base's.
    pub(crate) latency: Arc<Latency>,
    memory: Total,
    /// The sequences, and the state of UUIDs by time.
    pub(crate) keys: KeyMakers,
    /// The collections by name.
    registry: NameMap<Registered>,
    /// The collections of the base that a fork has not opened yet.
    unopened: Option<Unopened<(Registered, BasePoint)>>,
    /// How many collections were ever opened.
    opened: StatsCounter,
    /// The commit lock.
    committer: Mutex<Committer>,
    /// The thread that reclaims after the end of a pin, if the store has one.
    reclaimer: Option<Reclaimer>,
    /// The thread that removes records that have expired, if the store has one.
    reaper: OnceLock<Reaper>,
    /// The queues of the background writers.
    queues: Mutex<Vec<Weak<dyn Drain>>>,
    /// Why the store refuses writes for good.
    poisoned: OnceLock<String>,
}

/// The queue of a background writer.
pub(crate) trait Drain: Send + Sync {
    /// Waits until everything is committed that was submitted before, or refused.
    ///
    /// # Errors
    /// The reason if the writer has died.
    fn drain(&self) -> Result<(), String>;
}

/// A collection, with its place in the order of opening.
#[derive(Clone)]
pub(crate) struct Registered {
    place: u64,
    pub(crate) table: Arc<Table>,
    pub(crate) erase: Erase,
}

/// Makes a handle of a table without its record type. The layers above know which type the handle has: it can write.
pub(crate) type Erase = fn(&Arc<Engine>, Arc<Table>) -> Box<dyn Any>;

impl Engine {
    /// If `has_reclaimer` is set, starts a thread that reclaims whenever a pin has ended.
    ///
    /// # Panics
    /// If the system cannot start that thread.
    pub(crate) fn new(clock: Arc<dyn Clock>, has_reclaimer: bool, answers: Arc<dyn AnswerCache>) -> Arc<Self> {
        let engine = Arc::new(Engine {
            reclaimer: has_reclaimer.then(Reclaimer::default),
            ..Engine::empty(
                Timeline::new(),
                SteadyClock::new(clock),
                crate::hash::random(),
                Arc::default(),
                answers,
                KeyMakers::new(),
                NameMap::default(),
            )
        });
        if let Some(reclaimer) = &engine.reclaimer {
            // The store can be dropped between two slices.
            let weak = Arc::downgrade(&engine);
            let slice = move || weak.upgrade().and_then(|engine| engine.reclaim_slice().ok());
            reclaimer.start(move || slice().unwrap_or(Backlog::Nothing));
        }
        engine
    }

    fn empty(
        timeline: Timeline,
        clock: SteadyClock,
        seed: RandomState,
        latency: Arc<Latency>,
        answers: Arc<dyn AnswerCache>,
        keys: KeyMakers,
        registry: NameMap<Registered>,
    ) -> Self {
        #[cfg(feature = "testing")]
        let testing = Arc::new(Testing::new(clock.jumps()));
        Engine {
            timeline,
            #[cfg(feature = "testing")]
            reads: Reads::new(testing.clone()),
            #[cfg(not(feature = "testing"))]
            reads: Reads::default(),
            #[cfg(feature = "testing")]
            testing: testing.clone(),
            #[cfg(feature = "testing")]
            shown: Shown::default(),
            clock,
            hooks: Hooks::default(),
            links: Links::default(),
            answers,
            watched: Mutex::default(),
            seed,
            #[cfg(feature = "testing")]
            counters: Arc::new(Counters { testing: Some(testing), ..Counters::default() }),
            #[cfg(not(feature = "testing"))]
            counters: Arc::default(),
            latency,
            memory: Total::default(),
            keys,
            registry,
            unopened: None,
            opened: StatsCounter::new(0),
            committer: Mutex::new(Committer::default()),
            reclaimer: None,
            reaper: OnceLock::new(),
            queues: Mutex::default(),
            poisoned: OnceLock::new(),
        }
    }

    // ---- hooks -----------------------------------------------------------------------------------------------------

    /// Registers a hook for every commit after the newest. Under the commit lock, so that no commit falls between.
    pub(crate) fn add_hook(&self, hook: Registration) -> Result<(), Cause> {
        let hook = self.counters.hold(hook);
        let _guard = self.lock_to_write()?;
        self.hooks.add(hook.into_inner(), self.timeline.newest());
        Ok(())
    }

    /// Registers a subscription, and pins the commit with whose successor it begins. Both under the commit lock, so that no commit
    /// falls between. The conditions of the subscription are on these tables.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        spec: Spec,
        tables: &[Arc<Table>],
    ) -> Result<(Pinned, Arc<Queue>), Refusal> {
        let refused = |collection: &str, cause| Refusal::new("subscribe", collection, cause);
        let guard = self.lock_to_write().map_err(|cause| refused("", cause))?;
        if let Some(dropped) = tables.iter().find(|table| table.is_dropped()) {
            return Err(refused(&dropped.name, Cause::CollectionDropped));
        }
        let pinned = self.pin_newest();
        debug_assert_eq!(pinned.epoch(), self.timeline.newest());
        let queue = self.hooks.feed.register(spec, pinned.epoch());
        drop(guard);
        Ok((pinned, queue))
    }

    // ---- pins ------------------------------------------------------------------------------------------------------

    /// Pins the commit that readers see, and takes the time that belongs to it.
    pub(crate) fn pin(self: &Arc<Self>) -> Pinned {
        self.refresh_if_due();
        let (pin, time) = self.timeline.pin(|| self.clock.for_reader());
        Pinned { engine: self.clone(), pin, time }
    }

    /// As [`pin`](Self::pin), for the newest commit: for what writes, and for what follows each commit as it happens.
    pub(crate) fn pin_newest(self: &Arc<Self>) -> Pinned {
        let (pin, time) = self.timeline.pin_newest(|| self.clock.for_reader());
        Pinned { engine: self.clone(), pin, time }
    }

    /// Call it before `published` is read to read that commit. Tests may have readers see commits late.
    #[cfg(not(feature = "testing"))]
    #[inline(always)]
    pub(crate) fn refresh_if_due(&self) {}

    /// Makes a commit visible.
    #[cfg(not(feature = "testing"))]
    #[inline(always)]
    pub(crate) fn publish(&self, commit: Commit) {
        self.timeline.publish(commit);
    }

    /// Releases a pin. Drops nothing: a later commit, `optimize` or the reclaimer does.
    pub(super) fn unpin(&self, pin: &Pin) {
        if self.timeline.unpin(pin)
            && let Some(reclaimer) = &self.reclaimer
        {
            reclaimer.pin_ended();
        }
    }

    /// Has the reclaimer look at pins that a reader does not need any longer.
    #[cfg(feature = "testing")]
    pub(super) fn pins_have_ended(&self) {
        self.reclaimer.iter().for_each(Reclaimer::pin_ended);
    }

    // ---- the commit lock -------------------------------------------------------------------------------------------

    /// Waits for the commit lock, to write.
    pub(crate) fn lock_to_write(&self) -> Result<CommitGuard<'_>, Cause> {
        if user_code::inside() {
            return Err(Cause::InsideUserCode);
        }
        let guard = CommitGuard { engine: self, committer: self.committer.lock() };
        match self.poisoned.get() {
            Some(why) => Err(Cause::Poisoned { why: why.clone() }),
            None => Ok(guard),
        }
    }

    /// Waits for the commit lock, to read what must not change meanwhile. `None` inside user code, whose thread may hold it.
    pub(crate) fn lock_to_audit(&self) -> Option<CommitGuard<'_>> {
        (!user_code::inside()).then(|| CommitGuard { engine: self, committer: self.committer.lock() })
    }

    /// Why writes are refused, if they are.
    pub(crate) fn poisoned(&self) -> Option<&str> {
        self.poisoned.get().map(String::as_str)
    }

    // ---- background writers ----------------------------------------------------------------------------------------

    /// Registers the queue of a background writer.
    pub(crate) fn add_queue(&self, queue: Weak<dyn Drain>) {
        let mut queues = self.queues.lock();
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(queue);
    }

    /// Waits until everything is committed that was submitted to background writers before.
    ///
    /// # Errors
    /// The reason if a writer has died, or the thread is inside user code.
    pub(crate) fn drain(&self) -> Result<(), String> {
        if user_code::inside() {
            return Err(Cause::InsideUserCode.to_string());
        }
        let queues: Vec<_> = self.queues.lock().iter().filter_map(Weak::upgrade).collect();
        queues.iter().try_for_each(|queue| queue.drain())
    }

    // ---- statistics ------------------------------------------------------------------------------------------------

    pub(crate) fn stats(&self) -> Stats {
        let published = self.timeline.newest();
        let pins = self.timeline.pins_now();
        let counters = &self.counters;
        let time = self.clock.for_reader();
        let collections = self.tables().iter().map(|table| table.stats(published, time)).collect();
        let (now, peak) = self.memory.observe();
        Stats {
            commits: published.get(),
            oldest_pin: pins.oldest(),
            pinned_commits: pins.count(),
            refusals: counters.refusals.load(SeqCst),
            lost_operations: counters.lost_operations.load(SeqCst),
            drop_panics: counters.drop_panics.load(SeqCst),
            hook_panics: counters.hook_panics.load(SeqCst),
            subscriber_panics: counters.tracer.panics(),
            poisoned: self.poisoned().map(str::to_owned),
            latency: self.latency.stats(),
            memory: MemoryUse { now, peak },
            subscriptions: self.hooks.feed.stats(),
            cache: self.answers.stats(),
            collections,
        }
    }

    /// The memory that the store takes now.
    #[cfg(feature = "testing")]
    pub(crate) fn memory_now(&self) -> usize {
        self.memory.observe().0
    }

    /// Adds the change of the memory of a table that no commit has made. Under the commit lock, or for a new table.
    pub(super) fn recount(&self, table: &Table) {
        self.memory.change(table.recount_all());
        self.memory.observe();
    }

    // ---- upkeep ----------------------------------------------------------------------------------------------------

    /// All of it: reclaims what no reader sees, then collection by collection. Returns how many turns of the commit lock the
    /// collections have taken.
    pub(crate) fn optimize(&self) -> Result<usize, Cause> {
        while self.reclaim_slice()? == Backlog::CutShort {
            thread::yield_now();
        }
        let mut turns = 0;
        for table in self.tables() {
            let mut at = Some(Upkeep::Keys(0));
            while let Some(from) = at {
                let guard = self.lock_to_write()?;
                at = table.upkeep(from);
                self.recount(&table);
                drop(guard);
                turns += 1;
                thread::yield_now();
            }
        }
        Ok(turns)
    }

    // ---- reclamation -----------------------------------------------------------------------------------------------

    /// Drops a bounded number of old states that no reader sees. Waits for the commit lock.
    pub(crate) fn reclaim_slice(&self) -> Result<Backlog, Cause> {
        let mut guard = self.lock_to_write()?;
        let poison = PoisonOnUnwind { engine: self, step: Step::Reclaim, complete: false };
        let (garbage, left) = self.reclaim(&mut guard.committer, RECLAIM_SLICE, |_, _, _| {});
        poison.complete();
        drop(guard);
        self.dispose(garbage);
        Ok(left)
    }

    /// Drops old states that no reader sees: first what the current commit has displaced, by `own`, then at most `budget` others.
    /// Runs after the publish, so that no new reader can need any of it.
    fn reclaim(
        &self,
        committer: &mut Committer,
        mut budget: usize,
        own: impl FnOnce(&Pass<'_>, &mut Garbage, &mut Backlogged),
    ) -> (Garbage, Backlog) {
        let _span = trace::span!(self.counters.tracer, TRACE, "reclaim");
        #[cfg(feature = "testing")]
        self.release_ended();
        let mut garbage = Garbage::default();
        // The memory that earlier commits left, before this one changes it: their threads may not have observed it yet.
        self.memory.observe();
        let pass = committer.begin_pass(&self.timeline);
        own(&pass, &mut garbage, &mut committer.backlog);
        let mut left = committer.end_pins(&pass, &mut budget, &mut garbage);
        self.memory.change(std::mem::take(&mut garbage.memory));
        if let Some(reclaimer) = &self.reclaimer {
            reclaimer.set_blocked(left != Backlog::Nothing);
            // A pin that ended before that has not called the reclaimer.
            if left == Backlog::Pinned {
                left = committer.pins_ended(&self.timeline);
            }
            if left == Backlog::CutShort {
                reclaimer.wake();
            }
        }
        (garbage, left)
    }

    /// Returns once everything that was committed before this call has been delivered; inside user code, perhaps earlier.
    pub(crate) fn deliver_now(&self) {
        // A commit is published before it is queued.
        drop(self.lock_to_audit());
        self.deliver();
        // Another thread may be at it.
        if !user_code::inside() {
            self.hooks.wait_for_delivery();
            // What was queued meanwhile has been left to this thread.
            self.deliver();
        }
    }

    /// Delivers the queued commits to the hooks, in order. Outside of every lock.
    pub(crate) fn deliver(&self) {
        let (hook_panics, drop_panics) = self.hooks.deliver();
        self.counters.report_hook_panics(hook_panics);
        self.counters.report_drop_panics(drop_panics);
    }

    /// Drops the garbage of a commit or a reclamation pass, outside of every lock.
    pub(crate) fn dispose(&self, garbage: Garbage) {
        let dropped = garbage.drop_all();
        self.memory.change(dropped.memory);
        self.memory.observe();
        self.counters.report_drop_panics(dropped.panics);
    }
}

/// The commit lock, held.
pub(crate) struct CommitGuard<'a> {
    engine: &'a Engine,
    committer: MutexGuard<'a, Committer>,
}

impl<'a> CommitGuard<'a> {
    /// From the first mark to the end of reclamation nothing may unwind. If something does, the store refuses writes from
    /// then on: readers keep the marks that are there, and nothing is reclaimed any more.
    pub(crate) fn poison_on_unwind(&self, commit: Commit) -> PoisonOnUnwind<'a> {
        PoisonOnUnwind { engine: self.engine, step: Step::Commit(commit), complete: false }
    }

    /// Has later reclamations visit a table.
    pub(crate) fn schedule_reclamation(&mut self, table: Arc<Table>) {
        self.committer.backlog.add(table);
    }

    /// Drops what the current commit, of so many operations, has displaced, by `own`, and a slice of what ended pins retained.
    pub(crate) fn reclaim(
        &mut self,
        operations: usize,
        own: impl FnOnce(&Pass<'_>, &mut Garbage, &mut Backlogged),
    ) -> Garbage {
        // A large commit reclaims more, so that commits can keep pace with what they displace.
        let budget = RECLAIM_SLICE.max(operations);
        self.engine.reclaim(&mut self.committer, budget, own).0
    }
}

/// Damages the store unless its step completes.
pub(crate) struct PoisonOnUnwind<'a> {
    engine: &'a Engine,
    step: Step,
    complete: bool,
}

enum Step {
    Commit(Commit),
    Reclaim,
}

impl PoisonOnUnwind<'_> {
    pub(crate) fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for PoisonOnUnwind<'_> {
    // Not `thread::panicking`: a destructor may commit while an unrelated panic unwinds.
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        let why = match self.step {
            Step::Commit(commit) => format!("commit {commit} panicked while it was applied, which is a bug of memdex"),
            Step::Reclaim => "reclamation panicked, which is a bug of memdex".to_owned(),
        };
        // Only the holder of the commit lock gets here, and only once.
        let _ = self.engine.poisoned.set(why.clone());
        let tracer = &self.engine.counters.tracer;
        trace::event!(tracer, ERROR, why, "the store is poisoned: it refuses writes, reads still work");
    }
}

/// Pins a commit until it is dropped.
pub(crate) struct Pinned {
    pub(crate) engine: Arc<Engine>,
    pin: Pin,
    /// The time that belongs to the commit.
    pub(crate) time: Timestamp,
}

impl Pinned {
    pub(crate) fn epoch(&self) -> Commit {
        self.pin.epoch
    }

    pub(crate) fn at(&self) -> At {
        At { epoch: self.pin.epoch, time: self.time }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.engine.unpin(&self.pin);
    }
}
