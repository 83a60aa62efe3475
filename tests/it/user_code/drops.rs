//! Records whose `Drop` panics, everywhere the store may drop them: the store is unharmed, counts the panics, and
//! drops the others.

use super::{Bed, Call, Hooks, watched};
use memdex::error::Cause;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::mpsc::channel;

/// The number of records whose `Drop` panicked; checks the store.
fn panicked(bed: &Bed) -> u64 {
    assert!(!bed.hooks.clear(), "the drop was called");
    let panics = bed.stats().drop_panics;
    bed.is_well();
    panics
}

#[test]
fn displaced_in_a_commit() {
    let bed = Bed::new();
    bed.hooks.panic_at(Call::Drop, 1);
    bed.people.store(bed.person(1, 1)).unwrap();
    assert_eq!((panicked(&bed), bed.people.get(1).unwrap().score), (1, 1));
    bed.hooks.panic_at(Call::Drop, 1);
    bed.people.delete(1).unwrap();
    assert_eq!((panicked(&bed), bed.people.get(1).is_none()), (2, true));
}

#[test]
fn displaced_in_a_commit_among_others() {
    for nth in 1..=4 {
        let bed = Bed::new();
        bed.hooks.panic_at(Call::Drop, nth);
        bed.store.commit(|batch| (1..=4).try_for_each(|id| batch.store(&bed.people, bed.person(id, 1)))).unwrap();
        assert_eq!(panicked(&bed), 1);
        assert!(bed.people.iter().all(|person| person.score == 1));
    }
}

#[test]
fn dropped_with_a_snapshot() {
    let bed = Bed::new();
    let held = bed.store.snapshot();
    bed.people.update(1, |person| person.score = 1).unwrap();
    assert_eq!(bed.stats().collections[0].versions_retained, 1);
    bed.hooks.panic_at(Call::Drop, 1);
    // Never on the thread of a reader.
    drop(held);
    assert_eq!((bed.stats().drop_panics, bed.stats().collections[0].versions_retained), (0, 1));
    bed.store.optimize().unwrap();
    assert_eq!(panicked(&bed), 1);
}

#[test]
fn dropped_with_the_store() {
    for nth in 1..=4 {
        let Bed { store, people, hooks } = Bed::new();
        hooks.panic_at(Call::Drop, nth);
        drop(store);
        drop(people);
        assert!(!hooks.clear(), "all four are dropped, even if one panics");
    }
}

#[test]
fn superseded_within_a_batch() {
    let bed = Bed::new();
    bed.hooks.panic_at(Call::Drop, 2);
    let receipt = bed.store.commit(|batch| {
        batch.insert(&bed.people, bed.person(10, 1))?;
        batch.store(&bed.people, bed.person(10, 2))?;
        batch.store(&bed.people, bed.person(10, 3))
    });
    assert_eq!(receipt.unwrap().counts.total(), 3);
    assert_eq!((panicked(&bed), bed.people.get(10).unwrap().score), (1, 3));
}

/// The discarded work of a lenient commit's passes is dropped after it, each value separately; the report is returned
/// all the same.
#[test]
fn discarded_by_a_lenient_commit() {
    let refuse_last = |batch: &mut memdex::Batch, bed: &Bed| {
        batch.update(&bed.people, 1, |person| person.score += 1).unwrap();
        batch.update(&bed.people, 1, |person| person.team = "c".repeat(70_000)).unwrap();
        batch.update_where(&bed.people, memdex::field("score").eq(0), |person| person.score = 5).unwrap();
        batch.update_where(&bed.people, memdex::field("score").eq(5), |person| person.id = 4).unwrap();
    };
    for nth in 1.. {
        let bed = Bed::new();
        let mut batch = bed.store.batch();
        refuse_last(&mut batch, &bed);
        bed.hooks.panic_at(Call::Drop, nth);
        let report = batch.commit_lenient().unwrap();
        let positions: Vec<_> = report.refused.iter().map(|refused| refused.refusal.position().unwrap()).collect();
        assert_eq!((positions, report.receipt.counts.updated), (vec![1, 3], 4));
        let scores: Vec<i64> = (1..=4).map(|id| bed.people.get(id).unwrap().score).collect();
        assert_eq!(scores, [1, 5, 5, 5]);
        if bed.hooks.clear() {
            assert!(nth > 5, "{nth}");
            return bed.is_well();
        }
        bed.is_well();
    }
}

/// Records that closures make and that later operations of the batch replace are dropped after the commit, each
/// separately.
#[test]
fn computed_and_superseded_within_a_batch() {
    let bed = Bed::new();
    bed.hooks.panic_at(Call::Drop, 1);
    let twice = bed.store.commit(|batch| {
        batch.update(&bed.people, 1, |person| person.score += 1)?;
        batch.update(&bed.people, 1, |person| person.score += 1)
    });
    assert_eq!(twice.unwrap().counts.updated, 2);
    bed.store.verify().unwrap();
    assert_eq!((panicked(&bed), bed.people.get(1).unwrap().score), (1, 2));
}

#[test]
fn computed_in_a_batch_that_is_refused() {
    let bed = Bed::new();
    bed.hooks.panic_at(Call::Drop, 1);
    let refused = bed.store.commit(|batch| {
        batch.update(&bed.people, 1, |person| person.score += 1)?;
        batch.insert(&bed.people, bed.person(2, 0))
    });
    let mut batch = refused.unwrap_err().into_batch();
    assert_eq!((batch.len(), bed.people.get(1).unwrap().score), (2, 0));
    batch.remove(1).unwrap();
    batch.commit().unwrap();
    assert_eq!(panicked(&bed), 1);
}

const CHILD: &str = "user_code::drops::two_at_once_in_a_batch_that_is_refused_child";

/// Danger: a second panic while the first unwinds aborts the process.
#[test]
fn two_at_once_in_a_batch_that_is_refused() {
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", CHILD, "--ignored"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by the test above in a child process, because a failure aborts it"]
fn two_at_once_in_a_batch_that_is_refused_child() {
    #[derive(Clone, memdex::Record)]
    struct Bomb {
        #[record(key)]
        id: u32,
        armed: bool,
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.armed, "boom");
        }
    }
    let store = memdex::Store::new();
    let bombs = store.collection::<Bomb>("bombs").unwrap();
    let add = |id| assert_eq!(bombs.insert(Bomb { id, armed: false }).unwrap().counts.inserted, 1);
    (1..=3).for_each(add);
    let refused = store.commit(|batch| {
        batch.update(&bombs, 1, |bomb| bomb.armed = true)?;
        batch.update(&bombs, 2, |bomb| bomb.armed = true)?;
        batch.insert(&bombs, Bomb { id: 3, armed: false })
    });
    assert_eq!(refused.unwrap_err().into_batch().len(), 3);
    store.verify().unwrap();
    bombs.delete(1).unwrap();
}

#[test]
fn a_panic_in_the_users_own_drop_reaches_the_user() {
    let bed = Bed::new();
    let last = bed.people.get(1).unwrap();
    bed.people.delete(1).unwrap();
    bed.hooks.panic_at(Call::Drop, 1);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(last))).is_err(), "the handle had the last reference");
    assert_eq!(panicked(&bed), 0);
}

/// A value that a closure captures; the store drops it with the closure once the batch is committed.
struct Captured(Hooks);

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.called(Call::Drop);
    }
}

/// Commits an upsert whose closure has captured a value with these hooks.
fn upsert(bed: &Bed, id: u32, hooks: &Hooks) -> u64 {
    let captured = Captured(hooks.clone());
    let receipt = bed.people.upsert(bed.person(id, 1), move |person| {
        let _captured = &captured;
        person.score += 10;
    });
    receipt.unwrap().commit.get()
}

/// Danger: an unused closure, because the record is new, must not be dropped in the middle of the commit, when its
/// record is taken.
#[test]
fn a_value_captured_by_a_closure_panics() {
    for (id, score) in [(1, 10), (10, 1)] {
        let (bed, hooks) = (Bed::new(), Hooks::default());
        hooks.panic_at(Call::Drop, 1);
        let committed = catch_unwind(AssertUnwindSafe(|| upsert(&bed, id, &hooks)));
        assert!(!hooks.clear(), "it was dropped");
        assert_eq!(bed.stats().poisoned, None);
        assert_eq!((committed.ok(), bed.people.get(id).map(|person| person.score)), (Some(2), Some(score)));
        assert_eq!(bed.stats().drop_panics, 1);
        bed.is_well();
    }
}

#[test]
fn a_value_captured_by_a_closure_writes() {
    for id in [1, 10] {
        watched(&format!("a write from what the closure of an upsert of {id} has captured"), move || {
            let (bed, hooks) = (Bed::new(), Hooks::default());
            let (tell, reported) = channel();
            let people = bed.people.clone();
            hooks.set(Call::Drop, 1, move || tell.send(people.delete(2)).unwrap());
            upsert(&bed, id, &hooks);
            let refused = reported.recv().unwrap().expect_err("a write from inside a drop");
            assert!(matches!(refused.cause(), Cause::InsideUserCode), "{refused}");
            bed.is_well();
        });
    }
}
