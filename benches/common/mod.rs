//! The data of the benchmarks: one million payments, the same in every run, in a memdex store and in hand-written
//! structures.

#![allow(missing_docs, reason = "only the benchmarks use it")]

pub mod peer;

use memdex::{Collection, FieldValue, Record, Store};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Number of payments.
pub const PAYMENTS: usize = 1_000_000;

const ORGANIZATIONS: u64 = 1_000;
const USERS: u64 = 100_000;
const CURRENCIES: [&str; 5] = ["CHF", "EUR", "GBP", "JPY", "USD"];
const STATUSES: [Status; 4] = [Status::Pending, Status::Completed, Status::Refunded, Status::Failed];

/// Operations of a batch while payments are loaded.
const BULK_SIZE: usize = 1_000;

#[derive(Clone, Debug, Record, Serialize, Deserialize)]
pub struct Payment {
    #[record(key)]
    pub payment_id: String,
    #[record(index)]
    pub organization_id: String,
    #[record(index)]
    pub user_id: String,
    #[record(index)]
    pub status: Status,
    #[record(index)]
    pub currency: Option<String>,
    #[record(field)]
    pub amount_cents: i64,
    /// Part of the cost of a record. No benchmark reads it.
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FieldValue, Serialize, Deserialize)]
#[field(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Completed,
    Refunded,
    Failed,
}

impl Status {
    /// The status that follows this one in a cycle.
    pub fn next(self) -> Status {
        match self {
            Status::Pending => Status::Completed,
            Status::Completed => Status::Refunded,
            Status::Refunded => Status::Failed,
            Status::Failed => Status::Pending,
        }
    }
}

/// A small random number generator (SplitMix64), so that every run has the same payments.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(limit)) >> 64) as u64
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// All payments, in ascending order of their ids. No string has spare capacity.
pub fn payments() -> Vec<Payment> {
    let mut random = Random::new(1);
    let payment = |n| Payment {
        payment_id: numbered("payment", n),
        organization_id: numbered("org", random.below(ORGANIZATIONS)),
        user_id: numbered("user", random.below(USERS)),
        status: random.one_of(&STATUSES),
        currency: Some(random.one_of(&CURRENCIES).to_owned()),
        amount_cents: random.below(1_000_000) as i64,
        description: numbered("invoice no.", random.below(10_000_000)),
    };
    (0..PAYMENTS as u64).map(payment).collect()
}

fn numbered(prefix: &str, number: u64) -> String {
    let mut text = String::with_capacity(prefix.len() + 8);
    write!(text, "{prefix}-{number:07}").expect("a string takes what is written to it");
    text
}

/// The payments in a new store, loaded in batches of 1,000.
pub fn stored(payments: Vec<Payment>) -> (Store, Collection<Payment>) {
    let store = Store::new();
    let collection = store.collection("Payment").expect("the schema is sound");
    let mut writer = store.writer().bulk_size(BULK_SIZE);
    for payment in payments {
        writer.store(&collection, payment).expect("nothing refuses a payment");
    }
    writer.flush().expect("nothing refuses a payment");
    drop(writer);
    (store, collection)
}
