//! Which commit readers see: the newest one, or, in tests, an earlier one.
//!
//! While readers are to see commits late, `published` stays behind the newest commit that has been applied. Everything that reads finds its
//! commit by `published`, and everything that writes by [`Timeline::newest`]. One pin is held on each commit that may still be shown, in the
//! order of the commits; the first of them is on `published`. So a reader that pins `published` finds all that it sees, as ever: no state
//! of `published` is reclaimed before `published` has moved on, and readers that are still at the commit have pins of their own by then.
//!
//! A held pin is released under the commit lock only, so never while a pass of reclamation reads the pins one after the other: a pass might
//! otherwise read the place of a new reader before that reader pins the shown commit, and the place of the held pin after its end.

use super::timeline::{Pin, Timeline};
use crate::clock::Timestamp;
use crate::sync::{AtomicBool, Mutex};
use crate::testing::Visibility;
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Shown {
    /// Whether `published` may be behind. Changed under the commit lock.
    pub(super) is_late: AtomicBool,
    /// Whether the store refreshes after a time.
    pub(super) refreshes: AtomicBool,
    pub(super) real_time_keys: AtomicBool,
    /// Whether pins are to be released.
    pub(super) has_ended: AtomicBool,
    /// No user code runs under this lock, and no other lock is taken but that of the pins.
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) visibility: Visibility,
    /// Pins on the commits that may still be shown, ascending.
    pub(super) held: VecDeque<Pin>,
    /// When to refresh.
    pub(super) next: Option<Timestamp>,
    /// Pins that are not needed any longer, to be released under the commit lock.
    pub(super) ended: Vec<Pin>,
}

impl State {
    /// Shows the newest commit that is far enough behind. Returns the pins that are not needed any longer.
    pub(super) fn advance(&mut self, timeline: &Timeline, lag: u64) -> Vec<Pin> {
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
