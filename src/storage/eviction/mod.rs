//! Which records leave a collection that has a bound?
//!
//! The committer owns a [`Queue`] for each such collection: the weight of every record, and an order of eviction, which is a policy's.
//! A commit asks it for victims when nothing can refuse the batch any more, and moves them into its net changes. A queue reads the
//! marks that readers set in the versions (`src/storage/deadline.rs`). The commit lock guards it.

mod bound;
mod ghosts;
mod lists;
mod oldest;
mod order;
mod queue;
mod s3_fifo;
mod sieve;
mod soonest;

pub use bound::{Bound, EvictionPolicy};
pub(crate) use bound::{Bounded, Measured};
pub(crate) use order::Newest;
pub(crate) use queue::{Moved, Queue, Usage};
