//! Calls of the store from inside user code that it has called: writes are refused at once and reads work, while
//! another thread writes. A snapshot that is dropped there leaves what it retained to others.

use super::observers::Witness;
use super::{Bed, Call, watched};
use memdex::error::{Cause, IndexError};
use memdex::hook::{CommitHook, CommitInfo};
use memdex::stats::VerifyError;
use memdex::write::{Refused, WriterError};
use memdex::{Collection, IndexDef, Store, field};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The places where user code runs inside a call of the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    UpdateClosure,
    Clone,
    KeyExtractor,
    FieldExtractor,
    /// On a record that a query reads.
    FieldExtractorOfAScan,
    /// On a record that a write by predicate reads, under the commit lock.
    FieldExtractorOfACondition,
    /// On a record that the build of an index reads, without a lock.
    FieldExtractorOfABuild,
    GetWith,
    Invalidate,
    Committed,
    /// Of a record that a commit displaces.
    Drop,
    /// Of a record that a snapshot has retained, by upkeep after its end.
    DropByUpkeep,
}

const PLACES: [Place; 12] = [
    Place::UpdateClosure,
    Place::Clone,
    Place::KeyExtractor,
    Place::FieldExtractor,
    Place::FieldExtractorOfAScan,
    Place::FieldExtractorOfACondition,
    Place::FieldExtractorOfABuild,
    Place::GetWith,
    Place::Invalidate,
    Place::Committed,
    Place::Drop,
    Place::DropByUpkeep,
];

/// Runs `act` once inside user code. The key is 1.
fn at(place: Place, bed: &Bed, act: impl FnOnce() + Send + 'static) {
    let call = match place {
        Place::GetWith => return bed.people.get_with(1, |_| act()).unwrap(),
        Place::UpdateClosure => Call::Closure,
        Place::Clone => Call::Clone,
        Place::KeyExtractor => Call::Key,
        Place::FieldExtractor
        | Place::FieldExtractorOfAScan
        | Place::FieldExtractorOfACondition
        | Place::FieldExtractorOfABuild => Call::Field,
        Place::Invalidate => Call::Invalidate,
        Place::Committed => Call::Committed,
        Place::Drop | Place::DropByUpkeep => Call::Drop,
    };
    let held = (place == Place::DropByUpkeep).then(|| {
        let held = bed.store.snapshot();
        bed.people.update(1, |person| person.score += 1).unwrap();
        held
    });
    bed.hooks.set(call, 1, act);
    match place {
        Place::FieldExtractorOfAScan => drop(bed.people.find(field("score").eq(-1)).fetch().unwrap()),
        Place::FieldExtractorOfACondition => drop(bed.people.delete_where(field("score").eq(-1)).unwrap()),
        Place::FieldExtractorOfABuild => {
            bed.people.add_index(IndexDef::ordered("score")).unwrap();
            bed.people.drop_index("score").unwrap();
        }
        Place::DropByUpkeep => {
            drop(held);
            bed.store.optimize().unwrap();
        }
        _ => {
            let hooks = bed.hooks.clone();
            let closure = move |person: &mut super::Unruly| {
                hooks.called(Call::Closure);
                person.score += 1;
            };
            bed.people.update(1, closure).unwrap();
        }
    }
}

/// Registers an observer only for the places that need one, because observers retain displaced records; see
/// `observers.rs`.
fn observe(place: Place, bed: &Bed) {
    if matches!(place, Place::Invalidate | Place::Committed) {
        Witness::of(bed);
    }
}

/// For each place: creates a store and an observer, and runs `act` there, under a watchdog.
fn in_every_place(act: impl Fn(Place, &Store, &Collection<super::Unruly>) + Copy + Send + 'static, busy: bool) {
    for place in PLACES {
        watched(&format!("{place:?}"), move || {
            let bed = Arc::new(Bed::new());
            observe(place, &bed);
            let stop = Arc::new(AtomicBool::new(false));
            let writer = busy.then(|| {
                let (bed, stop) = (bed.clone(), stop.clone());
                std::thread::spawn(move || {
                    while !stop.load(SeqCst) {
                        bed.store
                            .commit(|batch| (1..=4).try_for_each(|id| batch.update(&bed.people, id, |p| p.score += 1)))
                            .unwrap();
                    }
                })
            });
            for _ in 0..if busy { 20 } else { 1 } {
                let (done, is_done) = channel();
                let (store, people) = (bed.store.clone(), bed.people.clone());
                at(place, &bed, move || {
                    act(place, &store, &people);
                    done.send(()).unwrap();
                });
                // Another thread may have done it.
                is_done.recv_timeout(Duration::from_secs(50)).unwrap_or_else(|error| panic!("{place:?}: {error}"));
            }
            stop.store(true, SeqCst);
            writer.into_iter().for_each(|writer| writer.join().unwrap());
            bed.is_well();
            let stats = bed.stats();
            assert_eq!((stats.hook_panics, stats.drop_panics), (0, 0));
        });
    }
}

#[test]
fn writes_are_refused_at_once() {
    in_every_place(
        |place, store, people| {
            let refused = |result: Result<memdex::write::Receipt, Refused>| {
                let refused = result.expect_err("a write from inside user code");
                assert!(matches!(refused.cause(), Cause::InsideUserCode), "{place:?}: {refused}");
            };
            refused(people.delete(2));
            refused(people.update(1, |person| person.score = 0));
            refused(store.commit(|batch| batch.delete(people, 3)));
            let mut writer = store.writer().bulk_size(1);
            let error = writer.delete(people, 4).unwrap_err();
            assert!(
                matches!(&error, WriterError::NotFlushed(r) if matches!(r.cause(), Cause::InsideUserCode)),
                "{error}"
            );
            assert_eq!(writer.take().len(), 1);
            assert_eq!(people.len(), 4);
        },
        false,
    );
}

#[test]
fn indexes_and_upkeep_are_refused_at_once() {
    in_every_place(
        |place, store, people| {
            let refused = |result: Result<(), IndexError>| match result {
                Err(IndexError::Refused { cause, .. }) if matches!(*cause, Cause::InsideUserCode) => {}
                other => panic!("{place:?}: {other:?}"),
            };
            refused(people.add_index(IndexDef::equality("score").named("another")));
            refused(people.add_index(IndexDef::unique("nothing")));
            refused(people.drop_index("team"));
            refused(people.drop_index("nothing"));
            let refusal = store.optimize().expect_err("upkeep from inside user code");
            assert!(matches!(refusal.cause(), Cause::InsideUserCode), "{place:?}: {refusal}");
            assert_eq!(people.indexes().len(), 1);
        },
        false,
    );
}

#[test]
fn reads_work_while_another_thread_writes() {
    in_every_place(
        |_, store, people| {
            for id in 1..=4 {
                assert_eq!(people.get(id).unwrap().id, id);
                let nested = people.get_with(id, |outer| people.get_with(1, |inner| (outer.id, inner.id)).unwrap());
                assert_eq!(nested, Some((id, 1)));
            }
            assert!(people.get(10).is_none() && !people.contains(11));
            assert_eq!(people.get_many(1..=5).iter().flatten().count(), 4);
            assert_eq!(people.find(field("team").eq("red")).count(), Ok(2));
            assert_eq!(people.find(field("score").ne(-1)).fetch().unwrap().len(), 4);
            assert_eq!((people.len(), people.iter().count()), (4, 4));
            let now = store.snapshot();
            let sum = || now.of(people).iter().map(|person| person.score).sum::<i64>();
            assert_eq!((sum(), now.of(people).len()), (sum(), 4));
            drop(now);
            assert_eq!(store.verify(), Err(VerifyError::InsideUserCode));
            assert_eq!(store.collection::<super::Unruly>("people").unwrap().len(), 4);
            assert_eq!(store.stats().collections[0].records, 4);
        },
        true,
    );
}

/// Danger: if `get_with` held a guard of the key's shard, the writer would wait for it, and this thread for the writer.
#[test]
fn stats_can_be_read_inside_get_with() {
    watched("stats in get_with", || {
        let bed = Arc::new(Bed::new());
        let of_writer = bed.clone();
        let in_closure = bed.clone();
        bed.people.get_with(1, move |person| {
            let writer = std::thread::spawn(move || of_writer.people.delete(1).unwrap());
            writer.join().unwrap();
            assert_eq!(in_closure.stats().collections[0].records, 3);
            assert_eq!(person.id, 1);
        });
        bed.is_well();
    });
}

#[test]
fn a_snapshot_dropped_inside_leaves_reclamation_to_others() {
    for place in PLACES {
        watched(&format!("{place:?}"), move || {
            let bed = Bed::new();
            observe(place, &bed);
            let held = bed.store.snapshot();
            // The snapshot does not see the newest version of key 1, so the next commit drops it at once.
            bed.people.update(1, |person| person.score = 1).unwrap();
            bed.people.update(2, |person| person.score = 1).unwrap();
            bed.people.delete(3).unwrap();
            assert_eq!(bed.stats().collections[0].versions_retained, 3);
            let store = bed.store.clone();
            at(place, &bed, move || {
                drop(held);
                use Place::{FieldExtractorOfABuild, FieldExtractorOfACondition, FieldExtractorOfAScan};
                let pins_itself =
                    matches!(place, FieldExtractorOfAScan | FieldExtractorOfACondition | FieldExtractorOfABuild);
                assert_eq!(store.stats().oldest_pin.is_some(), pins_itself);
            });
            bed.store.optimize().unwrap();
            let stats = bed.stats();
            assert_eq!((stats.oldest_pin, stats.collections[0].versions_retained), (None, 0), "{place:?}");
            assert_eq!((stats.collections[0].marks, stats.drop_panics), (0, 0), "{place:?}");
            bed.is_well();
        });
    }
}

/// Danger: for a record that a commit in flight has changed, `get_with` shows the previous version on another path.
#[test]
fn a_write_inside_get_with_of_a_record_in_flight_is_refused() {
    struct Asks {
        ask: Mutex<Sender<()>>,
        answered: Mutex<Receiver<()>>,
    }
    impl CommitHook for Asks {
        fn invalidate(&self, _: &CommitInfo) {
            self.ask.lock().unwrap().send(()).unwrap();
            // Bounded, so that a write that waits for this commit fails below instead of waiting for ever.
            let _ = self.answered.lock().unwrap().recv_timeout(Duration::from_secs(10));
        }
    }
    watched("get_with in flight", || {
        let bed = Arc::new(Bed::new());
        let ((ask, requested), (answer, answered)) = (channel(), channel());
        let of_reader = bed.clone();
        let reader = std::thread::spawn(move || {
            requested.recv().unwrap();
            let people = &of_reader.people;
            let (score, written) = people.get_with(1, |person| (person.score, people.delete(2))).unwrap();
            let _ = answer.send(());
            (score, written)
        });
        bed.store.add_hook(Arc::new(Asks { ask: Mutex::new(ask), answered: Mutex::new(answered) })).unwrap();
        bed.people.update(1, |person| person.score = 1).unwrap();
        let (score, written) = reader.join().unwrap();
        let refused = written.expect_err("a write from inside get_with");
        assert!(score == 0 && matches!(refused.cause(), Cause::InsideUserCode), "{refused}");
    });
}
