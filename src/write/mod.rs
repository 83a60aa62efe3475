//! How do changes get in? Operations, the batches that gather them, and the commit that makes a batch visible at once.

mod background;
mod batch;
mod clear;
mod commit;
mod direct;
mod entries;
mod lenient;
mod operation;
#[cfg(feature = "documents")]
mod patch;
mod receipt;
mod report;
mod resolve;
mod stage;
mod writer;

pub use background::{
    Applied, BackgroundWriter, BackgroundWriterBuilder, Died, FlushError, NotApplied, NotSubmitted, Queued, StartError,
    SubmitError, Ticket,
};
pub use batch::{Batch, Pending};
pub use lenient::LenientWriter;
pub use receipt::{Counts, Receipt, Refused};
pub use report::{OperationInfo, Outcome, RefusedOperation, Report, TakenOperation};
pub use writer::{Writer, WriterError};
