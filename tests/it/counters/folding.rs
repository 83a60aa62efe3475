//! Many edits of one record in a batch: one clone, one version; operations at fault are still found.

use super::{a_page, page, pages};
use memdex::error::{Cause, FieldError};
use memdex::hook::{ChangeKind, FeedEvent};
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::write::Outcome;
use memdex::{FieldDef, Record, Schema, Store, field};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Debug)]
struct CountsClones(Arc<AtomicUsize>);

impl Clone for CountsClones {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, SeqCst);
        CountsClones(self.0.clone())
    }
}

#[derive(Clone, Debug, Record)]
struct Counter {
    #[record(key)]
    id: u32,
    #[record(ordered)]
    n: u32,
    #[record(unique)]
    place: Option<u32>,
    clones: CountsClones,
}

#[test]
fn a_thousand_increments_make_one_clone_and_one_version() {
    let store = Store::new();
    let counters = store.collection::<Counter>("Counter").unwrap();
    let clones = Arc::new(AtomicUsize::new(0));
    counters.insert(Counter { id: 1, n: 0, place: None, clones: CountsClones(clones.clone()) }).unwrap();
    let (_, mut feed) = store.subscribe().collection("Counter").start().unwrap();
    let mut batch = store.batch();
    for _ in 0..1_000 {
        batch.increment(&counters, 1, counter::N, 1).unwrap();
    }
    let receipt = batch.commit().unwrap();
    assert_eq!((receipt.counts.updated, clones.load(SeqCst)), (1_000, 1));
    let Some(FeedEvent::Commit(commit)) = feed.try_next() else { panic!("no event") };
    let changes = commit.changes::<Counter>("Counter");
    assert_eq!((changes.len(), changes[0].kind()), (1, ChangeKind::Updated));
    assert_eq!(changes[0].after.as_ref().unwrap().n, 1_000);
    assert_eq!(counters.find(counter::N.eq(1_000)).count(), Ok(1));

    // A closure in between sees the increments before it, and those after it its result.
    clones.store(0, SeqCst);
    let mut batch = store.batch();
    for _ in 0..10 {
        batch.increment(&counters, 1, counter::N, 1).unwrap();
        batch.increment(&counters, 1, counter::N, 1).unwrap();
        batch.update(&counters, 1, |counter| counter.n *= 2).unwrap();
        batch.increment(&counters, 1, counter::N, -1).unwrap();
    }
    batch.commit().unwrap();
    let expected = (0..10).fold(1_000, |n, _| (n + 2) * 2 - 1);
    assert_eq!((counters.get(1).unwrap().n, clones.load(SeqCst)), (expected, 21));
    store.verify().unwrap();
}

#[test]
fn a_batch_is_refused_by_the_first_edit_at_fault() {
    let (store, pages) = pages();
    let mut batch = store.batch();
    for _ in 0..10 {
        batch.increment(&pages, 1, page::VIEW_COUNT, 1).unwrap();
        batch.increment(&pages, 1, page::SMALL, 30).unwrap();
    }
    let refused = batch.commit().unwrap_err();
    assert_eq!(refused.refusal().position(), Some(9));
    assert!(matches!(refused.cause(), Cause::Field { error: FieldError::Overflow { .. }, .. }));
    assert_eq!((&*pages.get(1).unwrap(), refused.refusal().operation()), (&a_page(1), "increment"));

    let report = refused.into_batch().commit_lenient().unwrap();
    let refused: Vec<_> = report.refused.iter().map(|refused| refused.refusal.position().unwrap()).collect();
    assert_eq!(refused, [9, 11, 13, 15, 17, 19]);
    assert_eq!((report.receipt.counts.updated, report.outcome(19)), (14, Some(Outcome::Refused)));
    let page = pages.get(1).unwrap();
    assert_eq!((page.view_count, page.small), (10, 120));
    store.verify().unwrap();
}

#[test]
fn the_edit_that_takes_a_unique_value_is_at_fault() {
    let store = Store::new();
    let counters = store.collection::<Counter>("Counter").unwrap();
    let clones = CountsClones(Arc::default());
    for (id, place) in [(1, 0), (2, 3)] {
        counters.insert(Counter { id, n: 0, place: Some(place), clones: clones.clone() }).unwrap();
    }
    let batch = || {
        let mut batch = store.batch();
        for _ in 0..3 {
            batch.increment(&counters, 1, counter::PLACE, 1).unwrap();
            batch.increment(&counters, 1, counter::N, 1).unwrap();
        }
        batch.increment(&counters, 1, counter::N, 1).unwrap();
        batch
    };
    let refused = batch().commit().unwrap_err();
    assert_eq!(refused.refusal().position(), Some(4), "{refused}");
    assert!(matches!(refused.cause(), Cause::NotUnique { .. }));

    let report = batch().commit_lenient().unwrap();
    assert_eq!(report.refused.len(), 1);
    assert_eq!(report.refused[0].refusal.position(), Some(4));
    let counter = counters.get(1).unwrap();
    assert_eq!((counter.place, counter.n, report.receipt.counts.updated), (Some(2), 4, 6));
    store.verify().unwrap();
}

#[test]
fn folded_edits_before_a_closure_are_found_too() {
    let store = Store::new();
    let counters = store.collection::<Counter>("Counter").unwrap();
    let clones = CountsClones(Arc::default());
    for (id, place) in [(1, 0), (2, 3)] {
        counters.insert(Counter { id, n: 0, place: Some(place), clones: clones.clone() }).unwrap();
    }
    let batch = || {
        let mut batch = store.batch();
        batch.increment(&counters, 1, counter::PLACE, 1).unwrap();
        batch.increment(&counters, 1, counter::PLACE, 2).unwrap();
        batch.increment(&counters, 1, counter::N, 5).unwrap();
        batch.update(&counters, 1, |counter| counter.n *= 2).unwrap();
        batch
    };
    assert_eq!(batch().commit().unwrap_err().refusal().position(), Some(1));
    let report = batch().commit_lenient().unwrap();
    assert_eq!((report.refused.len(), report.outcome(1)), (1, Some(Outcome::Refused)));
    let counter = counters.get(1).unwrap();
    assert_eq!((counter.place, counter.n), (Some(1), 10));
    store.verify().unwrap();
}

/// The key that the record leaves is without a record before and after the batch.
#[test]
fn folded_edits_of_a_record_that_leaves_its_key_are_found_too() {
    let store = Store::new();
    let counters = store.collection::<Counter>("Counter").unwrap();
    let clones = CountsClones(Arc::default());
    let new = |id| Counter { id, n: 0, place: Some(5), clones: clones.clone() };
    let mut batch = store.batch();
    batch.insert(&counters, new(3)).unwrap();
    batch.insert(&counters, new(1)).unwrap();
    batch.increment(&counters, 3, counter::N, 1).unwrap();
    batch.increment(&counters, 3, counter::N, 1).unwrap();
    batch.rekey(&counters, 3, 4, |counter| counter.id = 4).unwrap();
    let report = batch.commit_lenient().unwrap();
    let outcomes: Vec<_> = report.outcomes.iter().map(|(_, outcome)| *outcome).collect();
    use Outcome::{Created, Refused, Updated};
    assert_eq!(outcomes, [Created, Refused, Updated, Updated, Refused]);
    assert_eq!((counters.len(), counters.get(3).unwrap().n), (1, 2));
    store.verify().unwrap();
}

/// A record by hand, with setters that misbehave.
#[derive(Clone, Debug, PartialEq)]
struct Odd {
    id: u32,
    n: i64,
    /// How it misbehaves at ten.
    at_ten: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Panics,
    ChangesTheKey,
    Refuses,
}

impl Record for Odd {
    type Key = u32;

    fn schema() -> Schema {
        Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<i64>("n").index()])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        if field == 0 { self.id.into() } else { self.n.into() }
    }

    fn set_value(&mut self, _: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
        let n = value.as_i64().ok_or(FieldError::NoSetter)?;
        if n % 10 == 0 {
            match self.at_ten {
                Fault::Refuses => {
                    (self.id, self.n) = (9, -77);
                    return Err(FieldError::NoSetter);
                }
                Fault::ChangesTheKey => self.id += 1,
                Fault::Panics => {
                    self.n = -77;
                    panic!("ten");
                }
            }
        }
        self.n = n;
        Ok(())
    }
}

#[test]
fn setters_that_misbehave_spoil_only_their_own_operation() {
    for (fault, refused_at) in [(Fault::Panics, 12), (Fault::ChangesTheKey, 12), (Fault::Refuses, 12)] {
        let store = Store::new();
        let records = store.collection::<Odd>("Odd").unwrap();
        let odd = |n| Odd { id: 1, n, at_ten: fault };
        records.insert(odd(1)).unwrap();
        let batch = || {
            let mut batch = store.batch();
            for by in [1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, 4, 5] {
                batch.increment(&records, 1, field("n"), by).unwrap();
            }
            batch
        };
        let at_nine = batch();
        // 1 + 8 is 9, the next is 10: refused and left out; 9 - 3 is 6, 6 + 4 is 10 again, 6 + 5 is 11.
        let refused = at_nine.commit().unwrap_err();
        assert_eq!(refused.refusal().position(), Some(8), "{fault:?}");
        let is_cause = match fault {
            Fault::Panics => matches!(refused.cause(), Cause::Panicked { .. }),
            Fault::ChangesTheKey => matches!(refused.cause(), Cause::KeyChanged { .. }),
            Fault::Refuses => matches!(refused.cause(), Cause::Field { error: FieldError::NoSetter, .. }),
        };
        assert!(is_cause, "{:?}", refused.cause());
        assert_eq!(*records.get(1).unwrap(), odd(1));
        let report = batch().commit_lenient().unwrap();
        let positions: Vec<_> = report.refused.iter().map(|refused| refused.refusal.position().unwrap()).collect();
        assert_eq!((&positions[..], *records.get(1).unwrap() == odd(11)), (&[8, refused_at][..], true), "{fault:?}");
        assert_eq!(report.receipt.counts.updated, 12);
        store.verify().unwrap();
    }
}

/// A record without setters.
#[derive(Clone)]
struct Plain(u32);

impl Record for Plain {
    type Key = u32;

    fn schema() -> Schema {
        Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<u32>("n"), FieldDef::of::<Vec<u32>>("list")])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.0.into());
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        self.0.into()
    }
}

#[test]
fn records_by_hand_have_no_setters_by_default() {
    let store = Store::new();
    let records = store.collection::<Plain>("Plain").unwrap();
    records.insert(Plain(1)).unwrap();
    for refused in [records.increment(1, field("n"), 1), records.append_bounded(1, field("list"), 1, 2)] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused.cause(), Cause::Field { error: FieldError::NoSetter, .. }), "{refused}");
        assert!(refused.to_string().contains("implement Record::set_value"), "{refused}");
    }
    store.verify().unwrap();
}
