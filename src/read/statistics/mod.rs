//! What do many records come to? Metrics and groups, exact, as of one commit.

mod answer;
#[cfg(feature = "serde")]
mod serial;
mod standing;

pub use answer::{Figures, Group, Summary};
