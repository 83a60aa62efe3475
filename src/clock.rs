//! Injected time: every time that the engine knows comes from one [`Clock`], so that a test can be its master.

use crate::sync::{Arc, AtomicI64, Ordering, ProcessCell, SignedStatsCounter};
use crate::user_code;
use std::time::{Duration, Instant};

pub(crate) use memdex_query::value::Timestamp;

/// Where the engine's time comes from. It may jump, and even run backwards: the engine never gives out a time that
/// is earlier than one it has already given out.
pub trait Clock: Send + Sync + 'static {
    /// The time now. Called at every commit and every pin of a snapshot, so it should cost no more than some tens of
    /// nanoseconds, and must not call the store.
    fn now(&self) -> Timestamp;

    /// Whether it is the clock of the system, whose code can't panic.
    #[doc(hidden)]
    fn is_system(&self) -> bool {
        false
    }
}

/// The operating system's clock: the wall time at the first call in this process, plus the time that has passed since by the
/// monotonic clock. A step of the wall clock changes no lifetime.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        static START: ProcessCell<(Instant, Timestamp)> = ProcessCell::new();
        let (start, time) = START.get_or_init(|| (Instant::now(), Timestamp::now()));
        *time + start.elapsed()
    }

    fn is_system(&self) -> bool {
        true
    }
}

/// A clock that stands still until it is told to move. Clones show the same time.
///
/// ```
/// use memdex::{Store, Timestamp};
/// use memdex::clock::{Clock, ManualClock};
/// use std::time::Duration;
/// let clock = ManualClock::starting_at(Timestamp::from_micros(0));
/// let store = Store::builder().clock(clock.clone()).build();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(store.snapshot().time(), Timestamp::from_micros(60_000_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<SignedStatsCounter>);

impl ManualClock {
    /// A clock that shows `time`.
    pub fn starting_at(time: Timestamp) -> Self {
        ManualClock(Arc::new(SignedStatsCounter::new(time.as_micros())))
    }

    /// Moves the clock to `time`, forward or backward.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }

    /// Moves the clock forward; it stays at the last time there is rather than wrap.
    pub fn advance(&self, duration: Duration) {
        // The closure always gives a value, so the update cannot fail.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
            Some((Timestamp::from_micros(now) + duration).as_micros())
        });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// The store's time: a [`Clock`] that never runs backwards.
///
/// While a commit [holds](Self::hold) it, the time of readers stands still at the time of the commit. So no reader that does not see the
/// commit has a later time than the commit.
pub(crate) struct SteadyClock {
    clock: Arc<dyn Clock>,
    is_system: bool,
    latest: AtomicI64,
    /// The time of the commit that holds the clock.
    held: AtomicI64,
    #[cfg(feature = "testing")]
    jumps: Jumps,
}

/// How far tests have moved the clock, in microseconds.
#[cfg(feature = "testing")]
#[derive(Clone, Default)]
pub(crate) struct Jumps(Arc<SignedStatsCounter>);

#[cfg(feature = "testing")]
impl Jumps {
    pub(crate) fn jump(&self, micros: i64) {
        // The closure always gives a value, so the update cannot fail.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |jumped| Some(jumped.saturating_add(micros)));
    }
}

/// The value of `held` if no commit holds the clock: no time is later.
const NOT_HELD: i64 = i64::MAX;

/// Holds the clock until it is dropped.
pub(crate) struct Hold<'a> {
    clock: &'a SteadyClock,
    /// The time of the commit.
    pub(crate) at: Timestamp,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.clock.held.store(NOT_HELD, Ordering::SeqCst);
    }
}

impl SteadyClock {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let is_system = user_code::run(|| clock.is_system()).unwrap_or(false);
        SteadyClock {
            clock,
            is_system,
            latest: AtomicI64::new(i64::MIN),
            held: AtomicI64::new(NOT_HELD),
            #[cfg(feature = "testing")]
            jumps: Jumps::default(),
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn jumps(&self) -> Jumps {
        self.jumps.clone()
    }

    /// The time of a fork: the same clock, or another one. It begins no earlier than the last time that was given out.
    pub(crate) fn fork(&self, clock: Option<Arc<dyn Clock>>) -> Self {
        let forked = SteadyClock::new(clock.unwrap_or_else(|| self.clock.clone()));
        forked.latest.store(self.latest.load(Ordering::SeqCst), Ordering::SeqCst);
        #[cfg(feature = "testing")]
        forked.jumps.jump(self.jumps.0.load(Ordering::SeqCst));
        forked
    }

    /// Draws the time of a commit and holds the clock. Under the commit lock. Drop the hold after the publish.
    ///
    /// A reader draws its time before it looks at the hold. If it saw none, the commit's time is drawn later and is not earlier.
    pub(crate) fn hold(&self) -> Hold<'_> {
        // No reader has a later time than this yet.
        let latest = self.latest.load(Ordering::SeqCst);
        let held = if latest == i64::MIN { self.now().as_micros() } else { latest };
        self.held.store(held, Ordering::SeqCst);
        let at = self.now();
        self.held.store(at.as_micros(), Ordering::SeqCst);
        Hold { clock: self, at }
    }

    /// The time of a reader.
    #[inline]
    pub(crate) fn for_reader(&self) -> Timestamp {
        let now = self.now().as_micros();
        Timestamp::from_micros(now.min(self.held.load(Ordering::SeqCst)))
    }

    /// A time of the clock, in microseconds, with the jumps of tests.
    #[inline(always)]
    fn jumped(&self, time: Timestamp) -> i64 {
        let micros = time.as_micros();
        #[cfg(feature = "testing")]
        let micros = micros.saturating_add(self.jumps.0.load(Ordering::SeqCst));
        micros
    }

    /// The time now, never earlier than one given out before.
    pub(crate) fn now(&self) -> Timestamp {
        let latest = self.latest.load(Ordering::SeqCst);
        let now = match self.is_system {
            true => self.jumped(SystemClock.now()),
            // A clock of the user's that panics stands still.
            false => user_code::run(|| self.clock.now()).map_or(latest, |now| self.jumped(now)),
        };
        // Most calls within one microsecond find nothing to raise and so leave the shared line alone.
        if now <= latest {
            return Timestamp::from_micros(latest);
        }
        Timestamp::from_micros(now.max(self.latest.fetch_max(now, Ordering::SeqCst)))
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_panics_stands_still() {
        struct Broken(SignedStatsCounter);
        impl Clock for Broken {
            fn now(&self) -> Timestamp {
                assert!(self.0.fetch_add(1, Ordering::SeqCst) == 0, "broken");
                Timestamp::from_micros(7)
            }
        }
        let steady = SteadyClock::new(Arc::new(Broken(SignedStatsCounter::new(0))));
        assert_eq!((steady.now(), steady.now()), (Timestamp::from_micros(7), Timestamp::from_micros(7)));
    }

    #[test]
    fn time_given_out_never_runs_backwards() {
        let manual = ManualClock::starting_at(Timestamp::from_micros(1_000));
        let steady = SteadyClock::new(Arc::new(manual.clone()));
        assert_eq!(steady.now().as_micros(), 1_000);
        manual.set(Timestamp::from_micros(10));
        assert_eq!(steady.now().as_micros(), 1_000);
        manual.set(Timestamp::from_micros(i64::MAX));
        manual.advance(Duration::from_secs(1));
        assert_eq!(steady.now().as_micros(), i64::MAX);
    }
}
