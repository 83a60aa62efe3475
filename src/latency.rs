//! How long do calls take? Histograms of durations that all threads record into at once.
//!
//! A histogram is an array of counters, 32 for each power of two of nanoseconds: a duration is known to within 1/32 of itself,
//! from a nanosecond to centuries, in 1,920 counters or 15 KiB. (The layout is that of Gil Tene's HdrHistogram.) Recording is
//! one relaxed addition, and one more step if the duration is the longest so far. The crate of that name records through
//! `&mut`, which would put a lock or a channel for each thread before it.
//!
//! A call that ends in a panic is not recorded.

use crate::limits::GETS_PER_SAMPLE;
use crate::sync::{
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    StatsCounter, per_thread,
};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long calls took, by kind, in the current interval: see [`Stats::latency`](crate::stats::Stats::latency) and
/// [`Store::take_latency`](crate::Store::take_latency).
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
/// assert_eq!((latency.commit.count, latency.query.count), (1, 1));    // each of them
/// assert!((1..10).contains(&latency.get.count));                      // about one in 256
/// assert!(latency.get.p50 <= latency.get.p99 && latency.get.p999 <= latency.get.max);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LatencyStats {
    /// Lookups of one record: `get`, `get_with` and `get_by` of collections and views, and each key of `get_many` and
    /// `contains`. Only a sample is measured and counted: about one in
    /// [`GETS_PER_SAMPLE`](crate::limits::GETS_PER_SAMPLE) per thread, at irregular distances. A thread that makes fewer may
    /// not appear at all.
    pub get: CallLatency,
    /// Queries that returned a result: each `fetch`, `keys`, `first`, `one`, `count`, `exists` and `statistics` of a find or a
    /// search, from the call to its result. An `iter` with an order or a page counts once for each chunk that it reads.
    /// Not measured are other iterations, reads of materialized aggregates, and the queries within writes by filter.
    pub query: CallLatency,
    /// Commits, by any method, from the call to its return. Includes waiting for the commit lock, reclamation and delivery
    /// to hooks, as [`Receipt::took`](crate::write::Receipt::took) does. Refused commits and empty ones are not counted. What a
    /// background writer commits together is one commit.
    pub commit: CallLatency,
}

/// How long calls of one kind took. Includes user code within a call (closures, extractors, hooks). A call that ends in a
/// panic is not measured.
///
/// The quantiles are upper bounds: that share of the calls took no longer. They are exact below 64 ns, and from there at most
/// 1/32 (3.2 %) too long, but never longer than `max`, which is exact. All are zero if nothing was measured. Reading the clock
/// itself takes 20 to 50 ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CallLatency {
    /// How many calls were measured.
    pub count: u64,
    /// The median: 50 % of the calls took no longer.
    pub p50: Duration,
    /// 99 % took no longer.
    pub p99: Duration,
    /// 99.9 % took no longer.
    pub p999: Duration,
    /// The longest call.
    pub max: Duration,
}

per_thread! {
    /// Gets of this thread, on any store, until the next one that is measured. Counting down is all that the others cost.
    static GETS_LEFT: Cell<u32> = Cell::new(GETS_PER_SAMPLE);
}

/// A store's histograms.
#[derive(Default)]
pub(crate) struct Latency {
    gets: Histogram,
    queries: Histogram,
    commits: Histogram,
}

impl Latency {
    /// Runs a lookup of one record. Measures one in [`GETS_PER_SAMPLE`].
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
        // Before user code runs: it may get records, and it may panic.
        GETS_LEFT.with(|left| left.set(GETS_PER_SAMPLE));
        let started = Instant::now();
        let answer = get();
        let took = started.elapsed();
        self.gets.record(took);
        // Not at equal distances: a program with a periodic pattern would be measured at the same phase for ever.
        GETS_LEFT.with(|left| left.set(GETS_PER_SAMPLE / 2 + scattered(took) % GETS_PER_SAMPLE));
        answer
    }

    /// Runs a query. Measures it if it returns a result.
    #[inline]
    pub(crate) fn query<T, E>(&self, query: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let started = Instant::now();
        let answer = query()?;
        self.queries.record(started.elapsed());
        Ok(answer)
    }

    /// Records a commit.
    pub(crate) fn commit(&self, took: Duration) {
        self.commits.record(took);
    }

    /// The current interval.
    pub(crate) fn stats(&self) -> LatencyStats {
        self.read(Histogram::summary)
    }

    /// The current interval, which ends here.
    pub(crate) fn take(&self) -> LatencyStats {
        self.read(Histogram::take)
    }

    fn read(&self, read: fn(&Histogram) -> CallLatency) -> LatencyStats {
        LatencyStats { get: read(&self.gets), query: read(&self.queries), commit: read(&self.commits) }
    }
}

/// A number without a pattern: spreads the low digits of a duration over all bits (Fibonacci hashing).
fn scattered(took: Duration) -> u32 {
    (u64::from(took.subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// There are `1 << FINENESS` buckets for each power of two.
const FINENESS: u32 = 5;
const BUCKETS: usize = (65 - FINENESS as usize) << FINENESS;

/// How many calls took how long.
struct Histogram {
    counts: Box<[StatsCounter]>,
    longest: StatsCounter,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: (0..BUCKETS).map(|_| StatsCounter::new(0)).collect(), longest: StatsCounter::new(0) }
    }
}

/// The bucket of a duration. Up to 63 ns each value has its own.
fn bucket(nanos: u64) -> usize {
    let shared = (u64::BITS - nanos.leading_zeros()).saturating_sub(FINENESS + 1);
    ((shared << FINENESS) as u64 + (nanos >> shared)) as usize
}

/// The longest duration of a bucket, in nanoseconds.
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
        // After the longest, so that a reader that sees the count sees that too.
        self.counts[bucket(nanos)].fetch_add(1, Release);
    }

    fn summary(&self) -> CallLatency {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Acquire)).collect();
        figures_of(&counts, self.longest.load(Relaxed))
    }

    /// Reads and resets it. A duration that another thread records meanwhile is in this interval or the next.
    fn take(&self) -> CallLatency {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.swap(0, AcqRel)).collect();
        figures_of(&counts, self.longest.swap(0, Relaxed))
    }
}

fn figures_of(counts: &[u64], longest: u64) -> CallLatency {
    // The count and the longest duration of one call may fall into different intervals: then its bucket tells.
    let last = counts.iter().rposition(|count| *count > 0);
    let longest = last.map_or(0, |last| if bucket(longest) >= last { longest } else { most_of(last) });
    let count: u64 = counts.iter().sum();
    let quantile = |per_mille: u64| {
        let rank = u64::try_from((u128::from(count) * u128::from(per_mille)).div_ceil(1_000)).unwrap_or(count);
        let mut seen = 0;
        let reached = counts.iter().position(|count| {
            seen += count;
            seen >= rank.max(1)
        });
        Duration::from_nanos(reached.map_or(0, |bucket| most_of(bucket).min(longest)))
    };
    let (p50, p99, p999) = (quantile(500), quantile(990), quantile(999));
    CallLatency { count, p50, p99, p999, max: Duration::from_nanos(longest) }
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
        assert_eq!(Histogram::default().summary(), CallLatency::default());
        let histogram = Histogram::default();
        histogram.record(Duration::MAX);
        let all = Duration::from_nanos(u64::MAX);
        let expected = CallLatency { count: 1, p50: all, p99: all, p999: all, max: all };
        assert_eq!(histogram.summary(), expected, "what is beyond the last bucket is in it");
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
            let summary = histogram.summary();
            prop_assert_eq!(summary.count, nanos.len() as u64);
            prop_assert_eq!(summary.max.as_nanos(), u128::from(nanos[nanos.len() - 1]));
            prop_assert!(summary.p50 <= summary.p99 && summary.p99 <= summary.p999 && summary.p999 <= summary.max);
            for (quantile, per_mille) in [(summary.p50, 500), (summary.p99, 990), (summary.p999, 999)] {
                let exact = u128::from(nanos[(nanos.len() * per_mille).div_ceil(1_000) - 1]);
                let quantile = quantile.as_nanos();
                prop_assert!(exact <= quantile && quantile - exact <= exact / 32, "{} for {}", quantile, exact);
            }
        }
    }

    #[test]
    fn intervals_share_nothing_and_lose_nothing() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_nanos(1_000_000));
        assert_eq!((histogram.summary().count, histogram.take().max.as_nanos()), (1, 1_000_000));
        assert_eq!(histogram.take(), CallLatency::default());
        histogram.record(Duration::from_nanos(50));
        assert_eq!(
            (histogram.summary().count, histogram.summary().max.as_nanos()),
            (1, 50),
            "not the longest of before"
        );
        histogram.take();
        // The longest duration was taken with the interval before, the count was not.
        histogram.record(Duration::from_nanos(1_000));
        histogram.longest.store(0, Relaxed);
        let summary = histogram.take();
        assert!(summary.max.as_nanos() >= 1_000 && summary.p50 == summary.max);
        let taken = StatsCounter::new(0);
        std::thread::scope(|scope| {
            let record = || (0..20_000).for_each(|n| histogram.record(Duration::from_nanos(n)));
            (0..2).for_each(|_| drop(scope.spawn(record)));
            for _ in 0..100 {
                taken.fetch_add(histogram.take().count, Relaxed);
            }
        });
        assert_eq!(taken.load(Relaxed) + histogram.take().count, 40_000);
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
        let summary = histogram.summary();
        assert_eq!((summary.count, summary.max.as_nanos()), (40_000, 39_999));
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
