//! Observers that panic: the commit stays, the panic is counted, the other observers are notified.

use super::{Bed, Call, Hooks};
use memdex::Store;
use memdex::error::Cause;
use memdex::hook::{CommitHook, CommitInfo};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

/// An observer that runs the hooks and records its notifications.
#[derive(Default)]
pub(super) struct Witness {
    hooks: Hooks,
    reported: Mutex<Vec<(Call, u64)>>,
}

impl Witness {
    pub(super) fn of(bed: &Bed) -> Arc<Self> {
        Witness::new(&bed.store, &bed.hooks)
    }

    pub(super) fn new(store: &Store, hooks: &Hooks) -> Arc<Self> {
        let witness = Arc::new(Witness { hooks: hooks.clone(), reported: Mutex::default() });
        store.add_hook(witness.clone()).unwrap();
        witness
    }
}

impl CommitHook for Witness {
    fn invalidate(&self, commit: &CommitInfo) {
        self.reported.lock().unwrap().push((Call::Invalidate, commit.number().get()));
        self.hooks.called(Call::Invalidate);
    }

    fn committed(&self, commit: &CommitInfo) {
        self.reported.lock().unwrap().push((Call::Committed, commit.number().get()));
        self.hooks.called(Call::Committed);
    }
}

#[test]
fn a_panic_of_an_observer_is_counted() {
    for call in [Call::Invalidate, Call::Committed] {
        for nth in [1, 2] {
            let bed = Bed::new();
            let witnesses = [Witness::of(&bed), Witness::of(&bed)];
            bed.hooks.panic_at(call, nth);
            let receipt = bed.people.store(bed.person(1, 7)).unwrap();
            assert!(!bed.hooks.clear());
            assert_eq!((receipt.commit.get(), bed.people.get(1).unwrap().score), (2, 7));
            assert_eq!(bed.stats().hook_panics, 1);
            for witness in witnesses {
                assert_eq!(*witness.reported.lock().unwrap(), [(Call::Invalidate, 2), (Call::Committed, 2)]);
            }
            bed.is_well();
        }
    }
}

/// The records that observers see outlive the rest of the commit, and are dropped after all observers were notified.
#[test]
fn a_panic_in_the_drop_of_an_observed_record_is_counted() {
    let bed = Bed::new();
    let _witness = Witness::of(&bed);
    bed.hooks.panic_at(Call::Drop, 1);
    let stored = catch_unwind(AssertUnwindSafe(|| bed.people.store(bed.person(1, 7)).unwrap()));
    assert_eq!(bed.people.get(1).unwrap().score, 7);
    assert!(stored.is_ok(), "the store must catch the panic");
    assert_eq!(bed.stats().drop_panics, 1);
    bed.is_well();
}

#[test]
fn a_write_in_the_drop_of_an_observed_record_is_refused() {
    let bed = Bed::new();
    let _witness = Witness::of(&bed);
    let (tell, reported) = channel();
    let people = bed.people.clone();
    bed.hooks.set(Call::Drop, 1, move || tell.send(people.delete(2)).unwrap());
    bed.people.store(bed.person(1, 7)).unwrap();
    let refused = reported.recv().unwrap().expect_err("a write from inside a drop");
    assert!(matches!(refused.cause(), Cause::InsideUserCode), "{refused}");
    bed.is_well();
}
