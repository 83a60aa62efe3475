//! How are records changed? Commands, the batches that gather them, and the commit that makes a batch visible at once.

pub(crate) mod background;
pub(crate) mod batch;
mod clear;
mod commands;
mod commit;
mod entries;
mod operation;
mod part;
mod receipt;
mod report;
mod resolve;
mod stage;
pub(crate) mod writer;

pub use background::{Applied, BackgroundError, BackgroundWriterBuilder, Queued, SubmitError, Ticket};
pub use batch::Pending;
pub use commands::{IfUnchanged, UpdateResult};
pub use receipt::{Counts, Receipt, Refused};
pub use report::{OperationInfo, Outcome, RefusedOperation, Report, TakenOperation};
pub use writer::WriterError;

pub(crate) use batch::Batch;
pub(crate) use writer::Writer;
