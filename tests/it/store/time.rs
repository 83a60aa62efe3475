//! Time comes only from the store's clock, and never runs backwards.

use super::{User, user};
use memdex::clock::{Clock, ManualClock};
use memdex::{Store, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[test]
fn receipts_and_snapshots_have_the_time_of_the_clock() {
    let clock = ManualClock::starting_at(at(100));
    let store = Store::builder().clock(clock.clone()).build();
    let users = store.collection::<User>("users").unwrap();
    assert_eq!(users.store(user("1", 1)).unwrap().at, at(100));
    clock.advance(Duration::from_micros(5));
    assert_eq!((users.store(user("1", 2)).unwrap().at, store.snapshot().time()), (at(105), at(105)));
    clock.set(at(3));
    assert_eq!(users.store(user("1", 3)).unwrap().at, at(105), "the clock has run backwards, the store does not");
    assert_eq!(store.snapshot().time(), at(105));
    clock.set(at(200));
    let held = store.snapshot();
    clock.set(at(300));
    assert_eq!((held.time(), held.clone().time(), store.snapshot().time()), (at(200), at(200), at(300)));
    clock.set(at(i64::MAX));
    clock.advance(Duration::MAX);
    assert_eq!(users.store(user("1", 4)).unwrap().at, at(i64::MAX));
    assert_eq!(store.batch().commit().unwrap().at, at(i64::MAX), "an empty batch has a time, too");
}

/// A clock that jumps forwards and backwards.
#[derive(Clone, Default)]
struct Jumping(Arc<AtomicU64>);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let call = self.0.fetch_add(1, SeqCst);
        at((call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).cast_signed())
    }
}

#[test]
fn a_snapshot_is_never_older_than_a_commit_that_it_sees() {
    let store = Store::builder().clock(Jumping::default()).build();
    let users = store.collection::<User>("users").unwrap();
    let latest = AtomicI64::new(0);
    std::thread::scope(|scope| {
        let commit = |n| {
            let receipt = users.store(user("1", n)).unwrap();
            latest.fetch_max(receipt.at.as_micros(), SeqCst);
        };
        scope.spawn(move || (0..1_000).for_each(commit));
        scope.spawn(|| {
            let mut last = at(0);
            for _ in 0..1_000 {
                let committed = latest.load(SeqCst);
                let time = store.snapshot().time();
                assert!(time >= last && time.as_micros() >= committed);
                last = time;
            }
        });
    });
}
