//! Bounds of a queue: gaps, and writers that wait.

use super::{commits, item, items, next, next_commit, put_each};
use crate::user_code::watched;
use memdex::error::Cause;
use memdex::hook::FeedEvent;
use memdex::{Filter, Store};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(600);

fn missed(event: FeedEvent) -> memdex::hook::Missed {
    match event {
        FeedEvent::Missed(missed) => missed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_queue_makes_one_gap_whose_snapshot_is_taken_when_it_is_read() {
    let (store, items) = items();
    let (snapshot, mut subscription) = store.subscribe().max_operations(2).start().unwrap();
    drop(snapshot);
    put_each(&items, 1..=5, 1);
    assert_eq!(store.stats().oldest_pin, None, "a gap that is not read pins nothing");
    assert_eq!(next_commit(&mut subscription).number(), 1);
    items.store(item(6, 1)).unwrap();
    assert_eq!(next_commit(&mut subscription).number(), 2);
    items.delete(1).unwrap();
    let gap = missed(next(&mut subscription));
    assert_eq!((gap.from.get(), gap.snapshot.commit().get()), (3, 7));
    assert_eq!(gap.snapshot.of(&items).len(), 5);
    items.store(item(8, 1)).unwrap();
    assert_eq!(commits(&mut subscription), [8]);
    assert_eq!(store.stats().subscriptions[0].gaps, 1);
    drop(gap);
    put_each(&items, 1..=9, 2);
    assert_eq!(next_commit(&mut subscription).number(), 9);
    assert_eq!(next_commit(&mut subscription).number(), 10);
    assert_eq!(missed(next(&mut subscription)).from, 11);
    assert_eq!(store.stats().subscriptions[0].gaps, 2);
}

/// Memory stays bounded although nobody reads: the queue, and the versions that the store retains.
#[test]
fn a_subscriber_that_never_reads_costs_bounded_memory() {
    let (store, items) = items();
    let started = store.subscribe().max_operations(10).max_bytes(5_000).start().unwrap();
    let (snapshot, subscription) = started;
    drop(snapshot);
    for round in 0..200_u8 {
        items.store(super::Item { text: "x".repeat(300), ..item(1, round) }).unwrap();
        let stats = store.stats();
        assert!(stats.subscriptions[0].queued_operations <= 10 && stats.subscriptions[0].queued_bytes <= 5_000);
        assert_eq!((stats.collections[0].versions_retained, stats.oldest_pin), (0, None));
    }
    assert_eq!(store.stats().subscriptions[0].gaps, 1);
    assert!((4..=10).contains(&store.stats().subscriptions[0].queued_events), "bytes are the tighter bound");
    drop(subscription);
}

#[test]
fn a_commit_that_is_larger_than_the_limit_is_missed() {
    let (store, items) = items();
    for waits in [false, true] {
        let builder = store.subscribe().max_operations(3);
        let builder = if waits { builder.writers_wait(LONG) } else { builder };
        let (_, mut subscription) = builder.start().unwrap();
        let started = Instant::now();
        let commit = store.commit(|batch| (0..4).try_for_each(|id| batch.store(&items, item(id, 1)))).unwrap().commit;
        assert!(started.elapsed() < LONG / 2, "it can't have room, so it does not wait for any");
        assert_eq!(missed(next(&mut subscription)).from, commit);
        store.commit(|batch| (0..3).try_for_each(|id| batch.store(&items, item(id, 1)))).unwrap();
        assert_eq!(commits(&mut subscription), [commit.get() + 1]);
    }
    let (_, mut nothing) = store.subscribe().max_operations(0).start().unwrap();
    items.delete(100).unwrap();
    assert_eq!(missed(next(&mut nothing)).from, store.newest_commit());
}

#[test]
fn writers_wait_for_room_and_are_refused_when_the_time_is_over() {
    let (store, items) = items();
    let builder = store.subscribe().named("audit").max_operations(2).writers_wait(Duration::from_millis(20));
    let (_, mut subscription) = builder.start().unwrap();
    let others = store.collection::<super::Item>("others").unwrap();
    put_each(&items, 1..=2, 1);
    let refused = items.store(item(3, 1)).unwrap_err();
    match refused.cause() {
        Cause::SubscriptionFull { subscription, waited, unit, queued, limit, .. } => {
            assert_eq!((&**subscription, *waited, *unit), ("audit", Duration::from_millis(20), "operations"));
            assert_eq!((*queued, *limit), (2, 2));
        }
        other => panic!("{other}"),
    }
    assert!(
        refused.to_string().contains("\"audit\"") && refused.to_string().contains("2 of 2 operations"),
        "{refused}"
    );
    let batch = refused.into_batch();
    assert_eq!((batch.len(), store.newest_commit().get()), (1, 2), "nothing has changed, and the batch is returned");
    others.store(item(3, 1)).unwrap_err();
    assert_eq!(store.stats().subscriptions[0].refusals, 2);
    assert_eq!(store.stats().refusals, 2);
    assert_eq!(next_commit(&mut subscription).number(), 1);
    // Another thread: this one has read last, so it would not wait.
    thread::scope(|scope| scope.spawn(|| batch.commit().unwrap()).join().unwrap());
    assert_eq!(commits(&mut subscription), [2, 3]);
}

#[test]
fn a_writer_waits_only_for_subscriptions_to_what_it_changes() {
    let (store, items) = items();
    let others = store.collection::<super::Item>("others").unwrap();
    let builder = store.subscribe().max_operations(1).writers_wait(Duration::ZERO);
    let (_, mut subscription) = builder.matching(&items, super::item::GROUP.eq(1)).start().unwrap();
    // Room is reserved whether the change matches or not, and is given back.
    put_each(&items, 0..5, 2);
    items.store(item(7, 1)).unwrap();
    others.store(item(1, 1)).unwrap();
    let refused = items.store(item(8, 2)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::SubscriptionFull { .. }));
    items.insert(item(7, 1)).unwrap_err();
    assert_eq!(commits(&mut subscription), [6]);
    // Refused batches, too.
    (0..5).for_each(|_| drop(items.insert(item(7, 1)).unwrap_err()));
    assert_eq!(store.stats().subscriptions[0].refusals, 2);
    items.store(item(9, 1)).unwrap();
    assert_eq!(commits(&mut subscription), [8]);
}

#[test]
fn waiting_writers_lose_no_commit_and_exceed_no_bound() {
    watched("waiting writers", || {
        let (store, items) = items();
        let (_, subscription) = store.subscribe().max_operations(4).writers_wait(LONG).start().unwrap();
        let writers: Vec<_> = (0..3_u32)
            .map(|writer| {
                let items = items.clone();
                thread::spawn(move || put_each(&items, writer * 1_000..writer * 1_000 + 200, 1))
            })
            .collect();
        let mut seen = 0;
        for event in subscription {
            let FeedEvent::Commit(commit) = event else { panic!("{event:?}") };
            seen += 1;
            assert_eq!(commit.number(), seen);
            assert!(store.stats().subscriptions[0].queued_operations <= 4);
            if seen == 600 {
                break;
            }
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(store.newest_commit().get(), 600);
    });
}

/// Nobody else would make room, so it misses the commit instead.
#[test]
fn the_thread_that_reads_never_waits_for_itself() {
    watched("the reader writes", || {
        let (store, items) = items();
        let (_, mut subscription) = store.subscribe().max_operations(1).writers_wait(LONG).start().unwrap();
        assert!(subscription.try_next().is_none());
        put_each(&items, 1..=3, 1);
        assert_eq!(next_commit(&mut subscription).number(), 1);
        let gap = missed(next(&mut subscription));
        assert_eq!((gap.from.get(), gap.snapshot.commit().get()), (2, 3));
    });
}

/// A write by filter reserves room for one operation and may bring more.
#[test]
fn a_commit_that_grows_beyond_its_reservation_is_not_missed() {
    let (store, items) = items();
    store.commit(|batch| (0..3).try_for_each(|id| batch.store(&items, item(id, 1)))).unwrap();
    let (_, mut subscription) = store.subscribe().max_operations(3).writers_wait(Duration::ZERO).start().unwrap();
    items.store(item(5, 5)).unwrap();
    items.update_where(super::item::GROUP.eq(1), |item| item.group = 2).unwrap();
    assert_eq!(store.stats().subscriptions[0].queued_operations, 4, "the bound is exceeded by this one commit");
    let refused = items.delete(5).unwrap_err();
    assert!(matches!(refused.cause(), Cause::SubscriptionFull { queued: 4, limit: 3, .. }), "{refused}");
    assert_eq!(commits(&mut subscription), [2, 3]);
    items.update_where(Filter::all(), |item| item.group = 3).unwrap();
    assert_eq!(missed(next(&mut subscription)).from, 4, "larger than the limit by itself");
}

#[test]
fn a_dropped_subscription_lets_waiting_writers_pass() {
    watched("dropped subscription", || {
        let (store, items) = items();
        let (_, subscription) = store.subscribe().max_operations(1).writers_wait(LONG).start().unwrap();
        items.store(item(1, 1)).unwrap();
        let (started, has_started) = channel();
        let writer = thread::spawn(move || {
            started.send(()).unwrap();
            items.store(item(2, 1)).unwrap().commit
        });
        has_started.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        assert_eq!(store.newest_commit(), 1, "it waits before the commit");
        drop(subscription);
        assert_eq!(writer.join().unwrap(), 2);
    });
}

/// Nobody else waits while a writer waits for room.
#[test]
fn a_waiting_writer_does_not_hold_the_commit_lock() {
    watched("other writers", || {
        let (store, items) = items();
        let others = store.collection::<super::Item>("others").unwrap();
        let builder = store.subscribe().collection("items").max_operations(1).writers_wait(LONG);
        let (_, mut subscription) = builder.start().unwrap();
        items.store(item(1, 1)).unwrap();
        let writer = thread::spawn(move || items.store(item(2, 1)).unwrap().commit);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(others.store(item(1, 1)).unwrap().commit, 2);
        store.optimize().unwrap();
        assert_eq!(next_commit(&mut subscription).number(), 1);
        assert_eq!(writer.join().unwrap(), 3);
        assert_eq!(commits(&mut subscription), [3]);
    });
}

#[test]
fn a_background_writer_returns_what_a_full_subscription_refuses() {
    let (store, items) = items();
    let (_, subscription) = store.subscribe().max_operations(1).writers_wait(Duration::ZERO).start().unwrap();
    items.store(item(1, 1)).unwrap();
    let background = store.background_writer().start().unwrap();
    let mut ticket = background.submit_with(|batch| batch.insert(&items, item(2, 1))).unwrap();
    let batch = ticket.wait().unwrap_err().into_batch().expect("a refused batch comes back");
    drop(subscription);
    batch.commit().unwrap();
    assert!(items.contains(2));
}

/// Hooks that are slow make commits wait once many changes are queued, not only many commits.
#[test]
fn the_queue_of_the_hooks_is_bounded_in_changes() {
    use memdex::limits::MAX_QUEUED_CHANGES;
    watched("hooks", || {
        let store = Store::new();
        let items = store.collection::<super::Item>("items").unwrap();
        let (release, is_released) = channel::<()>();
        let is_released = std::sync::Mutex::new(is_released);
        store
            .observe(move |commit| {
                if commit.number() == 1 {
                    is_released.lock().unwrap().recv().unwrap();
                }
            })
            .unwrap();
        let slow = {
            let items = items.clone();
            thread::spawn(move || items.store(item(0, 1)).unwrap())
        };
        while store.newest_commit() == memdex::Commit::ZERO {
            thread::yield_now();
        }
        let (done, is_done) = channel();
        let large = {
            let (store, items) = (store.clone(), items.clone());
            thread::spawn(move || {
                let all = 0..MAX_QUEUED_CHANGES as u32;
                store.commit(|batch| all.into_iter().try_for_each(|id| batch.store(&items, item(id, 2)))).unwrap();
                done.send(()).unwrap();
            })
        };
        while store.newest_commit().get() < 2 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        assert!(is_done.try_recv().is_err(), "it waits for the delivery");
        release.send(()).unwrap();
        large.join().unwrap();
        slow.join().unwrap();
        is_done.recv().unwrap();
    });
}
