//! The faults of a store: the plan with its counts, and the list of what has fired.

use super::plan::{FaultAction, FaultPlan, FaultRule, OperationKind, When, scramble};
use crate::clock::Jumps;
use crate::limits::MAX_LISTED_FAULTS;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering::SeqCst, RwLock, StatsCounter, thread};
use memdex_query::error::Failure;
use memdex_query::value::Key;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::Duration;

/// A fault that has fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// The name of the rule.
    pub rule: String,
    /// The place of the rule in its plan.
    pub at: usize,
    /// The kind of the operation.
    pub kind: OperationKind,
    /// The number of the operation among those that the rule counts, from 1.
    pub number: u64,
    /// The collection of the operation; empty if it has none. Of a batch, that of the first operation that the rule matches.
    pub collection: String,
    /// The key of the operation, if it has one.
    pub key: Option<Key>,
    /// What happened.
    pub action: FaultAction,
}

/// What an operation is about. A batch has several.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) collection: &'a str,
    pub(crate) key: Option<&'a Key>,
    pub(crate) command: &'a str,
}

/// How an operation ends that a rule has stopped.
pub(crate) enum Stop {
    Fails { rule: String, failure: Failure },
    Stale,
    KillFlusher { rule: String },
    LoseEvents,
    EndSubscription,
}

/// The plan, and how often its rules have matched and fired.
#[derive(Default)]
struct Active {
    plan: FaultPlan,
    counts: Vec<Count>,
    /// Held to count an operation for all rules that it matches: so each has the same numbers whichever thread is first.
    counting: Mutex<()>,
}

#[derive(Default)]
struct Count {
    matched: StatsCounter,
    fired: StatsCounter,
}

impl Active {
    fn new(plan: FaultPlan) -> Self {
        Active { counts: plan.rules.iter().map(|_| Count::default()).collect(), plan, counting: Mutex::new(()) }
    }

    /// Counts an operation that the rule at a place matches. Returns its number.
    fn count(&self, at: usize) -> u64 {
        self.counts[at].matched.fetch_add(1, SeqCst) + 1
    }

    /// Whether the rule at a place fires at the operation with this number.
    fn fires(&self, at: usize, number: u64) -> bool {
        let rule = &self.plan.rules[at];
        let fires = match rule.when {
            When::Always => true,
            When::Nth(n) => number == n,
            When::Every(n) => number.is_multiple_of(n),
            When::From(n) => number >= n,
            When::Probability(p) => {
                // 53 bits, as many as a float has.
                let drawn = (scramble(self.plan.seed, at as u64 + 1, number) >> 11) as f64 / (1_u64 << 53) as f64;
                drawn < p
            }
        };
        let most = rule.at_most.unwrap_or(u64::MAX);
        let may = |fired: u64| (fired < most).then(|| fired + 1);
        fires && self.counts[at].fired.fetch_update(SeqCst, SeqCst, may).is_ok()
    }
}

/// See the head of this file.
pub(crate) struct Faults {
    /// A bit for each kind of operation that the plan has rules for.
    armed: AtomicU64,
    /// The same for all plans so far.
    ever_armed: AtomicU64,
    /// Whether the hook is registered that looks at conditions of commits.
    has_hook: AtomicBool,
    active: RwLock<Arc<Active>>,
    list: Mutex<VecDeque<Fault>>,
    jumps: Jumps,
}

impl Faults {
    pub(super) fn new(jumps: Jumps) -> Self {
        Faults {
            armed: AtomicU64::new(0),
            ever_armed: AtomicU64::new(0),
            has_hook: AtomicBool::new(false),
            active: RwLock::default(),
            list: Mutex::default(),
            jumps,
        }
    }

    /// Sets another plan, whose rules count from the start, and empties the list. Returns the plan before.
    pub(crate) fn set(&self, plan: FaultPlan) -> FaultPlan {
        let armed = plan.rules.iter().fold(0, |armed, rule| armed | bit(rule.on));
        let mut active = self.active.write();
        self.list.lock().clear();
        let before = std::mem::replace(&mut *active, Arc::new(Active::new(plan)));
        self.ever_armed.fetch_or(armed, SeqCst);
        self.armed.store(armed, SeqCst);
        drop(active);
        before.plan.clone()
    }

    pub(crate) fn fired(&self) -> Vec<Fault> {
        self.list.lock().iter().cloned().collect()
    }

    pub(crate) fn jump(&self, micros: i64) {
        self.jumps.jump(micros);
    }

    /// Whether the plan has rules for operations of a kind.
    #[inline]
    pub(crate) fn has(&self, kind: OperationKind) -> bool {
        self.armed.load(SeqCst) & bit(kind) != 0
    }

    /// Whether this plan or one before it has had such rules.
    pub(crate) fn has_had(&self, kind: OperationKind) -> bool {
        self.ever_armed.load(SeqCst) & bit(kind) != 0
    }

    /// Whether nobody has called this before.
    pub(crate) fn needs_hook(&self) -> bool {
        !self.has_hook.swap(true, SeqCst)
    }

    /// Lets the rules act that match an operation: all of them count it, and those that fire wait, move the clock, or stop it. The first
    /// one that stops it decides how. `matches` decides about conditions, and about whatever else a caller distinguishes.
    pub(crate) fn meet<E>(
        &self,
        kind: OperationKind,
        targets: &[Target<'_>],
        matches: impl Fn(&FaultRule) -> Result<bool, E>,
    ) -> Result<Option<Stop>, E> {
        if !self.has(kind) {
            return Ok(None);
        }
        let active = self.active.read().clone();
        let mut matched: SmallVec<[_; 4]> = SmallVec::new();
        for (at, rule) in active.plan.rules.iter().enumerate().filter(|(_, rule)| rule.on == kind) {
            let Some(target) = targets.iter().find(|target| is_of(rule, target)) else { continue };
            if matches(rule)? {
                matched.push((at, rule, target, 0));
            }
        }
        let counting = active.counting.lock();
        matched.iter_mut().for_each(|(at, .., number)| *number = active.count(*at));
        drop(counting);
        let mut stop = None;
        for (at, rule, target, number) in matched {
            if stop.is_some() || !active.fires(at, number) {
                continue;
            }
            self.list(Fault {
                rule: rule.name.clone(),
                at,
                kind,
                number,
                collection: target.collection.to_owned(),
                key: target.key.cloned(),
                action: rule.action,
            });
            stop = self.act(rule);
        }
        Ok(stop)
    }

    fn list(&self, fault: Fault) {
        let mut list = self.list.lock();
        let oldest = if list.len() >= MAX_LISTED_FAULTS { list.pop_front() } else { None };
        list.push_back(fault);
        drop(list);
        drop(oldest);
    }

    fn act(&self, rule: &FaultRule) -> Option<Stop> {
        let name = || rule.name.clone();
        match rule.action {
            FaultAction::Fail(failure) => return Some(Stop::Fails { rule: name(), failure }),
            FaultAction::TimeOut(after) => {
                sleep(after);
                return Some(Stop::Fails { rule: name(), failure: Failure::TimedOut });
            }
            FaultAction::Stale => return Some(Stop::Stale),
            FaultAction::KillFlusher => return Some(Stop::KillFlusher { rule: name() }),
            FaultAction::LoseEvents => return Some(Stop::LoseEvents),
            FaultAction::EndSubscription => return Some(Stop::EndSubscription),
            FaultAction::Delay(time) => sleep(time),
            FaultAction::JumpForward(by) => self.jump(micros(by)),
            FaultAction::JumpBack(by) => self.jump(-micros(by)),
        }
        None
    }
}

fn bit(kind: OperationKind) -> u64 {
    1 << kind as u32
}

/// Whether a rule counts operations on this.
fn is_of(rule: &FaultRule, target: &Target<'_>) -> bool {
    let FaultRule { collection, key, command, .. } = rule;
    collection.as_ref().is_none_or(|name| *name == target.collection)
        && command.as_ref().is_none_or(|name| *name == target.command)
        && key.as_ref().is_none_or(|parts| target.key.is_some_and(|key| key.parts() == *parts))
}

/// A duration in microseconds, at most the longest there is.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn sleep(time: Duration) {
    if !time.is_zero() {
        thread::sleep(time);
    }
}
