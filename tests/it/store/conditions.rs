//! Writes that are refused if the record has changed since it was read.

use super::{ids, state, user, users};
use memdex::Commit;
use memdex::error::Cause;
use std::collections::BTreeSet;

#[test]
fn concurrent_writers_with_conditions_lose_no_update() {
    const WRITERS: i64 = 3;
    const EACH: i64 = 200;
    let (store, users) = users();
    users.store(user("1", 0)).unwrap();
    let stale: i64 = std::thread::scope(|scope| {
        let write = |writer: i64| {
            let users = &users;
            move || {
                let (mut done, mut stale) = (0, 0);
                while done < EACH {
                    let seen = users.get("1").unwrap();
                    let next = user("1", seen.visits + 1);
                    let written = match writer % 2 {
                        0 => users.if_unchanged(seen.commit()).store(next),
                        _ => users.if_unchanged(seen.commit()).update("1", |user| user.visits += 1),
                    };
                    match written {
                        Ok(receipt) => {
                            assert!(receipt.commit > seen.commit());
                            done += 1;
                        }
                        Err(refused) => match refused.cause() {
                            Cause::Stale { seen: reported, now, .. } => {
                                assert!(*reported == seen.commit() && *now > Some(seen.commit()), "{refused}");
                                stale += 1;
                            }
                            _ => panic!("{refused}"),
                        },
                    }
                }
                stale
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(write(writer))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    let all = (WRITERS * EACH) as u64;
    assert_eq!(users.get("1").unwrap().visits, WRITERS * EACH);
    assert_eq!((store.newest_commit().get(), store.stats().refusals), (1 + all, stale as u64));
    store.verify().unwrap();
}

/// A record that was deleted, or deleted and stored again, has changed, even if it is the same.
#[test]
fn a_record_that_was_deleted_has_changed() {
    let (store, users) = users();
    let seen = users.store(user("1", 1)).unwrap().commit;
    let stale = |refused: memdex::write::Refused| match refused.cause() {
        Cause::Stale { seen, now, .. } => (seen.get(), now.map(Commit::get)),
        _ => panic!("{refused}"),
    };
    users.clear().unwrap();
    assert_eq!(stale(users.if_unchanged(seen).store(user("1", 2)).unwrap_err()), (1, None));
    assert_eq!(stale(users.if_unchanged(seen).update("1", |_| ()).unwrap_err()), (1, None));
    assert_eq!(stale(users.if_unchanged(seen).delete("1").unwrap_err()), (1, None));
    users.store(user("1", 1)).unwrap();
    assert_eq!(stale(users.if_unchanged(seen).store(user("1", 2)).unwrap_err()), (1, Some(3)));
    // Refused as a whole.
    let mut batch = store.batch();
    batch.store(&users, user("2", 2)).unwrap();
    batch.if_unchanged(seen).store(&users, user("1", 2)).unwrap();
    assert_eq!(stale(batch.commit().unwrap_err()), (1, Some(3)));
    assert_eq!(state(&users), ids([1]));
    // An unconditional write of another record changes nothing.
    users.store(user("3", 3)).unwrap();
    users.if_unchanged(Commit::from_number(3)).delete("1").unwrap();
    assert_eq!(state(&users), ids([3]));
    store.verify().unwrap();
}

/// Conditions compare with the state before the batch, except for records that the batch itself has changed.
#[test]
fn conditions_within_one_batch_see_its_earlier_operations() {
    let (store, users) = users();
    let seen = users.store(user("1", 1)).unwrap().commit;
    let mut batch = store.batch();
    batch.if_unchanged(seen).update(&users, "1", |user| user.visits += 1).unwrap();
    batch.update(&users, "1", |user| user.visits += 10).unwrap();
    let receipt = batch.commit().unwrap();
    assert_eq!(users.get("1").unwrap().visits, 12);
    let mut batch = store.batch();
    for id in ["1", "2"] {
        batch.if_unchanged(receipt.commit).store(&users, user(id, 7)).unwrap();
    }
    let report = batch.commit_lenient().unwrap();
    let refused: BTreeSet<usize> = report.refused.iter().filter_map(|refused| refused.refusal.position()).collect();
    assert_eq!(refused, [1].into(), "there is no second record");
    assert_eq!(state(&users), ids([]).into_iter().chain([("1".to_owned(), 7)]).collect::<Vec<_>>());
}
