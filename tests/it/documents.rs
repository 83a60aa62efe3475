//! JSON documents: paths, conflicts, patches, limits, searches over several collections, and the same query results as
//! typed records.

mod answers;
mod elements;
mod indexes;
mod kinds;
mod paths;
mod searches;

use memdex::error::{Cause, CollectionError, DocumentError, KeyError, QueryError, SchemaError};
use memdex::limits::{MAX_DOCUMENT_DEPTH, MAX_KEY_BYTES};
use memdex::typing::{AnyKey, IntoKey};
use memdex::{Collection, Document, FieldDef, IndexDef, Json, Key, Kind, Record, Schema, Store, Value, field, json};

fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("status", Kind::Str).index(),
        FieldDef::new("amount", Kind::Int).index(),
        FieldDef::new("score", Kind::Float).index().skip_conflicts(),
        FieldDef::new("paid", Kind::Bool),
        FieldDef::new("grade", Kind::Char).index(),
        FieldDef::new("metadata.tags", Kind::Str).many().index(),
        FieldDef::new("items.price", Kind::Int).many().skip_conflicts(),
    ])
}

fn payments() -> (Store, Collection<Document>) {
    let store = Store::new();
    let payments = store.documents("Payment", schema()).unwrap();
    (store, payments)
}

fn document(json: Json) -> Document {
    Document::new(json).unwrap()
}

fn keys(payments: &Collection<Document>, predicate: memdex::query::Predicate) -> Vec<String> {
    let mut keys: Vec<String> = payments.find(predicate).keys().unwrap().iter().map(Key::to_string).collect();
    keys.sort();
    keys.into_iter().map(|key| key.trim_matches('"').to_owned()).collect()
}

/// Danger: a collection reads declared fields from copies, which a change of the document, or another collection with fields at other
/// positions, would leave behind.
#[test]
fn declared_fields_are_those_of_the_document_after_every_change() {
    let store = Store::new();
    let first = store.documents("First", schema()).unwrap();
    let declared = [
        FieldDef::new("amount", Kind::Float).ordered(),
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("items.price", Kind::Float).many(),
        FieldDef::new("status", Kind::Str).column(),
    ];
    let second = store.documents("Second", Schema::new(declared)).unwrap();
    let check = |of: &Collection<Document>, status: &str, amount: i64, price: i64| {
        let body = of.get("1").unwrap().body().clone();
        let same = field("status").eq(status) & field("amount").eq(amount) & field("items.price").contains(price);
        assert_eq!(keys(of, same), ["1"], "{body}");
        let other = field("status").ne(status) | field("amount").ne(amount) | !field("items.price").contains(price);
        assert_eq!(keys(of, other), [""; 0], "{body}");
        store.verify().unwrap();
    };
    fn long() -> String {
        "long ".repeat(100)
    }
    first
        .store(document(json!({ "id": "1", "status": "a", "amount": 1, "items": [{ "price": 1 }, { "price": "?" }] })))
        .unwrap();
    check(&first, "a", 1, 1);
    first.update("1", |payment| payment.set("status", long()).unwrap()).unwrap();
    check(&first, &long(), 1, 1);
    first.patch("1", json!({ "status": "b", "amount": 2 })).unwrap();
    check(&first, "b", 2, 1);

    let moved = first.get("1").unwrap().cloned();
    let mut valid = moved.clone();
    assert!(matches!(second.store(moved).unwrap_err().cause(), Cause::Conflict { .. }));
    valid.set("items", json!([{ "price": 3 }])).unwrap();
    second.store(valid.clone()).unwrap();
    check(&second, "b", 2, 3);
    first.store(second.get("1").unwrap().cloned()).unwrap();
    check(&first, "b", 2, 3);

    let mut batch = store.batch();
    batch.store(&second, valid).unwrap();
    assert!(batch.edit(&second, 0, |payment| payment.set("amount", 4).unwrap()).unwrap());
    batch.patch(&second, "1", json!({ "status": "c" })).unwrap();
    batch.commit().unwrap();
    check(&second, "c", 4, 3);
    second.update_where(field("status").eq("c"), |payment| payment.set("status", long()).unwrap()).unwrap();
    check(&second, &long(), 4, 3);
}

#[test]
fn every_command_takes_documents() {
    let (store, payments) = payments();
    payments.insert(document(json!({ "id": "1", "amount": 5 }))).unwrap();
    payments.store(document(json!({ "id": "1", "amount": 6 }))).unwrap();
    payments.update("1", |payment| payment.set("amount", 7).unwrap()).unwrap();
    payments.update("1", |payment| payment.set("note.by", "me")).unwrap();
    payments.upsert(document(json!({ "id": "2" })), |_| unreachable!()).unwrap();
    let seen = payments.get("2").unwrap().commit();
    payments.if_unchanged(seen).patch("2", json!({ "amount": 7 })).unwrap();
    let stale = payments.if_unchanged(seen).patch("2", json!({ "amount": 8 })).unwrap_err();
    assert!(matches!(stale.cause(), Cause::Stale { .. }), "{stale}");
    assert_eq!(keys(&payments, field("amount").eq(7)), ["1", "2"]);
    assert_eq!(payments.get("1").unwrap().body(), &json!({ "id": "1", "amount": 7, "note": { "by": "me" } }));

    let mut batch = store.batch();
    batch.patch(&payments, "1", json!({ "amount": null })).unwrap();
    batch.patch(&payments, "1", json!({ "status": "open" })).unwrap();
    batch.delete(&payments, "2").unwrap();
    assert_eq!(batch.get(&payments, "1").unwrap().unwrap().get("status"), Some(&json!("open")));
    batch.commit().unwrap();
    let mut writer = store.writer();
    writer.patch(&payments, "1", json!({ "paid": true })).unwrap();
    writer.flush().unwrap();
    assert_eq!(keys(&payments, field("paid").eq(true) & field("amount").is_null()), ["1"]);
    assert_eq!(payments.patch("3", json!({})).unwrap_err().cause().to_string(), Cause::KeyMissing.to_string());
    store.verify().unwrap();
}

#[test]
fn paths_traverse_objects_and_arrays() {
    let (store, payments) = payments();
    let bodies = [
        json!({ "id": "one", "metadata": { "tags": "eu" }, "items": { "price": 1 } }),
        json!({ "id": "list", "metadata": { "tags": ["eu", "us", "eu", null] }, "items": [{ "price": 1 }, { "price": 2 }] }),
        json!({ "id": "lists", "metadata": [{ "tags": ["us"] }, { "tags": [["asia"]] }, 7], "items": [[{ "price": [3, "x"] }]] }),
        json!({ "id": "none", "metadata": { "tags": [] }, "items": [] }),
        json!({ "id": "null", "metadata": null }),
        json!({ "id": "scalar", "metadata": 7, "items": "none" }),
    ];
    store.commit(|batch| bodies.iter().try_for_each(|body| batch.store(&payments, document(body.clone())))).unwrap();
    let tags = || field("metadata.tags");
    assert_eq!(keys(&payments, tags().contains("eu")), ["list", "one"]);
    assert_eq!(keys(&payments, tags().any(["asia", "eu"])), ["list", "lists", "one"]);
    assert_eq!(keys(&payments, tags().all(["us", "eu"])), ["list"]);
    assert_eq!(keys(&payments, tags().all(["us", "asia"])), ["lists"]);
    assert_eq!(keys(&payments, tags().is_null()), ["none", "null", "scalar"]);
    assert_eq!(keys(&payments, field("items.price").any([2, 3])), ["list", "lists"]);
    assert_eq!(keys(&payments, field("items.price").is_null()), ["none", "null", "scalar"]);
    assert_eq!(keys(&payments, field("items.price").eq(1)), ["list", "one"]);
    assert_eq!(payments.get("one").unwrap().get("metadata.tags"), Some(&json!("eu")));
    assert_eq!(payments.get("list").unwrap().get("items.price"), None, "get traverses only objects");
    store.verify().unwrap();
}

#[test]
fn conflicts_are_refused_or_skipped_by_name() {
    let (store, payments) = payments();
    payments.store(document(json!({ "id": "1", "amount": 5, "score": 1 }))).unwrap();
    let refused = [
        (json!({ "id": "2", "amount": "ten" }), "amount", "\"ten\""),
        (json!({ "id": "2", "amount": 5.0 }), "amount", "5.0"),
        (json!({ "id": "2", "amount": [5] }), "amount", "an array"),
        (json!({ "id": "2", "amount": { "cents": 5 } }), "amount", "an object"),
        (json!({ "id": "2", "status": true }), "status", "true"),
        (json!({ "id": "2", "paid": 0 }), "paid", "0"),
        (json!({ "id": "2", "grade": "AB" }), "grade", "\"AB\""),
        (json!({ "id": "2", "metadata": { "tags": ["a", 1] } }), "metadata.tags", "1"),
        (json!({ "id": "2", "metadata": { "tags": { "a": 1 } } }), "metadata.tags", "an object"),
        (json!({ "id": 2 }), "id", "2"),
    ];
    for (body, name, what) in refused {
        let error = payments.store(document(body.clone())).unwrap_err();
        let Cause::Conflict { field, found, .. } = error.cause() else { panic!("{body}: {error}") };
        assert_eq!((&**field, &**found), (name, what), "{body}");
        let patched = payments.patch("1", {
            let mut body = body.clone();
            body.as_object_mut().unwrap().remove("id");
            body
        });
        assert_eq!(patched.is_err(), name != "id", "{body}");
    }
    assert_eq!(
        payments.store(document(json!({ "id": "2", "amount": "ten" }))).unwrap_err().to_string(),
        "store of \"2\" in \"Payment\" refused: field \"amount\" is declared integer, but the record has \"ten\": fix \
         the record, or declare the field with skip_conflicts"
    );
    assert_eq!(
        (payments.len(), payments.get("1").unwrap().body()),
        (1, &json!({ "id": "1", "amount": 5, "score": 1 }))
    );

    // A skipped value is missing, in the index and in every other query.
    payments
        .store(document(json!({ "id": "2", "score": "high", "items": [{ "price": "free" }, { "price": 3 }] })))
        .unwrap();
    assert_eq!(keys(&payments, field("score").is_null()), ["2"]);
    assert_eq!(keys(&payments, field("score").is_null() & field("id").ne("")), ["2"]);
    assert_eq!(keys(&payments, field("score").ge(1)), ["1"], "an integer is a float where one is declared");
    assert_eq!(keys(&payments, field("items.price").contains(3)), ["2"]);
    assert!(matches!(payments.find(field("score").eq("high")).count(), Err(QueryError::WrongKind { .. })));
    store.verify().unwrap();
}

#[test]
fn a_required_field_must_be_present() {
    let store = Store::new();
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("user", Kind::Str).required().skip_conflicts(),
        FieldDef::new("tags", Kind::Str).many().required(),
    ]);
    let documents = store.documents("d", schema).unwrap();
    documents.store(document(json!({ "id": 1, "user": "u", "tags": "a" }))).unwrap();
    for body in [
        json!({ "id": 2, "tags": "a" }),
        json!({ "id": 2, "user": null, "tags": "a" }),
        json!({ "id": 2, "user": 7, "tags": "a" }),
        json!({ "id": 2, "user": "u", "tags": [null] }),
    ] {
        let refused = documents.store(document(body)).unwrap_err();
        assert!(matches!(refused.cause(), Cause::MissingField { .. }), "{refused}");
    }
    assert!(documents.patch(1, json!({ "user": null })).is_err());
    assert_eq!((documents.len(), documents.contains(1), documents.contains("1")), (1, true, false));
}

/// Queries answer an undeclared path by a scan, with the semantics of JSON.
#[test]
fn undeclared_paths_can_be_queried() {
    let (_, payments) = payments();
    for (id, v) in [
        ("int", json!(5)),
        ("float", json!(5.0)),
        ("half", json!(5.5)),
        ("big", json!(u64::MAX)),
        ("text", json!("5")),
        ("yes", json!(true)),
        ("null", json!(null)),
        ("object", json!({ "x": 5 })),
        ("list", json!([5, "5", true])),
    ] {
        payments.store(document(json!({ "id": id, "v": v }))).unwrap();
    }
    let v = || field("v");
    assert_eq!(keys(&payments, v().eq(5)), ["float", "int", "list"]);
    assert_eq!(keys(&payments, v().eq(5.0)), ["float", "int", "list"]);
    assert_eq!(keys(&payments, v().eq("5")), ["list", "text"]);
    assert_eq!(keys(&payments, v().eq('5')), ["list", "text"]);
    assert_eq!(keys(&payments, v().eq(u64::MAX)), ["big"]);
    assert_eq!(keys(&payments, v().gt(5)), ["big", "half"]);
    assert_eq!(keys(&payments, v().between(4.9, 5)), ["float", "int", "list"]);
    assert_eq!(keys(&payments, v().lt("6")), ["list", "text"]);
    assert_eq!(keys(&payments, v().ne(5)), ["big", "half", "text", "yes"], "a list with 5 contains it");
    assert_eq!(keys(&payments, !v().eq(5)), ["big", "half", "null", "object", "text", "yes"]);
    assert_eq!(keys(&payments, v().is_in([Value::from(true), Value::from(5.5)])), ["half", "list", "yes"]);
    assert_eq!(keys(&payments, v().is_null()), ["null", "object"]);
    assert_eq!(keys(&payments, v().all([Value::from(5), Value::from("5")])), ["list"]);
    assert_eq!(keys(&payments, field("v.x").contains(5) & field("id").eq("object")), ["object"]);
    assert_eq!(keys(&payments, field("nowhere.at.all").is_null()).len(), 9);
    let error = payments.find(v().eq(Value::NULL)).count().unwrap_err();
    assert_eq!(error.to_string(), "field \"v\" of \"Payment\" can't be compared with null: use is_null");
}

#[test]
fn undeclared_paths_are_returned_as_they_are() {
    let (_, payments) = payments();
    for (id, v) in [
        ("float", json!(5.0)),
        ("list", json!([5, "x"])),
        ("none", json!([])),
        ("object", json!({ "w": true })),
        ("objects", json!([{ "w": 1 }])),
    ] {
        payments.store(document(json!({ "id": id, "v": v }))).unwrap();
    }
    let hits = payments.find(field("id").ge("")).order_by(field("id").asc()).select(["v", "v.w"]).fetch().unwrap();
    let values: Vec<Json> = hits.iter().map(|hit| serde_json::to_value(hit).unwrap()["values"].take()).collect();
    assert_eq!(
        values,
        [
            json!({ "v": 5.0, "v.w": null }),
            json!({ "v": [5, "x"], "v.w": null }),
            json!({ "v": null, "v.w": null }),
            json!({ "v": null, "v.w": true }),
            json!({ "v": null, "v.w": [1] }),
        ]
    );
    assert_eq!(hits[1].value("v"), Some(Value::from(5)));
    assert_eq!(hits[1].values_of("v"), [Value::from(5), Value::from("x")]);
}

#[test]
fn schemas_are_checked_when_a_collection_is_opened() {
    let store = Store::new();
    let source = |schema: Schema| match store.documents("d", schema).unwrap_err() {
        CollectionError::Schema { source, .. } => source,
        other => panic!("{other}"),
    };
    let id = || FieldDef::new("id", Kind::Str).key();
    assert_eq!(source(Schema::new([])), SchemaError::NoKey);
    let schema = Schema::new([]).with_index(IndexDef::equality("metadata.tags"));
    let Err(CollectionError::Schema { source: unknown, .. }) = store.key_values::<()>("k", schema) else { panic!() };
    assert_eq!(unknown.to_string(), "index \"metadata.tags\": the schema has no field \"metadata.tags\"; it has key");
    assert!(matches!(source(Schema::new([id(), id()])), SchemaError::DuplicateField { .. }));
    assert!(matches!(source(Schema::new([id().many()])), SchemaError::ListKey { .. }));

    let error = store.collection::<Document>("d").unwrap_err();
    assert_eq!(
        error.to_string(),
        "collection \"d\": memdex::Document has no schema: open the collection with Store::documents and \
         pass one"
    );
    let documents = store.documents("d", Schema::new([id()])).unwrap();
    documents.store(document(json!({ "id": "1" }))).unwrap();
    assert_eq!(store.documents("d", Schema::new([id()])).unwrap().len(), 1);
    assert_eq!(store.documents("d", documents.schema().clone()).unwrap().len(), 1);
    for other in [Schema::new([id(), FieldDef::new("a", Kind::Int)]), Schema::new([id().skip_conflicts()])] {
        assert!(matches!(store.documents("d", other), Err(CollectionError::OtherSchema { .. })));
    }
    let other = store.key_values::<u8>("d", Schema::new([id()]));
    assert!(matches!(other, Err(CollectionError::OtherType { .. })));
    assert_eq!(store.stats().collections.len(), 1, "no refusal has made a collection");
}

fn deep(levels: usize) -> Json {
    let mut deep = json!(1);
    (0..levels).for_each(|_| deep = Json::Array(vec![std::mem::take(&mut deep)]));
    deep
}

fn deep_object(levels: usize) -> Json {
    let mut body = serde_json::Map::new();
    body.insert("id".into(), json!("1"));
    body.insert("deep".into(), deep(levels - 1));
    Json::Object(body)
}

#[test]
fn depth_has_a_limit() {
    let (store, payments) = payments();
    let is_too_deep = |error: &DocumentError| matches!(error, DocumentError::TooDeep { limit: MAX_DOCUMENT_DEPTH, .. });
    payments.store(document(deep_object(MAX_DOCUMENT_DEPTH))).unwrap();
    let text = payments.get("1").unwrap().to_string();
    assert_eq!(text.parse::<Document>().unwrap(), *payments.get("1").unwrap());
    for levels in [MAX_DOCUMENT_DEPTH + 1, 1_000, 100_000] {
        assert!(is_too_deep(&Document::new(deep_object(levels)).unwrap_err()));
        let refused = payments.patch("1", deep_object(levels)).unwrap_err();
        assert!(matches!(refused.cause(), Cause::Document(error) if is_too_deep(error)), "{refused}");
        let text = format!("{}{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(is_too_deep(&text.parse::<Document>().unwrap_err()));
        let refused = payments.update("1", move |payment| payment.set("more", deep(levels))).unwrap_err();
        assert!(refused.to_string().contains("deeper than 127 levels"), "{refused}");
    }
    let mut one = document(json!({ "id": "1" }));
    one.set(&["a"; MAX_DOCUMENT_DEPTH].join("."), 1).unwrap();
    let before = one.clone();
    let in_the_way = one.set(&["a"; MAX_DOCUMENT_DEPTH + 1].join("."), 1).unwrap_err();
    assert!(matches!(in_the_way, DocumentError::InTheWay { found: "a number", .. }), "{in_the_way}");
    assert!(is_too_deep(&one.set(&["b"; MAX_DOCUMENT_DEPTH + 1].join("."), 1).unwrap_err()));
    assert!(is_too_deep(&one.set(&["b"; 100_000].join("."), 1).unwrap_err()));
    assert_eq!(one, before);
    assert_eq!((payments.get("1").unwrap().to_string(), store.newest_commit().get()), (text, 1));
}

#[test]
fn patches_keep_the_key_and_the_schema() {
    let (store, payments) = payments();
    payments
        .store(document(json!({ "id": "1", "amount": 5, "metadata": { "tags": ["a"], "note": { "x": 1 } } })))
        .unwrap();
    payments.patch("1", json!({ "id": "1", "metadata": { "tags": ["b"], "note": { "x": null, "y": 2 } } })).unwrap();
    let patched = json!({ "id": "1", "amount": 5, "metadata": { "tags": ["b"], "note": { "y": 2 } } });
    assert_eq!(payments.get("1").unwrap().body(), &patched);
    let cause = |patch: Json| payments.patch("1", patch).unwrap_err().into_batch();
    for patch in
        [json!({ "id": "2" }), json!({ "id": null }), json!({ "amount": "x" }), json!({ "metadata": { "tags": 1 } })]
    {
        assert_eq!(cause(patch).len(), 1, "the batch comes back");
    }
    assert!(matches!(payments.patch("1", json!({ "id": "2" })).unwrap_err().cause(), Cause::KeyChanged { .. }));
    assert!(matches!(
        payments.patch("1", json!({ "id": null })).unwrap_err().cause(),
        Cause::Key(KeyError::MissingPart) | Cause::KeyChanged { .. }
    ));
    for (patch, found) in [(json!(null), "null"), (json!([1]), "an array"), (json!("x"), "a string")] {
        let refused = payments.patch("1", patch).unwrap_err();
        assert!(
            matches!(refused.cause(), Cause::Document(DocumentError::NotAnObject { found: f, .. }) if *f == found),
            "{refused}"
        );
        assert_eq!(refused.refusal().operation(), "patch");
    }
    assert_eq!(payments.get("1").unwrap().body(), &patched);
    assert_eq!(keys(&payments, field("metadata.tags").contains("b")), ["1"]);
    store.verify().unwrap();
}

#[test]
fn keys_can_have_any_kind() {
    let store = Store::new();
    let by = |name: &str, fields: &[(&'static str, Kind)]| {
        store.documents(name, Schema::new(fields.iter().map(|(name, kind)| FieldDef::new(*name, *kind).key()))).unwrap()
    };
    let (text, number, pair) = (
        by("t", &[("a.id", Kind::Str)]),
        by("n", &[("id", Kind::Int)]),
        by("p", &[("x", Kind::Str), ("y", Kind::Int)]),
    );
    text.store(document(json!({ "a": { "id": "k" } }))).unwrap();
    number.store(document(json!({ "id": u64::MAX }))).unwrap();
    pair.store(document(json!({ "x": "a", "y": -1 }))).unwrap();
    fn has(documents: &Collection<Document>, key: impl IntoKey<AnyKey>) -> bool {
        documents.contains(key)
    }
    assert!(has(&text, "k") && has(&text, String::from("k")) && has(&text, Value::from("k")));
    let local = String::from("k");
    assert!(has(&text, local.as_str()) && has(&text, text.iter().next().unwrap().key()) && !has(&text, 'k'));
    assert!(has(&number, u64::MAX) && !has(&number, u64::MAX - 1) && !has(&number, "18446744073709551615"));
    assert!(
        has(&pair, ("a", -1))
            && has(&pair, (String::from("a"), -1_i64))
            && !has(&pair, ("a", "-1"))
            && !has(&pair, "a")
    );
    assert!(has(&pair, &[Value::from("a"), Value::from(-1)][..]));

    let too_long = "k".repeat(MAX_KEY_BYTES);
    for (body, is) in [
        (json!({ "a": {} }), KeyError::MissingPart),
        (json!({ "a": null }), KeyError::MissingPart),
        (json!({ "a": { "id": too_long } }), KeyError::too_long(MAX_KEY_BYTES + 1, MAX_KEY_BYTES)),
    ] {
        let refused = text.store(document(body)).unwrap_err();
        assert!(matches!(refused.cause(), Cause::Key(error) if *error == is), "{refused}");
    }
    assert_eq!(text.len(), 1);
}

#[test]
fn documents_are_objects() {
    for (json, found) in [(json!(1), "a number"), (json!([]), "an array"), (json!(null), "null")] {
        assert!(matches!(Document::try_from(json), Err(DocumentError::NotAnObject { found: f, .. }) if f == found));
    }
    assert!(matches!("{".parse::<Document>(), Err(DocumentError::Json { .. })));
    assert!(matches!(document(json!({ "a": 1 })).to::<Vec<u8>>(), Err(DocumentError::Json { .. })));
    let one = document(json!({ "a": [1, 2] }));
    assert_eq!((format!("{one}"), format!("{one:?}")), ("{\"a\":[1,2]}".into(), format!("{:?}", one.body())));
    assert_eq!(one.into_body(), json!({ "a": [1, 2] }));
}

/// A field with very many values: without an index there is no limit of values.
#[test]
fn many_values_in_one_field() {
    let (store, payments) = payments();
    let prices: Vec<Json> = (0..100_000).map(|price| json!({ "price": price })).collect();
    payments.store(document(json!({ "id": "1", "items": prices }))).unwrap();
    assert_eq!(keys(&payments, field("items.price").all([0, 99_999])), ["1"]);
    assert_eq!(keys(&payments, field("items.price").contains(100_000)).len(), 0);
    store.verify().unwrap();
}

#[test]
fn a_fix_is_checked_too() {
    let (store, payments) = payments();
    let mut batch = store.batch();
    batch.store(&payments, document(json!({ "id": "1", "amount": 5 }))).unwrap();
    let refusal = batch.edit(&payments, 0, |payment| payment.set("amount", "x").unwrap()).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::Conflict { .. }), "{refusal}");
    assert!(batch.edit(&payments, 0, |payment| payment.set("amount", 6).unwrap()).unwrap());
    batch.commit().unwrap();
    assert_eq!(keys(&payments, field("amount").eq(6)), ["1"]);
}

#[test]
fn a_document_type_has_no_schema() {
    assert!(<Document as Record>::schema().fields().is_empty());
}

/// A declaration may come from a narrow type; later values may be wider.
#[test]
fn integers_can_have_any_width() {
    let store = Store::new();
    let schema = Schema::new([FieldDef::of::<u8>("id").key(), FieldDef::of::<Option<i32>>("n").index()]);
    let documents = store.documents("d", schema).unwrap();
    documents.store(document(json!({ "id": 1, "n": u64::MAX }))).unwrap();
    documents.store(document(json!({ "id": 1_000, "n": i64::MIN }))).unwrap();
    assert_eq!(documents.find(field("n").eq(u64::MAX)).count(), Ok(1));
    assert_eq!(documents.find(field("n").lt(0)).keys().unwrap()[0].parts(), [Value::from(1_000)]);
    store.verify().unwrap();
}
