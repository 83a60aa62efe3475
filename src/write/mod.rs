//! How are records changed? Commands, the batches that gather them, and the commit that makes a batch visible at once.

mod background;
mod batch;
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
mod writer;

pub use background::{
    Applied, BackgroundError, BackgroundWriter, BackgroundWriterBuilder, Queued, SubmitError, Ticket,
};
pub use batch::{Batch, Pending};
pub use commands::{IfUnchanged, UpdateResult};
pub use receipt::{Counts, Receipt, Refused};
pub use report::{OperationInfo, Outcome, RefusedOperation, Report, TakenOperation};
pub use writer::{Writer, WriterError};
