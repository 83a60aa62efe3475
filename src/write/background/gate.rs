//! The gate before the queue: it admits submissions and wakes the flusher. All waiting happens here, none at the
//! channel, which has a place for every submission that the gate admits.

use super::error::BackgroundError;
use crate::storage::Drain;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When to commit, and how much may be in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) bulk_size: usize,
    pub(super) linger: Duration,
    pub(super) max_operations: usize,
    pub(super) max_bytes: usize,
}

impl Settings {
    /// Empty batches take a place as well, so their number is limited too.
    pub(super) fn max_submissions(&self) -> usize {
        self.max_operations.min(crate::limits::MAX_QUEUED_SUBMISSIONS)
    }
}

/// The size of submissions in the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) submissions: usize,
    pub(super) operations: usize,
    pub(super) bytes: usize,
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Size) {
        self.submissions += other.submissions;
        self.operations += other.operations;
        self.bytes += other.bytes;
    }
}

impl std::ops::SubAssign for Size {
    fn sub_assign(&mut self, other: Size) {
        self.submissions -= other.submissions;
        self.operations -= other.operations;
        self.bytes -= other.bytes;
    }
}

/// How long a submission waits for room.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    None,
    For(Duration),
    Forever,
}

pub(super) struct Gate {
    settings: Settings,
    state: Mutex<State>,
    /// The flusher waits here.
    work: Condvar,
    /// Callers of `flush` wait here.
    answered: Condvar,
}

#[derive(Default)]
struct State {
    /// Admitted and not yet answered: in the channel, or with the flusher. This is what the limits apply to.
    queued: Size,
    /// The numbers of submissions admitted and answered so far; both happen in the same order.
    admitted: u64,
    answered: u64,
    /// Submissions up to this number are committed without waiting for more.
    due: u64,
    /// Submitters that wait for room, first come, first served, so that many small submissions don't keep a big one out.
    line: VecDeque<Arc<Condvar>>,
    /// The last handle is dropped: no more submissions will come.
    closed: bool,
    /// The message of the panic, if the flusher has died.
    dead: Option<Arc<str>>,
}

impl Drain for Gate {
    fn drain(&self) -> Result<(), String> {
        self.flush().map_err(|why| why.to_string())
    }
}

impl Gate {
    pub(super) fn new(settings: Settings) -> Self {
        Gate { settings, state: Mutex::default(), work: Condvar::default(), answered: Condvar::default() }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn queued(&self) -> Size {
        self.state.lock().queued
    }

    // ---- producers ------------------------------------------------------------------------------------------------

    /// Admits a submission once there is room for it. `send` puts it into the channel under the lock, so the channel has the order
    /// of admission.
    pub(super) fn enter(&self, size: Size, patience: Patience, send: impl FnOnce()) -> Result<(), BackgroundError> {
        let Settings { max_operations, max_bytes, .. } = self.settings;
        if size.operations > max_operations {
            return Err(BackgroundError::TooManyOperations { operations: size.operations, limit: max_operations });
        }
        if size.bytes > max_bytes {
            return Err(BackgroundError::TooManyBytes { bytes: size.bytes, limit: max_bytes });
        }
        let mut state = self.state.lock();
        if state.dead.is_none() && (!state.line.is_empty() || !self.has_room(&state, size)) {
            state = match patience {
                Patience::None => {
                    // No more can join those in the queue, so they are committed now, to make room for the next try.
                    state.due = state.admitted;
                    self.work.notify_one();
                    return Err(BackgroundError::Full);
                }
                Patience::For(timeout) => {
                    let in_time = self.stand_in_line(state, size, Instant::now().checked_add(timeout));
                    in_time.ok_or(BackgroundError::TimedOut { timeout })?
                }
                Patience::Forever => match self.stand_in_line(state, size, None) {
                    Some(state) => state,
                    None => unreachable!("without a deadline there is no timeout"),
                },
            };
        }
        if let Some(why) = &state.dead {
            return Err(BackgroundError::Died { why: why.to_string() });
        }
        send();
        let was_idle = state.admitted == state.answered;
        state.admitted += 1;
        state.queued += size;
        debug_assert!(state.queued.operations <= self.settings.max_operations);
        debug_assert!(state.queued.bytes <= self.settings.max_bytes);
        // Otherwise the flusher keeps sleeping.
        if was_idle || state.queued.operations >= self.settings.bulk_size {
            self.work.notify_one();
        }
        Ok(())
    }

    fn has_room(&self, state: &State, size: Size) -> bool {
        let Settings { max_operations, max_bytes, .. } = self.settings;
        state.queued.submissions < self.settings.max_submissions()
            && size.operations <= max_operations - state.queued.operations
            && size.bytes <= max_bytes - state.queued.bytes
    }

    /// Waits until this submission is the first in line and has room, or the flusher is dead. Returns `None` if the deadline
    /// comes first.
    fn stand_in_line<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        size: Size,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let me = Arc::new(Condvar::default());
        state.line.push_back(me.clone());
        // No more can join those in the queue, so they are committed now.
        self.work.notify_one();
        let mut timed_out = false;
        let let_in = loop {
            let first = state.line.front().is_some_and(|first| Arc::ptr_eq(first, &me));
            if state.dead.is_some() || (first && self.has_room(&state, size)) {
                break true;
            }
            if timed_out {
                break false;
            }
            match deadline {
                Some(deadline) => (state, timed_out) = me.wait_until(&self.state, state, deadline),
                None => state = me.wait(state),
            }
        };
        state.line.retain(|other| !Arc::ptr_eq(other, &me));
        // There may be room for the next in line too.
        state.line.iter().take(1).for_each(|next| next.notify_one());
        let_in.then_some(state)
    }

    /// Waits until all submissions admitted so far are answered. They are committed without waiting for more.
    pub(super) fn flush(&self) -> Result<(), Arc<str>> {
        let mut state = self.state.lock();
        let last = state.admitted;
        if state.answered < last {
            state.due = last;
            self.work.notify_one();
        }
        while state.answered < last {
            if let Some(why) = &state.dead {
                return Err(why.clone());
            }
            state = self.answered.wait(state);
        }
        Ok(())
    }

    /// Announces that no more submissions will come.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_one();
    }

    // ---- the flusher ----------------------------------------------------------------------------------------------

    /// Waits until there is something to commit. Returns `false` when everything is answered and no more will come.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut deadline = None;
        let mut state = self.state.lock();
        loop {
            if state.admitted == state.answered {
                if state.closed {
                    return false;
                }
                state = self.work.wait(state);
                continue;
            }
            let State { queued, closed, due, answered, .. } = *state;
            if queued.operations >= self.settings.bulk_size
                || due > answered
                || closed
                || !state.line.is_empty()
                || self.settings.linger.is_zero()
            {
                return true;
            }
            // The linger time starts when the flusher is idle.
            match *deadline.get_or_insert_with(|| Instant::now().checked_add(self.settings.linger)) {
                None => state = self.work.wait(state),
                Some(deadline) => {
                    let timed_out;
                    (state, timed_out) = self.work.wait_until(&self.state, state, deadline);
                    if timed_out {
                        state.due = state.admitted;
                    }
                }
            }
        }
    }

    /// Releases the room of answered submissions.
    pub(super) fn release(&self, size: Size) {
        let mut state = self.state.lock();
        state.queued -= size;
        state.answered += size.submissions as u64;
        state.line.iter().take(1).for_each(|first| first.notify_one());
        drop(state);
        self.answered.notify_all();
    }

    /// Admits no more submissions and wakes all waiters.
    pub(super) fn die(&self, why: &str) {
        let mut state = self.state.lock();
        state.dead = Some(why.into());
        state.line.iter().for_each(|waiting| waiting.notify_one());
        drop(state);
        self.answered.notify_all();
    }
}
