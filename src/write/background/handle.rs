//! The handle before the queue.

use super::super::batch::Batch;
use super::super::commit::refused;
use super::error::{FlushError, NotSubmitted, SubmitError};
use super::flusher::Submission;
use super::gate::{Gate, Patience, Size};
use super::ticket::Ticket;
use crate::error::{Cause, Refusal};
use crate::storage::Engine;
use crate::sync::{Arc, AtomicU64, Ordering::SeqCst, thread};
use crate::user_code;
use crossbeam_channel::Sender;
use std::fmt;
use std::time::Duration;

/// Takes whole batches into a queue, which a thread of its own commits: several together where it can, each whole or not at
/// all. Cheap to clone; clones submit to the same queue, and it lives as long as any of them. Get the first from
/// [`Store::background_writer`](crate::Store::background_writer).
///
/// **What is atomic** is the submission. How many share a commit depends on time; what they do to the store, and what each
/// learns, does not: it is as if they were committed one after the other, in the order in which they were submitted. A
/// submission that is refused takes no other one down. Update closures that read the store see what is committed, not what
/// is still in the queue, nor what shares their commit; they may run more than once.
///
/// **What may block.** [`submit`](BackgroundWriter::submit) and [`submit_timeout`](BackgroundWriter::submit_timeout) block the
/// thread while the queue is full, [`flush`](BackgroundWriter::flush) and [`Ticket::wait`] until commits are done. So does the drop
/// of the last handle, which lets the queue run empty first (but inside user code of a write or a query, where it
/// goes on by itself). [`try_submit`](BackgroundWriter::try_submit) never waits for room nor for a commit, nor does awaiting a [`Ticket`]: in
/// async code use these, await the last ticket instead of a flush (answers come in the order of submission), and drop the last
/// handle after that. An update closure must not wait for a thread that submits: that one may wait for room, and room for the
/// closure's own commit.
///
/// **What it costs.** A submission is some allocations and a short lock; for speed gather some dozens of operations in each.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct Account { #[record(key)] id: u32, balance: i64 }
/// # let store = Store::new();
/// # let accounts = store.collection::<Account>("Account")?;
/// # store.commit(|b| (0..2).try_for_each(|id| b.store(&accounts, Account { id, balance: 0 })))?;
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
pub struct BackgroundWriter {
    shared: Arc<Shared>,
    /// The last submission of this handle.
    last: AtomicU64,
}

/// What all handles share. Its end is that of the queue.
struct Shared {
    engine: Arc<Engine>,
    gate: Arc<Gate>,
    sender: Sender<Submission>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What is in the queue of a background writer, what is being committed included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queued {
    /// Batches.
    pub submissions: usize,
    /// Their operations.
    pub operations: usize,
    /// What these take, as [`Batch::bytes`] counts.
    pub bytes: usize,
}

impl BackgroundWriter {
    pub(super) fn new(
        engine: Arc<Engine>,
        gate: Arc<Gate>,
        sender: Sender<Submission>,
        thread: thread::JoinHandle<()>,
    ) -> Self {
        let shared = Arc::new(Shared { engine, gate, sender, thread: Some(thread) });
        BackgroundWriter { shared, last: AtomicU64::new(0) }
    }

    /// An empty batch of the store.
    pub fn batch(&self) -> Batch {
        Batch::new(self.shared.engine.clone())
    }

    /// Submits a batch, and waits for room as long as it takes: those that came before get theirs first. An empty batch
    /// takes a place as well, and is answered in its turn.
    ///
    /// Blocks the thread while the queue is full, that is until others are committed.
    ///
    /// # Errors
    /// [`NotSubmitted`], with the batch: it is of another store or too big for the queue, this was called from inside an update
    /// closure, an extractor, an observer or `get_with`, or the flusher has died.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, NotSubmitted> {
        self.put(batch, Patience::Forever)
    }

    /// As [`submit`](BackgroundWriter::submit), but waits no longer than `timeout` for room.
    ///
    /// # Errors
    /// As for `submit`, and [`SubmitError::TimedOut`].
    pub fn submit_timeout(&self, batch: Batch, timeout: Duration) -> Result<Ticket, NotSubmitted> {
        self.put(batch, Patience::For(timeout))
    }

    /// Submits a batch if the queue has room for it now. Never waits for room nor for a commit.
    ///
    /// # Errors
    /// As for `submit`, and [`SubmitError::Full`], also when there is room but others wait for more.
    pub fn try_submit(&self, batch: Batch) -> Result<Ticket, NotSubmitted> {
        self.put(batch, Patience::None)
    }

    /// Gathers a batch and submits it. Blocks as [`submit`](BackgroundWriter::submit) does.
    ///
    /// # Errors
    /// As for `submit`, and the refusal of `gather`, with the batch as far as it was gathered.
    pub fn submit_with(&self, gather: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<Ticket, NotSubmitted> {
        let mut batch = self.batch();
        match gather(&mut batch) {
            Ok(()) => self.submit(batch),
            Err(refusal) => Err(self.refuse(refusal, batch)),
        }
    }

    /// Waits until all that this handle has submitted before is answered, and what was not refused is visible. It waits for
    /// company no longer. The tickets tell of refusals.
    ///
    /// Blocks the thread until then.
    ///
    /// # Errors
    /// [`FlushError`]: from inside an update closure, an extractor, an observer or `get_with`, and if the flusher has died.
    pub fn flush(&self) -> Result<(), FlushError> {
        if user_code::inside() {
            let refusal = Refusal::new("flush", "", Cause::InsideUserCode);
            refused(&self.shared.engine, &refusal);
            return Err(FlushError::Refused(refusal));
        }
        let last = self.last.load(SeqCst);
        self.shared.gate.flush(last).map_err(|why| FlushError::Died { why: why.to_string() })
    }

    /// What is in the queue now.
    pub fn queued(&self) -> Queued {
        let Size { submissions, operations, bytes } = self.shared.gate.queued();
        Queued { submissions, operations, bytes }
    }

    fn put(&self, batch: Batch, patience: Patience) -> Result<Ticket, NotSubmitted> {
        let Shared { engine, gate, sender, .. } = &*self.shared;
        if user_code::inside() {
            return Err(self.refuse(Refusal::new("submit", "", Cause::InsideUserCode), batch));
        }
        if !Arc::ptr_eq(batch.engine(), engine) {
            return Err(self.refuse(Refusal::new("submit", "", Cause::OtherStore), batch));
        }
        let size = Size { submissions: 1, operations: batch.len(), bytes: batch.bytes() };
        let (ticket, reply) = Ticket::new();
        let mut submission = Some(Submission { batch: Some(batch), size, reply });
        let number = gate.enter(size, patience, || {
            // The channel has a place for each that the gate lets in. Were there none, the reply would say so.
            submission.take().into_iter().for_each(|submission| drop(sender.try_send(submission)));
        });
        match (number, submission) {
            (Err(error), Some(Submission { batch: Some(batch), reply, .. })) => {
                reply.withdraw();
                Err(NotSubmitted::new(error, batch))
            }
            (Ok(number), None) => {
                self.last.fetch_max(number, SeqCst);
                Ok(ticket)
            }
            _ => unreachable!("it is sent if it is let in, and only then"),
        }
    }

    fn refuse(&self, refusal: Refusal, batch: Batch) -> NotSubmitted {
        refused(&self.shared.engine, &refusal);
        NotSubmitted::new(SubmitError::Refused(refusal), batch)
    }
}

impl Clone for BackgroundWriter {
    fn clone(&self) -> Self {
        BackgroundWriter { shared: self.shared.clone(), last: AtomicU64::new(0) }
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
        // Inside user code the flusher may wait for this very thread, or be it: then it runs its queue empty by itself.
        if !user_code::inside() {
            let _ = flusher.join();
        }
    }
}
