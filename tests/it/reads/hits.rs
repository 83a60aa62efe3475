//! The values of hits by field name, for every kind of field: with each kind of index and without.

use memdex::query::Predicate;
use memdex::typing::{DecimalValue, EntityKey, ValueRef};
use memdex::{
    Collection, FieldDef, FieldValue, KeyValue, Kind, Nested, Record, Schema, Store, Timestamp, Value, field,
};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
#[field(rename_all = "snake_case")]
enum Status {
    PaidOut,
}

#[derive(Clone, Debug, FieldValue)]
struct Cents(i64);

#[derive(Clone, Debug, Nested)]
struct Place {
    #[record(index)]
    zip: Option<u16>,
}

#[derive(Clone, Record)]
#[record(rename_all = "camelCase")]
struct Everything {
    #[record(key)]
    id: EntityKey,
    #[record(key)]
    part_no: u8,
    #[record(index)]
    yes: bool,
    #[record(ordered)]
    small: i8,
    #[record(column)]
    middle: u32,
    #[record(unique)]
    large: u64,
    #[record(ordered, column)]
    low: i128,
    #[record(column)]
    high: u128,
    #[record(field)]
    size: usize,
    #[record(column)]
    half: f32,
    #[record(field)]
    not_a_number: f64,
    #[record(column)]
    no_sign: f64,
    #[record(column)]
    letter: char,
    #[record(column)]
    owned: String,
    #[record(field)]
    fixed: &'static str,
    #[record(field)]
    shared: Arc<str>,
    #[record(field)]
    cow: Cow<'static, str>,
    #[record(index)]
    bytes: Vec<u8>,
    #[record(field)]
    array: [u8; 3],
    #[record(column)]
    at: Timestamp,
    #[record(ordered, column)]
    price: DecimalValue,
    #[record(index)]
    status: Status,
    #[record(ordered)]
    cents: Cents,
    #[record(field)]
    about: Option<EntityKey>,
    #[record(column)]
    there: Option<i16>,
    #[record(column)]
    missing: Option<String>,
    #[record(field)]
    numbers: Vec<i64>,
    #[record(index)]
    some: Vec<u16>,
    #[record(index)]
    sorted: BTreeSet<String>,
    #[record(field)]
    unsorted: HashSet<char>,
    #[record(nested)]
    place: Place,
    #[record(nested)]
    places: Vec<Place>,
}

fn everything() -> Everything {
    Everything {
        id: EntityKey::join("Thing", 7).unwrap(),
        part_no: 2,
        yes: true,
        small: -8,
        middle: u32::MAX,
        large: u64::MAX,
        low: i128::MIN,
        high: u128::MAX,
        size: 9,
        half: 0.5,
        not_a_number: -f64::NAN,
        no_sign: -0.0,
        letter: 'é',
        owned: String::new(),
        fixed: "fixed",
        shared: "shared".into(),
        cow: Cow::Borrowed("cow"),
        bytes: vec![0, 255],
        array: [1, 2, 3],
        at: Timestamp::from_micros(i64::MAX),
        price: "-10.50".parse().unwrap(),
        status: Status::PaidOut,
        cents: Cents(i64::MIN),
        about: Some(EntityKey::join("Order", "o").unwrap()),
        there: Some(0),
        missing: None,
        numbers: vec![3, 1, 3],
        some: vec![4, 5],
        sorted: ["b".to_owned(), "a".to_owned()].into(),
        unsorted: ['z'].into(),
        place: Place { zip: Some(3_000) },
        places: vec![Place { zip: None }, Place { zip: Some(7_000) }, Place { zip: Some(1) }],
    }
}

fn expected() -> Vec<(&'static str, Value)> {
    let decimal: DecimalValue = "-10.5".parse().unwrap();
    vec![
        ("id", "Thing:7".into()),
        ("partNo", 2.into()),
        ("yes", true.into()),
        ("small", (-8).into()),
        ("middle", u32::MAX.into()),
        ("large", u64::MAX.into()),
        ("low", i128::MIN.into()),
        ("high", u128::MAX.into()),
        ("size", 9.into()),
        ("half", 0.5.into()),
        ("notANumber", f64::NAN.into()),
        ("noSign", 0.0.into()),
        ("letter", 'é'.into()),
        ("owned", "".into()),
        ("fixed", "fixed".into()),
        ("shared", "shared".into()),
        ("cow", "cow".into()),
        ("bytes", vec![0, 255].into()),
        ("array", vec![1, 2, 3].into()),
        ("at", ValueRef::Timestamp(i128::from(i64::MAX) * 1_000).to_value()),
        ("price", ValueRef::Decimal(decimal).to_value()),
        ("status", "paid_out".into()),
        ("cents", i64::MIN.into()),
        ("about", "Order:o".into()),
        ("there", 0.into()),
        ("missing", Value::NULL),
        ("numbers", 3.into()),
        ("some", 4.into()),
        ("sorted", "a".into()),
        ("unsorted", 'z'.into()),
        ("place.zip", 3_000.into()),
        ("places.zip", 7_000.into()),
    ]
}

#[test]
fn a_hit_gives_the_value_of_each_field() {
    let store = Store::new();
    let all = store.collection::<Everything>("Everything").unwrap();
    all.store(everything()).unwrap();
    let search = store.snapshot().search(Predicate::All).over(&all);
    // A hit keeps its version after the record is gone.
    let hit = search.one().unwrap();
    all.clear().unwrap();
    store.drop_collection("Everything").unwrap();
    drop(search);
    assert_eq!(hit.values().collect::<Vec<_>>(), expected());
    for (name, value) in expected() {
        assert_eq!(hit.value(name), Some(value.clone()), "{name}");
        let (_, def) = hit_field(&all, name);
        if !def.is_many() {
            let one: Vec<Value> = Some(value).into_iter().filter(|value| !value.is_null()).collect();
            assert_eq!(hit.values_of(name), one, "{name}");
        }
    }
    assert_eq!(hit.values_of("numbers"), [Value::from(3), 1.into(), 3.into()], "as the record has them");
    assert_eq!(hit.values_of("some"), [Value::from(4), 5.into()]);
    assert_eq!(hit.values_of("sorted"), [Value::from("a"), "b".into()]);
    assert_eq!(hit.values_of("places.zip"), [Value::from(7_000), 1.into()]);
    for unknown in ["", "part_no", "place", "place.", "place.zip.x", "Yes"] {
        assert_eq!((hit.value(unknown), hit.values_of(unknown)), (None, vec![]), "{unknown:?}");
    }
    assert_eq!((hit.collection(), hit.key().to_string()), ("Everything", "(Thing:7, 2)".to_owned()));
    assert!(hit.record::<Everything>().is_some() && hit.record::<KeyValue<()>>().is_none());
}

fn hit_field(all: &Collection<Everything>, name: &str) -> (usize, FieldDef) {
    let at = all.schema().position(name).unwrap();
    (at, all.schema().fields()[at].clone())
}

/// Each value of a hit finds its record again.
#[test]
fn the_value_of_a_hit_selects_its_record() {
    let store = Store::new();
    let all = store.collection::<Everything>("Everything").unwrap();
    all.store(everything()).unwrap();
    for (name, value) in expected() {
        let predicate = match (hit_field(&all, name).1.is_many(), value.is_null()) {
            (true, _) => field(name).contains(value),
            (false, true) => field(name).is_null(),
            (false, false) => field(name).eq(value),
        };
        assert_eq!(all.find(predicate.clone()).count(), Ok(1), "{predicate:?}");
        assert_eq!(all.find(!predicate).count(), Ok(0), "{name}");
    }
}

/// With a column, whose cells are read elsewhere, a hit returns the same.
#[test]
fn key_values_of_every_kind_give_their_values() {
    let values: Vec<(Kind, Value)> = vec![
        (Kind::Bool, false.into()),
        (Kind::Int, i128::MAX.into()),
        (Kind::Float, f64::NEG_INFINITY.into()),
        (Kind::Char, char::MAX.into()),
        (Kind::Str, "text".into()),
        (Kind::Bytes, vec![].into()),
        (Kind::Uuid, ValueRef::Uuid([7; 16]).to_value()),
        (Kind::Timestamp, ValueRef::Timestamp(i128::MIN).to_value()),
        (Kind::Date, ValueRef::Date(i32::MIN).to_value()),
        (Kind::Decimal, ValueRef::Decimal(DecimalValue::new(-1, 28).unwrap()).to_value()),
    ];
    let store = Store::new();
    for (kind, value) in values {
        let def = || FieldDef::new("value", kind);
        let many = FieldDef::new("values", kind).many();
        for (at, def) in [def(), def().column(), def().index(), def().ordered(), def().unique()].into_iter().enumerate()
        {
            let schema = Schema::new([def, many.clone()]);
            let records = store.key_values::<()>(&format!("{kind:?} {at}"), schema).unwrap();
            let record =
                KeyValue::new("k", ()).with("value", value.clone()).with_each("values", [value.clone(), value.clone()]);
            records.store(record).unwrap();
            records.store(KeyValue::new("l", ())).unwrap();
            let hit = records.find(field("value").eq(value.clone())).select(["value"]).one().unwrap();
            assert_eq!(hit.values().collect::<Vec<_>>(), [("value", value.clone())], "{kind:?}");
            assert_eq!(hit.values_of("values"), [value.clone(), value.clone()], "{kind:?}");
            let other = records.find(field("value").is_null()).select(["value"]).one().unwrap();
            assert_eq!((other.value("value"), other.value("values")), (Some(Value::NULL), Some(Value::NULL)));
        }
    }
}
