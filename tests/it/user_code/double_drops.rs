//! Values of the user whose `Drop` panics, several at once or while another panic unwinds: the process would abort if the
//! store let two of these panics meet.

use memdex::error::{Cause, Refusal};
use memdex::hook::{CommitHook, ProposedCommit};
use memdex::typing::{IntoKey, KeySink};
use memdex::write::{Pending, WriterError};
use memdex::{Collection, Record, Store, field};
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, Record)]
struct Bomb {
    #[record(key)]
    id: u32,
    armed: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed, "the record's drop");
    }
}

fn armed(id: u32) -> Bomb {
    Bomb { id, armed: true }
}

/// What a closure does to capture a value.
fn hold(_: &Charge) {}

/// An error, a key, a hook, or what a closure captures.
#[derive(Debug)]
struct Charge(u32);

impl Drop for Charge {
    fn drop(&mut self) {
        panic!("the charge's drop");
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused with a charge")
    }
}

impl Error for Charge {}

impl IntoKey<u32> for Charge {
    fn write_key<S: KeySink>(&self, key: &mut S) {
        IntoKey::<u32>::write_key(&self.0, key);
    }
}

struct Refuses(#[expect(dead_code)] Charge);

impl CommitHook for Refuses {
    fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        if commit.changes::<Bomb>("bombs").iter().any(|change| change.after().is_some_and(|bomb| bomb.id == 13)) {
            return Err(Box::new(Charge(13)));
        }
        Ok(())
    }
}

/// A store with the records 1 to 3, which do not panic.
struct Depot {
    store: Store,
    bombs: Collection<Bomb>,
}

impl Depot {
    fn new() -> Self {
        let store = Store::new();
        let bombs = store.collection("bombs").unwrap();
        let depot = Depot { store, bombs };
        let insert = |id| depot.bombs.insert(Bomb { id, armed: false }).unwrap().counts.inserted;
        assert_eq!((1..=3).map(insert).sum::<usize>(), 3);
        depot
    }

    /// Checks how many panics were counted, and that the store goes on.
    #[track_caller]
    fn is_well(&self, panics: u64) {
        assert_eq!(self.store.stats().drop_panics, panics);
        self.bombs.store(Bomb { id: 99, armed: false }).unwrap();
        self.bombs.delete(99).unwrap();
        self.store.verify().unwrap();
        assert_eq!(self.store.stats().poisoned, None);
    }
}

/// Drops a value of the user's whose `Drop` panics. Several panics in there must not meet.
#[track_caller]
fn panics_once<T>(value: T) {
    assert!(catch_unwind(AssertUnwindSafe(|| drop(value))).is_err(), "the user's own drop reaches the user");
}

fn a_batch_reads_what_it_has_superseded() {
    let depot = Depot::new();
    let mut batch = depot.store.batch();
    batch.update(&depot.bombs, 1, |bomb| bomb.armed = true).unwrap();
    batch.update(&depot.bombs, 1, |_| ()).unwrap();
    batch.update(&depot.bombs, 1, |_| Err::<(), _>(Charge(1))).unwrap();
    let refusal = batch.get(&depot.bombs, 1).unwrap_err();
    assert_eq!(refusal.position(), Some(2));
    panics_once(refusal);
    depot.is_well(3);

    batch.remove(2).unwrap();
    let Some(Pending::Computed(last)) = batch.get(&depot.bombs, Charge(1)).unwrap() else { panic!("not computed") };
    assert!(last.armed);
    std::mem::forget(last);
    depot.is_well(5);
    batch.commit().unwrap();
    depot.is_well(6);
}

fn a_closure_fails_with_the_clone_in_its_hands() {
    let depot = Depot::new();
    let refused = depot.bombs.update(1, |bomb| {
        bomb.armed = true;
        Err::<(), _>(Charge(1))
    });
    let refused = refused.unwrap_err();
    assert!(matches!(refused.cause(), Cause::Closure(_)), "{refused}");
    panics_once(refused);
    let refused = depot.bombs.update(1, |bomb| {
        bomb.armed = true;
        panic!("the closure")
    });
    let refused = refused.unwrap_err();
    assert!(matches!(refused.cause(), Cause::Panicked { message, .. } if message == "the closure"), "{refused}");
    depot.is_well(2);
}

fn a_batch_is_dropped() {
    let depot = Depot::new();
    let captured = Charge(0);
    let mut batch = depot.store.batch();
    batch.store(&depot.bombs, armed(1)).unwrap();
    batch.upsert(&depot.bombs, armed(2), move |_| hold(&captured)).unwrap();
    drop(batch);
    depot.is_well(3);
    let fill = |batch: &mut memdex::Batch| (4..8).for_each(|id| batch.store(&depot.bombs, armed(id)).unwrap());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        depot.store.commit(|batch| {
            fill(batch);
            panic!("while the batch is filled")
        })
    }));
    assert!(unwound.is_err());
    depot.is_well(7);
    let mut writer = depot.store.writer();
    let group = writer.group(|batch| {
        fill(batch);
        Err(Refusal::because("not now"))
    });
    assert!(matches!(group, Err(WriterError::NotTaken(_))) && writer.is_empty());
    depot.is_well(11);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _ = writer.group(|batch| {
            fill(batch);
            panic!("in a group")
        });
    }));
    assert!(unwound.is_err() && writer.is_empty());
    depot.is_well(15);
}

fn both_values_of_an_upsert() {
    let depot = Depot::new();
    let captured = Charge(0);
    let receipt = depot.bombs.upsert(armed(1), move |_| hold(&captured)).unwrap();
    assert_eq!(receipt.counts.updated, 1);
    depot.is_well(2);
}

fn operations_are_not_added() {
    let (depot, other) = (Depot::new(), Depot::new());
    let mut batch = depot.store.batch();
    let refusal = batch.insert(&other.bombs, armed(9)).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::OtherStore));
    let captured = Charge(0);
    batch.upsert(&other.bombs, armed(9), move |_| hold(&captured)).unwrap_err();
    let captured = Charge(0);
    batch.update_where(&depot.bombs, field("height").eq(1), move |_| hold(&captured)).unwrap_err();
    other.is_well(3);
    depot.is_well(1);

    batch.insert(&depot.bombs, armed(9)).unwrap();
    let taken = batch.remove(0).unwrap();
    other.store.batch().put_back(taken).unwrap_err();
    depot.is_well(2);
    batch.insert(&depot.bombs, armed(9)).unwrap();
    assert!(batch.remove(1).unwrap().into_record::<memdex::KeyValue<u8>>().is_none());
    depot.is_well(3);
}

fn keys_are_dropped() {
    let depot = Depot::new();
    assert_eq!(depot.bombs.update(Charge(1), |_| ()).unwrap().counts.updated, 1);
    assert_eq!(depot.bombs.delete(Charge(1)).unwrap().counts.deleted, 1);
    let refused = depot.bombs.update(Charge(7), |_| Err::<(), _>(Charge(7))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::KeyMissing), "{refused}");
    depot.is_well(3);
}

fn a_lenient_commit_refuses_with_charges() {
    let depot = Depot::new();
    let fill = |batch: &mut memdex::Batch| {
        for id in 1..=3 {
            batch.update(&depot.bombs, id, |_| Err::<(), _>(Charge(1))).unwrap();
            batch.insert(&depot.bombs, armed(id)).unwrap();
        }
        batch.insert(&depot.bombs, Bomb { id: 13, armed: false }).unwrap();
    };
    let mut batch = depot.store.batch();
    fill(&mut batch);
    let report = batch.commit_lenient().unwrap();
    assert_eq!((report.refused.len(), report.receipt.counts.inserted), (6, 1));
    panics_once(report);
    // The report's records are counted, its errors reach the user.
    depot.is_well(3);

    depot.bombs.delete(13).unwrap();
    depot.store.add_hook(Arc::new(Refuses(Charge(0)))).unwrap();
    let mut batch = depot.store.batch();
    fill(&mut batch);
    let refused = batch.commit_lenient().unwrap_err();
    assert!(matches!(refused.cause(), Cause::Hook(_)), "{refused}");
    let batch = refused.into_batch();
    assert_eq!(batch.len(), 7);
    depot.is_well(3 + 3 + 1);
    drop(batch);
    depot.is_well(3 + 3 + 1 + 3);
}

fn a_ticket_is_dropped() {
    let depot = Depot::new();
    let background = depot.store.background_writer().start().unwrap();
    let fill = |batch: &mut memdex::Batch| {
        (4..8).try_for_each(|id| batch.insert(&depot.bombs, armed(id)))?;
        batch.update(&depot.bombs, 1, |_| Err::<(), _>(Charge(1)))
    };
    drop(background.submit_with(fill).unwrap());
    let mut kept = background.submit_with(fill).unwrap();
    background.flush().unwrap();
    let error = kept.wait_timeout(Duration::from_secs(60)).expect("an answer").unwrap_err();
    assert_eq!(error.into_batch().unwrap().len(), 5);
    background.submit_with(|batch| batch.delete(&depot.bombs, 2)).unwrap().wait().unwrap();
    drop(background);
    assert_eq!((depot.store.stats().lost_operations, depot.bombs.len()), (5, 2));
    depot.is_well(2 * (4 + 1));
}

fn the_store_is_dropped() {
    let depot = Depot::new();
    depot.store.add_hook(Arc::new(Refuses(Charge(0)))).unwrap();
    depot.store.add_hook(Arc::new(Refuses(Charge(1)))).unwrap();
    depot.store.commit(|batch| (4..8).try_for_each(|id| batch.insert(&depot.bombs, armed(id)))).unwrap();
    let held: Vec<_> = (4..6).map(|id| depot.bombs.get(id).unwrap()).collect();
    let records: Vec<_> = depot.bombs.iter().collect();
    drop(depot);
    panics_once(records);
    panics_once(held);
}

const CHILD: &str = "user_code::double_drops::no_two_panics_meet_child";

#[test]
fn no_two_panics_meet() {
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", CHILD, "--ignored", "--nocapture"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by the test above in a child process, because a failure aborts it"]
fn no_two_panics_meet_child() {
    a_batch_reads_what_it_has_superseded();
    a_closure_fails_with_the_clone_in_its_hands();
    a_batch_is_dropped();
    both_values_of_an_upsert();
    operations_are_not_added();
    keys_are_dropped();
    a_lenient_commit_refuses_with_charges();
    a_ticket_is_dropped();
    the_store_is_dropped();
}
