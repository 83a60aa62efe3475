//! Fields of kinds that JSON writes as text: times, dates, UUIDs, decimals, bytes and characters.

use super::{document, keys};
use memdex::aggregate::DateUnit;
use memdex::error::Cause;
use memdex::query::Predicate;
use memdex::schema::AggregateDef;
use memdex::typing::{AnyKey, FieldValues, KeyBuffer, ValueRef};
use memdex::{
    Bucket, Collection, Document, FieldDef, Filter, GroupBy, IndexDef, Json, KeyValue, Kind, Metric, Query, Record,
    Schema, Store, Value, field, json,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn of(kind: Kind, text: &str) -> Value {
    Value::from_text(kind, text).unwrap_or_else(|| panic!("{text:?} is not a {kind}"))
}

fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Uuid).key(),
        FieldDef::new("at", Kind::Timestamp).ordered().column(),
        FieldDef::new("day", Kind::Date).index(),
        FieldDef::new("price", Kind::Decimal).ordered(),
        FieldDef::new("token", Kind::Uuid).unique(),
        FieldDef::new("raw", Kind::Bytes).index(),
        FieldDef::new("grade", Kind::Char).column(),
        FieldDef::new("seen", Kind::Timestamp).many().index().skip_conflicts(),
    ])
}

fn visits() -> (Store, Collection<Document>) {
    let store = Store::new();
    let visits = store.documents("Visit", schema()).unwrap();
    (store, visits)
}

const IDS: [&str; 3] = [
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "00000000-0000-4000-8000-000000000003",
];

#[test]
fn texts_become_values_of_the_declared_kind() {
    let (store, visits) = visits();
    let bodies = [
        json!({ "id": IDS[0], "at": "2026-11-21T14:00:00.5+02:00", "day": "2026-11-21", "price": "12.50", "raw": "AP8=",
                "token": IDS[0], "grade": "A", "seen": ["2026-11-21T12:00:00Z", "never"] }),
        json!({ "id": IDS[1], "at": "2026-11-21t12:00:00.5z", "day": null, "price": 12.5, "raw": "", "grade": "é",
                "token": IDS[1].replace('-', "").to_uppercase() }),
        json!({ "id": IDS[2].to_uppercase(), "price": 13, "seen": "2026-11-22 01:00:00+13:00" }),
    ];
    store.commit(|batch| bodies.iter().try_for_each(|body| batch.store(&visits, document(body.clone())))).unwrap();
    let found = |predicate| keys(&visits, predicate);
    let first_two = &IDS[..2];
    assert_eq!(found(field("at").eq("2026-11-21T13:00:00.5+01:00")), first_two);
    assert_eq!(found(field("at").eq(of(Kind::Timestamp, "2026-11-21T12:00:00.5Z"))), first_two);
    assert_eq!(found(field("at").ge("2026-11-21T12:00:00.500000001Z")), [""; 0]);
    assert_eq!(found(field("day").eq("2026-11-21")), IDS[..1]);
    assert_eq!(found(field("day").is_null()), IDS[1..]);
    assert_eq!(found(field("price").eq("12.5")), first_two);
    assert_eq!(found(field("price").gt(12.5)), IDS[2..]);
    assert_eq!(found(field("raw").eq([0u8, 255].as_slice())), IDS[..1]);
    assert_eq!(found(field("raw").eq("AP8=")), IDS[..1]);
    assert_eq!(found(field("grade").ge("B")), IDS[1..2]);
    assert_eq!(found(field("token").eq(IDS[1])), IDS[1..2]);
    assert_eq!(found(field("seen").contains("2026-11-21T12:00:00Z")), [IDS[0], IDS[2]]);
    assert_eq!(found(field("id").eq(of(Kind::Uuid, IDS[0]))), IDS[..1]);

    // The key is the UUID; its text finds it too.
    assert!(visits.contains(IDS[2]) && visits.contains(of(Kind::Uuid, IDS[2])) && !visits.contains("x"));
    assert_eq!(visits.get(IDS[2]).unwrap().key().parts(), [of(Kind::Uuid, IDS[2])]);
    for (id, body) in IDS.iter().zip(&bodies) {
        assert_eq!(visits.get(*id).unwrap().body(), body, "the JSON stays as it is");
    }
    let again = visits.insert(document(json!({ "id": IDS[0].replace('-', "") }))).unwrap_err();
    assert!(matches!(again.cause(), Cause::KeyExists), "{again}");
    let twice = visits.patch(IDS[2], json!({ "token": IDS[0].to_uppercase() })).unwrap_err();
    assert!(matches!(twice.cause(), Cause::NotUnique { .. }), "{twice}");

    visits.patch(IDS[0], json!({ "at": "2026-11-22T00:00:00Z", "raw": "////" })).unwrap();
    assert_eq!(found(field("at").gt("2026-11-21T23:59:59Z")), IDS[..1]);
    assert_eq!(found(field("raw").eq([255u8; 3].as_slice())), IDS[..1]);
    visits.add_index(IndexDef::ordered(["day", "at"]).when(field("price").lt(13))).unwrap();
    assert_eq!(found(field("day").eq("2026-11-21") & field("price").lt("13.0")), IDS[..1]);
    store.verify().unwrap();
}

#[test]
fn texts_that_are_not_such_a_value_are_conflicts() {
    let (store, visits) = visits();
    let wrong = [
        ("id", json!("x")),
        ("at", json!("2026-11-21")),
        ("at", json!("2026-11-21T12:00:00")),
        ("at", json!(1_700_000_000)),
        ("day", json!("2026-02-30")),
        ("day", json!("2026-11-21T12:00:00Z")),
        ("price", json!("12,5")),
        ("price", json!(1e300)),
        ("price", json!(true)),
        ("token", json!("0000")),
        ("raw", json!("AP8")),
        ("raw", json!([0, 255])),
        ("grade", json!("AB")),
    ];
    for (name, value) in wrong {
        let mut body = json!({ "id": IDS[0] });
        body[name] = value.clone();
        let refused = visits.store(document(body)).unwrap_err();
        let Cause::Conflict { field, found, .. } = refused.cause() else { panic!("{name}: {refused}") };
        let expected = if value.is_array() { "an array".to_owned() } else { value.to_string() };
        assert_eq!((&**field, found.replace("1e300", "1e+300")), (name, expected));
    }
    assert_eq!(visits.len(), 0);
    visits.store(document(json!({ "id": IDS[0], "seen": ["x", 5, "2026-11-21T12:00:00Z"] }))).unwrap();
    visits.store(document(json!({ "id": IDS[1], "seen": "x" }))).unwrap();
    assert_eq!(keys(&visits, field("seen").is_null()), [IDS[1]]);
    store.verify().unwrap();
}

/// Danger: texts of more than 256 bytes are read where their path leads, but there are no bytes in JSON to refer to.
#[test]
fn long_byte_strings_are_found() {
    let store = Store::new();
    let fields = [
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("raw", Kind::Bytes),
        FieldDef::new("all", Kind::Bytes).many(),
    ];
    let blobs = store.documents("Blob", Schema::new(fields)).unwrap();
    let text = "AAAA".repeat(1_000);
    blobs.store(document(json!({ "id": 1, "raw": text, "all": ["AP8=", text] }))).unwrap();
    blobs.store(document(json!({ "id": 2, "raw": "AAAA" }))).unwrap();
    let zeros = vec![0u8; 3_000];
    assert_eq!(keys(&blobs, field("raw").eq(zeros.as_slice())), ["1"]);
    assert_eq!(keys(&blobs, field("all").all([Value::from(zeros.as_slice()), of(Kind::Bytes, "AP8=")])), ["1"]);
    let stats = store.stats();
    assert!(stats.collections[0].memory.record_heap >= 2 * (4_000 + 3_000), "the copies are counted");
    store.verify().unwrap();
}

#[test]
fn keys_can_have_several_parts_of_such_kinds() {
    let store = Store::new();
    let fields = ["day", "price", "at", "raw"].map(|name| {
        let kinds = [("day", Kind::Date), ("price", Kind::Decimal), ("at", Kind::Timestamp), ("raw", Kind::Bytes)];
        FieldDef::new(name, kinds.into_iter().find(|(of, _)| *of == name).unwrap().1).key()
    });
    let rates = store.documents("Rate", Schema::new(fields)).unwrap();
    let body = json!({ "day": "2026-11-21", "price": 1.5, "at": "1970-01-01T01:00:00+01:00", "raw": "AP8=" });
    rates.store(document(body)).unwrap();
    assert!(rates.contains(("2026-11-21", "1.50", "1970-01-01T00:00:00Z", "AP8=")));
    assert!(rates.contains((of(Kind::Date, "2026-11-21"), 1.5, "1970-01-01T00:00:00Z", of(Kind::Bytes, "AP8="))));
    assert!(!rates.contains(("2026-11-21", "1.6", "1970-01-01T00:00:00Z", "AP8=")));
    let refused = rates.store(document(json!({ "day": "2026-11-21", "price": 1 }))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Key(_)), "{refused}");
    store.verify().unwrap();
}

#[test]
fn date_histograms_and_aggregates_of_json() {
    let (store, visits) = visits();
    let per_day = || {
        GroupBy::new([Bucket::date_in("at", DateUnit::Day, "+02:00")]).metrics([
            Metric::count(),
            field("price").sum(),
            field("at").max(),
        ])
    };
    for (id, at, price) in [
        (IDS[0], "2026-11-20T22:30:00Z", json!("0.1")),
        (IDS[1], "2026-11-21T12:00:00+02:00", json!(0.2)),
        (IDS[2], "2026-11-21T22:00:00Z", json!(3)),
    ] {
        visits.store(document(json!({ "id": id, "at": at, "price": price }))).unwrap();
    }
    let result = visits.find(Predicate::All).statistics(per_day()).unwrap();
    let groups: Vec<String> = result
        .groups()
        .iter()
        .map(|group| format!("{} {} {}", group.key[0], group.int("count").unwrap(), group.get("sum(price)").unwrap()))
        .collect();
    assert_eq!(groups, ["2026-11-20T22:00:00Z 2 0.3", "2026-11-21T22:00:00Z 1 3"]);
    visits.add_aggregate(AggregateDef::new("per day", per_day())).unwrap();
    let maintained = visits.aggregate("per day").unwrap();
    assert_eq!(maintained.values, result.values);
    store.verify().unwrap();
}

/// Values by field name become JSON that reads back as the same values.
#[test]
fn documents_are_built_from_values() {
    let (store, visits) = visits();
    let any = store.any_collection("Visit").unwrap();
    let values = FieldValues::new()
        .with("id", of(Kind::Uuid, IDS[0]))
        .with("at", of(Kind::Timestamp, "2026-11-21T12:00:00.000000001Z"))
        .with("day", of(Kind::Date, "2026-11-21"))
        .with("price", of(Kind::Decimal, "12.50"))
        .with("raw", [0u8, 255].as_slice())
        .with("grade", 'é')
        .with_each("seen", [of(Kind::Timestamp, "2026-11-21T12:00:00Z")]);
    store.commit(|batch| any.store_values(batch, &values)).unwrap();
    let expected = json!({ "id": IDS[0], "at": "2026-11-21T12:00:00.000000001Z", "day": "2026-11-21", "price": "12.5",
                           "raw": "AP8=", "grade": "é", "seen": ["2026-11-21T12:00:00Z"] });
    assert_eq!(visits.get(IDS[0]).unwrap().body(), &expected);
    assert_eq!(store.query(&Query::over(["Visit"])).unwrap().records().unwrap()[0].to_values(), values);
    let beyond = values.with("token", ValueRef::Date(i32::MAX).to_value());
    let refused = store.commit(|batch| any.store_values(batch, &beyond)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Conflict { field, .. } if field == "token"), "{refused}");
}

/// The same fields as values of a Rust type.
#[derive(Clone, Debug)]
struct Visit {
    values: Vec<Value>,
    seen: Vec<Value>,
}

impl Record for Visit {
    type Key = AnyKey;

    fn schema() -> Schema {
        schema().each_field(|field| if field.is_key() || field.is_many() { field } else { field.optional() })
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.values[0].as_ref());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.values.get(field).map_or(ValueRef::Null, Value::as_ref)
    }

    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        match field {
            7 => self.seen.iter().for_each(|value| visit(value.as_ref())),
            _ => visit(self.value(field)),
        }
    }
}

/// Values of a kind, each with some forms of it in JSON.
fn forms(kind: Kind) -> Vec<(Value, Vec<Json>)> {
    let of = |text: &str, more: &[Json]| {
        let forms = std::iter::once(json!(text)).chain(more.iter().cloned());
        (of(kind, text), forms.collect())
    };
    match kind {
        Kind::Timestamp => vec![
            of("2026-03-28T23:30:00Z", &[json!("2026-03-29T00:30:00+01:00")]),
            of("2026-03-29T01:00:00.25Z", &[json!("2026-03-28 18:00:00.250-07:00")]),
            of("1969-12-31T23:59:59.999999999Z", &[]),
            of("1500-01-01T00:00:00Z", &[json!("1500-01-01t01:30:00+01:30")]),
        ],
        Kind::Date => vec![of("2026-03-28", &[]), of("2026-03-29", &[]), of("0001-01-01", &[])],
        Kind::Decimal => vec![
            of("0.1", &[json!(0.1), json!("0.10")]),
            of("7", &[json!(7), json!(7.0), json!("+7.0")]),
            of("-12.345", &[json!(-12.345)]),
            of("0", &[json!(0), json!(-0.0)]),
        ],
        Kind::Bytes => vec![of("", &[]), of("AP8=", &[]), of("AAAA", &[])],
        Kind::Char => vec![of("A", &[]), of("é", &[])],
        _ => vec![],
    }
}

fn form(kind: Kind) -> impl Strategy<Value = (Value, Json)> {
    (select(forms(kind)), any::<prop::sample::Index>()).prop_map(|((value, forms), at)| (value, at.get(&forms).clone()))
}

/// A visit as a Rust value, as a document and as a key/value record.
type Forms = (Visit, Document, KeyValue<()>);

fn visit(id: usize, fields: &[Option<(Value, Json)>], seen: &[(Value, Json)]) -> Forms {
    let names = ["at", "day", "price", "raw", "grade"];
    let uuid = format!("00000000-0000-4000-8000-{id:012}");
    let key = of(Kind::Uuid, &uuid);
    let mut body = json!({ "id": uuid, "token": uuid.replace('-', "") });
    let mut key_value = KeyValue::new(key.clone(), ()).with("token", key.clone());
    let mut values = vec![Value::NULL; 7];
    (values[0], values[4]) = (key.clone(), key);
    let places = [1, 2, 3, 5, 6];
    for ((name, place), field) in names.into_iter().zip(places).zip(fields) {
        let Some((value, json)) = field else { continue };
        body[name] = json.clone();
        key_value = key_value.with(name, value.clone());
        values[place] = value.clone();
    }
    body["seen"] = seen.iter().map(|(_, json)| json.clone()).collect();
    let seen: Vec<Value> = seen.iter().map(|(value, _)| value.clone()).collect();
    let key_value = key_value.with_each("seen", seen.clone());
    (Visit { values, seen }, document(body), key_value)
}

fn all_forms() -> impl Strategy<Value = Vec<Forms>> {
    let kinds = (
        option::of(form(Kind::Timestamp)),
        option::of(form(Kind::Date)),
        option::of(form(Kind::Decimal)),
        option::of(form(Kind::Bytes)),
        option::of(form(Kind::Char)),
        vec(form(Kind::Timestamp), 0..3),
    );
    let visits = vec(kinds, 0..30);
    visits.prop_map(|visits| {
        let visits = visits.into_iter().enumerate();
        visits.map(|(id, (at, day, price, raw, grade, seen))| visit(id, &[at, day, price, raw, grade], &seen)).collect()
    })
}

/// A test with operands of the field's kind, or their texts.
fn predicates() -> impl Strategy<Value = Predicate> {
    let fields = [
        ("at", Kind::Timestamp),
        ("day", Kind::Date),
        ("price", Kind::Decimal),
        ("raw", Kind::Bytes),
        ("grade", Kind::Char),
        ("seen", Kind::Timestamp),
    ];
    let leaf = select(fields.to_vec()).prop_flat_map(|(name, kind)| {
        let operand = || {
            form(kind).prop_map(|(value, json)| match json.as_str() {
                Some(text) => Value::from(text),
                None => value,
            })
        };
        (operand(), operand(), 0..8).prop_map(move |(a, b, test)| match (test, name) {
            (0, _) => field(name).is_null(),
            (1..=3, "seen") => field(name).contains(a),
            (4, "seen") => field(name).all([a, b]),
            (_, "seen") => field(name).any([a, b]),
            (1, _) => field(name).eq(a),
            (2, _) => field(name).ne(a),
            (3, _) => field(name).is_in([a, b]),
            (4, _) => field(name).lt(a),
            (5, _) => field(name).ge(a),
            (6, _) => field(name).between(a, b),
            (_, _) => !field(name).gt(a),
        })
    });
    vec(leaf, 1..3).prop_map(Predicate::all_of)
}

/// Keys in every order, page by page, and statistics.
fn answers<R: Record<Key = AnyKey>>(records: &Collection<R>, predicate: &Predicate) -> Vec<String> {
    let found = records.find(Filter::from(predicate.clone()));
    let mut answers = Vec::new();
    for order in ["at", "day", "price", "raw", "grade", "id"] {
        let ordered = found.clone().order_by(field(order).desc()).limit(4);
        let mut page = ordered.fetch().unwrap();
        loop {
            answers.extend(page.iter().map(|record| format!("{order} {}", record.key())));
            let Some(next) = page.next.clone() else { break };
            page = ordered.clone().after(next).fetch().unwrap();
        }
    }
    let by_day = GroupBy::new([Bucket::date_in("at", DateUnit::Day, "+01:00")]).metrics([
        Metric::count(),
        field("price").sum(),
        field("price").avg(),
        field("at").min(),
        field("day").max(),
        field("raw").distinct(),
    ]);
    answers.push(format!("{:?}", found.statistics(by_day).unwrap().values));
    let by_values = GroupBy::new([Bucket::values("day"), Bucket::values("grade")]).metrics([field("raw").max()]);
    answers.push(format!("{:?}", found.statistics(by_values).unwrap().values));
    answers
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn documents_return_the_results_of_typed_records(records in all_forms(), requested in vec(predicates(), 1..8)) {
        let store = Store::new();
        let typed = store.collection::<Visit>("typed").unwrap();
        let documents = store.documents("documents", schema()).unwrap();
        let key_values = store.key_values::<()>("key_values", schema()).unwrap();
        let declared = schema();
        let plain = declared.fields().iter().map(|field| match (field.is_key(), field.is_many()) {
            (true, _) => FieldDef::new("id", Kind::Uuid).key(),
            (_, true) => FieldDef::new("seen", Kind::Timestamp).many(),
            _ => FieldDef::new(field.name().to_owned(), field.kind()),
        });
        let scanned = store.documents("scanned", Schema::new(plain)).unwrap();
        store.commit(|batch| records.iter().try_for_each(|(visit, document, key_value)| {
            batch.store(&typed, visit.clone())?;
            batch.store(&documents, document.clone())?;
            batch.store(&scanned, document.clone())?;
            batch.store(&key_values, key_value.clone())
        })).unwrap();
        for predicate in &requested {
            let expected = answers(&typed, predicate);
            prop_assert_eq!(&answers(&documents, predicate), &expected, "documents: {:?}", predicate);
            prop_assert_eq!(&answers(&scanned, predicate), &expected, "without indexes: {:?}", predicate);
            prop_assert_eq!(&answers(&key_values, predicate), &expected, "key/values: {:?}", predicate);

            // One query over a collection of a Rust type and one of documents.
            let both = store.snapshot().search(predicate.clone()).over(&typed).over(&documents);
            let hits = both.order_by(field("at").asc()).limit(100).fetch().unwrap();
            let of = |name| hits.iter().filter(|hit| hit.collection() == name).map(|hit| hit.key().clone()).collect::<Vec<_>>();
            prop_assert_eq!(of("typed"), of("documents"));
            prop_assert!(hits.iter().map(|hit| hit.value("at")).is_sorted());
        }
        store.verify().unwrap();
    }
}
