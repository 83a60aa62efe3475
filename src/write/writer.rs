//! The bulk writer: buffers operations and flushes them in batches by itself.

use super::batch::Batch;
use super::operation::Operation;
use super::receipt::{Counts, Receipt};
use crate::error::Refusal;
use crate::limits::DEFAULT_BULK_SIZE;
use crate::record::Record;
use crate::storage::{Collection, Engine};
use crate::sync::{Arc, Ordering::SeqCst};
use std::fmt;

/// Buffers operations, and flushes them as one batch whenever [`bulk_size`](Writer::bulk_size) of them have gathered.
///
/// A flush that is refused leaves the buffer as it was, and is tried again by itself only when as many operations more
/// have gathered: mend the operation at fault or take it out
/// ([`batch_mut`](Writer::batch_mut)), or take everything back ([`take`](Writer::take)). Dropped, a writer flushes what
/// it still holds, unless its thread is panicking. What is lost so, or because that flush is refused, is logged and counted in
/// [`Stats::lost_flushes`](crate::Stats::lost_flushes), so call [`flush`](Writer::flush) where it matters.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let mut writer = store.writer();
/// for id in 0..250 {
///     writer.store(&users, User { id })?;
/// }
/// assert_eq!((users.len(), writer.len()), (200, 50));
/// writer.flush()?;
/// assert_eq!((users.len(), writer.counts().inserted), (250, 250));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer {
    pub(super) batch: Batch,
    bulk_size: usize,
    /// How many operations to gather before the next flush: more than `bulk_size` after a refused one, which would only be
    /// refused again, at the cost of staging all of it for each further operation.
    flush_at: usize,
    counts: Counts,
}

/// Why a writer could not go on. Its buffer is intact in either case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// The operation was not taken into the buffer.
    #[error(transparent)]
    NotTaken(Refusal),
    /// The operation is in the buffer, but the buffer could not be flushed.
    #[error("the buffer stays unflushed: {0}")]
    NotFlushed(#[source] Refusal),
}

impl WriterError {
    /// Which operation, and why.
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

    /// Flushes at this many operations instead of [`limits::DEFAULT_BULK_SIZE`](crate::limits::DEFAULT_BULK_SIZE); at
    /// every single one if it is 0 or 1.
    #[must_use]
    pub fn bulk_size(mut self, operations: usize) -> Self {
        self.bulk_size = operations.max(1);
        self.flush_at = self.bulk_size;
        self
    }

    /// Adds operations that no flush may part: it flushes, if it is time, only after the last of them. If the closure
    /// refuses, those that it added are taken out again.
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
    /// [`WriterError::NotTaken`] if the closure refuses, [`WriterError::NotFlushed`] if the flush after it is refused.
    pub fn group(&mut self, add: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<(), WriterError> {
        Group::gather(&mut self.batch, add)?;
        self.flush_if_full()
    }

    /// Commits what is buffered. With an empty buffer nothing happens.
    ///
    /// # Errors
    /// The [`Refusal`]; the buffer stays as it was.
    pub fn flush(&mut self) -> Result<Receipt, Refusal> {
        let flushed = self.batch.flush();
        self.set_next_flush(flushed.is_ok());
        let receipt = flushed?;
        self.counts += receipt.counts;
        Ok(receipt)
    }

    /// How many operations are buffered.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether nothing is buffered.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// What the flushed operations did, all together.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The buffer, to read it back, and after a refusal to mend it.
    pub fn batch_mut(&mut self) -> &mut Batch {
        self.flush_at = self.bulk_size;
        &mut self.batch
    }

    /// Takes all that is buffered back; the writer goes on with an empty buffer.
    pub fn take(&mut self) -> Batch {
        self.flush_at = self.bulk_size;
        let empty = Batch::new(self.batch.engine().clone());
        std::mem::replace(&mut self.batch, empty)
    }

    pub(super) fn add<R: Record>(
        &mut self,
        collection: &Collection<R>,
        operation: Result<Operation<R>, Refusal>,
    ) -> Result<(), WriterError> {
        self.batch.add(collection, operation).map_err(WriterError::NotTaken)?;
        self.flush_if_full()
    }

    /// Whether it is time for a flush.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= self.flush_at
    }

    /// Says when the next flush is, after one.
    pub(super) fn set_next_flush(&mut self, flushed: bool) {
        self.flush_at = self.bulk_size + if flushed { 0 } else { self.batch.len() };
    }

    fn flush_if_full(&mut self) -> Result<(), WriterError> {
        if self.is_full() {
            self.flush().map_err(WriterError::NotFlushed)?;
        }
        Ok(())
    }
}

/// Takes out what was added since, unless it is told that all is well: also when the closure panics.
pub(super) struct Group<'a> {
    batch: &'a mut Batch,
    from: Option<usize>,
}

impl Group<'_> {
    pub(super) fn gather(
        batch: &mut Batch,
        add: impl FnOnce(&mut Batch) -> Result<(), Refusal>,
    ) -> Result<(), WriterError> {
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
        let flushed = if std::thread::panicking() {
            Err(Refusal::because("the thread is panicking, so what was gathered may be half of something"))
        } else {
            self.flush()
        };
        if let Err(refusal) = flushed {
            self.batch.engine().counters.lost_flushes.fetch_add(1, SeqCst);
            tracing::error!(%refusal, operations, "a writer was dropped unflushed: its operations are lost");
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
