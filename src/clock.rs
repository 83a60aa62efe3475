//! Injected time: every time that the engine knows comes from one [`Clock`], so that a test can be its master.

use crate::sync::AtomicU64;
use crate::user_code;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{self, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use memdex::Timestamp;
/// let t = Timestamp::from_micros(1_500_000);
/// assert_eq!(t.as_micros(), 1_500_000);
/// assert_eq!((t + std::time::Duration::from_secs(1)).as_micros(), 2_500_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time that lies `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Timestamp(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Later by `duration`; stays at the last time there is rather than wrap.
    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// Seconds since the Unix epoch, with six decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Where the engine's time comes from. It may jump, and even run backwards: the engine never gives out a time that
/// is earlier than one it has already given out.
pub trait Clock: Send + Sync + 'static {
    /// The time now. Called at every commit and every pin of a snapshot, so it should cost no more than some tens of
    /// nanoseconds, and must not call the store.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands still until it is told to move. Clones show the same time.
///
/// ```
/// use memdex::{Clock, ManualClock, Store, Timestamp};
/// use std::time::Duration;
/// let clock = ManualClock::starting_at(Timestamp::from_micros(0));
/// let store = Store::builder().clock(clock.clone()).build();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(store.snapshot().time(), Timestamp::from_micros(60_000_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<atomic::AtomicU64>);

impl ManualClock {
    /// A clock that shows `time`.
    pub fn starting_at(time: Timestamp) -> Self {
        ManualClock(Arc::new(atomic::AtomicU64::new(time.0)))
    }

    /// Moves the clock to `time`, forward or backward.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.0, Ordering::SeqCst);
    }

    /// Moves the clock forward; it stays at the last time there is rather than wrap.
    pub fn advance(&self, duration: Duration) {
        // The closure always gives a value, so the update cannot fail.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some((Timestamp(now) + duration).0));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The store's time: a [`Clock`] that never runs backwards.
pub(crate) struct SteadyClock {
    clock: Box<dyn Clock>,
    latest: AtomicU64,
}

impl SteadyClock {
    pub(crate) fn new(clock: Box<dyn Clock>) -> Self {
        SteadyClock { clock, latest: AtomicU64::new(0) }
    }

    /// The time now, never earlier than one given out before.
    pub(crate) fn now(&self) -> Timestamp {
        let latest = self.latest.load(Ordering::SeqCst);
        // A clock of the user's that panics stands still.
        let now = user_code::run(|| self.clock.now().0).unwrap_or(latest);
        // Most calls within one microsecond find nothing to raise and so leave the shared line alone.
        if now <= latest {
            return Timestamp(latest);
        }
        Timestamp(now.max(self.latest.fetch_max(now, Ordering::SeqCst)))
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_panics_stands_still() {
        struct Broken(atomic::AtomicU64);
        impl Clock for Broken {
            fn now(&self) -> Timestamp {
                assert!(self.0.fetch_add(1, Ordering::SeqCst) == 0, "broken");
                Timestamp(7)
            }
        }
        let steady = SteadyClock::new(Box::new(Broken(atomic::AtomicU64::new(0))));
        assert_eq!((steady.now(), steady.now()), (Timestamp(7), Timestamp(7)));
    }

    #[test]
    fn time_given_out_never_runs_backwards() {
        let manual = ManualClock::starting_at(Timestamp::from_micros(1_000));
        let steady = SteadyClock::new(Box::new(manual.clone()));
        assert_eq!(steady.now().as_micros(), 1_000);
        manual.set(Timestamp::from_micros(10));
        assert_eq!(steady.now().as_micros(), 1_000);
        manual.set(Timestamp::from_micros(u64::MAX));
        manual.advance(Duration::from_secs(1));
        assert_eq!(steady.now().as_micros(), u64::MAX);
    }
}
