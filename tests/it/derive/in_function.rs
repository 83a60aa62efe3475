//! A record inside a function, in the scope of its own variables.

#![deny(warnings)]

use memdex::{FieldValue, Record, Store};

#[test]
fn a_record_inside_a_function_has_constants() {
    #[derive(Clone, Copy, FieldValue)]
    enum Status {
        Pending,
        Completed,
    }

    #[derive(Record)]
    struct Payment {
        #[record(key)]
        id: u32,
        #[record(index)]
        status: Status,
    }

    let payments = Store::new().collection::<Payment>("Payment").unwrap();
    for payment in [Payment { id: 1, status: Status::Pending }, Payment { id: 2, status: Status::Completed }] {
        payments.store(payment).unwrap();
    }
    let payment = payments.get(2).unwrap();
    assert_eq!(payments.find(payment::STATUS.eq(payment.status)).count(), Ok(1));
}
