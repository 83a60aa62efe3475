//! The thread that removes what has expired.

use super::{seconds, session, sessions};
use memdex::{Record, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    group: u32,
}

#[test]
fn the_thread_removes_what_has_expired_while_others_write() {
    let store = Store::builder().expire_in_background().build();
    let items = store.collection::<Item>("Item").unwrap();
    for of in 0..20 {
        let mut batch = store.batch();
        for id in of * 100..of * 100 + 100 {
            batch
                .with_lifetime(Duration::from_millis(5 + u64::from(id % 50)))
                .store(&items, Item { id, group: id % 7 })
                .unwrap();
        }
        batch.commit().unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in 10_000..10_200 {
                items.store(Item { id, group: 1 }).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let snapshot = store.snapshot();
                let of = snapshot.of(&items);
                let count = of.iter().count();
                assert_eq!((of.len(), of.find(item::GROUP.ge(0)).count().unwrap()), (count, count));
            }
        });
    });
    let started = Instant::now();
    while store.stats().collections[0].records > 200 {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing removes them");
        std::thread::yield_now();
    }
    assert_eq!(items.len(), 200);
    store.verify().unwrap();
}

/// Danger: the thread holds the store for a moment, and may be the last to do so.
#[test]
fn the_thread_ends_with_the_store() {
    for _ in 0..20 {
        let store = Store::builder().expire_in_background().reclaim_in_background().build();
        let items = store.collection::<Item>("Item").unwrap();
        items.with_lifetime(Duration::from_micros(1)).store(Item { id: 1, group: 1 }).unwrap();
        drop((store, items));
    }
}

#[test]
fn one_commit_removes_a_hundred_records_at_most() {
    let (store, sessions, clock) = sessions();
    for id in 0..1_234 {
        sessions.with_lifetime(seconds(10)).store(session(id, "ada")).unwrap();
    }
    clock.advance(seconds(10));
    let before = store.newest_commit().get();
    assert_eq!(store.expire_now().unwrap(), 1_234);
    assert_eq!(store.newest_commit().get() - before, 13);
    assert_eq!(store.stats().collections[0].with_lifetime, 0);
}
