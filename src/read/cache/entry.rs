//! An entry of the cache: a question with its answer, which commits keep exact.
//!
//! The answer holds for a rectangle: for commits from `from` on, since each later one that concerns it changes it before it is published; and
//! for times from `since` up to, and not including, `before`, when the next of its records expires.

use super::kept::{Item, Kept, Placed, Shape, Taken};
use super::settings::{ClassCounters, add};
use crate::clock::Timestamp;
use crate::error::{Commit, QueryError};
use crate::limits::MAX_CACHED_RECORDS;
use crate::record::{Condition, FieldSource};
use crate::rowset::{Row, RowSet};
use crate::storage::{At, Counters, Effect, Filed, Filing, Garbage, Logged, Look, Question, Questions, SharedVersion};
use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering::SeqCst, Weak};
use crate::user_code;
use std::any::Any;
use std::time::{Duration, Instant};

/// An answer of any type.
pub(super) type AnyAnswer = Arc<dyn Any + Send + Sync>;

pub(super) struct Entry {
    pub(super) id: u64,
    /// Those of its collection; dangling if commits need not keep it exact.
    pub(super) questions: Weak<Questions>,
    pub(super) counters: Arc<Counters>,
    pub(super) condition: Condition,
    pub(super) filings: Option<Vec<Filing>>,
    pub(super) shape: Shape,
    pub(super) figures: Arc<ClassCounters>,
    pub(super) lifetime: Duration,
    /// Whether it takes much more room than the cache knows.
    has_grown: AtomicBool,
    state: Mutex<State>,
    computed: Condvar,
}

struct State {
    /// No answer of an earlier commit may be filled in.
    needs: Commit,
    computing: bool,
    filled: Option<Filled>,
    /// An answer that a commit has dropped, to be compared with the next one.
    dropped: Option<AnyAnswer>,
    drops: u64,
    hits: u64,
    retired: bool,
}

pub(super) struct Filled {
    pub(super) kept: Kept,
    /// `None` after a change, until somebody asks.
    pub(super) answer: Option<AnyAnswer>,
    /// The commit that it was computed at, or that changed it last.
    pub(super) from: Commit,
    /// The commit up to which changes are taken in. Only of a question that can't be filed.
    pub(super) seen: Commit,
    pub(super) since: Timestamp,
    pub(super) before: Timestamp,
    /// When it was computed.
    pub(super) made: Timestamp,
    /// The records that it had then.
    pub(super) records: usize,
    /// The memory of the answer.
    pub(super) answer_bytes: usize,
}

/// An answer of the cache.
pub(super) struct Found {
    pub(super) answer: AnyAnswer,
    pub(super) from: Commit,
}

/// What has left an entry, to be dropped under no lock.
#[derive(Default)]
pub(super) struct Released {
    versions: Vec<SharedVersion>,
    answers: Vec<AnyAnswer>,
}

impl Released {
    fn filled(&mut self, filled: Filled) {
        filled.kept.release(&mut self.versions);
        self.answers.extend(filled.answer);
    }

    fn into_garbage(self, garbage: &mut Garbage) {
        garbage.add(self.versions);
        garbage.add(self.answers);
    }

    #[inline]
    fn drop_by(self, counters: &Counters) {
        if self.versions.is_empty() && self.answers.is_empty() {
            return;
        }
        counters.drop_each(self.versions);
        counters.drop_each(self.answers);
    }
}

/// Makes an answer of what an entry keeps.
pub(super) type Finish<'a> = &'a dyn Fn(&Shape, &Kept, Commit) -> Result<AnyAnswer, QueryError>;

/// Its holder computes the answer; others may wait for that.
pub(super) struct Computing<'a>(&'a Entry);

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.state.lock().computing = false;
        self.0.computed.notify_all();
    }
}

/// One reader waits for the computation of another so long at most.
const PATIENCE: Duration = Duration::from_millis(1);

/// An answer may grow to so many records, or to eight times as many as it had when it was computed, before it is dropped.
const FEW_RECORDS: usize = 4_096;

/// A quarter of the drops is compared with the next answer.
const SAMPLE: u64 = 4;

impl Entry {
    #[allow(clippy::too_many_arguments, reason = "each is a part of an entry")]
    pub(super) fn new(
        id: u64,
        questions: Weak<Questions>,
        counters: Arc<Counters>,
        condition: Condition,
        filings: Option<Vec<Filing>>,
        shape: Shape,
        (figures, lifetime): (Arc<ClassCounters>, Duration),
    ) -> Self {
        let state = State {
            needs: Commit::default(),
            computing: false,
            filled: None,
            dropped: None,
            drops: 0,
            hits: 0,
            retired: false,
        };
        let (state, computed) = (Mutex::new(state), Condvar::default());
        let has_grown = AtomicBool::new(false);
        Entry { id, questions, counters, condition, filings, shape, figures, lifetime, has_grown, state, computed }
    }

    /// Has commits keep it exact from here on.
    pub(super) fn register(self: &Arc<Self>) {
        if let Some(questions) = self.questions.upgrade() {
            let accounted = questions.register(&(self.clone() as Arc<dyn Question>));
            let mut state = self.state.lock();
            state.needs = state.needs.max(accounted);
        }
    }

    /// Commits forget it, and it takes no answer any longer.
    pub(super) fn retire(&self) {
        if let Some(questions) = self.questions.upgrade() {
            questions.unregister(self);
        }
        let mut released = Released::default();
        let mut state = self.state.lock();
        state.retired = true;
        let hits = std::mem::take(&mut state.hits);
        state.filled.take().into_iter().for_each(|filled| released.filled(filled));
        released.answers.extend(state.dropped.take());
        drop(state);
        add(&self.figures.hits, hits);
        released.drop_by(&self.counters);
    }

    // ---- reading ----------------------------------------------------------------------------------------------------

    /// The answer at a commit and a time, if it holds there. `age` allows it to be so old instead.
    pub(super) fn find(&self, at: At, age: Option<Duration>, finish: Finish<'_>) -> Result<Option<Found>, QueryError> {
        let mut released = Released::default();
        let mut state = self.state.lock();
        let found = self.find_in(&mut state, at, age, finish, &mut released);
        drop(state);
        released.drop_by(&self.counters);
        found
    }

    fn find_in(
        &self,
        state: &mut State,
        At { epoch, time }: At,
        age: Option<Duration>,
        finish: Finish<'_>,
        released: &mut Released,
    ) -> Result<Option<Found>, QueryError> {
        let Some(filled) = &mut state.filled else { return Ok(None) };
        if time >= filled.made + self.lifetime {
            state.filled.take().into_iter().for_each(|filled| released.filled(filled));
            add(&self.figures.expirations, 1);
            return Ok(None);
        }
        if let Some(age) = age {
            if time >= filled.made + age {
                return Ok(None);
            }
        } else {
            let is_behind = self.filings.is_none() && filled.seen < epoch;
            if epoch < filled.from || time < filled.since || is_behind {
                return Ok(None);
            }
            if time >= filled.before && !self.expire(filled, time, released) {
                state.filled.take().into_iter().for_each(|filled| released.filled(filled));
                add(&self.figures.expirations, 1);
                return Ok(None);
            }
        }
        let answer = match &filled.answer {
            Some(answer) => answer.clone(),
            None => {
                let answer = finish(&self.shape, &filled.kept, filled.from)?;
                filled.answer = Some(answer.clone());
                answer
            }
        };
        state.hits += 1;
        Ok(Some(Found { answer, from: filled.from }))
    }

    /// Takes the records out that have expired by now.
    fn expire(&self, filled: &mut Filled, time: Timestamp, released: &mut Released) -> bool {
        let before = released.versions.len();
        if !filled.kept.expire(&self.shape, time, &mut released.versions) {
            return false;
        }
        if released.versions.len() > before {
            filled.since = time;
            released.answers.extend(filled.answer.take());
        }
        filled.before = filled.kept.next_deadline().unwrap_or(Timestamp::MAX);
        true
    }

    /// Takes in what commits have changed since the answer, if the question can't be filed.
    pub(super) fn catch_up(&self, epoch: Commit) {
        let Some(questions) = self.questions.upgrade().filter(|_| self.filings.is_none()) else { return };
        let Some(seen) = self.state.lock().filled.as_ref().map(|filled| filled.seen).filter(|seen| *seen < epoch)
        else {
            return;
        };
        let changes = questions.changes(seen, epoch);
        let mut released = Released::default();
        let examined: Option<Vec<_>> = changes.map(|changes| {
            let examined =
                changes.iter().map(|logged| (logged.commit, logged.row, self.examine_logged(logged))).collect();
            let versions = changes.into_iter().flat_map(|logged| [logged.before, logged.after]);
            released.versions.extend(versions.flatten());
            examined
        });
        let mut state = self.state.lock();
        // Another reader may have caught up meanwhile.
        if state.filled.as_ref().is_some_and(|filled| filled.seen == seen) {
            match examined {
                Some(examined) => {
                    for (commit, row, placed) in examined {
                        match placed {
                            Some(placed) => self.take_in(&mut state, commit, row, placed, &mut released),
                            None => self.drop_answer(&mut state, commit, &mut released),
                        }
                    }
                    if let Some(filled) = &mut state.filled {
                        filled.seen = epoch;
                    }
                }
                None => self.drop_answer(&mut state, epoch, &mut released),
            }
        } else {
            let placed = examined.into_iter().flatten().filter_map(|(_, _, placed)| placed?.into_version());
            released.versions.extend(placed);
        }
        drop(state);
        released.drop_by(&self.counters);
    }

    /// `None` if user code panics, or nobody can say.
    fn examine_logged(&self, logged: &Logged) -> Option<Placed> {
        let examine = || {
            let record = logged.after.as_ref().and_then(|after| Some((after, after.record()?)));
            let placed = record.map_or(Placed::Gone, |(after, record)| self.placed(after, record));
            let before = logged.before.as_ref().and_then(|before| before.record());
            let is_concerned = !matches!(self.shape, Shape::Opaque) || self.concerns(before, &placed);
            (is_concerned, placed)
        };
        match user_code::run(examine) {
            Ok((true, _)) if matches!(self.shape, Shape::Opaque) => None,
            Ok((true, placed)) => Some(placed),
            // It touches nothing of an opaque answer.
            Ok((false, _)) => Some(Placed::Gone),
            Err(_) => None,
        }
    }

    fn placed(&self, version: &SharedVersion, record: &dyn FieldSource) -> Placed {
        if self.condition.holds(record) { self.shape.place(version, record) } else { Placed::Gone }
    }

    fn concerns(&self, before: Option<&dyn FieldSource>, placed: &Placed) -> bool {
        !matches!(placed, Placed::Gone) || before.is_some_and(|before| self.condition.holds(before))
    }

    // ---- computing ----------------------------------------------------------------------------------------------------

    /// The right to compute the answer. If another reader has it, waits for a moment, and returns `None`.
    pub(super) fn compute(&self) -> Option<Computing<'_>> {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.computing, true) {
            return Some(Computing(self));
        }
        if user_code::inside() {
            return None;
        }
        let deadline = Instant::now() + PATIENCE;
        while state.computing {
            let timed_out;
            (state, timed_out) = self.computed.wait_until(&self.state, state, deadline);
            if timed_out {
                break;
            }
        }
        None
    }

    /// Fills in an answer that was computed at `filled.from`, unless a later commit concerns it. `same` compares it with one that a
    /// commit has dropped.
    pub(super) fn fill(&self, filled: Filled, same: &dyn Fn(&AnyAnswer, &AnyAnswer) -> bool) {
        let mut released = Released::default();
        let mut state = self.state.lock();
        let newer = |known: &Filled| known.from > filled.from || known.seen > filled.seen;
        let is_late = filled.from < state.needs || state.filled.as_ref().is_some_and(newer) || state.retired;
        let dropped = if is_late { None } else { state.dropped.take() };
        let answer = filled.answer.clone();
        match is_late {
            true => released.filled(filled),
            false => state.filled.replace(filled).into_iter().for_each(|old| released.filled(old)),
        }
        drop(state);
        if let (Some(dropped), Some(answer)) = (dropped, answer) {
            add(&self.figures.sampled_drops, 1);
            add(&self.figures.false_drops, u64::from(same(&dropped, &answer)));
            released.answers.extend([dropped, answer]);
        }
        released.drop_by(&self.counters);
    }

    // ---- commits ------------------------------------------------------------------------------------------------------

    /// Takes the new state of a row in. Runs no user code.
    fn take_in(&self, state: &mut State, commit: Commit, row: Row, placed: Placed, released: &mut Released) {
        let expires = placed.expires();
        let filled = match &mut state.filled {
            Some(filled) if !matches!(self.shape, Shape::Opaque) => filled,
            _ => return released.versions.extend(placed.into_version()),
        };
        match filled.kept.take_in(&self.shape, row, placed, &mut released.versions) {
            Taken::Unknown => self.drop_answer(state, commit, released),
            taken => {
                filled.before = filled.before.min(expires.unwrap_or(Timestamp::MAX));
                let (records, before) = (filled.kept.len(), filled.records);
                // It takes more room than it was given.
                if records > MAX_CACHED_RECORDS.min(before.saturating_mul(8).max(FEW_RECORDS)) {
                    return self.drop_answer(state, commit, released);
                }
                if records > before.saturating_mul(2).max(SAMPLE as usize) {
                    self.has_grown.store(true, SeqCst);
                }
                if taken == Taken::Changed {
                    filled.from = commit;
                    released.answers.extend(filled.answer.take());
                    add(&self.figures.repairs, 1);
                }
            }
        }
    }

    fn drop_answer(&self, state: &mut State, commit: Commit, released: &mut Released) {
        state.needs = state.needs.max(commit);
        let Some(mut filled) = state.filled.take() else { return };
        state.drops += 1;
        if state.drops % SAMPLE == 1 && state.dropped.is_none() {
            state.dropped = filled.answer.take();
        }
        released.filled(filled);
        add(&self.figures.drops, 1);
    }

    // ---- statistics ----------------------------------------------------------------------------------------------------

    /// Moves the hits since the last call to the figures of the class. Returns whether an answer is being computed.
    pub(super) fn report(&self) -> bool {
        let mut state = self.state.lock();
        let hits = std::mem::take(&mut state.hits);
        let computing = state.computing;
        drop(state);
        add(&self.figures.hits, hits);
        computing
    }

    /// Drops the answer if its lifetime has ended. Returns whether it had one, and has dropped it.
    pub(super) fn clean(&self, time: Timestamp) -> bool {
        let mut state = self.state.lock();
        let is_old = state.filled.as_ref().is_some_and(|filled| time >= filled.made + self.lifetime);
        let filled = if is_old { state.filled.take() } else { None };
        drop(state);
        let mut released = Released::default();
        filled.into_iter().for_each(|filled| released.filled(filled));
        released.drop_by(&self.counters);
        add(&self.figures.expirations, u64::from(is_old));
        is_old
    }

    /// Drops the answer.
    pub(super) fn forget(&self) {
        let filled = self.state.lock().filled.take();
        let mut released = Released::default();
        filled.into_iter().for_each(|filled| released.filled(filled));
        released.drop_by(&self.counters);
    }

    /// Whether it has no answer, and nobody computes one.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.filled.is_none() && !state.computing
    }

    /// Whether it has grown since the last call.
    pub(super) fn has_grown(&self) -> bool {
        if !self.has_grown.load(SeqCst) {
            return false;
        }
        if let Some(filled) = &mut self.state.lock().filled {
            filled.records = filled.kept.len();
        }
        self.has_grown.swap(false, SeqCst)
    }

    /// An estimate of its memory.
    pub(super) fn bytes(&self) -> usize {
        let filings = self.filings.as_ref().map_or(0, |filings| filings.len() * FILING_BYTES);
        let state = self.state.lock();
        let kept = state.filled.as_ref().map_or(0, |filled| filled.kept.heap_bytes() + filled.answer_bytes);
        size_of::<Entry>() + filings + kept
    }
}

/// A value, the list of the questions under it, and their places.
const FILING_BYTES: usize = 200;

impl Drop for Entry {
    fn drop(&mut self) {
        let mut released = Released::default();
        let mut state = self.state.lock();
        state.filled.take().into_iter().for_each(|filled| released.filled(filled));
        released.answers.extend(state.dropped.take());
        drop(state);
        released.drop_by(&self.counters);
    }
}

impl Filed for Entry {
    fn id(&self) -> (u64, usize) {
        (self.id, 0)
    }

    fn filings(&self) -> Option<&[Filing]> {
        self.filings.as_deref()
    }
}

impl Question for Entry {
    fn look(self: Arc<Self>, commit: Commit, change: &Look<'_>) -> Option<Effect> {
        let mut state = self.state.lock();
        state.needs = state.needs.max(commit);
        let contains = state.filled.as_ref()?.kept.contains(change.row);
        drop(state);
        let record = change.after.and_then(|after| Some((after, after.record()?)));
        let placed = record.map_or(Placed::Gone, |(after, record)| self.placed(after, record));
        if matches!(self.shape, Shape::Opaque) {
            return if self.concerns(change.before, &placed) { Some(self.clone().outdate()) } else { None };
        }
        if !contains && matches!(placed, Placed::Gone) {
            return None;
        }
        let row = change.row;
        Some(Box::new(move |commit, garbage| {
            let mut released = Released::default();
            self.take_in(&mut self.state.lock(), commit, row, placed, &mut released);
            released.into_garbage(garbage);
        }))
    }

    fn audit(&self, At { epoch, time }: At, records: &[SharedVersion]) -> Option<Option<String>> {
        let state = self.state.lock();
        let filled = state.filled.as_ref()?;
        let holds = filled.from <= epoch && filled.since <= time && time < filled.before;
        if !holds || (self.filings.is_none() && filled.seen < epoch) {
            return None;
        }
        let kept = filled.kept.rows()?;
        let shown = match &filled.kept {
            Kept::Page(window) => Some((window.items.iter().map(|item| item.row).collect::<Vec<_>>(), window.complete)),
            _ => None,
        };
        drop(state);
        // No commit changes it meanwhile. No user code runs under its lock.
        let matches = records.iter().filter_map(|version| Some((version, version.record()?)));
        let matches = matches.filter(|(_, record)| self.condition.holds(*record)).map(|(version, record)| {
            let values = if let Shape::Page(page) = &self.shape { page.order.values_of(record) } else { Vec::new() };
            Item { row: version.row, values, version: version.clone() }
        });
        let matches: Vec<Item> = matches.collect();
        let agrees = match (&self.shape, shown) {
            (Shape::Page(page), Some((shown, complete))) => page.begins_with(matches, &shown, complete),
            _ => {
                let mut rows: Vec<Row> = matches.iter().map(|item| item.row).collect();
                rows.sort_unstable();
                kept == RowSet::from_sorted(&rows)
            }
        };
        Some((!agrees).then(|| format!("a cached answer at commit {epoch} differs from its records")))
    }

    fn outdate(self: Arc<Self>) -> Effect {
        Box::new(move |commit, garbage| {
            let mut released = Released::default();
            self.drop_answer(&mut self.state.lock(), commit, &mut released);
            released.into_garbage(garbage);
        })
    }
}
