//! What do many records come to? Metrics and groups, exact, as of one commit. The story is in [`run`].

mod accumulate;
mod answer;
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
mod standing;

use crate::record::bound as bind;

pub use answer::{Figures, Group, Summary};
