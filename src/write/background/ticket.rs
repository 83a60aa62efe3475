//! A ticket and the reply that it waits for: one cell, written once by the flusher, looked at in three ways.

use super::super::batch::Batch;
use super::error::{Died, NotApplied};
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::sync::{Arc, Condvar, Mutex, Ordering::SeqCst};
use crate::user_code;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A submission was applied: all of it is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The commit that it became part of, maybe together with others: what each of them did is not told apart. Of an
    /// empty batch that was committed with no other the newest commit at that time.
    pub commit: Commit,
    /// When that was committed, by the store's clock.
    pub at: Timestamp,
}

/// What becomes of a submission: wait for it ([`wait`](Ticket::wait)), ask ([`try_answer`](Ticket::try_answer)), or await it. The
/// answer is given once, to whoever asks first after it is there.
///
/// `wait` and `wait_timeout` block the thread. Awaiting never does: any executor will do. Answers come in the order of
/// the submissions.
///
/// A ticket that is dropped gives up the answer, nothing else. A batch that is refused then is lost, which is counted in
/// [`Stats::lost_flushes`](crate::Stats::lost_flushes) and logged.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let background = store.background_writer().start()?;
/// let mut ticket = background.submit_with(|batch| batch.insert(&users, User { id: 1 }))?;
/// assert_eq!(ticket.wait()?.commit, 1);
///
/// let mut ticket = background.submit_with(|batch| batch.insert(&users, User { id: 1 }))?;
/// let mut batch = ticket.wait().unwrap_err().into_batch().expect("a refusal gives the batch back");
/// batch.mend(&users, 0, |user| user.id = 2)?;
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
#[must_use = "only the ticket tells of a refusal, and has the batch back then"]
pub struct Ticket {
    cell: Arc<Cell>,
}

type Answer = Result<Applied, NotApplied>;

struct Cell {
    state: Mutex<State>,
    answered: Condvar,
}

enum State {
    /// Whom to wake, if somebody awaits it.
    Waiting(Option<Waker>),
    Given(Answer),
    Taken,
}

impl State {
    /// The answer, if it is there.
    fn take(&mut self) -> Option<Answer> {
        match self {
            State::Waiting(_) => None,
            State::Taken => Some(Err(NotApplied::AnswerTaken)),
            State::Given(_) => match std::mem::replace(self, State::Taken) {
                State::Given(answer) => Some(answer),
                State::Waiting(_) | State::Taken => unreachable!("looked at under the same guard"),
            },
        }
    }
}

impl Ticket {
    /// A ticket, and what answers it.
    pub(super) fn new() -> (Ticket, Reply) {
        let cell = Arc::new(Cell { state: Mutex::new(State::Waiting(None)), answered: Condvar::default() });
        (Ticket { cell: cell.clone() }, Reply { cell: Some(cell) })
    }

    /// Whether the answer is there, or was taken already.
    pub fn is_answered(&self) -> bool {
        !matches!(*self.cell.state.lock(), State::Waiting(_))
    }

    /// The answer, if it is there; an error in it is one that [`wait`](Ticket::wait) gives. Never blocks.
    pub fn try_answer(&mut self) -> Option<Result<Applied, NotApplied>> {
        self.cell.state.lock().take()
    }

    /// Waits for the answer. Blocks the thread for as long as what was submitted before, and this, take to be committed.
    ///
    /// # Errors
    /// [`NotApplied`]: the batch was refused, or the flusher has died; and at once if the answer is not there and this is
    /// inside an update closure, an extractor, an observer or `get_with`, or if an earlier call has taken it.
    pub fn wait(&mut self) -> Result<Applied, NotApplied> {
        match self.wait_until(None) {
            Some(answer) => answer,
            None => unreachable!("only a deadline ends a wait without an answer"),
        }
    }

    /// As [`wait`](Ticket::wait), but no longer than `timeout`; `None` if there is no answer by then. It can be asked for later.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Applied, NotApplied>> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> Option<Answer> {
        let mut state = self.cell.state.lock();
        loop {
            if let Some(answer) = state.take() {
                return Some(answer);
            }
            if user_code::inside() {
                return Some(Err(NotApplied::InsideUserCode));
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
    type Output = Result<Applied, NotApplied>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(answer) = self.cell.state.lock().take() {
            return Poll::Ready(answer);
        }
        // Wakers are code of others: made and dropped outside of the lock.
        let waker = context.waker().clone();
        let mut state = self.cell.state.lock();
        let displaced = match &mut *state {
            State::Waiting(to_wake) => to_wake.replace(waker),
            _ => Some(waker),
        };
        let answer = state.take();
        drop(state);
        drop(displaced);
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_answered", &self.is_answered()).finish_non_exhaustive()
    }
}

impl Drop for Cell {
    /// Whichever of the two ends goes last finds an answer that nobody has looked at.
    fn drop(&mut self) {
        let unseen = std::mem::replace(&mut *self.state.lock(), State::Taken);
        if let State::Given(Err(not_applied)) = unseen {
            lost(not_applied);
        }
    }
}

#[cold]
fn lost(not_applied: NotApplied) {
    let _ = user_code::run(|| tracing::error!(%not_applied, "nobody looked at the ticket of this batch: it is lost"));
    let Some(batch) = not_applied.into_batch() else { return };
    let engine = batch.engine().clone();
    engine.counters.lost_flushes.fetch_add(1, SeqCst);
    batch.discard();
}

/// The flusher's end of a ticket. Dropped without an answer, it says that the flusher has died: nobody waits for ever.
pub(super) struct Reply {
    cell: Option<Arc<Cell>>,
}

impl Reply {
    pub(super) fn answer(mut self, answer: Answer) {
        self.give(answer);
    }

    /// Says that the flusher has died of `why`, and gives the batch back if it is there.
    pub(super) fn died(self, why: &str, batch: Option<Batch>) {
        self.answer(Err(NotApplied::Died(Died::new(why, batch))));
    }

    /// Nobody will ask.
    pub(super) fn withdraw(mut self) {
        self.cell = None;
    }

    fn give(&mut self, answer: Answer) {
        let Some(cell) = self.cell.take() else { return };
        let mut state = cell.state.lock();
        let was = std::mem::replace(&mut *state, State::Given(answer));
        drop(state);
        cell.answered.notify_all();
        // The waker is code of others, and may be the last to hold the ticket.
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
        self.give(Err(NotApplied::Died(Died::new("it broke off before it could answer", None))));
    }
}
