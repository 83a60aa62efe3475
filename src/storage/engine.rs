//! What all collections of a store share: the sequence of commits, the pins, the commit lock, time, and the observers.

use super::any_table::AnyTable;
use super::garbage::Garbage;
use super::observers::{CommitObserver, Observers};
use super::peak::Peak;
use super::stats::{CollectionStats, Stats};
use super::table::Backlog;
use super::timeline::{Pin, Timeline};
use crate::clock::{Clock, SteadyClock, Timestamp};
use crate::error::{Cause, Commit};
use crate::hash::RandomState;
use crate::latency::Latency;
use crate::limits::SETTLE_SLICE;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, OnceLock, Ordering::SeqCst, RwLock};
use crate::user_code;

pub(crate) struct Engine {
    pub(crate) timeline: Timeline,
    pub(crate) clock: SteadyClock,
    pub(crate) observers: Observers,
    pub(crate) seed: RandomState,
    pub(crate) counters: Counters,
    pub(crate) latency: Latency,
    peak: Peak,
    tables: RwLock<Vec<Arc<dyn AnyTable>>>,
    /// The commit lock.
    committer: Mutex<Committer>,
    /// Some pinned reader holds up what could be forgotten otherwise: whoever drops a pin must settle.
    lingering: AtomicBool,
    /// Somebody found the commit lock taken and left it to its holder to settle.
    wanted: AtomicBool,
    /// Why writes are refused for ever.
    damage: OnceLock<String>,
}

/// What only the holder of the commit lock may touch.
struct Committer {
    /// Collections in which a settle has left something.
    lagging: Vec<Arc<dyn AnyTable>>,
}

/// Figures that no structure tells.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) refusals: AtomicU64,
    pub(crate) lost_flushes: AtomicU64,
    pub(crate) drop_panics: AtomicU64,
    pub(crate) observer_panics: AtomicU64,
}

impl Engine {
    pub(crate) fn new(clock: Box<dyn Clock>) -> Self {
        Engine {
            timeline: Timeline::new(),
            clock: SteadyClock::new(clock),
            observers: Observers::default(),
            seed: crate::hash::random(),
            counters: Counters::default(),
            latency: Latency::default(),
            peak: Peak::default(),
            tables: RwLock::new(Vec::new()),
            committer: Mutex::new(Committer { lagging: Vec::new() }),
            lingering: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            damage: OnceLock::new(),
        }
    }

    // ---- collections ----------------------------------------------------------------------------------------------

    pub(crate) fn tables(&self) -> Vec<Arc<dyn AnyTable>> {
        self.tables.read().clone()
    }

    /// The table called `name`, made by `make` if there is none.
    pub(crate) fn table(&self, name: &str, make: impl FnOnce() -> Arc<dyn AnyTable>) -> Arc<dyn AnyTable> {
        let mut tables = self.tables.write();
        if let Some(table) = tables.iter().find(|table| table.name() == name) {
            return table.clone();
        }
        tables.push(make());
        tables[tables.len() - 1].clone()
    }

    // ---- observers ------------------------------------------------------------------------------------------------

    /// Has an observer told of every commit after the newest. Under the commit lock, so that none falls between.
    pub(crate) fn observe(&self, observer: Arc<dyn CommitObserver>) -> Result<(), Cause> {
        let _turn = self.turn_to_write()?;
        self.observers.add(observer, self.timeline.published());
        Ok(())
    }

    // ---- pins -----------------------------------------------------------------------------------------------------

    /// Pins the newest commit, and takes the time that belongs to it.
    pub(crate) fn pin(self: &Arc<Self>) -> Pinned {
        let (pin, time) = self.timeline.pin(|| self.clock.now());
        Pinned { engine: self.clone(), pin, time }
    }

    /// Gives a pin back. No commit may follow, so what only this pin has held up is settled here.
    fn unpin(self: &Arc<Self>, pin: &Pin) {
        if !self.timeline.unpin(pin) || !self.lingering.load(SeqCst) {
            return;
        }
        self.wanted.store(true, SeqCst);
        if user_code::inside() {
            // A guard may be held further up this thread, so it has to wait until that call ends.
            let engine = self.clone();
            user_code::defer(Arc::as_ptr(self).addr(), move || engine.settle_wanted(Patience::UntilDone));
        } else {
            self.settle_wanted(Patience::UntilDone);
        }
    }

    // ---- the commit lock ------------------------------------------------------------------------------------------

    /// Waits for the commit lock, to write.
    pub(crate) fn turn_to_write(&self) -> Result<Turn<'_>, Cause> {
        if user_code::inside() {
            return Err(Cause::InsideUserCode);
        }
        let turn = Turn { engine: self, committer: Some(self.committer.lock()) };
        match self.damage.get() {
            Some(why) => Err(Cause::Damaged { why: why.clone() }),
            None => Ok(turn),
        }
    }

    /// Waits for the commit lock, to look at what must stand still; `None` inside user code, whose thread may hold it.
    pub(crate) fn turn_to_look(&self) -> Option<Turn<'_>> {
        (!user_code::inside()).then(|| Turn { engine: self, committer: Some(self.committer.lock()) })
    }

    /// Why writes are refused, if they are.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    // ---- figures ---------------------------------------------------------------------------------------------------

    pub(crate) fn stats(&self) -> Stats {
        let published = self.timeline.published();
        let pinned = self.timeline.pinned();
        let counters = &self.counters;
        let (memory, collections) = self.peak.look(|| {
            let collections: Vec<CollectionStats> = self.tables().iter().map(|table| table.stats(published)).collect();
            (collections.iter().map(|collection| collection.memory.total() as u64).sum(), collections)
        });
        Stats {
            commits: published.get(),
            oldest_pin: pinned.first().copied(),
            pinned_commits: pinned.len(),
            refusals: counters.refusals.load(SeqCst),
            lost_flushes: counters.lost_flushes.load(SeqCst),
            drop_panics: counters.drop_panics.load(SeqCst),
            observer_panics: counters.observer_panics.load(SeqCst),
            damage: self.damage().map(str::to_owned),
            latency: self.latency.stats(),
            memory,
            collections,
        }
    }

    /// Looks at the memory in use, for the peak, where much of it comes or goes that no commit tells of.
    pub(super) fn look_at_memory(&self) {
        if self.peak.is_much() {
            self.peak.look(|| (self.walk_memory(), ()));
        }
    }

    fn walk_memory(&self) -> u64 {
        self.tables().iter().map(|table| table.memory().total() as u64).sum()
    }

    // ---- settling -------------------------------------------------------------------------------------------------

    /// Settles as long as somebody wants it, without ever waiting for the lock: who holds it reads `wanted` after letting
    /// go. A slice that was cut short leaves `wanted` raised for the next.
    fn settle_wanted(&self, patience: Patience) {
        while self.wanted.load(SeqCst) {
            let Some(mut committer) = self.committer.try_lock() else { return };
            if self.damage.get().is_some() {
                return;
            }
            let no_return = NoReturn { engine: self, what: What::Settle, reached_the_end: false };
            let (garbage, left) = self.settle(&mut committer, |_, _| {});
            no_return.reached_the_end();
            drop(committer);
            self.dispose(garbage);
            if left == Backlog::CutShort && patience == Patience::OneSlice {
                return;
            }
        }
    }

    /// Forgets what no pinned reader sees: `own` first, what the commit at hand has displaced, then a bounded slice of
    /// what earlier ones have left. Runs after the publish, so that no new reader can come to need it.
    fn settle(&self, committer: &mut Committer, own: impl FnOnce(&[Commit], &mut Garbage)) -> (Garbage, Backlog) {
        // A subscriber is user code too: here the commit lock is held, and nothing may break off.
        let span = user_code::run(|| tracing::trace_span!("settle").entered());
        let mut garbage = Garbage::default();
        let mut budget = SETTLE_SLICE;
        // Before the pins are read: who drops one from here on and finds the lock taken raises it again.
        self.wanted.store(false, SeqCst);
        let published = self.timeline.published();
        let mut pinned = self.timeline.pinned();
        own(&pinned, &mut garbage);
        loop {
            let mut left = Backlog::Nothing;
            committer.lagging.retain(|table| {
                let backlog = table.settle_backlog(&pinned, published, &mut budget, &mut garbage);
                left = left.max(backlog);
                self.peak.count(table.newly_counted());
                backlog != Backlog::Nothing
            });
            self.peak.settled();
            self.lingering.store(left != Backlog::Nothing, SeqCst);
            if left == Backlog::CutShort {
                self.wanted.store(true, SeqCst);
            }
            // A pin that was dropped before `lingering` was raised has left its settling to nobody: look again.
            let now_pinned = self.timeline.pinned();
            if left != Backlog::Pinned || pinned.iter().all(|e| now_pinned.binary_search(e).is_ok()) {
                let _ = user_code::run(|| drop(span));
                return (garbage, left);
            }
            pinned = now_pinned;
        }
    }

    /// Tells the observers what is queued, in order. Outside of every lock.
    pub(crate) fn tell(&self) {
        let (observer_panics, drop_panics) = self.observers.tell();
        self.report_observer_panics(observer_panics);
        self.report_drop_panics(drop_panics);
    }

    /// Drops garbage, outside of every lock.
    pub(crate) fn dispose(&self, garbage: Garbage) {
        self.report_drop_panics(garbage.drop_all());
    }

    pub(crate) fn report_observer_panics(&self, panics: u64) {
        if panics > 0 {
            self.counters.observer_panics.fetch_add(panics, SeqCst);
            let _ = user_code::run(|| tracing::error!(panics, "observers panicked; the commits stand"));
        }
    }

    fn report_drop_panics(&self, panics: u64) {
        if panics > 0 {
            self.counters.drop_panics.fetch_add(panics, SeqCst);
            let _ = user_code::run(|| tracing::error!(panics, "records panicked in their Drop; the store is unharmed"));
        }
    }
}

/// The commit lock, held. Letting go settles what others have left to its holder.
pub(crate) struct Turn<'a> {
    engine: &'a Engine,
    committer: Option<MutexGuard<'a, Committer>>,
}

impl<'a> Turn<'a> {
    /// From the first mark to the last settle nothing may break off. Should it all the same, writes end here: readers
    /// go on with the marks that stand, and nothing is settled any more.
    pub(crate) fn no_return(&self, commit: Commit) -> NoReturn<'a> {
        NoReturn { engine: self.engine, what: What::Commit(commit), reached_the_end: false }
    }

    /// Records that take so many counted bytes are about to leave, and others to come.
    pub(crate) fn about_to_change(&self, leave: u64, come: u64) {
        self.engine.peak.about_to_change(leave, come, || self.engine.walk_memory());
    }

    /// Has the next settles look after a table that a commit has changed.
    pub(crate) fn look_after(&mut self, table: Arc<dyn AnyTable>) {
        let lagging = &mut self.held().lagging;
        if !lagging.iter().any(|known| Arc::ptr_eq(known, &table)) {
            lagging.push(table);
        }
    }

    /// Settles what the commit at hand has displaced, as `own` does, and a slice of what is left over.
    pub(crate) fn settle(&mut self, own: impl FnOnce(&[Commit], &mut Garbage)) -> Garbage {
        let engine = self.engine;
        engine.settle(self.held(), own).0
    }

    fn held(&mut self) -> &mut Committer {
        match self.committer.as_mut() {
            Some(committer) => committer,
            None => unreachable!("a turn holds the lock until it is dropped"),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.committer = None;
        self.engine.settle_wanted(Patience::OneSlice);
    }
}

/// How long to go on settling for others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Until nothing is left: for who has dropped what held it up.
    UntilDone,
    /// Until a slice is cut short: for a commit, which should not pay for the end of a long snapshot.
    OneSlice,
}

/// Unless it reaches its end, the store is damaged.
pub(crate) struct NoReturn<'a> {
    engine: &'a Engine,
    what: What,
    reached_the_end: bool,
}

enum What {
    Commit(Commit),
    Settle,
}

impl NoReturn<'_> {
    pub(crate) fn reached_the_end(mut self) {
        self.reached_the_end = true;
    }
}

impl Drop for NoReturn<'_> {
    // Not a look at `thread::panicking`: a destructor may commit while an unwinding that has nothing to do with it goes on.
    fn drop(&mut self) {
        if self.reached_the_end {
            return;
        }
        let why = match self.what {
            What::Commit(commit) => format!("commit {commit} panicked while it was applied, which is a bug of memdex"),
            What::Settle => "a settle panicked, which is a bug of memdex".to_owned(),
        };
        // Only the holder of the commit lock gets here, and only once.
        let _ = self.engine.damage.set(why.clone());
        let _ = user_code::run(|| tracing::error!(why, "the store is damaged: writes are refused, reads go on"));
    }
}

/// A commit that is pinned as long as this lives.
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
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.engine.unpin(&self.pin);
    }
}
