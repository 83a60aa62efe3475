//! Writes by predicate that return the records that they change, and may change the first ones in an order only.

use super::action::Action;
use super::batch::{Batch, Refused};
use super::commands::{UpdateResult, change};
use super::operation::Operation;
use super::returned::{Changes, PendingChanges};
use super::selection::Selection;
use crate::error::Refusal;
use crate::record::Record;
use crate::storage::Collection;
use memdex_query::query::{Filter, IntoOrder, OrderBy};

/// A write by predicate that returns the records that it changes: [`Collection::matching`](Collection::matching) and
/// [`Batch::matching`](Batch::matching) make it.
#[must_use = "it does nothing until `update` or `delete` is called"]
pub struct Matching<'c, W, R: Record> {
    writes_to: W,
    collection: &'c Collection<R>,
    filter: Filter<R>,
    order: Vec<OrderBy>,
    first: Option<usize>,
}

/// The writer of [`Collection::matching`]: each command is one commit.
#[derive(Debug)]
pub struct AtOnce(());

impl<R: Record> Collection<R> {
    /// Changes or deletes the records that match a filter, and returns them as they were before and as they are after it: all of
    /// them, or with [`first`](Matching::first) those that come first in an order. Search and change are one commit, so two callers never
    /// get the same record.
    ///
    /// ```
    /// use memdex::{Record, Store};
    ///
    /// #[derive(Clone, Record)]
    /// struct Job {
    ///     #[record(key)] id: u32,
    ///     #[record(index)] worker: Option<u32>,
    ///     #[record(ordered)] priority: u8,
    /// }
    ///
    /// let jobs = Store::new().collection::<Job>("Job")?;
    /// for id in 0..5 {
    ///     jobs.insert(Job { id, worker: None, priority: (id % 3) as u8 })?;
    /// }
    /// let open = jobs.matching(job::WORKER.is_null()).order_by(job::PRIORITY.desc());
    /// let taken = open.first(2).update(|job| job.worker = Some(7))?;
    /// let after: Vec<_> = taken.records.iter().filter_map(|change| change.after.as_ref()).collect();
    /// assert_eq!(after.iter().map(|job| (job.id, job.worker)).collect::<Vec<_>>(), [(2, Some(7)), (1, Some(7))]);
    ///
    /// let done = jobs.matching(job::WORKER.eq(7)).delete()?;
    /// assert_eq!((done.records.len(), jobs.len()), (2, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matching(&self, filter: impl Into<Filter<R>>) -> Matching<'_, AtOnce, R> {
        Matching { writes_to: AtOnce(()), collection: self, filter: filter.into(), order: Vec::new(), first: None }
    }
}

impl Batch {
    /// Changes or deletes the records that match a filter when the batch is committed, and returns them then; see
    /// [`Collection::matching`]. Filter, order and number see the records as the earlier operations of the batch leave them.
    ///
    /// ```
    /// # use memdex::{Filter, Record, Store};
    /// # #[derive(Clone, Record)] struct Job { #[record(key)] id: u32, #[record(field)] tries: u32 }
    /// # let store = Store::new();
    /// # let jobs = store.collection::<Job>("Job")?;
    /// for id in 0..5 {
    ///     jobs.insert(Job { id, tries: 0 })?;
    /// }
    /// let mut batch = store.batch();
    /// batch.delete(&jobs, 0)?;
    /// let taken = batch.matching(&jobs, Filter::all()).first(1).update(|job| job.tries += 1)?;
    /// assert!(taken.get().is_none(), "the batch is not committed yet");
    /// batch.commit()?;
    /// assert_eq!(taken.get().unwrap()[0].after.as_ref().unwrap().id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matching<'b, 'c, R: Record>(
        &'b mut self,
        collection: &'c Collection<R>,
        filter: impl Into<Filter<R>>,
    ) -> Matching<'c, &'b mut Batch, R> {
        Matching { writes_to: self, collection, filter: filter.into(), order: Vec::new(), first: None }
    }
}

impl<'c, W, R: Record> Matching<'c, W, R> {
    /// Sorts the records: by one [`OrderBy`] or several, ties by key, ascending. Then they are returned in this order, and
    /// [`first`](Self::first) goes by it.
    pub fn order_by(mut self, order: impl IntoOrder) -> Self {
        self.order = order.into_order();
        self
    }

    /// Changes only the first records in the order, at most this many; without [`order_by`](Self::order_by) in the order of the keys.
    /// Costs least where an ordered index has the order: then it reads no further than needed.
    pub fn first(mut self, records: usize) -> Self {
        self.first = Some(records);
        self
    }

    fn operation(&mut self, action: Action) -> (Result<Operation, Refusal>, PendingChanges<R>) {
        let (pending, returned) = PendingChanges::new();
        let first = (self.first.is_some() || !self.order.is_empty()).then(|| self.first.unwrap_or(usize::MAX));
        let selection = Selection { first: first.map(|first| (&self.order[..], first)), returned: Some(returned) };
        let filter = std::mem::replace(&mut self.filter, Filter::all());
        (Operation::of_filter(self.collection, filter, selection, action), pending)
    }
}

impl<R: Record> Matching<'_, AtOnce, R> {
    /// Changes the records by a closure, as [`Collection::update_where`] does. None selected is not an error.
    ///
    /// # Errors
    /// [`Refused`], with the cause, and a batch of this one operation.
    pub fn update<U: UpdateResult>(self, update: impl Fn(&mut R) -> U + Send + 'static) -> Result<Changes<R>, Refused>
    where
        R: Clone,
    {
        self.commit(Action::Update(change(update)))
    }

    /// Deletes the records, as [`Collection::delete_where`] does. None selected is not an error.
    ///
    /// # Errors
    /// [`Refused`], with the cause, and a batch of this one operation.
    pub fn delete(self) -> Result<Changes<R>, Refused> {
        self.commit(Action::Delete)
    }

    fn commit(mut self, action: Action) -> Result<Changes<R>, Refused> {
        let (operation, pending) = self.operation(action);
        let receipt = Batch::new(self.collection.engine.clone()).commit_one(self.collection, operation)?;
        Ok(Changes { receipt, records: pending.into_records() })
    }
}

impl<R: Record> Matching<'_, &mut Batch, R> {
    /// Changes the records by a closure when the batch is committed, as [`Batch::update_where`] does.
    ///
    /// # Errors
    /// As [`Batch::update_where`].
    pub fn update<U: UpdateResult>(
        self,
        update: impl Fn(&mut R) -> U + Send + 'static,
    ) -> Result<PendingChanges<R>, Refusal>
    where
        R: Clone,
    {
        self.add(Action::Update(change(update)))
    }

    /// Deletes the records when the batch is committed, as [`Batch::delete_where`] does.
    ///
    /// # Errors
    /// As [`Batch::delete_where`].
    pub fn delete(self) -> Result<PendingChanges<R>, Refusal> {
        self.add(Action::Delete)
    }

    fn add(mut self, action: Action) -> Result<PendingChanges<R>, Refusal> {
        let (operation, pending) = self.operation(action);
        self.writes_to.add(self.collection, operation)?;
        Ok(pending)
    }
}
