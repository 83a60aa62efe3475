//! What can be done with payments. Each command is one commit over both collections, or nothing.

use crate::model::{Account, Forbidden, Payment, Status};
use memdex::{Batch, Cause, Collection, Handle, Receipt, Refusal, Refused, Store};

/// The store and its collections. Cheap to clone, as they are.
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
    /// Whatever else the store says: a reference that is taken, say.
    #[error(transparent)]
    Refused(Refused),
}

impl From<Refused> for CommandError {
    /// A closure's own error comes through the commit as it was.
    fn from(refused: Refused) -> Self {
        let forbidden = match refused.cause() {
            Cause::Closure(error) => error.downcast_ref::<Forbidden>().cloned(),
            _ => None,
        };
        forbidden.map_or(CommandError::Refused(refused), CommandError::Forbidden)
    }
}

impl Ledger {
    pub(crate) fn open() -> Result<Self, memdex::CollectionError> {
        let store = Store::new();
        let (payments, accounts) = (store.collection("Payment")?, store.collection("Account")?);
        Ok(Ledger { store, payments, accounts })
    }

    /// Takes a new payment. Refused if its number or its reference is taken.
    pub(crate) fn create(&self, payment: Payment) -> Result<Receipt, CommandError> {
        Ok(self.payments.insert(payment)?)
    }

    /// The money has come: the payment is completed, and its organization has it.
    pub(crate) fn process(&self, id: u64) -> Result<Receipt, CommandError> {
        let payment = self.payment(id)?;
        Ok(self.store.commit(|batch| self.add_turn(batch, &payment, Status::Completed))?)
    }

    /// The money will not come.
    pub(crate) fn fail(&self, id: u64, why: &str) -> Result<Receipt, CommandError> {
        self.payment(id)?;
        let why = why.to_owned();
        // One operation needs no batch.
        Ok(self.payments.try_update(id, move |payment| {
            payment.note = why.clone();
            payment.turn(Status::Failed)
        })?)
    }

    /// The money goes back, out of what the organization has.
    pub(crate) fn refund(&self, id: u64) -> Result<Receipt, CommandError> {
        let payment = self.payment(id)?;
        Ok(self.store.commit(|batch| self.add_turn(batch, &payment, Status::Refunded))?)
    }

    /// Adds to a batch what completes or refunds a payment: its new status, and the money's way. The amount is that of the payment
    /// as it was seen, hence the condition: has it changed since, all of the batch is refused.
    pub(crate) fn add_turn(&self, batch: &mut Batch, seen: &Handle<Payment>, to: Status) -> Result<(), Refusal> {
        batch.try_update_if(&self.payments, seen.commit(), seen.id, move |payment| payment.turn(to))?;
        let cents = seen.amount_cents;
        match to {
            Status::Completed => batch.update(&self.accounts, &seen.organization, move |a| a.balance_cents += cents),
            Status::Refunded => batch.try_update(&self.accounts, &seen.organization, move |a| a.debit(cents)),
            Status::Pending | Status::Failed => Ok(()),
        }
    }

    fn payment(&self, id: u64) -> Result<Handle<Payment>, CommandError> {
        self.payments.get(id).ok_or(CommandError::NoSuchPayment(id))
    }
}
