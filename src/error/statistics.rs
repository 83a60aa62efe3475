//! What is wrong with a statistic.

use crate::value::{Kind, Value};

/// A figure that can't be computed, or a question for one that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// A sum has more digits than a value of its kind.
    #[error("the sum has more digits than {a} {kind} holds: ask for the average, or for sums of smaller groups", a = article(*kind))]
    Overflow {
        /// What the sum would have been.
        kind: Kind,
    },
    /// The width of buckets, or where they begin, is no number that can divide the field.
    #[error(
        "buckets of width {width} from {offset} on: give a width above 0 and an offset, both finite and of the field's kind"
    )]
    BadWidth {
        /// The width.
        width: Value,
        /// The offset.
        offset: Value,
    },
    /// A range that nothing can fall in, or whose ends are of different kinds.
    #[error("nothing falls in the range from {from} to {to}: give two values of the field's kind, the lower one first")]
    BadRange {
        /// Its first value.
        from: Value,
        /// The first value behind it.
        to: Value,
    },
    /// More ranges than [`limits::MAX_RANGES`](crate::limits::MAX_RANGES).
    #[error("{ranges} ranges, the limit is {limit}: ask in several questions, or for buckets of one width")]
    TooManyRanges {
        /// How many there are.
        ranges: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A percentile that there is not.
    #[error("there is no percentile {percentile}: give numbers from 0 to 100, 50 is the median")]
    BadPercentile {
        /// What was asked for.
        percentile: Value,
    },
    /// Buckets of minutes or hours over days.
    #[error("a date has no {unit}: ask for buckets of a day or longer, or take a timestamp")]
    NoTimeOfDay {
        /// The unit.
        unit: &'static str,
    },
    /// A time zone for dates, which have no time.
    #[error("a date is the same day in every time zone, so {zone:?} has no meaning: give UTC, or take a timestamp")]
    DateInZone {
        /// The zone.
        zone: String,
    },
    /// No time zone has this name.
    #[error("there is no time zone {name:?}: give UTC, an offset like +02:00, or a name like Europe/Zurich")]
    UnknownTimeZone {
        /// The name.
        name: String,
    },
    /// Time zones by name are not compiled in.
    #[error(
        "the time zone {name:?} needs the feature time-zones of memdex: switch it on, or give UTC or an offset like +02:00"
    )]
    TimeZonesNotBuilt {
        /// The name.
        name: String,
    },
    /// More buckets than [`limits::MAX_BUCKETS`](crate::limits::MAX_BUCKETS) from the first to the last.
    #[error(
        "{buckets} buckets from the first to the last, the limit is {limit}: leave the empty ones out, or make them wider"
    )]
    TooManyBuckets {
        /// How many there would be.
        buckets: u128,
        /// How many there may be.
        limit: usize,
    },
}

fn article(kind: Kind) -> &'static str {
    if kind == Kind::Int { "an" } else { "a" }
}
