//! Exact arithmetic over many values, without rows, records or indexes.
//!
//! Accumulators are exact; a result is rounded once, when it is read. So no result depends on the order of the values,
//! and an accumulator from which values were removed gives the same result, to the last bit, as one that never had
//! them.

mod buckets;
mod calendar;
mod date_buckets;
mod float_sum;
mod limbs;
mod moments;
mod multiset;
mod natural;
mod percentile;
mod ranges;
mod ratio;
mod steps;
mod wide;
mod zone;

#[cfg(test)]
mod reference;

pub use buckets::{Buckets, Even};
pub use calendar::DayBuckets;
pub use date_buckets::{DAY, DateBuckets, HOUR, MINUTE, WEEK};
pub use moments::Moments;
pub use multiset::Multiset;
pub use percentile::percentiles;
pub use ranges::Ranges;
pub use ratio::{nearest_float, ratio};
pub use zone::Zone;
