//! How are records changed? Commands, the batches that gather them, and the commit that makes a batch visible at once.

mod action;
pub(crate) mod any_collection;
mod attribution;
pub(crate) mod background;
pub(crate) mod batch;
mod bound;
mod change;
mod checkpoint;
mod claims;
mod clear;
mod commands;
mod commit;
mod counters;
mod deadline;
#[cfg(feature = "testing")]
mod doom;
mod entries;
mod evict;
mod expire;
#[cfg(feature = "testing")]
pub(crate) mod faults;
mod fold;
mod follow;
mod judge;
mod lasting;
mod lifetime;
mod linked;
mod matching;
mod moved;
mod net;
mod operation;
mod operations;
mod outcome;
#[cfg(feature = "documents")]
mod patch;
mod pending;
mod phantoms;
mod preview;
mod receipt;
mod reference_faults;
mod references;
mod replay;
mod report;
mod resolve;
mod returned;
mod selection;
mod stage;
pub(crate) mod writer;

pub use crate::storage::{Bound, EvictionPolicy};
pub use background::{Applied, BackgroundError, BackgroundWriterBuilder, Queued, SubmitError, Ticket};
pub use batch::Refused;
pub use checkpoint::{Checkpoint, RollbackError};
pub use commands::{IfUnchanged, UpdateResult};
pub use lasting::WithLifetime;
pub use lifetime::{DefaultLifetime, Lifetime};
pub use matching::{AtOnce, Matching};
pub use operation::OperationInfo;
pub use outcome::Outcome;
pub use pending::Pending;
pub use receipt::{Counts, Receipt};
pub use report::{RefusedOperation, Report, TakenOperation};
pub use returned::{Changes, PendingChanges, PendingHits};
pub use writer::WriterError;

pub(crate) use batch::Batch;
pub(crate) use checkpoint::{Undone, deadlines_of, restore, restore_collection};
pub(crate) use expire::remove_some;
pub(crate) use writer::Writer;
