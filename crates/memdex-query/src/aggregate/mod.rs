//! What do many values come to? Pure arithmetic: it knows of values, not of rows, records or indexes.
//!
//! Everything that is accumulated is exact, and rounded once, when it is asked for. So no answer depends on the order of the
//! values, and one from which values have left again equals one that they never came to, to the last bit.

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
mod steps;
mod wide;
mod zone;

#[cfg(test)]
mod reference;

pub use buckets::{Buckets, Even};
pub use calendar::{DayBuckets, Unit};
pub use date_buckets::{DAY, DateBuckets, HOUR, MINUTE, WEEK};
pub use moments::Moments;
pub use multiset::Multiset;
pub use percentile::Percentiles;
pub use ranges::Ranges;
pub use zone::Zone;
