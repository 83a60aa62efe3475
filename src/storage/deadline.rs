//! The deadline of a version: the time from which on its record counts as missing. Its word also counts how often readers have used the
//! record, for the eviction from collections with a bound.

use crate::clock::Timestamp;
use crate::sync::{AtomicI64, Ordering::SeqCst};

/// A deadline that readers may move to a later time, until one of them has found it past.
///
/// The two lowest bits count uses, up to 3. The next bit is set once somebody has seen the record expired; then it stays expired. The
/// rest is the time in microseconds.
///
/// A version without a deadline in a collection without a bound has all bits set: so a look-up finds with one comparison that it
/// has nothing to check and nothing to count.
pub(crate) struct Deadline(AtomicI64);

/// No deadline, and as many uses as are counted.
const PLAIN: i64 = i64::MAX;
/// The uses.
const USES: i64 = 0b11;
const FROZEN: i64 = 0b100;
/// The time is above the other bits.
const SHIFT: u32 = 3;
/// Deadlines from this time on, in the year 38,000, are none.
const TOO_FAR: i64 = i64::MAX >> SHIFT;

fn is_none(state: i64) -> bool {
    state | USES == PLAIN
}

impl Deadline {
    /// Its uses are not counted.
    pub(crate) fn new(time: Option<Timestamp>) -> Self {
        let micros = time.map(Timestamp::as_micros).filter(|micros| *micros < TOO_FAR);
        // Times before the range are as past as its beginning.
        let state = micros.map_or(PLAIN, |micros| micros.max(i64::MIN >> SHIFT) << SHIFT | USES);
        Deadline(AtomicI64::new(state))
    }

    /// No deadline.
    pub(crate) fn none() -> Self {
        Deadline(AtomicI64::new(PLAIN))
    }

    /// The time; `None` if there is no deadline.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let state = self.0.load(SeqCst);
        (!is_none(state)).then(|| Timestamp::from_micros(state >> SHIFT))
    }

    #[inline]
    pub(crate) fn exists(&self) -> bool {
        !is_none(self.0.load(SeqCst))
    }

    /// Whether a reader has nothing to check and nothing to count: there is no deadline, and no use is missing.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.0.load(SeqCst) == PLAIN
    }

    // ---- uses ------------------------------------------------------------------------------------------------------

    /// How often the record was used since this was last set, up to 3.
    pub(crate) fn uses(&self) -> u8 {
        (self.0.load(SeqCst) & USES) as u8
    }

    /// Counts from here on.
    pub(crate) fn set_uses(&self, uses: u8) {
        let mut state = self.0.load(SeqCst);
        let with = |state: i64| state & !USES | i64::from(uses).min(USES);
        // Readers may use the record or move its deadline meanwhile.
        while let Err(other) = self.0.compare_exchange(state, with(state), SeqCst, SeqCst) {
            state = other;
        }
    }

    /// Counts a use, unless there are 3. If another thread changes the word at that moment, the use may be lost.
    #[inline]
    pub(crate) fn count_use(&self) {
        let state = self.0.load(SeqCst);
        if state & USES < USES {
            let _ = self.0.compare_exchange(state, state + 1, SeqCst, SeqCst);
        }
    }

    // ---- time ------------------------------------------------------------------------------------------------------

    /// Whether the deadline is past at `time`. If it is, it stays where it is from then on.
    #[inline]
    pub(crate) fn is_past(&self, time: Timestamp) -> bool {
        let state = self.0.load(SeqCst);
        !is_none(state) && state >> SHIFT <= time.as_micros() && self.freeze(state, time)
    }

    #[cold]
    fn freeze(&self, mut state: i64, time: Timestamp) -> bool {
        while state & FROZEN == 0 {
            if state >> SHIFT > time.as_micros() {
                return false;
            }
            match self.0.compare_exchange(state, state | FROZEN, SeqCst, SeqCst) {
                Ok(_) => return true,
                Err(other) => state = other,
            }
        }
        state >> SHIFT <= time.as_micros()
    }

    /// Moves the deadline to `to` if that is later. Returns `false` if it is past at `time`, or somebody has seen it past.
    #[inline]
    pub(crate) fn slide(&self, time: Timestamp, to: Timestamp) -> bool {
        let mut state = self.0.load(SeqCst);
        loop {
            if is_none(state) {
                return true;
            }
            if state & FROZEN != 0 || state >> SHIFT <= time.as_micros() {
                return !self.is_past(time) && state & FROZEN == 0;
            }
            if state >> SHIFT >= to.as_micros() || to.as_micros() >= TOO_FAR {
                return true;
            }
            match self.0.compare_exchange(state, to.as_micros() << SHIFT | state & USES, SeqCst, SeqCst) {
                Ok(_) => return true,
                Err(other) => state = other,
            }
        }
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn uses_and_time_share_a_word() {
        let at = Timestamp::from_micros;
        for time in [None, Some(at(-5)), Some(at(7)), Some(at(TOO_FAR - 1))] {
            let deadline = Deadline::new(time);
            assert_eq!((deadline.time(), deadline.uses(), deadline.is_plain()), (time, 3, time.is_none()));
            deadline.set_uses(0);
            (1..=5).for_each(|used| {
                deadline.count_use();
                assert_eq!((deadline.uses(), deadline.time()), (used.min(3), time));
            });
            deadline.set_uses(1);
            assert_eq!((deadline.exists(), deadline.is_plain()), (time.is_some(), false));
            assert!(!deadline.is_past(at(-6)));
            let is_near = time.is_some_and(|time| time < at(8));
            assert_eq!((deadline.is_past(at(8)), deadline.uses(), deadline.time()), (is_near, 1, time));
            assert_eq!(deadline.slide(at(8), at(20)), !is_near, "a frozen deadline stays");
            assert_eq!((deadline.uses(), deadline.time()), (1, time));
        }
        let deadline = Deadline::new(Some(at(7)));
        deadline.set_uses(2);
        assert!(deadline.slide(at(6), at(9)));
        assert_eq!((deadline.time(), deadline.uses()), (Some(at(9)), 2));
        assert_eq!(Deadline::new(Some(at(TOO_FAR))).time(), None);
    }
}
