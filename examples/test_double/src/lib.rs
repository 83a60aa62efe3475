//! An application that keeps payments behind a trait, [`PaymentRepository`]. Production uses [`SqlitePayments`] or [`PostgresPayments`];
//! tests use [`InMemoryPayments`], which is memdex.
//!
//! `tests/suite.rs` runs one suite on all of them: a contract that is written once, and generated histories. `src/main.rs` prints
//! how many times faster the double is.

#![allow(clippy::missing_errors_doc, reason = "each error is that of the database")]
#![expect(missing_docs, reason = "the names of fields and errors say it")]

pub mod fixtures;
mod in_memory;
mod postgres;
mod sqlite;
mod statements;

pub use self::postgres::PostgresPayments;
pub use in_memory::InMemoryPayments;
pub use sqlite::SqlitePayments;

use memdex::{FieldValue, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// A payment that somebody owes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Record)]
#[record(from_values)]
#[record(ordered(due, name = "open", when = payment::STATUS.eq(Status::Open)))]
pub struct Payment {
    #[record(key)]
    pub id: i64,
    #[record(unique)]
    pub reference: String,
    #[record(index)]
    pub payer: String,
    #[record(column)]
    pub cents: i64,
    #[record(index)]
    pub status: Status,
    #[record(field)]
    pub due: Timestamp,
    #[record(field)]
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
}

/// The state of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FieldValue)]
#[serde(rename_all = "snake_case")]
#[field(rename_all = "snake_case")]
pub enum Status {
    Open,
    Settled,
    Refunded,
}

impl Status {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Settled => "settled",
            Status::Refunded => "refunded",
        }
    }

    fn of_name(name: &str) -> Result<Self, RepositoryError> {
        let known = [Status::Open, Status::Settled, Status::Refunded].into_iter().find(|status| status.name() == name);
        known.ok_or_else(|| RepositoryError::Unavailable(format!("unknown status {name:?} in the database")))
    }
}

/// Why the repository did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RepositoryError {
    #[error("there is a payment with this id or reference: use another reference")]
    Duplicate,
    #[error("there is no payment {0}")]
    Missing(i64),
    #[error("payment {id} is {}, so it can't become {}", from.name(), to.name())]
    Forbidden { id: i64, from: Status, to: Status },
    #[error("the database failed: {0}; try again")]
    Unavailable(String),
}

/// The number and the sum of the payments of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub status: Status,
    pub payments: i64,
    pub cents: i64,
}

/// What the application needs of its database.
pub trait PaymentRepository {
    /// Adds a payment.
    fn add(&self, payment: &Payment) -> Result<(), RepositoryError>;

    /// The payment with this id.
    fn by_id(&self, id: i64) -> Result<Option<Payment>, RepositoryError>;

    /// Marks an open payment as settled now.
    fn settle(&self, id: i64) -> Result<(), RepositoryError>;

    /// Marks a settled payment as refunded.
    fn refund(&self, id: i64) -> Result<(), RepositoryError>;

    /// The open payments of a payer, by due date.
    fn open_of(&self, payer: &str) -> Result<Vec<Payment>, RepositoryError>;

    /// The open payments whose due date has passed, by due date.
    fn overdue(&self) -> Result<Vec<Payment>, RepositoryError>;

    /// The number and sum of the payments of each status that occurs, by its name.
    fn totals(&self) -> Result<Vec<Total>, RepositoryError>;
}
