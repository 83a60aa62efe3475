//! What a watch follows: the records that a query selects, or statistics of them.

use crate::error::{Commit, QueryError};
use crate::read::{AggregationResult, Difference, LiveRecords, LiveStatistics, TooMany, View, apply, differences};
use crate::record::Record;
use crate::storage::{Handle, RecordChange, SharedVersion};
use crate::sync::Arc;

/// A change of the answer that a [`Watch`](crate::hook::watch::Watch) reports.
#[derive(Debug)]
#[non_exhaustive]
pub struct Update<R> {
    /// The commit that the answer is of now.
    pub commit: Commit,
    /// The differences from the answer before, in the order in which they can be [applied](Update::apply).
    pub differences: Vec<Difference<R>>,
    /// Whether the changes of several commits have been joined, since nobody has read them in time. Then each record that has changed
    /// counts as moved.
    pub is_joined: bool,
}

impl<R> Clone for Update<R> {
    fn clone(&self) -> Self {
        Update { commit: self.commit, differences: self.differences.clone(), is_joined: self.is_joined }
    }
}

impl<R> Update<R> {
    /// Brings a copy of the answer before to the answer now. O(records) for records that enter, leave or move.
    ///
    /// # Panics
    /// If the list is not that answer.
    pub fn apply(&self, list: &mut Vec<Handle<R>>) {
        apply(&self.differences, list);
    }
}

/// How an answer follows commits.
pub trait Follow: sealed::Sealed + Send + Sized + 'static {
    /// The type of the records.
    #[doc(hidden)]
    type Record: Record;
    /// The answer that a watch shows.
    type Answer: Clone + Send;
    /// A change of the answer.
    type Update: Clone + Send + Sync;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "it is sealed")]
    fn load(&mut self, view: &View<Self::Record>) -> Result<(), TooMany>;

    /// Takes the changes of a commit in; `None` if the answer has not changed.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "it is sealed")]
    fn take_in(
        &mut self,
        commit: Commit,
        changes: &[RecordChange<Self::Record>],
    ) -> Result<Option<Self::Update>, TooMany>;

    /// The answer now.
    #[doc(hidden)]
    fn answer(&self, commit: Commit) -> Self::Answer;

    /// What has changed since another answer; `None` if nothing.
    #[doc(hidden)]
    fn since(&self, answer: &Self::Answer, commit: Commit) -> Option<Self::Update>;

    /// The number of differences in an update.
    #[doc(hidden)]
    fn size(update: &Self::Update) -> usize;

    /// Versions that have left, to be dropped under no lock.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "it is sealed")]
    fn released(&mut self) -> Vec<SharedVersion> {
        Vec::new()
    }

    /// Brings an answer to the next one.
    #[doc(hidden)]
    fn apply(update: &Self::Update, answer: &mut Self::Answer);
}

mod sealed {
    pub trait Sealed {}
}

/// A watch of records. Its answer is a list of them, in the order of the query, or of the key; its updates are [`Update`]s.
pub struct WatchedRecords<R: Record> {
    pub(super) live: LiveRecords,
    pub(super) of: std::marker::PhantomData<fn() -> R>,
}

impl<R: Record> sealed::Sealed for WatchedRecords<R> {}

impl<R: Record> Follow for WatchedRecords<R> {
    type Record = R;
    type Answer = Vec<Handle<R>>;
    type Update = Arc<Update<R>>;

    #[allow(private_interfaces, reason = "it is sealed")]
    fn load(&mut self, view: &View<R>) -> Result<(), TooMany> {
        self.live.load(view)
    }

    #[allow(private_interfaces, reason = "it is sealed")]
    fn take_in(&mut self, commit: Commit, changes: &[RecordChange<R>]) -> Result<Option<Self::Update>, TooMany> {
        let differences = self.live.take_in(changes)?;
        let update = Update { commit, differences, is_joined: false };
        Ok((!update.differences.is_empty()).then(|| Arc::new(update)))
    }

    fn answer(&self, _: Commit) -> Self::Answer {
        self.live.shown()
    }

    fn since(&self, answer: &Self::Answer, commit: Commit) -> Option<Self::Update> {
        let differences = differences(answer, &self.live.shown());
        (!differences.is_empty()).then(|| Arc::new(Update { commit, differences, is_joined: true }))
    }

    fn size(update: &Self::Update) -> usize {
        update.differences.len()
    }

    #[allow(private_interfaces, reason = "it is sealed")]
    fn released(&mut self) -> Vec<SharedVersion> {
        self.live.released()
    }

    fn apply(update: &Self::Update, answer: &mut Self::Answer) {
        update.apply(answer);
    }
}

/// A watch of statistics. Its answer is their result, and so are its updates; an error if a sum has overflowed.
pub struct WatchedStatistics<R: Record> {
    pub(super) live: LiveStatistics,
    /// The last answer.
    pub(super) last: Option<Result<AggregationResult, QueryError>>,
    pub(super) of: std::marker::PhantomData<fn() -> R>,
}

impl<R: Record> sealed::Sealed for WatchedStatistics<R> {}

impl<R: Record> Follow for WatchedStatistics<R> {
    type Record = R;
    type Answer = Result<AggregationResult, QueryError>;
    type Update = Result<AggregationResult, QueryError>;

    #[allow(private_interfaces, reason = "it is sealed")]
    fn load(&mut self, view: &View<R>) -> Result<(), TooMany> {
        self.live.load(view)?;
        self.last = Some(self.live.answer(view.snapshot().commit()));
        Ok(())
    }

    #[allow(private_interfaces, reason = "it is sealed")]
    fn take_in(&mut self, commit: Commit, changes: &[RecordChange<R>]) -> Result<Option<Self::Update>, TooMany> {
        if !self.live.take_in(changes) {
            return Ok(None);
        }
        let answer = self.live.answer(commit);
        let is_same = self.last.as_ref().is_some_and(|last| same(last, &answer));
        self.last = Some(answer.clone());
        Ok((!is_same).then_some(answer))
    }

    fn answer(&self, commit: Commit) -> Self::Answer {
        self.live.answer(commit)
    }

    fn since(&self, answer: &Self::Answer, commit: Commit) -> Option<Self::Update> {
        let now = self.live.answer(commit);
        (!same(&now, answer)).then_some(now)
    }

    fn size(update: &Self::Update) -> usize {
        update.as_ref().map_or(1, |result| 1 + result.groups().len())
    }

    fn apply(update: &Self::Update, answer: &mut Self::Answer) {
        *answer = update.clone();
    }
}

fn same(a: &Result<AggregationResult, QueryError>, b: &Result<AggregationResult, QueryError>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => a.values == b.values,
        (Err(a), Err(b)) => a == b,
        _ => false,
    }
}
