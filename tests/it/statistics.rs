//! Statistics: metrics and groups by hand, what is refused, random ones beside a naive evaluator, sums under commits.

mod by_hand;
mod moving;
pub(crate) mod naive;
mod random;
mod refused;
