//! How are records changed without waiting for the commit? A bounded queue, and a thread that commits the batches in it.

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
pub use error::{BackgroundError, SubmitError};
pub use handle::{BackgroundWriter, Queued};
pub use ticket::{Applied, Ticket};
