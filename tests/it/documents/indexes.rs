//! Indexes of every kind over documents and key/value records.

use super::{document, keys};
use memdex::error::{Cause, IndexError};
use memdex::limits::{MAX_FIELD_VALUES, MAX_INDEXED_BYTES};
use memdex::{Collection, Document, FieldDef, IndexDef, Json, KeyValue, Kind, Schema, Store, field, json};

fn users() -> (Store, Collection<Document>) {
    let store = Store::new();
    let schema = Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("contact.mail", Kind::Str).unique().skip_conflicts(),
        FieldDef::new("age", Kind::Int).ordered(),
        FieldDef::new("score", Kind::Float).column(),
        FieldDef::new("tags", Kind::Str).many().index(),
        FieldDef::new("city", Kind::Str),
    ])
    .with_index(IndexDef::ordered(["city", "age"]))
    .with_index(IndexDef::equality("city").named("open").when(field("state.open").eq(true)));
    let users = store.documents("User", schema).unwrap();
    (store, users)
}

#[test]
fn every_kind_of_index_is_maintained() {
    let (store, users) = users();
    let body = |id: &str, more: Json| {
        let mut one = document(json!({ "id": id }));
        one.patch(more).unwrap();
        one
    };
    users
        .store(body("1", json!({ "contact": { "mail": "a@x" }, "age": 7, "city": "Bern", "state": { "open": true } })))
        .unwrap();
    users
        .store(body(
            "2",
            json!({ "contact": { "mail": 5 }, "age": -1, "city": "Bern", "score": 1, "tags": ["a", "b"] }),
        ))
        .unwrap();
    users.store(body("3", json!({ "contact": { "mail": null }, "score": 2.5, "tags": "a", "city": "Rom" }))).unwrap();
    let refused = users.store(body("4", json!({ "contact": { "mail": "a@x" } }))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::NotUnique { .. }), "{refused}");

    let now = |predicate| keys(&users, predicate);
    assert_eq!(now(field("contact.mail").eq("a@x")), ["1"]);
    assert_eq!(now(field("contact.mail").is_null()), ["2", "3"], "what is skipped is missing to the index too");
    assert_eq!(now(field("age").lt(8)), ["1", "2"]);
    assert_eq!(now(field("city").eq("Bern") & field("age").gt(0)), ["1"]);
    assert_eq!(now(field("score").ge(1)), ["2", "3"]);
    assert_eq!(now(field("tags").contains("a") & !field("tags").contains("b")), ["3"]);
    assert_eq!(now(field("city").eq("Bern") & field("state.open").eq(true)), ["1"]);
    store.verify().unwrap();

    users.patch("1", json!({ "contact": null, "state": { "open": false }, "age": null })).unwrap();
    users.patch("2", json!({ "contact": { "mail": "a@x" }, "tags": ["c"], "state": { "open": true } })).unwrap();
    assert_eq!(now(field("contact.mail").eq("a@x")), ["2"]);
    assert_eq!(now(field("city").eq("Bern") & field("state.open").eq(true)), ["2"]);
    assert_eq!(now(field("age").is_null()), ["1", "3"]);
    assert_eq!(now(field("tags").any(["a", "c"])), ["2", "3"]);
    store.verify().unwrap();
}

#[test]
fn indexes_are_added_and_dropped() {
    let (store, users) = users();
    users.store(document(json!({ "id": "1", "city": "Bern", "nick": "x" }))).unwrap();
    users.add_index(IndexDef::unique("city").named("one a city")).unwrap();
    let refused = users.store(document(json!({ "id": "2", "city": "Bern" }))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::NotUnique { .. }), "{refused}");
    users.drop_index("one a city").unwrap();
    users.store(document(json!({ "id": "2", "city": "Bern" }))).unwrap();
    let twice = users.add_index(IndexDef::unique("city").named("again")).unwrap_err();
    assert!(matches!(twice, IndexError::NotUnique { .. }), "{twice}");
    store.verify().unwrap();
}

#[test]
fn unindexable_values_are_refused() {
    let (store, users) = users();
    users.store(document(json!({ "id": "1", "tags": ["a"] }))).unwrap();
    let tags = |count: usize| json!({ "tags": (0..count).map(|n| n.to_string()).collect::<Vec<_>>() });
    users.patch("1", tags(MAX_FIELD_VALUES)).unwrap();
    for count in [MAX_FIELD_VALUES + 1, 100_000] {
        let refused = users.patch("1", tags(count)).unwrap_err();
        assert!(matches!(refused.cause(), Cause::TooManyValues { field, .. } if field == "tags"), "{refused}");
    }
    let long = "x".repeat(MAX_INDEXED_BYTES + 1);
    let refused = users.patch("1", json!({ "contact": { "mail": long } })).unwrap_err();
    assert!(matches!(refused.cause(), Cause::ValueTooLong { field, .. } if field == "contact.mail"), "{refused}");
    assert_eq!((keys(&users, field("tags").contains("4095")), store.newest_commit().get()), (vec!["1".to_owned()], 2));
    // An audit of a record takes the square of its values.
    users.patch("1", tags(2)).unwrap();
    assert_eq!(
        (keys(&users, field("tags").contains("4095")), keys(&users, field("tags").contains("1")).len()),
        (vec![], 1)
    );
    store.verify().unwrap();
}

#[test]
fn key_values_have_indexes() {
    let store = Store::new();
    let schema = Schema::new([
        FieldDef::new("mail", Kind::Str).unique(),
        FieldDef::new("score", Kind::Float).ordered(),
        FieldDef::new("n", Kind::Int).column().skip_conflicts(),
    ]);
    let values = store.key_values::<&str>("v", schema).unwrap();
    values.store(KeyValue::new("1", "one").with("mail", "a@x").with("score", 1).with("n", 1)).unwrap();
    values.store(KeyValue::new("2", "two").with("score", 2.5).with("n", "many")).unwrap();
    let refused = values.store(KeyValue::new("3", "three").with("mail", "a@x")).unwrap_err();
    assert!(matches!(refused.cause(), Cause::NotUnique { .. }), "{refused}");
    let refused = values.store(KeyValue::new("3", "three").with("score", f64::NAN)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::NotANumber { .. }), "{refused}");
    assert_eq!(values.find(field("score").between(1, 2)).count(), Ok(1));
    assert_eq!(values.find(field("n").is_null()).count(), Ok(1));
    store.verify().unwrap();
}
