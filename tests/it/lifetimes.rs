//! Records with lifetimes, under a manual clock: directed tests, and random commands against a map with deadlines.

mod background;
mod random;

use memdex::clock::ManualClock;
use memdex::error::Cause;

use memdex::hook::{ChangeKind, FeedEvent};
use memdex::schema::AggregateDef;
use memdex::write::{DefaultLifetime, Lifetime};
use memdex::{Collection, Filter, GroupBy, Kind, Metric, Record, Store, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Session {
    #[record(key)]
    id: u32,
    #[record(unique)]
    token: String,
    #[record(index)]
    user: String,
    #[record(ordered, column)]
    hits: i64,
}

fn session(id: u32, user: &str) -> Session {
    Session { id, token: format!("t{id}"), user: user.to_owned(), hits: i64::from(id) }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn sessions() -> (Store, Collection<Session>, ManualClock) {
    let clock = ManualClock::starting_at(Timestamp::from_secs(1_000));
    let store = Store::builder().clock(clock.clone()).build();
    let sessions = store.collection::<Session>("Session").unwrap();
    (store, sessions, clock)
}

#[test]
fn a_rollback_takes_back_what_reads_have_extended_since() {
    let (store, sessions, clock) = sessions();
    sessions.with_lifetime(seconds(10)).store(session(1, "ada")).unwrap();
    let before = store.checkpoint().unwrap();
    sessions.set_default_lifetime(DefaultLifetime::Sliding(seconds(60))).unwrap();
    clock.advance(seconds(5));
    assert_eq!(sessions.get(1).unwrap().expires_at(), Some(Timestamp::from_secs(1_065)));
    store.rollback(&before).unwrap();
    assert_eq!(sessions.peek(1).unwrap().expires_at(), Some(Timestamp::from_secs(1_015)));
}

#[test]
fn every_read_misses_what_has_expired() {
    let (store, sessions, clock) = sessions();
    sessions.add_aggregate(AggregateDef::new("by_user", GroupBy::values("user").metrics([Metric::count()]))).unwrap();
    for id in 0..10 {
        sessions.with_lifetime(seconds(10 + u64::from(id))).store(session(id, "ada")).unwrap();
    }
    sessions.store(session(99, "eve")).unwrap();
    let before = store.snapshot();
    clock.advance(seconds(14));
    let check = || {
        assert!(sessions.get(4).is_none() && sessions.get(5).is_some());
        assert!(sessions.peek(4).is_none() && !sessions.contains(4) && sessions.get_with(4, |_| ()).is_none());
        assert!(sessions.get_by(session::TOKEN, "t4").unwrap().is_none());
        assert!(sessions.get_by(session::TOKEN, "t5").unwrap().is_some());
        assert_eq!(sessions.get_many([3, 4, 5]).iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!((sessions.len(), sessions.iter().count()), (6, 6));
        assert_eq!(sessions.find(session::USER.eq("ada")).count(), Ok(5));
        assert_eq!(sessions.find(session::HITS.le(5)).count(), Ok(1));
        assert_eq!(sessions.find(!session::USER.eq("eve")).fetch().unwrap().len(), 5);
        let page = sessions.find(Filter::all()).order_by(session::HITS.asc()).limit(2).fetch().unwrap();
        assert_eq!(page.iter().map(|found| found.id).collect::<Vec<_>>(), [5, 6]);
        let all = sessions.find(Filter::all()).statistics([session::HITS.sum(), Metric::count()]).unwrap();
        assert_eq!((all.int("sum(hits)"), all.int("count")), (Some(5 + 6 + 7 + 8 + 9 + 99), Some(6)));
        assert_eq!(sessions.aggregate("by_user").unwrap().group("ada").unwrap().int("count"), Some(5));
        let groups =
            sessions.find(Filter::all()).statistics(GroupBy::values("user").metrics([Metric::count()])).unwrap();
        assert_eq!(groups.group("ada").unwrap().int("count"), Some(5));
        let of_before = before.of(&sessions);
        assert_eq!((of_before.len(), of_before.get(4).is_some()), (11, true));
        assert_eq!(of_before.find(session::USER.eq("ada")).count(), Ok(10));
        store.verify().unwrap();
    };
    check();
    assert_eq!(store.expire_now().unwrap(), 5);
    check();
    assert_eq!(store.stats().collections[0].records, 6);
    let held = store.snapshot();
    clock.advance(seconds(100));
    assert_eq!((sessions.len(), held.of(&sessions).len()), (1, 6));
    assert_eq!(store.expire_now().unwrap(), 5);
    assert_eq!((sessions.len(), held.of(&sessions).len(), store.expire_now().unwrap()), (1, 6, 0));
    store.verify().unwrap();
}

#[test]
fn an_expired_record_is_missing_to_every_command() {
    let (store, sessions, clock) = sessions();
    let fill = || {
        for id in 0..8 {
            sessions.with_lifetime(seconds(10)).store(session(id, "ada")).unwrap();
        }
        clock.advance(seconds(10));
    };
    fill();
    assert!(matches!(sessions.update(0, |of| of.hits += 1).unwrap_err().cause(), Cause::KeyMissing));
    assert!(matches!(sessions.rekey(0, 50, |of| of.id = 50).unwrap_err().cause(), Cause::KeyMissing));
    assert!(matches!(sessions.set_lifetime(0, seconds(9)).unwrap_err().cause(), Cause::KeyMissing));
    assert!(sessions.take(0).unwrap().is_none());
    let counts = sessions.delete(1).unwrap().counts;
    assert_eq!((counts.missing, counts.deleted, counts.expired), (1, 0, 1));
    let counts = sessions.insert(session(2, "bob")).unwrap().counts;
    assert_eq!((counts.inserted, counts.expired), (1, 1));
    let counts = sessions.store(session(3, "bob")).unwrap().counts;
    assert_eq!((counts.inserted, counts.replaced, counts.expired), (1, 0, 1));
    sessions.upsert(session(4, "bob"), |of| of.user = "changed".into()).unwrap();
    assert_eq!(sessions.get(4).unwrap().user, "bob");
    assert_eq!(sessions.update_where(session::USER.eq("ada"), |of| of.hits = 0).unwrap().counts.updated, 0);
    assert_eq!(sessions.delete_where(session::USER.eq("ada")).unwrap().counts.deleted, 0);
    assert_eq!(sessions.matching(session::USER.eq("ada")).first(3).delete().unwrap().records.len(), 0);
    // A unique value of another key.
    let counts = sessions.insert(Session { id: 60, ..session(5, "bob") }).unwrap().counts;
    assert_eq!((counts.inserted, counts.expired), (1, 1));
    assert_eq!(sessions.get_by(session::TOKEN, "t5").unwrap().unwrap().id, 60);
    // The new key of a move.
    sessions.store(session(70, "bob")).unwrap();
    sessions.rekey(70, 6, |of| of.id = 6).unwrap();
    let stale = sessions.get(6).unwrap().commit();
    sessions.set_lifetime(6, seconds(5)).unwrap();
    clock.advance(seconds(5));
    assert!(matches!(
        sessions.if_unchanged(stale).store(session(6, "x")).unwrap_err().cause(),
        Cause::Stale { now: None, .. }
    ));
    store.verify().unwrap();
    assert_eq!(sessions.len(), 4);
    store.expire_now().unwrap();
    assert_eq!((sessions.len(), store.stats().collections[0].records), (4, 4));
    store.verify().unwrap();
}

#[test]
fn an_expired_holder_of_a_unique_value_is_no_obstacle_to_any_form_of_commit() {
    let (store, sessions, clock) = sessions();
    for id in 0..4 {
        sessions.with_lifetime(seconds(1)).store(session(id, "ada")).unwrap();
    }
    sessions.store(session(9, "eve")).unwrap();
    clock.advance(seconds(1));
    let mut batch = store.batch();
    batch.insert(&sessions, Session { id: 10, ..session(0, "bob") }).unwrap();
    batch.insert(&sessions, Session { id: 11, ..session(9, "bob") }).unwrap();
    batch.insert(&sessions, Session { id: 12, ..session(1, "bob") }).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!((report.refused.len(), report.receipt.counts.inserted, report.receipt.counts.expired), (1, 2, 2));
    let writer = store.background_writer().start().unwrap();
    let tickets: Vec<_> = (2..4)
        .map(|id| {
            writer.submit_with(|batch| batch.insert(&sessions, Session { id: 20 + id, ..session(id, "bob") })).unwrap()
        })
        .collect();
    writer.flush().unwrap();
    for mut ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(sessions.len(), 5);
    store.verify().unwrap();
}

#[test]
fn hooks_are_told_what_expired() {
    let (store, sessions, clock) = sessions();
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = told.clone();
    store
        .observe(move |commit| {
            for change in commit.changes::<Session>("Session") {
                let users = [&change.before, &change.after].map(|of| of.as_ref().map(|of| of.user.clone()));
                lines.lock().unwrap().push((change.key.to_string(), users, change.kind()));
            }
        })
        .unwrap();
    sessions.with_lifetime(seconds(1)).store(session(1, "ada")).unwrap();
    sessions.with_lifetime(seconds(1)).store(session(2, "ada")).unwrap();
    clock.advance(seconds(1));
    told.lock().unwrap().clear();
    sessions.store(session(1, "bob")).unwrap();
    store.expire_now().unwrap();
    let user = |name: &str| Some(name.to_owned());
    assert_eq!(
        *told.lock().unwrap(),
        [
            ("1".to_owned(), [user("ada"), None], ChangeKind::Expired),
            ("1".to_owned(), [None, user("bob")], ChangeKind::Inserted),
            ("2".to_owned(), [user("ada"), None], ChangeKind::Expired),
        ]
    );
}

#[test]
fn lifetimes_are_kept_set_extended_and_ended() {
    let (store, sessions, clock) = sessions();
    let now = Timestamp::from_secs(1_000);
    let deadline = |id: u32| sessions.peek(id).unwrap().expires_at();
    sessions.with_lifetime(seconds(60)).store(session(1, "ada")).unwrap();
    assert_eq!(deadline(1), Some(now + seconds(60)));
    clock.advance(seconds(30));
    sessions.update(1, |of| of.hits += 1).unwrap();
    sessions.update_where(session::USER.eq("ada"), |of| of.hits += 1).unwrap();
    assert_eq!(deadline(1), Some(now + seconds(60)), "an update keeps it");
    sessions.rekey(1, 2, |of| of.id = 2).unwrap();
    assert_eq!(deadline(2), Some(now + seconds(60)), "so does a move");
    sessions.extend_lifetime(2, seconds(10)).unwrap();
    assert_eq!(deadline(2), Some(now + seconds(60)));
    sessions.extend_lifetime(2, seconds(100)).unwrap();
    assert_eq!(deadline(2), Some(now + seconds(130)));
    sessions.set_lifetime(2, now + seconds(31)).unwrap();
    assert_eq!(deadline(2), Some(now + seconds(31)));
    sessions.set_lifetime(2, Lifetime::Forever).unwrap();
    sessions.extend_lifetime(2, seconds(1)).unwrap();
    assert_eq!(deadline(2), None);
    sessions.with_lifetime(seconds(5)).update(2, |of| of.hits = 7).unwrap();
    assert_eq!(deadline(2), Some(now + seconds(35)));
    sessions.store(session(2, "ada")).unwrap();
    assert_eq!(deadline(2), None, "a store without a lifetime");
    let mut batch = store.batch();
    batch.with_lifetime(seconds(7)).insert(&sessions, session(3, "ada")).unwrap();
    batch.update(&sessions, 3, |of| of.hits = 1).unwrap();
    batch.rekey(&sessions, 3, 4, |of| of.id = 4).unwrap();
    batch.extend_lifetime(&sessions, 4, seconds(9)).unwrap();
    batch.commit().unwrap();
    assert_eq!(deadline(4), Some(now + seconds(39)));
    sessions.set_default_lifetime(DefaultLifetime::Fixed(seconds(3))).unwrap();
    sessions.store(session(4, "ada")).unwrap();
    sessions.with_lifetime(Lifetime::Forever).store(session(5, "ada")).unwrap();
    assert_eq!((deadline(4), deadline(5)), (Some(now + seconds(33)), None));
    sessions.set_default_lifetime(DefaultLifetime::Forever).unwrap();
    sessions.store(session(6, "ada")).unwrap();
    assert_eq!(deadline(6), None);
    store.verify().unwrap();
}

#[test]
fn reads_extend_a_sliding_lifetime() {
    let (store, sessions, clock) = sessions();
    sessions.set_default_lifetime(DefaultLifetime::Sliding(seconds(10))).unwrap();
    let ids = 0..6;
    let fill = || {
        for id in ids.clone() {
            sessions.store(session(id, "ada")).unwrap();
        }
    };
    fill();
    clock.advance(seconds(9));
    assert!(sessions.get(0).is_some() && sessions.get_with(1, |_| ()).is_some());
    assert!(sessions.get_by(session::TOKEN, "t2").unwrap().is_some());
    assert!(sessions.get_many([3]).pop().unwrap().is_some());
    sessions.update(4, |of| of.hits = 0).unwrap();
    let snapshot = store.snapshot();
    assert!(snapshot.of(&sessions).get(5).is_some() && sessions.contains(5) && sessions.peek(5).is_some());
    assert_eq!(sessions.find(session::USER.eq("ada")).count(), Ok(6));
    clock.advance(seconds(1));
    let left = || sessions.iter().map(|of| of.id).collect::<Vec<_>>();
    assert_eq!((left(), sessions.len()), (vec![0, 1, 2, 3, 4], 5));
    assert_eq!(store.expire_now().unwrap(), 1);
    store.verify().unwrap();
    clock.advance(seconds(9));
    assert_eq!((left().len(), sessions.len(), store.expire_now().unwrap()), (0, 0, 5));
    // Deadlines that have been moved again and again are filed under the last one in the end.
    fill();
    for _ in 0..50 {
        clock.advance(seconds(9));
        assert!(ids.clone().all(|id| sessions.get(id).is_some()));
        assert_eq!(store.expire_now().unwrap(), 0);
        store.verify().unwrap();
    }
    sessions.set_lifetime(3, seconds(1)).unwrap();
    clock.advance(seconds(1));
    assert!(sessions.get(3).is_none());
    assert_eq!(sessions.len(), 5);
}

/// Danger: a row stays filed under the time before the extension, also if reads extend nothing any more.
#[test]
fn what_was_extended_lives_on_under_another_default() {
    let (store, sessions, clock) = sessions();
    sessions.set_default_lifetime(DefaultLifetime::Sliding(seconds(10))).unwrap();
    sessions.store(session(1, "ada")).unwrap();
    clock.advance(seconds(9));
    assert!(sessions.get(1).is_some());
    sessions.set_default_lifetime(DefaultLifetime::Fixed(seconds(10))).unwrap();
    clock.advance(seconds(9));
    assert_eq!((sessions.len(), sessions.find(session::USER.eq("ada")).count()), (1, Ok(1)));
    clock.advance(seconds(1));
    assert_eq!((sessions.len(), sessions.find(session::USER.eq("ada")).count()), (0, Ok(0)));
    assert_eq!(store.expire_now().unwrap(), 1);
}

#[test]
fn lifetimes_that_make_no_sense_are_refused() {
    let (store, sessions, clock) = sessions();
    let refused = |refused: memdex::write::Refused| match refused.cause() {
        Cause::Expired { deadline, now, .. } => (deadline.as_micros(), now.as_micros()),
        other => panic!("{other}"),
    };
    let now = 1_000_000_000;
    for zero in [Duration::ZERO, Duration::from_nanos(999)] {
        assert_eq!(refused(sessions.with_lifetime(zero).store(session(1, "ada")).unwrap_err()), (now, now));
        let cause = sessions.set_default_lifetime(DefaultLifetime::Fixed(zero)).unwrap_err();
        assert!(matches!(cause.cause(), Cause::NoLifetime), "{cause}");
    }
    let past = Timestamp::from_micros(7);
    let mut batch = store.batch();
    batch.with_lifetime(past).store(&sessions, session(1, "ada")).unwrap();
    assert!(matches!(batch.get(&sessions, 1).unwrap_err().cause(), Cause::Expired { .. }));
    assert_eq!(refused(sessions.with_lifetime(past).insert(session(1, "ada")).unwrap_err()), (7, now));
    assert!(sessions.is_empty());
    sessions.store(session(1, "ada")).unwrap();
    assert_eq!(refused(sessions.set_lifetime(1, past).unwrap_err()), (7, now));
    // Too long to be represented is for ever.
    sessions.with_lifetime(Duration::MAX).store(session(2, "ada")).unwrap();
    sessions.with_lifetime(Timestamp::MAX).store(session(3, "ada")).unwrap();
    clock.set(Timestamp::MAX);
    assert_eq!((sessions.len(), store.expire_now().unwrap()), (3, 0));
    assert_eq!(sessions.peek(2).unwrap().expires_at(), None);
    store.verify().unwrap();
}

#[derive(Clone, Record)]
struct Offer {
    #[record(key)]
    id: u32,
    #[record(field)]
    until: Option<Timestamp>,
    #[record(field)]
    price: i64,
    #[record(field)]
    days: Vec<Timestamp>,
}

#[test]
fn a_field_has_the_deadlines() {
    let (store, _, clock) = sessions();
    let offers = store.collection::<Offer>("Offer").unwrap();
    let now = Timestamp::from_secs(1_000);
    let offer =
        |id, until: Option<u64>| Offer { id, until: until.map(|of| now + seconds(of)), price: 1, days: Vec::new() };
    for (name, kind) in [("price", Some((Kind::Int, false))), ("days", Some((Kind::Timestamp, true))), ("no", None)] {
        let refused = offers.set_default_lifetime(DefaultLifetime::Field(name.into())).unwrap_err();
        assert!(
            matches!(refused.cause(), Cause::NotADeadline { field, kind: of, .. } if field == name && *of == kind),
            "{refused}"
        );
    }
    offers.store(offer(9, Some(1))).unwrap();
    offers.set_default_lifetime(DefaultLifetime::Field("until".into())).unwrap();
    let deadline = |id: u32| offers.peek(id).unwrap().expires_at();
    assert_eq!(deadline(9), None, "it was there before");
    store
        .commit(|batch| {
            batch.store(&offers, offer(1, Some(10)))?;
            batch.store(&offers, offer(2, None))?;
            batch.with_lifetime(seconds(5)).store(&offers, offer(3, Some(20)))?;
            batch.store(&offers, offer(4, Some(10)))?;
            batch.update(&offers, 4, |offer| offer.until = None)
        })
        .unwrap();
    let after = |of| Some(now + seconds(of));
    assert_eq!([deadline(1), deadline(2), deadline(3), deadline(4)], [after(10), None, after(5), None]);
    offers.update(1, |offer| offer.price = 2).unwrap();
    offers.update(3, |offer| offer.price = 2).unwrap();
    assert_eq!([deadline(1), deadline(3)], [after(10), after(20)]);
    offers.set_lifetime(3, seconds(7)).unwrap();
    assert_eq!(deadline(3), after(7));
    offers.rekey(1, 5, |offer| offer.id = 5).unwrap();
    let mut batch = store.batch();
    batch.store(&offers, offer(6, Some(0))).unwrap();
    batch.store(&offers, offer(7, Some(1))).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert!(matches!(report.refused[..], [ref one] if matches!(one.refusal.cause(), Cause::Expired { .. })));
    assert_eq!(store.stats().collections[1].with_lifetime, 3);
    clock.advance(seconds(10));
    assert_eq!((offers.len(), store.stats().collections[1].expired), (3, 3));
    assert_eq!(store.expire_now().unwrap(), 3);
    assert_eq!(store.stats().collections[1].expired, 0);
    store.verify().unwrap();
}

/// A clock that has jumped forward and back stands still until it catches up.
#[test]
fn a_clock_that_runs_backwards_wakes_nobody() {
    let (store, sessions, clock) = sessions();
    sessions.with_lifetime(seconds(10)).store(session(1, "ada")).unwrap();
    clock.advance(seconds(365 * 86_400));
    assert!(sessions.get(1).is_none());
    clock.set(Timestamp::from_secs(1_000));
    assert!(sessions.get(1).is_none() && sessions.is_empty());
    assert_eq!(store.expire_now().unwrap(), 1);
    sessions.with_lifetime(seconds(10)).store(session(1, "ada")).unwrap();
    clock.set(Timestamp::from_secs(2_000));
    assert!(sessions.get(1).is_some(), "the store's time has not moved");
}

/// The removal of what has expired is told to subscriptions that follow the collection, and waits for none of them.
#[test]
fn subscriptions_are_told_what_expired() {
    let (store, sessions, clock) = sessions();
    let (snapshot, mut subscription) = store
        .subscribe()
        .matching(&sessions, session::USER.eq("ada"))
        .writers_wait(seconds(600))
        .max_operations(3)
        .start()
        .unwrap();
    drop(snapshot);
    for (id, user) in [(1, "ada"), (2, "eve")] {
        sessions.with_lifetime(seconds(1)).store(session(id, user)).unwrap();
    }
    let kinds = |event: Option<FeedEvent>| -> Vec<(String, ChangeKind)> {
        let Some(FeedEvent::Commit(commit)) = event else { panic!("{event:?}") };
        commit.changes::<Session>("Session").iter().map(|change| (change.key.to_string(), change.kind())).collect()
    };
    let one = |kind| vec![("1".to_owned(), kind)];
    assert_eq!(kinds(subscription.next()), one(ChangeKind::Inserted));
    clock.advance(seconds(1));
    assert_eq!(store.expire_now().unwrap(), 2);
    assert_eq!(kinds(subscription.next()), one(ChangeKind::Expired));
    for id in 10..13 {
        sessions.with_lifetime(seconds(1)).store(session(id, "ada")).unwrap();
    }
    clock.advance(seconds(1));
    assert_eq!(store.expire_now().unwrap(), 3, "it does not wait for a full queue");
    (0..3).for_each(|_| drop(subscription.next()));
    assert!(matches!(subscription.next(), Some(FeedEvent::Missed(_))));
}
