//! The peer: what one would write by hand, a concurrent map of records and one of key sets for each indexed field.
//!
//! It is written as a careful user would: records are behind an `Arc` so that readers get them for a count, and the
//! sets share one allocation of each key. It has no atomicity, no snapshots and no query planner.

use super::{Payment, Status};
use dashmap::DashMap;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

type Keys = HashSet<Arc<str>>;

#[derive(Default)]
pub(crate) struct ByHand {
    pub(crate) payments: DashMap<Arc<str>, Arc<Payment>>,
    pub(crate) by_organization: DashMap<String, Keys>,
    pub(crate) by_user: DashMap<String, Keys>,
    pub(crate) by_status: DashMap<Status, Keys>,
    pub(crate) by_currency: DashMap<Option<String>, Keys>,
}

impl ByHand {
    pub(crate) fn of(payments: Vec<Payment>) -> Self {
        let all = ByHand::default();
        payments.into_iter().for_each(|payment| all.insert(payment));
        all
    }

    fn insert(&self, payment: Payment) {
        let key: Arc<str> = payment.payment_id.as_str().into();
        add(&self.by_organization, &payment.organization_id, &key);
        add(&self.by_user, &payment.user_id, &key);
        add(&self.by_status, &payment.status, &key);
        add(&self.by_currency, &payment.currency, &key);
        self.payments.insert(key, Arc::new(payment));
    }
}

/// Files a key under a value. A value is cloned only where it is new.
pub(crate) fn add<V: Clone + Eq + Hash>(index: &DashMap<V, Keys>, value: &V, key: &Arc<str>) {
    if let Some(mut keys) = index.get_mut(value) {
        keys.insert(key.clone());
        return;
    }
    index.entry(value.clone()).or_default().insert(key.clone());
}
