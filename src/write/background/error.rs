//! What a background writer can't do, and the batch back.

use super::super::batch::Batch;
use super::super::receipt::Refused;
use crate::error::Refusal;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why a background writer could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The system gives no thread.
    #[error("the system gives no thread for the background writer: {0}")]
    NoThread(#[from] io::Error),
}

/// Why a batch was not taken into the queue. Nothing of it will be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// It is a batch of another store, it was submitted from inside an update closure, an extractor, an observer or
    /// `get_with`, or the closure that was to gather it refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The queue has no room for it now, or others wait for room already.
    #[error("the queue is full: wait for room with submit or submit_timeout, or for a ticket, and try again")]
    Full,
    /// The queue had no room for it in time.
    #[error("the queue had no room within {timeout:?}: try again later, or submit less")]
    TimedOut {
        /// How long it was to wait.
        timeout: Duration,
    },
    /// The queue will never have room for it: it holds more operations than the queue may.
    #[error(
        "the batch holds {operations} operations, the queue takes {limit}: split it, raise max_operations, or commit it"
    )]
    TooManyOperations {
        /// How many it holds.
        operations: usize,
        /// How many the queue may hold.
        limit: usize,
    },
    /// The queue will never have room for it: it takes more bytes ([`Batch::bytes`]) than the queue may.
    #[error("the batch takes {bytes} bytes, the queue {limit}: split it, raise max_bytes, or commit it")]
    TooManyBytes {
        /// What it takes.
        bytes: usize,
        /// What the queue may take.
        limit: usize,
    },
    /// The flusher has died. Nothing that it left in its queue is applied.
    #[error("the background writer has died: {why}; commit the batch, or start another background writer")]
    Died {
        /// Of what.
        why: String,
    },
}

/// A batch that was not taken into the queue, and here it is back.
///
/// ```
/// # use memdex::{Record, Store, SubmitError};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let background = store.background_writer().max_operations(2).start()?;
/// let mut batch = store.batch();
/// (0..3).try_for_each(|id| batch.store(&users, User { id }))?;
/// let not_submitted = background.submit(batch).unwrap_err();
/// assert!(matches!(not_submitted.error(), SubmitError::TooManyOperations { operations: 3, limit: 2 }));
/// assert_eq!(not_submitted.into_batch().commit()?.counts.inserted, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NotSubmitted {
    error: SubmitError,
    // Only to be `Sync`, so that the error passes through `Box<dyn Error + Send + Sync>`.
    batch: Mutex<Batch>,
}

impl NotSubmitted {
    pub(super) fn new(error: SubmitError, batch: Batch) -> Self {
        NotSubmitted { error, batch: Mutex::new(batch) }
    }

    /// Why.
    pub fn error(&self) -> &SubmitError {
        &self.error
    }

    /// Why, and the batch as it was.
    pub fn into_parts(self) -> (SubmitError, Batch) {
        (self.error, self.batch.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The batch as it was.
    pub fn into_batch(self) -> Batch {
        self.into_parts().1
    }
}

impl fmt::Debug for NotSubmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotSubmitted").field("error", &self.error).finish_non_exhaustive()
    }
}

impl fmt::Display for NotSubmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for NotSubmitted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Why a ticket does not say that its batch was applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotApplied {
    /// The batch was refused and has touched nothing: which operation, why, and the batch as it was.
    #[error(transparent)]
    Refused(Refused),
    /// The flusher has died before it could tell.
    #[error(transparent)]
    Died(Died),
    /// Asked to wait from inside an update closure, an extractor, an observer or `get_with`, for which the commit itself may
    /// have to wait. The ticket is as good as before.
    #[error(
        "a wait for a commit from inside a closure, an extractor or an observer, for which it may have to wait itself: wait once that has returned"
    )]
    InsideUserCode,
    /// An earlier call has given the answer already.
    #[error("an earlier call has given the answer of this ticket: keep it there")]
    AnswerTaken,
}

impl NotApplied {
    /// The batch as it was, if this brings it back.
    pub fn into_batch(self) -> Option<Batch> {
        match self {
            NotApplied::Refused(refused) => Some(refused.into_batch()),
            NotApplied::Died(died) => died.into_batch(),
            NotApplied::InsideUserCode | NotApplied::AnswerTaken => None,
        }
    }
}

/// The flusher has died, which is a bug of memdex, before it could say what became of a submission.
pub struct Died {
    why: String,
    // Only to be `Sync`, as in `NotSubmitted`.
    batch: Mutex<Option<Batch>>,
}

impl Died {
    pub(super) fn new(why: &str, batch: Option<Batch>) -> Self {
        Died { why: why.to_owned(), batch: Mutex::new(batch) }
    }

    /// Of what.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The batch as it was, if it was still in the queue: then nothing of it was applied. `None` if it was being committed:
    /// then either all of it was applied or nothing, and the store shows which.
    pub fn into_batch(self) -> Option<Batch> {
        self.batch.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Died").field("why", &self.why).finish_non_exhaustive()
    }
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the background writer has died: {}; look at the store before you submit the batch again", self.why)
    }
}

impl Error for Died {}

/// Why a flush can't say that all is visible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// Asked from inside an update closure, an extractor, an observer or `get_with`, for which the commit itself may have to
    /// wait.
    #[error(transparent)]
    Refused(Refusal),
    /// The flusher has died. The tickets know of each batch.
    #[error("the background writer has died: {why}; the tickets tell what became of each batch")]
    Died {
        /// Of what.
        why: String,
    },
}
