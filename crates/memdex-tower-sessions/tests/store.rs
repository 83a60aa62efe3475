//! The contract of a session store, and the sessions of users.

use memdex::clock::ManualClock;
use memdex::error::Cause;
use memdex::{Store, Timestamp};
use memdex_tower_sessions::{Error, MemdexStore, stored_session};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, ExpiredDeletion};
use tower_sessions::{CachingSessionStore, SessionStore};

/// The time at which the clock of the tests starts.
const START: i64 = 1_800_000_000;

fn store() -> (ManualClock, Store, MemdexStore) {
    let clock = ManualClock::starting_at(Timestamp::from_secs(START));
    let store = Store::builder().clock(clock.clone()).build();
    let sessions = MemdexStore::new(&store, "Session").unwrap();
    (clock, store, sessions)
}

fn record(data: Value, lifetime_secs: i64) -> Record {
    let Value::Object(data) = data else { panic!("the data of a session is an object") };
    let expiry_date = OffsetDateTime::from_unix_timestamp(START + lifetime_secs).unwrap();
    Record { id: Id::default(), data: data.into_iter().collect(), expiry_date }
}

async fn created(sessions: &MemdexStore, user: &str) -> Record {
    let mut record = record(json!({ "user_id": user }), 60);
    sessions.create(&mut record).await.unwrap();
    record
}

#[tokio::test]
async fn a_session_is_created_saved_loaded_and_deleted() {
    let (_, store, sessions) = store();
    let mut session = record(json!({ "user_id": "ada", "cart": [1, { "deep": null }] }), 60);
    let id = session.id;
    sessions.create(&mut session).await.unwrap();
    assert_eq!(session.id, id);
    assert_eq!(sessions.load(&id).await.unwrap(), Some(session.clone()));

    session.data.insert("cart".to_owned(), json!([]));
    session.expiry_date += Duration::from_micros(1);
    sessions.save(&session).await.unwrap();
    assert_eq!(sessions.load(&id).await.unwrap(), Some(session));

    sessions.delete(&id).await.unwrap();
    assert_eq!(sessions.load(&id).await.unwrap(), None);
    sessions.delete(&id).await.unwrap();
    store.verify().unwrap();
}

#[tokio::test]
async fn ids_take_all_128_bits() {
    let (_, store, sessions) = store();
    let ids = [i128::MIN, i128::MIN + 1, -1, 0, 1, i64::MAX.into(), u64::MAX.into(), i128::MAX];
    for id in ids {
        let mut session = record(json!({ "user_id": id.to_string() }), 60);
        session.id = Id(id);
        sessions.create(&mut session).await.unwrap();
        assert_eq!(session.id, Id(id));
    }
    for id in ids {
        assert_eq!(sessions.load(&Id(id)).await.unwrap().unwrap().data["user_id"], json!(id.to_string()));
        assert_eq!(sessions.sessions_of(id).unwrap()[0].id(), Id(id));
    }
    assert_eq!(sessions.count(), ids.len());
    store.verify().unwrap();
}

#[tokio::test]
async fn create_never_overwrites_a_session() {
    let (clock, _, sessions) = store();
    let first = created(&sessions, "ada").await;
    let mut second = record(json!({ "user_id": "eve" }), 90);
    second.id = first.id;
    sessions.create(&mut second).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(sessions.load(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(sessions.load(&second.id).await.unwrap(), Some(second));

    // The ID of an expired session is free.
    clock.advance(Duration::from_secs(60));
    let mut third = record(json!({}), 90);
    third.id = first.id;
    sessions.create(&mut third).await.unwrap();
    assert_eq!(third.id, first.id);
    assert_eq!(sessions.load(&first.id).await.unwrap(), Some(third));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_creates_with_one_id_each_gets_its_own() {
    let (_, store, sessions) = store();
    let id = Id::default();
    let mut tasks = Vec::new();
    for n in 0..32 {
        let sessions = sessions.clone();
        tasks.push(tokio::spawn(async move {
            let mut session = record(json!({ "user_id": n }), 60);
            session.id = id;
            sessions.create(&mut session).await.unwrap();
            session
        }));
    }
    for task in tasks {
        let session = task.await.unwrap();
        assert_eq!(sessions.load(&session.id).await.unwrap(), Some(session));
    }
    assert_eq!(sessions.count(), 32);
    store.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_several_saves_wins_as_a_whole() {
    let (_, store, sessions) = store();
    let session = created(&sessions, "0").await;
    let mut tasks = Vec::new();
    for n in 1..=8 {
        let (sessions, mut session) = (sessions.clone(), session.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..50 {
                session.data = [("user_id".to_owned(), json!(n)), ("n".to_owned(), json!(n))].into();
                sessions.save(&session).await.unwrap();
                let loaded = sessions.load(&session.id).await.unwrap().unwrap();
                assert_eq!(loaded.data["user_id"], loaded.data["n"]);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let last = sessions.load(&session.id).await.unwrap().unwrap().data["n"].clone();
    for n in 0..=8 {
        assert_eq!(sessions.sessions_of(n).unwrap().len(), usize::from(last == json!(n)), "user {n}, last {last}");
    }
    store.verify().unwrap();
}

#[tokio::test]
async fn an_expired_session_is_missing() {
    let (clock, store, sessions) = store();
    let session = created(&sessions, "ada").await;
    let mut longer = record(json!({ "user_id": "ada" }), 120);
    sessions.create(&mut longer).await.unwrap();
    clock.set(Timestamp::from_micros((START + 60) * 1_000_000 - 1));
    assert!(sessions.load(&session.id).await.unwrap().is_some());
    clock.advance(Duration::from_micros(1));
    assert_eq!(sessions.load(&session.id).await.unwrap(), None);
    assert_eq!((sessions.count(), sessions.sessions_of("ada").unwrap().len()), (1, 1));
    assert!(!sessions.revoke(&session.id).unwrap());

    // Other records of the store too.
    let before = store.stats().memory.now;
    clock.advance(Duration::from_secs(60));
    sessions.delete_expired().await.unwrap();
    assert!(store.stats().memory.now < before);
    assert_eq!((sessions.count(), store.expire_now().unwrap()), (0, 0));
}

#[tokio::test]
async fn a_date_in_the_past_ends_a_session() {
    let (_, _, sessions) = store();
    sessions.create(&mut record(json!({}), 0)).await.unwrap();
    assert_eq!(sessions.count(), 0);

    let mut session = created(&sessions, "ada").await;
    session.expiry_date -= Duration::from_secs(61);
    sessions.save(&session).await.unwrap();
    assert_eq!(sessions.load(&session.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_save_moves_the_session_to_its_user() {
    let (_, _, sessions) = store();
    let mut session = record(json!({}), 60);
    sessions.create(&mut session).await.unwrap();
    let anonymous = || sessions.collection().find(stored_session::USER.is_null()).count().unwrap();
    assert_eq!(anonymous(), 1);
    for (user, found) in [(json!("ada"), "ada"), (json!(7), "7"), (json!(null), "")] {
        session.data.insert("user_id".to_owned(), user);
        sessions.save(&session).await.unwrap();
        let of = |user: &str| sessions.sessions_of(user).unwrap().len();
        assert_eq!((of("ada"), of("7")), (usize::from(found == "ada"), usize::from(found == "7")));
    }
    assert_eq!(anonymous(), 1);
}

#[tokio::test]
async fn the_user_is_found_by_its_key() {
    let (_, store, by_default) = store();
    let by_key = MemdexStore::new(&store, "by key").unwrap().user_key("who");
    let inside = MemdexStore::new(&store, "inside").unwrap().user_in("axum-login.data", ["user_id"]);
    let data = json!({ "user_id": 1, "who": "ada", "axum-login.data": { "user_id": 3, "auth_hash": [1, 2] } });
    for (sessions, user) in [(by_default, "1"), (by_key, "ada"), (inside, "3")] {
        sessions.create(&mut record(data.clone(), 60)).await.unwrap();
        let found = sessions.sessions_of(user).unwrap();
        assert_eq!(found.iter().map(|session| session.user()).collect::<Vec<_>>(), [Some(user)]);
        assert_eq!(found[0].get("who"), Some(&json!("ada")));
    }
}

#[tokio::test]
async fn a_user_that_is_no_text_is_an_error_and_changes_nothing() {
    let (_, _, sessions) = store();
    let session = created(&sessions, "ada").await;
    let mut changed = session.clone();
    changed.data.insert("user_id".to_owned(), json!({ "id": 7 }));
    let saved = sessions.save(&changed).await;
    assert!(matches!(&saved, Err(session_store::Error::Encode(text)) if text.contains("\"user_id\"")), "{saved:?}");
    assert!(matches!(sessions.create(&mut changed).await, Err(session_store::Error::Encode(_))));
    assert_eq!(sessions.load(&session.id).await.unwrap(), Some(session));
    assert_eq!(sessions.count(), 1);
}

#[tokio::test]
async fn sessions_of_a_user_come_oldest_first() {
    let (clock, _, sessions) = store();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(created(&sessions, "ada").await.id);
        created(&sessions, "bob").await;
        clock.advance(Duration::from_secs(1));
    }
    let found = sessions.sessions_of("ada").unwrap();
    assert_eq!(found.iter().map(|session| session.id()).collect::<Vec<_>>(), ids);
    assert_eq!(found[1].created(), Timestamp::from_secs(START + 1));
    assert_eq!(found[1].expires_at(), Some(Timestamp::from_secs(START + 60)));
    let shown = format!("{:?} {sessions:?}", *found[0]);
    assert!(shown.contains("ada") && !shown.contains(&ids[0].0.to_string()), "{shown}");
}

#[tokio::test]
async fn sessions_are_revoked_by_user_and_by_id() {
    let (_, store, sessions) = store();
    let mut ada = Vec::new();
    for _ in 0..4 {
        ada.push(created(&sessions, "ada").await.id);
    }
    let bob = created(&sessions, "bob").await.id;
    assert!(sessions.revoke(&ada[0]).unwrap() && !sessions.revoke(&ada[0]).unwrap());
    assert_eq!(sessions.revoke_others("ada", &ada[1]).unwrap(), 2);
    assert!(sessions.load(&ada[1]).await.unwrap().is_some());
    assert_eq!((sessions.revoke_all("ada").unwrap(), sessions.revoke_all("ada").unwrap()), (1, 0));
    assert!(sessions.load(&bob).await.unwrap().is_some());
    assert_eq!(sessions.count(), 1);
    store.verify().unwrap();
}

#[tokio::test]
async fn a_request_that_runs_does_not_bring_a_revoked_session_back() {
    let (_, _, sessions) = store();
    let id = created(&sessions, "ada").await.id;
    let mut loaded = sessions.load(&id).await.unwrap().unwrap();
    sessions.revoke_all("ada").unwrap();
    loaded.data.insert("seen".to_owned(), json!(1));
    sessions.save(&loaded).await.unwrap();
    assert_eq!(sessions.load(&id).await.unwrap(), None);
    assert!(sessions.sessions_of("ada").unwrap().is_empty());
}

#[tokio::test]
async fn a_cache_takes_sessions_from_the_store_behind_it() {
    let (_, store, behind) = store();
    let cache = MemdexStore::new(&store, "cache").unwrap().as_cache();
    let session = created(&behind, "ada").await;
    let both = CachingSessionStore::new(cache.clone(), behind);
    assert_eq!(cache.count(), 0);
    assert_eq!(both.load(&session.id).await.unwrap(), Some(session.clone()));
    assert_eq!(cache.load(&session.id).await.unwrap(), Some(session));
    assert_eq!(cache.sessions_of("ada").unwrap().len(), 1);
}

#[tokio::test]
async fn the_memory_of_the_data_is_counted() {
    let (_, store, sessions) = store();
    let before = store.stats().memory.now;
    sessions.create(&mut record(json!({ "notes": ["x".repeat(100_000)] }), 60)).await.unwrap();
    assert!(store.stats().memory.now >= before + 100_000);
}

/// Many sessions end in one commit: a reader sees all or none of a round.
#[test]
fn revoke_all_is_seen_as_a_whole() {
    const SESSIONS: usize = 200;
    let (_, store, sessions) = store();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..30 {
                for _ in 0..SESSIONS {
                    runtime.block_on(created(&sessions, "ada"));
                }
                let complete = runtime.block_on(created(&sessions, "complete"));
                thread::sleep(Duration::from_millis(2));
                let before = store.newest_commit();
                assert_eq!(sessions.revoke_all("ada").unwrap(), SESSIONS);
                assert_eq!(store.newest_commit().get(), before.get() + 1);
                thread::sleep(Duration::from_millis(2));
                assert!(sessions.revoke(&complete.id).unwrap());
            }
        });
        let (mut all, mut none) = (0, 0);
        while !writer.is_finished() {
            let snapshot = store.snapshot();
            let of_user = |user: &str| {
                let filter = stored_session::USER.eq(user.to_owned());
                snapshot.of(sessions.collection()).find(filter).count().unwrap()
            };
            // After each round, the writer stores one more session as its mark. It revokes only rounds with a mark.
            match (of_user("complete"), of_user("ada")) {
                (1, SESSIONS) => all += 1,
                (1, 0) => none += 1,
                (0, _) => {}
                seen => panic!("a part of the sessions: {seen:?}"),
            }
        }
        assert!(all > 0 && none > 0, "the reader saw {all} whole rounds and {none} revoked ones");
    });
    store.verify().unwrap();
}

#[derive(Clone, memdex::Record)]
struct Other {
    #[record(key)]
    id: u32,
}

#[tokio::test]
async fn errors_have_their_causes() {
    let (_, store, sessions) = store();
    let others = store.collection::<Other>("Other").unwrap();
    others.store(Other { id: 1 }).unwrap();
    assert!(matches!(MemdexStore::new(&store, "Other"), Err(Error::Collection(_))));

    let mut session = created(&sessions, "ada").await;
    store.drop_collection("Session").unwrap();
    assert!(
        matches!(sessions.revoke_all("ada"), Err(Error::Refused(refusal)) if matches!(refusal.cause(), Cause::CollectionDropped))
    );
    assert!(matches!(sessions.create(&mut session).await, Err(session_store::Error::Backend(_))));
    assert!(matches!(sessions.save(&session).await, Err(session_store::Error::Backend(_))));
}
