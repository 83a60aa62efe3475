//! Errors of the background writer.

use super::super::batch::{Batch, Refused};
#[cfg(feature = "testing")]
use super::super::faults::INJECTED;
use crate::error::Refusal;
use crate::sync::Mutex;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a background writer could not start, take a batch, apply a batch, or flush.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackgroundError {
    /// The system could not start the thread.
    #[error("the thread of the background writer could not be started: {0}")]
    NoThread(#[from] io::Error),
    /// The batch was refused, and nothing of it is applied. Tickets return it if the commit was refused,
    /// [`submit`](crate::BackgroundWriter::submit) if the batch belongs to another store, and
    /// [`submit_with`](crate::BackgroundWriter::submit_with) if its closure returned an error.
    #[error(transparent)]
    Refused(Refusal),
    /// The queue has no room now, or other submissions are waiting for room.
    #[error("the queue is full: wait for room with submit or submit_timeout, or wait for a ticket, and try again")]
    Full,
    /// The queue had no room in time.
    #[error("the queue had no room within {timeout:?}: try again later, or submit less")]
    #[non_exhaustive]
    TimedOut {
        /// The timeout of the call.
        timeout: Duration,
    },
    /// The batch has more operations than the queue may hold.
    #[error(
        "the batch has {operations} operations, the queue holds at most {limit}: split it, raise max_operations, or commit it"
    )]
    #[non_exhaustive]
    TooManyOperations {
        /// The operations of the batch.
        operations: usize,
        /// The limit of the queue.
        limit: usize,
    },
    /// The batch takes more bytes ([`Batch::bytes`]) than the queue may hold.
    #[error("the batch takes {bytes} bytes, the queue holds at most {limit}: split it, raise max_bytes, or commit it")]
    #[non_exhaustive]
    TooManyBytes {
        /// The bytes of the batch.
        bytes: usize,
        /// The limit of the queue.
        limit: usize,
    },
    /// The background thread panicked, which is a bug of memdex. A batch that comes back with this error was not applied. If no
    /// batch comes back, it was being committed: the store shows whether all of it was applied, or nothing.
    #[error(
        "the thread of the background writer panicked: {why}; check the store before you submit the batch again to another \
         background writer"
    )]
    #[non_exhaustive]
    Died {
        /// The message of the panic.
        why: String,
    },
    /// The call came from inside an update closure, an extractor, an observer or `get_with`, for which the commit itself may
    /// have to wait. A ticket stays valid.
    #[error(
        "submitting to a background writer, or waiting for it, does not work inside a closure, an extractor or an observer: do \
         it after it has returned"
    )]
    InsideUserCode,
    /// An earlier call has returned the answer of this ticket.
    #[error("an earlier call has returned the answer of this ticket: keep it there")]
    AnswerTaken,
}

impl BackgroundError {
    /// Whether a fault plan has injected it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn is_injected(&self) -> bool {
        match self {
            BackgroundError::Refused(refusal) => refusal.is_injected(),
            BackgroundError::Died { why } => why.starts_with(INJECTED),
            _ => false,
        }
    }
}

/// A batch that was not taken into the queue, or not applied: why, and the unchanged batch.
///
/// [`BackgroundWriter::submit`](crate::BackgroundWriter::submit) and its variants always return the batch. A
/// [`Ticket`](crate::write::Ticket) returns it unless the outcome is unknown or was returned before.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::write::BackgroundError;
///
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32 }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// let background = store.background_writer().max_operations(2).start()?;
/// let mut batch = store.batch();
/// (0..3).try_for_each(|id| batch.store(&users, User { id }))?;
/// let error = background.submit(batch).unwrap_err();
/// assert!(matches!(error.error(), BackgroundError::TooManyOperations { .. }));
/// let batch = error.into_batch().expect("submit always returns the batch");
/// assert_eq!(batch.commit()?.counts.inserted, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SubmitError {
    error: BackgroundError,
    // Makes the error `Sync`, so that it fits into `Box<dyn Error + Send + Sync>`.
    batch: Mutex<Option<Batch>>,
}

impl SubmitError {
    pub(super) fn new(error: BackgroundError, batch: impl Into<Option<Batch>>) -> Self {
        SubmitError { error, batch: Mutex::new(batch.into()) }
    }

    pub(super) fn refused(refused: Refused) -> Self {
        let (refusal, batch) = refused.into_parts();
        SubmitError::new(BackgroundError::Refused(refusal), batch)
    }

    pub(super) fn died(why: &str, batch: Option<Batch>) -> Self {
        SubmitError::new(BackgroundError::Died { why: why.to_owned() }, batch)
    }

    /// Why.
    #[must_use]
    pub fn error(&self) -> &BackgroundError {
        &self.error
    }

    /// Which operation was refused, and why. `None` for other errors, such as a full queue.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.error {
            BackgroundError::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Why, and the batch.
    pub fn into_parts(self) -> (BackgroundError, Option<Batch>) {
        (self.error, self.batch.into_inner())
    }

    /// The unchanged batch.
    pub fn into_batch(self) -> Option<Batch> {
        let (error, batch) = self.into_parts();
        match &batch {
            Some(batch) => batch.engine().counters.drop_each([error]),
            None => drop(error),
        }
        batch
    }
}

impl fmt::Debug for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for SubmitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
