//! Lenient commits of operations that depend on each other: by a unique value that one releases and another takes, or by a key.

use memdex::error::Cause;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::write::{Outcome, Report};
use memdex::{Batch, Collection, FieldDef, Record, Schema, Store, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Clone, Debug, PartialEq, Record)]
struct Guest {
    #[record(key)]
    id: u32,
    #[record(unique)]
    seat: Option<u32>,
    #[record(unique)]
    coat: Option<u32>,
    #[record(index)]
    visits: u32,
}

fn guest(id: u32, seat: u32) -> Guest {
    Guest { id, seat: Some(seat), coat: None, visits: 0 }
}

/// Guests `ids`, each on the seat of its number.
fn guests(ids: impl IntoIterator<Item = u32>) -> (Store, Collection<Guest>) {
    let store = Store::new();
    let guests = store.collection::<Guest>("Guest").unwrap();
    store.commit(|batch| ids.into_iter().try_for_each(|id| batch.insert(&guests, guest(id, id)))).unwrap();
    (store, guests)
}

fn sits(batch: &mut Batch, guests: &Collection<Guest>, id: u32, seat: u32) {
    batch.update(guests, id, move |guest| guest.seat = Some(seat)).unwrap();
}

fn refused(report: &Report) -> Vec<usize> {
    report.refused.iter().map(|refused| refused.operation.info.position).collect()
}

fn seats(guests: &Collection<Guest>) -> Vec<(u32, Option<u32>)> {
    let mut seats: Vec<_> = guests.iter().map(|guest| (guest.id, guest.seat)).collect();
    seats.sort_unstable();
    seats
}

fn names_the_seat(report: &Report, at: usize, key: u32, other: u32) {
    match report.refused[at].refusal.cause() {
        Cause::NotUnique { index, key: of, other: with, .. } => {
            let keys = [of, with].map(|key| key.parts()[0].clone());
            assert_eq!((&**index, keys), ("seat", [key, other].map(Value::from)), "{:?}", report.refused[at]);
        }
        cause => panic!("{cause}"),
    }
}

/// Each guest moves to the seat of the next; the last one's seat is that of a guest who stays.
#[test]
fn a_chain_to_a_taken_value_is_left_out_and_runs_each_closure_at_most_twice() {
    const GUESTS: u32 = 1_000;
    for backwards in [false, true] {
        let (store, guests) = guests(0..=GUESTS);
        let runs: Arc<Vec<AtomicUsize>> = Arc::new((0..GUESTS).map(|_| AtomicUsize::new(0)).collect());
        let mut batch = store.batch();
        for n in 0..GUESTS {
            let (id, runs) = (if backwards { GUESTS - 1 - n } else { n }, runs.clone());
            let update = move |guest: &mut Guest| {
                runs[id as usize].fetch_add(1, SeqCst);
                guest.seat = Some(id + 1);
            };
            batch.update(&guests, id, update).unwrap();
        }
        // It depends on no other.
        batch.insert(&guests, guest(GUESTS + 7, GUESTS + 7)).unwrap();
        let report = batch.commit_lenient().unwrap();
        assert!(refused(&report).into_iter().eq(0..GUESTS as usize));
        let last = if backwards { 0 } else { GUESTS as usize - 1 };
        names_the_seat(&report, last, GUESTS - 1, GUESTS);
        names_the_seat(&report, GUESTS as usize - 1 - last, 0, 1);
        let most = runs.iter().map(|runs| runs.load(SeqCst)).max();
        assert!(most <= Some(2), "a closure ran {most:?} times");
        assert_eq!((report.receipt.counts.inserted, report.receipt.counts.total()), (1, 1));
        assert_eq!(guests.len(), GUESTS as usize + 2);
        store.verify().unwrap();
    }
}

#[test]
fn swaps_and_rotations_are_kept() {
    let (store, guests) = guests(0..10);
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 1);
    sits(&mut batch, &guests, 1, 0);
    sits(&mut batch, &guests, 2, 3);
    sits(&mut batch, &guests, 3, 4);
    sits(&mut batch, &guests, 4, 2);
    sits(&mut batch, &guests, 5, 6);
    sits(&mut batch, &guests, 6, 7); // 7 stays
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [5, 6]);
    let expected = [1, 0, 3, 4, 2, 5, 6, 7, 8, 9];
    assert!(seats(&guests).into_iter().eq((0..).zip(expected.map(Some))));
    store.verify().unwrap();
}

/// A rotation breaks as a whole if one of its moves is refused.
#[test]
fn a_rotation_breaks_with_one_of_its_moves() {
    let (store, guests) = guests(0..4);
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 1);
    sits(&mut batch, &guests, 1, 2);
    batch.update(&guests, 2, |_| Err("no")).unwrap();
    sits(&mut batch, &guests, 2, 9);
    batch.update(&guests, 3, |guest| if guest.seat == Some(3) { Err("no") } else { Ok(()) }).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!((refused(&report), seats(&guests)[2]), (vec![2, 4], (2, Some(9))));

    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 2);
    sits(&mut batch, &guests, 3, 1);
    batch
        .update(&guests, 1, |guest| {
            guest.seat = Some(3);
            Err("no")
        })
        .unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [0, 1, 2]);
    names_the_seat(&report, 0, 0, 1);
    store.verify().unwrap();
}

/// The first of two that want a value loses it again, since its own place is not left. Then the second gets it.
#[test]
fn a_fork_leaves_the_value_to_the_one_that_can_take_it() {
    let (store, guests) = guests(0..6);
    guests.update(3, |guest| guest.coat = Some(3)).unwrap();
    let mut batch = store.batch();
    // Seat 9 is free, but coat 3 is not given back.
    batch.update(&guests, 0, |guest| (guest.seat, guest.coat) = (Some(9), Some(3))).unwrap();
    sits(&mut batch, &guests, 1, 9);
    sits(&mut batch, &guests, 2, 0);
    batch.update(&guests, 3, |guest| (guest.seat, guest.coat) = (Some(5), None)).unwrap(); // 5 stays
    sits(&mut batch, &guests, 4, 1);
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [0, 2, 3]);
    let expected = [0, 9, 2, 3, 1, 5];
    assert!(seats(&guests).into_iter().eq((0..).zip(expected.map(Some))));
    store.verify().unwrap();
}

#[test]
fn of_two_that_want_a_value_the_earlier_operation_gets_it() {
    let (store, guests) = guests(0..4);
    let mut batch = store.batch();
    batch.update(&guests, 2, |guest| guest.visits += 1).unwrap();
    sits(&mut batch, &guests, 1, 9);
    sits(&mut batch, &guests, 2, 9); // its record comes first in the batch, its claim does not
    let report = batch.commit_lenient().unwrap();
    assert_eq!((refused(&report), guests.get(2).unwrap().visits), (vec![2], 1));
    names_the_seat(&report, 0, 2, 1);
    let mut batch = store.batch();
    batch.update(&guests, 2, |guest| guest.visits += 1).unwrap();
    sits(&mut batch, &guests, 0, 8);
    sits(&mut batch, &guests, 2, 8);
    let refusal = batch.commit().unwrap_err();
    assert_eq!(refusal.refusal().position(), Some(2));
}

#[test]
fn the_value_of_a_record_whose_delete_is_refused_stays_taken() {
    let (store, guests) = guests(0..5);
    let seen = guests.get(2).unwrap().commit();
    guests.update(3, |guest| guest.visits += 1).unwrap();
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 2);
    batch.insert(&guests, guest(10, 3)).unwrap();
    sits(&mut batch, &guests, 1, 0);
    batch.if_unchanged(seen).delete(&guests, 2).unwrap();
    batch.if_unchanged(seen).delete(&guests, 3).unwrap(); // stale
    sits(&mut batch, &guests, 4, 10); // free: the insert of 10 wanted 3
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [1, 4]);
    assert!(matches!(report.refused[1].refusal.cause(), Cause::Stale { .. }));
    assert_eq!(seats(&guests), [(0, Some(2)), (1, Some(0)), (3, Some(3)), (4, Some(10))]);
    store.verify().unwrap();
}

/// Only the operation that gave the record its value is left out; those before and after it on the same key are kept.
#[test]
fn the_operation_that_took_the_value_is_left_out_not_the_last_on_its_key() {
    let (store, guests) = guests(0..4);
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 20);
    sits(&mut batch, &guests, 0, 1); // 1 stays
    batch.update(&guests, 0, |guest| guest.visits += 1).unwrap();
    batch.insert(&guests, guest(0, 30)).unwrap(); // exists
    batch.update(&guests, 2, |guest| guest.seat = Some(3)).unwrap(); // 3 stays
    batch.update(&guests, 2, |guest| guest.visits += 10).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [1, 3, 4]);
    assert_eq!(*guests.get(0).unwrap(), Guest { visits: 1, ..guest(0, 20) });
    assert_eq!(*guests.get(2).unwrap(), Guest { visits: 10, ..guest(2, 2) });
    // In a batch that is refused whole, the refusal names it too.
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 1);
    batch.update(&guests, 0, |guest| guest.visits += 1).unwrap();
    batch.insert(&guests, guest(3, 3)).unwrap();
    assert_eq!(batch.commit().unwrap_err().refusal().position(), Some(0));
    store.verify().unwrap();
}

#[test]
fn what_an_operation_left_out_had_hidden_is_judged_again() {
    let (store, guests) = guests(0..3);
    let mut batch = store.batch();
    batch.insert(&guests, guest(7, 1)).unwrap(); // 1 stays
    batch.insert(&guests, guest(7, 8)).unwrap();
    batch.update(&guests, 7, |guest| guest.visits += 1).unwrap();
    batch.store(&guests, guest(0, 2)).unwrap(); // 2 stays
    batch.delete(&guests, 0).unwrap();
    batch.delete(&guests, 0).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [0]);
    use Outcome::{Created, Deleted, Missing, Refused, Replaced, Updated};
    let outcomes: Vec<Outcome> = report.outcomes.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(outcomes, [Refused, Created, Updated, Replaced, Deleted, Missing], "a deleted record takes no value");
    assert_eq!(seats(&guests), [(1, Some(1)), (2, Some(2)), (7, Some(8))]);
    store.verify().unwrap();
}

/// Many operations on one key that lose a value, after many that are kept.
#[test]
fn many_operations_on_one_key_are_undone_one_by_one() {
    const EACH: usize = 2_000;
    let (store, guests) = guests(0..3);
    let mut batch = store.batch();
    batch.update(&guests, 0, |guest| (guest.seat, guest.coat) = (Some(10), Some(10))).unwrap();
    (1..EACH).for_each(|_| batch.update(&guests, 0, |guest| guest.visits += 1).unwrap());
    (0..EACH as u32).for_each(|n| sits(&mut batch, &guests, 0, 1 + n % 2));
    (0..EACH).for_each(|_| batch.insert(&guests, guest(0, 30)).unwrap());
    let report = batch.commit_lenient().unwrap();
    assert!(refused(&report).into_iter().eq(EACH..3 * EACH));
    assert_eq!(*guests.get(0).unwrap(), Guest { coat: Some(10), visits: EACH as u32 - 1, ..guest(0, 10) });
    store.verify().unwrap();
}

/// A closure that would have to run a third time does not run: its operation is left out too.
#[test]
fn no_closure_runs_a_third_time() {
    let (store, guests) = guests(0..3);
    guests.update(2, |guest| guest.coat = Some(2)).unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 1); // 1 stays
    batch
        .update(&guests, 0, |guest| {
            if guest.seat == Some(0) {
                guest.coat = Some(2); // 2 keeps it
            }
        })
        .unwrap();
    let count = move |guest: &mut Guest| {
        counted.fetch_add(1, SeqCst);
        guest.visits += 1;
    };
    batch.update(&guests, 0, count).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!((refused(&report), runs.load(SeqCst)), (vec![0, 1, 2], 2));
    assert!(matches!(report.refused[2].refusal.cause(), Cause::DependsOnLeftOut), "{}", report.refused[2].refusal);
    assert_eq!(*guests.get(0).unwrap(), guest(0, 0));
    store.verify().unwrap();
}

/// A write by predicate is judged on each record that it selects, also after an operation before it has been left out.
#[test]
fn writes_by_predicate_take_part() {
    let (store, guests) = guests(0..6);
    let mut batch = store.batch();
    sits(&mut batch, &guests, 0, 1); // left out with the next
    batch.update_where(&guests, guest::ID.is_in([1, 2]), |guest| guest.seat = guest.seat.map(|seat| seat + 2)).unwrap();
    batch.update_where(&guests, guest::SEAT.eq(1), |guest| guest.visits += 1).unwrap();
    sits(&mut batch, &guests, 3, 10);
    let report = batch.commit_lenient().unwrap();
    // 2 would sit on 4's seat.
    assert_eq!(refused(&report), [0, 1]);
    assert_eq!((report.outcome(2), guests.get(1).unwrap().visits), (Some(Outcome::UpdatedWhere(1)), 1));
    assert_eq!(guests.get(0).unwrap().visits, 0);
    store.verify().unwrap();
}

#[test]
fn chains_in_several_collections_are_left_out_in_the_order_of_positions() {
    let (store, guests) = guests(0..4);
    let others = store.collection::<Guest>("Other").unwrap();
    store.commit(|batch| (0..4).try_for_each(|id| batch.insert(&others, guest(id, id)))).unwrap();
    let mut batch = store.batch();
    for n in 0..3 {
        sits(&mut batch, &others, n, n + 1);
        sits(&mut batch, &guests, 2 - n, 3 - n);
    }
    batch.delete(&guests, 3).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [0, 2, 4]);
    assert_eq!(seats(&guests), [(0, Some(1)), (1, Some(2)), (2, Some(3))]);
    store.verify().unwrap();
}

/// The work for a chain grows with its length: counted by the calls of the extractor, which is called for each record that is judged.
#[test]
fn a_chain_reads_each_record_a_few_times() {
    #[derive(Clone)]
    struct Counted {
        id: u32,
        seat: u32,
        reads: Arc<AtomicUsize>,
    }

    impl Record for Counted {
        type Key = u32;

        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<u32>("seat").unique()])
        }

        fn key(&self, key: &mut KeyBuffer) {
            key.push(self.id.into());
        }

        fn value(&self, field: usize) -> ValueRef<'_> {
            self.reads.fetch_add(1, SeqCst);
            [self.id, self.seat][field].into()
        }
    }

    const LENGTH: u32 = 500;
    let (store, reads) = (Store::new(), Arc::new(AtomicUsize::new(0)));
    let records = store.collection::<Counted>("Counted").unwrap();
    let all = |batch: &mut Batch| {
        (0..=LENGTH).try_for_each(|id| batch.insert(&records, Counted { id, seat: id, reads: reads.clone() }))
    };
    store.commit(all).unwrap();
    reads.store(0, SeqCst);
    let mut batch = store.batch();
    (0..LENGTH).for_each(|id| batch.update(&records, id, |record| record.seat += 1).unwrap());
    assert_eq!(batch.commit_lenient().unwrap().refused.len(), LENGTH as usize);
    let reads = reads.load(SeqCst);
    assert!(reads <= 5 * LENGTH as usize, "{reads} reads");
}

/// What a batch has counted before the judgement is counted once more: an operation that is refused on the second run has no effect.
#[test]
fn operations_that_are_refused_when_replayed_are_not_counted() {
    let (store, guests) = guests(1..=2);
    let mut batch = store.batch();
    batch.insert(&guests, guest(3, 1)).unwrap();
    batch.update(&guests, 3, |guest| guest.visits += 1).unwrap();
    batch.update(&guests, 2, |guest| guest.visits += 1).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(refused(&report), [0, 1]);
    let counts = report.receipt.counts;
    assert_eq!((counts.inserted, counts.updated, counts.total()), (0, 1, 1));
    assert_eq!((report.outcome(1), report.outcome(2)), (Some(Outcome::Refused), Some(Outcome::Updated)));
}

/// The refused operation would have moved the guest who has the seat, so the insertion before it is not at fault.
#[test]
fn a_strict_commit_names_the_write_by_filter_that_would_have_prevented_the_clash() {
    let (store, guests) = guests(1..=2);
    let moves = |fails: bool| {
        let committed = store.commit(|batch| {
            batch.insert(&guests, guest(10, 1))?;
            batch.update_where(&guests, guest::ID.eq(1), move |guest| {
                guest.seat = Some(50);
                if fails { Err("no") } else { Ok(()) }
            })
        });
        committed.map_err(|refused| refused.refusal().position())
    };
    assert_eq!(moves(true).unwrap_err(), Some(1));
    assert_eq!(moves(false).unwrap().counts.total(), 2);
    assert_eq!(seats(&guests), [(1, Some(50)), (2, Some(2)), (10, Some(1))]);
}
