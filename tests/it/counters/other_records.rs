//! Documents and key/value records, whose fields are known at run time.

use memdex::error::{Cause, FieldError, QueryError};
use memdex::{FieldDef, KeyValue, Kind, Schema, Store, Value, field};

fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("n", Kind::Int).index(),
        FieldDef::new("at.load", Kind::Float).column(),
        FieldDef::new("price", Kind::Decimal),
        FieldDef::new("seen", Kind::Timestamp),
        FieldDef::new("tags", Kind::Str).many().index(),
    ])
}

#[test]
fn key_value_records_are_edited() {
    let store = Store::new();
    let records = store.key_values::<u8>("v", schema()).unwrap();
    records.insert(KeyValue::new("a", 7).with("tags", "x")).unwrap();
    let mut batch = store.batch();
    for n in 0..5 {
        batch.increment(&records, "a", field("n"), 2).unwrap();
        batch.append_bounded(&records, "a", field("tags"), format!("t{n}"), 2).unwrap();
        batch.increment_or_insert(&records, KeyValue::new("b", 8), field("at.load"), 1).unwrap();
    }
    batch.max(&records, "b", field("n"), 4).unwrap();
    batch.commit().unwrap();
    let a = records.get("a").unwrap();
    assert_eq!(a.field("n").collect::<Vec<_>>(), [&Value::from(10)]);
    assert_eq!(a.field("tags").collect::<Vec<_>>(), [&Value::from("t3"), &Value::from("t4")]);
    assert_eq!(**a, 7);
    assert_eq!(records.find(field("at.load").eq(5.0) & field("n").eq(4)).count(), Ok(1));
    let refused = records.increment("a", field("id"), 1).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Field { error: FieldError::PartOfKey, .. }));
    store.verify().unwrap();
}

#[cfg(feature = "documents")]
#[test]
fn documents_are_edited_at_their_declared_paths() {
    use memdex::{Document, json};
    let store = Store::new();
    let documents = store.documents("d", schema()).unwrap();
    documents.insert(Document::new(json!({ "id": "a", "n": 1, "other": [1], "tags": "x" })).unwrap()).unwrap();
    let mut batch = store.batch();
    for n in 0..5 {
        batch.increment(&documents, "a", field("n"), 2).unwrap();
        batch.increment(&documents, "a", field("at.load"), 0.5).unwrap();
        batch.append_bounded(&documents, "a", field("tags"), format!("t{n}"), 2).unwrap();
        batch.increment(&documents, "a", field("price"), 0.1).unwrap_err();
    }
    batch.increment(&documents, "a", field("price"), "0.1".parse::<memdex::typing::DecimalValue>().unwrap()).unwrap();
    batch.max(&documents, "a", field("seen"), "2026-01-01T00:00:00Z").unwrap();
    batch.commit().unwrap();
    let expected = json!({
        "id": "a", "n": 11, "other": [1], "tags": ["t3", "t4"], "at": { "load": 2.5 }, "price": "0.1", "seen": "2026-01-01T00:00:00Z"
    });
    assert_eq!(documents.get("a").unwrap().body(), &expected);
    assert_eq!(documents.find(field("n").eq(11) & field("tags").contains("t4")).count(), Ok(1));

    let default = |id: &str| Document::new(json!({ "id": id, "n": 5 })).unwrap();
    documents.increment_or_insert(default("b"), field("n"), 1).unwrap();
    documents.increment_or_insert(default("b"), field("n"), 1).unwrap();
    assert_eq!(documents.get("b").unwrap().get("n"), Some(&json!(7)));

    let refused = documents.increment("a", field("other"), 1).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(QueryError::UnknownField { .. })), "{refused}");
    let refused = documents.increment("a", field("n"), u128::MAX).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Field { error: FieldError::Overflow { .. }, .. }), "{refused}");
    let wrong = Document::new(json!({ "id": "c", "n": "x" })).unwrap();
    let refused = documents.increment_or_insert(wrong, field("n"), 1).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Conflict { .. }), "{refused}");
    let in_the_way = Document::new(json!({ "id": "c", "at": 1 })).unwrap();
    let refused = documents.increment_or_insert(in_the_way, field("at.load"), 1).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Field { error: FieldError::NoStruct, .. }), "{refused}");
    assert_eq!(documents.get("a").unwrap().body(), &expected);
    store.verify().unwrap();
}
