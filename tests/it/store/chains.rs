//! Long histories: the versions that a snapshot retains through many commits, and that all of them are reclaimed with
//! it.

use super::{User, user, users};
use crate::cases::rounds;
use memdex::stats::Stats;
use memdex::{Commit, Snapshot};

fn kept(stats: &Stats) -> (usize, usize) {
    (stats.collections[0].versions_retained, stats.collections[0].marks)
}

#[test]
fn many_updates_under_one_snapshot_retain_one_version() {
    let (store, users) = users();
    users.store(user("1", 0)).unwrap();
    let held = store.snapshot();
    let updates = i64::from(rounds(100_000));
    for n in 1..=updates {
        users.store(user("1", n)).unwrap();
        if n % 10_000 == 0 {
            let (versions, marks) = kept(&store.stats());
            assert_eq!(versions, 1);
            assert!(marks <= 2, "{marks} marks");
        }
    }
    assert_eq!((held.of(&users).get("1").unwrap().visits, users.get("1").unwrap().visits), (0, updates));
    assert_eq!(held.of(&users).find(super::user::VISITS.eq(0)).count(), Ok(1));
    assert_eq!(store.verify().unwrap().versions_retained, 1);
    drop(held);
    assert_eq!(kept(&store.stats()).0, 1, "the end of a snapshot drops nothing by itself");
    users.store(user("1", 0)).unwrap();
    assert_eq!(kept(&store.stats()), (0, 0), "the next commit does");
    store.verify().unwrap();
}

#[test]
fn one_snapshot_per_commit_retains_every_state() {
    const COMMITS: i64 = 1_000;
    let (store, users) = users();
    let mut held: Vec<Snapshot> = Vec::new();
    users.store(user("1", 0)).unwrap();
    for n in 1..=COMMITS {
        held.push(store.snapshot());
        users.store(User { city: (n % 3).to_string(), ..user("1", n) }).unwrap();
    }
    assert_eq!(kept(&store.stats()).0, COMMITS as usize);
    let answers = |held: &Snapshot| {
        let (n, view) = (held.commit().get() as i64 - 1, held.of(&users));
        assert_eq!((view.get("1").unwrap().visits, view.len(), view.iter().next().unwrap().visits), (n, 1, n));
        let city = if n == 0 { "Bern".to_owned() } else { (n % 3).to_string() };
        assert_eq!(view.find(super::user::CITY.eq(&city)).count(), Ok(1));
        assert_eq!(view.find(super::user::CITY.ne(&city) | super::user::VISITS.ne(n)).count(), Ok(0));
    };
    held.iter().for_each(answers);
    store.verify().unwrap();
    let mut random = 7_usize;
    while !held.is_empty() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        drop(held.swap_remove((random >> 33) % held.len()));
        store.optimize().unwrap();
        assert_eq!(kept(&store.stats()).0, held.len(), "each snapshot holds up its own version");
        if held.len().is_multiple_of(100) {
            assert_eq!(store.verify().unwrap().versions_retained, held.len());
            held.iter().for_each(answers);
        }
    }
    assert_eq!((kept(&store.stats()), store.stats().oldest_pin), ((0, 0), None));
}

#[test]
fn a_long_snapshot_is_reclaimed_in_slices() {
    const RECORDS: i64 = 3_000;
    let (store, users) = users();
    let fill =
        |visits| store.commit(|batch| (0..RECORDS).try_for_each(|n| batch.store(&users, user(&n.to_string(), visits))));
    fill(1).unwrap();
    let held = store.snapshot();
    store.commit(|batch| (0..RECORDS).try_for_each(|n| batch.delete(&users, n.to_string()))).unwrap();
    let empty = store.snapshot();
    fill(2).unwrap();
    assert_eq!(kept(&store.stats()).0, 2 * RECORDS as usize, "the records, and the tombstones");
    let count =
        |snapshot: &Snapshot, visits: i64| snapshot.of(&users).find(super::user::VISITS.eq(visits)).count().unwrap();
    assert_eq!((count(&held, 1), count(&empty, 1), count(&empty, 2)), (RECORDS as usize, 0, 0));
    assert_eq!((held.of(&users).len(), empty.of(&users).len(), users.len()), (RECORDS as usize, 0, RECORDS as usize));
    store.verify().unwrap();
    drop(held);
    store.verify().unwrap();
    assert_eq!(count(&empty, 2), 0);
    drop(empty);
    let mut left = vec![kept(&store.stats()).0];
    while left.last() != Some(&0) {
        users.update("0", |user| user.visits = 2).unwrap();
        left.push(kept(&store.stats()).0);
    }
    assert_eq!(left[0], 2 * RECORDS as usize);
    assert!(left.windows(2).all(|two| (1..=512).contains(&(two[0] - two[1]))), "{left:?}");
    assert_eq!(kept(&store.stats()), (0, 0));
    let stats = &store.stats().collections[0];
    assert_eq!((stats.rows_used, stats.rows_free), (RECORDS as usize, 0), "each key took over its own row");
    store.verify().unwrap();
}

#[test]
fn pins_beyond_the_slots_work_like_others() {
    let (store, users) = users();
    let mut held: Vec<Snapshot> = Vec::new();
    for n in 0..100 {
        users.store(user("1", n)).unwrap();
        held.extend((0..3).map(|_| store.snapshot()));
    }
    assert_eq!((store.stats().pinned_commits, store.stats().oldest_pin), (100, Some(Commit::from_number(1))));
    for snapshot in held.drain(..) {
        assert_eq!(snapshot.of(&users).get("1").unwrap().visits, snapshot.commit().get() as i64 - 1);
    }
    store.optimize().unwrap();
    assert_eq!((kept(&store.stats()), store.stats().oldest_pin), ((0, 0), None));
}
