//! The test double: payments in memdex.

use super::{Payment, PaymentRepository, RepositoryError, Status, Total, payment};
use memdex::clock::Clock;
use memdex::error::Cause;
use memdex::query::IntoOrder;
use memdex::write::Refused;
use memdex::{Collection, Filter, GroupBy, Metric, Store, Timestamp};
use std::error::Error;
use std::sync::Arc;

/// Payments in memory. It checks what the database checks, with the same errors.
pub struct InMemoryPayments {
    store: Store,
    payments: Collection<Payment>,
    clock: Arc<dyn Clock>,
}

impl InMemoryPayments {
    /// An empty repository, which takes the time from a clock.
    pub fn new(clock: impl Clock + Clone + 'static) -> Result<Self, Box<dyn Error>> {
        InMemoryPayments::of(Store::builder().clock(clock.clone()).build(), clock)
    }

    /// An independent repository that begins with the payments of this one, for one test. It copies none of them.
    pub fn fork(&self, clock: impl Clock + Clone + 'static) -> Result<Self, Box<dyn Error>> {
        InMemoryPayments::of(self.store.fork_with_clock(clock.clone()), clock)
    }

    fn of(store: Store, clock: impl Clock + 'static) -> Result<Self, Box<dyn Error>> {
        Ok(InMemoryPayments { payments: store.collection("Payment")?, store, clock: Arc::new(clock) })
    }

    /// The store, for faults, snapshots and audits.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Moves a payment from one status to another.
    fn change(&self, id: i64, to: Status, settled_at: Option<Timestamp>) -> Result<(), RepositoryError> {
        let from = if to == Status::Settled { Status::Open } else { Status::Settled };
        let changed = self.payments.update(id, move |payment| {
            if payment.status != from {
                return Err(RepositoryError::Forbidden { id, from: payment.status, to });
            }
            payment.status = to;
            payment.settled_at = settled_at.or(payment.settled_at);
            Ok(())
        });
        changed.map(drop).map_err(|refused| error(&refused, id))
    }

    fn list(&self, filter: impl Into<Filter<Payment>>, order: impl IntoOrder) -> Result<Vec<Payment>, RepositoryError> {
        let found = self.payments.find(filter).order_by(order).fetch();
        let page = found.map_err(|error| RepositoryError::Unavailable(error.to_string()))?;
        Ok(page.iter().map(|payment| Payment::clone(payment)).collect())
    }
}

impl PaymentRepository for InMemoryPayments {
    fn add(&self, payment: &Payment) -> Result<(), RepositoryError> {
        self.payments.insert(payment.clone()).map(drop).map_err(|refused| error(&refused, payment.id))
    }

    fn by_id(&self, id: i64) -> Result<Option<Payment>, RepositoryError> {
        Ok(self.payments.get(id).map(|payment| Payment::clone(&payment)))
    }

    fn settle(&self, id: i64) -> Result<(), RepositoryError> {
        self.change(id, Status::Settled, Some(self.clock.now()))
    }

    fn refund(&self, id: i64) -> Result<(), RepositoryError> {
        self.change(id, Status::Refunded, None)
    }

    fn open_of(&self, payer: &str) -> Result<Vec<Payment>, RepositoryError> {
        self.list(payment::PAYER.eq(payer) & payment::STATUS.eq(Status::Open), payment::DUE.asc())
    }

    fn overdue(&self) -> Result<Vec<Payment>, RepositoryError> {
        self.list(payment::DUE.lt(self.clock.now()) & payment::STATUS.eq(Status::Open), payment::DUE.asc())
    }

    fn totals(&self) -> Result<Vec<Total>, RepositoryError> {
        let by_status = GroupBy::values("status").metrics([Metric::count(), payment::CENTS.sum()]);
        let totals = self.payments.find(Filter::all()).statistics(by_status);
        let totals = totals.map_err(|error| RepositoryError::Unavailable(error.to_string()))?;
        let total = |group: &memdex::aggregate::Group| {
            let status = Status::of_name(group.key[0].as_str().unwrap_or_default())?;
            let int = |name: &str| group.values.int(name).unwrap_or_default();
            Ok(Total { status, payments: int("count"), cents: int("sum(cents)") })
        };
        totals.values.groups().iter().map(total).collect()
    }
}

/// The error of the application for a refusal of the store.
fn error(refused: &Refused, id: i64) -> RepositoryError {
    match refused.cause() {
        Cause::KeyExists | Cause::NotUnique { .. } => RepositoryError::Duplicate,
        Cause::KeyMissing => RepositoryError::Missing(id),
        Cause::Closure(rule) => match rule.downcast_ref::<RepositoryError>() {
            Some(rule) => rule.clone(),
            None => RepositoryError::Unavailable(rule.to_string()),
        },
        other => RepositoryError::Unavailable(other.to_string()),
    }
}
