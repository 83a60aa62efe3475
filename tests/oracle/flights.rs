//! The flights of January, with fields and indexes of every kind, in memdex and SQLite.

use super::naive::{Row, Shape, Val};
use super::sqlite::{Comparison, fill};
use csv::{Reader, StringRecord};
use flate2::read::GzDecoder;
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{Collection, FieldDef, FieldValue, IndexDef, Kind, Record, Schema, Store, Value, field};
use rusqlite::Connection;
use std::fs::File;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/flights-2013-01.csv.gz");

/// 2013-01-16. The month is shifted so that this day becomes 1970-01-01, to have times and dates before 1970.
const MIDDLE_SECONDS: i128 = 1_358_294_400;

macro_rules! custom_kinds {
    ($($name:ident($of:ty): $kind:ident;)*) => {$(
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name(pub(super) $of);

        impl FieldValue for $name {
            type Base = Self;
            const KIND: Kind = Kind::$kind;

            fn value(&self) -> ValueRef<'_> {
                ValueRef::$kind(self.0)
            }
        }
    )*};
}

custom_kinds! {
    Moment(i128): Timestamp;
    Day(i32): Date;
    Id([u8; 16]): Uuid;
}

#[derive(Clone, Debug, Record)]
pub(super) struct Flight {
    #[record(key, index)]
    day: u8,
    #[record(key, index)]
    carrier: String,
    #[record(key)]
    flight: u16,
    #[record(key, index)]
    origin: String,
    #[record(key)]
    sched_dep_time: u16,
    #[record(unique)]
    pub(super) serial: u32,
    #[record(index)]
    tailnum: Option<String>,
    #[record(index)]
    dest: String,
    #[record(field)]
    dep_time: Option<u16>,
    #[record(ordered)]
    dep_delay: Option<i16>,
    #[record(column)]
    arr_delay: Option<i16>,
    #[record(field)]
    air_time: Option<u16>,
    #[record(ordered, column)]
    distance: u16,
    #[record(ordered)]
    time_hour: Moment,
    /// The same instant, shifted around 1970.
    #[record(field)]
    moment: Moment,
    #[record(column)]
    date: Day,
    /// Miles per hour.
    #[record(ordered)]
    speed: Option<f64>,
    #[record(index)]
    cancelled: bool,
    #[record(index)]
    hub: char,
    #[record(index)]
    fare: DecimalValue,
    #[record(field)]
    mark: Vec<u8>,
    #[record(unique)]
    id: Id,
}

pub(super) struct Flights {
    pub(super) store: Store,
    pub(super) collection: Collection<Flight>,
    /// The schema, including the indexes added later.
    pub(super) schema: Schema,
    pub(super) sqlite: Connection,
    /// For the naive evaluator.
    pub(super) shapes: Vec<Shape>,
    pub(super) rows: Vec<Row>,
}

impl Flights {
    pub(super) fn with_sqlite(&self) -> Comparison<'_, Flight> {
        let Flights { collection, schema, sqlite, shapes, rows, .. } = self;
        Comparison { collection, schema, sqlite, shapes, rows, id_field: "serial" }
    }
}

/// Indexes that are added after the records.
fn extra_indexes() -> [IndexDef; 6] {
    [
        IndexDef::equality(["origin", "dest"]),
        IndexDef::ordered(["carrier", "dep_delay"]),
        IndexDef::ordered(["cancelled", "distance", "flight"]),
        IndexDef::ordered("arr_delay").named("late").when(field("dep_delay").gt(60)),
        IndexDef::unique(["day", "carrier", "flight", "origin", "sched_dep_time"]).named("sure"),
        IndexDef::equality("tailnum").named("lost").when(field("dep_delay").is_null() & field("origin").eq("EWR")),
    ]
}

pub(super) fn load() -> Flights {
    let store = Store::new();
    let collection = store.collection::<Flight>("Flight").unwrap();
    let flights = read();
    let mut batch = store.batch();
    flights.iter().for_each(|flight| batch.insert(&collection, flight.clone()).unwrap());
    batch.commit().unwrap();
    let mut schema = collection.schema().clone();
    for index in extra_indexes() {
        collection.add_index(index.clone()).unwrap();
        schema = schema.with_index(index);
    }
    let sqlite = Connection::open_in_memory().unwrap();
    fill(&sqlite, "Flight", &schema, &flights);
    let fields = || schema.fields().iter().enumerate();
    // Leaked once, because the generator needs static names.
    let name = |def: &FieldDef| &*Box::leak(def.name().to_owned().into_boxed_str());
    let shapes = fields().map(|(_, def)| Shape { name: name(def), kind: def.kind(), key: def.is_key() });
    let shapes = shapes.collect();
    let cell = |flight: &Flight, (at, def): (usize, &FieldDef)| Val::of(flight.value(at), def.kind());
    let row = |flight: &Flight| fields().map(|field| cell(flight, field).into_iter().collect()).collect();
    let rows = flights.iter().map(row).collect();
    Flights { store, collection, schema, sqlite, shapes, rows }
}

fn read() -> Vec<Flight> {
    let mut reader = Reader::from_reader(GzDecoder::new(File::open(PATH).unwrap()));
    let columns = reader.headers().unwrap().clone();
    let rows = reader.records().enumerate();
    rows.map(|(at, values)| Line { columns: &columns, values: values.unwrap() }.flight(at as u32)).collect()
}

struct Line<'a> {
    columns: &'a StringRecord,
    values: StringRecord,
}

impl Line<'_> {
    fn flight(&self, serial: u32) -> Flight {
        let nanos = match Value::from_text(Kind::Timestamp, self.text("time_hour")).unwrap().as_ref() {
            ValueRef::Timestamp(nanos) => nanos,
            other => panic!("{other}"),
        };
        let (distance, air_time): (u16, Option<u16>) = (self.number("distance").unwrap(), self.number("air_time"));
        let shifted = nanos - MIDDLE_SECONDS * 1_000_000_000 + i128::from(serial % 7) * 123_456_000;
        let origin = self.text("origin");
        let mut id = [0; 16];
        id[..4].copy_from_slice(&serial.wrapping_mul(2_654_435_761).to_be_bytes());
        Flight {
            day: self.number("day").unwrap(),
            carrier: self.text("carrier").to_owned(),
            flight: self.number("flight").unwrap(),
            origin: origin.to_owned(),
            sched_dep_time: self.number("sched_dep_time").unwrap(),
            serial,
            tailnum: Some(self.text("tailnum")).filter(|text| *text != "NA").map(str::to_owned),
            dest: self.text("dest").to_owned(),
            dep_time: self.number("dep_time"),
            dep_delay: self.number("dep_delay"),
            arr_delay: self.number("arr_delay"),
            air_time,
            distance,
            time_hour: Moment(nanos),
            moment: Moment(shifted),
            date: Day(shifted.div_euclid(86_400_000_000_000) as i32),
            speed: air_time.map(|minutes| f64::from(distance) * 60.0 / f64::from(minutes)),
            cancelled: self.number::<i16>("dep_delay").is_none(),
            hub: origin.chars().next().unwrap(),
            fare: DecimalValue::new(i128::from(distance) * 15, 2).unwrap(),
            mark: self.text("dest").bytes().rev().map(|byte| byte ^ 0xa0).collect(),
            id: Id(id),
        }
    }

    fn text(&self, column: &str) -> &str {
        &self.values[self.columns.iter().position(|name| name == column).unwrap()]
    }

    /// Parses a number; the file has `NA` for null.
    fn number<T: std::str::FromStr>(&self, column: &str) -> Option<T> {
        self.text(column).parse().ok()
    }
}
