//! The reader's end of a subscription.

use crate::error::Commit;
#[cfg(feature = "testing")]
use crate::error::Refusal;
use crate::read::Snapshot;
use crate::storage::{CommitInfo, Counters, Engine, Event, Feed, Patience, Queue, Taken};
use crate::sync::{Arc, Weak};
use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What a [`Subscription`] reports.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FeedEvent {
    /// A commit, with all of its changes that the subscription follows.
    Commit(Arc<CommitInfo>),
    /// A collection was dropped: [`Store::drop_collection`](crate::Store::drop_collection). Its records are gone, without a change of
    /// each.
    #[non_exhaustive]
    Dropped {
        /// The name of the collection.
        collection: String,
        /// The newest commit at that time.
        after: Commit,
    },
    /// The queue was full, so commits are missing, and perhaps the drop of a collection
    /// ([`Collection::is_dropped`](crate::Collection::is_dropped)). Rebuild what you have from the snapshot; the subscription continues
    /// after it.
    Missed(Missed),
    /// Nothing else up to this commit concerns the subscription.
    Progress(Commit),
}

/// A gap in a subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Missed {
    /// The first commit that is missing. One after the snapshot's if only the drop of a collection is missing.
    pub from: Commit,
    /// The store at the last of them, `snapshot.commit()`, or at a later commit. It was taken when this event was read.
    pub snapshot: Snapshot,
}

/// The changes of a store, commit by commit, in order and without gaps that are not reported: [`Store::subscribe`](crate::Store::subscribe)
/// starts it.
///
/// It is an iterator that blocks the thread until the next event. [`next_timeout`](Self::next_timeout) and [`try_next`](Self::try_next) wait
/// less, [`poll_next`](Self::poll_next) and [`next_async`](Self::next_async) not at all; they work with any executor. The events end when
/// the store is dropped.
///
/// Events that are not read yet wait in a queue, which is bounded in operations and bytes. If it is full, the subscription misses commits
/// and reports that as [`FeedEvent::Missed`]; or writers wait, with
/// [`writers_wait`](crate::hook::SubscriptionBuilder::writers_wait).
///
/// Dropping the subscription ends it and drops the records that are left in its queue.
pub struct Subscription {
    engine: Weak<Engine>,
    feed: Arc<Feed>,
    counters: Arc<Counters>,
    queue: Arc<Queue>,
    /// The newest commit that was reported, by an event or by a snapshot.
    told: Commit,
    /// A fault plan has ended it.
    #[cfg(feature = "testing")]
    is_cut: bool,
}

impl Subscription {
    pub(super) fn new(engine: &Arc<Engine>, queue: Arc<Queue>, told: Commit) -> Self {
        let (feed, counters) = (engine.hooks.feed.clone(), engine.counters.clone());
        Subscription {
            engine: Arc::downgrade(engine),
            feed,
            counters,
            queue,
            told,
            #[cfg(feature = "testing")]
            is_cut: false,
        }
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.queue.settings.name
    }

    /// The next event, if there is one. Never blocks.
    pub fn try_next(&mut self) -> Option<FeedEvent> {
        self.take(Patience::None)
    }

    /// The next event. Waits for it no longer than `timeout`. Also returns `None` when the store is gone: see [`is_ended`](Self::is_ended).
    ///
    /// Inside an update closure, an extractor, a hook or `get_with` it does not wait, and neither does the iterator: the thread may have to
    /// deliver the event itself.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<FeedEvent> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.take(Patience::Until(deadline)),
            None => self.take(Patience::Forever),
        }
    }

    /// The next event, or `None` when the store is gone; as the `poll_next` of a `Stream`. The task is woken when there may be one.
    ///
    /// ```
    /// use memdex::Store;
    /// use memdex::hook::{FeedEvent, Subscription};
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll};
    ///
    /// # trait Stream { type Item; fn poll_next(self: Pin<&mut Self>, c: &mut Context<'_>) -> Poll<Option<Self::Item>>; }
    /// struct Events(Subscription);
    ///
    /// impl Stream for Events {
    ///     type Item = FeedEvent;
    ///
    ///     fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FeedEvent>> {
    ///         self.0.poll_next(context)
    ///     }
    /// }
    /// # let (_, subscription) = Store::new().subscribe().start()?;
    /// # let mut context = Context::from_waker(std::task::Waker::noop());
    /// # assert!(matches!(Pin::new(&mut Events(subscription)).poll_next(&mut context), Poll::Ready(None)), "the store is gone");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<FeedEvent>> {
        #[cfg(feature = "testing")]
        if self.is_cut_now() {
            return Poll::Ready(None);
        }
        loop {
            // Wakers are foreign code: cloned and dropped outside of the lock.
            let (taken, displaced) = self.queue.poll(context.waker().clone());
            self.counters.drop_each(displaced);
            if matches!(taken, Taken::Nothing) {
                return Poll::Pending;
            }
            match self.report(taken) {
                Some(event) => return Poll::Ready(event),
                None => continue,
            }
        }
    }

    /// The next event, or `None` when the store is gone, for an async task. Dropping the future loses nothing.
    pub fn next_async(&mut self) -> impl Future<Output = Option<FeedEvent>> + Send + '_ {
        poll_fn(|context| self.poll_next(context))
    }

    /// Whether the store is gone and every event was read.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        #[cfg(feature = "testing")]
        if self.is_cut {
            return true;
        }
        self.queue.is_ended()
    }

    fn take(&mut self, patience: Patience) -> Option<FeedEvent> {
        #[cfg(feature = "testing")]
        if self.is_cut_now() {
            return None;
        }
        loop {
            match self.queue.take(patience) {
                Taken::Nothing => return None,
                taken => match self.report(taken) {
                    Some(event) => return event,
                    None => continue,
                },
            }
        }
    }

    /// Lets the fault plan act on a read. Returns whether the subscription has ended.
    #[cfg(feature = "testing")]
    fn is_cut_now(&mut self) -> bool {
        use crate::testing::{OperationKind, Stop, Target};
        if self.is_cut {
            return true;
        }
        let Some(engine) = self.engine.upgrade() else { return false };
        if !engine.testing.faults.has(OperationKind::FeedRead) {
            return false;
        }
        let names = self.queue.collections().unwrap_or_default();
        let names: Vec<&str> = if names.is_empty() { vec![""] } else { names.iter().map(|name| &**name).collect() };
        let targets: Vec<_> = names.iter().map(|collection| Target { collection, key: None, command: "" }).collect();
        match engine.testing.faults.meet(OperationKind::FeedRead, &targets, |_| Ok::<_, Refusal>(true)) {
            Ok(Some(Stop::LoseEvents)) => self.counters.report_drop_panics(self.queue.lose().map(Event::let_go).sum()),
            Ok(Some(Stop::EndSubscription)) => {
                self.is_cut = true;
                self.close();
            }
            _ => {}
        }
        self.is_cut
    }

    /// Takes no more events, and drops those in the queue.
    fn close(&self) {
        self.feed.unregister(&self.queue);
        let (events, waker) = self.queue.close();
        self.counters.report_drop_panics(events.map(Event::let_go).sum());
        self.counters.drop_each(waker);
    }

    /// What was taken, as it is reported; `None` if it is not, since a snapshot has shown it. `Some(None)` is the end.
    fn report(&mut self, taken: Taken) -> Option<Option<FeedEvent>> {
        match taken {
            Taken::Event(event) if event.position() <= self.told => {
                self.counters.report_drop_panics(event.let_go());
                None
            }
            Taken::Event(Event::Commit(info)) => {
                self.told = info.number();
                Some(Some(FeedEvent::Commit(info)))
            }
            Taken::Event(Event::Dropped { collection, after }) => {
                Some(Some(FeedEvent::Dropped { collection: (*collection).to_owned(), after }))
            }
            // It has grown between another gap and the snapshot of that.
            Taken::Gap(_, to) if to <= self.told => None,
            Taken::Gap(from, _) => {
                let from = from.max(self.told.next());
                // A store that is gone has no snapshot; then the events end here.
                let Some(engine) = self.engine.upgrade() else { return Some(None) };
                let snapshot = Snapshot::of_newest(&engine);
                self.told = snapshot.commit();
                Some(Some(FeedEvent::Missed(Missed { from, snapshot })))
            }
            Taken::Progress(commit) if commit <= self.told => None,
            Taken::Progress(commit) => {
                self.told = commit;
                Some(Some(FeedEvent::Progress(commit)))
            }
            Taken::End => Some(None),
            Taken::Nothing => None,
        }
    }
}

/// Blocks until the next event; ends when the store is gone.
impl Iterator for Subscription {
    type Item = FeedEvent;

    fn next(&mut self) -> Option<FeedEvent> {
        self.take(Patience::Forever)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("name", &self.name()).field("told", &self.told).finish_non_exhaustive()
    }
}
