//! What do many values come to? Pure arithmetic: it knows of values, not of rows, records or indexes.
//!
//! Everything that is accumulated is exact, and rounded once, when it is asked for. So no answer depends on the order of the
//! values, and one from which values have left again equals one that they never came to, to the last bit.

mod float_sum;
mod moments;
mod multiset;
mod natural;
mod wide;

#[cfg(test)]
mod reference;

pub(crate) use float_sum::FloatSum;
pub(crate) use moments::{DecimalMoments, FloatMoments, IntMoments, Moments};
pub(crate) use multiset::Multiset;
