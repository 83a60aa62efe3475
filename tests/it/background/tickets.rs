//! Tickets: waited on, asked, awaited, and dropped unseen.

use super::{Bed, GATE, LONG, item, watched};
use memdex::write::{BackgroundError, SubmitError, Ticket};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// As small as an executor can be.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Counts, and panics if it is told to.
#[derive(Default)]
struct Count {
    woken: AtomicUsize,
    panics: bool,
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, SeqCst);
        assert!(!self.panics, "an executor that panics");
    }
}

fn poll(ticket: &mut Ticket, count: &Arc<Count>) -> Poll<Result<memdex::write::Applied, SubmitError>> {
    Pin::new(ticket).poll(&mut Context::from_waker(&Waker::from(count.clone())))
}

#[test]
fn a_ticket_is_waited_on_asked_and_awaited() {
    watched("tickets", || {
        let bed = Bed::new();
        let background = bed.eager();
        let held = bed.hold(&background);
        let submit = |n| background.submit(bed.batch([item(n, 0)])).unwrap();
        let [mut waited, mut asked, awaited, mut in_time] = [1, 2, 3, 4].map(submit);
        assert!(asked.try_answer().is_none() && !asked.is_answered());
        assert!(in_time.wait_timeout(Duration::from_millis(1)).is_none());
        let waiter = std::thread::spawn(move || waited.wait().unwrap().commit.get());
        let awaiter = std::thread::spawn(move || block_on(async { awaited.await.unwrap().commit.get() }));
        held.let_go();
        assert_eq!((waiter.join().unwrap(), awaiter.join().unwrap()), (3, 3));
        assert_eq!(in_time.wait_timeout(LONG).unwrap().unwrap().commit, 3);
        background.flush().unwrap();
        assert!(asked.is_answered());
        assert_eq!(asked.try_answer().unwrap().unwrap().commit, 3);
    });
}

#[test]
fn a_refusal_that_is_awaited_gives_the_batch_back() {
    watched("an awaited refusal", || {
        let bed = Bed::new();
        let background = bed.eager();
        let ticket = background.submit(bed.batch([item(1, 0), item(GATE, 0)])).unwrap();
        let not_applied = block_on(ticket).unwrap_err();
        assert!(not_applied.to_string().starts_with("insert of 4294967295 in \"items\" (operation 1"), "{not_applied}");
        assert_eq!(not_applied.into_batch().unwrap().len(), 2);
    });
}

fn taken(answer: Result<memdex::write::Applied, SubmitError>) {
    assert!(matches!(answer.unwrap_err().error(), BackgroundError::AnswerTaken));
}

#[test]
fn an_answer_is_given_once() {
    watched("one answer", || {
        let bed = Bed::new();
        let background = bed.eager();
        let mut ticket = background.submit(bed.batch([item(1, 0)])).unwrap();
        ticket.wait().unwrap();
        assert!(ticket.is_answered());
        taken(ticket.wait());
        taken(ticket.try_answer().unwrap());
        taken(ticket.wait_timeout(LONG).unwrap());
        taken(block_on(ticket));
    });
}

#[test]
fn the_last_to_poll_is_woken_once() {
    watched("wakers", || {
        let bed = Bed::new();
        let background = bed.eager();
        let held = bed.hold(&background);
        let mut ticket = background.submit(bed.batch([item(1, 0)])).unwrap();
        let mut unharmed = background.submit(bed.batch([item(2, 0)])).unwrap();
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count { panics: true, ..Count::default() }));
        assert!(poll(&mut ticket, &first).is_pending());
        assert!(poll(&mut ticket, &second).is_pending());
        assert_eq!(Arc::strong_count(&first), 1, "a waker that will not be woken is let go");
        held.let_go();
        unharmed.wait().unwrap();
        assert_eq!((first.woken.load(SeqCst), second.woken.load(SeqCst)), (0, 1));
        assert!(matches!(poll(&mut ticket, &first), Poll::Ready(Ok(_))));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    });
}

#[test]
fn a_ticket_dropped_unseen_gives_up_the_answer_alone() {
    watched("dropped tickets", || {
        let bed = Bed::new();
        let background = bed.eager();
        let held = bed.hold(&background);
        drop(background.submit(bed.batch([item(1, 0)])).unwrap());
        drop(background.submit(bed.batch([item(GATE, 0)])).unwrap());
        let seen_late = background.submit(bed.batch([item(GATE, 0)])).unwrap();
        held.let_go();
        background.flush().unwrap();
        let stats = bed.store.stats();
        assert_eq!((bed.state(), stats.refusals, stats.lost_operations), (vec![item(1, 0)], 2, 1));
        drop(seen_late);
        assert_eq!(bed.store.stats().lost_operations, 2);
    });
}
