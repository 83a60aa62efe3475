//! The reader's end of a watch.

use super::follow::Follow;
use super::hub::{Hub, Next, Place};
use crate::error::Commit;
use crate::sync::{Arc, AtomicBool, Ordering::SeqCst, thread};
use crate::user_code;
use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// An answer and, commit by commit, how it changes; [`Collection::watch`](crate::Collection::watch) starts it.
///
/// It is an iterator over the updates that blocks the thread until the next one. [`next_timeout`](Self::next_timeout) and
/// [`try_next`](Self::try_next) wait less; [`poll_next`](Self::poll_next) and [`next_async`](Self::next_async) work with any executor. None of these
/// waits for a commit, but each may wait for another reader of the same question, which takes one in. [`in_background`](Self::in_background) calls a closure. The updates end when the store or the collection is dropped, and when more records
/// match than [`limits::MAX_WATCHED_RECORDS`](crate::limits::MAX_WATCHED_RECORDS).
///
/// [`answer`](Self::answer) is the answer after the last update that was read: what the query returns at [`commit`](Self::commit), or at a later
/// commit that has not changed it. A record that expires leaves with the commit that removes it.
///
/// Watches of the same question share the work and the records. It is done by those who read, and not by commits; an extractor that panics
/// does so in a reader, and the next one reads the records again. Updates that are not read wait in a bounded log; from
/// a reader that is too late, they are joined to one.
pub struct Watch<F: Follow> {
    hub: Arc<Hub<F>>,
    place: Place<F>,
}

impl<F: Follow> Watch<F> {
    /// `None` if the updates have ended.
    pub(super) fn new(hub: Arc<Hub<F>>) -> Option<Self> {
        let place = hub.join()?;
        Some(Watch { hub, place })
    }

    /// The answer after the last update that was read.
    pub fn answer(&self) -> &F::Answer {
        &self.place.answer
    }

    /// The commit of that answer. A later one may have left it as it is.
    pub fn commit(&self) -> Commit {
        self.place.commit
    }

    /// The next update, if there is one. Waits for no commit.
    pub fn try_next(&mut self) -> Option<F::Update> {
        match self.hub.poll(&mut self.place, None) {
            Next::Update(update) => Some(update),
            _ => None,
        }
    }

    /// The next update. Waits for it no longer than `timeout`; inside an update closure, an extractor, a hook or `get_with` not at all.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<F::Update> {
        match self.hub.wait(&mut self.place, Instant::now().checked_add(timeout), || false) {
            Next::Update(update) => Some(update),
            _ => None,
        }
    }

    /// The next update, or `None` at the end; as the `poll_next` of a `Stream`. The task is woken when there may be one.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<F::Update>> {
        match self.hub.poll(&mut self.place, Some(context.waker())) {
            Next::Update(update) => Poll::Ready(Some(update)),
            Next::End => Poll::Ready(None),
            Next::Nothing => Poll::Pending,
        }
    }

    /// The next update, or `None` at the end, for an async task. Dropping the future loses nothing.
    pub fn next_async(&mut self) -> impl Future<Output = Option<F::Update>> + '_ {
        poll_fn(|context| self.poll_next(context))
    }

    /// Starts a thread that calls a closure with each update and the answer after it. The thread ends with the updates, or when the
    /// returned handle is dropped. A panic of the closure, or of an extractor, ends it too.
    ///
    /// # Panics
    /// If the system cannot start the thread.
    ///
    /// ```
    /// # use memdex::{Filter, Metric, Record, Store};
    /// # use std::sync::mpsc::channel;
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// let (sender, counts) = channel();
    /// let watch = users.watch(Filter::all()).statistics([Metric::count()])?;
    /// let thread = watch.in_background(move |result, _| sender.send(result.unwrap().int("count")).unwrap());
    /// users.store(User { id: 1 })?;
    /// assert_eq!(counts.recv()?, Some(1));
    /// drop(thread);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_background(self, mut update: impl FnMut(F::Update, &F::Answer) + Send + 'static) -> WatchThread {
        let Watch { hub, mut place } = self;
        let stopped = Arc::new(AtomicBool::new(false));
        let (is_stopped, bell) = (stopped.clone(), hub.bell());
        let run = move || {
            while let Next::Update(next) = hub.wait(&mut place, None, || is_stopped.load(SeqCst)) {
                update(next, &place.answer);
            }
        };
        let thread = thread::spawn(run);
        WatchThread {
            thread: Some(thread),
            stop: Box::new(move || {
                stopped.store(true, SeqCst);
                bell.ring();
            }),
        }
    }
}

/// Blocks until the next update; ends with the watch.
impl<F: Follow> Iterator for Watch<F> {
    type Item = F::Update;

    fn next(&mut self) -> Option<F::Update> {
        match self.hub.wait(&mut self.place, None, || false) {
            Next::Update(update) => Some(update),
            _ => None,
        }
    }
}

impl<F: Follow> fmt::Debug for Watch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("commit", &self.commit()).finish_non_exhaustive()
    }
}

/// The thread of [`Watch::in_background`]. Dropping it ends the thread after the update that it is at, and waits for that, except inside user code
/// of the store.
#[must_use = "dropping it ends the thread"]
pub struct WatchThread {
    thread: Option<thread::JoinHandle<()>>,
    stop: Box<dyn Fn() + Send + Sync>,
}

impl Drop for WatchThread {
    fn drop(&mut self) {
        (self.stop)();
        let own = |thread: &thread::JoinHandle<()>| thread.thread().id() == thread::current().id();
        if let Some(thread) = self.thread.take().filter(|thread| !own(thread) && !user_code::inside()) {
            // A panic of the closure has ended it.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for WatchThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchThread").finish_non_exhaustive()
    }
}
