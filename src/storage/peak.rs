//! The most memory that was in use, though nobody looks at each commit.
//!
//! Of the memory of a collection the committer *counts* a part as it goes: versions, keys, the words of rows. The rest, indexes above
//! all, is known by walking alone, which takes longer than a commit may. But all of it grows and shrinks with the records, so a
//! walk is needed only where a descent begins: before a commit that has more than a sixteenth of the counted bytes leave, since they
//! were at their highest. Walked is only what has grown by a sixteenth since the last walk, so there are no more walks than a
//! collection takes steps of a sixteenth in its life, and none while it grows, or stays as big as it was.
//!
//! What pinned readers have held up is counted, so a descent that began when a pin was dropped is seen afterwards: what was
//! counted at the highest, beside what is walked now.

use super::stats::MemoryFigures;
use crate::sync::{Ordering::Relaxed, Tally};

/// What part of the highest may leave unseen, and by what part it must have grown to be looked at again.
const PART: u64 = 16;
/// Growth by less is never looked at.
const FEW: u64 = 64 << 10;

/// Bytes. All but the peak and what was looked at is changed under the commit lock alone.
#[derive(Default)]
pub(super) struct Peak {
    peak: Tally,
    /// What all committers' tables count now.
    counted: Tally,
    /// The most that was counted since the last descent began.
    highest: Tally,
    /// How much less the records are than they were at the most: less than that of what is counted, where readers hold it up.
    gone: Tally,
    /// The most that was counted whenever all was walked.
    looked_at: Tally,
}

impl Peak {
    /// The bytes that a table counts have changed by so much, wrapping around. Under the commit lock.
    pub(super) fn count(&self, change: u64) {
        self.counted.store(self.counted.load(Relaxed).wrapping_add(change), Relaxed);
    }

    /// A commit or a settle is done with counting.
    pub(super) fn settled(&self) {
        let counted = self.counted.load(Relaxed);
        if counted > self.highest.load(Relaxed) {
            self.highest.store(counted, Relaxed);
        }
    }

    /// A commit is about to take records of so many counted bytes away, and to bring others: the moment to look, by `walk`, if a
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

    /// Whether there is enough for a look that nobody has asked for.
    pub(super) fn is_much(&self) -> bool {
        self.highest.load(Relaxed) > FEW
    }

    fn has_grown(&self) -> bool {
        let looked_at = self.looked_at.load(Relaxed);
        self.highest.load(Relaxed) > looked_at + looked_at / PART + FEW
    }

    /// Looks at all of it by `walk`, with the commit lock or without.
    pub(super) fn look<T>(&self, walk: impl FnOnce() -> (u64, T)) -> (MemoryFigures, T) {
        let (highest, counted) = (self.highest.load(Relaxed), self.counted.load(Relaxed));
        let (now, beside) = walk();
        // A commit that has changed what is counted meanwhile is in what was walked, or not: then there is nothing to compare it with.
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

    /// Records and versions held up of 1 KB each, and an index of as much for each record.
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
        assert_eq!(world.walks, 1, "it was never higher than before the first");
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
        // Each record is replaced again and again, and all of it held up.
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
