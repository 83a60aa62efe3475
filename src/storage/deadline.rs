//! The deadline of a version: the time from which on its record counts as missing.

use crate::clock::Timestamp;
use crate::sync::{AtomicI64, Ordering::SeqCst};

/// A deadline that readers may move to a later time, until one of them has found it past.
///
/// The lowest bit is set once somebody has seen the record expired; then it stays expired. The rest is the time in microseconds.
pub(crate) struct Deadline(AtomicI64);

/// The state of a deadline that does not exist.
const NEVER: i64 = i64::MAX;
/// Deadlines from this time on, in the year 148,000, are none.
const TOO_FAR: i64 = i64::MAX >> 1;

impl Deadline {
    pub(crate) fn new(time: Option<Timestamp>) -> Self {
        let micros = time.map(Timestamp::as_micros).filter(|micros| *micros < TOO_FAR);
        // Times before the range are as past as its beginning.
        Deadline(AtomicI64::new(micros.map_or(NEVER, |micros| micros.max(i64::MIN >> 1) << 1)))
    }

    /// No deadline.
    pub(crate) fn none() -> Self {
        Deadline(AtomicI64::new(NEVER))
    }

    /// The time; `None` if there is no deadline.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let state = self.0.load(SeqCst);
        (state != NEVER).then(|| Timestamp::from_micros(state >> 1))
    }

    #[inline]
    pub(crate) fn exists(&self) -> bool {
        self.0.load(SeqCst) != NEVER
    }

    /// Whether the deadline is past at `time`. If it is, it stays where it is from then on.
    #[inline]
    pub(crate) fn is_past(&self, time: Timestamp) -> bool {
        let state = self.0.load(SeqCst);
        state != NEVER && state >> 1 <= time.as_micros() && self.freeze(state, time)
    }

    #[cold]
    fn freeze(&self, mut state: i64, time: Timestamp) -> bool {
        while state & 1 == 0 {
            if state >> 1 > time.as_micros() {
                return false;
            }
            match self.0.compare_exchange(state, state | 1, SeqCst, SeqCst) {
                Ok(_) => return true,
                Err(slid) => state = slid,
            }
        }
        state >> 1 <= time.as_micros()
    }

    /// Moves the deadline to `to` if that is later. Returns `false` if it is past at `time`, or somebody has seen it past.
    #[inline]
    pub(crate) fn slide(&self, time: Timestamp, to: Timestamp) -> bool {
        let mut state = self.0.load(SeqCst);
        loop {
            if state == NEVER {
                return true;
            }
            if state & 1 == 1 || state >> 1 <= time.as_micros() {
                return !self.is_past(time) && state & 1 == 0;
            }
            if state >> 1 >= to.as_micros() || to.as_micros() >= TOO_FAR {
                return true;
            }
            match self.0.compare_exchange(state, to.as_micros() << 1, SeqCst, SeqCst) {
                Ok(_) => return true,
                Err(other) => state = other,
            }
        }
    }
}
