//! The bulk writer: buffers operations and commits them in batches.

use super::batch::Batch;
use super::operation::Operation;
use super::receipt::{Counts, Receipt};
use crate::error::Refusal;
use crate::limits::DEFAULT_BULK_SIZE;
use crate::record::Record;
use crate::storage::{Collection, Engine};
use crate::sync::{Arc, Ordering::SeqCst, panicking};
use crate::trace;
use std::fmt;

/// Buffers operations and commits them as one batch whenever it holds [`bulk_size`](Writer::bulk_size) of them.
///
/// A refused flush leaves the buffer unchanged. The writer retries on its own only after it has buffered `bulk_size` more
/// operations. Before that you can edit or remove the operation at fault ([`batch_mut`](Writer::batch_mut)), or take the whole
/// buffer ([`take`](Writer::take)), for example to commit it without the refused operations ([`Batch::commit_lenient`]).
///
/// Dropping a writer flushes its buffer, unless the thread is panicking. Operations that are lost then, or because that last flush
/// is refused, are logged and counted in [`Stats::lost_operations`](crate::stats::Stats::lost_operations). Call [`flush`](Writer::flush) to
/// learn about refusals.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::write::WriterError;
///
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32 }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// let mut writer = store.writer();
/// for id in 0..250 {
///     writer.store(&users, User { id })?;
/// }
/// assert_eq!((users.len(), writer.len()), (200, 50));
/// writer.flush()?;
/// assert_eq!((users.len(), writer.counts().inserted), (250, 250));
///
/// // Leave out what is refused, and go on.
/// for id in 200..300 {
///     match writer.insert(&users, User { id }) {
///         Err(WriterError::NotFlushed(_)) => {
///             let report = writer.take().commit_lenient()?;
///             assert_eq!((report.receipt.counts.inserted, report.refused.len()), (50, 50));
///         }
///         other => other?,
///     }
/// }
/// assert_eq!(users.len(), 300);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a writer hides refusals: call `flush`"]
pub struct Writer {
    batch: Batch,
    bulk_size: usize,
    /// The number of buffered operations at which the next flush happens. After a refused flush it is more than `bulk_size`:
    /// otherwise each further operation would stage the whole buffer, to be refused again.
    flush_at: usize,
    counts: Counts,
}

/// Why a command of a [`Writer`] failed. The buffer is intact in either case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// The operation was not added to the buffer.
    #[error(transparent)]
    NotTaken(Refusal),
    /// The operation is in the buffer, but the flush was refused.
    #[error("the writer could not flush its buffer: {0}")]
    NotFlushed(#[source] Refusal),
}

impl WriterError {
    /// Which operation was refused, and why.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        match self {
            WriterError::NotTaken(refusal) | WriterError::NotFlushed(refusal) => refusal,
        }
    }
}

impl Writer {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let (bulk_size, flush_at) = (DEFAULT_BULK_SIZE, DEFAULT_BULK_SIZE);
        Writer { batch: Batch::new(engine), bulk_size, flush_at, counts: Counts::default() }
    }

    /// Flushes when this many operations are buffered; 0 and 1 flush after each. Default:
    /// [`limits::DEFAULT_BULK_SIZE`](crate::limits::DEFAULT_BULK_SIZE).
    pub fn bulk_size(mut self, operations: usize) -> Self {
        self.bulk_size = operations.max(1);
        self.flush_at = self.bulk_size;
        self
    }

    /// Adds operations that must be in the same commit: the writer flushes only after the last of them. If the closure returns an
    /// error or panics, the operations that it added are removed again.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct Account { #[record(key)] id: u32, balance: i64 }
    /// # let store = Store::new();
    /// # let accounts = store.collection::<Account>("Account")?;
    /// # store.commit(|b| (0..2).try_for_each(|id| b.store(&accounts, Account { id, balance: 0 })))?;
    /// let mut writer = store.writer().bulk_size(3);
    /// for _ in 0..10 {
    ///     writer.group(|batch| {
    ///         batch.update(&accounts, 0, |a| a.balance -= 1)?;
    ///         batch.update(&accounts, 1, |a| a.balance += 1)
    ///     })?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WriterError::NotTaken`] if the closure returns an error, [`WriterError::NotFlushed`] if the flush after it is refused.
    pub fn group(&mut self, add: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<(), WriterError> {
        Group::gather(&mut self.batch, add)?;
        self.flush_if_full()
    }

    /// Commits the buffered operations. Does nothing if there are none.
    ///
    /// # Errors
    /// The [`Refusal`]; the buffer is unchanged.
    pub fn flush(&mut self) -> Result<Receipt, Refusal> {
        let flushed = self.batch.flush();
        self.flush_at = self.bulk_size + if flushed.is_ok() { 0 } else { self.batch.len() };
        let receipt = flushed?;
        self.counts += receipt.counts;
        Ok(receipt)
    }

    /// The number of buffered operations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether the buffer is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The effects of all flushed operations, counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The buffer, to read it, or to edit it after a refusal.
    pub fn batch_mut(&mut self) -> &mut Batch {
        self.flush_at = self.bulk_size;
        &mut self.batch
    }

    /// Returns the buffer and continues with an empty one.
    pub fn take(&mut self) -> Batch {
        self.flush_at = self.bulk_size;
        let empty = Batch::new(self.batch.engine().clone());
        std::mem::replace(&mut self.batch, empty)
    }

    pub(super) fn add<R: Record>(
        &mut self,
        collection: &Collection<R>,
        operation: Result<Operation, Refusal>,
    ) -> Result<(), WriterError> {
        self.batch.add(collection, operation).map_err(WriterError::NotTaken)?;
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> Result<(), WriterError> {
        if self.batch.len() >= self.flush_at {
            self.flush().map_err(WriterError::NotFlushed)?;
        }
        Ok(())
    }
}

/// Removes the operations added since `from` when it is dropped, also by a panic of the closure. `None` keeps them.
struct Group<'a> {
    batch: &'a mut Batch,
    from: Option<usize>,
}

impl Group<'_> {
    fn gather(batch: &mut Batch, add: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<(), WriterError> {
        let from = Some(batch.next_position());
        let mut group = Group { batch, from };
        add(group.batch).map_err(WriterError::NotTaken)?;
        group.from = None;
        Ok(())
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if let Some(from) = self.from {
            self.batch.truncate(from);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.is_empty() {
            return;
        }
        let operations = self.len();
        let flushed = if panicking() {
            Err(Refusal::because("the thread is panicking, so the buffer may be incomplete"))
        } else {
            self.flush()
        };
        if let Err(refusal) = flushed {
            let counters = &self.batch.engine().counters;
            counters.lost_operations.fetch_add(operations as u64, SeqCst);
            trace::event!(
                counters.tracer,
                ERROR,
                %refusal,
                operations,
                "a writer was dropped, and its last flush failed: its operations are lost"
            );
            counters.drop_each([refusal]);
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("buffered", &self.len())
            .field("bulk_size", &self.bulk_size)
            .finish_non_exhaustive()
    }
}
