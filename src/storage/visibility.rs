//! The settings of visibility; `shown` has the protocol.

use super::engine::{Engine, Pinned};
use crate::clock::Timestamp;
use crate::error::{Cause, Commit};
use crate::sync::{
    Arc,
    Ordering::{Relaxed, SeqCst},
};
use crate::testing::Visibility;

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
        if is_held {
            self.unpin(&pin);
        } else {
            state.held.push_back(pin);
        }
        let mut gone = state.advance(&self.timeline, 0);
        state.ended.append(&mut gone);
        drop(state);
        self.shown.has_ended.store(true, SeqCst);
        self.pins_have_ended();
    }

    /// Releases the pins that refreshing has made superfluous. Under the commit lock.
    pub(super) fn release_ended(&self) {
        if self.shown.has_ended.swap(false, SeqCst) {
            let ended = std::mem::take(&mut self.shown.state.lock().ended);
            ended.iter().for_each(|pin| self.unpin(pin));
        }
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
        self.release_ended();
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
