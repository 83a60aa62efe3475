//! How long do calls take? Histograms of durations that every thread adds to at once.
//!
//! A histogram is a row of counters, 32 to each power of two of nanoseconds, so that a duration is known within a thirty-second of
//! itself, from a nanosecond to centuries: 1,920 counters, 15 KiB. (The layout is that of Gil Tene's HdrHistogram.) To record is one
//! relaxed addition, and one more step where the duration is the longest so far. The crate of that name records through `&mut`, so a
//! lock or a channel for each thread would stand before it, for the sake of an array and two lines of arithmetic: hence our own.
//!
//! A call that a panic leaves is not recorded: what is recorded is whole, whatever user code does.

use crate::limits::GETS_PER_SAMPLE;
use crate::sync::{
    Ordering::{Acquire, Relaxed, Release},
    Tally, per_thread,
};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long calls took, kind by kind: see [`Stats::latency`](crate::Stats::latency).
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// users.store(User { id: 1, city: "Bern".into() })?;
/// users.find(user::CITY.eq("Bern")).count()?;
/// (0..1_000).for_each(|_| drop(users.get(1)));
///
/// let latency = store.stats().latency;
/// assert_eq!((latency.flush.count, latency.query.count), (1, 1));     // each of them
/// assert!((1..10).contains(&latency.get.count));                      // about one in 256
/// assert!(latency.get.p50 <= latency.get.p99 && latency.get.p999 <= latency.get.max);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyStats {
    /// Look-ups of one record: `get`, `get_with` and `get_by`, of collections and views, and each key of `get_many` and `contains`.
    /// About one in [`GETS_PER_SAMPLE`](crate::limits::GETS_PER_SAMPLE) of each thread is measured, at irregular distances, and
    /// counted here; a thread that makes fewer may not be seen at all.
    pub get: LatencyFigures,
    /// Queries that were answered: each `fetch`, `keys`, `count`, `page` and `statistics` of a find, from the call to its result. A search
    /// over several collections is one in each. Standing statistics read by their names are not measured, nor is going through the records
    /// of a collection, nor are the queries within writes by predicate.
    pub query: LatencyFigures,
    /// Commits, by whatever call: from the call to its end, so waiting for the turn, settling and telling observers are in it, as in
    /// [`Receipt::took`](crate::Receipt::took). Those that were refused, and those that had nothing to commit, are not counted; so
    /// there are as many as [`Stats::commits`](crate::Stats::commits) when no call is under way. What a background writer commits
    /// together is one.
    pub flush: LatencyFigures,
}

/// How long calls of one kind took, since the store was made. User code within a call (closures, extractors, observers) counts; a
/// call that its panic leaves does not.
///
/// The quantiles are upper bounds: as many calls as they say took no longer. They are exact below 64 ns, and from there at most a
/// 32nd (3.2 %) too long; never longer than `max`, which is exact. All are zero as long as nothing was measured. To read the
/// clock takes some 20 to 50 ns itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyFigures {
    /// How many calls were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 % took no longer.
    pub p99: Duration,
    /// 99.9 % took no longer.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

per_thread! {
    /// Gets of this thread, on whatever store, up to the next that is measured: the only cost of those that are not.
    static GETS_LEFT: Cell<u32> = Cell::new(GETS_PER_SAMPLE);
}

/// A store's histograms.
#[derive(Default)]
pub(crate) struct Latency {
    gets: Histogram,
    queries: Histogram,
    flushes: Histogram,
}

impl Latency {
    /// Runs a look-up of one record, and measures one in many.
    #[inline(always)]
    pub(crate) fn get<T>(&self, get: impl FnOnce() -> T) -> T {
        let left = GETS_LEFT.with(|left| {
            left.set(left.get() - 1);
            left.get()
        });
        if left == 0 { self.measured_get(get) } else { get() }
    }

    #[cold]
    #[inline(never)]
    fn measured_get<T>(&self, get: impl FnOnce() -> T) -> T {
        // Before user code is called: it may get, and it may panic.
        GETS_LEFT.with(|left| left.set(GETS_PER_SAMPLE));
        let started = Instant::now();
        let answer = get();
        let took = started.elapsed();
        self.gets.record(took);
        // Not each time after as many: what a program does by turns would be measured at the same one of them for ever.
        GETS_LEFT.with(|left| left.set(GETS_PER_SAMPLE / 2 + scattered(took) % GETS_PER_SAMPLE));
        answer
    }

    /// Runs a query, and measures it if it is answered.
    #[inline]
    pub(crate) fn query<T, E>(&self, query: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let started = Instant::now();
        let answer = query()?;
        self.queries.record(started.elapsed());
        Ok(answer)
    }

    /// A commit that took so long.
    pub(crate) fn flush(&self, took: Duration) {
        self.flushes.record(took);
    }

    pub(crate) fn stats(&self) -> LatencyStats {
        LatencyStats { get: self.gets.figures(), query: self.queries.figures(), flush: self.flushes.figures() }
    }
}

/// A number of no pattern: the last digits of a duration have hardly any, and are spread over all bits (Fibonacci hashing).
fn scattered(took: Duration) -> u32 {
    (u64::from(took.subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Buckets to a power of two: `1 << FINENESS`.
const FINENESS: u32 = 5;
const BUCKETS: usize = (65 - FINENESS as usize) << FINENESS;

/// How many calls took how long.
struct Histogram {
    counts: Box<[Tally]>,
    longest: Tally,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: (0..BUCKETS).map(|_| Tally::new(0)).collect(), longest: Tally::new(0) }
    }
}

/// The bucket of so many nanoseconds: up to 63 each has its own, from there as many share one as it takes for 32 to a power of two.
fn bucket(nanos: u64) -> usize {
    let shared = (u64::BITS - nanos.leading_zeros()).saturating_sub(FINENESS + 1);
    ((shared << FINENESS) as u64 + (nanos >> shared)) as usize
}

/// The most nanoseconds of a bucket.
fn most_of(bucket: usize) -> u64 {
    let shared = (bucket >> FINENESS).saturating_sub(1);
    let first = (bucket - (shared << FINENESS)) as u64;
    first << shared | ((1 << shared) - 1)
}

impl Histogram {
    fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if nanos > self.longest.load(Relaxed) {
            self.longest.fetch_max(nanos, Relaxed);
        }
        // Behind the longest, so that who sees the count sees that too.
        self.counts[bucket(nanos)].fetch_add(1, Release);
    }

    fn figures(&self) -> LatencyFigures {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Acquire)).collect();
        let longest = self.longest.load(Relaxed);
        let count: u64 = counts.iter().sum();
        let quantile = |per_mille: u64| {
            // Ten thousand years of a call each nanosecond do not overflow the product.
            let rank = u64::try_from((u128::from(count) * u128::from(per_mille)).div_ceil(1_000)).unwrap_or(count);
            let mut seen = 0;
            let reached = counts.iter().position(|count| {
                seen += count;
                seen >= rank.max(1)
            });
            Duration::from_nanos(reached.map_or(0, |bucket| most_of(bucket).min(longest)))
        };
        let (p50, p99, p999) = (quantile(500), quantile(990), quantile(999));
        LatencyFigures { count, p50, p99, p999, max: Duration::from_nanos(if count == 0 { 0 } else { longest }) }
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for at in 0..BUCKETS {
            assert_eq!(bucket(most_of(at)), at);
            if at + 1 < BUCKETS {
                assert_eq!(bucket(most_of(at) + 1), at + 1);
                assert!(at >= 64 || most_of(at) == at as u64, "exact below 64 ns");
            }
        }
        assert_eq!((bucket(0), most_of(BUCKETS - 1)), (0, u64::MAX));
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        assert_eq!(Histogram::default().figures(), LatencyFigures::default());
        let histogram = Histogram::default();
        histogram.record(Duration::MAX);
        let all = Duration::from_nanos(u64::MAX);
        let expected = LatencyFigures { count: 1, p50: all, p99: all, p999: all, max: all };
        assert_eq!(histogram.figures(), expected, "what is beyond the last bucket is in it");
    }

    /// Durations of all sizes, each as likely.
    fn durations() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((0..64_u32, any::<u64>()).prop_map(|(shift, bits)| bits >> shift), 1..3_000)
    }

    proptest! {
        #[test]
        fn quantiles_are_bounds_within_a_thirty_second(mut nanos in durations()) {
            let histogram = Histogram::default();
            nanos.iter().for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
            nanos.sort_unstable();
            let figures = histogram.figures();
            prop_assert_eq!(figures.count, nanos.len() as u64);
            prop_assert_eq!(figures.max.as_nanos(), u128::from(nanos[nanos.len() - 1]));
            prop_assert!(figures.p50 <= figures.p99 && figures.p99 <= figures.p999 && figures.p999 <= figures.max);
            for (quantile, per_mille) in [(figures.p50, 500), (figures.p99, 990), (figures.p999, 999)] {
                let exact = u128::from(nanos[(nanos.len() * per_mille).div_ceil(1_000) - 1]);
                let quantile = quantile.as_nanos();
                prop_assert!(exact <= quantile && quantile - exact <= exact / 32, "{} for {}", quantile, exact);
            }
        }
    }

    #[test]
    fn threads_lose_nothing() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let record = |nanos| histogram.record(Duration::from_nanos(nanos));
                scope.spawn(move || (0..10_000).for_each(|n| record(n * 4 + thread)));
            }
        });
        let figures = histogram.figures();
        assert_eq!((figures.count, figures.max.as_nanos()), (40_000, 39_999));
    }

    #[test]
    fn gets_are_measured_now_and_then_whatever_panics() {
        let latency = Latency::default();
        let gets = |gets: u32, panics: bool| {
            for n in 0..gets {
                let got = catch_unwind(AssertUnwindSafe(|| {
                    latency.get(|| {
                        if panics {
                            std::panic::panic_any(n)
                        }
                    })
                }));
                assert_eq!(got.is_err(), panics);
            }
            latency.stats().get.count
        };
        assert_eq!(gets(10 * GETS_PER_SAMPLE, true), 0, "what a panic leaves is not counted");
        let seen = gets(1_000 * GETS_PER_SAMPLE, false);
        // The distances lie between a half and one and a half of it.
        assert!((660..=2_001).contains(&seen), "{seen}");
        let nested = latency.get(|| gets(10 * GETS_PER_SAMPLE, false));
        assert!(nested > seen);
    }
}
