//! The peak of memory use, estimated without measuring at each commit.
//!
//! The committer counts a part of a collection's memory as it changes: versions, keys and back references. The rest,
//! mostly indexes, must be walked, which takes longer than a commit may. But all of it grows and shrinks with the
//! records. So a walk is needed only before a descent: before a commit that brings the total of removed records above a
//! sixteenth of the highest counted bytes. A walk happens only if the counted bytes have grown by a sixteenth since the
//! last walk. So the number of walks is at most the number of growth steps of a sixteenth in the collection's life, and
//! a collection that grows or keeps its size is never walked.
//!
//! Versions that pinned readers retain are counted. So a descent that begins when a pin is dropped is detected
//! afterwards: the difference between the highest and the current counted bytes is added to the result of the next
//! walk.

use super::stats::MemoryFigures;
use crate::sync::{Ordering::Relaxed, Tally};

/// A descent begins when a sixteenth of the highest is removed, and is measured if the highest has grown by a sixteenth
/// since the last walk.
const PART: u64 = 16;
/// Growth by fewer bytes is never measured.
const FEW: u64 = 64 << 10;

/// In bytes. Everything except `peak` and `looked_at` changes only under the commit lock.
#[derive(Default)]
pub(super) struct Peak {
    peak: Tally,
    /// The bytes that all tables count now.
    counted: Tally,
    /// The highest `counted` since the last descent began.
    highest: Tally,
    /// The bytes by which the records are below their highest. This exceeds the decrease of `counted` if readers retain
    /// versions.
    gone: Tally,
    /// The highest `counted` at any walk.
    looked_at: Tally,
}

impl Peak {
    /// Adds the change of a table's counted bytes, wrapping around. The caller holds the commit lock.
    pub(super) fn count(&self, change: u64) {
        self.counted.store(self.counted.load(Relaxed).wrapping_add(change), Relaxed);
    }

    /// Call this when a commit or a reclamation pass has finished counting.
    pub(super) fn settled(&self) {
        let counted = self.counted.load(Relaxed);
        if counted > self.highest.load(Relaxed) {
            self.highest.store(counted, Relaxed);
        }
    }

    /// Call this before a commit that removes records of `leave` counted bytes and adds `come`. Measures by `walk` if a
    /// descent begins.
    pub(super) fn about_to_change(&self, leave: u64, come: u64, walk: impl FnOnce() -> u64) {
        let gone = self.gone.load(Relaxed).saturating_add(leave).saturating_sub(come);
        self.gone.store(gone, Relaxed);
        let (counted, highest) = (self.counted.load(Relaxed), self.highest.load(Relaxed));
        if gone.max(highest.saturating_sub(counted)) <= highest / PART {
            return;
        }
        if self.has_grown() {
            self.look(|| (walk(), ()));
        }
        self.highest.store(counted, Relaxed);
        self.gone.store(leave, Relaxed);
    }

    /// Whether there is enough memory to measure without a request.
    pub(super) fn is_much(&self) -> bool {
        self.highest.load(Relaxed) > FEW
    }

    fn has_grown(&self) -> bool {
        let looked_at = self.looked_at.load(Relaxed);
        self.highest.load(Relaxed) > looked_at + looked_at / PART + FEW
    }

    /// Measures everything by `walk`, with or without the commit lock.
    pub(super) fn look<T>(&self, walk: impl FnOnce() -> (u64, T)) -> (MemoryFigures, T) {
        let (highest, counted) = (self.highest.load(Relaxed), self.counted.load(Relaxed));
        let (now, beside) = walk();
        // If a commit has changed `counted` meanwhile, the walk may or may not include it, so the two can't be
        // compared.
        let held_up = if self.counted.load(Relaxed) == counted { highest.saturating_sub(counted) } else { 0 };
        self.peak.fetch_max(now + held_up, Relaxed);
        self.looked_at.fetch_max(highest, Relaxed);
        let peak = self.peak.load(Relaxed);
        (MemoryFigures { now: now as usize, peak: peak as usize }, beside)
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KB: u64 = 1 << 10;

    /// Records and retained versions of 1 KB each, and an index of 1 KB for each record.
    #[derive(Default)]
    struct World {
        peak: Peak,
        records: u64,
        held_up: u64,
        walks: usize,
        highest: u64,
    }

    impl World {
        fn bytes(&self) -> u64 {
            (2 * self.records + self.held_up) * KB
        }

        fn commit(&mut self, come: u64, leave: u64, pinned: bool) {
            let leave = leave.min(self.records);
            let bytes = self.bytes();
            self.peak.about_to_change(leave * KB, come * KB, || {
                self.walks += 1;
                bytes
            });
            self.records = self.records + come - leave;
            self.peak.count(come.wrapping_sub(leave).wrapping_mul(KB));
            if pinned {
                self.held_up += leave;
                self.peak.count(leave * KB);
            }
            self.settled();
        }

        fn unpin(&mut self) {
            self.peak.count(0_u64.wrapping_sub(self.held_up * KB));
            self.held_up = 0;
            self.settled();
        }

        fn settled(&mut self) {
            self.peak.settled();
            self.highest = self.highest.max(self.bytes());
        }

        fn peak(&self) -> u64 {
            self.peak.look(|| (self.bytes(), ())).0.peak as u64
        }
    }

    #[test]
    fn growth_and_changes_walk_nothing_and_each_descent_once() {
        let mut world = World::default();
        (0..10_000).for_each(|_| world.commit(1, 0, false));
        (0..10_000).for_each(|_| world.commit(1, 1, false));
        assert_eq!(world.walks, 0);
        for _ in 0..10 {
            (0..9_000).for_each(|_| world.commit(0, 1, false));
            (0..9_000).for_each(|_| world.commit(1, 0, false));
        }
        assert_eq!(world.walks, 1, "memory was never higher than before the first descent");
        assert_eq!(world.peak(), world.highest);
    }

    #[test]
    fn all_that_goes_at_once_was_seen() {
        let mut world = World::default();
        world.commit(10_000, 0, false);
        world.commit(0, 10_000, false);
        assert_eq!((world.walks, world.peak()), (1, 20_000 * KB));
    }

    #[test]
    fn what_a_pin_has_held_up_was_seen() {
        let mut world = World::default();
        world.commit(1_000, 0, false);
        // Each record is replaced again and again, and all versions are retained.
        for _ in 0..10_000 {
            world.peak.count(KB);
            world.held_up += 1;
            world.commit(0, 0, true);
        }
        world.unpin();
        assert_eq!(world.peak(), world.highest);
        world.commit(1, 0, false);
        (0..500).for_each(|_| world.commit(0, 1, false));
        assert_eq!((world.peak(), world.walks), (world.highest, 0));
    }

    proptest! {
        #[test]
        fn an_eighth_is_the_most_that_stays_unseen(
            steps in prop::collection::vec((0..4_u8, 0..2_000_u64, 0..2_000_u64), 1..200),
        ) {
            let mut world = World::default();
            let mut told = 0;
            for (kind, come, leave) in steps {
                match kind {
                    0 => world.commit(come, leave, false),
                    1 => world.commit(0, leave / 100, true),
                    2 => world.unpin(),
                    _ => (0..come).for_each(|_| world.commit(1, 0, false)),
                }
                if come % 16 == 0 {
                    told = world.peak();
                }
                prop_assert!(told <= world.highest * 17 / 16 && world.peak.peak.load(Relaxed) >= told);
            }
            let peak = world.peak();
            prop_assert!(peak + 4 * FEW >= world.highest / 8 * 7, "{} of {}", peak, world.highest);
            prop_assert!(peak <= world.highest * 17 / 16, "{} of {}", peak, world.highest);
        }
    }
}
