//! Collections with a bound: directed tests, and random commands against a map that loses what the commits report as evicted.

mod faults;
mod policies;
mod random;

use memdex::clock::ManualClock;
use memdex::error::Cause;
use memdex::hook::{ChangeKind, CommitHook, CommitInfo, FeedEvent, ProposedCommit};
use memdex::stats::BoundStats;
use memdex::write::{Bound, EvictionPolicy, Outcome};
use memdex::{Collection, Filter, Record, Store, Timestamp};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(unique)]
    name: String,
    #[record(ordered, column)]
    rank: i64,
    #[record(weight)]
    weight: u32,
    #[record(index)]
    pinned: bool,
}

const POLICIES: [EvictionPolicy; 4] =
    [EvictionPolicy::S3Fifo, EvictionPolicy::Sieve, EvictionPolicy::OldestFirst, EvictionPolicy::SoonestToExpire];

fn item(id: u32) -> Item {
    Item { id, name: format!("n{id}"), rank: i64::from(id), weight: 1, pinned: false }
}

fn weighing(id: u32, weight: u32) -> Item {
    Item { weight, ..item(id) }
}

fn pinned(id: u32) -> Item {
    Item { pinned: true, ..item(id) }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn items() -> (Store, Collection<Item>, ManualClock) {
    let clock = ManualClock::starting_at(Timestamp::from_secs(1_000));
    let store = Store::builder().clock(clock.clone()).build();
    let items = store.collection::<Item>("Item").unwrap();
    (store, items, clock)
}

fn put(items: &Collection<Item>, records: impl IntoIterator<Item = Item>) {
    for record in records {
        items.store(record).unwrap();
    }
}

/// A collection of these items, oldest first, with room for no more.
fn full(policy: EvictionPolicy, ids: u32) -> (Store, Collection<Item>, ManualClock) {
    let (store, items, clock) = items();
    items.set_bound(Bound::records(ids as usize).policy(policy)).unwrap();
    put(&items, (0..ids).map(item));
    (store, items, clock)
}

fn bound_of(store: &Store) -> BoundStats {
    store.stats().collections[0].bound.unwrap()
}

fn ids(items: &Collection<Item>) -> Vec<u32> {
    let mut ids: Vec<u32> = items.iter().map(|of| of.id).collect();
    ids.sort_unstable();
    ids
}

type Log = Arc<Mutex<Vec<(u32, ChangeKind)>>>;

/// The changes of all later commits.
fn log(store: &Store) -> Log {
    let log = Log::default();
    let lines = log.clone();
    store
        .observe(move |commit| {
            let changes = commit.changes::<Item>("Item").iter();
            let line = |change: &memdex::hook::RecordChange<Item>| {
                let id = change.before.as_ref().or(change.after.as_ref()).unwrap().id;
                let leaves = matches!(change.kind(), ChangeKind::Evicted | ChangeKind::Expired | ChangeKind::Deleted);
                assert_eq!(change.after.is_none(), leaves);
                (id, change.kind())
            };
            lines.lock().unwrap().extend(changes.map(line));
        })
        .unwrap();
    log
}

fn taken(log: &Log) -> Vec<(u32, ChangeKind)> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn the_bound_holds_at_each_commit() {
    for policy in POLICIES {
        let (store, items, _) = items();
        items.set_bound(Bound::records(10).policy(policy)).unwrap();
        let log = log(&store);
        for id in 0..100 {
            let counts = items.store(item(id)).unwrap().counts;
            assert_eq!((counts.inserted, counts.evicted, counts.total()), (1, usize::from(id >= 10), 1));
            assert_eq!((items.len(), items.contains(id)), (10.min(id as usize + 1), true));
            let changes = taken(&log);
            assert!(changes.contains(&(id, ChangeKind::Inserted)));
            let evicted = changes.iter().filter(|(_, kind)| *kind == ChangeKind::Evicted);
            assert_eq!(evicted.count(), counts.evicted);
        }
        let all: Vec<u32> = items.find(Filter::all()).fetch().unwrap().iter().map(|of| of.id).collect();
        assert_eq!((all.len(), items.find(item::RANK.ge(0)).count()), (10, Ok(10)));
        let bound = bound_of(&store);
        assert_eq!((bound.limit, bound.weight, bound.evictions, bound.by_weight), (10, 10, 90, false));
        assert_eq!((bound.policy, bound.protected), (policy, 0));
        store.verify().unwrap();
        items.delete_where(item::ID.lt(95)).unwrap();
        items.clear().unwrap();
        assert_eq!(bound_of(&store).weight, 0);
        store.verify().unwrap();
    }
}

#[test]
fn a_batch_that_alone_exceeds_the_bound_is_refused() {
    for policy in POLICIES {
        let (store, items, _) = full(policy, 100);
        let before = ids(&items);
        let fill = |from: u32, records: u32| {
            let mut batch = store.batch();
            (from..from + records).for_each(|id| batch.store(&items, item(id)).unwrap());
            batch
        };
        let refused = fill(1_000, 1_000).commit().unwrap_err();
        assert!(matches!(
            refused.cause(),
            Cause::BeyondBound { unit: "records", written: 1_000, protected: 0, limit: 100, .. }
        ));
        assert_eq!((refused.refusal().position(), refused.into_batch().len()), (None, 1_000));
        let refused = fill(1_000, 101).commit_lenient().unwrap_err();
        assert!(refused.to_string().contains("the batch writes 101 records"), "{refused}");
        assert_eq!(ids(&items), before);
        store.verify().unwrap();
        let counts = fill(1_000, 100).commit().unwrap().counts;
        assert_eq!((counts.inserted, counts.evicted), (100, 100));
        assert_eq!(ids(&items), (1_000..1_100).collect::<Vec<_>>());
        // Updates of all records leave no place for a new one.
        let mut batch = store.batch();
        batch.update_where(&items, Filter::all(), |of| of.rank += 1).unwrap();
        batch.store(&items, item(1)).unwrap();
        assert!(matches!(batch.commit().unwrap_err().cause(), Cause::BeyondBound { written: 101, .. }));
        // Those that the batch deletes do.
        let mut batch = store.batch();
        batch.update_where(&items, Filter::all(), |of| of.rank += 1).unwrap();
        batch.delete(&items, 1_007).unwrap();
        batch.store(&items, item(1)).unwrap();
        let counts = batch.commit().unwrap().counts;
        assert_eq!((counts.updated, counts.deleted, counts.inserted, counts.evicted), (100, 1, 1, 0));
        store.verify().unwrap();
    }
}

#[test]
fn victims_are_chosen_after_the_operations_that_a_lenient_commit_leaves_out() {
    for policy in POLICIES {
        let (store, items, _) = full(policy, 10);
        let mut batch = store.batch();
        for id in 20..28 {
            batch
                .insert(&items, Item { name: format!("n{}", if id < 25 { id - 20 } else { id }), ..item(id) })
                .unwrap();
        }
        let report = batch.commit_lenient().unwrap();
        // Five want the names of records that are there, evicted or not.
        assert_eq!((report.refused.len(), report.receipt.counts.evicted, items.len()), (5, 3, 10));
        assert!(report.refused.iter().all(|of| matches!(of.refusal.cause(), Cause::NotUnique { .. })));
        assert_eq!((20..28).filter(|id| items.contains(*id)).collect::<Vec<_>>(), [25, 26, 27]);
        // An operation that is refused does not keep its record.
        let (store, items, _) = full(policy, 1);
        let mut batch = store.batch();
        batch.insert(&items, item(0)).unwrap();
        batch.insert(&items, item(1)).unwrap();
        let report = batch.commit_lenient().unwrap();
        assert_eq!((report.outcome(0), report.outcome(1)), (Some(Outcome::Refused), Some(Outcome::Created)));
        assert_eq!(ids(&items), [1]);
        store.verify().unwrap();
    }
}

#[test]
fn the_unique_value_of_a_victim_is_not_free() {
    for policy in POLICIES {
        let (store, items, _) = full(policy, 3);
        for id in 0..3 {
            let refused = items.store(Item { name: format!("n{id}"), ..item(9) }).unwrap_err();
            assert!(matches!(refused.cause(), Cause::NotUnique { .. }), "{refused}");
        }
        assert_eq!((ids(&items), bound_of(&store).evictions), (vec![0, 1, 2], 0));
        items.store(Item { name: "free".into(), ..item(9) }).unwrap();
        store.verify().unwrap();
    }
}

#[test]
fn submissions_in_the_background_share_commits_as_far_as_the_bound_allows() {
    let (store, items, _) = items();
    items.set_bound(Bound::records(10)).unwrap();
    let log = log(&store);
    let commits = Arc::new(Mutex::new(Vec::new()));
    let seen = commits.clone();
    store.observe(move |commit| seen.lock().unwrap().push(commit.changes::<Item>("Item").len())).unwrap();
    let writer = store.background_writer().linger(Duration::from_secs(1)).start().unwrap();
    let tickets: Vec<_> =
        (0..100).map(|id| writer.submit_with(|batch| batch.store(&items, item(id))).unwrap()).collect();
    writer.flush().unwrap();
    for mut ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!((items.len(), bound_of(&store).evictions), (10, 90));
    let changes = taken(&log);
    for id in 0..100 {
        assert!(changes.contains(&(id, ChangeKind::Inserted)));
    }
    // Each record was visible after the commit that applied its submission: none was evicted by the same commit.
    assert!(commits.lock().unwrap().len() >= 10 && commits.lock().unwrap().iter().all(|changes| *changes <= 20));
    store.verify().unwrap();
}

#[test]
fn weights_are_those_of_the_field() {
    for policy in POLICIES {
        let (store, items, _) = items();
        items.set_bound(Bound::weight(100).policy(policy)).unwrap();
        put(&items, (0..10).map(|id| weighing(id, 10)));
        assert_eq!((items.len(), bound_of(&store).weight), (10, 100));
        let counts = items.store(weighing(20, 35)).unwrap().counts;
        assert_eq!((counts.evicted, bound_of(&store).weight), (4, 95));
        // A record that grows displaces others, never itself.
        for grown in [40, 70, 100] {
            items.update(20, move |of| of.weight = grown).unwrap();
            assert!(bound_of(&store).weight <= 100 && items.get(20).unwrap().weight == grown);
            store.verify().unwrap();
        }
        assert_eq!(ids(&items), [20]);
        let refused = items.update(20, |of| of.weight = 101).unwrap_err();
        assert!(matches!(refused.cause(), Cause::TooHeavy { weight: 101, limit: 100, .. }));
        let mut batch = store.batch();
        batch.store(&items, weighing(1, 60)).unwrap();
        batch.store(&items, weighing(2, 101)).unwrap();
        batch.store(&items, weighing(3, 60)).unwrap();
        let refused = batch.commit().unwrap_err();
        assert_eq!(refused.refusal().position(), Some(1));
        let refused = refused.into_batch().commit_lenient().unwrap_err();
        assert!(matches!(refused.cause(), Cause::BeyondBound { unit: "units of weight", written: 120, .. }));
        let mut batch = refused.into_batch();
        batch.remove(2);
        let report = batch.commit_lenient().unwrap();
        assert_eq!((report.outcome(0), report.outcome(1)), (Some(Outcome::Created), Some(Outcome::Refused)));
        assert_eq!(ids(&items), [1]);
        items.store(weighing(4, 0)).unwrap();
        assert_eq!(bound_of(&store).weight, 61, "a weight of 0 counts as 1");
        items.update(4, |of| of.weight = 5).unwrap();
        items.delete(1).unwrap();
        assert_eq!(bound_of(&store).weight, 5);
        store.verify().unwrap();
    }
}

#[test]
fn protected_records_stay() {
    for policy in POLICIES {
        let (store, items, _) = items();
        items.set_bound(Bound::records(5).policy(policy).protect(item::PINNED.eq(true))).unwrap();
        put(&items, (0..3).map(pinned));
        put(&items, (10..40).map(item));
        assert_eq!((ids(&items)[..3].to_vec(), items.len()), (vec![0, 1, 2], 5));
        assert_eq!(bound_of(&store).protected, 3);
        let mut batch = store.batch();
        (50..53).for_each(|id| batch.store(&items, item(id)).unwrap());
        let refused = batch.commit().unwrap_err();
        assert!(matches!(refused.cause(), Cause::BeyondBound { written: 3, protected: 3, limit: 5, .. }), "{refused}");
        let kept = ids(&items)[3..].to_vec();
        for id in kept {
            items.update(id, |of| of.pinned = true).unwrap();
        }
        assert!(matches!(items.store(item(60)).unwrap_err().cause(), Cause::BeyondBound { protected: 5, .. }));
        items.update(60, |_| ()).unwrap_err();
        items.update(1, |of| of.pinned = false).unwrap();
        items.store(item(60)).unwrap();
        assert!(!items.contains(1) && items.contains(60) && bound_of(&store).protected == 4);
        store.verify().unwrap();
        let refused = items.set_bound(Bound::records(3).protect(item::PINNED.eq(true))).unwrap_err();
        assert!(matches!(refused.cause(), Cause::BeyondBound { written: 0, protected: 4, limit: 3, .. }), "{refused}");
        assert_eq!(bound_of(&store).limit, 5);
    }
}

#[test]
fn what_has_expired_leaves_first() {
    for policy in POLICIES {
        let (store, items, clock) = items();
        let protect = || Bound::records(6).policy(policy).protect(item::PINNED.eq(true));
        items.set_bound(protect()).unwrap();
        items.with_lifetime(seconds(10)).store(pinned(0)).unwrap();
        items.with_lifetime(seconds(20)).store(item(1)).unwrap();
        items.with_lifetime(seconds(30)).store(item(2)).unwrap();
        put(&items, (3..6).map(item));
        clock.advance(seconds(25));
        let log = log(&store);
        let counts = items.store(item(7)).unwrap().counts;
        assert_eq!((counts.evicted, counts.expired), (0, 1));
        assert_eq!(
            taken(&log).into_iter().find(|(_, kind)| *kind != ChangeKind::Inserted),
            Some((0, ChangeKind::Expired))
        );
        let mut batch = store.batch();
        (8..10).for_each(|id| batch.store(&items, item(id)).unwrap());
        let counts = batch.commit().unwrap().counts;
        assert_eq!((counts.evicted, counts.expired, bound_of(&store).evictions), (1, 1, 1));
        let kinds: Vec<ChangeKind> = taken(&log).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == ChangeKind::Evicted).count(), 1);
        store.verify().unwrap();
        // A record that has expired is no obstacle, also if it was protected.
        items.clear().unwrap();
        for id in 0..6 {
            items.with_lifetime(seconds(1)).store(pinned(id)).unwrap();
        }
        clock.advance(seconds(1));
        let counts = items.store(pinned(3)).unwrap().counts;
        assert_eq!((counts.inserted, counts.expired), (1, 1));
        let counts = items.store(item(9)).unwrap().counts;
        assert_eq!((counts.inserted, counts.expired, items.len()), (1, 1, 2));
        let counts = items.store(pinned(10)).unwrap().counts;
        assert_eq!((counts.inserted, counts.expired, items.len()), (1, 1, 3));
        store.expire_now().unwrap();
        assert_eq!(bound_of(&store).weight, 3);
        store.verify().unwrap();
    }
}

#[test]
fn a_full_collection_shrinks_in_small_commits() {
    for policy in POLICIES {
        let (store, items, clock) = items();
        let mut batch = store.batch();
        (0..1_000).for_each(|id| batch.store(&items, item(id)).unwrap());
        batch.commit().unwrap();
        for id in 0..5 {
            items.with_lifetime(seconds(1)).store(item(2_000 + id)).unwrap();
        }
        clock.advance(seconds(1));
        let commits = Arc::new(Mutex::new(Vec::new()));
        let seen = commits.clone();
        store.observe(move |commit| seen.lock().unwrap().push(commit.changes::<Item>("Item").len())).unwrap();
        assert_eq!(items.set_bound(Bound::records(250).policy(policy)).unwrap(), 755);
        assert_eq!((items.len(), bound_of(&store).evictions), (250, 750));
        let commits = commits.lock().unwrap().clone();
        assert!(commits.len() == 8 && commits.iter().all(|changes| *changes <= 100), "{commits:?}");
        store.verify().unwrap();
        items.remove_bound().unwrap();
        assert_eq!(store.stats().collections[0].bound, None);
        put(&items, (0..1_000).map(item));
        assert_eq!(items.len(), 1_000);
        assert_eq!(items.set_bound(Bound::records(2_000).policy(policy)).unwrap(), 0);
        store.verify().unwrap();
    }
}

struct Refusing(AtomicBool);

impl CommitHook for Refusing {
    fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        let changes = commit.changes::<Item>("Item");
        assert!(changes.iter().all(|change| change.before().is_some() || change.after().is_some()));
        let deletions = changes.iter().filter(|change| change.after().is_none()).count();
        if deletions > 0 && self.0.load(Ordering::SeqCst) { Err("nothing may leave".into()) } else { Ok(()) }
    }

    fn committed(&self, _: &CommitInfo) {}
}

#[test]
fn hooks_see_victims_as_deletions_and_can_refuse_them() {
    for policy in POLICIES {
        let (store, items, _) = full(policy, 4);
        let hook = Arc::new(Refusing(AtomicBool::new(true)));
        store.add_hook(hook.clone()).unwrap();
        for _ in 0..5 {
            let mut batch = store.batch();
            (10..13).for_each(|id| batch.store(&items, item(id)).unwrap());
            let refused = batch.commit().unwrap_err();
            assert!(matches!(refused.cause(), Cause::Hook(_)), "{refused}");
            assert_eq!((ids(&items), bound_of(&store).evictions), (vec![0, 1, 2, 3], 0));
            store.verify().unwrap();
        }
        items.update(2, |of| of.rank = 9).unwrap();
        hook.0.store(false, Ordering::SeqCst);
        assert_eq!(items.store(item(10)).unwrap().counts.evicted, 1);
        assert!(!items.contains(0), "the refused commits have left the order as it was");
        hook.0.store(true, Ordering::SeqCst);
        let refused = items.set_bound(Bound::records(1).policy(policy)).unwrap_err();
        assert!(matches!(refused.cause(), Cause::Hook(_)));
        assert_eq!((items.len(), bound_of(&store).limit), (4, 1));
        // Until it has shrunk, it does not grow.
        assert!(items.store(item(50)).is_err());
        hook.0.store(false, Ordering::SeqCst);
        items.store(item(50)).unwrap();
        assert_eq!(ids(&items), [50]);
        store.verify().unwrap();
    }
}

#[test]
fn subscriptions_report_evictions() {
    let (store, items, _) = full(EvictionPolicy::OldestFirst, 2);
    let (snapshot, mut events) = store.subscribe().start().unwrap();
    items.store(item(5)).unwrap();
    let Some(FeedEvent::Commit(commit)) = events.try_next() else { panic!("there is an event") };
    let mut kinds: Vec<_> = commit.changes::<Item>("Item").iter().map(|of| (of.key.to_string(), of.kind())).collect();
    kinds.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(kinds, [("0".to_owned(), ChangeKind::Evicted), ("5".to_owned(), ChangeKind::Inserted)]);
    assert_eq!(snapshot.of(&items).len(), 2);
}

#[test]
fn snapshots_keep_what_has_left() {
    for policy in POLICIES {
        let (store, items, _) = full(policy, 3);
        let before = store.snapshot();
        put(&items, (10..30).map(item));
        let view = before.of(&items);
        assert_eq!((view.len(), (0..3).all(|id| view.contains(id))), (3, true));
        assert_eq!(view.find(item::RANK.lt(3)).count(), Ok(3));
        assert!(store.stats().collections[0].versions_retained >= 3 && bound_of(&store).weight == 3);
        store.verify().unwrap();
        drop((view, before));
        store.optimize().unwrap();
        assert_eq!(store.stats().collections[0].versions_retained, 0);
        store.verify().unwrap();
    }
}
