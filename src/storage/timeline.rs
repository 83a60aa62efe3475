//! Which commit may readers see, and which commits do some still read?
//!
//! `published` is the newest commit that readers may see. A pin is a slot that holds the commit its reader stands on:
//! one a pin, not a thread. More pins than slots go into a map.
//!
//! Invariant: whoever reads the pins after it has published `c` sees every pin that was or will be taken at a commit
//! before `c`. A pin is stored before `published` is read again, the settle publishes before it reads the pins, all
//! sequentially consistent: so either the pinner sees the new commit and moves its pin there, or the settle sees the pin.
//! (This is the announcement of hazard pointers, and of epoch-based reclamation.)

use crate::error::Commit;
use crate::limits::PIN_SLOTS;
use crate::sync::{self, AtomicU64, Mutex, Ordering::SeqCst, per_thread};
use std::cell::Cell;
use std::collections::BTreeMap;

const FREE: u64 = Commit::MAX.get();

/// On a cache line of its own, so that readers on different cores do not meet.
#[repr(align(64))]
struct Padded(AtomicU64);

pub(crate) struct Timeline {
    published: Padded,
    slots: [Padded; PIN_SLOTS],
    overflow: Mutex<Overflow>,
}

#[derive(Default)]
struct Overflow {
    next: u64,
    pins: BTreeMap<u64, Commit>,
}

/// A pin that is taken. Give it back with [`Timeline::unpin`]; it never moves.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(crate) epoch: Commit,
    place: Place,
    /// It was announced at an older commit first, under which a settle may have filed something.
    moved: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Slot(usize),
    Overflow(u64),
}

per_thread! {
    /// The slot that this thread used last: most likely free again, and in its core's cache.
    static LAST_SLOT: Cell<usize> = Cell::new(0);
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Timeline {
            published: Padded(AtomicU64::new(0)),
            slots: std::array::from_fn(|_| Padded(AtomicU64::new(FREE))),
            overflow: Mutex::new(Overflow::default()),
        }
    }

    /// The newest commit that readers may see.
    #[inline]
    pub(crate) fn published(&self) -> Commit {
        Commit::from_number(self.published.0.load(SeqCst))
    }

    /// Makes `commit` visible: one store, the whole batch.
    pub(crate) fn publish(&self, commit: Commit) {
        self.published.0.store(commit.get(), SeqCst);
        sync::fence();
    }

    /// Pins the newest commit. `between` runs after the pin is announced and before it is known to hold, and may run
    /// again: what it gives belongs to the commit that is pinned.
    pub(crate) fn pin<T>(&self, mut between: impl FnMut() -> T) -> (Pin, T) {
        let mut epoch = self.published();
        let place = self.announce(epoch);
        let mut moved = false;
        loop {
            sync::fence();
            let value = between();
            let newest = self.published();
            if newest == epoch {
                return (Pin { epoch, place, moved }, value);
            }
            epoch = newest;
            moved = true;
            self.announce_again(place, epoch);
        }
    }

    fn announce(&self, epoch: Commit) -> Place {
        let hint = LAST_SLOT.try_with(Cell::get).unwrap_or(0);
        for at in 0..PIN_SLOTS {
            let slot = (hint + at) % PIN_SLOTS;
            let place = &self.slots[slot].0;
            // A look first: to try is to take the line away from its owner.
            if place.load(SeqCst) == FREE && place.compare_exchange(FREE, epoch.get(), SeqCst, SeqCst).is_ok() {
                // Failing to remember costs the next pin a few steps at most.
                let _ = LAST_SLOT.try_with(|last| last.set(slot));
                return Place::Slot(slot);
            }
        }
        let mut overflow = self.overflow.lock();
        overflow.next += 1;
        let ticket = overflow.next;
        overflow.pins.insert(ticket, epoch);
        Place::Overflow(ticket)
    }

    fn announce_again(&self, place: Place, epoch: Commit) {
        match place {
            Place::Slot(slot) => self.slots[slot].0.store(epoch.get(), SeqCst),
            Place::Overflow(ticket) => {
                self.overflow.lock().pins.insert(ticket, epoch);
            }
        }
    }

    /// Gives a pin back. Whether it may have held anything up: not so if its commit is still the newest, since what later
    /// ones displace is settled by them, after they have read the pins.
    pub(crate) fn unpin(&self, pin: &Pin) -> bool {
        match pin.place {
            Place::Slot(slot) => {
                debug_assert_eq!(self.slots[slot].0.load(SeqCst), pin.epoch.get());
                self.slots[slot].0.store(FREE, SeqCst);
                sync::fence();
            }
            Place::Overflow(ticket) => {
                let epoch = self.overflow.lock().pins.remove(&ticket);
                debug_assert_eq!(epoch, Some(pin.epoch));
            }
        }
        pin.moved || self.published() != pin.epoch
    }

    /// The pinned commits, ascending, each once. A pin that was taken before the newest publish is among them.
    pub(crate) fn pinned(&self) -> Vec<Commit> {
        sync::fence();
        let in_slots = self.slots.iter().map(|s| s.0.load(SeqCst)).filter(|c| *c != FREE);
        let mut pinned: Vec<Commit> = in_slots.map(Commit::from_number).collect();
        pinned.extend(self.overflow.lock().pins.values());
        pinned.sort_unstable();
        pinned.dedup();
        pinned
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::reclaim::newest_within;

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
        assert_eq!(timeline.pinned(), all);
        let last = pins.pop().unwrap();
        let first = pins.remove(0);
        assert!(!timeline.unpin(&last), "nothing can have waited for a pin on the newest commit");
        assert!(timeline.unpin(&first));
        assert_eq!(timeline.pinned(), all[1..all.len() - 1]);
        let within = |from, until| {
            newest_within(&timeline.pinned(), Commit::from_number(from), Commit::from_number(until)).map(Commit::get)
        };
        assert_eq!(within(0, 1), None);
        assert_eq!(within(0, 3), Some(2));
        assert_eq!(within(3, 3), None);
        assert!(pins.iter().all(|pin| timeline.unpin(pin)));
        assert!(timeline.pinned().is_empty());
    }

    #[test]
    fn a_pin_follows_a_publish_in_its_middle() {
        let timeline = Timeline::new();
        let mut publishes = [7, 9].map(Commit::from_number).into_iter();
        let (pin, seen) = timeline.pin(|| {
            let seen = timeline.published();
            publishes.next().inspect(|commit| timeline.publish(*commit));
            seen
        });
        assert_eq!((pin.epoch.get(), seen.get()), (9, 9));
        assert_eq!(timeline.pinned(), [seen]);
        assert!(timeline.unpin(&pin), "something may have been filed under the commit at which it was announced first");
    }
}

/// Which orderings pin and publish need: `RUSTFLAGS="--cfg memdex_loom" cargo test --release --lib timeline`.
#[cfg(all(test, memdex_loom))]
mod orderings {
    use super::*;
    use crate::reclaim::newest_within;
    use crate::sync::{Arc, AtomicBool, Ordering::Relaxed};
    use loom::thread;

    struct Shared {
        timeline: Timeline,
        /// What commit 1 writes before it is published.
        written: AtomicBool,
        /// Commit 1 has forgotten what only commit 0 sees.
        forgotten: AtomicBool,
    }

    fn shared() -> Arc<Shared> {
        let timeline = Timeline::new();
        Arc::new(Shared { timeline, written: AtomicBool::new(false), forgotten: AtomicBool::new(false) })
    }

    fn commit(shared: &Shared) {
        shared.written.store(true, Relaxed);
        shared.timeline.publish(Commit::ZERO.next());
        if newest_within(&shared.timeline.pinned(), Commit::ZERO, Commit::ZERO.next()).is_none() {
            shared.forgotten.store(true, Relaxed);
        }
    }

    /// A reader relies on nothing but its pin: everything else it does is relaxed.
    fn read(shared: &Shared) {
        let (pin, ()) = shared.timeline.pin(|| ());
        if pin.epoch == Commit::ZERO {
            assert!(!shared.forgotten.load(Relaxed), "what a pinned commit sees is kept");
        } else {
            assert!(shared.written.load(Relaxed), "what is published is there");
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
            assert!(shared.timeline.pinned().is_empty());
        });
    }

    #[test]
    fn a_pin_against_a_commit() {
        race(1);
    }

    /// There is one slot under loom, so one of the pins may go to the overflow.
    #[test]
    fn two_pins_against_a_commit() {
        race(2);
    }

    /// An unpinned get: it has seen the version of a commit before it reads `published`; if the commit is published then,
    /// all of it is there.
    #[test]
    fn published_tells_all() {
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
