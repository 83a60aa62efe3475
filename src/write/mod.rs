//! How do changes get in? Operations, the batches that gather them, and the commit that makes a batch visible at once.

mod background;
mod batch;
mod commit;
mod direct;
mod operation;
#[cfg(feature = "documents")]
mod patch;
mod receipt;
mod stage;
mod writer;

pub use background::{
    Applied, BackgroundWriter, BackgroundWriterBuilder, Died, FlushError, NotApplied, NotSubmitted, Queued, StartError,
    SubmitError, Ticket,
};
pub use batch::{Batch, Pending};
pub use operation::{OperationInfo, TakenOperation};
pub use receipt::{Counts, Receipt, Refused};
pub use writer::{Writer, WriterError};
