//! Collections without their record type: records from values and back.

use memdex::error::{Cause, QueryError};
use memdex::typing::{AnyCollection, FieldValues, ValueRef};
use memdex::{FieldDef, FieldValue, KeyValue, Kind, Nested, Query, Record, Schema, Store, Timestamp, Value, field};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FieldValue)]
#[field(rename_all = "snake_case")]
enum Status {
    Pending,
    PaidOut,
}

#[derive(Clone, Debug, PartialEq, FieldValue)]
struct UserId(String);

#[derive(Clone, Debug, PartialEq, Nested)]
#[record(from_values)]
struct Address {
    #[record(index)]
    city: String,
    #[record(field)]
    floor: Option<i8>,
    note: String,
}

#[derive(Clone, Debug, PartialEq, Record)]
#[record(from_values, rename_all = "camelCase")]
struct Payment {
    #[record(key)]
    payment_id: u64,
    #[record(key)]
    region: char,
    #[record(index)]
    user: UserId,
    #[record(index)]
    status: Status,
    #[record(field)]
    amount: f64,
    #[record(field)]
    at: Option<Timestamp>,
    #[record(field)]
    body: Vec<u8>,
    #[record(index)]
    tags: Vec<String>,
    #[record(field)]
    scores: BTreeSet<i32>,
    #[record(field)]
    states: HashSet<Status>,
    #[record(nested)]
    home: Address,
    #[record(nested)]
    work: Option<Box<Address>>,
    cache: Option<u32>,
}

fn payment(id: u64) -> Payment {
    let bern = Address { city: "Bern".into(), floor: Some(-1), note: String::new() };
    Payment {
        payment_id: id,
        region: 'e',
        user: UserId("u-1".into()),
        status: Status::PaidOut,
        amount: 12.5,
        at: Some(Timestamp::from_micros(7)),
        body: vec![1, 2, 3],
        tags: vec!["a".into(), "b".into()],
        scores: [3, 1].into(),
        states: [Status::Pending].into(),
        home: bern.clone(),
        work: id.is_multiple_of(2).then(|| Box::new(Address { floor: None, ..bern })),
        cache: None,
    }
}

#[test]
fn a_record_copied_as_values_is_the_same_record() {
    let (store, copies) = (Store::new(), Store::new());
    let payments = store.collection::<Payment>("Payment").unwrap();
    copies.collection::<Payment>("Payment").unwrap();
    for id in 1..=4 {
        payments.store(payment(id)).unwrap();
    }
    let from = store.any_collection("Payment").unwrap();
    let to = copies.any_collection("Payment").unwrap();
    assert_eq!((from.name(), from.len(), from.record_type()), ("Payment", 4, std::any::type_name::<Payment>()));
    let page = from.query(&Query::over(["Payment"])).unwrap().records().unwrap();
    copies.commit(|batch| page.iter().try_for_each(|hit| to.store_values(batch, &hit.to_values()))).unwrap();
    let copied = copies.collection::<Payment>("Payment").unwrap();
    for id in 1..=4 {
        assert_eq!(*copied.get((id, 'e')).unwrap(), payment(id));
    }
    copies.verify().unwrap();
}

#[test]
fn batches_of_values_are_atomic_over_collections() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let events = store.key_values::<()>("Event", Schema::new([FieldDef::new("kind", Kind::Str).index()])).unwrap();
    let (any_payments, any_events) = (&payments as &dyn AnyCollection, &events as &dyn AnyCollection);
    payments.store(payment(1)).unwrap();
    let values =
        store.any_collection("Payment").unwrap().get(payments.get((1, 'e')).unwrap().key()).unwrap().to_values();
    let refused = store.commit(|batch| {
        any_events.store_values(batch, &FieldValues::new().with("key", "e-1").with("kind", "paid"))?;
        let mut other = values.clone();
        other.set_each("paymentId", [2]);
        any_payments.store_values(batch, &other)?;
        batch.insert(&payments, payment(1))
    });
    assert!(matches!(refused.unwrap_err().cause(), Cause::KeyExists));
    assert_eq!((payments.len(), events.len()), (1, 0));
    store
        .commit(|batch| {
            any_events.store_values(batch, &FieldValues::new().with("key", "e-1").with("kind", "paid"))?;
            any_payments.delete_key(batch, payments.get((1, 'e')).unwrap().key())
        })
        .unwrap();
    assert_eq!((payments.len(), events.find(field("kind").eq("paid")).count().unwrap()), (0, 1));
    let other = Store::new();
    let refused = other.commit(|batch| any_events.store_values(batch, &FieldValues::new().with("key", "x")));
    assert!(matches!(refused.unwrap_err().cause(), Cause::OtherStore));
}

/// Why a collection refuses values.
fn cause(collection: &dyn AnyCollection, store: &Store, values: &FieldValues) -> String {
    let refused = store.commit(|batch| collection.store_values(batch, values)).unwrap_err();
    assert_eq!(collection.len(), 0);
    refused.cause().to_string()
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let sample = Store::new();
    let sampled = sample.collection::<Payment>("Payment").unwrap();
    sampled.store(payment(1)).unwrap();
    let good = sample.any_collection("Payment").unwrap().get(sampled.get((1, 'e')).unwrap().key()).unwrap().to_values();
    let with = |field: &'static str, values: &[Value]| {
        let mut values_of = good.clone();
        values_of.set_each(field, values.to_vec());
        cause(&payments, &store, &values_of)
    };
    assert!(with("amount", &[]).contains("\"amount\" is required"), "{}", with("amount", &[]));
    assert!(with("amount", &[Value::NULL]).contains("\"amount\" is required"));
    assert_eq!(with("amount", &["x".into()]), "field \"amount\" is a f64, which can't be \"x\"");
    assert!(
        with("amount", &[1.0.into(), 2.0.into()]).contains("1.0, 2.0"),
        "{}",
        with("amount", &[1.0.into(), 2.0.into()])
    );
    assert!(with("status", &["lost".into()]).contains("\"lost\""));
    assert!(with("paymentId", &[(-1).into()]).contains("-1"));
    assert!(with("tags", &["a".into(), 7.into()]).contains("Vec<alloc::string::String>"));
    assert!(with("home.city", &[]).contains("\"home.city\" is required"));
    assert!(with("payment_id", &[1.into()]).contains("declares no field \"payment_id\""));
    // An integer is a float, a string of one character is a `char`, a missing optional struct is none.
    let mut lenient = good.clone();
    lenient.set_each("amount", [5]);
    lenient.set_each("region", ["x"]);
    store.commit(|batch| payments.store_values(batch, &lenient)).unwrap();
    assert_eq!(payments.get((1, 'x')).unwrap().amount, 5.0);
}

#[test]
fn types_without_from_values_say_so() {
    #[derive(Record)]
    struct Plain {
        #[record(key)]
        id: u32,
    }
    #[derive(Record)]
    #[record(from_values)]
    struct Order {
        #[record(key)]
        id: u32,
        #[record(nested)]
        lines: Vec<Address>,
    }
    let store = Store::new();
    let values = FieldValues::new().with("id", 1);
    let plain = store.collection::<Plain>("Plain").unwrap();
    assert!(cause(&plain, &store, &values).contains("Plain can't be built from values: put #[record(from_values)]"));
    let orders = store.collection::<Order>("Order").unwrap();
    let values = values.with("lines.city", "Bern");
    assert!(cause(&orders, &store, &values).contains("Vec<"), "{}", cause(&orders, &store, &values));
    store.commit(|batch| orders.store_values(batch, &FieldValues::new().with("id", 2))).unwrap();
    let opaque = store.key_values::<Arc<str>>("Opaque", Schema::new([])).unwrap();
    assert!(cause(&opaque, &store, &FieldValues::new().with("key", "k")).contains("can't be built from values"));
    assert_eq!(plain.get(1).map(|plain| plain.id).or(orders.get(1).map(|order| order.id)), None);
    assert!(orders.get(2).unwrap().lines.is_empty() && AnyCollection::is_empty(&plain));
}

#[test]
fn a_panic_in_from_values_is_a_refusal() {
    struct Panics;
    impl Record for Panics {
        type Key = u32;
        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u32>("id").key()])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(1_u32.into());
        }
        fn value(&self, _: usize) -> memdex::typing::ValueRef<'_> {
            1_u32.into()
        }
        fn from_values(_: &FieldValues) -> Result<Self, Cause> {
            panic!("no such record")
        }
    }
    let store = Store::new();
    let collection = store.collection::<Panics>("Panics").unwrap();
    assert!(cause(&collection, &store, &FieldValues::new().with("id", 1)).contains("no such record"));
}

#[test]
fn key_values_take_their_key_from_the_fields() {
    let schema = Schema::new([
        FieldDef::new("a", Kind::Int).key(),
        FieldDef::new("b", Kind::Str).key(),
        FieldDef::new("tags", Kind::Str).many().index(),
    ]);
    let store = Store::new();
    let units = store.key_values::<()>("Unit", schema).unwrap();
    let any = store.any_collection("Unit").unwrap();
    let values = FieldValues::new().with_each("tags", ["x", "y"]).with("b", "k").with("a", 7);
    store.commit(|batch| any.store_values(batch, &values)).unwrap();
    assert_eq!(*units.get((7, "k")).unwrap(), KeyValue::new((7, "k"), ()).with_each("tags", ["x", "y"]));
    assert!(cause_of(&store, &*any, &FieldValues::new().with("a", 7)).contains("\"b\" is required"));
    assert!(cause_of(&store, &*any, &values.clone().with("a", 8)).contains("several values"));
    assert!(cause_of(&store, &*any, &values.clone().with("c", 8)).contains("declares no field \"c\""));
}

fn cause_of(store: &Store, collection: &dyn AnyCollection, values: &FieldValues) -> String {
    store.commit(|batch| collection.store_values(batch, values)).unwrap_err().cause().to_string()
}

#[cfg(feature = "documents")]
#[test]
fn documents_take_values_at_any_path() {
    let schema =
        Schema::new([FieldDef::new("id", Kind::Str).key(), FieldDef::new("meta.tags", Kind::Str).many().index()]);
    let store = Store::new();
    let documents = store.documents("Document", schema).unwrap();
    let any = store.any_collection("Document").unwrap();
    let values = FieldValues::new()
        .with("id", "d-1")
        .with("meta.tags", "one")
        .with("meta.size", u64::MAX)
        .with("score", 0.5)
        .with_each("list", [1, 2])
        .with("raw", &[0u8, 255][..])
        .with("none", Value::NULL);
    store.commit(|batch| any.store_values(batch, &values)).unwrap();
    let document = documents.get("d-1").unwrap();
    let expected = memdex::json!({
        "id": "d-1", "meta": {"tags": ["one"], "size": u64::MAX}, "score": 0.5, "list": [1, 2], "raw": "AP8=",
        "none": null
    });
    assert_eq!(document.body(), &expected);
    for (path, value) in [
        ("x", Value::from(f64::NAN)),
        ("x", Value::from(u128::MAX)),
        ("x", ValueRef::Date(i32::MAX).to_value()),
        ("id.x", Value::from(1)),
        ("meta.tags", Value::from(1)),
    ] {
        assert!(store.commit(|batch| any.store_values(batch, &values.clone().with(path, value))).is_err(), "{path}");
    }
    assert_eq!(documents.len(), 1);
}

#[test]
fn a_query_of_another_collection_is_refused() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let error = AnyCollection::query(&payments, &Query::over(["User"])).unwrap_err();
    assert!(matches!(error, QueryError::UnknownCollection { .. }), "{error}");
    let none: [&'static str; 0] = [];
    assert_eq!(AnyCollection::query(&payments, &Query::over(none)).unwrap().records().unwrap().len(), 0);
    // A dropped collection is not found by name, and still answers through its handle.
    let any = store.any_collection("Payment").unwrap();
    payments.store(payment(1)).unwrap();
    store.drop_collection("Payment").unwrap();
    assert!(store.any_collection("Payment").is_none());
    assert_eq!(any.query(&Query::over(["Payment"])).unwrap().records().unwrap().len(), 1);
    let refused = store.commit(|batch| any.delete_key(batch, payments.get((1, 'e')).unwrap().key()));
    assert!(matches!(refused.unwrap_err().cause(), Cause::CollectionDropped));
}

#[test]
fn floats_are_rounded_to_the_field() {
    #[derive(Record)]
    #[record(from_values)]
    struct Measurement {
        #[record(key)]
        id: u8,
        #[record(field)]
        ratio: f32,
        #[record(field)]
        offset: Option<f32>,
        #[record(field)]
        all: Vec<f32>,
    }
    let store = Store::new();
    let measurements = store.collection::<Measurement>("Measurement").unwrap();
    let values = FieldValues::new().with("id", 1).with("ratio", 0.1).with("offset", 0.2).with_each("all", [0.3, 1.0]);
    store.commit(|batch| measurements.store_values(batch, &values)).unwrap();
    let stored = measurements.get(1).unwrap();
    assert_eq!((stored.ratio, stored.offset, &*stored.all), (0.1, Some(0.2), &[0.3, 1.0][..]));
    let cause = |values: FieldValues| cause_of(&store, &measurements, &values);
    assert_eq!(cause(values.clone().with("id", 2)), "field \"id\" is a u8, which can't be 1, 2");
    assert!(cause(FieldValues::new().with("id", 300).with("ratio", 1)).contains("is a u8, which can't be 300"));
    assert!(cause(FieldValues::new().with("id", 3).with("ratio", 1e300)).contains("is a f32, which can't be"));
}

#[cfg(feature = "documents")]
#[test]
fn a_path_below_another_value_is_refused_in_any_order() {
    let store = Store::new();
    let documents = store.documents("Document", Schema::new([FieldDef::new("id", Kind::Str).key()])).unwrap();
    let id = || FieldValues::new().with("id", "d");
    for values in
        [id().with("a", 1).with("a.b", 2), id().with("a.b", 2).with("a", 1), id().with("a.b.c", 1).with("a", 2)]
    {
        assert!(cause_of(&store, &documents, &values).contains("\"a\""));
    }
    let many: FieldValues =
        (0..20_000).map(|n| (format!("f{n}"), Value::from(n))).chain([("id".into(), "d".into())]).collect();
    store.commit(|batch| documents.store_values(batch, &many)).unwrap();
    assert_eq!(documents.get("d").unwrap().get("f7"), Some(&memdex::json!(7)));
}
