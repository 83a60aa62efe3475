//! What all collections of a store share: the sequence of commits, the pins, the commit lock, time, and the observers.

use super::observers::{CommitInfo, Observers};
use super::table::{AnyTable, Backlog};
use super::timeline::{Pin, Timeline};
use crate::clock::{Clock, SteadyClock, Timestamp};
use crate::error::{Cause, Commit};
use crate::hash::RandomState;
use crate::limits::SETTLE_SLICE;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, OnceLock, Ordering::SeqCst, RwLock};
use crate::user_code;
use smallvec::SmallVec;

pub(crate) struct Engine {
    pub(crate) timeline: Timeline,
    pub(crate) clock: SteadyClock,
    pub(crate) observers: Observers,
    pub(crate) seed: RandomState,
    pub(crate) counters: Counters,
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

/// Versions that nobody sees any longer, to be dropped once every lock is released.
#[derive(Default)]
pub(crate) struct Garbage(SmallVec<[Box<dyn FnOnce() -> u64>; 2]>);

impl Garbage {
    /// Each value will be dropped by itself.
    pub(crate) fn add<T: 'static>(
        &mut self,
        values: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator + 'static>,
    ) {
        let values = values.into_iter();
        if values.len() > 0 {
            self.0.push(Box::new(|| user_code::drop_each(values)));
        }
    }
}

impl Engine {
    pub(crate) fn new(clock: Box<dyn Clock>) -> Self {
        Engine {
            timeline: Timeline::new(),
            clock: SteadyClock::new(clock),
            observers: Observers::default(),
            seed: crate::hash::random(),
            counters: Counters::default(),
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

    // ---- pins -----------------------------------------------------------------------------------------------------

    /// Pins the newest commit, and takes the time that belongs to it.
    pub(crate) fn pin(&self) -> (Pin, Timestamp) {
        self.timeline.pin(|| self.clock.now())
    }

    /// Gives a pin back. No commit may follow, so what only this pin has held up is settled here.
    pub(crate) fn unpin(self: &Arc<Self>, pin: &Pin) {
        self.timeline.unpin(pin);
        if !self.lingering.load(SeqCst) {
            return;
        }
        self.wanted.store(true, SeqCst);
        if user_code::inside() {
            // A guard may be held further up this thread, so it has to wait until that call ends.
            let engine = self.clone();
            user_code::defer(move || engine.settle_wanted(usize::MAX));
        } else {
            self.settle_wanted(usize::MAX);
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

    // ---- settling -------------------------------------------------------------------------------------------------

    /// Settles as long as somebody wants it, at most `slices` slices, without ever waiting for the lock: who holds it
    /// reads `wanted` after letting go.
    pub(crate) fn settle_wanted(&self, slices: usize) {
        for _ in 0..slices {
            if !self.wanted.load(SeqCst) || self.damage.get().is_some() {
                return;
            }
            let Some(mut committer) = self.committer.try_lock() else { return };
            let garbage = self.settle(&mut committer, |_, _| {});
            drop(committer);
            self.dispose(garbage);
        }
    }

    /// Forgets what no pinned reader sees: `own` first, what the commit at hand has displaced, then a bounded slice of
    /// what earlier ones have left. Runs after the publish, so that no new reader can come to need it.
    fn settle(&self, committer: &mut Committer, own: impl FnOnce(&[Commit], &mut Garbage)) -> Garbage {
        // A subscriber is user code too, and here the commit lock is held.
        let _scope = user_code::Scope::enter();
        let _span = tracing::trace_span!("settle").entered();
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
                backlog != Backlog::Nothing
            });
            self.lingering.store(left != Backlog::Nothing, SeqCst);
            if left == Backlog::CutShort {
                self.wanted.store(true, SeqCst);
            }
            if left != Backlog::Pinned {
                return garbage;
            }
            // A pin that was dropped before `lingering` was raised has left its settling to nobody: look again.
            let now_pinned = self.timeline.pinned();
            if pinned.iter().all(|e| now_pinned.binary_search(e).is_ok()) {
                return garbage;
            }
            pinned = now_pinned;
        }
    }

    /// Has the observers answer for what a commit is about to change.
    pub(crate) fn invalidate(&self, commit: &CommitInfo) {
        self.report_observer_panics(self.observers.invalidate(commit));
    }

    /// Tells the observers what is queued, in order. Outside of every lock.
    pub(crate) fn tell(&self) {
        let (observer_panics, drop_panics) = self.observers.tell();
        self.report_observer_panics(observer_panics);
        self.report_drop_panics(drop_panics);
    }

    /// Drops garbage, outside of every lock.
    pub(crate) fn dispose(&self, garbage: Garbage) {
        self.report_drop_panics(garbage.0.into_iter().map(|drop_all| drop_all()).sum());
    }

    fn report_observer_panics(&self, panics: u64) {
        if panics > 0 {
            self.counters.observer_panics.fetch_add(panics, SeqCst);
            tracing::error!(panics, "observers panicked; the commits stand");
        }
    }

    fn report_drop_panics(&self, panics: u64) {
        if panics > 0 {
            self.counters.drop_panics.fetch_add(panics, SeqCst);
            tracing::error!(panics, "records panicked in their Drop; the store is unharmed");
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
        NoReturn { engine: self.engine, commit, reached_the_end: false }
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
        engine.settle(self.held(), own)
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
        self.engine.settle_wanted(1);
    }
}

/// Unless it reaches its end, the store is damaged.
pub(crate) struct NoReturn<'a> {
    engine: &'a Engine,
    commit: Commit,
    reached_the_end: bool,
}

impl NoReturn<'_> {
    pub(crate) fn reached_the_end(mut self) {
        self.reached_the_end = true;
    }
}

impl Drop for NoReturn<'_> {
    // Not a look at `thread::panicking`: a destructor may commit while an unwinding that has nothing to do with it goes on.
    fn drop(&mut self) {
        if !self.reached_the_end {
            let why = format!("commit {} panicked while it was applied, which is a bug of memdex", self.commit);
            tracing::error!(why, "the store is damaged: writes are refused from here on, reads go on");
            // Only the holder of the commit lock gets here, and only once.
            let _ = self.engine.damage.set(why);
        }
    }
}
