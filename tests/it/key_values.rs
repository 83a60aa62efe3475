//! Plain values as records, with keys and indexed fields passed separately.

use memdex::error::{Cause, CollectionError, KeyError, QueryError, SchemaError};
use memdex::limits::MAX_KEY_BYTES;
use memdex::{Collection, FieldDef, KeyValue, Kind, Schema, Store, Value, field};

/// Implements only the traits that every collection requires of its records.
struct Session {
    visits: u32,
}

fn sessions() -> (Store, Collection<KeyValue<Session>>) {
    let store = Store::new();
    let schema = Schema::new([
        FieldDef::new("user", Kind::Str).index().required(),
        FieldDef::new("score", Kind::Float),
        FieldDef::new("tags", Kind::Str).many().index(),
        FieldDef::new("port", Kind::Int).index().skip_conflicts(),
    ]);
    let sessions = store.key_values("Session", schema).unwrap();
    (store, sessions)
}

fn session(key: &str) -> KeyValue<Session> {
    KeyValue::new(key, Session { visits: 0 }).with("user", "u-1")
}

#[test]
fn fields_are_passed_with_each_store() {
    let (store, sessions) = sessions();
    sessions.store(session("1").with("score", 7).with("tags", "a").with("tags", "b")).unwrap();
    sessions.store(session("2").with_each("tags", ["b"]).with_each("score", None::<f64>)).unwrap();
    assert_eq!(sessions.find(field("tags").contains("b")).count(), Ok(2));
    assert_eq!(sessions.find(field("score").eq(7)).keys().unwrap(), [sessions.get("1").unwrap().key().clone()]);
    assert_eq!(sessions.find(field("score").is_null() & field("key").eq("2")).count(), Ok(1));
    assert_eq!(sessions.get("1").unwrap().field("tags").collect::<Vec<_>>(), [&Value::from("a"), &Value::from("b")]);

    // Stored again without the field, the record is no longer found by it.
    sessions.store(session("1")).unwrap();
    assert_eq!(sessions.find(field("tags").contains("b")).count(), Ok(1));
    assert!(matches!(sessions.find(field("agent").eq("x")).count(), Err(QueryError::UnknownField { .. })));
    store.verify().unwrap();
}

#[test]
fn updates_change_value_and_fields() {
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("tags", Kind::Str).many().index(), FieldDef::new("n", Kind::Int).index()]);
    let values = store.key_values::<String>("v", schema).unwrap();
    values.store(KeyValue::new("1", "one".to_owned()).with("tags", "a").with("n", 1)).unwrap();
    let update = |value: &mut KeyValue<String>| {
        value.push_str(" more");
        value.set("n", 2);
        value.set_each("tags", ["b", "c"]);
    };
    values.update("1", update).unwrap();
    let found = values.find(field("n").eq(2) & field("tags").all(["b", "c"])).fetch().unwrap();
    assert_eq!((found.len(), found[0].as_str()), (1, "one more"));
    assert_eq!(values.find(field("tags").contains("a")).count(), Ok(0));
    let refused = values.update("1", |value| value.set("N", 2)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::UndeclaredField { .. }), "{refused}");
    assert_eq!((*values.get("1").unwrap()).clone().into_value(), "one more");
    store.verify().unwrap();
}

#[test]
fn misfits_are_refused_by_name() {
    let (store, sessions) = sessions();
    let refused = |session: KeyValue<Session>| sessions.store(session).unwrap_err().to_string();
    assert_eq!(
        refused(session("1").with("agent", "x")),
        "store of \"1\" in \"Session\" refused: the schema declares no field \"agent\" that a record may set; it declares \
         user, score, tags, port"
    );
    let said = |text: String| text.split_once("refused: ").unwrap().1.split_once(':').unwrap().0.to_owned();
    assert_eq!(
        said(refused(session("1").with("score", "x"))),
        "field \"score\" is declared float, but the record has \"x\""
    );
    assert_eq!(
        said(refused(session("1").with("user", "x"))),
        "field \"user\" is declared string, but the record has 2 values"
    );
    assert_eq!(
        said(refused(session("1").with("tags", 1))),
        "field \"tags\" is declared many values of kind string, but the record has 1"
    );
    assert_eq!(said(refused(KeyValue::new("1", Session { visits: 0 }))), "field \"user\" is required, but missing");
    assert!(refused(session("1").with("key", "x")).contains("declares no field \"key\""));
    let by_number = KeyValue::new(7, Session { visits: 1 }).with("user", "u");
    assert_eq!(said(refused(by_number)), "field \"key\" is declared string, but the record has 7");
    let by_two = KeyValue::new(("a", "b"), Session { visits: 1 }).with("user", "u");
    assert_eq!(said(refused(by_two)), "field \"key\" is declared string, but the record has a key of 2 parts");
    assert_eq!((sessions.len(), store.newest_commit().get()), (0, 0));

    // The value is skipped, in both orders.
    sessions.store(session("1").with("port", "http")).unwrap();
    sessions.store(session("2").with_each("port", [1, 2])).unwrap();
    sessions.store(session("3").with("port", 3)).unwrap();
    assert_eq!(sessions.find(field("port").is_null()).count(), Ok(2));
    assert_eq!(sessions.find(field("port").ge(1)).count(), Ok(1));
    store.verify().unwrap();
}

#[test]
fn keys_have_limits_and_parts() {
    let (store, sessions) = sessions();
    let refused = sessions.store(session(&"k".repeat(MAX_KEY_BYTES))).unwrap_err();
    let too_long = KeyError::too_long(MAX_KEY_BYTES + 1, MAX_KEY_BYTES);
    assert!(matches!(refused.cause(), Cause::Key(error) if *error == too_long), "{refused}");
    let schema = Schema::new([FieldDef::new("host", Kind::Str).key().index(), FieldDef::new("port", Kind::Int).key()]);
    let pairs = store.key_values::<u8>("pairs", schema).unwrap();
    pairs.store(KeyValue::new(("a", 1), 1)).unwrap();
    pairs.store(KeyValue::new(("a", 2), 2)).unwrap();
    assert_eq!(**pairs.get(("a", 2)).unwrap(), 2);
    assert_eq!(pairs.find(field("host").eq("a") & field("port").gt(1)).count(), Ok(1));
    let refused = pairs.store(KeyValue::new("a", 1)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Key(KeyError::MissingPart)), "{refused}");
    store.verify().unwrap();
}

#[test]
fn a_collection_has_one_type_and_schema() {
    let (store, _sessions) = sessions();
    let error = store.collection::<KeyValue<Session>>("Session").unwrap_err();
    assert!(matches!(error, CollectionError::NeedsSchema { open_with: "Store::key_values", .. }), "{error}");
    let other = store.key_values::<u8>("Session", Schema::new([]));
    assert!(matches!(other, Err(CollectionError::OtherType { .. })));
    let other = store.key_values::<Session>("Session", Schema::new([]));
    assert!(matches!(other, Err(CollectionError::OtherSchema { .. })));
    let twice = store.key_values::<Session>("other", Schema::new([FieldDef::new("key", Kind::Str)]));
    let is = |source: &SchemaError| matches!(source, SchemaError::DuplicateField { .. });
    assert!(matches!(twice, Err(CollectionError::Schema { source, .. }) if is(&source)));
    let plain = store.key_values::<u8>("plain", Schema::new([])).unwrap();
    plain.store(KeyValue::new("1", 1)).unwrap();
    assert_eq!((plain.len(), plain.schema().fields().len()), (1, 1));
}

#[test]
fn the_value_can_have_any_type() {
    let (_, sessions) = sessions();
    sessions.store(session("1")).unwrap();
    assert_eq!(sessions.get_with("1", |session| session.visits), Some(0));
    let mut one = session("2");
    one.visits += 1;
    assert_eq!(one.into_value().visits, 1);
}
