//! The registry of collections: listing, dropping, clearing; names.

use super::{User, state, user, users};
use memdex::error::{Cause, CollectionError, IndexError, QueryError};
use memdex::{FieldDef, IndexDef, KeyValue, Kind, Schema, Store, field};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn collections_are_listed_in_the_order_of_opening() {
    let store = Store::new();
    for name in ["zebra", "ant", "middle"] {
        store.collection::<User>(name).unwrap();
    }
    store.key_values::<u32>("values", Schema::new([FieldDef::new("owner", Kind::Str)])).unwrap();
    store.collection::<User>("ant").unwrap();
    let collections = store.collections();
    let names: Vec<&str> = collections.iter().map(|of| &*of.name).collect();
    assert_eq!(names, ["zebra", "ant", "middle", "values"]);
    assert!(collections[0].record_type.ends_with("User") && collections[3].record_type.contains("KeyValue"));
    assert_eq!(collections[0].schema.fields().len(), 3);
    let in_stats: Vec<String> = store.stats().collections.into_iter().map(|of| of.name).collect();
    assert_eq!(in_stats, names);
    assert_eq!(Store::new().collections(), []);
}

#[test]
fn an_empty_name_is_refused() {
    let store = Store::new();
    let empty = Err(CollectionError::EmptyName);
    assert_eq!(store.collection::<User>("").map(drop), empty);
    assert_eq!(store.key_values::<u32>("", Schema::new([])).map(drop), empty);
    assert!(store.collections().is_empty());
    store.collection::<User>(" ").unwrap();
}

#[test]
fn a_dropped_collection_answers_and_takes_no_commits() {
    let (store, users) = users();
    let others = store.collection::<User>("others").unwrap();
    users.store(user("1", 1)).unwrap();
    let before = store.snapshot();
    users.store(user("1", 2)).unwrap();
    let mut pending = store.batch();
    pending.store(&users, user("2", 2)).unwrap();
    pending.store(&others, user("9", 9)).unwrap();

    assert!(store.drop_collection("users").unwrap());
    assert!(!store.drop_collection("users").unwrap(), "there is none any more");
    assert_eq!(store.collections().len(), 1);
    // Handles and snapshots answer as before.
    assert_eq!(state(&users), [("1".to_owned(), 2)]);
    assert_eq!(before.of(&users).get("1").unwrap().visits, 1);
    assert_eq!(users.find(field("visits").eq(2)).count(), Ok(1));
    // Commits are refused whole, and so are indexes.
    let refused = users.store(user("2", 2)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::CollectionDropped), "{refused}");
    assert_eq!(refused.refusal().collection(), "users");
    let refused = pending.commit().unwrap_err();
    assert!(matches!(refused.cause(), Cause::CollectionDropped), "{refused}");
    assert!(others.is_empty());
    let refused = refused.into_batch().commit_lenient().unwrap_err();
    assert!(matches!(refused.cause(), Cause::CollectionDropped), "{refused}");
    let index = users.add_index(IndexDef::ordered("visits")).unwrap_err();
    assert!(matches!(index, IndexError::Refused { cause, .. } if matches!(*cause, Cause::CollectionDropped)));
    // By name there is none.
    let query = memdex::Query::over(["users"]);
    assert!(matches!(store.query(&query), Err(QueryError::UnknownCollection { known, .. }) if known == ["others"]));

    // A new one, of another type, has nothing of the old one.
    let new = store.key_values::<u32>("users", Schema::new([])).unwrap();
    new.store(KeyValue::new("1", 7)).unwrap();
    assert_eq!((new.len(), users.len(), before.of(&users).len()), (1, 1, 1));
    assert!(matches!(store.collection::<User>("users"), Err(CollectionError::OtherType { .. })));
    drop(before);
    store.verify().unwrap();
    let names: Vec<String> = store.collections().into_iter().map(|of| of.name).collect();
    assert_eq!(names, ["others", "users"]);
}

#[test]
fn a_drop_comes_between_commits() {
    for _ in 0..20 {
        let (store, users) = users();
        let others = store.collection::<User>("others").unwrap();
        let dropped = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..1_000 {
                    let was_dropped = dropped.load(Ordering::SeqCst);
                    let both = store.commit(|batch| {
                        batch.store(&users, user("1", n))?;
                        batch.store(&others, user("1", n))
                    });
                    match both {
                        Ok(_) => assert!(!was_dropped),
                        Err(refused) => return assert!(matches!(refused.cause(), Cause::CollectionDropped)),
                    }
                }
            });
            while store.newest_commit().get() < 5 {
                std::thread::yield_now();
            }
            assert!(store.drop_collection("users").unwrap());
            dropped.store(true, Ordering::SeqCst);
        });
        assert_eq!(state(&users), state(&others), "a commit is in both or in none");
        store.verify().unwrap();
    }
}

#[test]
fn clear_deletes_all_in_one_commit() {
    let (store, users) = users();
    for n in 0..10 {
        users.store(user(&n.to_string(), n)).unwrap();
    }
    let before = store.snapshot();
    let receipt = users.clear().unwrap();
    assert_eq!((receipt.commit.get(), receipt.counts.deleted), (11, 10));
    assert_eq!((users.len(), before.of(&users).len()), (0, 10));
    assert_eq!(users.clear().unwrap().counts.total(), 0);
    users.store(user("1", 1)).unwrap();
    drop(before);
    store.verify().unwrap();
}

#[test]
fn a_handle_gives_its_record() {
    let (_store, users) = users();
    users.store(user("1", 1)).unwrap();
    let handle = users.get("1").unwrap();
    assert_eq!(handle.cloned(), user("1", 1));
    assert_eq!(handle.clone().into_inner(), user("1", 1), "a copy, since the store has it too");
    users.delete("1").unwrap();
    let at = std::ptr::from_ref(handle.id.as_str()).cast::<u8>();
    let moved = handle.into_inner();
    assert_eq!(at, moved.id.as_ptr(), "moved out, since this was the last");
}

/// The key type of a record is a key itself, also in code that is generic over records.
fn get<R: memdex::Record>(collection: &memdex::Collection<R>, key: R::Key) -> Option<memdex::Handle<R>> {
    collection.get(key)
}

#[test]
fn generic_code_gets_by_the_key_type() {
    let (_store, users) = users();
    users.store(user("1", 7)).unwrap();
    assert_eq!(get(&users, "1".to_owned()).unwrap().visits, 7);
}

/// Its `Drop` commits to another collection of the store, on another thread, and waits for that.
struct Busy {
    id: u32,
    other: memdex::Collection<User>,
}

keyed_by_id!(Busy);

impl Drop for Busy {
    fn drop(&mut self) {
        let (done, finished) = std::sync::mpsc::channel();
        let (other, id) = (self.other.clone(), self.id);
        std::thread::spawn(move || {
            let stored = other.store(user(&format!("busy-{id}"), 1)).is_ok();
            done.send(stored).unwrap();
        });
        assert!(finished.recv_timeout(std::time::Duration::from_secs(60)).unwrap());
    }
}

/// The backlog of reclamation may hold the last reference to a dropped collection. Its records are dropped outside of the
/// commit lock all the same.
#[test]
fn records_of_a_dropped_collection_are_dropped_outside_the_lock() {
    let (store, users) = users();
    let busy = store.collection::<Busy>("Busy").unwrap();
    busy.store(Busy { id: 1, other: users.clone() }).unwrap();
    let snapshot = store.snapshot();
    busy.store(Busy { id: 2, other: users.clone() }).unwrap();
    store.drop_collection("Busy").unwrap();
    drop(busy);
    drop(snapshot);
    store.optimize().unwrap();
    assert_eq!((users.len(), store.stats().drop_panics), (2, 0));
    assert!(users.contains("busy-1") && users.contains("busy-2"));
}
