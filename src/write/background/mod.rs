//! How do changes get in without waiting for their commit? A queue with bounds, and a thread that commits what is in it.

mod builder;
mod death;
mod error;
mod flusher;
mod gate;
mod handle;
mod ticket;

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;

pub use builder::BackgroundWriterBuilder;
pub use error::{Died, FlushError, NotApplied, NotSubmitted, StartError, SubmitError};
pub use handle::{BackgroundWriter, Queued};
pub use ticket::{Applied, Ticket};
