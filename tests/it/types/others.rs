//! Field types of other crates, behind features.

use jiff::civil::Date;
use memdex::clock::ManualClock;
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{FieldValue, Filter, Kind, Record, Store, Timestamp, Value, field};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
struct UserId(Uuid);

#[derive(Record)]
struct Invoice {
    #[record(key, ordered)]
    id: Uuid,
    #[record(index, column)]
    user: UserId,
    #[record(ordered, column)]
    paid_at: Option<jiff::Timestamp>,
    #[record(ordered, column)]
    due: Date,
    #[record(ordered)]
    total: Decimal,
    #[record(column)]
    sent: Option<Date>,
    #[record(index)]
    reminders: BTreeSet<Date>,
    #[record(field)]
    parts: Vec<Decimal>,
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn time(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

fn invoices() -> memdex::Collection<Invoice> {
    let store = Store::new();
    let invoices = store.collection::<Invoice>("Invoice").unwrap();
    for n in 1..=3u8 {
        let invoice = Invoice {
            id: Uuid::from_bytes([n; 16]),
            user: UserId(Uuid::from_bytes([n % 2; 16])),
            paid_at: (n > 1).then(|| time(&format!("2026-11-0{n}T12:00:00.5Z"))),
            due: date(&format!("2026-11-0{n}")),
            total: decimal(&format!("{n}.50")),
            sent: (n > 1).then(|| date(&format!("1969-12-3{}", n - 2))),
            reminders: BTreeSet::from([date("2026-12-01")]),
            parts: vec![decimal("0.5"), Decimal::from(n)],
        };
        invoices.store(invoice).unwrap();
    }
    store.verify().unwrap();
    invoices
}

fn found(invoices: &memdex::Collection<Invoice>, filter: impl Into<Filter<Invoice>>) -> Vec<u8> {
    let hits = invoices.find(filter).fetch().unwrap();
    let mut numbers: Vec<u8> = hits.iter().map(|invoice| invoice.id.as_bytes()[0]).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn types_of_other_crates_are_fields_and_keys() {
    let invoices = invoices();
    let one = Uuid::from_bytes([1; 16]);
    let invoice = invoices.get(one).unwrap();
    assert_eq!((invoice.user, invoice.parts.len(), invoice.reminders.len()), (UserId(one), 2, 1));
    assert!(invoices.get(Uuid::nil()).is_none());
    assert_eq!(found(&invoices, invoice::ID.ge(Uuid::from_bytes([2; 16]))), [2, 3]);
    assert_eq!(found(&invoices, invoice::USER.eq(UserId(one))), [1, 3]);
    assert_eq!(found(&invoices, invoice::PAID_AT.is_null()), [1]);
    assert_eq!(found(&invoices, invoice::PAID_AT.gt(time("2026-11-02T12:00:00.5Z"))), [3]);
    assert_eq!(found(&invoices, invoice::DUE.between(date("2026-11-01"), date("2026-11-02"))), [1, 2]);
    assert_eq!(found(&invoices, invoice::SENT.lt(date("1969-12-31"))), [2]);
    assert_eq!(found(&invoices, invoice::SENT.gt(date("1969-12-30"))), [3]);
    assert_eq!(found(&invoices, invoice::SENT.is_null()), [1]);
    assert_eq!(found(&invoices, invoice::REMINDERS.contains(date("2026-12-01"))), [1, 2, 3]);
    assert_eq!(found(&invoices, invoice::TOTAL.eq(decimal("2.500"))), [2]);
    assert_eq!(found(&invoices, invoice::TOTAL.ge(2)), [2, 3]);
    assert_eq!(found(&invoices, invoice::PARTS.all([decimal("0.50"), decimal("2.0")])), [2]);
    assert_eq!(found(&invoices, invoice::PARTS.contains(3)), [3]);
}

#[test]
fn they_are_compared_by_text_and_by_value_at_run_time() {
    let invoices = invoices();
    assert_eq!(found(&invoices, field("id").eq("02020202-0202-0202-0202-020202020202")), [2]);
    assert_eq!(found(&invoices, field("id").eq(Uuid::from_bytes([2; 16]))), [2]);
    assert_eq!(found(&invoices, field("paid_at").lt("2026-11-02T13:00:00+00:00")), [2]);
    assert_eq!(found(&invoices, field("paid_at").lt(time("2026-11-02T13:00:00Z"))), [2]);
    assert_eq!(found(&invoices, field("due").ge("2026-11-03")), [3]);
    assert_eq!(found(&invoices, field("due").ge(date("2026-11-03"))), [3]);
    assert_eq!(found(&invoices, field("total").is_in(["1.5", "3.5"])), [1, 3]);
    assert_eq!(found(&invoices, field("total").lt(decimal("2"))), [1]);
    assert!(invoices.find(field("due").eq(time("2026-11-03T00:00:00Z"))).count().is_err());
}

/// memdex formats values as both crates do, at the limits of their ranges as well.
#[test]
fn values_mean_what_their_types_mean() {
    for time in [jiff::Timestamp::MIN, jiff::Timestamp::UNIX_EPOCH, time("2024-02-29T23:59:59.000000001Z")] {
        assert_eq!(Value::from(time).as_ref(), ValueRef::Timestamp(time.as_nanosecond()));
    }
    for text in ["0000-01-01T00:00:00Z", "1600-02-29T01:02:03.004Z", "2026-11-21T12:34:56Z", "9999-12-30T22:00:00Z"] {
        assert_eq!(Value::from(time(text)).to_string(), text);
        assert_eq!(Value::from_text(Kind::Timestamp, text), Some(Value::from(time(text))));
    }
    for day in [Date::MIN, Date::MAX, date("0000-02-29"), date("1970-01-01"), date("2100-03-01")] {
        let days = day.since(Date::constant(1970, 1, 1)).unwrap().get_days();
        assert_eq!(Value::from(day).as_ref(), ValueRef::Date(days), "{day}");
    }
    for day in [date("0000-02-29"), Date::MAX] {
        assert_eq!(Value::from(day).to_string(), day.to_string());
        assert_eq!(Value::from_text(Kind::Date, &day.to_string()), Some(Value::from(day)));
    }
    for number in
        [Decimal::MIN, decimal("-0.0000000000000000000000000001"), Decimal::ZERO, decimal("1.10"), Decimal::MAX]
    {
        let value: DecimalValue = number.to_string().parse().unwrap();
        assert_eq!(Value::from(number), Value::from(value));
        assert_eq!(value.to_string(), number.normalize().to_string());
    }
    let id = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);
    assert_eq!(Value::from(id).to_string(), id.to_string());
    assert_eq!(Value::from_text(Kind::Uuid, &id.to_string()), Some(Value::from(id)));
}

#[test]
fn uuids_of_a_store_ascend_whatever_its_clock_does() {
    let clock = ManualClock::starting_at(Timestamp::from_micros(1_000_000_123));
    let store = Store::builder().clock(clock.clone()).build();
    let mut made: Vec<Uuid> = (0..1_000).map(|_| store.uuid_v7()).collect();
    assert!(made.iter().all(|id| id.get_version_num() == 7));
    assert_eq!(made[0].get_timestamp().unwrap().to_unix(), (1_000, 0), "to the millisecond");
    clock.set(Timestamp::from_micros(5));
    made.extend((0..1_000).map(|_| store.uuid_v7()));
    clock.set(Timestamp::from_micros(2_000_000_000));
    made.push(store.clone().uuid_v7());
    assert_eq!(made[2_000].get_timestamp().unwrap().to_unix(), (2_000, 0));
    assert!(made.is_sorted_by(|a, b| a < b));
}

#[test]
fn uuids_made_by_many_threads_differ_and_ascend_in_each() {
    let store = Store::new();
    let made = std::thread::scope(|scope| {
        let make = |_| scope.spawn(|| (0..1_000).map(|_| store.uuid_v7()).collect::<Vec<_>>());
        let threads: Vec<_> = (0..4).map(make).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(made.iter().all(|ids| ids.is_sorted()));
    assert_eq!(made.into_iter().flatten().collect::<BTreeSet<_>>().len(), 4_000);
}
