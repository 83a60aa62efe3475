//! Writes by predicate: which records they see, what is counted and refused, and what the batch says about them.

use super::{User, ids, state, user, users};
use memdex::error::{Cause, KeyError, QueryError, Refusal};
use memdex::limits::MAX_KEY_BYTES;
use memdex::write::Outcome;
use memdex::{Filter, field};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn they_are_commits_of_their_own() {
    let (store, users) = users();
    store.commit(|batch| (1..=9).try_for_each(|n| batch.insert(&users, user(&n.to_string(), n)))).unwrap();
    let held = store.snapshot();
    let receipt =
        users.update_where(user::CITY.eq("Bern") & user::VISITS.is_in([1, 2, 3]), |user| user.visits += 100).unwrap();
    assert_eq!((receipt.commit.get(), receipt.counts.updated, receipt.counts.total()), (2, 3, 3));
    let receipt = users.delete_where(!user::VISITS.is_in([101, 102, 4])).unwrap();
    assert_eq!((receipt.commit.get(), receipt.counts.deleted), (3, 6));
    assert_eq!(state(&users), [("1", 101), ("2", 102), ("4", 4)].map(|(id, n)| (id.to_owned(), n)));
    let none = users.delete_where(user::CITY.eq("Thun")).unwrap();
    assert_eq!(none.counts.total(), 0, "a delete that means nothing is not missing anything");
    assert_eq!(held.of(&users).len(), 9);
    assert_eq!(users.delete_where(Filter::all()).unwrap().counts.deleted, 3);
    assert!(users.is_empty() && !held.of(&users).is_empty());
    store.verify().unwrap();
}

#[test]
fn they_see_what_the_batch_has_done_before_them_and_nothing_after() {
    let (store, users) = users();
    store.commit(|batch| (1..=6).try_for_each(|n| batch.insert(&users, user(&n.to_string(), 0)))).unwrap();
    let mut batch = store.batch();
    let zero = || user::VISITS.eq(0);
    batch.delete(&users, "1").unwrap();
    batch.update(&users, "2", |user| user.visits = 5).unwrap();
    batch.insert(&users, user("7", 0)).unwrap();
    batch.insert(&users, user("8", 5)).unwrap();
    batch.update_where(&users, zero(), |user| user.visits += 1).unwrap(); // 3 4 5 6 7
    batch.update_where(&users, zero(), |_| panic!("there are none left")).unwrap();
    batch.update(&users, "3", |user| user.visits = 0).unwrap();
    batch.insert(&users, user("1", 0)).unwrap();
    batch.delete_where(&users, zero()).unwrap(); // 1 3
    batch.insert(&users, user("3", 9)).unwrap();
    batch.delete(&users, "2").unwrap();
    batch.delete_where(&users, user::VISITS.eq(9) & field("id").eq("3")).unwrap(); // 3
    batch.store(&users, user("9", 0)).unwrap();
    let visits = |id: &str| batch.get(&users, id).unwrap().map(|user| user.visits);
    assert_eq!(
        ["1", "2", "3", "4", "7", "8", "9", "0"].map(visits),
        [None, None, None, Some(1), Some(1), Some(5), Some(0), None]
    );
    let report = batch.commit_reported().unwrap();
    use Outcome::*;
    let did: Vec<Outcome> = report.outcomes.iter().map(|(_, outcome)| *outcome).collect();
    let expected = [
        Deleted,
        Updated,
        Created,
        Created,
        UpdatedWhere(5),
        UpdatedWhere(0),
        Updated,
        Created,
        DeletedWhere(2),
        Created,
        Deleted,
        DeletedWhere(1),
        Created,
    ];
    assert_eq!(did, expected);
    let expected = [("4", 1), ("5", 1), ("6", 1), ("7", 1), ("8", 5), ("9", 0)];
    assert_eq!(state(&users), expected.map(|(id, visits)| (id.to_owned(), visits)));
    assert_eq!(users.find(user::CITY.eq("Bern")).count(), Ok(6));
    store.verify().unwrap();
}

#[test]
fn a_record_that_is_refused_refuses_all_and_is_named() {
    let (store, users) = users();
    store.commit(|batch| (1..=5).try_for_each(|n| batch.insert(&users, user(&n.to_string(), n)))).unwrap();
    let before = state(&users);
    let refused = users.update_where(Filter::all(), |user| {
        user.visits += 1;
        if user.id == "4" { Err("not this one") } else { Ok(()) }
    });
    assert_eq!(refused.unwrap_err().to_string(), "update_where of \"4\" in \"users\" refused: not this one");
    let moved = users.update_where(user::VISITS.eq(3), |user| user.id.push('0')).unwrap_err();
    assert_eq!(moved.refusal().key().unwrap(), &"3");
    assert!(matches!(moved.cause(), Cause::KeyChanged { to, .. } if *to == "30"));
    let grown = users.update_where(user::VISITS.eq(2), |user| user.city = "c".repeat(70_000)).unwrap_err();
    assert_eq!((grown.refusal().key().unwrap() == &"2", grown.refusal().operation()), (true, "update_where"));
    let panicked = users.update_where(user::VISITS.eq(5), |_| panic!("no")).unwrap_err();
    assert!(matches!(panicked.cause(), Cause::Panicked { what: "update closure", .. }));
    let mut batch = panicked.into_batch();
    let info = &batch.operations()[0];
    assert_eq!((info.operation, &*info.collection, &info.key), ("update_where", "users", &None));
    assert!(!batch.edit(&users, 0, |_| panic!("it brings no record")).unwrap());
    assert!(batch.remove(0).unwrap().into_record::<User>().is_none());
    assert_eq!((state(&users), store.newest_commit().get()), (before, 1));
    store.verify().unwrap();
}

#[test]
fn a_filter_that_does_not_fit_is_refused_at_once() {
    let (store, users) = users();
    let mut batch = store.batch();
    let refusal = batch.delete_where(&users, field("town").eq("Bern")).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::Query(QueryError::UnknownField { .. })), "{refusal}");
    assert_eq!(
        refusal.to_string(),
        "delete_where in \"users\" refused: collection \"users\" has no field \"town\"; it has id, city, visits"
    );
    let refused = users.update_where(field("visits").eq("many"), |_| ()).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(QueryError::WrongKind { .. })));
    let other = memdex::Store::new().collection::<User>("users").unwrap();
    assert!(matches!(batch.delete_where(&other, Filter::all()).unwrap_err().cause(), Cause::OtherStore));
    assert!(
        batch.is_empty()
            && batch
                .delete(&users, "k".repeat(MAX_KEY_BYTES))
                .is_err_and(|r| matches!(r.cause(), Cause::Key(KeyError::TooLong { .. })))
    );
    let refusal = Refusal::from(users.find(field("town").eq("Bern")).count().unwrap_err());
    assert!(matches!(refusal.cause(), Cause::Query(_)), "also of a query in the closure of a commit");
}

#[test]
fn a_writer_takes_them_and_a_closure_runs_once_a_record() {
    let (store, users) = users();
    let calls = Arc::new(AtomicUsize::new(0));
    let mut writer = store.writer().bulk_size(3);
    writer.insert(&users, user("1", 1)).unwrap();
    writer.insert(&users, user("2", 1)).unwrap();
    let counted = calls.clone();
    let count = move |user: &mut User| {
        counted.fetch_add(1, SeqCst);
        user.visits += 1;
    };
    writer.update_where(&users, user::VISITS.eq(1), count).unwrap();
    assert_eq!((state(&users), calls.load(SeqCst)), (vec![("1".into(), 2), ("2".into(), 2)], 2));
    writer.delete_where(&users, field("id").eq("1")).unwrap();
    writer.flush().unwrap();
    assert_eq!(state(&users), ids([2]));
    assert_eq!((writer.counts().inserted, writer.counts().updated, writer.counts().deleted), (2, 2, 1));
}

/// While the evaluator pins and lets go, others hold snapshots; a row that was freed and given out again is no stranger.
#[test]
fn rows_that_are_given_out_again_are_told_apart() {
    let (store, users) = users();
    for round in 0..40_i64 {
        let held = store.snapshot();
        store
            .commit(|batch| {
                batch.delete_where(&users, user::VISITS.eq(round - 1))?;
                (0..20).try_for_each(|n| batch.insert(&users, user(&format!("{round}-{n}"), round)))?;
                batch.update_where(&users, field("id").eq(format!("{round}-3")), |user| user.visits = -1)
            })
            .unwrap();
        assert_eq!(users.find(user::VISITS.eq(round)).count(), Ok(19));
        assert_eq!(users.find(user::VISITS.eq(-1)).count(), Ok(round as usize + 1));
        drop(held);
        store.verify().unwrap();
    }
}
