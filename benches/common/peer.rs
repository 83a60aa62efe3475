//! The peer, the hand-written alternative: a concurrent map of records, and a map from value to keys for each indexed
//! field.
//!
//! It is written as a careful user would: records are behind an `Arc`, so that a read only increments a count, and the
//! sets share one allocation of each key. It has no atomicity, no snapshots and no query planner.

use super::{Payment, Status};
use dashmap::DashMap;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

type Keys = HashSet<Arc<str>>;

#[derive(Default)]
pub struct ByHand {
    pub payments: DashMap<Arc<str>, Arc<Payment>>,
    pub by_organization: DashMap<String, Keys>,
    pub by_user: DashMap<String, Keys>,
    pub by_status: DashMap<Status, Keys>,
    pub by_currency: DashMap<Option<String>, Keys>,
}

impl ByHand {
    pub fn of(payments: Vec<Payment>) -> Self {
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

    pub fn count(&self, status: Status, currency: &Option<String>) -> Option<usize> {
        let (of_status, of_currency) = (self.by_status.get(&status)?, self.by_currency.get(currency)?);
        Some(both(&of_status, &of_currency).count())
    }

    pub fn fetch(&self, organization: &str, status: Status) -> Option<Vec<Arc<Payment>>> {
        let (of_organization, of_status) = (self.by_organization.get(organization)?, self.by_status.get(&status)?);
        let record = |key: &Arc<str>| self.payments.get(key).map(|found| Arc::clone(&found));
        Some(both(&of_organization, &of_status).filter_map(record).collect())
    }

    /// Clones a record that readers hold, and changes others in place.
    pub fn change_status(&self, key: &str) {
        let mut payment = self.payments.get_mut(key).expect("the key exists");
        let old = payment.status;
        Arc::make_mut(&mut payment).status = old.next();
        let key = self.by_status.get_mut(&old).and_then(|mut keys| keys.take(key)).expect("filed under its status");
        add(&self.by_status, &old.next(), &key);
    }
}

/// The intersection: `HashSet::intersection` looks up the keys of the smaller set in the larger one.
fn both<'a>(a: &'a HashSet<Arc<str>>, b: &'a HashSet<Arc<str>>) -> impl Iterator<Item = &'a Arc<str>> {
    a.intersection(b)
}

/// Inserts a key under a value. Clones the value only if it is new.
pub fn add<V: Clone + Eq + Hash>(index: &DashMap<V, Keys>, value: &V, key: &Arc<str>) {
    if let Some(mut keys) = index.get_mut(value) {
        keys.insert(key.clone());
        return;
    }
    index.entry(value.clone()).or_default().insert(key.clone());
}
