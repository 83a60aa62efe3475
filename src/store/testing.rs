//! Faults, strictness and delayed visibility of a store.

use super::Store;
use crate::record::Condition;
use crate::testing::{Fault, FaultPlan, FaultPlanError, OperationKind, micros};
use std::time::Duration;

impl Store {
    /// Injects the faults of a plan from now on, in place of the plan before, which it returns. The rules count from the start, and the list of
    /// faults is empty again. A plan without rules injects nothing.
    ///
    /// Operations that run already may still meet the plan before. Faults are for tests: while a plan is set, operations cost more.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::error::Failure;
    /// use memdex::hook::testing::{FaultPlan, FaultRule, OperationKind};
    ///
    /// #[derive(Clone, Record)]
    /// struct Payment { #[record(key)] id: u32, #[record(field)] cents: i64 }
    ///
    /// let store = Store::new();
    /// let payments = store.collection::<Payment>("Payment")?;
    /// // A bulk API that refuses single items.
    /// let large = FaultRule::on(OperationKind::Write).named("large").of("Payment").matching(payment::CENTS.gt(100));
    /// store.set_faults(FaultPlan::new(1).rule(large.fail(Failure::TooBusy)))?;
    ///
    /// let mut batch = store.batch();
    /// for (id, cents) in [(1, 50), (2, 500)] {
    ///     batch.store(&payments, Payment { id, cents })?;
    /// }
    /// let report = batch.commit_lenient()?;
    /// assert_eq!((payments.len(), report.refused.len()), (1, 1));
    /// assert!(report.refused[0].refusal.is_injected());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`FaultPlanError`], and the plan before stays: a rule is invalid, or its condition does not fit the collection's schema.
    pub fn set_faults(&self, plan: FaultPlan) -> Result<FaultPlan, FaultPlanError> {
        plan.check()?;
        for (at, rule) in plan.rules.iter().enumerate() {
            let (Some(predicate), Some(name)) = (&rule.condition, &rule.collection) else { continue };
            // A collection that is opened later is checked when the rule meets it.
            if let Some(table) = self.engine.table(name) {
                let bound = Condition::new(name, table.schema(), predicate);
                bound.map_err(|source| FaultPlanError::Query { at, name: rule.name.clone(), source })?;
            }
        }
        Ok(self.engine.set_faults(plan))
    }

    /// Injects no more faults, and returns the plan. The list of faults is empty again.
    pub fn clear_faults(&self) -> FaultPlan {
        self.engine.set_faults(FaultPlan::default())
    }

    /// The faults that have fired since the plan was set, in their order; at most
    /// [`limits::MAX_LISTED_FAULTS`](crate::limits::MAX_LISTED_FAULTS), the newest.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.engine.testing.faults.fired()
    }

    /// Moves the store's clock ahead, whatever clock it is.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use std::time::Duration;
    ///
    /// #[derive(Record)]
    /// struct Session { #[record(key)] id: u32 }
    ///
    /// let store = Store::new();
    /// let sessions = store.collection::<Session>("Session")?;
    /// sessions.with_lifetime(Duration::from_secs(3_600)).store(Session { id: 1 })?;
    /// store.jump_forward(Duration::from_secs(3_600));
    /// assert!(sessions.get(1).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn jump_forward(&self, by: Duration) {
        self.engine.testing.faults.jump(micros(by));
    }

    /// Moves the store's clock back. The store's time never runs backwards, so it stands still until the clock has caught up.
    pub fn jump_back(&self, by: Duration) {
        self.engine.testing.faults.jump(-micros(by));
    }

    pub(super) fn meet_snapshot(&self) {
        // It has no error.
        let _ = self.engine.meet(OperationKind::Snapshot, "snapshot", &[]);
    }
}
