//! Panics in extractors that indexes of every kind and columns call, in commits, builds and queries; and other panics
//! with such indexes present.

use super::every_kind::{Shelf, aggregate};
use super::observers::Witness;
use super::panics::is_of;
use super::{Call, watched};
use memdex::error::{AggregateError, Cause, IndexError};
use memdex::{IndexDef, field};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn definitions() -> [IndexDef; 7] {
    [
        IndexDef::equality("club"),
        IndexDef::unique("score"),
        IndexDef::ordered("rate"),
        IndexDef::equality("notes"),
        IndexDef::equality(["rate", "club"]),
        IndexDef::ordered(["rate", "score"]),
        IndexDef::ordered("rate").when(field("score").gt(3) & !field("notes").contains("a")),
    ]
    .map(|index| index.named("new"))
}

fn is_record(call: Call, result: &Result<(), IndexError>) -> bool {
    matches!(result, Err(IndexError::Record { index, cause, .. }) if index == "new" && is_of(call, cause))
}

#[test]
fn a_panic_in_a_build_leaves_no_index() {
    for index in definitions() {
        let mut panics = 0;
        for call in [Call::Field, Call::Values] {
            for nth in 1.. {
                let shelf = Shelf::new();
                let (state, before) = (shelf.state(), shelf.things.indexes());
                shelf.hooks.panic_at(call, nth);
                let built = shelf.things.add_index(index.clone());
                if shelf.hooks.clear() {
                    built.unwrap();
                    break;
                }
                panics += 1;
                assert!(is_record(call, &built), "{index} at call {nth}: {built:?}");
                assert_eq!((shelf.things.indexes(), shelf.state()), (before, state));
                shelf.is_well();
                shelf.things.add_index(index.clone()).unwrap();
                shelf.gather().commit().unwrap();
                shelf.is_well();
            }
        }
        assert!(panics >= 4, "{index}: {panics}");
    }
}

#[test]
fn a_panic_in_a_build_leaves_no_aggregate() {
    for call in [Call::Field, Call::Values] {
        for nth in 1.. {
            let shelf = Shelf::new();
            let before = (shelf.state(), shelf.things.aggregates());
            shelf.hooks.panic_at(call, nth);
            let built = shelf.things.add_aggregate(aggregate("new"));
            if shelf.hooks.clear() {
                built.unwrap();
                break;
            }
            assert!(
                matches!(&built, Err(AggregateError::Record { aggregate, cause, .. }) if aggregate == "new" && is_of(call, cause)),
                "{call:?} at call {nth}: {built:?}"
            );
            assert_eq!((shelf.state(), shelf.things.aggregates()), before);
            shelf.is_well();
            shelf.things.add_aggregate(aggregate("new")).unwrap();
            shelf.gather().commit().unwrap();
            shelf.is_well();
        }
    }
}

/// Danger: the commit lock, which the last step of a build takes while commits wait.
#[test]
fn a_panic_in_the_last_step_of_a_build_does_not_block_commits() {
    watched("a panic under the commit lock", || {
        let shelf = Shelf::new();
        let (hooks, things) = (shelf.hooks.clone(), shelf.things.clone());
        // Another thread commits while the first pass reads its last record, and once more while the second pass reads
        // that change. The record that is left for the last pass panics.
        let commit = move |id| {
            let things = things.clone();
            std::thread::spawn(move || things.update(id, |thing| thing.number += 20).unwrap()).join().unwrap();
        };
        shelf.hooks.set(Call::Field, 4, move || {
            commit(1);
            let of_second = hooks.clone();
            hooks.set(Call::Field, 1, move || {
                commit(2);
                of_second.panic_at(Call::Field, 1);
            });
        });
        let built = shelf.things.add_index(IndexDef::equality("rate").named("new"));
        assert!(!shelf.hooks.clear());
        assert!(is_record(Call::Field, &built), "{built:?}");
        assert_eq!(shelf.state(), [(1, 22), (2, 23), (3, 4), (4, 5)]);
        shelf.is_well();
        shelf.things.add_index(IndexDef::equality("rate").named("new")).unwrap();
        shelf.is_well();
    });
}

/// A panic in the extractor call of any index or column, after any number of earlier calls; with upkeep in between.
#[test]
fn a_panic_in_a_commit_refuses_the_whole_batch() {
    for call in [Call::Field, Call::Values, Call::Closure, Call::Clone, Call::Key] {
        for nth in 1.. {
            let shelf = Shelf::new();
            let before = shelf.state();
            let batch = shelf.gather();
            shelf.hooks.panic_at(call, nth);
            let result = batch.commit();
            let never_called = shelf.hooks.clear();
            assert_eq!(result.is_ok(), never_called, "{call:?} at call {nth}");
            if let Err(refused) = result {
                assert!(is_of(call, refused.cause()) && refused.refusal().position().is_some(), "{refused}");
                assert_eq!(shelf.state(), before);
                if nth % 2 == 0 {
                    shelf.store.optimize().unwrap();
                }
                refused.into_batch().commit().unwrap();
            }
            assert_eq!(shelf.state(), Shelf::GATHERED);
            shelf.is_well();
            if never_called {
                assert!(nth > if call == Call::Field { 40 } else { 3 }, "{call:?} was called {nth} times");
                break;
            }
        }
    }
}

#[test]
fn a_panic_in_a_lenient_commit_skips_operations() {
    for call in [Call::Field, Call::Values, Call::Closure] {
        for nth in 1.. {
            let shelf = Shelf::new();
            let batch = shelf.gather();
            shelf.hooks.panic_at(call, nth);
            let report = batch.commit_lenient().unwrap();
            let never_called = shelf.hooks.clear();
            assert!(report.refused.is_empty() || !never_called, "{call:?} at call {nth}: {report:?}");
            // Without a change another record may have its value.
            let is_due = |cause: &Cause| is_of(call, cause) || matches!(cause, Cause::NotUnique { .. });
            assert!(report.refused.iter().all(|refused| is_due(refused.refusal.cause())), "{report:?}");
            shelf.is_well();
            if never_called {
                break;
            }
        }
    }
}

#[test]
fn a_panic_in_a_query_reaches_the_caller() {
    let shelf = Shelf::new();
    let held = shelf.store.snapshot();
    shelf.things.update(2, |thing| thing.number += 21).unwrap();
    let requested = [
        (Call::Values, field("tags").contains("d")),
        (Call::Values, field("notes").contains("d")),
        (Call::Field, field("club").eq("b")),
        (Call::Field, field("score").between(3, 4)),
        (Call::Field, field("team").eq("a") & field("rate").ge(0.0) & field("score").lt(9)),
    ];
    for (call, predicate) in requested {
        // A row has changed since the snapshot, so its record is read.
        let count = || held.of(&shelf.things).find(predicate.clone()).count();
        let before = count().unwrap();
        shelf.hooks.panic_at(call, 1);
        let found = catch_unwind(AssertUnwindSafe(count));
        assert!(found.is_err() && !shelf.hooks.clear(), "{predicate:?}");
        assert_eq!(count(), Ok(before));
    }
    drop(held);
    shelf.is_well();
}

#[test]
fn a_panic_of_an_observer_keeps_the_commit() {
    for call in [Call::Invalidate, Call::Committed] {
        let shelf = Shelf::new();
        let _witness = Witness::new(&shelf.store, &shelf.hooks);
        shelf.hooks.panic_at(call, 1);
        shelf.gather().commit().unwrap();
        assert!(!shelf.hooks.clear());
        assert_eq!((shelf.state(), shelf.stats().hook_panics), (Shelf::GATHERED.to_vec(), 1));
        shelf.is_well();
    }
}

/// `Drop` panics of records that a commit displaces, that a snapshot retains, and that are dropped with the store.
#[test]
fn a_panic_of_a_drop_is_counted() {
    for nth in 1.. {
        let shelf = Shelf::new();
        let held = shelf.store.snapshot();
        shelf.hooks.panic_at(Call::Drop, nth);
        shelf.gather().commit().unwrap();
        drop(held);
        shelf.things.delete_where(field("club").is_in(["a", "b", "c"])).unwrap();
        let never_called = shelf.hooks.clear();
        shelf.is_well();
        assert_eq!(shelf.stats().drop_panics, u64::from(!never_called));
        if never_called {
            assert!(nth > 5, "{nth} drops");
            return;
        }
        shelf.hooks.panic_at(Call::Drop, 1);
        let (Shelf { store, things, hooks, .. }, _) = (shelf, ());
        drop((store, things));
        assert!(!hooks.clear());
    }
}
