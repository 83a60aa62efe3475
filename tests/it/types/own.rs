//! The kinds with a type in memdex: decimals, timestamps, entity keys.

use memdex::error::QueryError;
use memdex::query::Predicate;
use memdex::typing::{DecimalValue, EntityKey, KeyBuffer, ValueRef};
use memdex::{FieldDef, Filter, IndexDef, Key, Kind, Record, Schema, Store, Timestamp, Value, field};

#[derive(Clone, Record)]
struct Payment {
    #[record(key)]
    id: EntityKey,
    #[record(ordered)]
    at: Timestamp,
    #[record(ordered)]
    amount: DecimalValue,
    #[record(column)]
    fee: Option<DecimalValue>,
    #[record(index)]
    history: Vec<Timestamp>,
}

fn decimal(text: &str) -> DecimalValue {
    text.parse().unwrap()
}

fn payments() -> memdex::Collection<Payment> {
    let payments = Store::new().collection::<Payment>("Payment").unwrap();
    for (id, seconds, amount) in [("Payment:1", 1, "10.00"), ("Payment:2", 2, "10.50"), ("Payment:3", 3, "-10.5")] {
        let at = Timestamp::from_micros(seconds * 1_000_000);
        let amount = decimal(amount);
        let fee = (seconds > 1).then_some(decimal("0.1"));
        payments.store(Payment { id: id.parse().unwrap(), at, amount, fee, history: vec![at, at] }).unwrap();
    }
    payments
}

fn ids(payments: &memdex::Collection<Payment>, filter: impl Into<Filter<Payment>>) -> Vec<String> {
    let mut ids: Vec<String> = payments.find(filter).fetch().unwrap().iter().map(|p| p.id.id().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn decimals_are_compared_by_number_and_with_integers() {
    let payments = payments();
    assert_eq!(ids(&payments, payment::AMOUNT.eq(decimal("10"))), ["1"]);
    assert_eq!(ids(&payments, payment::AMOUNT.eq(10)), ["1"]);
    assert_eq!(ids(&payments, payment::AMOUNT.gt(10u64)), ["2"]);
    assert_eq!(ids(&payments, payment::AMOUNT.between(-11, 10)), ["1", "3"]);
    assert_eq!(ids(&payments, payment::AMOUNT.is_in([decimal("10.5"), decimal("-10.50")])), ["2", "3"]);
    assert_eq!(ids(&payments, payment::FEE.eq(decimal("0.10"))), ["2", "3"]);
    assert_eq!(ids(&payments, payment::FEE.is_null()), ["1"]);
    assert_eq!(ids(&payments, field("amount").eq(10)), ["1"]);
    assert_eq!(ids(&payments, field("amount").lt(i128::MAX)), ["1", "2", "3"]);
    assert_eq!(ids(&payments, field("amount").eq("10.500")), ["2"]);
    assert_eq!(ids(&payments, field("fee").ge(decimal("0.1"))), ["2", "3"]);
}

#[test]
fn times_are_compared_by_type_and_as_text() {
    let payments = payments();
    let second = Timestamp::from_micros(2_000_000);
    assert_eq!(ids(&payments, payment::AT.ge(second)), ["2", "3"]);
    assert_eq!(ids(&payments, field("at").ge(second)), ["2", "3"]);
    assert_eq!(ids(&payments, field("at").lt("1970-01-01T01:00:02+01:00")), ["1"]);
    assert_eq!(ids(&payments, payment::HISTORY.contains(second)), ["2"]);
    assert_eq!(ids(&payments, field("history").any(["1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z"])), ["2", "3"]);
}

/// Twenty shuffled decimals with trailing zeros: an ordered index, an equality index and a scan agree.
#[test]
fn indexes_and_scans_of_decimals_agree() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let amount = |n: i64| DecimalValue::new(i128::from(n * 7 % 20 - 10) * 2_500, 4).unwrap();
    for n in 0..20 {
        let id = EntityKey::join("Payment", n).unwrap();
        let at = Timestamp::from_micros(n);
        payments.store(Payment { id, at, amount: amount(n), fee: Some(amount(n)), history: vec![] }).unwrap();
    }
    let asked: Vec<DecimalValue> = (-12..12).map(|n| DecimalValue::new(n * 25, 2).unwrap()).collect();
    let scanned = |payments: &memdex::Collection<Payment>| {
        let of_both = |low, high| {
            let by_amount = payments.find(payment::AMOUNT.between(low, high)).count().unwrap();
            let by_fee = payments.find(payment::FEE.between(low, high)).count().unwrap();
            assert_eq!(by_amount, by_fee, "{low} to {high}");
            by_amount
        };
        let pairs = asked.iter().flat_map(|low| asked.iter().map(move |high| (*low, *high)));
        pairs.map(|(low, high)| of_both(low, high)).collect::<Vec<_>>()
    };
    let before = scanned(&payments);
    assert_eq!(before.iter().max(), Some(&20));
    payments.add_index(IndexDef::equality("fee")).unwrap();
    payments.add_index(IndexDef::equality(["fee", "at"])).unwrap();
    assert_eq!(scanned(&payments), before);
    for n in 0..20 {
        let both = payment::FEE.eq(amount(n)) & payment::AT.eq(Timestamp::from_micros(n));
        assert_eq!(ids(&payments, both), [n.to_string()]);
        assert_eq!(ids(&payments, payment::FEE.eq(amount(n))), [n.to_string()]);
    }
    store.verify().unwrap();
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    let payments = payments();
    let refused = |predicate: Predicate| {
        let error = payments.find(predicate.clone()).count().unwrap_err();
        assert!(matches!(error, QueryError::WrongKind { .. }), "{predicate:?}: {error}");
    };
    refused(field("amount").eq("ten"));
    refused(field("at").eq(2_000_000));
    refused(field("at").eq("yesterday"));
    refused(field("id").eq(decimal("1")));
}

#[test]
fn an_entity_key_is_found_by_its_text() {
    let payments = payments();
    assert!(payments.contains("Payment:1") && !payments.contains("Payment:9"));
    assert!(payments.contains(EntityKey::join("Payment", 2).unwrap()));
    assert_eq!(ids(&payments, payment::ID.is_in(["Payment:1", "Payment:3"])), ["1", "3"]);
    payments.update("Payment:1", |p| p.amount = decimal("11")).unwrap();
    assert_eq!(ids(&payments, payment::AMOUNT.eq(11)), ["1"]);
    payments.delete(String::from("Payment:1")).unwrap();
    assert_eq!(payments.len(), 2);
}

/// A record with values of every kind, returned without field types.
struct Raw([ValueRef<'static>; 4]);

impl Record for Raw {
    type Key = Key;

    fn schema() -> Schema {
        Schema::new([
            FieldDef::new("uuid", Kind::Uuid).key().index(),
            FieldDef::new("time", Kind::Timestamp).key().index(),
            FieldDef::new("date", Kind::Date).key().index(),
            FieldDef::new("number", Kind::Decimal).key().index(),
        ])
    }

    fn key(&self, key: &mut KeyBuffer) {
        self.0.iter().for_each(|part| key.push(*part));
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.0.get(field).copied().unwrap_or(ValueRef::Null)
    }
}

#[test]
fn every_kind_is_part_of_a_key_and_comes_back_from_it() {
    let records = Store::new().collection::<Raw>("Raw").unwrap();
    let parts = [
        ValueRef::Uuid([7; 16]),
        ValueRef::Timestamp(-1),
        ValueRef::Date(20_000),
        ValueRef::Decimal(decimal("-0.125")),
    ];
    records.store(Raw(parts)).unwrap();
    let key = records.find(Filter::all()).keys().unwrap().remove(0);
    assert_eq!(key.parts(), parts.map(ValueRef::to_value));
    assert!(records.contains(&key));
    let uuid = "07070707-0707-0707-0707-070707070707";
    assert_eq!(key.to_string(), format!("({uuid}, 1969-12-31T23:59:59.999999999Z, 2024-10-04, -0.125)"));
    let texts =
        [("uuid", uuid), ("date", "2024-10-04"), ("number", "-0.1250"), ("time", "1969-12-31T23:59:59.999999999Z")];
    for (name, text) in texts {
        assert_eq!(records.find(field(name).eq(text)).count(), Ok(1), "{name}");
        assert_eq!(records.find(field(name).ne(text)).count(), Ok(0), "{name}");
    }
    assert_eq!(Value::from_text(Kind::Str, "x"), None);
}
