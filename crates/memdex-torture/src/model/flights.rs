//! Flights: a compound key, and the kinds of fields that payments lack.

use super::predicates::Test;
use super::records::{
    Subject, Val, as_bool, as_bytes, as_char, as_float, as_int, as_text, or_null, typed, typed_text, vals,
};
use memdex::typing::ValueRef;
use memdex::{FieldValue, Filter, Key, Record};
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug, PartialEq, FieldValue)]
pub(super) struct Carrier(String);

#[derive(Clone, Debug, PartialEq, Record)]
pub(super) struct Flight {
    #[record(key)]
    origin: String,
    #[record(key, index)]
    number: u16,
    #[record(index)]
    carrier: Carrier,
    #[record(index)]
    gate: Option<char>,
    #[record(index)]
    tail: Vec<u8>,
    #[record(index)]
    load: Option<f32>,
    #[record(field)]
    delay: Option<i32>,
    #[record(field)]
    diverted: bool,
    remarks: Vec<u8>,
}

impl Subject for Flight {
    type Id = (String, u16);

    const FIELDS: &'static [&'static str] =
        &["origin", "number", "carrier", "gate", "tail", "load", "delay", "diverted"];
    const INDEXED: &'static [&'static str] = &["number", "carrier", "gate", "tail", "load"];

    fn any() -> BoxedStrategy<Self> {
        let fields = (
            select(Flight::ids()),
            select(vec!["UA", "B6"]),
            select(vec![None, Some('A'), Some('\u{1F6EB}')]),
            select(vec![&b""[..], b"N1", b"\0\xff"]),
            select(vec![None, Some(0.5_f32), Some(-0.0)]),
            select(vec![None, Some(0), Some(-3_i32)]),
            any::<bool>(),
            any::<[u8; 2]>(),
        );
        let make = |((origin, number), carrier, gate, tail, load, delay, diverted, remarks): (
            _,
            &str,
            _,
            &[u8],
            _,
            _,
            _,
            [u8; 2],
        )| {
            let (carrier, tail, remarks) = (Carrier(carrier.to_owned()), tail.to_vec(), remarks.to_vec());
            Flight { origin, number, carrier, gate, tail, load, delay, diverted, remarks }
        };
        fields.prop_map(make).boxed()
    }

    fn ids() -> Vec<Self::Id> {
        [("EWR", 1), ("EWR", 2), ("JFK", 1), ("", 1), ("", 0)]
            .map(|(origin, number)| (origin.to_owned(), number))
            .to_vec()
    }

    fn id(&self) -> Self::Id {
        (self.origin.clone(), self.number)
    }

    fn set_id(&mut self, id: Self::Id) {
        (self.origin, self.number) = id;
    }

    fn id_of(key: &Key) -> Self::Id {
        match (key.parts()[0].as_ref(), key.parts()[1].as_ref()) {
            (ValueRef::Str(origin), ValueRef::Int(number)) => (origin.to_owned(), number as u16),
            other => panic!("a flight under {other:?}"),
        }
    }

    fn see(&self, at: usize) -> Val {
        match Self::FIELDS[at] {
            "origin" => Val::text(&self.origin),
            "number" => Val::Int(self.number.into()),
            "carrier" => Val::text(&self.carrier.0),
            "gate" => or_null(self.gate, Val::Char),
            "tail" => Val::Bytes(self.tail.clone()),
            "load" => or_null(self.load, |load| Val::Float(load.into())),
            "delay" => or_null(self.delay, |delay| Val::Int(delay.into())),
            _ => Val::Bool(self.diverted),
        }
    }

    fn operands(at: usize) -> Vec<Val> {
        match Self::FIELDS[at] {
            "origin" => vals(["EWR", "JFK", "", "LGA"], Val::text),
            "number" => vals(1..4, Val::Int),
            "carrier" => vals(["UA", "B6", "DL"], Val::text),
            "gate" => vals(['A', '\u{1F6EB}', 'z'], Val::Char),
            "tail" => vals([&b""[..], b"N1", b"\0\xff", b"\0"], |tail| Val::Bytes(tail.to_vec())),
            "load" => vals([0.5, 0.0, 1.0], Val::Float),
            "delay" => vals([0, -3, 9], Val::Int),
            _ => vals([false, true], Val::Bool),
        }
    }

    fn typed(at: usize, test: &Test) -> Filter<Self> {
        match (Self::FIELDS[at], test) {
            ("gate", Test::IsNull) => flight::GATE.is_null(),
            ("load", Test::IsNull) => flight::LOAD.is_null(),
            ("delay", Test::IsNull) => flight::DELAY.is_null(),
            ("origin", _) => typed_text(flight::ORIGIN, test, as_text),
            ("number", _) => typed(flight::NUMBER, test, |value| as_int(value) as u16),
            ("carrier", _) => typed_text(flight::CARRIER, test, |value| Carrier(as_text(value))),
            ("gate", _) => typed(flight::GATE, test, as_char),
            ("tail", _) => typed(flight::TAIL, test, as_bytes),
            ("load", _) => typed(flight::LOAD, test, |value| as_float(value) as f32),
            ("delay", _) => typed(flight::DELAY, test, |value| as_int(value) as i32),
            _ => typed(flight::DIVERTED, test, as_bool),
        }
    }
}
