//! What makes no sense in a fault plan.

use super::plan::{FaultAction, FaultPlan, FaultRule, OperationKind, When};
use memdex_query::error::QueryError;

impl FaultPlan {
    /// Checks the rules.
    ///
    /// # Errors
    /// The first [`FaultPlanError`]. [`Store::set_faults`](crate::Store::set_faults) returns it too.
    pub fn check(&self) -> Result<(), FaultPlanError> {
        self.rules.iter().enumerate().try_for_each(|(at, rule)| rule.check().map_err(|why| why.of(at, rule)))
    }
}

impl FaultRule {
    fn check(&self) -> Result<(), Fault> {
        use FaultAction::{
            Delay, EndSubscription, Fail, JumpBack, JumpForward, KillFlusher, LoseEvents, Stale, TimeOut,
        };
        use OperationKind::{Commit, FeedRead, Flusher, Get, Scan, Snapshot, Write};
        let fits = match self.action {
            Fail(_) | TimeOut(_) => !matches!(self.on, Get | Scan | Snapshot | FeedRead | Flusher),
            Delay(_) | JumpForward(_) | JumpBack(_) => true,
            Stale => self.on == Write,
            KillFlusher => self.on == Flusher,
            LoseEvents | EndSubscription => self.on == FeedRead,
        };
        if !fits {
            return Err(Fault::Action);
        }
        match self.when {
            When::Nth(0) | When::Every(0) | When::From(0) => return Err(Fault::Number),
            When::Probability(p) if !(0.0..=1.0).contains(&p) => return Err(Fault::Probability),
            _ => {}
        }
        let of_writes = matches!(self.on, Commit | Write);
        if self.condition.is_some() && !(of_writes && self.collection.is_some()) {
            return Err(Fault::Condition);
        }
        if self.condition.is_some() && self.on == Commit && (self.key.is_some() || self.command.is_some()) {
            return Err(Fault::ConditionAndKey);
        }
        let has_commands = of_writes || self.on == Flusher;
        if self.command.is_some() && !has_commands { Err(Fault::Command) } else { Ok(()) }
    }
}

/// What is wrong with a rule.
enum Fault {
    Action,
    Number,
    Probability,
    Condition,
    ConditionAndKey,
    Command,
}

impl Fault {
    fn of(self, at: usize, rule: &FaultRule) -> FaultPlanError {
        let (name, kind) = (rule.name.clone(), rule.on);
        match self {
            Fault::Action => FaultPlanError::Action { at, name, kind, action: rule.action },
            Fault::Number => FaultPlanError::Number { at, name },
            Fault::Probability => FaultPlanError::Probability { at, name },
            Fault::Condition => FaultPlanError::Condition { at, name },
            Fault::ConditionAndKey => FaultPlanError::ConditionAndKey { at, name },
            Fault::Command => FaultPlanError::Command { at, name, kind },
        }
    }
}

/// Why a fault plan is refused. The plan before it stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultPlanError {
    /// Operations of this kind can't have this action. Reads by key have no error, for example, so they can't fail.
    #[error(
        "rule {at} ({name:?}) of the fault plan: {action:?} can't happen to {kind:?}; use a delay, or another kind of operation"
    )]
    #[non_exhaustive]
    Action {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
        /// The kind of operation.
        kind: OperationKind,
        /// The action.
        action: FaultAction,
    },
    /// The number of an operation is 0.
    #[error("rule {at} ({name:?}) of the fault plan fires at operation 0: count from 1")]
    #[non_exhaustive]
    Number {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
    },
    /// A probability that is not between 0 and 1.
    #[error("rule {at} ({name:?}) of the fault plan has a probability outside of 0 to 1")]
    #[non_exhaustive]
    Probability {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
    },
    /// A condition needs commits or their operations, and a collection.
    #[error(
        "rule {at} ({name:?}) of the fault plan has a condition: use it with Commit or Write, and name the collection"
    )]
    #[non_exhaustive]
    Condition {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
    },
    /// A rule on commits has a condition, which is evaluated on net changes, and a key or a command, which are those of operations.
    #[error(
        "rule {at} ({name:?}) of the fault plan has a condition on commits and a key or a command: put the key into the condition, or use Write"
    )]
    #[non_exhaustive]
    ConditionAndKey {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
    },
    /// Only commits and their operations have commands.
    #[error(
        "rule {at} ({name:?}) of the fault plan names a command, which {kind:?} does not have: use Commit or Write"
    )]
    #[non_exhaustive]
    Command {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
        /// The kind of operation.
        kind: OperationKind,
    },
    /// A condition does not fit the schema of its collection.
    #[error("rule {at} ({name:?}) of the fault plan: {source}")]
    #[non_exhaustive]
    Query {
        /// The place of the rule.
        at: usize,
        /// The name of the rule.
        name: String,
        /// The fault of the condition.
        source: Box<QueryError>,
    },
}
