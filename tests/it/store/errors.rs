//! Limits at the edge and one beyond, queries that can't run, and their error messages. None of them changes anything.

use super::{User, state, user, users};
use memdex::error::{Cause, KeyError, QueryError};
use memdex::limits::{MAX_INDEXED_BYTES, MAX_KEY_BYTES, MAX_PREDICATE_DEPTH};
use memdex::query::Predicate;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Commit, FieldDef, Kind, Record, Schema, Store, Value, field};

#[test]
fn a_key_has_up_to_the_limit_of_bytes() {
    let (store, users) = users();
    let longest = "k".repeat(MAX_KEY_BYTES - 1); // encoded, it has one byte more
    users.store(user(&longest, 1)).unwrap();
    assert_eq!(users.get(&longest).unwrap().key(), &longest.as_str());
    let error = users.store(user(&format!("{longest}k"), 1)).unwrap_err();
    assert!(
        matches!(error.cause(), Cause::Key(k) if *k == KeyError::too_long(MAX_KEY_BYTES + 1, MAX_KEY_BYTES)),
        "{error}"
    );
    assert!(users.get(format!("{longest}k")).is_none());
    assert_eq!((users.len(), store.snapshot().commit().get()), (1, 1));
    store.verify().unwrap();
}

#[test]
fn a_key_has_at_least_one_part() {
    struct Keyless;
    impl Record for Keyless {
        type Key = u32;
        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u32>("id").key()])
        }
        fn key(&self, _: &mut KeyBuffer) {}
        fn value(&self, _: usize) -> ValueRef<'_> {
            ValueRef::Null
        }
    }
    let refused = Store::new().collection::<Keyless>("keyless").unwrap().store(Keyless).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Key(KeyError::Empty)));
    let message = "store in \"keyless\" refused: the key has no parts: push at least one in `Record::key`";
    assert_eq!(refused.to_string(), message);
}

#[test]
fn a_key_may_hold_any_bytes() {
    let (store, users) = users();
    let keys = ["", "\0", "\0\0", "\0\u{ff}", "a\0", "a", "\u{10ffff}", &"\0".repeat(40)];
    keys.iter()
        .enumerate()
        .for_each(|(n, key)| assert_eq!(users.insert(user(key, n as i64)).unwrap().counts.inserted, 1));
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(users.get(*key).unwrap().visits, n as i64);
        assert_eq!(users.get(*key).unwrap().key().parts(), [Value::from(*key)]);
    }
    store.verify().unwrap();
}

#[test]
fn a_record_is_not_moved_to_an_invalid_key() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let refused = users.update("1", |user| user.id.clear()).unwrap_err();
    assert!(matches!(refused.cause(), Cause::KeyChanged { .. }), "{refused}");
    assert_eq!(users.get("1").unwrap().visits, 1);
    store.verify().unwrap();
}

/// The refusal says what to do; if the batch is committed anyway, the operation must not store its record under
/// another key.
#[test]
fn a_fix_to_an_invalid_key_is_harmless() {
    let (store, users) = users();
    let mut batch = store.batch();
    batch.insert(&users, user("1", 1)).unwrap();
    let refusal = batch.edit(&users, 0, |user| user.id = "k".repeat(MAX_KEY_BYTES)).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::Key(KeyError::TooLong { .. })), "{refusal}");
    let _ = batch.commit();
    store.verify().unwrap();
}

#[test]
fn an_indexed_value_is_no_longer_than_the_limit() {
    let (store, users) = users();
    let city = "c".repeat(MAX_INDEXED_BYTES);
    users.store(User { city: city.clone(), ..user("1", 1) }).unwrap();
    assert_eq!(users.find(super::user::CITY.eq(&city)).count(), Ok(1));
    let before = (state(&users), store.stats());
    let longer = city.clone() + "c";
    let refused = store.commit(|batch| {
        batch.store(&users, user("1", 2))?;
        batch.insert(&users, User { city: longer.clone(), ..user("2", 2) })
    });
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused.cause(), Cause::ValueTooLong { bytes, .. } if *bytes == MAX_INDEXED_BYTES + 1),
        "{refused}"
    );
    assert_eq!(
        refused.to_string(),
        "insert of \"2\" in \"users\" (operation 1 of the batch) refused: indexed field \"city\" takes 65537 bytes, \
         the limit is 65536: shorten it, or drop the index"
    );
    let grown = users.update("1", |user| user.city.push('c')).unwrap_err();
    assert!(matches!(grown.cause(), Cause::ValueTooLong { .. }));
    assert_eq!(state(&users), before.0);
    assert_eq!(store.stats().collections, before.1.collections, "nothing was touched");
    assert_eq!(users.find(super::user::CITY.eq(&longer)).count(), Ok(0), "asking for it is no error");
    store.verify().unwrap();
}

#[test]
fn an_extractor_must_follow_its_schema() {
    struct Liar(u32, Option<&'static str>);
    impl Record for Liar {
        type Key = u32;

        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<i64>("age").index()])
        }

        fn key(&self, key: &mut KeyBuffer) {
            key.push(self.0.into());
        }

        fn value(&self, _: usize) -> ValueRef<'_> {
            self.1.map_or(ValueRef::Null, ValueRef::from)
        }
    }
    let store = Store::new();
    let liars = store.collection::<Liar>("liars").unwrap();
    let refused = liars.store(Liar(1, Some("old"))).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "store of 1 in \"liars\" refused: field \"age\" is of kind integer, but its value is \
         \"old\": fix the schema or the extractor"
    );
    let refused = liars.store(Liar(1, None)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::WrongKind { given, .. } if *given == Value::NULL), "{refused}");
    assert_eq!((liars.len(), store.stats().refusals, store.snapshot().commit().get()), (0, 2, 0));
}

#[test]
fn a_predicate_is_no_deeper_than_the_limit() {
    let (_, users) = users();
    users.store(user("1", 1)).unwrap();
    let nested = |levels: usize| {
        let leaf = field("visits").eq(1);
        (1..levels).fold(leaf, |part, level| match level % 2 {
            0 => part & field("city").ne("Basel"),
            _ => part | field("city").eq("Bern"),
        })
    };
    assert_eq!(users.find(nested(MAX_PREDICATE_DEPTH)).count(), Ok(1));
    let too_deep = users.find(nested(MAX_PREDICATE_DEPTH + 1));
    assert_eq!(too_deep.count(), Err(QueryError::too_deep(MAX_PREDICATE_DEPTH)));
    let said = format!("the predicate is nested deeper than {MAX_PREDICATE_DEPTH} levels: flatten it");
    assert_eq!(too_deep.keys().unwrap_err().to_string(), said);
    let (wide, not) = ((0..10_000).map(|n| field("visits").eq(n)).reduce(|a, b| a | b), !!!field("visits").eq(2));
    assert_eq!(users.find(wide.unwrap() & not).count(), Ok(1), "chains are flat, and twice not is nothing");
}

#[test]
fn a_query_must_fit_the_schema() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let error = users.find(field("town").eq("Bern")).fetch().unwrap_err();
    assert_eq!(error.to_string(), "collection \"users\" has no field \"town\"; it has id, city, visits");
    let error = users.find(field("visits").ne("1")).count().unwrap_err();
    assert!(matches!(
        &error,
        QueryError::WrongKind { collection, field, expected: Kind::Int, given, .. }
            if (&**collection, &**field, given) == ("users", "visits", &Value::from("1"))
    ));
    assert_eq!(
        error.to_string(),
        "field \"visits\" of \"users\" is of kind integer and can't be compared with \"1\": use a value of kind integer"
    );
    for wrong in [
        field("visits").eq("1"),
        field("city").eq('B'),
        field("city").eq(Value::NULL),
        field("city").is_in(["Bern".into(), Value::from(1)]),
        field("city").eq("Bern") & !field("id").eq(true),
        Predicate::All | field("city").ne(1),
    ] {
        assert!(matches!(users.find(wrong).count(), Err(QueryError::WrongKind { .. })));
    }
    let nothing: [&str; 0] = [];
    assert_eq!(users.find(super::user::CITY.is_in(nothing)).count(), Ok(0));
    assert_eq!(users.find(!super::user::CITY.is_in(nothing)).count(), Ok(1));
    assert_eq!(users.find(field("visits").is_in(nothing)).count(), Ok(0), "no value is a wrong one");
    assert_eq!(users.find(field("visits").is_null()).count(), Ok(0), "what can't be missing never is");
    assert_eq!((store.stats().refusals, store.stats().oldest_pin), (0, None), "a query is no write, and keeps no pin");
}

#[test]
fn an_empty_batch_makes_no_commit() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    for receipt in [store.batch().commit().unwrap(), store.commit(|_| Ok(())).unwrap(), store.writer().flush().unwrap()]
    {
        assert_eq!((receipt.commit.get(), receipt.counts.total()), (1, 0));
    }
    let refused = store.commit(|_| Err(memdex::error::Refusal::because("no"))).unwrap_err();
    assert_eq!((refused.refusal().position(), refused.refusal().operation()), (None, "commit"));
    assert!(refused.into_batch().is_empty());
    assert_eq!(store.snapshot().commit(), 1);
}

#[test]
fn refusals_say_what_to_do() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let said = |refused: Result<memdex::write::Receipt, memdex::write::Refused>| {
        let said = refused.unwrap_err().to_string();
        said.strip_prefix("update of \"1\" in \"users\" refused: ").unwrap_or(&said).to_owned()
    };
    assert_eq!(
        said(users.insert(user("1", 1))),
        "insert of \"1\" in \"users\" refused: a record with this key exists: use store to \
         replace it, or upsert to change it"
    );
    assert_eq!(
        said(users.update("2", |_| ())),
        "update of \"2\" in \"users\" refused: no record has this key: use store or upsert to \
         create it"
    );
    assert_eq!(
        said(users.update("1", |user| user.id.push('0'))),
        "the closure changed the key to \"10\": use rekey to move a record to another key"
    );
    assert_eq!(said(users.update("1", |_| Err("too late"))), "too late");
    users.update("1", |user| user.visits = 2).unwrap();
    assert_eq!(
        said(users.if_unchanged(Commit::from_number(1)).update("1", |_| ())),
        "the caller read this record as commit 1 wrote it, but commit 2 has changed it since: read it again"
    );
    assert_eq!(
        said(users.if_unchanged(Commit::from_number(7)).delete("3")),
        "delete of \"3\" in \"users\" refused: the caller read this record as commit 7 wrote it, \
         but it is gone: read it again"
    );
    assert_eq!(store.stats().refusals, 6);
}
