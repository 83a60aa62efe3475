//! Which commit readers see: the newest one, or, in tests, an earlier one.
//!
//! While readers are to see commits late, `published` stays behind the newest commit that has been applied. Everything that reads finds its
//! commit by `published`, and everything that writes by [`Timeline::newest`]. One pin is held on each commit that may still be shown, in the
//! order of the commits; the first of them is on `published`. So a reader that pins `published` finds all that it sees, as ever: no state
//! of `published` is reclaimed before `published` has moved on, and readers that are still at the commit have pins of their own by then.

use super::engine::{Engine, Pinned};
use super::timeline::{Pin, Timeline};
use crate::clock::Timestamp;
use crate::error::{Cause, Commit};
use crate::sync::{
    Arc, AtomicBool, Mutex,
    Ordering::{Relaxed, SeqCst},
};
use crate::testing::Visibility;
use std::collections::VecDeque;

#[derive(Default)]
pub(crate) struct Shown {
    /// Whether `published` may be behind. Changed under the commit lock.
    is_late: AtomicBool,
    /// Whether the store refreshes after a time.
    refreshes: AtomicBool,
    real_time_keys: AtomicBool,
    /// No user code runs under this lock, and no other lock is taken but that of the pins.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    visibility: Visibility,
    /// Pins on the commits that may still be shown, ascending.
    held: VecDeque<Pin>,
    /// When to refresh.
    next: Option<Timestamp>,
}

impl State {
    /// Shows the newest commit that is far enough behind. Returns the pins that are not needed any longer.
    fn advance(&mut self, timeline: &Timeline, lag: u64) -> Vec<Pin> {
        let newest = timeline.newest().get();
        let is_far = |pin: &Pin| pin.epoch.get().saturating_add(lag) <= newest;
        let mut gone = Vec::new();
        while self.held.get(1).is_some_and(is_far) {
            gone.extend(self.held.pop_front());
        }
        if let Some(first) = self.held.front().filter(|_| !gone.is_empty()) {
            timeline.show(first.epoch);
        }
        gone
    }
}

impl Engine {
    /// Makes a commit visible that has been applied, or has it wait. Under the commit lock.
    pub(crate) fn publish(&self, commit: Commit) {
        let (shown, timeline) = (&self.shown, &self.timeline);
        if !shown.is_late.load(SeqCst) {
            timeline.publish(commit);
            return;
        }
        timeline.apply(commit);
        let mut state = shown.state.lock();
        let Some(lag) = state.visibility.lag else { return };
        state.held.push_back(timeline.hold(commit));
        let gone = state.advance(timeline, lag);
        drop(state);
        gone.iter().for_each(|pin| self.unpin(pin));
    }

    /// Lets readers see the newest commit. Waits for no commit.
    pub(crate) fn refresh(&self) {
        if !self.shown.is_late.load(SeqCst) {
            return;
        }
        let now = self.clock.for_reader();
        let mut state = self.shown.state.lock();
        // The setting may have changed meanwhile.
        if !self.shown.is_late.load(SeqCst) {
            return;
        }
        state.next = state.visibility.every.map(|every| now + every);
        let (pin, ()) = self.timeline.pin_newest(|| ());
        let is_held = state.held.back().is_some_and(|last| pin.epoch <= last.epoch);
        let mut gone = Vec::new();
        if is_held {
            gone.push(pin);
        } else {
            state.held.push_back(pin);
        }
        gone.extend(state.advance(&self.timeline, 0));
        drop(state);
        gone.iter().for_each(|pin| self.unpin(pin));
    }

    /// Refreshes if it is time to.
    #[inline]
    pub(crate) fn refresh_if_due(&self) {
        if self.shown.refreshes.load(Relaxed) {
            self.refresh_after(self.clock.for_reader());
        }
    }

    #[cold]
    fn refresh_after(&self, now: Timestamp) {
        let is_due = self.shown.state.lock().next.is_some_and(|next| next <= now);
        if is_due {
            self.refresh();
        }
    }

    pub(crate) fn set_visibility(&self, visibility: Visibility) -> Result<(), Cause> {
        let _guard = self.lock_to_write()?;
        let (shown, timeline) = (&self.shown, &self.timeline);
        let now = self.clock.for_reader();
        let mut state = shown.state.lock();
        shown.real_time_keys.store(visibility.real_time_keys, SeqCst);
        let mut gone = Vec::new();
        if visibility.is_immediate() {
            timeline.show(timeline.newest());
            gone.extend(state.held.drain(..));
        } else if state.held.back().is_none_or(|last| last.epoch < timeline.newest()) {
            // From here on it may be shown.
            state.held.push_back(timeline.hold(timeline.newest()));
        }
        shown.is_late.store(!visibility.is_immediate(), SeqCst);
        shown.refreshes.store(visibility.every.is_some() && !visibility.is_immediate(), SeqCst);
        state.visibility = visibility;
        state.next = visibility.every.map(|every| now + every);
        if let Some(lag) = visibility.lag {
            gone.extend(state.advance(timeline, lag));
        }
        drop(state);
        gone.iter().for_each(|pin| self.unpin(pin));
        Ok(())
    }

    pub(crate) fn visibility(&self) -> Visibility {
        self.shown.state.lock().visibility
    }

    /// Pins the commit that reads by key see.
    pub(super) fn pin_for_key(self: &Arc<Self>) -> Pinned {
        if self.shown.real_time_keys.load(SeqCst) { self.pin_newest() } else { self.pin() }
    }
}
