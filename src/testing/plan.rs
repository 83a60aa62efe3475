//! Fault plans as plain data: which operations fail, wait, or damage something, and when.

use memdex_query::error::Failure;
use memdex_query::query::Predicate;
use memdex_query::value::Value;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Faults to inject into a store: rules in their order, and the seed of their probabilities.
///
/// A plan is plain data. With the same plan, a single thread that repeats the same operations meets the same faults; with several threads
/// each rule still fires at the same numbers of its own count. [`Store::set_faults`](crate::Store::set_faults) sets a plan, and
/// [`Store::faults`](crate::Store::faults) lists what it has done.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::error::Failure;
/// use memdex::hook::testing::{FaultPlan, FaultRule, OperationKind};
///
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32 }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// let second = FaultRule::on(OperationKind::Commit).named("second").nth(2).fail(Failure::Serialization);
/// store.set_faults(FaultPlan::new(7).rule(second))?;
///
/// users.store(User { id: 1 })?;
/// let refused = users.store(User { id: 2 }).unwrap_err();
/// assert!(refused.refusal().is_injected() && users.get(2).is_none());
/// users.store(User { id: 2 })?; // the retry
/// let faults = store.faults();
/// assert_eq!((faults.len(), &*faults[0].rule, faults[0].number), (1, "second", 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultPlan {
    /// The seed of all probabilities.
    pub seed: u64,
    /// The rules. All that match an operation count it; the first one that fails it decides how.
    pub rules: Vec<FaultRule>,
}

/// When a rule fires, and what it does then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultRule {
    /// Names the rule in errors and in the list of faults.
    #[serde(default)]
    pub name: String,
    /// The operations that it counts.
    pub on: OperationKind,
    /// Only those on this collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Only those on the record of this key, given by its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<Value>>,
    /// Only those by this command: `store`, `insert`, `update`, `delete` …, as
    /// [`OperationInfo::operation`](crate::write::OperationInfo::operation) names them. For commits and their operations; for steps of the
    /// thread of a background writer, `commit` or `answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Only those whose record matches: of a commit, the record of one of its changes before or after it; of an operation in a commit, the
    /// record that it brings. Needs `collection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Predicate>,
    /// At which of the operations that it counts.
    #[serde(default)]
    pub when: When,
    /// No more often than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
    /// What happens.
    pub action: FaultAction,
}

/// Kinds of operations that a rule can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperationKind {
    /// A commit of a batch or of a command, before it waits for other commits. With a condition, at the end of its staging. Each submission
    /// to a background writer is a commit of its own while a plan is set. The removal of expired records does not count.
    Commit,
    /// An operation in a commit. If it fails, a strict commit is refused because of it, and a lenient one leaves it out, as a bulk API reports
    /// errors of single items.
    Write,
    /// A read by key: `get`, `get_with`, `contains`, and each key of `get_many`. Such a read has no error, so it can't fail: it waits.
    Get,
    /// A read by a unique value: `get_by`.
    Lookup,
    /// A query: `fetch`, `keys`, `count`, `exists`, `first`, `one`, `statistics`, and `iter` of a query; reads of materialized aggregates, and
    /// queries through the cache. A search counts once for each collection.
    Query,
    /// `iter` of a collection. It can't fail either.
    Scan,
    /// [`Store::snapshot`](crate::Store::snapshot). It can't fail either.
    Snapshot,
    /// The start of a subscription, or of a watch that is the first for its query.
    Subscribe,
    /// A read of a subscription's queue. Watches read through subscriptions.
    FeedRead,
    /// A submission to a background writer.
    Submit,
    /// A flush of a background writer.
    Flush,
    /// A step of the thread of a background writer: before it commits a submission, and before it answers one.
    Flusher,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [OperationKind; 12] = [
        OperationKind::Commit,
        OperationKind::Write,
        OperationKind::Get,
        OperationKind::Lookup,
        OperationKind::Query,
        OperationKind::Scan,
        OperationKind::Snapshot,
        OperationKind::Subscribe,
        OperationKind::FeedRead,
        OperationKind::Submit,
        OperationKind::Flush,
        OperationKind::Flusher,
    ];
}

/// At which of the operations that a rule counts it fires. The first one has the number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// At each.
    #[default]
    Always,
    /// At this one.
    Nth(u64),
    /// At each multiple of this number.
    Every(u64),
    /// At this one and all that follow.
    From(u64),
    /// At each with this probability, by the plan's seed, the rule's place in the plan and the number of the operation.
    Probability(f64),
}

/// What happens when a rule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultAction {
    /// The operation fails, and has no effect.
    Fail(Failure),
    /// The thread sleeps, then the operation fails with [`Failure::TimedOut`], and has no effect.
    TimeOut(Duration),
    /// The thread sleeps, then the operation continues.
    Delay(Duration),
    /// A conditional operation ([`if_unchanged`](crate::Collection::if_unchanged)) is refused with
    /// [`Cause::Stale`](crate::error::Cause::Stale), as if another writer had been faster. Others don't count.
    Stale,
    /// The store's clock jumps ahead.
    JumpForward(Duration),
    /// The clock jumps back. The store's time never runs backwards, so it stands still until the clock has caught up.
    JumpBack(Duration),
    /// The thread of the background writer panics.
    KillFlusher,
    /// The subscription loses the events in its queue, and reports them as [missed](crate::hook::FeedEvent::Missed).
    LoseEvents,
    /// The subscription ends, as if the connection to the subscriber were lost.
    EndSubscription,
}

impl FaultPlan {
    /// A plan without rules.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        FaultPlan { seed, rules: Vec::new() }
    }

    /// Adds a rule behind the others.
    #[must_use]
    pub fn rule(mut self, rule: FaultRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// A random plan: one to six rules that let commits, single operations, queries, look-ups, submissions and flushes fail or wait for up to
    /// a millisecond. The same seed makes the same plan, so a test needs to print the seed only.
    ///
    /// ```
    /// use memdex::hook::testing::FaultPlan;
    /// assert_eq!(FaultPlan::random(42), FaultPlan::random(42));
    /// assert_ne!(FaultPlan::random(42), FaultPlan::random(43));
    /// ```
    #[must_use]
    pub fn random(seed: u64) -> Self {
        const KINDS: [OperationKind; 6] = [
            OperationKind::Commit,
            OperationKind::Write,
            OperationKind::Query,
            OperationKind::Lookup,
            OperationKind::Submit,
            OperationKind::Flush,
        ];
        let mut draws = 0;
        let mut draw = |below: u64| {
            draws += 1;
            scramble(seed, 0, draws) % below
        };
        let mut plan = FaultPlan::new(seed);
        for number in 0..=draw(6) {
            let kind = KINDS[draw(KINDS.len() as u64) as usize];
            let rule = FaultRule::on(kind).named(format!("{number}"));
            let rule = match draw(4) {
                0 => rule.nth(draw(20) + 1),
                1 => rule.every(draw(9) + 2),
                2 => rule.from_nth(draw(20) + 1).at_most(draw(4) + 1),
                _ => rule.with_probability((draw(25) + 1) as f64 / 100.0),
            };
            plan = plan.rule(match draw(6) {
                0 => rule.delay(Duration::from_micros(draw(1_000))),
                1 => rule.time_out(Duration::from_micros(draw(1_000))),
                _ => rule.fail(Failure::ALL[draw(Failure::ALL.len() as u64) as usize]),
            });
        }
        plan
    }
}

impl fmt::Display for FaultPlan {
    /// The seed and the number of rules, for messages. The whole plan is its serde form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault plan with seed {} and {} rules", self.seed, self.rules.len())
    }
}

impl FaultRule {
    /// A rule that delays each operation of a kind by nothing, until you say more.
    #[must_use]
    pub fn on(kind: OperationKind) -> Self {
        FaultRule {
            name: String::new(),
            on: kind,
            collection: None,
            key: None,
            command: None,
            condition: None,
            when: When::Always,
            at_most: None,
            action: FaultAction::Delay(Duration::ZERO),
        }
    }

    /// Names the rule.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        FaultRule { name: name.into(), ..self }
    }

    /// Counts operations on this collection only.
    #[must_use]
    pub fn of(self, collection: impl Into<String>) -> Self {
        FaultRule { collection: Some(collection.into()), ..self }
    }

    /// Counts operations on the record of this key only.
    #[must_use]
    pub fn with_key(self, key: impl Into<Value>) -> Self {
        self.with_key_parts([key.into()])
    }

    /// Counts operations on the record of this compound key only.
    #[must_use]
    pub fn with_key_parts(self, parts: impl IntoIterator<Item = Value>) -> Self {
        FaultRule { key: Some(parts.into_iter().collect()), ..self }
    }

    /// Counts operations by this command only: `store`, `insert`, `update` …
    #[must_use]
    pub fn by(self, command: impl Into<String>) -> Self {
        FaultRule { command: Some(command.into()), ..self }
    }

    /// Counts operations only whose record matches; see [`condition`](Self::condition).
    #[must_use]
    pub fn matching(self, condition: impl Into<Predicate>) -> Self {
        FaultRule { condition: Some(condition.into()), ..self }
    }

    /// Fires at the n-th operation that it counts, from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        FaultRule { when: When::Nth(n), ..self }
    }

    /// Fires at each n-th operation that it counts.
    #[must_use]
    pub fn every(self, n: u64) -> Self {
        FaultRule { when: When::Every(n), ..self }
    }

    /// Fires at the n-th operation that it counts, and at all that follow.
    #[must_use]
    pub fn from_nth(self, n: u64) -> Self {
        FaultRule { when: When::From(n), ..self }
    }

    /// Fires at each operation that it counts with this probability, from 0 to 1.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> Self {
        FaultRule { when: When::Probability(probability), ..self }
    }

    /// Fires no more often than this.
    #[must_use]
    pub fn at_most(self, times: u64) -> Self {
        FaultRule { at_most: Some(times), ..self }
    }

    /// Sets the action.
    #[must_use]
    pub fn then(self, action: FaultAction) -> Self {
        FaultRule { action, ..self }
    }

    /// Lets the operation fail.
    #[must_use]
    pub fn fail(self, failure: Failure) -> Self {
        self.then(FaultAction::Fail(failure))
    }

    /// Lets the operation fail after a time.
    #[must_use]
    pub fn time_out(self, after: Duration) -> Self {
        self.then(FaultAction::TimeOut(after))
    }

    /// Lets the operation wait for a time.
    #[must_use]
    pub fn delay(self, time: Duration) -> Self {
        self.then(FaultAction::Delay(time))
    }
}

/// Mixes three numbers to one that looks random (the finalizer of SplitMix64).
pub(super) fn scramble(seed: u64, rule: u64, number: u64) -> u64 {
    let mut mixed = seed ^ rule.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03);
    for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(factor);
    }
    mixed ^ (mixed >> 31)
}
