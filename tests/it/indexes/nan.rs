//! NaN: ordered indexes refuse it, or sort it after all other numbers; records, columns and indexes agree.

use memdex::error::{Cause, IndexError};
use memdex::query::Predicate;
use memdex::{FieldDef, IndexDef, Nested, Record, Schema, Store, field};
use std::ops::Bound;

#[derive(Clone, Debug, Record)]
#[record(ordered(group, several))]
struct Reading {
    #[record(key)]
    id: u32,
    #[record(field)]
    group: u8,
    #[record(ordered, nan_last)]
    ordered: f64,
    #[record(column)]
    column: f64,
    #[record(field)]
    evaluated: f64,
    #[record(field, nan_last)]
    several: f64,
    #[record(ordered, nan_last)]
    optional: Option<f32>,
    #[record(nested)]
    inner: Inner,
}

#[derive(Clone, Debug, Nested)]
struct Inner {
    #[record(ordered, nan_last)]
    x: f64,
}

const FIELDS: [&str; 6] = ["ordered", "column", "evaluated", "several", "optional", "inner.x"];

fn reading(id: u32, x: f64) -> Reading {
    let optional = Some(x as f32);
    Reading { id, group: 1, ordered: x, column: x, evaluated: x, several: x, optional, inner: Inner { x } }
}

#[test]
fn nan_sorts_above_all_numbers_everywhere() {
    let store = Store::new();
    let readings = store.collection::<Reading>("Reading").unwrap();
    let negative_nan = f64::from_bits(f64::NAN.to_bits() | 1 << 63);
    let ascending = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 5.0, 1e30, f64::INFINITY, f64::NAN, negative_nan];
    for (id, x) in ascending.into_iter().enumerate() {
        readings.store(reading(id as u32, x)).unwrap();
    }
    let count = |predicate: Predicate| readings.find(predicate).count().unwrap();
    for name in FIELDS {
        let group = || if name == "several" { field("group").eq(1) } else { Predicate::All };
        let of = |predicate: Predicate| count(group() & predicate);
        assert_eq!(of(field(name).gt(5.0)), 4, "{name}");
        assert_eq!(of(field(name).gt(f64::INFINITY)), 2, "{name}");
        assert_eq!(of(field(name).ge(f64::NAN)), 2, "{name}");
        assert_eq!(of(field(name).gt(f64::NAN)), 0, "{name}");
        assert_eq!(of(field(name).lt(f64::NAN)), 7, "{name}");
        assert_eq!(of(field(name).le(negative_nan)), 9, "{name}");
        assert_eq!(of(field(name).between(5.0, f64::INFINITY)), 3, "{name}");
        assert_eq!(of(field(name).eq(f64::NAN)), 2, "{name}");
        assert_eq!(of(field(name).ne(f64::NAN)), 7, "{name}");
        assert_eq!(of(field(name).eq(0.0)), 2, "{name}");
        assert_eq!(of(Predicate::Range(name.into(), Bound::Unbounded, Bound::Unbounded)), 9, "{name}");
        assert_eq!(of(field(name).is_null()), 0, "{name}");
    }
    // NaN can be inserted and removed like any value.
    readings.store(reading(7, 1.0)).unwrap();
    readings.delete(8).unwrap();
    assert!(FIELDS.iter().all(|name| count(field(*name).ge(f64::NAN)) == 0));
    store.verify().unwrap();
}

#[test]
fn each_field_declares_whether_it_accepts_nan() {
    let store = Store::new();
    let readings = store.collection::<Reading>("Reading").unwrap();
    readings.store(reading(1, f64::NAN)).unwrap();
    let refused = readings.add_index(IndexDef::ordered("evaluated"));
    assert!(matches!(&refused, Err(IndexError::Record { .. })), "{refused:?}");
    readings.store(Reading { evaluated: 0.0, ..reading(1, f64::NAN) }).unwrap();
    readings.add_index(IndexDef::ordered(["several", "evaluated"])).unwrap();
    let refused = readings.store(reading(2, f64::NAN)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::NotANumber { field, .. } if field == "evaluated"), "{refused}");
    assert!(refused.to_string().contains("nan_last"), "{refused}");
    store.verify().unwrap();
}

#[test]
fn a_schema_declares_nan() {
    let schema = Reading::schema();
    assert!(schema.fields().iter().find(|field| field.name() == "inner.x").unwrap().is_nan_last());
    assert!(!schema.fields().iter().find(|field| field.name() == "column").unwrap().is_nan_last());
    let shown = Schema::new([
        FieldDef::of::<u8>("id").key(),
        FieldDef::of::<f64>("a").ordered().nan_last().column(),
        FieldDef::of::<f64>("b").nan_last(),
    ]);
    assert_eq!(shown.to_string(), "{ key id: integer, ordered nan_last column a: float, nan_last b: float }");
}
