//! Sliding windows of values: a collection of buckets of time that expire, and sums and percentiles over the last of them.

use crate::clock::Timestamp;
use crate::error::{Cause, CollectionError};
use crate::limits::MAX_WINDOW_BUCKETS;
use crate::read::Snapshot;
use crate::storage::Collection;
use crate::store::Store;
use crate::write::{Lifetime, Refused};
use hdrhistogram::Histogram;
use memdex_derive::Record;
use memdex_query::value::HeapSize;
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::time::Duration;

/// Significant digits of percentiles.
const DIGITS: u8 = 2;

/// How often a value is recorded again because its bucket has expired before the commit.
const TRIES: u32 = 8;

/// The values of the last minutes, hours or seconds under any number of names: their counts, sums and percentiles.
///
/// A window is a collection of buckets, each with the values of one name in one span of time. A bucket expires when it leaves the
/// window, as any record with a [lifetime](crate::write::Lifetime) does. Times are those of the store's clock.
///
/// Windows of the same collection must have the same width. Cheap to clone.
///
/// ```
/// use memdex::Store;
/// use memdex::aggregate::Window;
/// use memdex::clock::ManualClock;
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).build();
/// // The last 15 minutes.
/// let latencies = Window::new(&store, "latencies", Duration::from_secs(60), 15)?;
/// for micros in 1..=100 {
///     latencies.record("/search", micros)?;
/// }
/// clock.advance(Duration::from_secs(14 * 60));
/// latencies.record("/search", 1_000)?;
/// assert_eq!((latencies.count("/search"), latencies.sum("/search")), (101, 6_050));
/// assert_eq!(latencies.percentile("/search", 50.0), Some(51));
/// assert_eq!(latencies.last("/search", 1).max(), Some(1_000));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(latencies.count("/search"), 1, "the first bucket has left the window");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Buckets
/// A bucket begins at a multiple of the width since 1970. The bucket in which the present lies counts as the last one: so 15
/// buckets of a minute hold the values of between 14 and 15 minutes.
///
/// # Cost
/// [`record`](Window::record) is a commit that copies a bucket: its histogram takes 1.5 to 6 KB for values up to a million. To record many
/// values at once, use [`record_all`](Window::record_all). A read looks up each of the last buckets of a name.
pub struct Window {
    buckets: Collection<WindowBucket>,
    /// In microseconds.
    width: i64,
    kept: usize,
}

/// The values of one name in one span of time of a [`Window`].
#[derive(Clone, Debug, Record)]
#[record(fields = "Self")]
#[non_exhaustive]
pub struct WindowBucket {
    /// The name.
    #[record(key, index)]
    pub name: String,
    /// The time at which it begins.
    #[record(key)]
    pub start: Timestamp,
    /// The number of values.
    #[record(field)]
    pub count: u64,
    /// The sum of the values.
    #[record(field)]
    pub sum: u128,
    /// The least value.
    #[record(field)]
    pub min: u64,
    /// The greatest value.
    #[record(field)]
    pub max: u64,
    values: Values,
}

/// The distribution of values. Counts of 64 bits would take twice the memory, and copies twice the time.
#[derive(Clone, Debug)]
struct Values(Histogram<u32>);

impl HeapSize for Values {
    fn heap_size(&self) -> usize {
        self.0.distinct_values() * size_of::<u32>()
    }
}

impl Values {
    fn new() -> Self {
        match Histogram::new(DIGITS) {
            Ok(histogram) => Values(histogram),
            Err(_) => unreachable!("it takes up to five digits"),
        }
    }
}

/// Why a [`Window`] could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The width of a bucket is less than a microsecond, or more than 290,000 years.
    #[error(
        "a bucket of {width:?} is too narrow or too wide: use at least a microsecond, and at most 290,000 years for the window"
    )]
    #[non_exhaustive]
    Width {
        /// The width.
        width: Duration,
    },
    /// The window has no buckets, or too many.
    #[error("a window of {buckets} buckets is not possible: use 1 to {limit}")]
    #[non_exhaustive]
    Buckets {
        /// The number of buckets.
        buckets: usize,
        /// The limit.
        limit: usize,
    },
    /// Its collection could not be opened.
    #[error(transparent)]
    Open(#[from] CollectionError),
}

impl Window {
    /// Opens the window in the collection `name`, which is created if it does not exist. A value is in the window while it is in the
    /// last `buckets` buckets, each `width` wide.
    ///
    /// # Errors
    /// A [`WindowError`] if the name belongs to another collection, or if the width or the number of buckets is out of range.
    pub fn new(store: &Store, name: &str, width: Duration, buckets: usize) -> Result<Self, WindowError> {
        if buckets == 0 || buckets > MAX_WINDOW_BUCKETS {
            return Err(WindowError::Buckets { buckets, limit: MAX_WINDOW_BUCKETS });
        }
        let micros = i64::try_from(width.as_micros()).ok().filter(|micros| *micros > 0);
        let fits = |micros: &i64| micros.checked_mul(buckets as i64).is_some();
        let micros = micros.filter(fits).ok_or(WindowError::Width { width })?;
        Ok(Window { buckets: store.collection(name)?, width: micros, kept: buckets })
    }

    /// Adds a value to the present bucket of a name.
    ///
    /// # Errors
    /// [`Refused`], with the cause: a commit hook refuses it, or the store or the collection refuses writes.
    pub fn record(&self, name: &str, value: u64) -> Result<(), Refused> {
        self.add(name, smallvec![value])
    }

    /// Adds values to the present bucket of a name, in one commit.
    ///
    /// # Errors
    /// [`Refused`], as [`record`](Window::record).
    pub fn record_all(&self, name: &str, values: impl IntoIterator<Item = u64>) -> Result<(), Refused> {
        let values: Added = values.into_iter().collect();
        if values.is_empty() { Ok(()) } else { self.add(name, values) }
    }

    fn add(&self, name: &str, values: Added) -> Result<(), Refused> {
        let mut tries = 0;
        loop {
            let start = self.start(self.buckets.engine.clock.now());
            let added = values.clone();
            let updated = self.buckets.update((name, start), move |bucket| bucket.add(&added));
            let refused = match updated {
                Ok(_) => return Ok(()),
                Err(refused) if matches!(refused.cause(), Cause::KeyMissing) => {
                    match self.add_first(name, start, &values) {
                        Ok(()) => return Ok(()),
                        Err(refused) => refused,
                    }
                }
                Err(refused) => refused,
            };
            tries += 1;
            // The thread has slept for as long as the window: the value belongs to a later bucket.
            if tries == TRIES || !matches!(refused.cause(), Cause::Expired { .. }) {
                return Err(refused);
            }
        }
    }

    /// Adds values to a bucket that may be missing.
    fn add_first(&self, name: &str, start: Timestamp, values: &Added) -> Result<(), Refused> {
        let mut bucket = WindowBucket {
            name: name.to_owned(),
            start,
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            values: Values::new(),
        };
        bucket.add(values);
        let (values, end) = (values.clone(), self.before(start, -(self.kept as i64)));
        let command = self.buckets.with_lifetime(Lifetime::Until(end));
        command.upsert(bucket, move |bucket| bucket.add(&values)).map(drop)
    }

    /// The number of values of a name in the window.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.summary(name).count()
    }

    /// The sum of the values of a name in the window.
    #[must_use]
    pub fn sum(&self, name: &str) -> u128 {
        self.summary(name).sum()
    }

    /// The value that this percentage of the values of a name in the window does not exceed, within one percent; `None` if there
    /// are no values. Several percentiles cost less by [`summary`](Window::summary).
    #[must_use]
    pub fn percentile(&self, name: &str, percent: f64) -> Option<u64> {
        self.summary(name).percentile(percent)
    }

    /// The values of a name in the window.
    #[must_use]
    pub fn summary(&self, name: &str) -> WindowSummary {
        self.last(name, self.kept)
    }

    /// The values of a name in the last `buckets` buckets, the present one included. At most those of the window.
    #[must_use]
    pub fn last(&self, name: &str, buckets: usize) -> WindowSummary {
        let mut summary = WindowSummary::default();
        self.series(name, buckets).iter().for_each(|(_, bucket)| summary.merge(bucket));
        summary
    }

    /// The values of a name in each of the last `buckets` buckets, the present one included, from the oldest to the present one; each
    /// with the time at which it begins. All are read at one commit.
    #[must_use]
    pub fn series(&self, name: &str, buckets: usize) -> Vec<(Timestamp, WindowSummary)> {
        let snapshot = Snapshot::new(&self.buckets.engine);
        let (view, present) = (snapshot.of(&self.buckets), self.start(snapshot.time()));
        let summary = |back: usize| {
            let start = self.before(present, back as i64);
            let bucket = view.get((name, start));
            (start, bucket.map_or_else(WindowSummary::default, |bucket| WindowSummary::of(&bucket)))
        };
        (0..buckets.min(self.kept)).rev().map(summary).collect()
    }

    /// The collection of the buckets, for queries, statistics and subscriptions. The names in the window are a grouping by
    /// [`WindowBucket::NAME`].
    #[must_use]
    pub fn buckets(&self) -> &Collection<WindowBucket> {
        &self.buckets
    }

    /// The start of the bucket in which a time lies.
    fn start(&self, time: Timestamp) -> Timestamp {
        let micros = time.as_micros();
        Timestamp::from_micros(micros.saturating_sub(micros.rem_euclid(self.width)))
    }

    /// The start of the bucket so many buckets before one.
    fn before(&self, start: Timestamp, buckets: i64) -> Timestamp {
        Timestamp::from_micros(start.as_micros().saturating_sub(buckets.saturating_mul(self.width)))
    }
}

type Added = SmallVec<[u64; 4]>;

impl WindowBucket {
    fn add(&mut self, values: &[u64]) {
        for value in values {
            self.count = self.count.saturating_add(1);
            self.sum += u128::from(*value);
            (self.min, self.max) = (self.min.min(*value), self.max.max(*value));
            // The histogram grows as needed; only a machine of 16 bits has no room for the greatest values.
            if self.values.0.record(*value).is_err() {
                self.values.0.saturating_record(*value);
            }
        }
    }
}

/// Values of a [`Window`]: their count, sum, bounds and percentiles.
#[derive(Clone, Default)]
pub struct WindowSummary {
    count: u64,
    sum: u128,
    bounds: Option<(u64, u64)>,
    values: Option<Values>,
}

impl WindowSummary {
    fn of(bucket: &WindowBucket) -> Self {
        let WindowBucket { count, sum, min, max, values, .. } = bucket;
        WindowSummary { count: *count, sum: *sum, bounds: Some((*min, *max)), values: Some(values.clone()) }
    }

    /// Adds other values, of another name or of another window.
    pub fn merge(&mut self, other: &WindowSummary) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.bounds = match (self.bounds, other.bounds) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        match (&mut self.values, &other.values) {
            (Some(own), Some(other)) => {
                let added = own.0.add(&other.0);
                debug_assert!(added.is_ok(), "it grows as needed");
            }
            (own, other) => *own = own.take().or_else(|| other.clone()),
        }
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The mean of the values; `None` if there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The least value; `None` if there are none.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        self.bounds.map(|(min, _)| min)
    }

    /// The greatest value; `None` if there are none.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.bounds.map(|(_, max)| max)
    }

    /// The value that this percentage of the values does not exceed, within one percent; `None` if there are no values. A percentage
    /// below 0 counts as 0, one above 100 or NaN as 100.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let (min, max) = self.bounds?;
        // The histogram has the bounds only within one percent.
        match percent {
            ..=0.0 => Some(min),
            ..100.0 => Some(self.values.as_ref()?.0.value_at_quantile(percent / 100.0).clamp(min, max)),
            _ => Some(max),
        }
    }
}

impl fmt::Debug for WindowSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowSummary")
            .field("count", &self.count)
            .field("sum", &self.sum)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl Clone for Window {
    fn clone(&self) -> Self {
        Window { buckets: self.buckets.clone(), ..*self }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = Duration::from_micros(self.width.unsigned_abs());
        f.debug_struct("Window").field("width", &width).field("buckets", &self.kept).finish_non_exhaustive()
    }
}
