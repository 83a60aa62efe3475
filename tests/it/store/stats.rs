//! Latency of calls.

use super::{User, user, users};
use memdex::limits::GETS_PER_SAMPLE;
use memdex::stats::{CallLatency, LatencyStats};
use memdex::{Collection, Record, Store, field};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn counts(store: &Store) -> (u64, u64, u64) {
    let LatencyStats { get, query, commit, .. } = store.stats().latency;
    (get.count, query.count, commit.count)
}

fn put(users: &Collection<User>, ids: std::ops::Range<i64>) {
    for id in ids {
        users.store(user(&id.to_string(), id)).unwrap();
    }
}

#[test]
fn only_commits_are_measured_as_commits() {
    let (store, users) = users();
    assert_eq!(store.stats().latency, LatencyStats::default());
    put(&users, 0..10);
    store.commit(|batch| (0..5).try_for_each(|n| batch.delete(&users, n.to_string()))).unwrap();
    users.update_where(field("visits").ge(7), |user| user.visits += 1).unwrap();
    users.delete_where(field("visits").ge(7)).unwrap();
    users.delete("missing").unwrap();
    assert_eq!((counts(&store), store.newest_commit().get()), ((0, 0, 14), 14), "queries of writes are theirs");

    // Nothing to commit, or refused.
    store.batch().commit().unwrap();
    users.insert(user("5", 0)).unwrap_err();
    users.update("5", |_| panic!("no")).unwrap_err();
    let mut lenient = store.batch();
    lenient.insert(&users, user("5", 0)).unwrap();
    assert_eq!(lenient.commit_lenient().unwrap().refused.len(), 1);
    assert_eq!(counts(&store), (0, 0, 14));

    // Committed together.
    let background = store.background_writer().linger(Duration::from_secs(60)).start().unwrap();
    for n in 20..25 {
        let _ticket = background.submit_with(|batch| batch.insert(&users, user(&n.to_string(), n))).unwrap();
    }
    background.flush().unwrap();
    let flushes = counts(&store).2;
    assert!((15..=19).contains(&flushes) && flushes == store.newest_commit().get());
}

#[test]
fn each_successful_query_counts_once() {
    let (store, users) = users();
    put(&users, 0..10);
    let others = store.collection::<User>("others").unwrap();
    let find = users.find(field("visits").ge(5));
    let snapshot = store.snapshot();
    find.fetch().unwrap();
    find.keys().unwrap();
    find.count().unwrap();
    snapshot.of(&users).find(field("city").eq("Bern")).count().unwrap();
    assert_eq!(counts(&store).1, 4);
    snapshot.search(field("visits").ge(5)).over(&users).over(&others).fetch().unwrap();
    assert_eq!(counts(&store).1, 5, "one search, over two collections");
    find.clone().limit(3).fetch().unwrap();
    find.statistics(field("visits").max()).unwrap();
    snapshot.search(field("visits").ge(5)).over(&users).limit(3).fetch().unwrap();
    assert_eq!(counts(&store).1, 8, "pages and statistics too");
    users.find(field("height").eq(5)).count().unwrap_err();
    assert_eq!((users.iter().count(), users.len(), snapshot.of(&users).iter().count()), (10, 10, 10));
    assert_eq!(counts(&store).1, 8, "no query, or none that succeeded");
    assert!(find.exists().unwrap() && find.first().unwrap().is_some());
    assert!(snapshot.search(field("visits").ge(5)).over(&users).exists().unwrap());
    assert_eq!(counts(&store).1, 11);
}

/// The first chunk of an ordered iteration has 256 records.
#[test]
fn each_chunk_of_an_ordered_iteration_counts_as_a_query() {
    let (store, users) = users();
    put(&users, 0..300);
    let all = users.find(field("visits").ge(0));
    assert_eq!((all.iter().unwrap().count(), counts(&store).1), (300, 0));
    assert_eq!((all.order_by(field("visits").asc()).iter().unwrap().count(), counts(&store).1), (300, 2));
}

/// Intervals that are taken while calls end: each call is counted in one of them.
#[test]
fn intervals_of_latency_neither_lose_nor_repeat_a_call() {
    const EACH: i64 = 400;
    let (store, users) = users();
    let taken = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let users = &users;
                scope.spawn(move || {
                    for id in writer * EACH..(writer + 1) * EACH {
                        users.store(user(&id.to_string(), id)).unwrap();
                        assert_eq!(users.find(field("visits").eq(id)).limit(1).count(), Ok(1));
                    }
                })
            })
            .collect();
        let mut taken = Vec::new();
        while writers.iter().any(|writer| !writer.is_finished()) {
            taken.push(store.take_latency());
        }
        taken
    });
    let last = store.take_latency();
    let sum = |of: fn(&LatencyStats) -> u64| taken.iter().chain([&last]).map(of).sum::<u64>();
    assert_eq!((sum(|of| of.commit.count), sum(|of| of.query.count)), (2 * EACH as u64, 2 * EACH as u64));
    for LatencyStats { query, commit, .. } in taken.iter().chain([&last]) {
        for of in [query, commit] {
            assert!(of.count > 0 || *of == CallLatency::default(), "{of:?}");
            assert!(of.p50 <= of.p99 && of.p99 <= of.p999 && of.p999 <= of.max, "{of:?}");
        }
    }
    assert_eq!(store.take_latency(), LatencyStats::default(), "a new interval is empty");
    assert_eq!(store.stats().latency, LatencyStats::default());
}

#[derive(Clone, Record)]
struct Account {
    #[record(key)]
    id: u32,
    #[record(unique)]
    iban: String,
}

#[test]
fn gets_of_every_kind_are_sampled() {
    let store = Store::new();
    let accounts = store.collection::<Account>("accounts").unwrap();
    accounts.store(Account { id: 1, iban: "a".to_owned() }).unwrap();
    let before = store.snapshot();
    // A mark after the snapshot, so that its look-up by value runs a query.
    accounts.store(Account { id: 2, iban: "b".to_owned() }).unwrap();
    let view = before.of(&accounts);
    let gets: [&dyn Fn() -> u32; 8] = [
        &|| accounts.get(1).unwrap().id,
        &|| accounts.get_with(1, |account| account.id).unwrap(),
        &|| accounts.get_by(account::IBAN, "a").unwrap().unwrap().id,
        &|| u32::from(accounts.contains(1)),
        &|| view.get(1).unwrap().id,
        &|| view.get_with(1, |account| account.id).unwrap(),
        &|| view.get_by(account::IBAN, "a").unwrap().unwrap().id,
        &|| u32::from(!view.contains(2)),
    ];
    let many = 40 * GETS_PER_SAMPLE;
    // Two samples are between 0.5 and 1.5 sampling intervals apart.
    let expected = u64::from(many / GETS_PER_SAMPLE * 2 / 3 - 1)..=u64::from(many / GETS_PER_SAMPLE * 2 + 1);
    let mut seen = 0;
    for get in gets {
        (0..many).for_each(|_| assert_eq!(get(), 1));
        let now = counts(&store).0;
        assert!(expected.contains(&(now - seen)), "{} of {many}", now - seen);
        seen = now;
    }
    assert_eq!((counts(&store).1, counts(&store).2), (0, 2), "none of them is a query");
    std::thread::scope(|scope| {
        let gets = || (0..many).for_each(|_| drop(accounts.get(1)));
        (0..4).for_each(|_| drop(scope.spawn(gets)));
    });
    assert!(counts(&store).0 >= seen + 4 * expected.start());
}

#[test]
fn a_panic_loses_no_measurement() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let gets = 20 * GETS_PER_SAMPLE;
    for _ in 0..gets {
        let panicked = catch_unwind(AssertUnwindSafe(|| users.get_with("1", |_| std::panic::panic_any(1))));
        assert!(panicked.is_err());
    }
    assert_eq!(counts(&store), (0, 0, 1), "what a panic leaves is not counted");
    (0..gets).for_each(|_| assert_eq!(users.get_with("1", |user| user.visits), Some(1)));
    assert!(counts(&store).0 >= 10);
}

#[test]
fn quantiles_are_in_order_and_user_code_counts() {
    let (store, users) = users();
    put(&users, 0..100);
    let pause = Duration::from_millis(20);
    let receipt = users
        .update("1", move |user| {
            std::thread::sleep(pause);
            user.visits += 1;
        })
        .unwrap();
    (0..300).for_each(|n| assert!(users.find(field("visits").ge(n)).count().unwrap() <= 100));
    (0..20 * GETS_PER_SAMPLE).for_each(|_| drop(users.get("1")));
    let LatencyStats { get, query, commit, .. } = store.stats().latency;
    for CallLatency { p50, p99, p999, max, .. } in [get, query, commit] {
        assert!(Duration::ZERO < p50 && p50 <= p99 && p99 <= p999 && p999 <= max);
    }
    assert_eq!((query.count, commit.count), (300, 101));
    assert!(commit.max >= pause && commit.max >= receipt.took && commit.p999 == commit.max);
}
