//! Payments: a simple key and fields of every kind.

use super::predicates::Test;
use super::records::{Subject, Val, as_bool, as_float, as_int, as_text, or_null, typed, typed_text, vals};
use memdex::typing::ValueRef;
use memdex::{FieldValue, Filter, Key, Record};
use proptest::prelude::*;
use proptest::sample::select;

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
    /// Exact equality: NaN equals NaN, and `-0.0` differs from `0.0`.
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
        ["p1", "p2", "", "p\0four", LONG].map(str::to_owned).to_vec()
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

    fn operands(at: usize) -> Vec<Val> {
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
            ("id", _) => typed_text(payment::ID, test, as_text),
            ("organization", _) => typed_text(payment::ORGANIZATION, test, as_text),
            ("status", _) => typed_text(payment::STATUS, test, status),
            ("currency", _) => typed_text(payment::CURRENCY, test, as_text),
            ("urgent", _) => typed(payment::URGENT, test, as_bool),
            ("tries", _) => typed(payment::TRIES, test, |value| as_int(value) as i8),
            ("nonce", _) => typed(payment::NONCE, test, as_int),
            ("rate", _) => typed(payment::RATE, test, as_float),
            ("fee", _) => typed(payment::FEE, test, as_float),
            ("amount", _) => typed(payment::AMOUNT, test, |value| as_int(value) as i64),
            _ => typed_text(payment::NOTE, test, as_text),
        }
    }
}
