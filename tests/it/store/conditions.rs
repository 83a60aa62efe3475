//! Writes that are refused if the record has changed since it was read.

use super::{ids, state, user, users};
use memdex::error::Cause;
use memdex::{Commit, Record, Store};
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

/// After a delete there is no record that could have been seen; a record that is stored then is a new one.
#[test]
fn conditions_find_nothing_after_a_delete_of_the_same_batch() {
    let (store, users) = users();
    let seen = users.store(user("1", 1)).unwrap().commit;
    let stale = |batch: memdex::Batch, at: usize| match batch.commit().unwrap_err().into_refusal() {
        refusal if refusal.position() == Some(at) => match refusal.cause() {
            Cause::Stale { now: None, .. } => {}
            _ => panic!("{refusal}"),
        },
        refusal => panic!("{refusal}"),
    };
    let mut batch = store.batch();
    batch.delete(&users, "1").unwrap();
    batch.if_unchanged(seen).store(&users, user("1", 2)).unwrap();
    assert_eq!(batch.get(&users, "1").unwrap_err().position(), Some(1));
    stale(batch, 1);
    let mut batch = store.batch();
    batch.delete_where(&users, user::VISITS.eq(1)).unwrap();
    batch.store(&users, user("1", 2)).unwrap();
    batch.if_unchanged(seen).update(&users, "1", |user| user.visits += 1).unwrap();
    stale(batch, 2);
    let mut batch = store.batch();
    store.any_collection("users").unwrap().delete_key(&mut batch, users.get("1").unwrap().key()).unwrap();
    batch.if_unchanged(seen).delete(&users, "1").unwrap();
    stale(batch, 1);
    // A record that the batch inserts was never seen.
    let mut batch = store.batch();
    batch.insert(&users, user("2", 2)).unwrap();
    batch.if_unchanged(seen).store(&users, user("2", 3)).unwrap();
    stale(batch, 1);
    // A delete that is left out has deleted nothing.
    let mut batch = store.batch();
    batch.if_unchanged(Commit::from_number(77)).delete(&users, "1").unwrap();
    batch.if_unchanged(seen).update(&users, "1", |user| user.visits += 1).unwrap();
    batch.if_unchanged(seen).update(&users, "1", |user| user.visits += 1).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!((report.refused.len(), state(&users)), (1, vec![("1".to_owned(), 3)]));
    // The same through a background writer.
    let seen = users.get("1").unwrap().commit();
    let background = store.background_writer().start().unwrap();
    let mut batch = store.batch();
    batch.delete(&users, "1").unwrap();
    batch.if_unchanged(seen).store(&users, user("1", 2)).unwrap();
    let error = background.submit(batch).unwrap().wait().unwrap_err();
    assert_eq!(error.refusal().and_then(|refusal| refusal.position()), Some(1), "{error}");
    store.verify().unwrap();
}

/// The refusal names the first operation at fault of the whole batch, whatever its collection and whatever finds it.
#[test]
fn a_refusal_names_the_lowest_position() {
    #[derive(Clone, Record)]
    struct Item {
        #[record(key)]
        id: u32,
        #[record(unique)]
        code: u32,
        #[record(ordered)]
        weight: f64,
    }
    let item = |id: u32, code: u32, weight: f64| Item { id, code, weight };
    let store = Store::new();
    let collections = ["a", "b"].map(|name| store.collection::<Item>(name).unwrap());
    for collection in &collections {
        store.commit(|batch| (0..4).try_for_each(|n| batch.insert(collection, item(n, n, 1.0)))).unwrap();
    }
    let [a, b] = &collections;
    let position = |add: &dyn Fn(&mut memdex::Batch)| {
        let mut batch = store.batch();
        add(&mut batch);
        let strict = batch.commit().unwrap_err();
        let (position, batch) = (strict.refusal().position(), strict.into_batch());
        let left_out: Vec<_> = batch.commit_lenient().unwrap().refused.into_iter().collect();
        assert_eq!(left_out.first().and_then(|left_out| left_out.refusal.position()), position);
        position
    };
    // The collection of the batch's first operation is not at fault first.
    let by_key = position(&|batch| {
        batch.store(a, item(10, 10, 1.0)).unwrap();
        batch.insert(b, item(1, 11, 1.0)).unwrap();
        batch.update(a, 77, |_| ()).unwrap();
    });
    assert_eq!(by_key, Some(1));
    // Unique values and values that can't be indexed are found after conditions on keys, but come first.
    let by_value = position(&|batch| {
        batch.store(a, item(12, 12, 1.0)).unwrap();
        batch.store(b, item(13, 2, 1.0)).unwrap();
        batch.update(b, 77, |_| ()).unwrap();
        batch.update(a, 77, |_| ()).unwrap();
    });
    assert_eq!(by_value, Some(1));
    let by_kind = position(&|batch| {
        batch.store(a, item(14, 14, 1.0)).unwrap();
        batch.store(a, item(15, 15, f64::NAN)).unwrap();
        batch.store(a, item(16, 3, 1.0)).unwrap();
        batch.insert(b, item(1, 16, 1.0)).unwrap();
    });
    assert_eq!(by_kind, Some(1));
    // An operation is not at fault for a value that a refused one would have released.
    let mut batch = store.batch();
    batch.store(a, item(17, 3, 1.0)).unwrap();
    batch.if_unchanged(Commit::from_number(99)).delete(a, 3).unwrap();
    assert_eq!(batch.commit().unwrap_err().refusal().position(), Some(1));
    store.verify().unwrap();
}
