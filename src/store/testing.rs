//! Faults, strictness and delayed visibility of a store.

use super::Store;
use crate::error::Refusal;
use crate::record::{Condition, Record};
use crate::storage::Collection;
use crate::testing::{Fault, FaultPlan, FaultPlanError, OperationKind, Strictness, Visibility, micros};
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
                let bound = Condition::new(name, &table.schema, predicate);
                bound.map_err(|source| FaultPlanError::Query {
                    at,
                    name: rule.name.clone(),
                    source: Box::new(source),
                })?;
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

    /// Sets when readers see a commit, from now on; see [`Visibility`]. What readers see already they never lose: if they see the newest commit,
    /// they see it until a later one is shown. Waits for other commits.
    ///
    /// While readers are behind, the store keeps what the shown commit sees, as a snapshot does; with a lag of `n` commits, as much as `n`
    /// snapshots do. A record may change under its reader's feet: [`if_unchanged`](crate::Collection::if_unchanged) with a commit that
    /// is not the newest is refused, as on a database with replicas.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::hook::testing::Visibility;
    ///
    /// #[derive(Clone, Record)]
    /// struct User { #[record(key)] id: u32 }
    ///
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// store.set_visibility(Visibility::lag(2))?;
    /// for id in 1..=5 {
    ///     users.insert(User { id })?;
    /// }
    /// assert_eq!((users.len(), store.newest_commit().get()), (3, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is poisoned.
    pub fn set_visibility(&self, visibility: Visibility) -> Result<(), Refusal> {
        self.engine.set_visibility(visibility).map_err(|cause| Refusal::new("set_visibility", "", cause))
    }

    /// When readers see a commit.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.engine.visibility()
    }

    /// Lets readers see the newest commit, whatever the [visibility](Self::set_visibility); later commits wait again. Snapshots that exist stay
    /// at their commit. Waits for no commit.
    pub fn refresh(&self) {
        self.engine.refresh();
    }

    /// Sets what the store refuses from now on, in all collections that have no setting of their own; see [`Strictness`]. Answers that are in
    /// the cache already stay there. Cursors of refused pages stay valid.
    pub fn set_strictness(&self, strictness: Strictness) {
        self.engine.testing.set_strictness(None, Some(strictness));
    }

    /// What the store refuses.
    #[must_use]
    pub fn strictness(&self) -> Strictness {
        self.engine.testing.of_store()
    }
}

/// Strictness of a collection that stands in for a table of a production database.
impl<R: Record> Collection<R> {
    /// Sets what this collection refuses from now on, instead of what [the store](Store::set_strictness) does; with `None` as the store again.
    /// The setting is that of the name: a collection that is opened again by it has the same.
    ///
    /// ```
    /// # use memdex::{Filter, Record, Store};
    /// use memdex::hook::testing::Strictness;
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(field)] age: u8 }
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// # users.store(User { id: 1, age: 40 })?;
    /// store.set_strictness(Strictness::new().refuse_scans());
    /// assert!(users.find(user::AGE.gt(30)).fetch().is_err());
    /// users.set_strictness(Some(Strictness::new())); // a small table, which may be scanned
    /// assert_eq!(users.find(user::AGE.gt(30)).fetch()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_strictness(&self, strictness: impl Into<Option<Strictness>>) {
        self.engine.testing.set_strictness(Some(&self.table.name), strictness.into());
    }

    /// What this collection refuses.
    #[must_use]
    pub fn strictness(&self) -> Strictness {
        self.engine.testing.of_collection(&self.table.name)
    }
}
