//! A ticket and the reply that it waits for: one cell, which the flusher writes once.

use super::super::batch::Batch;
use super::error::{BackgroundError, SubmitError};
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::storage::Counters;
use crate::sync::{Arc, Condvar, Mutex, Ordering::SeqCst};
use crate::trace;
use crate::user_code;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The answer to a batch that was applied: all of it is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Applied {
    /// The commit that the batch became part of, maybe together with others. For an empty batch that shared no commit, the
    /// newest commit at that time.
    pub commit: Commit,
    /// The time of that commit, by the store's clock.
    pub at: Timestamp,
}

/// The answer to a submitted batch, now or later: [`wait`](Ticket::wait) for it, poll it ([`try_answer`](Ticket::try_answer)), or
/// await it. The first call after the answer has arrived takes it.
///
/// `wait` and `wait_timeout` block the thread. Awaiting never blocks and works with any executor. Answers come in the order of
/// the submissions.
///
/// Dropping a ticket discards the answer and nothing else. If its batch is refused, the batch is lost, which is logged and counted
/// in [`Stats::lost_operations`](crate::stats::Stats::lost_operations).
///
/// ```
/// use memdex::{Record, Store};
///
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32 }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// let background = store.background_writer().start()?;
/// let mut ticket = background.submit_with(|batch| batch.insert(&users, User { id: 1 }))?;
/// assert_eq!(ticket.wait()?.commit, 1);
///
/// let mut ticket = background.submit_with(|batch| batch.insert(&users, User { id: 1 }))?;
/// let mut batch = ticket.wait().unwrap_err().into_batch().expect("a refused batch comes back");
/// batch.edit(&users, 0, |user| user.id = 2)?;
/// let ticket = background.submit(batch)?;
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop {
/// #         if let std::task::Poll::Ready(r) = f.as_mut().poll(&mut context) { return r }
/// #         std::thread::yield_now();
/// #     }
/// # }
/// let applied = block_on(async { ticket.await })?;
/// assert_eq!(applied.commit, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "only the ticket reports a refusal, and returns the batch then"]
pub struct Ticket {
    cell: Arc<Cell>,
}

type Answer = Result<Applied, SubmitError>;

struct Cell {
    state: Mutex<State>,
    answered: Condvar,
    counters: Arc<Counters>,
}

enum State {
    /// The waker of the task that awaits the answer.
    Waiting(Option<Waker>),
    Given(Answer),
    Taken,
}

impl State {
    /// Takes the answer, if it has arrived.
    fn take(&mut self) -> Option<Answer> {
        match self {
            State::Waiting(_) => None,
            State::Taken => Some(Err(SubmitError::new(BackgroundError::AnswerTaken, None))),
            State::Given(_) => match std::mem::replace(self, State::Taken) {
                State::Given(answer) => Some(answer),
                State::Waiting(_) | State::Taken => unreachable!("checked under the same guard"),
            },
        }
    }
}

impl Ticket {
    /// A ticket, and the reply that answers it.
    pub(super) fn new(counters: Arc<Counters>) -> (Ticket, Reply) {
        let (state, answered) = (Mutex::new(State::Waiting(None)), Condvar::default());
        let cell = Arc::new(Cell { state, answered, counters });
        (Ticket { cell: cell.clone() }, Reply { cell: Some(cell) })
    }

    /// Whether the answer has arrived, or was taken already.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !matches!(*self.cell.state.lock(), State::Waiting(_))
    }

    /// The answer, if it has arrived; its errors are those of [`wait`](Ticket::wait). Never blocks.
    pub fn try_answer(&mut self) -> Option<Result<Applied, SubmitError>> {
        self.cell.state.lock().take()
    }

    /// Waits for the answer. Blocks the thread until this batch, and those submitted before it, are committed.
    ///
    /// # Errors
    /// [`SubmitError`]: the batch was refused, or the background thread has panicked. Without waiting, if an earlier call has
    /// taken the answer, or if it has not arrived and the call comes from inside an update closure, an extractor, an observer
    /// or `get_with`.
    pub fn wait(&mut self) -> Result<Applied, SubmitError> {
        match self.wait_until(None) {
            Some(answer) => answer,
            None => unreachable!("only a deadline ends a wait without an answer"),
        }
    }

    /// As [`wait`](Ticket::wait), but no longer than `timeout`. Returns `None` if there is no answer by then; you can wait again.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Applied, SubmitError>> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> Option<Answer> {
        let mut state = self.cell.state.lock();
        loop {
            if let Some(answer) = state.take() {
                return Some(answer);
            }
            if user_code::inside() {
                return Some(Err(SubmitError::new(BackgroundError::InsideUserCode, None)));
            }
            let Some(deadline) = deadline else {
                state = self.cell.answered.wait(state);
                continue;
            };
            let timed_out;
            (state, timed_out) = self.cell.answered.wait_until(&self.cell.state, state, deadline);
            if timed_out {
                return state.take();
            }
        }
    }
}

impl Future for Ticket {
    type Output = Result<Applied, SubmitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(answer) = self.cell.state.lock().take() {
            return Poll::Ready(answer);
        }
        // Wakers are foreign code: cloned and dropped outside the lock.
        let waker = context.waker().clone();
        let mut state = self.cell.state.lock();
        let displaced = match &mut *state {
            State::Waiting(to_wake) => to_wake.replace(waker),
            _ => Some(waker),
        };
        let answer = state.take();
        drop(state);
        self.cell.counters.drop_each(displaced);
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_answered", &self.is_answered()).finish_non_exhaustive()
    }
}

impl Drop for Cell {
    /// The last of the two ends finds an answer that nobody has taken.
    fn drop(&mut self) {
        let unseen = std::mem::replace(&mut *self.state.lock(), State::Taken);
        match unseen {
            State::Given(Err(error)) => lost(&self.counters, error),
            State::Waiting(waker) => self.counters.drop_each(waker),
            State::Given(Ok(_)) | State::Taken => {}
        }
    }
}

#[cold]
fn lost(counters: &Counters, error: SubmitError) {
    trace::event!(counters.tracer, ERROR, %error, "a ticket was dropped before its answer was read: its batch is lost");
    if let Some(batch) = error.into_batch() {
        counters.lost_operations.fetch_add(batch.len() as u64, SeqCst);
    }
}

/// The flusher's end of a ticket. If it is dropped without an answer, it answers that the flusher has died, so that nobody waits
/// for ever.
pub(super) struct Reply {
    cell: Option<Arc<Cell>>,
}

impl Reply {
    pub(super) fn answer(mut self, answer: Answer) {
        self.give(answer);
    }

    /// Answers that the flusher has panicked with the message `why`, and returns the batch if it is there.
    pub(super) fn died(self, why: &str, batch: Option<Batch>) {
        self.answer(Err(SubmitError::died(why, batch)));
    }

    /// Gives up the reply: the ticket is not handed out.
    pub(super) fn withdraw(mut self) {
        self.cell = None;
    }

    fn give(&mut self, answer: Answer) {
        let Some(cell) = self.cell.take() else { return };
        let mut state = cell.state.lock();
        let was = std::mem::replace(&mut *state, State::Given(answer));
        drop(state);
        cell.answered.notify_all();
        // The waker is foreign code, and may hold the last reference to the ticket.
        let _ = user_code::run(|| {
            if let State::Waiting(Some(waker)) = was {
                waker.wake();
            }
            drop(cell);
        });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.give(Err(SubmitError::died("it stopped before it could answer", None)));
    }
}
