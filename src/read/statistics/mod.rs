//! What do many records come to? Metrics and groups, exact, as of one commit. The story is in [`run`].

mod accumulate;
mod answer;
mod bind;
mod cells;
mod columns;
mod finish;
mod groups;
mod kernels;
mod measures;
mod parts;
mod run;
#[cfg(feature = "serde")]
mod serial;

pub use answer::{Figures, Group, Summary};
