//! How it ends: handles dropped anywhere, stores dropped before it, and calls from inside user code, which never wait.

use super::{Bed, GATE, Item, LONG, item, watched};
use memdex::error::{Cause, Refusal};
use memdex::hook::{CommitHook, CommitInfo};
use memdex::write::{BackgroundError, SubmitError, Ticket};
use memdex::{BackgroundWriter, Store};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn the_last_handle_to_go_runs_the_queue_empty() {
    watched("drop", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().linger(LONG).start().unwrap();
        let other = background.clone();
        let tickets: Vec<Ticket> = (0..100).map(|n| background.submit(bed.batch([item(n, 0)])).unwrap()).collect();
        drop(background);
        assert!(!tickets[0].is_answered());
        drop(other);
        assert!(tickets.iter().all(Ticket::is_answered));
        assert_eq!(bed.state().len(), 100);
    });
}

#[test]
fn the_queue_runs_empty_when_a_panic_drops_the_handle() {
    watched("drop by a panic", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().linger(LONG).start().unwrap();
        let mut ticket = background.submit(bed.batch([item(1, 0)])).unwrap();
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _background = background;
            panic!("what was submitted is whole")
        }));
        assert!(unwound.is_err());
        ticket.try_answer().unwrap().unwrap();
    });
}

#[test]
fn it_outlives_the_store_handle_and_ends_with_its_own() {
    watched("a store dropped", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().linger(LONG).start().unwrap();
        let batch = bed.batch([item(1, 0)]);
        drop(bed);
        let mut ticket = background.submit(batch).unwrap();
        background.flush().unwrap();
        assert_eq!(ticket.wait().unwrap().commit, 2);
        let canary = Arc::new(());
        let of_observer = canary.clone();
        struct Holds(#[expect(dead_code)] Arc<()>);
        impl CommitHook for Holds {}
        let store = Store::new();
        store.add_hook(Arc::new(Holds(of_observer))).unwrap();
        let background = store.background_writer().start().unwrap();
        drop(store);
        assert_eq!(Arc::strong_count(&canary), 2);
        drop(background);
        assert_eq!(Arc::strong_count(&canary), 1, "the store went with the last handle to it");
    });
}

#[test]
fn a_batch_of_another_store_is_refused() {
    watched("another store", || {
        let (bed, other) = (Bed::new(), Bed::new());
        let background = bed.eager();
        let (error, batch) = background.submit(other.batch([item(1, 0)])).unwrap_err().into_parts();
        assert!(matches!(&error, BackgroundError::Refused(refusal) if matches!(refusal.cause(), Cause::OtherStore)));
        batch.unwrap().commit().unwrap();
        assert_eq!((bed.state().len(), other.state().len()), (0, 1));
    });
}

#[test]
fn a_gathering_closure_may_refuse() {
    watched("submit_with", || {
        let bed = Bed::new();
        let background = bed.eager();
        let gather = |batch: &mut memdex::Batch| {
            batch.insert(&bed.items, item(1, 0))?;
            Err(Refusal::because("the till is closed"))
        };
        let error = background.submit_with(gather).unwrap_err();
        assert_eq!(error.to_string(), "commit refused: the till is closed");
        assert_eq!(error.into_batch().unwrap().len(), 1);
    });
}

/// A handle in each of its own closures; the last one goes with the batch, on the flusher's thread.
#[test]
fn a_handle_may_be_dropped_by_its_own_flusher() {
    watched("dropped by the flusher", || {
        let bed = Bed::new();
        let background = bed.eager();
        let held = bed.hold(&background);
        let (own, (gone, is_gone)) = (background.clone(), channel::<()>());
        let mut ticket = background
            .submit_with(|batch| {
                batch.update(&bed.items, GATE, move |item| {
                    item.value += own.queued().operations as i64;
                    let _ = &gone;
                })
            })
            .unwrap();
        drop(background);
        held.let_go();
        ticket.wait().unwrap();
        // The closure is gone, and the handle with it: nobody waits for himself.
        is_gone.recv_timeout(Duration::from_secs(60)).unwrap_err();
        assert_eq!(bed.items.get(GATE).unwrap().value, 1);
    });
}

/// The danger: the flusher waits for the commit lock, or for this closure, and this closure for the flusher.
#[test]
fn a_handle_may_be_dropped_inside_user_code() {
    watched("dropped inside", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().linger(LONG).start().unwrap();
        let mut ticket = background.submit(bed.batch([item(1, 0)])).unwrap();
        let last = Mutex::new(Some(background));
        bed.items.update(GATE, move |_| drop(last.lock().unwrap().take())).unwrap();
        ticket.wait().unwrap();
    });
}

/// All that may wait, tried from inside user code.
fn tries(background: &BackgroundWriter, unanswered: &mut Ticket, answered: &mut Ticket) {
    let inside = |error: &BackgroundError| assert!(matches!(error, BackgroundError::InsideUserCode), "{error}");
    let refused = |result: Result<Ticket, SubmitError>| {
        let (error, batch) = result.expect_err("a submission from inside user code").into_parts();
        assert!(batch.unwrap().is_empty());
        inside(&error);
    };
    refused(background.submit(background.batch()));
    refused(background.try_submit(background.batch()));
    refused(background.submit_timeout(background.batch(), LONG));
    refused(background.submit_with(|_| Ok(())));
    inside(&background.flush().unwrap_err());
    inside(unanswered.wait().unwrap_err().error());
    inside(unanswered.wait_timeout(LONG).unwrap().unwrap_err().error());
    assert!(unanswered.try_answer().is_none());
    answered.wait().unwrap();
}

#[test]
fn inside_user_code_nothing_waits() {
    struct Tries(Mutex<Option<Box<dyn FnOnce() + Send>>>);
    impl CommitHook for Tries {
        fn invalidate(&self, _: &CommitInfo) {
            let run = self.0.lock().unwrap().take();
            run.into_iter().for_each(|run| run());
        }
    }
    for place in ["closure", "get_with", "observer", "of the flusher"] {
        watched(place, move || {
            let bed = Bed::new();
            let background = bed.store.background_writer().linger(LONG).start().unwrap();
            let mut answered = background.submit(bed.batch([item(1, 0)])).unwrap();
            background.flush().unwrap();
            let mut unanswered = background.submit(bed.batch([item(2, 0)])).unwrap();
            let (done, is_done) = channel();
            let act = {
                let background = background.clone();
                move || {
                    tries(&background, &mut unanswered, &mut answered);
                    done.send(unanswered).unwrap();
                }
            };
            let once = Mutex::new(Some(act));
            let act = move || once.lock().unwrap().take().into_iter().for_each(|act| act());
            match place {
                "closure" => drop(bed.items.update(GATE, move |_| act()).unwrap()),
                "get_with" => bed.items.get_with(GATE, |_: &Item| act()).unwrap(),
                "observer" => {
                    bed.store.add_hook(Arc::new(Tries(Mutex::new(Some(Box::new(act)))))).unwrap();
                    bed.items.delete(99).unwrap();
                    bed.items.store(item(98, 0)).unwrap();
                }
                _ => {
                    // In the commit in which the unanswered one is, too.
                    drop(background.submit_with(|batch| batch.update(&bed.items, GATE, move |_| act())).unwrap());
                    background.flush().unwrap();
                }
            }
            // A panic in there would have been caught, and this end dropped.
            let mut unanswered = is_done.recv_timeout(Duration::from_secs(60)).expect("all tries went as they should");
            background.flush().unwrap();
            unanswered.wait().unwrap();
            assert_eq!(bed.store.stats().hook_panics, 0);
        });
    }
}
