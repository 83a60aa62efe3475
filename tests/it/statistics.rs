//! Statistics: metrics and groups with hand-computed results, refusals, random queries compared with a naive
//! evaluator, sums under commits.

mod by_hand;
mod hits;
mod many_values;
mod moving;
mod random;
mod refused;
mod together;
#[cfg(feature = "documents")]
mod undeclared;
