//! A panic at the k-th call, for every k, of user code that runs during a commit: the batch is refused whole, is
//! returned, and can be committed once the code behaves. Also panics in user code that runs during reads.

use super::{Bed, Call};
use memdex::error::{Cause, Refusal};
use memdex::{Batch, field};
use std::panic::{AssertUnwindSafe, catch_unwind};

const OPERATIONS: usize = 9;

/// Adds one of the operations: one of every kind, on existing records, on records that the batch inserts, and on both.
fn add(batch: &mut Batch, bed: &Bed, at: usize) -> Result<(), Refusal> {
    let hooks = bed.hooks.clone();
    let score = move |person: &mut super::Unruly| {
        hooks.called(Call::Closure);
        person.score += 10;
    };
    match at {
        0 => batch.insert(&bed.people, bed.person(10, 1)),
        1 => batch.store(&bed.people, bed.person(1, 1)),
        2 => batch.update(&bed.people, 2, score),
        3 => batch.upsert(&bed.people, bed.person(3, 1), score),
        4 => batch.delete(&bed.people, 4),
        5 => batch.upsert(&bed.people, bed.person(11, 1), score),
        6 => batch.update(&bed.people, 11, score),
        7 => batch.update(&bed.people, 2, move |person| {
            score(person);
            person.team = "green".to_owned();
            Ok::<(), &str>(())
        }),
        _ => batch.store(&bed.people, bed.person(4, 1)),
    }
}

pub(super) fn is_of(call: Call, cause: &Cause) -> bool {
    let expected = match call {
        Call::Key => "key extractor",
        Call::Field | Call::Values => "field extractor",
        _ => "update closure",
    };
    matches!(cause, Cause::Panicked { what, message, .. } if *what == expected && message.contains("set to panic"))
}

/// The number of calls until the panic came too late.
fn panic_at_every(call: Call) -> usize {
    let after = [
        "1 of \"blue\": 1",
        "10 of \"red\": 1",
        "11 of \"blue\": 11",
        "2 of \"green\": 20",
        "3 of \"blue\": 10",
        "4 of \"red\": 1",
    ];
    for nth in 1.. {
        let bed = Bed::new();
        let before = bed.state();
        bed.hooks.panic_at(call, nth);
        let mut batch = bed.store.batch();
        for at in 0..OPERATIONS {
            if let Err(refusal) = add(&mut batch, &bed, at) {
                assert!(is_of(call, refusal.cause()), "{refusal}");
                assert_eq!(batch.len(), at, "the refused operation is not in the batch");
                add(&mut batch, &bed, at).unwrap();
            }
        }
        let result = batch.commit();
        let never_called = bed.hooks.clear();
        if let Err(refused) = result {
            assert!(is_of(call, refused.cause()), "{refused}");
            assert!(refused.refusal().position().is_some());
            assert_eq!(bed.state(), before, "{call:?} at call {nth}");
            bed.store.verify().unwrap();
            let batch = refused.into_batch();
            assert_eq!(batch.len(), OPERATIONS);
            batch.commit().unwrap();
        }
        assert_eq!(bed.state(), after, "{call:?} at call {nth}");
        assert_eq!(bed.stats().drop_panics, 0);
        bed.is_well();
        if never_called {
            return nth - 1;
        }
    }
    unreachable!()
}

#[test]
fn a_panic_of_an_update_closure() {
    assert_eq!(panic_at_every(Call::Closure), 4);
}

#[test]
fn a_panic_of_clone() {
    assert_eq!(panic_at_every(Call::Clone), 4, "each closure works on a clone");
}

#[test]
fn a_panic_of_the_key_extractor() {
    let (added, changed) = (5, 4);
    assert_eq!(panic_at_every(Call::Key), added + changed);
}

#[test]
fn a_panic_of_a_field_extractor() {
    assert_eq!(panic_at_every(Call::Field), 6, "one index, six net records");
}

/// Adds two writes by predicate: one on committed records and on the batch's own, one only on the latter.
fn add_conditions(batch: &mut Batch, bed: &Bed) {
    let hooks = bed.hooks.clone();
    batch.insert(&bed.people, bed.person(10, 0)).unwrap();
    batch.update(&bed.people, 2, |person| person.score = 7).unwrap();
    let score = move |person: &mut super::Unruly| {
        hooks.called(Call::Closure);
        person.score += 1;
    };
    batch.update_where(&bed.people, field("score").is_in([0, 7]), score).unwrap();
    batch.delete_where(&bed.people, field("team").eq("blue")).unwrap();
}

#[test]
fn a_panic_in_a_write_by_predicate_refuses_the_whole_batch() {
    for call in [Call::Field, Call::Closure, Call::Clone, Call::Key] {
        for nth in 1.. {
            let bed = Bed::new();
            let before = bed.state();
            let mut batch = bed.store.batch();
            add_conditions(&mut batch, &bed);
            bed.hooks.panic_at(call, nth);
            let result = batch.commit();
            let never_called = bed.hooks.clear();
            assert_eq!(result.is_ok(), never_called, "{call:?} at call {nth}");
            if let Err(refused) = result {
                assert!(is_of(call, refused.cause()) && refused.refusal().position().is_some(), "{refused}");
                assert_eq!(bed.state(), before);
                refused.into_batch().commit().unwrap();
            }
            assert_eq!(bed.state(), ["10 of \"red\": 1", "2 of \"red\": 8", "4 of \"red\": 1"]);
            bed.is_well();
            if never_called {
                assert!(nth > 4, "{call:?} was called {nth} times");
                break;
            }
        }
    }
}

#[test]
fn a_panic_in_a_lenient_commit_skips_one_operation() {
    for call in [Call::Field, Call::Closure, Call::Clone, Call::Key] {
        for nth in 1.. {
            let bed = Bed::new();
            let mut batch = bed.store.batch();
            add_conditions(&mut batch, &bed);
            bed.hooks.panic_at(call, nth);
            let report = batch.commit_lenient().unwrap();
            let never_called = bed.hooks.clear();
            // A read of a record that a later operation changes does not refuse that operation.
            assert!(report.refused.len() <= usize::from(!never_called), "{call:?} at call {nth}: {report:?}");
            assert!(report.refused.iter().all(|refused| is_of(call, refused.refusal.cause())));
            let mut batch = bed.store.batch();
            report.refused.into_iter().for_each(|refused| batch.put_back(refused.operation).unwrap());
            batch.commit().unwrap();
            bed.is_well();
            if never_called {
                break;
            }
        }
    }
}

#[test]
fn a_panic_in_a_query_reaches_the_caller() {
    let bed = Bed::new();
    let held = bed.store.snapshot();
    bed.people.update(1, |person| person.score = 5).unwrap();
    for nth in 1..=4 {
        bed.hooks.panic_at(Call::Field, nth);
        let found = catch_unwind(AssertUnwindSafe(|| bed.people.find(field("score").eq(5)).fetch()));
        assert!(found.is_err() && !bed.hooks.clear());
    }
    bed.hooks.panic_at(Call::Field, 1);
    let found = catch_unwind(AssertUnwindSafe(|| held.of(&bed.people).find(field("team").eq("blue")).count()));
    assert!(found.is_err(), "the record of a row that has changed since is read");
    drop(held);
    assert_eq!(bed.people.find(field("score").eq(5)).count(), Ok(1));
    bed.is_well();
}

#[test]
fn a_panic_in_get_with_reaches_the_caller() {
    let bed = Bed::new();
    let shown = catch_unwind(AssertUnwindSafe(|| bed.people.get_with(1, |person| panic!("no {person:?}"))));
    assert!(shown.is_err());
    bed.people.update(1, |person| person.score = 5).unwrap();
    bed.is_well();
}

#[test]
fn a_panic_in_batch_get_refuses_only_the_get() {
    let bed = Bed::new();
    let mut batch = bed.store.batch();
    (0..OPERATIONS).for_each(|at| add(&mut batch, &bed, at).unwrap());
    for call in [Call::Closure, Call::Clone, Call::Key] {
        bed.hooks.panic_at(call, 1);
        assert!(is_of(call, batch.get(&bed.people, 2).unwrap_err().cause()));
    }
    assert_eq!(batch.get(&bed.people, 2).unwrap().unwrap().score, 20);
    batch.commit().unwrap();
    bed.is_well();
}

#[test]
fn a_panic_in_a_schema_refuses_the_collection() {
    struct Secretive;
    impl memdex::Record for Secretive {
        type Key = u32;

        fn schema() -> memdex::Schema {
            panic!("guess it")
        }

        fn key(&self, _: &mut memdex::typing::KeyBuffer) {}

        fn value(&self, _: usize) -> memdex::typing::ValueRef<'_> {
            memdex::typing::ValueRef::Null
        }
    }
    let bed = Bed::new();
    let error = bed.store.collection::<Secretive>("secretive").unwrap_err();
    assert!(
        matches!(&error, memdex::error::CollectionError::Panicked { message, .. } if message == "guess it"),
        "{error}"
    );
    assert_eq!(bed.stats().collections.len(), 1);
    bed.is_well();
}

/// Danger: the record is changed, its operation keeps the old key, and a commit stores the record under that key.
#[test]
fn a_panic_in_a_fix_leaves_a_harmless_operation() {
    let bed = Bed::new();
    let mut batch = bed.store.batch();
    batch.insert(&bed.people, bed.person(10, 0)).unwrap();
    let fixed = catch_unwind(AssertUnwindSafe(|| {
        batch.edit(&bed.people, 0, |person| {
            person.id = 11;
            panic!("in the middle of a fix");
        })
    }));
    assert!(fixed.is_err());
    let _ = batch.commit();
    bed.store.verify().unwrap();
}

/// The same danger; here the extractor is at fault, and the error reports it.
#[test]
fn a_panic_of_the_key_extractor_in_a_fix_leaves_a_harmless_operation() {
    let bed = Bed::new();
    let mut batch = bed.store.batch();
    batch.insert(&bed.people, bed.person(10, 0)).unwrap();
    bed.hooks.panic_at(Call::Key, 1);
    let refusal = batch.edit(&bed.people, 0, |person| person.id = 11).unwrap_err();
    assert!(is_of(Call::Key, refusal.cause()));
    let _ = batch.commit();
    bed.store.verify().unwrap();
}

/// Danger: the commit is complete, but treats itself as aborted, and the store refuses all later writes.
#[test]
fn a_panic_around_a_write_does_not_damage_the_store() {
    struct Finally<'a>(&'a Bed);
    impl Drop for Finally<'_> {
        fn drop(&mut self) {
            self.0.people.store(self.0.person(10, 1)).unwrap();
        }
    }
    let bed = Bed::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _finally = Finally(&bed);
        panic!("a panic in the user's code, outside the store");
    }));
    assert!(unwound.is_err());
    assert_eq!(bed.people.get(10).unwrap().score, 1);
    bed.is_well();
}
