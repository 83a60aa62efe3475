//! Readers: blocking, polling, awaiting, and the end of store and subscription.

use super::{item, items, next_commit, put_each};
use crate::user_code::watched;
use memdex::hook::{FeedEvent, Subscription};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_blocked_reader_wakes_up_and_ends_with_the_store() {
    watched("blocked reader", || {
        let (store, items) = items();
        let (snapshot, subscription) = store.subscribe().start().unwrap();
        drop(snapshot);
        let reader = thread::spawn(move || {
            let mut subscription = subscription;
            let commits: Vec<u64> = subscription
                .by_ref()
                .map(|event| match event {
                    FeedEvent::Commit(commit) => commit.number().get(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(subscription.is_ended());
            assert!(subscription.next().is_none() && subscription.try_next().is_none());
            commits
        });
        put_each(&items, 1..=100, 1);
        drop((store, items));
        assert!(reader.join().unwrap().into_iter().eq(1..=100));
    });
}

#[test]
fn what_is_queued_outlives_the_store() {
    let (store, items) = items();
    let (snapshot, mut whole) = store.subscribe().start().unwrap();
    let (_, mut cut) = store.subscribe().max_operations(1).start().unwrap();
    drop(snapshot);
    put_each(&items, 1..=2, 1);
    drop((store, items));
    assert!(!whole.is_ended());
    assert_eq!(next_commit(&mut whole).number(), 1);
    assert_eq!(next_commit(&mut whole).number(), 2);
    assert!(whole.is_ended() && whole.next().is_none());
    assert_eq!(next_commit(&mut cut).number(), 1);
    assert!(cut.next().is_none() && cut.is_ended(), "no snapshot is left for its gap");
}

#[test]
fn a_timeout_ends_the_wait() {
    let (store, items) = items();
    let (_, mut subscription) = store.subscribe().start().unwrap();
    let started = Instant::now();
    assert!(subscription.next_timeout(Duration::from_millis(30)).is_none());
    assert!(started.elapsed() >= Duration::from_millis(30));
    assert!(subscription.next_timeout(Duration::ZERO).is_none());
    items.store(item(1, 1)).unwrap();
    assert!(matches!(subscription.next_timeout(Duration::MAX), Some(FeedEvent::Commit(_))));
    assert!(!subscription.is_ended());
}

/// Counts how often it is woken, and unparks a thread.
struct Counting(AtomicU32, thread::Thread);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
        self.1.unpark();
    }
}

fn counting() -> Arc<Counting> {
    Arc::new(Counting(AtomicU32::new(0), thread::current()))
}

#[test]
fn a_polled_subscription_wakes_its_task() {
    let (store, items) = items();
    let (_, mut subscription) = store.subscribe().matching(&items, super::item::GROUP.eq(1)).start().unwrap();
    let (first, second) = (counting(), counting());
    let poll = |subscription: &mut Subscription, by: &Arc<Counting>| {
        let waker = Waker::from(by.clone());
        subscription.poll_next(&mut Context::from_waker(&waker))
    };
    assert!(poll(&mut subscription, &first).is_pending());
    assert!(poll(&mut subscription, &second).is_pending());
    items.store(item(1, 2)).unwrap();
    assert_eq!((first.0.load(SeqCst), second.0.load(SeqCst)), (0, 0), "the change does not match");
    items.store(item(2, 1)).unwrap();
    assert_eq!((first.0.load(SeqCst), second.0.load(SeqCst)), (0, 1), "the last task that has polled");
    assert!(matches!(poll(&mut subscription, &second), Poll::Ready(Some(FeedEvent::Commit(_)))));
    assert!(poll(&mut subscription, &second).is_pending());
    drop((store, items));
    assert_eq!(second.0.load(SeqCst), 2, "the end wakes it too");
    assert!(matches!(poll(&mut subscription, &second), Poll::Ready(None)));
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(counting());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_task_awaits_events_of_another_thread() {
    watched("await", || {
        let (store, items) = items();
        let (snapshot, mut subscription) = store.subscribe().max_operations(5).start().unwrap();
        drop(snapshot);
        let writer = thread::spawn(move || {
            put_each(&items, 1..=300, 1);
            drop(store);
        });
        let mut told = 0;
        let awaited = async {
            while let Some(event) = subscription.next_async().await {
                match event {
                    FeedEvent::Commit(commit) => {
                        assert_eq!(commit.number(), told + 1);
                        told += 1;
                    }
                    FeedEvent::Missed(missed) => {
                        assert_eq!(missed.from, told + 1);
                        told = missed.snapshot.commit().get();
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        block_on(awaited);
        writer.join().unwrap();
        assert!(told <= 300);
    });
}

/// A future that is dropped before it is ready has taken nothing.
#[test]
fn a_dropped_future_loses_nothing() {
    let (store, items) = items();
    let (_, mut subscription) = store.subscribe().start().unwrap();
    {
        let mut future = pin!(subscription.next_async());
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        items.store(item(1, 1)).unwrap();
    }
    assert_eq!(next_commit(&mut subscription).number(), 1);
}

#[test]
fn subscriptions_can_move_between_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Subscription>();
    is_send_and_sync::<FeedEvent>();
}
