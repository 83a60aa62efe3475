//! The handle of a background writer.

use super::super::batch::Batch;
use super::super::commit::refused;
use super::error::{BackgroundError, SubmitError};
use super::flusher::Submission;
use super::gate::{Gate, Patience, Size};
use super::ticket::Ticket;
use crate::error::{Cause, Refusal};
use crate::storage::Engine;
use crate::sync::{Arc, thread};
#[cfg(feature = "testing")]
use crate::testing::OperationKind;
use crate::user_code;
use crossbeam_channel::Sender;
use std::fmt;
use std::time::Duration;

/// Queues batches and commits them on a background thread, several in one commit where possible.
///
/// [`Store::background_writer`](crate::Store::background_writer) starts one. A handle is cheap to clone. Clones submit to the same
/// queue, which lives until the last of them is dropped.
///
/// **Atomicity.** Each submitted batch is applied whole or not at all. The result is the same as if the batches were committed
/// one after the other, in the order of submission; only how many share a commit depends on timing. A refused batch does not
/// affect others. Update closures that read the store see committed records only, not those of other queued batches or of
/// batches in the same commit. They may run more than once.
///
/// **Blocking.** [`submit`](BackgroundWriter::submit) and [`submit_timeout`](BackgroundWriter::submit_timeout) block the thread
/// while the queue is full. [`flush`](BackgroundWriter::flush) and [`Ticket::wait`] block until the commits are done. Dropping the
/// last handle blocks until the queue is empty, except inside user code of a write or a query, where the thread empties the queue
/// later. [`try_submit`](BackgroundWriter::try_submit) and awaiting a [`Ticket`] never block. In async code use these two, await the
/// last ticket instead of a flush (answers come in the order of submission), and drop the last handle after that. An update closure
/// must not wait for a thread that submits: that thread may wait for room, and the room may depend on the closure's commit.
///
/// **Cost.** A submission is a few allocations and a short lock. For speed, put some dozens of operations into each batch.
///
/// ```
/// use memdex::{Record, Store};
///
/// #[derive(Clone, Record)]
/// struct Account { #[record(key)] id: u32, balance: i64 }
///
/// let store = Store::new();
/// let accounts = store.collection::<Account>("Account")?;
/// store.commit(|b| (0..2).try_for_each(|id| b.store(&accounts, Account { id, balance: 0 })))?;
/// let background = store.background_writer().start()?;
/// let mut tickets = Vec::new();
/// for _ in 0..10 {
///     tickets.push(background.submit_with(|batch| {
///         batch.update(&accounts, 0, |a| a.balance -= 1)?;
///         batch.update(&accounts, 1, |a| a.balance += 1)
///     })?);
/// }
/// background.flush()?;
/// assert_eq!(accounts.get(1).unwrap().balance, 10);
/// for mut ticket in tickets {
///     ticket.wait()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BackgroundWriter {
    shared: Arc<Shared>,
}

/// The state that all handles share. Dropping it ends the queue.
struct Shared {
    engine: Arc<Engine>,
    gate: Arc<Gate>,
    sender: Sender<Submission>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The content of a background writer's queue, including what is being committed: see [`BackgroundWriter::queued`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Queued {
    /// The number of batches.
    pub submissions: usize,
    /// The number of their operations.
    pub operations: usize,
    /// The bytes that these take, as [`Batch::bytes`] counts them.
    pub bytes: usize,
}

impl BackgroundWriter {
    pub(super) fn new(
        engine: Arc<Engine>,
        gate: Arc<Gate>,
        sender: Sender<Submission>,
        thread: thread::JoinHandle<()>,
    ) -> Self {
        BackgroundWriter { shared: Arc::new(Shared { engine, gate, sender, thread: Some(thread) }) }
    }

    /// Makes an empty batch of the store.
    pub fn batch(&self) -> Batch {
        Batch::new(self.shared.engine.clone())
    }

    /// Submits a batch. Waits for room without a limit; waiters are served first come, first served. An empty batch takes a
    /// place in the queue as well, and is answered in its turn.
    ///
    /// Blocks the thread while the queue is full, until others are committed.
    ///
    /// # Errors
    /// [`SubmitError`], with the batch: it belongs to another store or is too big for the queue, the call comes from inside an
    /// update closure, an extractor, an observer or `get_with`, or the background thread has panicked.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, SubmitError> {
        self.put(batch, Patience::Forever)
    }

    /// As [`submit`](BackgroundWriter::submit), but waits no longer than `timeout` for room.
    ///
    /// # Errors
    /// As for `submit`, and [`BackgroundError::TimedOut`].
    pub fn submit_timeout(&self, batch: Batch, timeout: Duration) -> Result<Ticket, SubmitError> {
        self.put(batch, Patience::For(timeout))
    }

    /// Submits a batch if the queue has room for it now. Never waits for room or for a commit.
    ///
    /// # Errors
    /// As for `submit`, and [`BackgroundError::Full`], also when there is room but other submissions wait for more.
    pub fn try_submit(&self, batch: Batch) -> Result<Ticket, SubmitError> {
        self.put(batch, Patience::None)
    }

    /// Fills a batch by a closure and submits it. Blocks as [`submit`](BackgroundWriter::submit) does.
    ///
    /// # Errors
    /// As for `submit`, and [`BackgroundError::Refused`] if the closure returns an error, with the batch as far as it was filled.
    pub fn submit_with(&self, gather: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<Ticket, SubmitError> {
        let mut batch = self.batch();
        match gather(&mut batch) {
            Ok(()) => self.submit(batch),
            Err(refusal) => Err(self.refuse(refusal, batch)),
        }
    }

    /// Waits until all batches that any handle had submitted before this call are answered, and those that were not refused are
    /// visible. Commits immediately instead of waiting for more submissions. The tickets report refusals.
    ///
    /// Blocks the thread until then. It does not wait for batches that are submitted later, nor for those whose submission still
    /// waits for room. To wait for one batch, wait for its ticket.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// let background = store.background_writer().start()?;
    /// std::thread::scope(|scope| {
    ///     for id in 0..4 {
    ///         let (background, users) = (background.clone(), &users);
    ///         scope.spawn(move || background.submit_with(|batch| batch.insert(users, User { id })).map(drop));
    ///     }
    /// });
    /// background.flush()?;
    /// assert_eq!(users.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`BackgroundError::InsideUserCode`] inside an update closure, an extractor, an observer or `get_with`, and
    /// [`BackgroundError::Died`] if the background thread has panicked.
    pub fn flush(&self) -> Result<(), BackgroundError> {
        if user_code::inside() {
            return Err(self.inside_user_code("flush"));
        }
        #[cfg(feature = "testing")]
        self.shared.engine.meet(OperationKind::Flush, "flush", &[]).map_err(BackgroundError::Refused)?;
        self.shared.gate.flush().map_err(|why| BackgroundError::Died { why: why.to_string() })
    }

    /// The current content of the queue.
    #[must_use]
    pub fn queued(&self) -> Queued {
        let Size { submissions, operations, bytes } = self.shared.gate.queued();
        Queued { submissions, operations, bytes }
    }

    fn put(&self, batch: Batch, patience: Patience) -> Result<Ticket, SubmitError> {
        let Shared { engine, gate, sender, .. } = &*self.shared;
        if user_code::inside() {
            return Err(SubmitError::new(self.inside_user_code("submit"), batch));
        }
        if !Arc::ptr_eq(batch.engine(), engine) {
            return Err(self.refuse(Refusal::new("submit", "", Cause::OtherStore), batch));
        }
        #[cfg(feature = "testing")]
        if let Err(refusal) = engine.meet(OperationKind::Submit, "submit", &[]) {
            return Err(self.refuse(refusal, batch));
        }
        let size = Size { submissions: 1, operations: batch.len(), bytes: batch.bytes() };
        let (ticket, reply) = Ticket::new(engine.counters.clone());
        let mut submission = Some(Submission { batch: Some(batch), size, reply });
        let admitted = gate.enter(size, patience, || {
            // The channel has a place for each submission that the gate admits. If it had none, the reply would answer.
            submission.take().into_iter().for_each(|submission| drop(sender.try_send(submission)));
        });
        match (admitted, submission) {
            (Err(error), Some(Submission { batch: Some(batch), reply, .. })) => {
                reply.withdraw();
                Err(SubmitError::new(error, batch))
            }
            (Ok(()), None) => Ok(ticket),
            _ => unreachable!("a submission is sent if and only if it is admitted"),
        }
    }

    fn refuse(&self, refusal: Refusal, batch: Batch) -> SubmitError {
        refused(&self.shared.engine, &refusal);
        SubmitError::new(BackgroundError::Refused(refusal), batch)
    }

    fn inside_user_code(&self, operation: &'static str) -> BackgroundError {
        refused(&self.shared.engine, &Refusal::new(operation, "", Cause::InsideUserCode));
        BackgroundError::InsideUserCode
    }
}

impl fmt::Debug for BackgroundWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundWriter").field("queued", &self.queued()).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.gate.close();
        let Some(flusher) = self.thread.take() else { return };
        // Inside user code the flusher may wait for this thread, or be this thread: then it empties its queue unattended.
        if !user_code::inside() {
            let _ = flusher.join();
        }
    }
}
