//! The queue of one subscription: bounded, written by the thread that delivers, read by the subscriber.
//!
//! Events that do not fit make a *gap*: a mark behind the last event, which grows with every later commit until the reader gets to it.
//! The reader then takes a snapshot, outside of the lock. Commits that arrive after the mark was taken are queued again, or make another gap;
//! the reader skips what the snapshot shows. So nothing is lost between the two, and an unread gap pins nothing.
//!
//! No user code runs under the lock: wakers are called, and records dropped, after it is released.

use super::event::Event;
use crate::error::Commit;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, thread};
use crate::user_code;
use std::collections::VecDeque;
use std::mem;
use std::task::Waker;
use std::time::{Duration, Instant};

/// A number of operations and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) operations: usize,
    pub(crate) bytes: usize,
}

impl Size {
    pub(crate) fn plus(self, other: Size) -> Size {
        Size {
            operations: self.operations.saturating_add(other.operations),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn minus(self, other: Size) -> Size {
        Size { operations: self.operations - other.operations, bytes: self.bytes - other.bytes }
    }

    pub(super) fn fits(self, limit: Size) -> bool {
        self.operations <= limit.operations && self.bytes <= limit.bytes
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) limit: Size,
    /// How long a writer waits for room; `None` if it does not wait.
    pub(crate) writers_wait: Option<Duration>,
    /// After this many commits without an event, a progress mark. 0 for none.
    pub(crate) progress_every: u64,
}

/// How long a reader waits for the next event.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    None,
    Until(Instant),
    Forever,
}

/// What a reader takes from a queue.
pub(crate) enum Taken {
    Event(Event),
    /// Events from the first to the second position are missing. A snapshot taken from now on shows them.
    Gap(Commit, Commit),
    /// No other event up to this commit concerns the subscription.
    Progress(Commit),
    /// Nothing yet.
    Nothing,
    /// The store is gone and everything was taken.
    End,
}

/// A subscription in the statistics of its store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// The name of the subscription.
    pub name: String,
    /// Events in its queue.
    pub queued_events: usize,
    /// Changes in its queue.
    pub queued_operations: usize,
    /// Memory that its queue keeps from being freed, at most. The store and other queues may hold the same records.
    pub queued_bytes: usize,
    /// How often it has missed commits.
    pub gaps: u64,
    /// Batches that were refused because its queue had no room in time.
    pub refusals: u64,
}

/// In this order, the fields that a delivery touches share three cache lines: most queues are in no cache when an event comes.
#[repr(C)]
pub(crate) struct Queue {
    pub(super) id: u64,
    /// The commit of the first snapshot. Later ones are reported.
    pub(super) since: Commit,
    limit: Size,
    /// The reader waits here.
    arrived: Condvar,
    state: Mutex<State>,
    /// Writers wait here.
    room: Condvar,
    pub(crate) settings: Settings,
    /// The names of the collections that it follows; `None` for all.
    pub(super) collections: Option<Vec<Arc<str>>>,
}

#[derive(Default)]
#[repr(C)]
struct State {
    /// The subscription was dropped.
    closed: bool,
    events: VecDeque<(Event, Size)>,
    queued: Size,
    /// The newest commit that was queued, missed, or marked as progress.
    newest: Commit,
    /// Behind the last event: the positions of the first and the last event that are missing.
    gap: Option<(Commit, Commit)>,
    waker: Option<Waker>,
    /// Behind the gap.
    progress: Option<Commit>,
    /// Room for commits that have not been delivered yet.
    reserved: Size,
    gaps: u64,
    refusals: u64,
    /// The thread that has read last. It never waits for room, since nobody else would make some.
    reader: Option<thread::ThreadId>,
    /// The store was dropped.
    ended: bool,
}

impl State {
    fn take(&mut self) -> Taken {
        if let Some((event, size)) = self.events.pop_front() {
            self.queued = self.queued.minus(size);
            return Taken::Event(event);
        }
        if let Some((from, to)) = self.gap.take() {
            return Taken::Gap(from, to);
        }
        match self.progress.take() {
            Some(commit) => Taken::Progress(commit),
            None if self.ended => Taken::End,
            None => Taken::Nothing,
        }
    }
}

impl Queue {
    pub(super) fn new(id: u64, settings: Settings, collections: Option<Vec<Arc<str>>>, since: Commit) -> Self {
        let state = Mutex::new(State { newest: since, ..State::default() });
        let (limit, arrived, room) = (settings.limit, Condvar::default(), Condvar::default());
        Queue { id, since, limit, arrived, state, room, settings, collections }
    }

    /// Whether it follows changes of a collection.
    pub(crate) fn follows(&self, collection: &str) -> bool {
        self.collections.as_ref().is_none_or(|names| names.iter().any(|name| **name == *collection))
    }

    // ---- the thread that delivers ---------------------------------------------------------------------------------

    /// Queues an event, or makes a gap. An event for which room was reserved goes in although it may be larger than that, unless it
    /// exceeds the limit by itself. Returns the event if it was not queued: the caller drops it.
    pub(super) fn push(&self, event: Event, size: Size, is_reserved: bool) -> Option<Event> {
        let limit = self.limit;
        let mut state = self.state.lock();
        if state.closed {
            return Some(event);
        }
        let position = event.position();
        state.newest = position;
        let has_room = if is_reserved { size.fits(limit) } else { state.queued.plus(size).fits(limit) };
        let missed = match state.gap {
            None if has_room => {
                state.queued = state.queued.plus(size);
                state.events.push_back((event, size));
                None
            }
            None => {
                state.gap = Some((position, position));
                state.gaps += 1;
                Some(event)
            }
            Some((from, _)) => {
                state.gap = Some((from, position));
                Some(event)
            }
        };
        self.wake(state);
        missed
    }

    /// All events up to `commit` were pushed. Leaves a progress mark if there was none for long. Returns the commit at which to call
    /// this again.
    pub(super) fn mark_progress(&self, commit: Commit) -> Commit {
        let after = |commit: Commit| Commit::from_number(commit.get().saturating_add(self.settings.progress_every));
        let mut state = self.state.lock();
        let due = after(state.newest);
        if due > commit {
            return due;
        }
        state.newest = commit;
        // A reader that is behind has no use for it yet.
        if state.events.is_empty() && state.gap.is_none() {
            state.progress = Some(commit);
            self.wake(state);
        }
        after(commit)
    }

    /// The store is gone: the reader gets what is queued, then the end.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_one();
        // Foreign code.
        if let Some(waker) = waker {
            let _ = user_code::run(|| waker.wake());
        }
    }

    // ---- writers --------------------------------------------------------------------------------------------------

    /// Reserves room for a commit of this size; waits for it. `Ok(false)` if the commit need not or can't have it: it is larger than
    /// the limit, the subscription has ended, or nobody would make room since this thread is the reader. The error is the size
    /// of the queue.
    pub(super) fn reserve(&self, size: Size, timeout: Duration) -> Result<bool, Size> {
        let limit = self.limit;
        if !size.fits(limit) {
            return Ok(false);
        }
        let deadline = Instant::now().checked_add(timeout);
        let mut timed_out = timeout.is_zero();
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Ok(false);
            }
            let taken = state.queued.plus(state.reserved);
            if taken.plus(size).fits(limit) {
                state.reserved = state.reserved.plus(size);
                return Ok(true);
            }
            if state.reader == Some(thread::current().id()) {
                return Ok(false);
            }
            if timed_out {
                state.refusals += 1;
                return Err(taken);
            }
            match deadline {
                Some(deadline) => (state, timed_out) = self.room.wait_until(&self.state, state, deadline),
                None => state = self.room.wait(state),
            }
        }
    }

    /// Gives a reservation back.
    pub(super) fn release(&self, size: Size) {
        let mut state = self.state.lock();
        state.reserved = state.reserved.minus(size);
        drop(state);
        self.room.notify_all();
    }

    // ---- the reader -----------------------------------------------------------------------------------------------

    /// Takes the next event, and waits for it. Inside user code it does not wait, since the events may have to be delivered by
    /// this thread.
    pub(crate) fn take(&self, patience: Patience) -> Taken {
        let mut timed_out = false;
        let mut state = self.state.lock();
        loop {
            match state.take() {
                Taken::Nothing => {}
                taken => return self.taken(state, taken),
            }
            state = match patience {
                _ if timed_out || user_code::inside() => return self.taken(state, Taken::Nothing),
                Patience::None => return self.taken(state, Taken::Nothing),
                Patience::Forever => self.arrived.wait(state),
                Patience::Until(deadline) => {
                    let guard;
                    (guard, timed_out) = self.arrived.wait_until(&self.state, state, deadline);
                    guard
                }
            };
        }
    }

    /// Takes the next event; if there is none, `waker` is woken by it. Returns the displaced waker too, to be dropped.
    pub(crate) fn poll(&self, waker: Waker) -> (Taken, Option<Waker>) {
        let mut state = self.state.lock();
        match state.take() {
            Taken::Nothing => {
                let displaced = state.waker.replace(waker);
                (self.taken(state, Taken::Nothing), displaced)
            }
            taken => (self.taken(state, taken), Some(waker)),
        }
    }

    fn taken(&self, mut state: MutexGuard<'_, State>, taken: Taken) -> Taken {
        state.reader = Some(thread::current().id());
        drop(state);
        if matches!(taken, Taken::Event(_)) {
            self.room.notify_all();
        }
        taken
    }

    /// The names of the collections that it follows; `None` for all.
    #[cfg(feature = "testing")]
    pub(crate) fn collections(&self) -> Option<Vec<Arc<str>>> {
        self.collections.clone()
    }

    /// Takes all events out, to be dropped, and makes a gap of them.
    #[cfg(feature = "testing")]
    pub(crate) fn lose(&self) -> impl Iterator<Item = Event> + use<> {
        let mut state = self.state.lock();
        let events = mem::take(&mut state.events);
        if let (Some((first, _)), Some((last, _))) = (events.front(), events.back()) {
            let to = state.gap.map_or(last.position(), |(_, to)| to);
            state.gaps += u64::from(state.gap.is_none());
            state.gap = Some((first.position(), to));
            state.queued = Size::default();
        }
        drop(state);
        self.room.notify_all();
        events.into_iter().map(|(event, _)| event)
    }

    /// Whether the store is gone and everything was taken.
    pub(crate) fn is_ended(&self) -> bool {
        let state = self.state.lock();
        state.ended && state.events.is_empty() && state.gap.is_none() && state.progress.is_none()
    }

    /// The reader is gone: takes no more events and lets writers pass. Returns what was queued, to be dropped.
    pub(crate) fn close(&self) -> (impl Iterator<Item = Event> + use<>, Option<Waker>) {
        let mut state = self.state.lock();
        state.closed = true;
        let (events, waker) = (mem::take(&mut state.events), state.waker.take());
        state.queued = Size::default();
        drop(state);
        self.room.notify_all();
        (events.into_iter().map(|(event, _)| event), waker)
    }

    pub(super) fn stats(&self) -> SubscriptionStats {
        let state = self.state.lock();
        SubscriptionStats {
            name: self.settings.name.clone(),
            queued_events: state.events.len(),
            queued_operations: state.queued.operations,
            queued_bytes: state.queued.bytes,
            gaps: state.gaps,
            refusals: state.refusals,
        }
    }
}
