//! The flusher dies at each of its steps: everybody learns of it, and nothing hangs.

use super::death::Step;
use super::{BackgroundError, BackgroundWriter, SubmitError, Ticket};
use crate::error::{Cause, Commit};
use crate::storage::Collection;
use crate::write::Batch;
use memdex::{Record, Store};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

#[derive(Clone, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(field)]
    of_batch: u32,
}

/// Runs a test on a thread of its own, and fails rather than wait for ever.
fn watched(name: String, test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("{name}: somebody waits for ever"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => thread.join().unwrap_or_else(|_| panic!("{name} failed")),
    }
}

/// Two records that come together or not at all; every third batch is bad.
fn batch(store: &Store, items: &Collection<Item>, number: u32) -> Batch {
    let mut batch = store.batch();
    let second = if number % 3 == 2 { 2 * number } else { 2 * number + 1 };
    for id in [2 * number, second] {
        batch.insert(items, Item { id, of_batch: number }).unwrap();
    }
    batch
}

/// The knowledge of a submitter at the end.
#[derive(Debug, PartialEq)]
enum Known {
    Applied,
    Refused,
    DiedInTheQueue,
    DiedMaybeApplied,
    NotTaken,
}

fn known(result: Result<super::Applied, SubmitError>) -> Known {
    match result.map_err(SubmitError::into_parts) {
        Ok(_) => Known::Applied,
        Err((BackgroundError::Refused(refusal), Some(batch))) => {
            assert!(matches!(refusal.cause(), Cause::KeyExists));
            assert_eq!((refusal.position(), batch.len()), (Some(1), 2));
            Known::Refused
        }
        Err((BackgroundError::Died { .. }, Some(batch))) => {
            assert_eq!(batch.len(), 2);
            Known::DiedInTheQueue
        }
        Err((BackgroundError::Died { .. }, None)) => Known::DiedMaybeApplied,
        Err((other, _)) => panic!("{other}"),
    }
}

/// Producers that block, one that awaits in place, one that flushes; then all that they know is compared with the store.
fn dies_at(step: Step, nth: usize) {
    const PRODUCERS: u32 = 3;
    const EACH: u32 = 6;
    let store = Store::new();
    let items = store.collection::<Item>("items").unwrap();
    // Small, so that producers stand in line.
    let builder = store.background_writer().bulk_size(6).max_operations(14).linger(Duration::from_millis(1));
    let background = builder.dying(step, nth).start().unwrap();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (background, store, items) = (background.clone(), store.clone(), items.clone());
            thread::spawn(move || produce(&background, producer, EACH, |number| batch(&store, &items, number)))
        })
        .collect();
    let mut knowledge: Vec<(u32, Known)> = producers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    knowledge.sort_by_key(|(number, _)| *number);
    assert_eq!(knowledge.len() as u32, PRODUCERS * EACH);
    for (number, known) in &knowledge {
        let records = [2 * number, 2 * number + 1].iter().filter(|id| items.contains(**id)).count();
        let of_bad = number % 3 == 2;
        match known {
            Known::Applied => assert_eq!((records, of_bad), (2, false), "{number}"),
            Known::Refused => assert_eq!((records, of_bad), (0, true), "{number}"),
            Known::DiedInTheQueue | Known::NotTaken => assert_eq!(records, 0, "{number}"),
            Known::DiedMaybeApplied => assert!(records == 0 || records == 2, "{number}: half of it"),
        }
    }
    // The steps of a refusal are reached as often only if submissions happen to share a commit.
    let mut last = background.submit(batch(&store, &items, 900));
    let died = match &mut last {
        Ok(ticket) => ticket.wait().is_err_and(|error| matches!(error.error(), BackgroundError::Died { .. })),
        Err(error) => matches!(error.error(), BackgroundError::Died { .. }),
    };
    assert!(died || nth > 1 || matches!(step, Step::Merge | Step::Merged | Step::Split), "{step:?} {nth}: still alive");
    if died {
        let error = background.try_submit(batch(&store, &items, 901)).unwrap_err();
        let why = format!("told to die at {step:?}");
        assert!(matches!(error.error(), BackgroundError::Died { why: of } if *of == why), "{error}");
        assert_eq!(error.into_batch().unwrap().len(), 2);
        let error = background.submit_timeout(batch(&store, &items, 902), Duration::from_secs(60)).unwrap_err();
        assert!(matches!(error.error(), BackgroundError::Died { .. }));
    }
    drop(last);
    drop(background);
    store.verify().unwrap();
    store.commit(|batch| batch.store(&items, Item { id: 0, of_batch: 0 })).unwrap();
    assert_eq!(store.stats().poisoned, None, "the store goes on");
}

fn produce(
    background: &BackgroundWriter,
    producer: u32,
    count: u32,
    batch: impl Fn(u32) -> Batch,
) -> Vec<(u32, Known)> {
    let mut knowledge = Vec::new();
    let mut tickets: Vec<(u32, Ticket)> = Vec::new();
    for number in producer * count..(producer + 1) * count {
        match background.submit(batch(number)) {
            Ok(ticket) => tickets.push((number, ticket)),
            Err(error) => {
                assert!(matches!(error.error(), BackgroundError::Died { .. }));
                assert_eq!(error.into_batch().unwrap().len(), 2);
                knowledge.push((number, Known::NotTaken));
            }
        }
    }
    if producer == 1 {
        let flushed = background.flush();
        let answered = tickets.iter().all(|(_, ticket)| ticket.is_answered());
        assert!(answered || matches!(flushed, Err(BackgroundError::Died { .. })), "{flushed:?}");
    }
    for (number, mut ticket) in tickets {
        let result = if number % 2 == 0 { ticket.wait() } else { awaited(ticket) };
        knowledge.push((number, known(result)));
    }
    knowledge
}

/// Awaits a ticket by a waker that unparks.
fn awaited(mut ticket: Ticket) -> Result<super::Applied, SubmitError> {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(thread::current())).into();
    loop {
        match std::pin::Pin::new(&mut ticket).poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(result) => return result,
            std::task::Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn whoever_waits_learns_that_the_flusher_has_died() {
    for step in Step::ALL {
        for nth in [1, 2, 3, 5] {
            watched(format!("{step:?} {nth}"), move || dies_at(step, nth));
        }
    }
}

/// With submissions that are sure to share a commit, so that the steps of a refusal of several are reached.
#[test]
fn it_dies_while_it_parts_a_group() {
    for step in [Step::Merge, Step::Merged, Step::Split, Step::Alone] {
        watched(format!("{step:?}"), move || {
            let store = Store::new();
            let items = store.collection::<Item>("items").unwrap();
            let builder = store.background_writer().bulk_size(8).linger(Duration::from_secs(1_000));
            let background = builder.dying(step, 1).start().unwrap();
            let tickets: Vec<Ticket> =
                (0..4).map(|number| background.submit(batch(&store, &items, number)).unwrap()).collect();
            let flushed = background.flush();
            assert!(matches!(flushed, Err(BackgroundError::Died { .. })), "{flushed:?}");
            let knowledge: Vec<Known> = tickets.into_iter().map(|mut ticket| known(ticket.wait())).collect();
            let expected = match step {
                Step::Merge => {
                    [Known::DiedInTheQueue, Known::DiedInTheQueue, Known::DiedInTheQueue, Known::DiedInTheQueue]
                }
                // The first two were committed, then it was the bad one's turn.
                Step::Alone => [Known::Applied, Known::Applied, Known::DiedInTheQueue, Known::DiedInTheQueue],
                _ => {
                    [Known::DiedMaybeApplied, Known::DiedMaybeApplied, Known::DiedMaybeApplied, Known::DiedMaybeApplied]
                }
            };
            assert_eq!(knowledge, expected);
        });
    }
}

#[test]
fn a_reply_that_is_dropped_answers() {
    let (mut ticket, reply) = super::ticket::Ticket::new(crate::sync::Arc::default());
    drop(reply);
    let (error, batch) = ticket.wait().unwrap_err().into_parts();
    assert!(matches!(error, BackgroundError::Died { .. }) && batch.is_none());
}

/// That a store refuses writes is no reason to die: each submission is refused, with the store's reason and its batch.
#[test]
fn a_poisoned_store_refuses_each_submission() {
    watched("a poisoned store".to_owned(), || {
        let store = Store::new();
        let items = store.collection::<Item>("items").unwrap();
        let background = store.background_writer().linger(Duration::from_secs(1_000)).start().unwrap();
        let tickets: Vec<Ticket> =
            (0..10).map(|number| background.submit(batch(&store, &items, number)).unwrap()).collect();
        drop(
            store
                .batch()
                .engine()
                .lock_to_write()
                .unwrap_or_else(|error| panic!("{error}"))
                .poison_on_unwind(Commit::ZERO.next()),
        );
        background.flush().unwrap();
        for mut ticket in tickets {
            let error = ticket.wait().unwrap_err();
            assert!(matches!(error.refusal().unwrap().cause(), Cause::Poisoned { .. }));
            assert_eq!(error.into_batch().unwrap().len(), 2);
        }
        assert_eq!(store.stats().refusals, 10);
    });
}
