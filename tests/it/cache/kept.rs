//! What cached answers keep, take in and let go.

use super::{Task, figures, stored, task, task_of};
use memdex::clock::ManualClock;
use memdex::query::cache::CacheSettings;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Collection, FieldDef, Filter, GroupBy, Kind, Record, Schema, Store, field};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers that commits repair, and those that they drop.
#[test]
fn answers_of_every_form_miss_what_is_deleted() {
    let store = Store::new();
    let tasks = stored(&store, (0..10).map(|id| task_of(id, "ada", id.into())));
    let of_ada = || tasks.cached().find(task::USER.eq("ada"));
    for deleted in 0..5 {
        let left = 10 - deleted as usize;
        for _ in 0..2 {
            let page = of_ada().order_by(task::POINTS.asc()).limit(3).with_total().fetch().unwrap();
            assert_eq!((page[0].id, page.total), (deleted, Some(left)));
            let around = of_ada().order_by(task::POINTS.asc()).limit(20).around(7).fetch().unwrap();
            assert_eq!((around.len(), around[0].id), (left, deleted));
            let median = of_ada().statistics(task::POINTS.percentile(50.0)).unwrap();
            assert_eq!(median.float("percentile(points, 50)"), Some((f64::from(deleted) + 9.0) / 2.0));
            assert_eq!((*of_ada().count().unwrap(), of_ada().fetch().unwrap().len()), (left, left));
        }
        tasks.delete(deleted).unwrap();
    }
    store.verify().unwrap();
}

#[test]
fn a_repaired_page_has_the_cursors_of_a_fresh_one() {
    let store = Store::new();
    let tasks = stored(&store, (0..20).map(|id| task_of(id, "ada", id.into())));
    let first = tasks.find(task::USER.eq("ada")).order_by(task::POINTS.asc()).limit(4).fetch().unwrap();
    let cursor = first.next.clone().unwrap();
    for deleted in [1, 6, 5] {
        let cached = || tasks.cached().find(task::USER.eq("ada")).order_by(task::POINTS.asc()).limit(4);
        let fresh = || tasks.find(task::USER.eq("ada")).order_by(task::POINTS.asc()).limit(4);
        assert!(cached().offset(3).fetch().unwrap().prev.is_some());
        assert!(cached().after(cursor.clone()).fetch().unwrap().prev.is_some());
        tasks.delete(deleted).unwrap();
        let pages = [
            (cached().offset(3).fetch().unwrap(), fresh().offset(3).fetch().unwrap()),
            (cached().after(cursor.clone()).fetch().unwrap(), fresh().after(cursor.clone()).fetch().unwrap()),
        ];
        for (kept, fresh) in pages {
            assert!(kept.is_cached());
            assert!(kept.prev == fresh.prev && kept.next == fresh.next, "after {deleted} was deleted");
            assert!(kept.iter().map(|task| task.id).eq(fresh.iter().map(|task| task.id)));
        }
    }
}

#[test]
fn a_set_lets_expired_records_go_and_keeps_the_others() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let tasks = store.collection::<Task>("Task").unwrap();
    for id in 1..=3 {
        tasks.with_lifetime(Duration::from_secs(id * 10)).store(task_of(id as u32, "ada", 1)).unwrap();
    }
    let all = tasks.cached().find(task::USER.eq("ada"));
    assert!(!all.fetch().unwrap().is_cached());
    for left in [2, 1, 0] {
        clock.advance(Duration::from_secs(10));
        let answer = all.fetch().unwrap();
        assert_eq!((answer.len(), answer.is_cached()), (left, true));
    }
}

#[test]
fn an_answer_that_grows_a_thousandfold_is_dropped() {
    let store = Store::new();
    let tasks = stored(&store, [task_of(1, "ada", 1)]);
    let of_ada = tasks.cached().find(task::USER.eq("ada"));
    assert_eq!(of_ada.fetch().unwrap().len(), 1);
    store.commit(|batch| (0..5_000).try_for_each(|id| batch.store(&tasks, task_of(id, "ada", 0)))).unwrap();
    let answer = of_ada.fetch().unwrap();
    assert_eq!((answer.len(), answer.is_cached()), (5_000, false));
    assert!(of_ada.fetch().unwrap().is_cached());
}

#[test]
fn an_empty_collection_is_audited_with_its_answers() {
    let store = Store::new();
    let tasks = store.collection::<Task>("Task").unwrap();
    assert_eq!(*tasks.cached().find(task::USER.eq("ada")).count().unwrap(), 0);
    assert_eq!(store.verify().unwrap().cached_answers, 1);
}

/// Of a sample of the dropped answers it is known whether the drop was necessary.
#[test]
fn a_drop_is_false_only_if_the_answer_stays_the_same() {
    for (changes, false_drops) in [(true, 0), (false, 1)] {
        let store = Store::new();
        let tasks = stored(&store, (0..10).map(|id| task_of(id, "ada", id.into())));
        let around = || tasks.cached().find(task::USER.eq("ada")).order_by(task::POINTS.asc()).limit(3).around(5);
        assert!(!around().fetch().unwrap().is_cached());
        // The page has the records 4 to 6.
        if changes {
            tasks.delete(4).unwrap()
        } else {
            tasks.delete(0).unwrap()
        };
        assert!(!around().fetch().unwrap().is_cached());
        let of = &store.stats().cache.classes[0];
        assert_eq!((of.drops, of.sampled_drops, of.false_drops), (1, 1, false_drops));
    }
}

#[test]
fn a_prepared_query_is_observed_each_time() {
    let store = Store::new();
    let tasks = stored(&store, [task_of(1, "ada", 1)]);
    let prepared = tasks.cached().find(task::USER.eq("ada")).prepare().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    store.observe_reads(move |read| noted.lock().unwrap().push(read.collection.to_owned()));
    assert!(!prepared.fetch().unwrap().is_cached());
    assert!(prepared.fetch().unwrap().is_cached());
    assert_eq!(*seen.lock().unwrap(), ["Task", "Task"]);
}

/// A name is kept as long as a question on the shelf has it.
#[test]
fn names_leave_with_their_answers() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let tasks = stored(&store, [task_of(1, "ada", 1)]);
    let names: [Arc<str>; 2] = ["ada", "bob"].map(Arc::from);
    for name in &names {
        assert!(!tasks.cached().find(task::USER.eq(&**name)).named(name.clone()).fetch().unwrap().is_cached());
    }
    assert!(names.iter().all(|name| Arc::strong_count(name) > 1));
    clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(store.cache().clean_expired(), 2);
    assert_eq!(names.each_ref().map(Arc::strong_count), [1, 1]);
    assert!(!store.cache().invalidate("ada"));
}

/// Records that count those that live, and whose `Drop` may panic.
struct Heavy(u32);

static LIVING: AtomicUsize = AtomicUsize::new(0);
static PANICS: AtomicBool = AtomicBool::new(false);
/// Tests that use the counters run one after the other.
static ONE: Mutex<()> = Mutex::new(());

impl Heavy {
    fn new(id: u32) -> Self {
        LIVING.fetch_add(1, SeqCst);
        Heavy(id)
    }
}

impl Drop for Heavy {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, SeqCst);
        assert!(!PANICS.swap(false, SeqCst), "a record panics");
    }
}

impl Record for Heavy {
    type Key = u32;

    fn schema() -> Schema {
        Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("team", Kind::Int).index()])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(ValueRef::Int(self.0.into()));
    }

    fn value(&self, position: usize) -> ValueRef<'_> {
        ValueRef::Int(if position == 0 { self.0.into() } else { i64::from(self.0 % 3) })
    }
}

fn heavy(store: &Store, records: u32) -> Collection<Heavy> {
    let collection = store.collection::<Heavy>("Heavy").unwrap();
    for id in 0..records {
        collection.store(Heavy::new(id)).unwrap();
    }
    collection
}

/// Changes are logged for questions that can't be filed, and for no others: the log holds the records.
#[test]
fn deleted_records_are_held_for_no_question_that_is_gone() {
    let _one = ONE.lock();
    let store = Store::new();
    let records = heavy(&store, 10);
    let filed = || *records.cached().find(field("team").eq(1)).count().unwrap();
    assert_eq!(filed(), 3);
    records.delete(1).unwrap();
    assert_eq!((filed(), LIVING.load(SeqCst)), (2, 9), "one that is filed needs no log");
    let all = || *records.cached().find(Filter::all()).count().unwrap();
    assert_eq!(all(), 9);
    records.delete(2).unwrap();
    assert_eq!((all(), LIVING.load(SeqCst)), (8, 9), "the log has it");
    store.cache().clear();
    assert_eq!((filed(), LIVING.load(SeqCst)), (2, 8));
    records.delete(3).unwrap();
    assert_eq!(LIVING.load(SeqCst), 7);
}

/// Whatever the cache is the last to hold is dropped as everything else of the user: a panic is caught and counted.
#[test]
fn a_panicking_drop_of_a_cached_record_is_counted() {
    let _one = ONE.lock();
    let store = Store::builder().cache(CacheSettings::default().lifetime("search", Duration::from_secs(3_600))).build();
    let records = heavy(&store, 6);
    // An answer may be old, so the cache holds what is deleted.
    let old = records.cached().within(Duration::from_secs(600)).find(field("team").eq(1));
    assert_eq!(old.fetch().unwrap().len(), 2);
    records.delete(1).unwrap();
    assert!(old.fetch().unwrap().is_cached());
    PANICS.store(true, SeqCst);
    store.cache().clear();
    assert_eq!((store.stats().drop_panics, PANICS.load(SeqCst), LIVING.load(SeqCst)), (1, false, 5));

    // One that a commit has repaired holds its records itself, also when the collection is gone.
    let repaired = records.cached().find(field("team").eq(2));
    assert_eq!(repaired.fetch().unwrap().len(), 2);
    records.store(Heavy::new(8)).unwrap();
    store.drop_collection("Heavy").unwrap();
    drop((old, repaired, records));
    assert_eq!(LIVING.load(SeqCst), 3, "those in the answer");
    PANICS.store(true, SeqCst);
    store.cache().clear();
    assert_eq!((store.stats().drop_panics, PANICS.load(SeqCst), LIVING.load(SeqCst)), (2, false, 0));

    // Statistics hold the records that they show.
    let records = heavy(&store, 6);
    let first = records.cached().within(Duration::from_secs(600)).find(field("team").eq(1));
    let asked = || first.statistics(GroupBy::values("team").hits(1, field("id").asc())).unwrap();
    assert!(!asked().is_cached());
    records.clear().unwrap();
    assert!(asked().is_cached());
    assert_eq!(LIVING.load(SeqCst), 1);
    PANICS.store(true, SeqCst);
    store.cache().clear();
    assert_eq!((store.stats().drop_panics, PANICS.load(SeqCst), LIVING.load(SeqCst)), (3, false, 0));
    assert_eq!(figures(&store, "statistics")[0], 1);
}
