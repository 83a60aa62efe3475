//! Faults of a store that need no record type: the operations of an engine, and commits whose changes match a condition.

use super::changes::ProposedCommit;
use super::engine::Engine;
use super::hooks::{CommitHook, Registration};
use super::injected::Injected;
use crate::error::{Cause, Refusal};
use crate::record::Condition;
use crate::sync::{Arc, Weak};
use crate::testing::{FaultPlan, FaultRule, OperationKind, Stop, Target};
use std::error::Error;

impl Engine {
    /// Lets the fault plan act on an operation on these collections, none of them for the store itself.
    pub(crate) fn meet(
        &self,
        kind: OperationKind,
        operation: &'static str,
        collections: &[&str],
    ) -> Result<(), Refusal> {
        let faults = &self.testing.faults;
        if !faults.has(kind) {
            return Ok(());
        }
        let none = [""];
        let collections = if collections.is_empty() { &none } else { collections };
        let targets: Vec<_> =
            collections.iter().map(|collection| Target { collection, key: None, command: operation }).collect();
        match faults.meet(kind, &targets, |_| Ok::<_, Refusal>(true))? {
            Some(Stop::Fails { rule, failure }) => {
                Err(Refusal::new(operation, collections[0], Cause::Injected { rule, failure }))
            }
            _ => Ok(()),
        }
    }

    /// Sets a plan, whose rules have been checked. Returns the one before.
    pub(crate) fn set_faults(self: &Arc<Self>, plan: FaultPlan) -> FaultPlan {
        use OperationKind::{Commit, Get, Lookup, Query, Scan};
        let of_reads = plan.rules.iter().any(|rule| matches!(rule.on, Get | Lookup | Query | Scan));
        let by_condition = plan.rules.iter().any(|rule| rule.on == Commit && rule.condition.is_some());
        if by_condition && self.testing.faults.needs_hook() {
            let hook = Registration::of_hook(Arc::new(ByCondition { engine: Arc::downgrade(self) }));
            // It only prepares commits, so it may begin with any of them.
            self.hooks.add(hook, self.timeline.newest());
        }
        let before = self.testing.faults.set(plan);
        self.reads.arm(of_reads);
        before
    }
}

/// Lets rules act on commits whose changes match a condition.
struct ByCondition {
    engine: Weak<Engine>,
}

impl CommitHook for ByCondition {
    fn prepare(&self, commit: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Some(engine) = self.engine.upgrade() else { return Ok(()) };
        let names: Vec<&str> = commit.collections().map(|(name, _)| name).collect();
        let targets: Vec<Target<'_>> =
            names.iter().map(|collection| Target { collection, key: None, command: "" }).collect();
        let matches = |rule: &FaultRule| -> Result<bool, Box<dyn Error + Send + Sync>> {
            let (Some(predicate), Some(name)) = (&rule.condition, &rule.collection) else { return Ok(false) };
            let Some(table) = engine.table(name) else { return Ok(false) };
            let condition = Condition::new(name, &table.schema, predicate)?;
            Ok(commit.any_matches(name, &condition))
        };
        match engine.testing.faults.meet(OperationKind::Commit, &targets, matches)? {
            Some(Stop::Fails { rule, failure }) => Err(Box::new(Injected { rule, failure })),
            _ => Ok(()),
        }
    }
}
