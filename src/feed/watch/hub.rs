//! One answer for all who watch the same question. The first reader takes the next commit in; the others find its update in a short log.

use super::follow::Follow;
use crate::error::Commit;
use crate::feed::{FeedEvent, Subscription};
use crate::limits::{KEPT_DIFFERENCES, KEPT_UPDATES};
use crate::storage::{CommitInfo, Counters, Engine, TableOf};
use crate::sync::{Arc, AtomicBool, AtomicU64, Condvar, Mutex, MutexGuard, Ordering::SeqCst, Weak};
use crate::user_code;
use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

pub(super) struct Hub<F: Follow> {
    table: TableOf<F::Record>,
    engine: Weak<Engine>,
    counters: Arc<Counters>,
    state: Mutex<State<F>>,
    bell: Arc<Bell>,
    /// A reader in user code has found the lock taken, and waits for the bell.
    has_missed: AtomicBool,
    next_reader: AtomicU64,
}

/// What a reader drops once it has released the lock.
struct Dropped<U> {
    updates: Vec<(Commit, U)>,
    commits: Vec<Arc<CommitInfo>>,
}

impl<U> Default for Dropped<U> {
    fn default() -> Self {
        Dropped { updates: Vec::new(), commits: Vec::new() }
    }
}

struct State<F: Follow> {
    subscription: Subscription,
    follow: F,
    /// The commit that the answer is of.
    commit: Commit,
    /// Each with its commit.
    log: VecDeque<(Commit, F::Update)>,
    /// The differences in the log.
    logged: usize,
    /// The number of the first update in the log.
    first: u64,
    /// An extractor has panicked while a commit was taken in, so the answer has to be read again.
    is_stale: bool,
    is_ended: bool,
}

/// The place of a reader.
pub(super) struct Place<F: Follow> {
    /// Its number.
    reader: u64,
    /// The number of the next update that it reads.
    next: u64,
    pub(super) answer: F::Answer,
    pub(super) commit: Commit,
}

/// Wakes all readers.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<BellState>,
    rung: Condvar,
}

#[derive(Default)]
struct BellState {
    times: u64,
    /// By reader.
    wakers: BTreeMap<u64, Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

impl Bell {
    pub(super) fn ring(&self) {
        let mut state = self.state.lock();
        state.times += 1;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.rung.notify_all();
        // Foreign code, under no lock.
        user_code::drop_each(wakers.into_values().map(Ringing));
    }

    fn times(&self) -> u64 {
        self.state.lock().times
    }

    /// Has the waker of a reader called when it rings next.
    fn register(&self, reader: u64, waker: Waker) {
        let old = self.state.lock().wakers.insert(reader, waker);
        drop(old);
    }

    /// Waits until it has rung more often than that. Returns `false` if the deadline has passed before.
    fn wait(&self, times: u64, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.times == times {
            match deadline {
                None => state = self.rung.wait(state),
                Some(deadline) => {
                    let timed_out;
                    (state, timed_out) = self.rung.wait_until(&self.state, state, deadline);
                    if timed_out && state.times == times {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Wakes when it is dropped.
struct Ringing(Waker);

impl Drop for Ringing {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

/// What a reader finds.
pub(super) enum Next<U> {
    Update(U),
    Nothing,
    End,
}

impl<F: Follow> Hub<F> {
    pub(super) fn new(
        engine: &Arc<Engine>,
        table: TableOf<F::Record>,
        subscription: Subscription,
        follow: F,
        commit: Commit,
    ) -> Self {
        let (log, logged, first, is_stale, is_ended) = (VecDeque::new(), 0, 0, false, false);
        let state = State { subscription, follow, commit, log, logged, first, is_stale, is_ended };
        Hub {
            table,
            engine: Arc::downgrade(engine),
            counters: engine.counters.clone(),
            state: Mutex::new(state),
            bell: Arc::default(),
            has_missed: AtomicBool::new(false),
            next_reader: AtomicU64::new(0),
        }
    }

    /// A new reader, from the answer after everything that has been delivered. `None` if the updates have ended, or another reader is in
    /// the way of one inside user code.
    pub(super) fn join(&self) -> Option<Place<F>> {
        let mut dropped = Dropped::default();
        let mut state = self.lock()?;
        while let Poll::Ready(true) = self.take_in_next(&mut state, &mut dropped) {}
        let (next, commit) = (state.first + state.log.len() as u64, state.commit);
        let reader = self.next_reader.fetch_add(1, SeqCst);
        let place = (!state.is_ended).then(|| Place { reader, next, answer: state.follow.answer(commit), commit });
        self.release(state, dropped);
        place
    }

    /// Releases the lock, then drops what has left.
    fn release(&self, mut state: MutexGuard<'_, State<F>>, dropped: Dropped<F::Update>) {
        let released = state.follow.released();
        drop(state);
        // Those who found the lock taken look again.
        if self.has_missed.swap(false, SeqCst) {
            self.bell.ring();
        }
        let Dropped { updates, commits } = dropped;
        self.counters.drop_each(updates);
        self.counters.drop_each(released);
        self.counters.report_drop_panics(commits.into_iter().map(CommitInfo::let_go).sum());
    }

    // ---- the way of an update -------------------------------------------------------------------------------------------

    /// The next update for a reader. `waker` is called when there may be another one.
    pub(super) fn poll(&self, place: &mut Place<F>, waker: Option<&Waker>) -> Next<F::Update> {
        if let Some(waker) = waker {
            // Before the look, so that it misses nothing.
            self.bell.register(place.reader, waker.clone());
        }
        let Some(mut state) = self.lock() else { return Next::Nothing };
        let mut dropped = Dropped::default();
        let next = loop {
            // 1. The log has the updates that others have made.
            if let Some(update) = self.logged(&mut state, place) {
                break Next::Update(update);
            }
            // 2. Otherwise take the next commit in.
            match self.take_in_next(&mut state, &mut dropped) {
                Poll::Ready(true) => continue,
                Poll::Ready(false) => break Next::End,
                Poll::Pending => break Next::Nothing,
            }
        };
        self.release(state, dropped);
        next
    }

    /// Inside user code, which may run while the thread takes a commit in, nobody waits.
    fn lock(&self) -> Option<MutexGuard<'_, State<F>>> {
        if !user_code::inside() {
            return Some(self.state.lock());
        }
        self.state.try_lock().or_else(|| {
            // Either the lock is free by now, or its holder finds the flag after it has released it.
            self.has_missed.store(true, SeqCst);
            self.state.try_lock()
        })
    }

    fn logged(&self, state: &mut State<F>, place: &mut Place<F>) -> Option<F::Update> {
        let end = state.first + state.log.len() as u64;
        if place.next < state.first {
            place.next = end;
            let update = state.follow.since(&place.answer, state.commit);
            place.answer = state.follow.answer(state.commit);
            place.commit = state.commit;
            return update;
        }
        let Some((commit, update)) = state.log.get((place.next - state.first) as usize).cloned() else {
            // The commits since the last update do not concern the answer.
            place.commit = state.commit;
            return None;
        };
        place.next += 1;
        place.commit = commit;
        F::apply(&update, &mut place.answer);
        Some(update)
    }

    /// Takes the next event of the subscription in; `false` at its end. Runs extractors.
    fn take_in_next(&self, state: &mut State<F>, dropped: &mut Dropped<F::Update>) -> Poll<bool> {
        if state.is_ended {
            return Poll::Ready(false);
        }
        if state.is_stale
            && let Some(engine) = self.engine.upgrade()
        {
            self.read_again(state, &crate::read::Snapshot::of_newest(&engine), dropped);
            return Poll::Ready(!state.is_ended);
        }
        let waker = Waker::from(self.bell.clone());
        let event = match state.subscription.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(event) => event,
        };
        match event {
            Some(FeedEvent::Commit(info)) if info.number() > state.commit => {
                state.is_stale = true;
                let taken = state.follow.take_in(info.number(), info.changes(&self.table.name));
                state.is_stale = false;
                state.commit = info.number();
                dropped.commits.push(info);
                match taken {
                    Ok(Some(update)) => {
                        state.logged += F::size(&update);
                        let commit = state.commit;
                        state.log.push_back((commit, update));
                        while (state.log.len() > KEPT_UPDATES || state.logged > KEPT_DIFFERENCES)
                            && let Some(oldest) = state.log.pop_front()
                        {
                            state.logged -= F::size(&oldest.1);
                            state.first += 1;
                            dropped.updates.push(oldest);
                        }
                    }
                    Ok(None) => {}
                    Err(_) => state.is_ended = true,
                }
            }
            // A snapshot has shown it.
            Some(FeedEvent::Commit(info)) => dropped.commits.push(info),
            Some(FeedEvent::Progress(commit)) => state.commit = state.commit.max(commit),
            Some(FeedEvent::Missed(missed)) => self.read_again(state, &missed.snapshot, dropped),
            Some(FeedEvent::Dropped { .. }) | None => state.is_ended = true,
        }
        Poll::Ready(!state.is_ended)
    }

    /// Reads the answer from a snapshot. Everybody gets the differences from what they have.
    fn read_again(&self, state: &mut State<F>, snapshot: &crate::read::Snapshot, dropped: &mut Dropped<F::Update>) {
        state.is_stale = true;
        let loaded = state.follow.load(&snapshot.of_table(&self.table));
        state.is_stale = false;
        state.is_ended |= loaded.is_err();
        state.commit = snapshot.commit();
        state.first += state.log.len() as u64 + 1;
        state.logged = 0;
        dropped.updates.extend(state.log.drain(..));
    }

    /// As [`poll`](Self::poll), but waits for the update.
    pub(super) fn wait(
        &self,
        place: &mut Place<F>,
        deadline: Option<Instant>,
        is_stopped: impl Fn() -> bool,
    ) -> Next<F::Update> {
        loop {
            let times = self.bell.times();
            if is_stopped() {
                return Next::Nothing;
            }
            match self.poll(place, None) {
                Next::Nothing if user_code::inside() => return Next::Nothing,
                Next::Nothing => {}
                other => return other,
            }
            if !self.bell.wait(times, deadline) {
                return Next::Nothing;
            }
        }
    }

    pub(super) fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }
}
