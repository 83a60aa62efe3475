//! The newest published commit, and the commits that readers have pinned.
//!
//! `published` is the newest commit that readers may see. A pin occupies a slot that holds the pinned commit. Slots
//! belong to pins, not to threads. If all slots are taken, further pins are counted in a map.
//!
//! Invariant: a thread that publishes `c` and then reads the pins sees every pin that was or will be taken at a commit
//! before `c`. The pinning thread stores its pin before it reads `published` again, and the committer publishes before
//! it reads the pins, all sequentially consistent. So either the pinning thread sees the new commit and moves its pin
//! there, or the committer sees the pin. (Hazard pointers and epoch-based reclamation announce readers in the same
//! way.)

use crate::error::Commit;
use crate::limits::PIN_SLOTS;
use crate::reclaim::{Overflow, Pins};
use crate::sync::{self, AtomicU64, Ordering::SeqCst, per_thread};
use std::cell::Cell;

const FREE: u64 = Commit::MAX.get();

/// Fills a cache line, so that readers on different cores do not share one.
#[repr(align(64))]
struct Padded(AtomicU64);

pub(crate) struct Timeline {
    published: Padded,
    /// The newest commit that has been applied. Readers may see it late; see `visibility`.
    #[cfg(feature = "testing")]
    applied: Padded,
    /// Their number is a power of two.
    slots: Box<[Padded]>,
    overflow: Overflow,
}

/// A taken pin. Release it with [`Timeline::unpin`]. It never moves to another slot.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(crate) epoch: Commit,
    place: Place,
    /// The pin was first announced at an older commit, so a reclamation pass may have retained something for it there.
    moved: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Slot(usize),
    Overflow,
}

per_thread! {
    /// The slot that this thread used last: it is probably free again, and in the cache of the thread's core.
    static LAST_SLOT: Cell<usize> = Cell::new(0);
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Timeline::starting_at(Commit::ZERO, PIN_SLOTS)
    }

    /// The next commit is the one after `published`.
    pub(crate) fn starting_at(published: Commit, slots: usize) -> Self {
        Timeline {
            published: Padded(AtomicU64::new(published.get())),
            #[cfg(feature = "testing")]
            applied: Padded(AtomicU64::new(published.get())),
            slots: (0..slots).map(|_| Padded(AtomicU64::new(FREE))).collect(),
            overflow: Overflow::default(),
        }
    }

    /// The newest commit that readers may see.
    #[inline]
    pub(crate) fn published(&self) -> Commit {
        Commit::from_number(self.published.0.load(SeqCst))
    }

    /// The newest commit, whether or not readers see it yet. Writes judge its state.
    #[inline]
    pub(crate) fn newest(&self) -> Commit {
        #[cfg(feature = "testing")]
        return Commit::from_number(self.applied.0.load(SeqCst));
        #[cfg(not(feature = "testing"))]
        self.published()
    }

    /// Makes `commit` visible: one store publishes the whole batch.
    pub(crate) fn publish(&self, commit: Commit) {
        #[cfg(feature = "testing")]
        self.apply(commit);
        self.show(commit);
    }

    /// Makes `commit` the newest, and leaves what readers see.
    #[cfg(feature = "testing")]
    pub(super) fn apply(&self, commit: Commit) {
        self.applied.0.store(commit.get(), SeqCst);
        sync::loom_fence();
    }

    /// Lets readers see `commit`. If it is not the newest, a pin on it is held.
    pub(super) fn show(&self, commit: Commit) {
        self.published.0.store(commit.get(), SeqCst);
        sync::loom_fence();
    }

    /// Holds a pin on the newest commit. Under the commit lock, so that it stays the newest meanwhile.
    #[cfg(feature = "testing")]
    pub(super) fn hold(&self, newest: Commit) -> Pin {
        // The slots are left to readers.
        self.overflow.add(newest);
        Pin { epoch: newest, place: Place::Overflow, moved: false }
    }

    /// Pins the commit that readers see. `between` runs after the pin is announced and before it is confirmed, and may run
    /// several times. The returned value belongs to the pinned commit.
    pub(crate) fn pin<T>(&self, between: impl FnMut() -> T) -> (Pin, T) {
        self.pin_by(Timeline::published, between)
    }

    /// As [`pin`](Self::pin), for the newest commit.
    pub(crate) fn pin_newest<T>(&self, between: impl FnMut() -> T) -> (Pin, T) {
        self.pin_by(Timeline::newest, between)
    }

    #[inline]
    fn pin_by<T>(&self, newest_of: impl Fn(&Timeline) -> Commit, mut between: impl FnMut() -> T) -> (Pin, T) {
        let mut epoch = newest_of(self);
        let place = self.announce(epoch);
        let mut moved = false;
        loop {
            sync::loom_fence();
            let value = between();
            let newest = newest_of(self);
            if newest == epoch {
                return (Pin { epoch, place, moved }, value);
            }
            self.announce_again(place, epoch, newest);
            epoch = newest;
            moved = true;
        }
    }

    fn announce(&self, epoch: Commit) -> Place {
        let hint = LAST_SLOT.try_with(Cell::get).unwrap_or(0);
        for at in 0..self.slots.len() {
            let slot = (hint + at) & (self.slots.len() - 1);
            let place = &self.slots[slot].0;
            // Load first: a compare-exchange would take the cache line away from its owner.
            if place.load(SeqCst) == FREE && place.compare_exchange(FREE, epoch.get(), SeqCst, SeqCst).is_ok() {
                // If this fails, the next pin searches a few more slots.
                let _ = LAST_SLOT.try_with(|last| last.set(slot));
                return Place::Slot(slot);
            }
        }
        self.overflow.add(epoch);
        Place::Overflow
    }

    fn announce_again(&self, place: Place, before: Commit, epoch: Commit) {
        match place {
            Place::Slot(slot) => self.slots[slot].0.store(epoch.get(), SeqCst),
            Place::Overflow => {
                self.overflow.add(epoch);
                self.overflow.remove(before, || true);
            }
        }
    }

    /// Releases a pin. Returns whether it may have blocked a reclamation. It has not if its commit is still the newest:
    /// later commits reclaim what they replace after they have read the pins.
    pub(crate) fn unpin(&self, pin: &Pin) -> bool {
        match pin.place {
            Place::Slot(slot) => {
                debug_assert_eq!(self.slots[slot].0.load(SeqCst), pin.epoch.get());
                self.slots[slot].0.store(FREE, SeqCst);
                sync::loom_fence();
            }
            Place::Overflow => self.overflow.remove(pin.epoch, || self.published() != pin.epoch),
        }
        pin.moved || self.published() != pin.epoch
    }

    /// The pinned commits at some moment, for statistics.
    pub(crate) fn pins_now(&self) -> Pins<'_> {
        Pins::peek(self.in_slots(), &self.overflow)
    }

    fn in_slots(&self) -> impl Iterator<Item = Commit> {
        let in_slots = self.slots.iter().map(|slot| slot.0.load(SeqCst)).filter(|commit| *commit != FREE);
        in_slots.map(Commit::from_number)
    }

    /// The pinned commits: every pin that was taken before the newest publish, and perhaps some that have ended since. Also
    /// returns the commits whose last pin in the map has ended since the last call.
    pub(crate) fn pins(&self) -> (Pins<'_>, Vec<Commit>) {
        sync::loom_fence();
        Pins::read(self.in_slots(), &self.overflow)
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    /// The pinned commits among the first hundred.
    fn pinned(timeline: &Timeline) -> Vec<Commit> {
        let (pins, _) = timeline.pins();
        let all: Vec<Commit> = (0..100).map(Commit::from_number).filter(|commit| pins.contains(*commit)).collect();
        assert_eq!((pins.count(), pins.oldest()), (all.len(), all.first().copied()));
        all
    }

    #[test]
    fn more_pins_than_slots() {
        let timeline = Timeline::new();
        let mut pins: Vec<Pin> = (0..PIN_SLOTS * 2)
            .map(|commit| {
                timeline.publish(Commit::from_number(commit as u64));
                timeline.pin(|| ()).0
            })
            .collect();
        let all: Vec<Commit> = (0..PIN_SLOTS as u64 * 2).map(Commit::from_number).collect();
        assert_eq!(pinned(&timeline), all);
        let last = pins.pop().unwrap();
        let first = pins.remove(0);
        assert!(!timeline.unpin(&last), "a pin on the newest commit can't have blocked a reclamation");
        assert!(timeline.unpin(&first));
        assert_eq!(pinned(&timeline), all[1..all.len() - 1]);
        let within = |from, until| {
            let (pins, _) = timeline.pins();
            pins.newest_within(Commit::from_number(from), Commit::from_number(until)).map(Commit::get)
        };
        assert_eq!(within(0, 1), None);
        assert_eq!(within(0, 3), Some(2));
        assert_eq!(within(3, 3), None);
        assert!(pins.iter().all(|pin| timeline.unpin(pin)));
        let (left, ended) = timeline.pins();
        assert_eq!((left.count(), left.oldest()), (0, None));
        assert_eq!(ended, all[PIN_SLOTS..all.len() - 1], "those of the map, except the newest commit");
    }

    #[test]
    fn a_pin_moves_to_a_commit_published_meanwhile() {
        let timeline = Timeline::new();
        let mut publishes = [7, 9].map(Commit::from_number).into_iter();
        let (pin, seen) = timeline.pin(|| {
            let seen = timeline.published();
            publishes.next().inspect(|commit| timeline.publish(*commit));
            seen
        });
        assert_eq!((pin.epoch.get(), seen.get()), (9, 9));
        assert_eq!(pinned(&timeline), [seen]);
        assert!(
            timeline.unpin(&pin),
            "something may have been retained for the commit at which the pin was first announced"
        );
    }
}

/// Checks the orderings that pin and publish need: `RUSTFLAGS="--cfg memdex_loom" cargo test --release --lib timeline`.
#[cfg(all(test, memdex_loom))]
mod orderings {
    use super::*;
    use crate::sync::{Arc, AtomicBool, Ordering::Relaxed};
    use loom::thread;

    struct Shared {
        timeline: Timeline,
        /// Commit 1 writes this before it is published.
        written: AtomicBool,
        /// Commit 1 has reclaimed what only commit 0 sees.
        forgotten: AtomicBool,
    }

    fn shared() -> Arc<Shared> {
        let timeline = Timeline::new();
        Arc::new(Shared { timeline, written: AtomicBool::new(false), forgotten: AtomicBool::new(false) })
    }

    fn commit(shared: &Shared) {
        shared.written.store(true, Relaxed);
        shared.timeline.publish(Commit::ZERO.next());
        let (pins, _) = shared.timeline.pins();
        if pins.newest_within(Commit::ZERO, Commit::ZERO.next()).is_none() {
            shared.forgotten.store(true, Relaxed);
        }
    }

    /// A reader relies only on its pin: its other accesses are relaxed.
    fn read(shared: &Shared) {
        let (pin, ()) = shared.timeline.pin(|| ());
        if pin.epoch == Commit::ZERO {
            assert!(!shared.forgotten.load(Relaxed), "a version that a pinned commit sees must be retained");
        } else {
            assert!(shared.written.load(Relaxed), "the writes of a published commit must be visible");
        }
        shared.timeline.unpin(&pin);
    }

    fn race(readers: usize) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let shared = shared();
            let readers: Vec<_> = (0..readers)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || read(&shared))
                })
                .collect();
            commit(&shared);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            assert_eq!(shared.timeline.pins().0.count(), 0);
        });
    }

    #[test]
    fn a_pin_against_a_commit() {
        race(1);
    }

    /// Loom builds have one slot, so one of the pins may go to the overflow map.
    #[test]
    fn two_pins_against_a_commit() {
        race(2);
    }

    /// A get without a pin has seen the version of a commit before it reads `published`. If the commit is published by
    /// then, all its changes are visible.
    #[test]
    fn a_published_commit_is_visible_as_a_whole() {
        loom::model(|| {
            let shared = shared();
            let committer = {
                let shared = shared.clone();
                thread::spawn(move || commit(&shared))
            };
            if shared.timeline.published() == Commit::ZERO.next() {
                assert!(shared.written.load(Relaxed));
            }
            committer.join().unwrap();
        });
    }
}
