//! Collections by name, type and schema; collections of other stores; traits of the handles.

use super::{User, user, users};
use memdex::error::{Cause, CollectionError, KeyError, QueryError, Refusal, SchemaError};
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::write::Refused;
use memdex::{Batch, Collection, FieldDef, Handle, Key, Record, Schema, Snapshot, Store, View, Writer, field};
use std::cell::Cell;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static SCHEMA: Cell<usize> = const { Cell::new(0) };
}

/// A record type that returns changing schemas.
struct Fickle;

impl Record for Fickle {
    type Key = u32;

    fn schema() -> Schema {
        let id = || FieldDef::of::<u32>("id").key();
        let name = || FieldDef::of::<String>("name");
        match SCHEMA.get() {
            0 => Schema::new([id(), name()]),
            1 => Schema::new([id(), name().index()]),
            2 => Schema::new([id(), FieldDef::of::<Option<String>>("name")]),
            3 => Schema::new([name(), id()]),
            4 => Schema::new([id()]),
            5 => Schema::new([name()]),
            6 => Schema::new([id(), FieldDef::of::<Option<u8>>("part").key()]),
            7 => Schema::new([id(), name(), name()]),
            8 => Schema::new([id(), FieldDef::of::<u8>("")]),
            fields => Schema::new((0..fields).map(|n| FieldDef::of::<u32>(format!("f{n}")).key())),
        }
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(1.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        if field == 0 { 1.into() } else { "x".into() }
    }
}

fn fickle(store: &Store, schema: usize) -> Result<Collection<Fickle>, CollectionError> {
    SCHEMA.set(schema);
    store.collection("fickle")
}

#[test]
fn a_name_belongs_to_one_type() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let error = store.collection::<Fickle>("users").unwrap_err();
    assert!(matches!(&error, CollectionError::OtherType { collection, .. } if collection == "users"), "{error}");
    assert!(error.to_string().ends_with("Fickle: request that type, or use another name"), "{error}");
    assert_eq!(store.collection::<User>("users").unwrap().len(), 1, "the same name is the same collection");
    assert_eq!(store.collection::<User>("other users").unwrap().len(), 0);
    assert_eq!(store.stats().collections.len(), 2);
}

#[test]
fn a_name_belongs_to_one_schema() {
    let store = Store::new();
    fickle(&store, 0).unwrap().store(Fickle).unwrap();
    for other in 1..=4 {
        let error = fickle(&store, other).unwrap_err();
        assert!(matches!(error, CollectionError::OtherSchema { .. }), "{error}");
    }
    let error = fickle(&store, 2).unwrap_err().to_string();
    let (was, is) = ("{ key id: integer, name: string }", "{ key id: integer, name: string? }");
    assert!(error.starts_with(&format!("collection \"fickle\" was created with schema {was}, not {is}: ")), "{error}");
    assert_eq!(fickle(&store, 0).unwrap().len(), 1);
}

#[test]
fn an_invalid_schema_opens_no_collection() {
    let store = Store::new();
    let limit = memdex::limits::MAX_FIELDS;
    type IsExpected = fn(&SchemaError) -> bool;
    let cases: [(usize, IsExpected); 5] = [
        (5, |error| matches!(error, SchemaError::NoKey)),
        (6, |error| matches!(error, SchemaError::OptionalKey { field, .. } if field == "part")),
        (7, |error| matches!(error, SchemaError::DuplicateField { field, .. } if field == "name")),
        (8, |error| matches!(error, SchemaError::UnnamedField { position: 1, .. })),
        (limit + 1, |error| {
            let most = memdex::limits::MAX_FIELDS;
            matches!(error, SchemaError::TooManyFields { fields, limit, .. } if (*fields, *limit) == (most + 1, most))
        }),
    ];
    for (schema, is_expected) in cases {
        let error = fickle(&store, schema).unwrap_err();
        let CollectionError::Schema { collection, source, .. } = error else { panic!("{error}") };
        assert!(collection == "fickle" && is_expected(&source), "{collection:?}: {source}");
    }
    assert!(store.stats().collections.is_empty());
    fickle(&store, limit).unwrap();
}

#[test]
fn a_collection_of_another_store_is_refused() {
    let ((store, ours), (other, theirs)) = (users(), users());
    theirs.store(user("1", 1)).unwrap();
    let mut batch = store.batch();
    batch.store(&ours, user("1", 1)).unwrap();
    let refusal = batch.store(&theirs, user("2", 2)).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::OtherStore), "{refusal}");
    assert!(matches!(batch.delete(&theirs, "1").unwrap_err().cause(), Cause::OtherStore));
    assert!(matches!(batch.edit(&theirs, 0, |_| ()).unwrap_err().cause(), Cause::OtherStore));
    assert_eq!(batch.len(), 1, "what was refused is not in the batch");
    batch.commit().unwrap();
    assert_eq!((ours.len(), theirs.len(), other.snapshot().commit().get()), (1, 1, 1));
    let refused = store.commit(|batch| batch.delete(&theirs, "1")).unwrap_err();
    assert!(matches!(refused.cause(), Cause::OtherStore));
    let mut writer = store.writer();
    assert!(matches!(writer.delete(&theirs, "1").unwrap_err().refusal().cause(), Cause::OtherStore));
    assert_eq!(theirs.len(), 1);
}

/// A batch that can't write to a collection must not read it either.
#[test]
fn batch_get_refuses_a_collection_of_another_store() {
    let ((store, _), (_, theirs)) = (users(), users());
    theirs.store(user("1", 1)).unwrap();
    let batch = store.batch();
    let refusal = batch.get(&theirs, "1").expect_err("a look through a batch of another store");
    assert!(matches!(refusal.cause(), Cause::OtherStore), "{refusal}");
}

#[test]
fn a_snapshot_refuses_a_collection_of_another_store() {
    let ((store, ours), (_, theirs)) = (users(), users());
    let now = store.snapshot();
    let error = now.try_of(&theirs).unwrap_err();
    assert_eq!(error, QueryError::other_store("users"));
    assert_eq!(
        error.to_string(),
        "collection \"users\" and the snapshot belong to different stores: take the snapshot from the \
         collection's store"
    );
    assert!(catch_unwind(AssertUnwindSafe(|| now.of(&theirs))).is_err());
    assert_eq!(now.try_of(&ours).unwrap().len(), 0);
}

#[test]
fn a_collection_newer_than_a_snapshot_is_empty_in_it() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let before = store.snapshot();
    let late = store.collection::<User>("late").unwrap();
    late.store(user("1", 1)).unwrap();
    let view = before.of(&late);
    assert_eq!((view.len(), view.iter().count(), view.get("1").is_none()), (0, 0, true));
    assert_eq!((view.find(super::user::CITY.eq("Bern")).count(), late.len()), (Ok(0), 1));
}

#[test]
fn a_record_without_clone_can_be_stored_and_deleted() {
    struct Bare(u32, String);
    impl Record for Bare {
        type Key = u32;

        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<String>("name").index()])
        }

        fn key(&self, key: &mut KeyBuffer) {
            key.push(self.0.into());
        }

        fn value(&self, field: usize) -> ValueRef<'_> {
            if field == 0 { self.0.into() } else { self.1.as_str().into() }
        }
    }
    let store = Store::new();
    let bare = store.collection::<Bare>("bare").unwrap();
    bare.insert(Bare(1, "one".into())).unwrap();
    let seen = bare.store(Bare(1, "uno".into())).unwrap().commit;
    bare.if_unchanged(seen).store(Bare(1, "eins".into())).unwrap();
    let held = store.snapshot();
    bare.if_unchanged(seen.next()).delete(1).unwrap();
    bare.delete(1).unwrap();
    assert_eq!((bare.len(), held.of(&bare).get(1).unwrap().1.as_str()), (0, "eins"));
    assert_eq!(held.of(&bare).find(field("name").eq("eins")).fetch().unwrap()[0].0, 1);
}

#[test]
fn a_collection_keeps_its_store_alive() {
    let (store, users) = users();
    drop(store);
    users.store(user("1", 1)).unwrap();
    assert_eq!(users.len(), 1);
}

/// Checks at compile time.
#[test]
fn handles_can_be_sent_and_shared() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    fn error<T: Error + Send + Sync + 'static>() {}
    shared::<Store>();
    shared::<Collection<User>>();
    shared::<Collection<Fickle>>();
    shared::<Snapshot>();
    shared::<View<Fickle>>();
    shared::<Handle<Fickle>>();
    shared::<Key>();
    sent::<Batch>();
    sent::<Writer>();
    sent::<Refused>();
    error::<Refused>();
    error::<Refusal>();
    error::<CollectionError>();
    error::<QueryError>();
    error::<KeyError>();
    error::<memdex::write::WriterError>();
    error::<memdex::stats::VerifyError>();
    fn through_a_box() -> Result<(), Box<dyn Error + Send + Sync>> {
        let (_, users) = users();
        users.update("1", |_| ())?;
        Ok(())
    }
    assert!(through_a_box().unwrap_err().to_string().contains("no record has this key"));
}
