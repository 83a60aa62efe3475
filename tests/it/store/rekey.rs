//! A record moves to another key, as one operation.

use super::{state, user, users};
use memdex::error::Cause;
use memdex::hook::CommitInfo;
use memdex::write::Outcome;
use memdex::{Record, Store};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn a_record_moves_to_another_key() {
    let (store, users) = users();
    users.insert(user("a", 1)).unwrap();
    let held = store.snapshot();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = seen.clone();
    let observe = move |commit: &CommitInfo| {
        let shown = |change: &memdex::hook::RecordChange<super::User>| {
            (change.key.to_string(), change.before.is_some(), change.after.is_some())
        };
        let mut changes: Vec<_> = commit.changes("users").iter().map(shown).collect();
        changes.sort();
        observed.lock().unwrap().extend(changes);
    };
    store.observe(observe).unwrap();
    let receipt = users
        .rekey("a", "b", |user| {
            user.id = "b".into();
            user.visits += 1;
        })
        .unwrap();
    assert_eq!((receipt.counts.updated, receipt.counts.total()), (1, 1));
    assert_eq!(state(&users), [("b".to_owned(), 2)]);
    assert_eq!(*seen.lock().unwrap(), [("a".to_owned(), true, false), ("b".to_owned(), false, true)]);
    assert_eq!((held.of(&users).get("a").unwrap().visits, held.of(&users).get("b")), (1, None));
    users.rekey("b", "b", |user| user.visits = 7).unwrap();
    assert_eq!(users.get("b").unwrap().visits, 7, "an update");
    drop(held);
    store.verify().unwrap();
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let (store, users) = users();
    store.commit(|batch| ["a", "b"].iter().try_for_each(|id| batch.insert(&users, user(id, 1)))).unwrap();
    let to = |id: &'static str| move |user: &mut super::User| user.id = id.into();
    let refused = users.rekey("c", "d", to("d")).unwrap_err();
    assert!(matches!(refused.cause(), Cause::KeyMissing) && refused.refusal().key().unwrap() == &"c", "{refused}");
    let refused = users.rekey("a", "b", to("b")).unwrap_err();
    assert!(matches!(refused.cause(), Cause::KeyExists) && refused.refusal().key().unwrap() == &"b", "{refused}");
    let refused = users.rekey("a", "c", to("d")).unwrap_err();
    assert!(matches!(refused.cause(), Cause::NotRekeyed { expected, found, .. } if *expected == "c" && *found == "d"));
    assert_eq!(
        refused.to_string(),
        "rekey of \"a\" in \"users\" refused: rekey moves the record to the key \"c\", but the closure left it with \"d\": set the key in \
         the closure"
    );
    assert!(matches!(users.rekey("a", "c", |_| ()).unwrap_err().cause(), Cause::NotRekeyed { .. }));
    assert!(matches!(users.rekey("a", "a", to("c")).unwrap_err().cause(), Cause::KeyChanged { .. }));
    assert!(matches!(users.update("a", to("c")).unwrap_err().cause(), Cause::KeyChanged { .. }), "as before");
    let refused = users.rekey("a", "c", |_| Err::<(), _>("not now")).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Closure(_)));
    assert!(matches!(users.rekey("a", "c", |_| panic!("no")).unwrap_err().cause(), Cause::Panicked { .. }));
    assert!(matches!(users.rekey("a", "c".repeat(70_000), |_| ()).unwrap_err().cause(), Cause::Key(_)));
    let read = users.get("a").unwrap().commit();
    users.update("a", |user| user.visits = 5).unwrap();
    assert!(matches!(users.if_unchanged(read).rekey("a", "c", to("c")).unwrap_err().cause(), Cause::Stale { .. }));
    users.if_unchanged(users.get("a").unwrap().commit()).rekey("a", "c", to("c")).unwrap();
    assert_eq!(state(&users), [("b".to_owned(), 1), ("c".to_owned(), 5)]);
    store.verify().unwrap();
}

#[test]
fn keys_are_judged_by_the_net_state_of_the_batch() {
    let (store, users) = users();
    store.commit(|batch| ["a", "b"].iter().zip(1..).try_for_each(|(id, n)| batch.insert(&users, user(id, n)))).unwrap();
    let to = |id: &'static str| move |user: &mut super::User| user.id = id.into();
    // Two records swap their keys.
    let mut batch = store.batch();
    batch.rekey(&users, "a", "free", to("free")).unwrap();
    batch.rekey(&users, "b", "a", to("a")).unwrap();
    batch.rekey(&users, "free", "b", to("b")).unwrap();
    batch.insert(&users, user("c", 3)).unwrap();
    batch.rekey(&users, "c", "d", to("d")).unwrap();
    let visits = |id: &str| batch.get(&users, id).unwrap().map(|user| user.visits);
    assert_eq!(["a", "b", "free", "c", "d", "e"].map(visits), [Some(2), Some(1), None, None, Some(3), None]);
    let info = &batch.operations()[0];
    assert_eq!((info.operation, info.key.as_ref().unwrap() == &"a"), ("rekey", true));
    let report = batch.commit_reported().unwrap();
    assert_eq!(report.outcome(0), Some(Outcome::Updated));
    assert_eq!(state(&users), [("a".into(), 2), ("b".into(), 1), ("d".into(), 3)]);
    // A key is free once its record was deleted or has moved.
    let mut batch = store.batch();
    batch.delete(&users, "b").unwrap();
    batch.rekey(&users, "a", "b", to("b")).unwrap();
    batch.insert(&users, user("a", 9)).unwrap();
    batch.rekey(&users, "d", "b", to("b")).unwrap();
    assert!(matches!(batch.get(&users, "b").unwrap_err().cause(), Cause::KeyExists));
    let refused = batch.commit().unwrap_err();
    assert_eq!(refused.refusal().position(), Some(3));
    let mut batch = refused.into_batch();
    batch.remove(3);
    batch.commit().unwrap();
    assert_eq!(state(&users), [("a".into(), 9), ("b".into(), 2), ("d".into(), 3)]);
    store.verify().unwrap();
}

#[test]
fn unique_values_move_with_the_record() {
    #[derive(Clone, Record)]
    struct Member {
        #[record(key)]
        id: u32,
        #[record(unique)]
        email: String,
    }
    let store = Store::new();
    let members = store.collection::<Member>("Member").unwrap();
    let member = |id: u32| Member { id, email: format!("{id}@example.org") };
    store.commit(|batch| (0..4).try_for_each(|id| batch.insert(&members, member(id)))).unwrap();
    members.rekey(0, 10, |member| member.id = 10).unwrap();
    assert_eq!(members.get_by(member::EMAIL, "0@example.org").unwrap().unwrap().id, 10);

    // The operation is at fault that gave the value to the record of this key.
    let mut batch = store.batch();
    batch.rekey(&members, 10, 11, |member| member.id = 11).unwrap();
    batch.rekey(&members, 1, 12, |member| (member.id, member.email) = (12, "2@example.org".into())).unwrap();
    batch.rekey(&members, 12, 13, |member| member.id = 13).unwrap();
    batch.update(&members, 1, |_| ()).unwrap();
    let report = batch.commit_lenient().unwrap();
    let refused: Vec<_> = report.refused.iter().map(|of| (of.operation.info.position, of.refusal.cause())).collect();
    assert!(matches!(refused[..], [(1, Cause::NotUnique { .. }), (2, Cause::NotUnique { .. })]), "{refused:?}");
    assert_eq!(report.outcome(3), Some(Outcome::Updated), "its record is where it was");

    // What it depends on was left out.
    let mut batch = store.batch();
    let swap =
        |member: &mut Member| member.email = if member.id == 3 { "2@example.org" } else { "new@example.org" }.into();
    batch.update_where(&members, member::ID.is_in([1, 3]), swap).unwrap();
    batch.rekey(&members, 1, 12, |member| member.id = 12).unwrap();
    batch.update(&members, 1, |_| ()).unwrap();
    let report = batch.commit_lenient().unwrap();
    let refused: Vec<_> = report.refused.iter().map(|of| (of.operation.info.position, of.refusal.cause())).collect();
    assert!(matches!(refused[..], [(0, Cause::NotUnique { .. }), (1, Cause::DependsOnLeftOut)]), "{refused:?}");
    assert_eq!(report.outcome(2), Some(Outcome::Updated));
    let ids: Vec<u32> =
        members.find(memdex::Filter::all()).order_by(member::ID.asc()).fetch().unwrap().iter().map(|m| m.id).collect();
    assert_eq!(ids, [1, 2, 3, 11]);
    store.verify().unwrap();
}

#[test]
fn the_background_writer_knows_both_keys() {
    let (store, users) = users();
    users.insert(user("a", 1)).unwrap();
    let background = store.background_writer().linger(Duration::from_millis(5)).start().unwrap();
    let to = |id: &'static str| move |user: &mut super::User| user.id = id.into();
    let mut tickets = [
        background.submit_with(|batch| batch.rekey(&users, "a", "b", to("b"))).unwrap(),
        background.submit_with(|batch| batch.update(&users, "b", |user| user.visits = 2)).unwrap(),
        background.submit_with(|batch| batch.insert(&users, user("b", 3))).unwrap(),
        background.submit_with(|batch| batch.rekey(&users, "b", "c", to("c"))).unwrap(),
        background.submit_with(|batch| batch.insert(&users, user("b", 4))).unwrap(),
    ];
    let done: Vec<bool> = tickets.iter_mut().map(|ticket| ticket.wait().is_ok()).collect();
    assert_eq!(done, [true, true, false, true, true]);
    assert_eq!(state(&users), [("b".into(), 4), ("c".into(), 2)]);
    store.verify().unwrap();
}
