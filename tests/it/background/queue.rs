//! When it flushes, and what happens at the bounds of its queue.

use super::{Bed, Item, LONG, item, watched};
use memdex::hook::{CommitHook, CommitInfo};
use memdex::write::{BackgroundError, SubmitError, Ticket};
use memdex::{BackgroundWriter, Batch, Commit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

fn error<T: std::fmt::Debug>(result: Result<T, SubmitError>) -> (BackgroundError, Batch) {
    let (error, batch) = result.expect_err("the queue has no room").into_parts();
    (error, batch.expect("a batch that is not submitted comes back"))
}

#[test]
fn it_flushes_when_a_bulk_has_gathered() {
    watched("bulk size", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().bulk_size(3).linger(LONG).start().unwrap();
        let mut tickets: Vec<Ticket> = (0..3).map(|n| background.submit(bed.batch([item(n, 0)])).unwrap()).collect();
        let commits: Vec<u64> = tickets.iter_mut().map(|ticket| ticket.wait().unwrap().commit.get()).collect();
        assert_eq!(commits, [2, 2, 2]);
    });
}

#[test]
fn it_flushes_when_nobody_else_has_come() {
    watched("linger", || {
        let bed = Bed::new();
        for linger in [Duration::ZERO, Duration::from_millis(2)] {
            let background = bed.store.background_writer().linger(linger).start().unwrap();
            background.submit(bed.batch([item(linger.subsec_millis(), 0)])).unwrap().wait().unwrap();
        }
    });
}

#[test]
fn a_flush_waits_for_what_any_handle_has_submitted_and_for_no_company() {
    watched("flush", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().linger(LONG).start().unwrap();
        let other = background.clone();
        background.flush().unwrap();
        let mut refused = background.submit(bed.batch([item(1, 0), item(1, 0)])).unwrap();
        let applied = background.submit(bed.batch([item(2, 0)])).unwrap();
        other.flush().unwrap();
        assert!(refused.is_answered() && applied.is_answered());
        assert_eq!(bed.state(), [item(2, 0)]);
        refused.wait().unwrap_err();
        assert_eq!(background.queued(), memdex::write::Queued::default());
    });
}

#[test]
fn one_flush_waits_for_the_submissions_of_all_threads() {
    watched("flush after many threads", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().linger(LONG).start().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (background, bed) = (background.clone(), &bed);
                scope.spawn(move || {
                    for n in 0..500 {
                        let _ticket = background.submit(bed.batch([item(500 * thread + n, 0)])).unwrap();
                    }
                });
            }
        });
        background.flush().unwrap();
        assert_eq!(bed.state().len(), 2_000);
    });
}

/// A thread that submits without end must not keep a flush waiting.
#[test]
fn a_flush_does_not_wait_for_later_submissions() {
    watched("flush beside a producer", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().max_operations(8).start().unwrap();
        let (done, started) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (other, done, started) = (background.clone(), &done, &started);
            let bed = &bed;
            scope.spawn(move || {
                let mut next = 0;
                while !done.load(SeqCst) {
                    let _ticket = other.submit(bed.batch([item(next, 0)])).unwrap();
                    started.store(true, SeqCst);
                    next += 1;
                }
            });
            while !started.load(SeqCst) {
                std::thread::yield_now();
            }
            (0..20).for_each(|_| background.flush().unwrap());
            done.store(true, SeqCst);
        });
        background.flush().unwrap();
        assert_eq!(background.queued(), memdex::write::Queued::default());
    });
}

/// The danger: the flusher waits for company, which waits for room.
#[test]
fn who_waits_for_room_is_company_enough() {
    watched("linger in a full queue", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().max_operations(3).linger(LONG).start().unwrap();
        let mut first = background.submit(bed.batch([item(1, 0), item(2, 0)])).unwrap();
        let mut second = background.submit(bed.batch([item(3, 0), item(4, 0)])).unwrap();
        first.wait().unwrap();
        background.flush().unwrap();
        second.wait().unwrap();
    });
}

#[test]
fn a_full_queue_gives_the_batch_back() {
    watched("a full queue", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().max_operations(3).linger(Duration::ZERO).start().unwrap();
        let held = bed.hold(&background);
        let mut fits = background.try_submit(bed.batch([item(1, 0), item(2, 0)])).unwrap();
        let (full, batch) = error(background.try_submit(bed.batch([item(3, 0)])));
        assert!(matches!(full, BackgroundError::Full), "{full}");
        let (late, batch) = error(background.submit_timeout(batch, Duration::from_millis(2)));
        assert!(
            matches!(late, BackgroundError::TimedOut { timeout, .. } if timeout == Duration::from_millis(2)),
            "{late}"
        );
        let mut waits = std::thread::scope(|scope| {
            let waits = scope.spawn(|| background.submit(batch).unwrap());
            held.let_go();
            waits.join().unwrap()
        });
        fits.wait().unwrap();
        waits.wait().unwrap();
        assert_eq!(bed.state().len(), 3);
    });
}

#[test]
fn empty_batches_take_a_place() {
    watched("empty batches", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().max_operations(3).linger(Duration::ZERO).start().unwrap();
        let held = bed.hold(&background);
        let tickets: Vec<Ticket> = (0..2).map(|_| background.try_submit(background.batch()).unwrap()).collect();
        assert_eq!((background.queued().submissions, background.queued().operations), (3, 1));
        assert!(matches!(error(background.try_submit(background.batch())).0, BackgroundError::Full));
        held.let_go();
        background.flush().unwrap();
        assert!(tickets.iter().all(Ticket::is_answered));
    });
}

#[test]
fn what_is_too_big_is_never_taken() {
    watched("too big", || {
        let bed = Bed::new();
        let one = bed.batch([item(1, 0)]).bytes();
        assert!(one >= size_of::<Item>());
        let background = bed.store.background_writer().max_operations(3).max_bytes(2 * one).start().unwrap();
        let (too_many, batch) = error(background.submit(bed.batch((0..4).map(|n| item(n, 0)))));
        assert!(matches!(too_many, BackgroundError::TooManyOperations { operations: 4, limit: 3, .. }), "{too_many}");
        assert_eq!(batch.len(), 4);
        let (too_big, batch) = error(background.try_submit(bed.batch((0..3).map(|n| item(n, 0)))));
        let limit_is = |of: usize| of == 2 * one;
        assert!(
            matches!(too_big, BackgroundError::TooManyBytes { bytes, limit, .. } if bytes == 3 * one && limit_is(limit)),
            "{too_big}"
        );
        assert_eq!(batch.len(), 3);
        background.submit(bed.batch([item(1, 0), item(2, 0)])).unwrap().wait().unwrap();
        let nothing_fits = bed.store.background_writer().max_operations(0).max_bytes(0).start().unwrap();
        assert!(matches!(
            error(nothing_fits.submit(bed.batch([item(3, 0)]))).0,
            BackgroundError::TooManyBytes { limit: 0, .. }
        ));
        nothing_fits.submit(nothing_fits.batch()).unwrap().wait().unwrap();
    });
}

#[test]
fn bytes_count_records_long_keys_and_what_closures_hold() {
    let bed = Bed::new();
    let named = bed.store.collection::<Named>("named").unwrap();
    let mut batch = bed.store.batch();
    assert_eq!(batch.bytes(), 0);
    batch.delete(&named, "short").unwrap();
    let short = batch.bytes();
    batch.delete(&named, "x".repeat(1_000)).unwrap();
    assert!(batch.bytes() >= 2 * short + 1_000);
    let before = batch.bytes();
    let captured = [0_u8; 5_000];
    batch.update(&named, "short", move |named| named.bytes = captured[0]).unwrap();
    assert!(batch.bytes() >= before + short + 5_000);
}

#[derive(Clone, memdex::Record)]
struct Named {
    #[record(key)]
    name: String,
    bytes: u8,
}

/// The danger: there is always room for a small one, never for the big one.
#[test]
fn small_ones_do_not_overtake_a_big_one_that_waits() {
    watched("the line", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().max_operations(1_000).linger(Duration::ZERO).start().unwrap();
        let held = bed.hold(&background);
        std::thread::scope(|scope| {
            // The gate takes one place of the thousand.
            let big = scope.spawn(|| background.submit(bed.batch((0..1_000).map(|n| item(n, 0)))).unwrap());
            let mut id = 1_000;
            while let Ok(ticket) = background.try_submit(bed.batch([item(id, 0)])) {
                drop(ticket);
                id += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(background.queued().operations < 1_000, "there is room for a small one, but a big one waits");
            held.let_go();
            big.join().unwrap().wait().unwrap();
        });
    });
}

/// Makes each commit slow, as a store under load is.
struct Slow;

impl CommitHook for Slow {
    fn invalidate(&self, _: &CommitInfo) {
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Ten times the drain: the producers do nothing else, the flusher commits eight operations and sleeps.
fn flood(submit: impl Fn(&BackgroundWriter, Batch) -> Ticket + Sync) {
    const PRODUCERS: u32 = 4;
    const EACH: u32 = 400;
    let bed = Bed::new();
    bed.store.add_hook(Arc::new(Slow)).unwrap();
    let of_three = bed.batch((0..3).map(|n| item(n, 0))).bytes();
    let background =
        bed.store.background_writer().bulk_size(8).max_operations(20).max_bytes(of_three * 5).start().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(SeqCst) {
                let queued = background.queued();
                assert!(
                    queued.operations <= 20 && queued.bytes <= 5 * of_three && queued.submissions <= 20,
                    "{queued:?}"
                );
                most = most.max(queued.operations);
                std::thread::yield_now();
            }
            most
        });
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let (background, bed, submit) = (background.clone(), &bed, &submit);
                scope.spawn(move || {
                    let mut tickets = Vec::new();
                    for n in 0..EACH {
                        let first = 3 * (producer * EACH + n);
                        let batch = bed.batch((first..=first + n % 3).map(|id| item(id, i64::from(n))));
                        tickets.push(submit(&background, batch));
                    }
                    background.flush().unwrap();
                    let commits: Vec<Commit> =
                        tickets.iter_mut().map(|ticket| ticket.try_answer().unwrap().unwrap().commit).collect();
                    assert!(commits.is_sorted(), "each producer's order is kept");
                })
            })
            .collect();
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        done.store(true, SeqCst);
        assert!(watch.join().unwrap() > 8);
    });
    // An insert that came twice would have been refused.
    let expected = (0..PRODUCERS * EACH).map(|n| 1 + n % EACH % 3).sum::<u32>();
    assert_eq!((bed.state().len(), bed.store.stats().refusals), (expected as usize, 0));
    assert_eq!(background.queued(), memdex::write::Queued::default());
    bed.store.verify().unwrap();
}

#[test]
fn producers_that_block_never_pass_the_bounds() {
    watched("blocking producers", || flood(|background, batch| background.submit(batch).unwrap()));
}

#[test]
fn producers_that_time_out_never_pass_the_bounds() {
    let patiently = |background: &BackgroundWriter, mut batch: Batch| loop {
        match background.submit_timeout(batch, Duration::from_micros(200)) {
            Ok(ticket) => return ticket,
            Err(error) => {
                assert!(matches!(error.error(), BackgroundError::TimedOut { .. }));
                batch = error.into_batch().unwrap();
            }
        }
    };
    watched("producers that time out", move || flood(patiently));
}

#[test]
fn producers_that_try_never_pass_the_bounds() {
    let again_and_again = |background: &BackgroundWriter, mut batch: Batch| loop {
        match background.try_submit(batch) {
            Ok(ticket) => return ticket,
            Err(error) => {
                assert!(matches!(error.error(), BackgroundError::Full));
                batch = error.into_batch().unwrap();
                std::thread::yield_now();
            }
        }
    };
    watched("producers that try", move || flood(again_and_again));
}
