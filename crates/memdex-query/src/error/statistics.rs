//! Metrics and buckets that are refused.

use crate::value::{Kind, Value};
use std::error::Error;

errors! {
    /// A metric that can't be computed, or a metric or bucket that is not valid.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum StatisticsError {
        without_fields {
            /// A ratio with a filter.
            FilteredRatio => ("a ratio has no filter: set the filters of its two metrics"),
            /// Buckets of dates over an undeclared path of documents.
            UndeclaredTimes => (
                "an undeclared path has no dates: declare it in the schema, as a timestamp or as a date"
            ),
        }
        /// A sum has more digits than a value of its kind can have.
        Overflow [] {
            /// The kind of the sum.
            kind: Kind,
        } => (
            "the sum has more digits than {} {kind} holds: use the average, or sums of smaller groups",
            if *kind == Kind::Int { "an" } else { "a" }
        ),
        /// The width or the offset of buckets does not fit the field.
        BadWidth [] {
            /// The width.
            width: Value,
            /// The offset.
            offset: Value,
        } => (
            "buckets of width {width:?} from {offset:?} on: use a width above 0 and an offset, both finite and of the \
             field's kind"
        ),
        /// An empty range, or one whose bounds are of different kinds.
        BadRange [] {
            /// Its lower bound, included.
            from: Value,
            /// Its upper bound, excluded.
            to: Value,
        } => ("the range from {from:?} to {to:?} is empty: use two values of the field's kind, the lower one first"),
        /// More ranges than [`limits::MAX_RANGES`](crate::limits::MAX_RANGES).
        TooManyRanges [] {
            /// The number of ranges.
            ranges: usize,
            /// The most that is allowed.
            limit: usize,
        } => ("{ranges} ranges, the limit is {limit}: use several queries, or buckets of one width"),
        /// A percentile below 0, above 100, or NaN.
        BadPercentile [] {
            /// The percentile.
            percentile: Value,
        } => ("{percentile} is not a percentile: use a number from 0 to 100; 50 is the median"),
        /// Buckets of no unit, or of too many; an offset of more than 366 days; for a field of dates, an offset that is
        /// not in whole days.
        BadStep [] {
            /// The unit.
            unit: &'static str,
            /// The number of units.
            every: u32,
            /// The offset.
            offset_seconds: i64,
            /// The most units that are allowed.
            limit: u32,
        } => (
            "buckets of {every} {unit}s from an offset of {offset_seconds} s on: use 1 to {limit} units, and an offset \
             of at most 366 days, in whole days for a field of dates"
        ),
        /// Bounds of a histogram that are in no bucket, or in the wrong order.
        BadBounds [] {
            /// The first value.
            from: Value,
            /// The last value.
            to: Value,
        } => ("the bounds {from:?} and {to:?}: use two values of the field's kind that have a bucket, the lower one first"),
        /// Buckets of minutes or hours over a field of dates.
        NoTimeOfDay [] {
            /// The unit.
            unit: &'static str,
        } => ("a date has no {unit}: use buckets of a day or longer, or a field of timestamps"),
        /// A time zone for a field of dates, which have no time.
        DateInZone [zone] {} => ("the time zone {zone:?} has no effect on dates: use UTC, or a field of timestamps"),
        /// An unknown time zone.
        UnknownTimeZone [name] {} => (
            "unknown time zone {name:?}: use UTC, an offset like +02:00, or a name like Europe/Zurich"
        ),
        /// A time zone by name, without the feature `time-zones`.
        TimeZonesNotBuilt [name] {} => (
            "the time zone {name:?} needs the feature `time-zones` of memdex: enable it, or use UTC or an offset like \
             +02:00"
        ),
        /// More than [`limits::MAX_BUCKETS`](crate::limits::MAX_BUCKETS) buckets from the first to the last.
        TooManyBuckets [] {
            /// The number of buckets.
            buckets: u128,
            /// The most that is allowed.
            limit: usize,
        } => (
            "{buckets} buckets from the first to the last, the limit is {limit}: leave out the empty ones, or make \
             buckets wider"
        ),
    }
}

impl Error for StatisticsError {}
