//! The pinned commits, as a pass of reclamation sees them.

use crate::error::Commit;
use crate::limits::PIN_SLOTS;
use crate::sync::Mutex;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// The pins that found no free slot, and the commits whose pins here have ended.
#[derive(Default)]
pub(crate) struct Overflow(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// How many pins there are on each commit.
    pins: BTreeMap<Commit, usize>,
    /// Commits that have lost their last pin here, until a pass takes them.
    ended: Vec<Commit>,
}

impl Overflow {
    /// O(log pins).
    pub(crate) fn add(&self, epoch: Commit) {
        *self.0.lock().pins.entry(epoch).or_default() += 1;
    }

    /// Removes a pin. If it was the last one on its commit and `may_retain` says that a pass may have retained something for
    /// it, the next pass is told so. O(log pins).
    pub(crate) fn remove(&self, epoch: Commit, may_retain: impl FnOnce() -> bool) {
        let Counts { pins, ended } = &mut *self.0.lock();
        let Some(count) = pins.get_mut(&epoch) else {
            debug_assert!(false, "the pin was added");
            return;
        };
        *count -= 1;
        if *count == 0 {
            pins.remove(&epoch);
            if may_retain() {
                ended.push(epoch);
            }
        }
    }

    fn newest_within(&self, from: Commit, until: Commit) -> Option<Commit> {
        self.0.lock().pins.range(from..until).next_back().map(|(epoch, _)| *epoch)
    }
}

/// The pinned commits. Pins that end during the pass may be among them. Pins that begin during the pass are on the newest commit,
/// or move there at once; a pass retains nothing for those.
pub(crate) struct Pins<'a> {
    /// Those in slots when the pass began: ascending and distinct.
    in_slots: SmallVec<[Commit; PIN_SLOTS]>,
    /// The others, as they are at each moment; `None` if there were none.
    others: Option<&'a Overflow>,
}

impl<'a> Pins<'a> {
    /// Also returns the commits that have lost their last pin in `others` since the last call.
    pub(crate) fn read(in_slots: impl Iterator<Item = Commit>, others: &'a Overflow) -> (Self, Vec<Commit>) {
        let mut counts = others.0.lock();
        let ended = std::mem::take(&mut counts.ended);
        (Pins::new(in_slots, others, &counts), ended)
    }

    /// As [`read`](Self::read), and leaves the ended ones for the next pass.
    pub(crate) fn peek(in_slots: impl Iterator<Item = Commit>, others: &'a Overflow) -> Self {
        Pins::new(in_slots, others, &others.0.lock())
    }

    fn new(in_slots: impl Iterator<Item = Commit>, others: &'a Overflow, counts: &Counts) -> Self {
        let others = (!counts.pins.is_empty()).then_some(others);
        let mut in_slots: SmallVec<[Commit; PIN_SLOTS]> = in_slots.collect();
        in_slots.sort_unstable();
        in_slots.dedup();
        Pins { in_slots, others }
    }

    /// Pins on these commits, ascending.
    #[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
    pub(crate) fn on(commits: &[Commit]) -> Pins<'static> {
        Pins { in_slots: commits.into(), others: None }
    }

    /// The commits that were pinned in slots: ascending and distinct.
    pub(crate) fn in_slots(&self) -> &[Commit] {
        &self.in_slots
    }

    /// The newest pinned commit within `from..until`. O(log pins).
    pub(crate) fn newest_within(&self, from: Commit, until: Commit) -> Option<Commit> {
        debug_assert!(from <= until);
        let before = self.in_slots.partition_point(|epoch| *epoch < until);
        let in_slots = self.in_slots[..before].last().copied().filter(|epoch| *epoch >= from);
        let other = self.others.and_then(|others| others.newest_within(from, until));
        in_slots.max(other)
    }

    /// The newest pinned commit before another.
    pub(crate) fn newest_before(&self, commit: Commit) -> Option<Commit> {
        self.newest_within(Commit::ZERO, commit)
    }

    pub(crate) fn contains(&self, commit: Commit) -> bool {
        self.newest_within(commit, commit.next()).is_some()
    }

    /// The oldest pinned commit.
    pub(crate) fn oldest(&self) -> Option<Commit> {
        let other = self.others.and_then(|others| others.0.lock().pins.keys().next().copied());
        self.in_slots.first().copied().into_iter().chain(other).min()
    }

    /// How many distinct commits are pinned. O(slots × log pins).
    pub(crate) fn count(&self) -> usize {
        let Some(others) = self.others else { return self.in_slots.len() };
        let others = &others.0.lock().pins;
        others.len() + self.in_slots.iter().filter(|epoch| !others.contains_key(epoch)).count()
    }
}
