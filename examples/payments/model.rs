//! The records: payments, and the accounts of the organizations that receive them.

use indicatif::HumanCount;
use memdex::{FieldValue, Nested, Record, Timestamp};
use std::fmt;

#[derive(Clone, Debug, Record)]
// Most lists of a back office filter by both fields.
#[record(index(organization, status))]
// A partial index: only the few pending payments, by age.
#[record(ordered(created_at, name = "open", when = payment::STATUS.eq(Status::Pending)))]
pub(crate) struct Payment {
    #[record(key)]
    pub(crate) id: u64,
    #[record(unique)] // two payments can't have the same reference
    pub(crate) reference: String,
    #[record(index)]
    pub(crate) organization: String,
    #[record(index)]
    pub(crate) user: String,
    #[record(index)]
    pub(crate) status: Status,
    #[record(ordered)] // an index for ranges
    pub(crate) amount_cents: i64, // in euros, for every currency of the payer
    #[record(index)]
    pub(crate) currency: String, // the payer's currency
    #[record(field)] // without an index of all payments: queries scan, except through `open`
    pub(crate) created_at: Timestamp,
    #[record(index)] // one entry for each tag
    pub(crate) tags: Vec<String>,
    #[record(nested)] // queries can name its fields; `None` for a bank transfer
    pub(crate) card: Option<Card>,
    pub(crate) note: String, // without an attribute, queries can't name it
}

#[derive(Clone, Debug, Nested)]
pub(crate) struct Card {
    #[record(index)]
    pub(crate) brand: String,
    #[record(column)] // queries scan the column
    pub(crate) country: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, FieldValue)]
#[field(rename_all = "snake_case")]
pub(crate) enum Status {
    Pending,
    Completed,
    Failed,
    Refunded,
}

/// The balance of an organization: the sum of its completed payments.
#[derive(Clone, Debug, Record)]
pub(crate) struct Account {
    #[record(key)]
    pub(crate) organization: String,
    pub(crate) balance_cents: i64,
}

/// A violation of a business rule, as opposed to a refusal by the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    #[error("a {from} payment can't become {to}")]
    Transition { from: Status, to: Status },
    #[error("{organization} has {}, which is less than {}", euros(*balance_cents), euros(*cents))]
    NotCovered { organization: String, balance_cents: i64, cents: i64 },
}

impl Payment {
    /// Changes the status. All status changes go through here.
    pub(crate) fn transition(&mut self, to: Status) -> Result<(), Forbidden> {
        let from = self.status;
        let is_legal = match to {
            Status::Pending => false,
            Status::Completed | Status::Failed => from == Status::Pending,
            Status::Refunded => from == Status::Completed,
        };
        if !is_legal {
            return Err(Forbidden::Transition { from, to });
        }
        self.status = to;
        Ok(())
    }
}

impl Account {
    pub(crate) fn debit(&mut self, cents: i64) -> Result<(), Forbidden> {
        if cents > self.balance_cents {
            let (organization, balance_cents) = (self.organization.clone(), self.balance_cents);
            return Err(Forbidden::NotCovered { organization, balance_cents, cents });
        }
        self.balance_cents -= cents;
        Ok(())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Pending => "pending",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Refunded => "refunded",
        })
    }
}

pub(crate) fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02} €", HumanCount(cents / 100), cents % 100)
}
