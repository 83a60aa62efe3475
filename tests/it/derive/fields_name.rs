//! Names of the field constants that the author chooses.

#![deny(warnings)]
#![allow(unreachable_pub)]

mod payment {
    use memdex::Record;

    #[derive(Record)]
    #[record(fields = "PaymentFields")]
    pub struct Payment {
        #[record(key)]
        pub id: u32,
        #[record(field)]
        pub amount_cents: i64,
        pub note: String,
    }

    #[derive(Record)]
    #[record(fields = "Self")]
    pub struct Refund {
        #[record(key)]
        pub id: u32,
        pub note: String,
    }
}

use memdex::{Collection, Handle, Record, Store};
use payment::{Payment, PaymentFields, Refund};

fn get<R: Record>(records: &Collection<R>, key: R::Key) -> Option<Handle<R>> {
    records.get(key)
}

#[derive(Record)]
struct Flight {
    #[record(key)]
    origin: String,
    #[record(key)]
    number: u16,
}

#[test]
fn constants_have_the_chosen_name() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    payments.store(Payment { id: 1, amount_cents: 5, note: String::new() }).unwrap();
    assert_eq!(payments.find(PaymentFields::AMOUNT_CENTS.gt(4)).count().unwrap(), 1);
    assert_eq!(get(&payments, 1).unwrap().note, "");
    let refunds = store.collection::<Refund>("Refund").unwrap();
    refunds.store(Refund { id: 2, note: "late".into() }).unwrap();
    assert_eq!(refunds.find(Refund::ID.eq(2)).fetch().unwrap()[0].note, "late");
    let flights = store.collection::<Flight>("Flight").unwrap();
    flights.store(Flight { origin: "EWR".into(), number: 7 }).unwrap();
    let flight = get(&flights, ("EWR".into(), 7)).unwrap();
    assert_eq!((flight.number, flight.key().to::<(String, u16)>()), (7, Some(("EWR".into(), 7))));
    assert!(flights.get(("EWR", 7)).is_some() && flights.get(&("EWR", 7)).is_some());
    let flight = Flight { origin: "x".repeat(50), number: 7 };
    assert!(flight.heap_size() >= 50);
}
