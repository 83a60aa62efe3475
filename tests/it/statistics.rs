//! Statistics: metrics and groups by hand, what is refused, and random ones beside a naive evaluator.

mod naive;
mod random;
