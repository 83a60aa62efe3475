//! Faults, strictness and delayed visibility: the feature `testing`.

mod faults;
mod random_faults;
mod strictness;
mod visibility;

use memdex::{Collection, Field, Record, Store};

#[derive(Clone, Debug, PartialEq, Record)]
pub(crate) struct Payment {
    #[record(key)]
    pub(crate) id: u32,
    #[record(unique)]
    pub(crate) reference: String,
    #[record(index)]
    pub(crate) status: String,
    #[record(ordered)]
    pub(crate) cents: i64,
    #[record(field)]
    pub(crate) note: String,
}

pub(crate) fn payment(id: u32, status: &str, cents: i64) -> Payment {
    Payment { id, reference: format!("r-{id}"), status: status.into(), cents, note: format!("note {}", id % 3) }
}

pub(crate) fn store() -> (Store, Collection<Payment>) {
    let store = Store::new();
    let payments = store.collection("Payment").unwrap();
    (store, payments)
}

pub(crate) fn cents() -> Field<Payment, i64> {
    payment::CENTS
}

pub(crate) fn reference() -> Field<Payment, String> {
    payment::REFERENCE
}
