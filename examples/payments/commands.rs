//! The commands on payments. Each is one commit over both collections; if it fails, nothing changes.

use crate::model::{Account, Forbidden, Payment, Status};
use memdex::error::{Cause, Refusal};
use memdex::write::{Receipt, Refused};
use memdex::{Batch, Collection, Handle, Store};

/// The store and its collections. Cheap to clone, because they are handles.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) store: Store,
    pub(crate) payments: Collection<Payment>,
    pub(crate) accounts: Collection<Account>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("there is no payment {0}")]
    NoSuchPayment(u64),
    #[error(transparent)]
    Forbidden(Forbidden),
    /// Any other refusal by the store, for example a duplicate reference.
    #[error(transparent)]
    Refused(Refused),
}

impl From<Refused> for CommandError {
    /// Unwraps the error of a closure, which the commit passes through unchanged.
    fn from(refused: Refused) -> Self {
        let forbidden = match refused.cause() {
            Cause::Closure(error) => error.downcast_ref::<Forbidden>().cloned(),
            _ => None,
        };
        forbidden.map_or(CommandError::Refused(refused), CommandError::Forbidden)
    }
}

impl Ledger {
    pub(crate) fn open() -> Result<Self, memdex::error::CollectionError> {
        let store = Store::new();
        let (payments, accounts) = (store.collection("Payment")?, store.collection("Account")?);
        Ok(Ledger { store, payments, accounts })
    }

    /// Inserts a new payment. Refused if its number or its reference already exists.
    pub(crate) fn create(&self, payment: Payment) -> Result<Receipt, CommandError> {
        Ok(self.payments.insert(payment)?)
    }

    /// Completes a payment and credits its organization.
    pub(crate) fn process(&self, id: u64) -> Result<Receipt, CommandError> {
        let payment = self.payment(id)?;
        Ok(self.store.commit(|batch| self.add_transition(batch, &payment, Status::Completed))?)
    }

    /// Marks a payment as failed.
    pub(crate) fn fail(&self, id: u64, why: &str) -> Result<Receipt, CommandError> {
        self.payment(id)?;
        let why = why.to_owned();
        // One operation needs no batch.
        Ok(self.payments.update(id, move |payment| {
            payment.note = why.clone();
            payment.transition(Status::Failed)
        })?)
    }

    /// Refunds a payment and debits its organization.
    pub(crate) fn refund(&self, id: u64) -> Result<Receipt, CommandError> {
        let payment = self.payment(id)?;
        Ok(self.store.commit(|batch| self.add_transition(batch, &payment, Status::Refunded))?)
    }

    /// Adds to a batch the change of a payment's status, and the matching credit or debit. The amount comes from the record
    /// that was read, so the update has a condition: if the record has changed since, the whole batch is refused.
    pub(crate) fn add_transition(&self, batch: &mut Batch, seen: &Handle<Payment>, to: Status) -> Result<(), Refusal> {
        batch.if_unchanged(seen.commit()).update(&self.payments, seen.id, move |payment| payment.transition(to))?;
        let cents = seen.amount_cents;
        match to {
            Status::Completed => batch.update(&self.accounts, &seen.organization, move |a| a.balance_cents += cents),
            Status::Refunded => batch.update(&self.accounts, &seen.organization, move |a| a.debit(cents)),
            Status::Pending | Status::Failed => Ok(()),
        }
    }

    fn payment(&self, id: u64) -> Result<Handle<Payment>, CommandError> {
        self.payments.get(id).ok_or(CommandError::NoSuchPayment(id))
    }
}
