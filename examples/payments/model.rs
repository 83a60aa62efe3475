//! What is stored: payments, and beside them the accounts of those who are paid.

use indicatif::HumanCount;
use memdex::{FieldValue, Nested, Record, Timestamp};
use std::fmt;

#[derive(Clone, Debug, Record)]
// Found by both at once, as nearly every list in an office is.
#[record(index(organization, status))]
// The few that are open, by age: the index holds no others.
#[record(ordered(created_at, name = "open", when = payment::STATUS.eq(Status::Pending)))]
pub(crate) struct Payment {
    #[record(key)]
    pub(crate) id: u64,
    #[record(unique)] // no two payments have the same
    pub(crate) reference: String,
    #[record(index)]
    pub(crate) organization: String,
    #[record(index)]
    pub(crate) user: String,
    #[record(index)]
    pub(crate) status: Status,
    #[record(ordered)] // ranges are found by an index
    pub(crate) amount_cents: i64, // in euros, whatever the payer has paid in
    #[record(index)]
    pub(crate) currency: String, // what the payer has paid in
    #[record(field)] // found by a look at the payments, unless by the index above
    pub(crate) created_at: Timestamp,
    #[record(index)] // found by each of its values
    pub(crate) tags: Vec<String>,
    #[record(nested)] // its fields can be named; a transfer has none
    pub(crate) card: Option<Card>,
    pub(crate) note: String, // invisible to queries
}

#[derive(Clone, Debug, Nested)]
pub(crate) struct Card {
    #[record(index)]
    pub(crate) brand: String,
    #[record(column)] // found by a scan, but of values that lie side by side
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

/// What belongs to an organization: the sum of its completed payments.
#[derive(Clone, Debug, Record)]
pub(crate) struct Account {
    #[record(key)]
    pub(crate) organization: String,
    pub(crate) balance_cents: i64,
}

/// Why the rules of payments, not those of the store, forbid something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    #[error("a {from} payment can't become {to}")]
    Transition { from: Status, to: Status },
    #[error("{organization} has {}, which is less than {}", euros(*balance_cents), euros(*cents))]
    NotCovered { organization: String, balance_cents: i64, cents: i64 },
}

impl Payment {
    /// The only way to another status.
    pub(crate) fn turn(&mut self, to: Status) -> Result<(), Forbidden> {
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
