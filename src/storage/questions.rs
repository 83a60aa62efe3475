//! The questions on a collection whose cached answers commits keep exact.
//!
//! A commit looks for the questions that its changes concern while it stages: user code runs then, and what comes of it are plain values,
//! an [`Effect`] for each answer. Before the publish, the effects bring the answers to the new state; no user code runs there. So:
//!
//! * A question is registered before the first part of its answer is read. One that is registered after the look is not found by it: it is
//!   outdated before the publish, without being looked at.
//! * One that is registered after that finds in `accounted` that the commit is done with questions, and takes no answer of an earlier one.
//! * A look forbids the answers of earlier commits ([`Question::look`]), so that none is filled in between the look and the effect.
//!
//! Questions that can't be filed are not looked at by commits. A short log has the changes, and the reader that asks such a question goes
//! through those since its answer.

use super::any_version::SharedVersion;
use super::change::Change;
use super::counters::Counters;
use super::filings::{Filed, FiledValues, Filings, List};
use super::garbage::Garbage;
use super::version::At;
use crate::error::Commit;
use crate::hash::RandomState;
use crate::limits::{LOGGED_CHANGES, MAX_AUDITED_EVALUATIONS};
use crate::record::FieldSource;
use crate::rowset::Row;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering::SeqCst};
use crate::user_code;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A question whose answer is cached.
pub(crate) trait Question: Filed {
    /// Forbids answers of commits before `commit`, and returns what the change of a row means for the answer; `None` if nothing. Runs user
    /// code.
    fn look(self: Arc<Self>, commit: Commit, change: &Look<'_>) -> Option<Effect>;

    /// The effect of a change that could not be looked at.
    fn outdate(self: Arc<Self>) -> Effect;

    /// Compares the answer with these records, which are all that a reader at `at` finds. `None` if it need not hold there, `Some(None)` if
    /// it agrees; otherwise the difference. Runs user code.
    fn audit(&self, at: At, records: &[SharedVersion]) -> Option<Option<String>>;
}

/// A change of a record, to be looked at.
pub(crate) struct Look<'a> {
    pub(crate) row: Row,
    pub(crate) before: Option<&'a dyn FieldSource>,
    pub(crate) after: Option<&'a SharedVersion>,
}

/// Brings an answer to the state of a commit. Runs no user code: what leaves the answer goes to the garbage.
pub(crate) type Effect = Box<dyn FnOnce(Commit, &mut Garbage) + Send>;

/// A change in the log.
#[derive(Clone)]
pub(crate) struct Logged {
    pub(crate) commit: Commit,
    pub(crate) row: Row,
    pub(crate) before: Option<SharedVersion>,
    pub(crate) after: Option<SharedVersion>,
}

/// The registered questions on a collection.
pub(crate) struct Questions {
    registry: Mutex<Registry>,
    registered: AtomicU64,
    /// The newest commit that is done with the questions.
    accounted: AtomicU64,
    counters: Arc<Counters>,
}

struct Registry {
    filings: Filings<dyn Question>,
    /// Those that the commit in flight has not looked for.
    young: BTreeMap<(u64, usize), Arc<dyn Question>>,
    /// The number of questions that can't be filed.
    unfiled: usize,
    /// The changes since `logged_since`, if there are such questions.
    log: VecDeque<Logged>,
    logged_since: Commit,
}

/// The effects of a commit on the answers of one collection.
pub(crate) type Effects = Vec<Effect>;

impl Questions {
    pub(super) fn new(seed: RandomState, counters: Arc<Counters>) -> Self {
        let registry = Registry {
            filings: Filings::new(seed),
            young: BTreeMap::new(),
            unfiled: 0,
            log: VecDeque::new(),
            logged_since: Commit::default(),
        };
        let (registered, accounted) = (AtomicU64::new(0), AtomicU64::new(0));
        Questions { registry: Mutex::new(registry), registered, accounted, counters }
    }

    /// The number of registered questions.
    pub(crate) fn len(&self) -> usize {
        self.registered.load(SeqCst) as usize
    }

    /// Registers a question. It may take no answer of a commit before the returned one.
    pub(crate) fn register(&self, question: &Arc<dyn Question>) -> Commit {
        let mut registry = self.registry.lock();
        registry.filings.add(question);
        registry.young.insert(question.id(), question.clone());
        // The committer stores `accounted` before it loads the count: it finds this question, or this finds its commit.
        self.registered.fetch_add(1, SeqCst);
        let accounted = Commit::from_number(self.accounted.load(SeqCst));
        if question.filings().is_none() {
            registry.unfiled += 1;
            if registry.unfiled == 1 {
                registry.logged_since = accounted;
            }
        }
        accounted
    }

    /// Removes a registered question.
    pub(crate) fn unregister(&self, question: &(dyn Question + 'static)) {
        let mut registry = self.registry.lock();
        registry.filings.remove(question);
        self.registered.fetch_sub(1, SeqCst);
        let young = registry.young.remove(&question.id());
        let mut log = VecDeque::new();
        if question.filings().is_none() {
            registry.unfiled -= 1;
            if registry.unfiled == 0 {
                log = std::mem::take(&mut registry.log);
            }
        }
        drop(registry);
        self.counters.drop_each(log);
        drop(young);
    }

    /// The changes after one commit up to another, if the log has all of them.
    pub(crate) fn changes(&self, after: Commit, up_to: Commit) -> Option<Vec<Logged>> {
        let registry = self.registry.lock();
        if registry.logged_since > after {
            return None;
        }
        let from = registry.log.partition_point(|logged| logged.commit <= after);
        let to = registry.log.partition_point(|logged| logged.commit <= up_to);
        Some(registry.log.range(from..to).cloned().collect())
    }

    /// The findings of [`Question::audit`] for all questions, or for as many as the limit allows. Under the commit lock.
    pub(super) fn audit(&self, at: At, records: &[SharedVersion]) -> Vec<Option<String>> {
        let all: Vec<Arc<dyn Question>> = self.registry.lock().filings.all().cloned().collect();
        let most = (MAX_AUDITED_EVALUATIONS / records.len().max(1)).max(1);
        let audited = all.iter().take(most).map(|question| {
            let found = user_code::run(|| question.audit(at, records));
            found.unwrap_or_else(|message| Some(Some(format!("a cached question can't be audited: {message}"))))
        });
        audited.flatten().collect()
    }

    // ---- the steps of a commit, under the commit lock ---------------------------------------------------------------

    /// Looks for the questions that changes concern. Runs user code. After the last refusal, before the mark.
    pub(super) fn look(&self, commit: Commit, changes: &[Change]) -> Effects {
        if self.len() == 0 {
            return Effects::new();
        }
        let mut registry = self.registry.lock();
        let young = std::mem::take(&mut registry.young);
        let fields = registry.filings.fields();
        drop(registry);
        drop(young);
        let mut effects = Effects::new();
        for (number, some) in changes.chunks(CHANGES_PER_LOCK).enumerate() {
            let first = number * CHANGES_PER_LOCK;
            // Read the fields, under no lock.
            let mut values = FiledValues::new(&fields);
            let mut unread = Vec::new();
            for (place, change) in (first..).zip(some) {
                for image in images(change).into_iter().flatten() {
                    if values.read(place, image).is_err() {
                        unread.push(place);
                    }
                }
            }
            // Look the values up.
            let mut candidates: Vec<(usize, List<dyn Question>)> = Vec::new();
            let registry = self.registry.lock();
            values.look_up(&registry.filings, |place, list| candidates.push((place, list)));
            // Any question may be concerned by what could not be read.
            let all = || Arc::new(registry.filings.filed().cloned().collect::<Vec<_>>());
            candidates.extend(unread.into_iter().map(|place| (place, all())));
            drop(registry);
            // Look at each change with each question that it may concern, once.
            let mut seen = BTreeSet::new();
            for (place, question) in candidates.iter().flat_map(|(place, list)| list.iter().map(|of| (*place, of))) {
                if candidates.len() == 1 || seen.insert((place, question.id())) {
                    let change = &changes[place];
                    let after = (!change.new.is_tombstone()).then(|| change.new.clone());
                    let [before, _] = images(change);
                    let look = Look { row: change.row, before, after: after.as_ref() };
                    effects.extend(looked_at(question, commit, &look));
                }
            }
        }
        effects
    }

    /// Brings the answers to the state of a commit. After the last change of it, before the publish. Runs no user code.
    pub(super) fn account(&self, commit: Commit, effects: Effects, changes: &[Change], garbage: &mut Garbage) {
        effects.into_iter().for_each(|effect| effect(commit, garbage));
        self.accounted.store(commit.get(), SeqCst);
        if self.len() == 0 {
            return;
        }
        let mut registry = self.registry.lock();
        let young = std::mem::take(&mut registry.young);
        if registry.unfiled > 0 {
            let dropped = registry.log_changes(commit, changes);
            garbage.add(dropped);
        }
        drop(registry);
        // Those that can't be filed go through the log.
        for question in young.into_values().filter(|question| question.filings().is_some()) {
            question.outdate()(commit, garbage);
        }
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.counters.drop_each(std::mem::take(&mut self.registry.lock().log));
    }
}

/// Changes whose candidates are looked up under one lock.
const CHANGES_PER_LOCK: usize = 64;

/// The effect of a change on the answer of a question; that of an unknown change if user code panics.
fn looked_at(question: &Arc<dyn Question>, commit: Commit, look: &Look<'_>) -> Option<Effect> {
    let looked = user_code::run(|| question.clone().look(commit, look));
    looked.unwrap_or_else(|_| Some(question.clone().outdate()))
}

fn images(change: &Change) -> [Option<&dyn FieldSource>; 2] {
    [change.before().and_then(|before| before.record()), change.new.record()]
}

impl Registry {
    /// Adds changes to the log. Returns those that it has no room for any longer.
    fn log_changes(&mut self, commit: Commit, changes: &[Change]) -> Vec<Logged> {
        let logged = |change: &Change| Logged {
            commit,
            row: change.row,
            before: change.before().cloned().filter(|old| !old.is_tombstone()),
            after: Some(change.new.clone()).filter(|new| !new.is_tombstone()),
        };
        let mut dropped = Vec::new();
        if changes.len() > LOGGED_CHANGES {
            self.logged_since = commit;
            dropped.extend(self.log.drain(..));
            return dropped;
        }
        self.log.extend(changes.iter().map(logged));
        while self.log.len() > LOGGED_CHANGES
            && let Some(oldest) = self.log.pop_front()
        {
            self.logged_since = oldest.commit;
            dropped.push(oldest);
        }
        // Only whole commits.
        while let Some(oldest) = self.log.pop_front_if(|oldest| oldest.commit <= self.logged_since) {
            dropped.push(oldest);
        }
        dropped
    }
}
