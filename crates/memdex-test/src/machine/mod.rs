//! The state machine: generated histories on repositories, compared with the model or with each other.

mod difference;
mod minimize;
mod runner;
mod sequential;
mod suite;
mod threads;

pub use difference::{Difference, Step};
pub use runner::{Machine, RunReport};
pub use suite::Suite;
pub use threads::ThreadFailure;
