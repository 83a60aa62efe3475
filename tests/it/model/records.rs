//! What the model stores: two record types with fields of every kind, seen a second time through eyes of their own
//! ([`Val`]), so that the naive evaluator shares nothing with the engine.

use super::predicates::Test;
use memdex::{Field, FieldValue, Filter, IntoKey, Key, Operand, Record, Value, ValueRef, field};
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt::Debug;

/// A field's value, as the model sees it.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
}

impl Val {
    pub(super) fn text(s: &str) -> Val {
        Val::Text(s.to_owned())
    }

    /// Equal by meaning: one NaN, one zero, an integer is the float of its number. Nothing about missing values.
    pub(super) fn same(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Int(a), Val::Int(b)) => a == b,
            (Val::Float(a), Val::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Val::Float(a), Val::Int(b)) | (Val::Int(b), Val::Float(a)) => *a == *b as f64,
            (Val::Char(a), Val::Char(b)) => a == b,
            (Val::Text(a), Val::Text(b)) => a == b,
            (Val::Bytes(a), Val::Bytes(b)) => a == b,
            _ => false,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Val::Null => Value::NULL,
            Val::Bool(b) => (*b).into(),
            Val::Int(n) => (*n).into(),
            Val::Float(x) => (*x).into(),
            Val::Char(c) => (*c).into(),
            Val::Text(s) => s.into(),
            Val::Bytes(b) => b.clone().into(),
        }
    }
}

/// A record type that the model can store, change and question.
pub(super) trait Subject: Record + Clone + Debug + PartialEq {
    type Id: Ord + Clone + Debug + Send + Sync + 'static + IntoKey<Self::Key>;

    const FIELDS: &'static [&'static str];
    const INDEXED: &'static [&'static str];

    fn any() -> BoxedStrategy<Self>;
    fn ids() -> Vec<Self::Id>;
    fn id(&self) -> Self::Id;
    fn set_id(&mut self, id: Self::Id);
    fn id_of(key: &Key) -> Self::Id;
    /// The value of the field at a position of `FIELDS`.
    fn see(&self, at: usize) -> Val;
    /// What queries compare that field with: values that occur, and one that never does.
    fn asked(at: usize) -> Vec<Val>;
    /// The test through the field's typed constant.
    fn typed(at: usize, test: &Test) -> Filter<Self>;
}

fn typed<R, T: FieldValue, Q: Operand<T::Base>>(
    of: Field<R, T>,
    test: &Test,
    operand: impl Fn(&Val) -> Q,
) -> Filter<R> {
    match test {
        Test::Eq(value) => of.eq(operand(value)),
        Test::Ne(value) => of.ne(operand(value)),
        Test::In(values) => of.is_in(values.iter().map(operand)),
        Test::IsNull => field(of.name()).is_null().into(),
    }
}

macro_rules! as_inner {
    ($name:ident, $variant:ident, $t:ty) => {
        fn $name(value: &Val) -> $t {
            match value {
                Val::$variant(inner) => inner.clone(),
                other => panic!("{other:?} is drawn for a field of another kind"),
            }
        }
    };
}

as_inner!(as_text, Text, String);
as_inner!(as_bytes, Bytes, Vec<u8>);
as_inner!(as_int, Int, i128);
as_inner!(as_float, Float, f64);
as_inner!(as_bool, Bool, bool);
as_inner!(as_char, Char, char);

fn vals<T>(of: impl IntoIterator<Item = T>, make: impl Fn(T) -> Val) -> Vec<Val> {
    of.into_iter().map(make).collect()
}

fn or_null<T>(of: Option<T>, make: impl Fn(T) -> Val) -> Val {
    of.map_or(Val::Null, make)
}

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
#[field(rename_all = "snake_case")]
pub(super) enum Status {
    Pending,
    PaidOut,
    Refunded,
}

const STATUSES: [(Status, &str); 3] =
    [(Status::Pending, "pending"), (Status::PaidOut, "paid_out"), (Status::Refunded, "refunded")];

#[derive(Clone, Debug, Record)]
pub(super) struct Payment {
    #[record(key)]
    id: String,
    #[record(index)]
    organization: String,
    #[record(index)]
    status: Status,
    #[record(index)]
    currency: Option<String>,
    #[record(index)]
    urgent: bool,
    #[record(index)]
    tries: i8,
    #[record(index)]
    nonce: Option<i128>,
    #[record(index)]
    rate: f64,
    #[record(field)]
    fee: Option<f64>,
    #[record(field)]
    amount: i64,
    #[record(field)]
    note: Option<String>,
    memo: u32,
}

impl PartialEq for Payment {
    /// Exactly, so that a NaN equals itself and `-0.0` is told from `0.0`.
    fn eq(&self, other: &Self) -> bool {
        fn all(p: &Payment) -> impl PartialEq + use<'_> {
            let others = (p.rate.to_bits(), p.fee.map(f64::to_bits), p.amount, &p.note, p.memo);
            (&p.id, &p.organization, p.status, &p.currency, p.urgent, p.tries, p.nonce, others)
        }
        all(self) == all(other)
    }
}

const LONG: &str = "an identifier that is too long to be kept inline by anything";
const RATES: [f64; 6] = [0.0, -0.0, f64::NAN, 1.5, f64::INFINITY, 2.0];
const NONCES: [Option<i128>; 4] = [None, Some(i128::MAX), Some(-5), Some(7)];

impl Subject for Payment {
    type Id = String;

    const FIELDS: &'static [&'static str] =
        &["id", "organization", "status", "currency", "urgent", "tries", "nonce", "rate", "fee", "amount", "note"];
    const INDEXED: &'static [&'static str] =
        &["organization", "status", "currency", "urgent", "tries", "nonce", "rate"];

    fn any() -> BoxedStrategy<Self> {
        let indexed = (
            select(Payment::ids()),
            select(vec!["a", "b", LONG]),
            select(STATUSES.to_vec()),
            select(vec![None, Some("EUR"), Some("")]),
            any::<bool>(),
            -1..2_i8,
            select(NONCES.to_vec()),
            select(RATES.to_vec()),
        );
        let others = (
            select(vec![None, Some(f64::NAN), Some(-0.0), Some(0.25)]),
            0..3_i64,
            select(vec![None, Some("late")]),
            any::<u32>(),
        );
        let make = |(indexed, (fee, amount, note, memo))| {
            let (id, organization, (status, _), currency, urgent, tries, nonce, rate): (
                String,
                &str,
                _,
                Option<&str>,
                _,
                _,
                _,
                _,
            ) = indexed;
            let (organization, currency) = (organization.to_owned(), currency.map(str::to_owned));
            let note = Option::<&str>::map(note, str::to_owned);
            Payment { id, organization, status, currency, urgent, tries, nonce, rate, fee, amount, note, memo }
        };
        (indexed, others).prop_map(make).boxed()
    }

    fn ids() -> Vec<String> {
        ["p1", "p2", "p3", "p\0four", LONG].map(str::to_owned).to_vec()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn set_id(&mut self, id: String) {
        self.id = id;
    }

    fn id_of(key: &Key) -> String {
        match key.parts()[0].as_ref() {
            ValueRef::Str(id) => id.to_owned(),
            other => panic!("a payment under {other}"),
        }
    }

    fn see(&self, at: usize) -> Val {
        match Self::FIELDS[at] {
            "id" => Val::text(&self.id),
            "organization" => Val::text(&self.organization),
            "status" => Val::text(STATUSES.iter().find(|(status, _)| *status == self.status).unwrap().1),
            "currency" => or_null(self.currency.clone(), Val::Text),
            "urgent" => Val::Bool(self.urgent),
            "tries" => Val::Int(self.tries.into()),
            "nonce" => or_null(self.nonce, Val::Int),
            "rate" => Val::Float(self.rate),
            "fee" => or_null(self.fee, Val::Float),
            "amount" => Val::Int(self.amount.into()),
            _ => or_null(self.note.clone(), Val::Text),
        }
    }

    fn asked(at: usize) -> Vec<Val> {
        match Self::FIELDS[at] {
            "id" => vals(Payment::ids(), Val::Text),
            "organization" => vals(["a", "b", LONG, "nobody"], Val::text),
            "status" => vals(STATUSES, |(_, name)| Val::text(name)),
            "currency" => vals(["EUR", "", "USD"], Val::text),
            "urgent" => vals([false, true], Val::Bool),
            "tries" => vals(-1..3, Val::Int),
            "nonce" => vals(NONCES.into_iter().flatten().chain([8]), Val::Int),
            "rate" => vals(RATES.into_iter().chain([9.0]), Val::Float),
            "fee" => vals([f64::NAN, 0.0, 0.25, 0.5], Val::Float),
            "amount" => vals(0..4, Val::Int),
            _ => vals(["late", "never"], Val::text),
        }
    }

    fn typed(at: usize, test: &Test) -> Filter<Self> {
        let status = |value: &Val| STATUSES.iter().find(|(_, name)| value.same(&Val::text(name))).unwrap().0;
        match (Self::FIELDS[at], test) {
            ("currency", Test::IsNull) => payment::CURRENCY.is_null(),
            ("nonce", Test::IsNull) => payment::NONCE.is_null(),
            ("fee", Test::IsNull) => payment::FEE.is_null(),
            ("note", Test::IsNull) => payment::NOTE.is_null(),
            ("id", _) => typed(payment::ID, test, as_text),
            ("organization", _) => typed(payment::ORGANIZATION, test, as_text),
            ("status", _) => typed(payment::STATUS, test, status),
            ("currency", _) => typed(payment::CURRENCY, test, as_text),
            ("urgent", _) => typed(payment::URGENT, test, as_bool),
            ("tries", _) => typed(payment::TRIES, test, |value| as_int(value) as i8),
            ("nonce", _) => typed(payment::NONCE, test, as_int),
            ("rate", _) => typed(payment::RATE, test, as_float),
            ("fee", _) => typed(payment::FEE, test, as_float),
            ("amount", _) => typed(payment::AMOUNT, test, |value| as_int(value) as i64),
            _ => typed(payment::NOTE, test, as_text),
        }
    }
}

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
        [("EWR", 1), ("EWR", 2), ("JFK", 1), ("", 1)].map(|(origin, number)| (origin.to_owned(), number)).to_vec()
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

    fn asked(at: usize) -> Vec<Val> {
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
            ("origin", _) => typed(flight::ORIGIN, test, as_text),
            ("number", _) => typed(flight::NUMBER, test, |value| as_int(value) as u16),
            ("carrier", _) => typed(flight::CARRIER, test, |value| Carrier(as_text(value))),
            ("gate", _) => typed(flight::GATE, test, as_char),
            ("tail", _) => typed(flight::TAIL, test, as_bytes),
            ("load", _) => typed(flight::LOAD, test, |value| as_float(value) as f32),
            ("delay", _) => typed(flight::DELAY, test, |value| as_int(value) as i32),
            _ => typed(flight::DIVERTED, test, as_bool),
        }
    }
}
