//! A batch: operations on any collections of one store, committed together, and the refusal that returns it.

use super::attribution::{CommitOptions, CommitReport};
use super::commit::{attempt, commit, refused};
use super::operation::{Operation, OperationInfo};
use super::operations::Operations;
use super::receipt::Receipt;
use super::references::Sharing;
use super::report::{Report, TakenOperation};
use crate::error::{Cause, Refusal};
use crate::limits::MAX_BATCH_OPERATIONS;
use crate::record::Record;
use crate::storage::{Collection, Draft, Engine, Table};
use crate::sync::{Arc, Mutex};
use smallvec::SmallVec;
use std::error::Error;
use std::fmt;

/// Operations on any collections of one store that become visible together, or not at all. Owned and `Send`.
///
/// Operations on the same key apply in the order in which they were added. A batch never commits itself; dropping it discards its
/// operations.
///
/// ```
/// use memdex::{Record, Store};
///
/// #[derive(Clone, Record)]
/// struct Account { #[record(key)] id: u32, balance: i64 }
///
/// let store = Store::new();
/// let accounts = store.collection::<Account>("Account")?;
/// accounts.store(Account { id: 1, balance: 100 })?;
///
/// let mut batch = store.batch();
/// batch.store(&accounts, Account { id: 2, balance: 0 })?;
/// batch.update(&accounts, 1, |account| account.balance -= 30)?;
/// batch.update(&accounts, 2, |account| account.balance += 30)?;
/// assert_eq!(batch.get(&accounts, 2)?.unwrap().balance, 30);
/// assert!(accounts.get(2).is_none(), "nothing is visible before the commit");
/// let receipt = batch.commit()?;
/// assert_eq!((receipt.counts.inserted, receipt.counts.updated), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    engine: Arc<Engine>,
    parts: SmallVec<[Operations; 1]>,
    /// The position that the next operation gets.
    next: usize,
    /// The part of the last operation.
    last_part: usize,
}

impl Batch {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Batch { engine, parts: SmallVec::new(), next: 0, last_part: 0 }
    }

    /// The number of operations in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Whether the batch has no operations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Commits the batch: all its operations become visible at once, or none. Waits for other commits; costs what its operations
    /// cost. Unique values are compared in the state that the whole batch leaves, so two records can swap theirs, and references are
    /// judged by it, so a record and the one to which it refers come in any order.
    ///
    /// # Errors
    /// [`Refused`], with the first operation at fault of all collections, the cause, and the unchanged batch. An operation is not at
    /// fault for a unique value that one which is refused would have released.
    pub fn commit(mut self) -> Result<Receipt, Refused> {
        self.flush().map_err(|refusal| Refused::new(refusal, self))
    }

    /// Commits as [`commit`](Batch::commit) does, and reports what each operation did. Takes 24 bytes an operation.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # use memdex::write::Outcome;
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// let mut batch = store.batch();
    /// batch.insert(&users, User { id: 1, city: "Bern".into() })?;
    /// batch.insert(&users, User { id: 2, city: "Bern".into() })?;
    /// batch.delete(&users, 1)?;
    /// batch.delete(&users, 1)?;
    /// batch.update_where(&users, user::CITY.eq("Bern"), |user| user.city = "Thun".into())?;
    /// let report = batch.commit_reported()?;
    /// let did: Vec<Outcome> = report.outcomes.iter().map(|(_, outcome)| *outcome).collect();
    /// use Outcome::*;
    /// assert_eq!(did, [Created, Created, Deleted, Missing, UpdatedWhere(1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`commit`](Batch::commit). The report of a successful commit lists nothing as refused.
    pub fn commit_reported(mut self) -> Result<Report, Refused> {
        let options = CommitOptions { outcomes: true, ..CommitOptions::default() };
        self.flush_with(options).map_err(|refusal| Refused::new(refusal, self))
    }

    /// Commits every operation that can be applied, and leaves the others out. An operation that is left out has no effect on
    /// those after it; the report returns it with the cause, in the order of the positions. Dropping the report drops those operations.
    /// If every operation is refused, there is no commit.
    ///
    /// The operations are judged one by one, in their order, against the net state of those that are kept:
    ///
    /// - Two records can swap a unique value. If the operation that releases a value is left out, so is the one that takes it, and
    ///   then the one that takes the value which that one would have released. If two operations take the same value, the first
    ///   one gets it.
    /// - The operation that gave a record a value is left out, not a later one that changed the record again. Those after it on
    ///   the same key are judged again without it.
    /// - An operation that lost its values to one which is left out later gets them back, unless a later operation on its key
    ///   is kept.
    ///
    /// A closure runs at most twice on a record. An operation that would have to run it a third time, because earlier ones on the same
    /// record were left out one after the other, is left out too ([`Cause::DependsOnLeftOut`]). An operation by filter is left
    /// out whole; once it was refused, it is not judged again. One that changes the [first](crate::write::Matching::first) records
    /// in an order depends on all earlier operations on its collection: if one of them is left out after it was applied, because of
    /// its record or a unique value, then so is this one. A [`rekey`](Batch::rekey) depends on those on its two keys in the same way.
    ///
    /// If collections [refer](crate::schema::Reference) to each other, each of them is judged first, then the references. Of an operation that
    /// refers to a record and one that takes that record away, the later one is left out, with all that refer to records which it would have
    /// made; then all others are applied again. So closures run once more in each such pass, an operation that was left out does not return, and an
    /// operation is left out for a reference that it caused to fail: a deletion for a cascade that is refused.
    ///
    /// Costs O(n log n) for n operations, whatever is left out, and what its filters cost; all writers wait for it.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # use memdex::error::Cause;
    /// # use memdex::write::Outcome;
    /// # #[derive(Clone, Debug, PartialEq, Record)] struct User { #[record(key)] id: u32, visits: u64 }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// users.insert(User { id: 1, visits: 7 })?;
    /// let mut batch = store.batch();
    /// batch.insert(&users, User { id: 1, visits: 0 })?;
    /// batch.insert(&users, User { id: 2, visits: 0 })?;
    /// let mut report = batch.commit_lenient()?;
    /// assert_eq!((report.outcome(0), report.outcome(1)), (Some(Outcome::Refused), Some(Outcome::Created)));
    /// let refused = report.refused.remove(0);
    /// assert!(matches!(refused.refusal.cause(), Cause::KeyExists));
    /// assert_eq!(refused.operation.into_record::<User>(), Some(User { id: 1, visits: 0 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`], with the unchanged batch, only for causes that concern no single operation: the collection is full, the
    /// records exceed its [bound](Collection::set_bound), the store is poisoned, or the call comes from inside user code.
    pub fn commit_lenient(mut self) -> Result<Report, Refused> {
        let options = CommitOptions { outcomes: true, lenient: true, ..CommitOptions::default() };
        self.flush_with(options).map_err(|refusal| Refused::new(refusal, self))
    }

    /// Commits one operation by itself. The refusal names no position in a batch.
    pub(super) fn commit_one<R: Record>(
        mut self,
        collection: &Collection<R>,
        operation: Result<Operation, Refusal>,
    ) -> Result<Receipt, Refused> {
        let added = self.add(collection, operation);
        self.commit_added(added)
    }

    fn commit_added(mut self, added: Result<(), Refusal>) -> Result<Receipt, Refused> {
        added.and_then(|()| attempt(&self.engine, &mut self.parts, None)).map_err(|refusal| {
            let refusal = refusal.without_position();
            refused(&self.engine, &refusal);
            Refused::new(refusal, self)
        })
    }

    /// Adds operations and commits. If `add` returns an error, the batch is refused.
    pub(crate) fn commit_with(
        mut self,
        add: impl FnOnce(&mut Batch) -> Result<(), Refusal>,
    ) -> Result<Receipt, Refused> {
        match add(&mut self) {
            Ok(()) => self.commit(),
            Err(refusal) => {
                refused(&self.engine, &refusal);
                Err(Refused::new(refusal, self))
            }
        }
    }

    /// Commits the operations and leaves the batch empty. If it is refused, the batch is unchanged.
    pub(super) fn flush(&mut self) -> Result<Receipt, Refusal> {
        let receipt = commit(&self.engine, &mut self.parts)?;
        self.next = 0;
        Ok(receipt)
    }

    /// As [`flush`](Batch::flush), with these options. Operations that are left out move into the report.
    pub(super) fn flush_with(&mut self, options: CommitOptions) -> Result<Report, Refusal> {
        let mut report = CommitReport { options, ..CommitReport::default() };
        let receipt = match attempt(&self.engine, &mut self.parts, Some(&mut report)) {
            Ok(receipt) => receipt,
            Err(refusal) => {
                refused(&self.engine, &refusal);
                self.engine.counters.drop_each(report.refusals);
                return Err(refusal);
            }
        };
        report.refusals.iter().for_each(|refusal| refused(&self.engine, refusal));
        self.next = 0;
        let engine = &self.engine;
        let left_out = self.parts.iter_mut().flat_map(|part| part.take_all());
        let taken = left_out.map(|single| TakenOperation::new(single, engine)).collect();
        Ok(Report::new(receipt, report, taken))
    }

    /// Describes the operations, in the order in which they were added.
    #[must_use]
    pub fn operations(&self) -> Vec<OperationInfo> {
        let mut infos = Vec::with_capacity(self.len());
        self.parts.iter().for_each(|part| part.infos(&mut infos));
        infos.sort_unstable_by_key(|info| info.position);
        infos
    }

    /// Removes and returns the operation at a position. The others keep their positions.
    pub fn remove(&mut self, position: usize) -> Option<TakenOperation> {
        let single = self.parts.iter_mut().find_map(|part| part.remove(position))?;
        Some(TakenOperation::new(single, &self.engine))
    }

    /// Adds an operation that was removed from a batch, or left out of a [lenient](Batch::commit_lenient) commit, behind the
    /// others.
    ///
    /// # Errors
    /// A [`Refusal`] if the operation belongs to another store or the batch is full. The operation is dropped then.
    pub fn put_back(&mut self, operation: TakenOperation) -> Result<(), Refusal> {
        let TakenOperation { info, mut part, engine } = operation;
        let refuse = |cause| Err(Refusal::new(info.operation, &info.collection, cause));
        if !Arc::ptr_eq(&self.engine, &engine) {
            return refuse(Cause::OtherStore);
        }
        if self.next >= MAX_BATCH_OPERATIONS {
            return refuse(Cause::BatchFull { limit: MAX_BATCH_OPERATIONS });
        }
        self.append_part(&mut part);
        self.next += 1;
        Ok(())
    }

    /// Edits the record that the operation at `position` brings. Returns `false` if the batch has no such operation on this
    /// collection, or if the operation brings no record.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// users.insert(User { id: 1 })?;
    /// let mut batch = store.batch();
    /// batch.insert(&users, User { id: 1 })?; // the key is taken
    /// let refused = batch.commit().unwrap_err();
    /// let position = refused.refusal().position().unwrap();
    /// let mut batch = refused.into_batch();
    /// batch.edit(&users, position, |user| user.id = 2)?;
    /// batch.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] if the edited record has no valid key. The operation then keeps the edited record under its old key, and is
    /// refused until you edit it again or remove it.
    pub fn edit<R: Record>(
        &mut self,
        collection: &Collection<R>,
        position: usize,
        edit: impl FnOnce(&mut R),
    ) -> Result<bool, Refusal> {
        self.check_store(&collection.engine, &collection.table, "edit")?;
        let part = self.part(&collection.table);
        let Some(at) = part.at(position) else { return Ok(false) };
        let (table, operation) = (&part.table, &mut part.list[at]);
        let edit = |draft: &mut Draft| {
            if let Some(record) = draft.record_mut() {
                edit(record);
            }
        };
        operation.edit(table, edit).map_err(|cause| operation.refusal(table, cause))
    }

    /// The memory that the batch takes, in bytes: its operations with the records that they bring and the
    /// [heap memory](Record::heap_size) of these, long keys, and the captures of closures. Memory that captures own on
    /// the heap is not counted, nor a record whose `heap_size` panics: the commit will refuse it. This is what
    /// [`max_bytes`](crate::write::BackgroundWriterBuilder::max_bytes) limits. O(operations).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes()).fold(0, usize::saturating_add)
    }

    /// Appends a hash of the collection and the key of each operation. Returns `false` if one of them is by filter and has no key.
    pub(super) fn key_hashes(&self, hashes: &mut Vec<u64>) -> bool {
        let mut by_key = true;
        // Every part adds its hashes, also after one that is not by key.
        self.parts.iter().for_each(|part| by_key &= part.key_hashes(hashes));
        by_key
    }

    /// With which others it may share a commit, so that none notices the other by a reference.
    pub(super) fn sharing(&self) -> Sharing {
        Sharing::new(&self.engine, &self.parts)
    }

    /// Appends the operations of another batch of the same store, which is left empty.
    pub(super) fn append(&mut self, other: &mut Batch) {
        debug_assert!(Arc::ptr_eq(&self.engine, &other.engine));
        other.parts.iter_mut().for_each(|part| self.append_part(part));
        self.next += other.next;
    }

    fn append_part(&mut self, part: &mut Operations) {
        if !self.parts.iter_mut().any(|own| own.append(part, self.next)) {
            let mut own = part.empty();
            own.append(part, self.next);
            self.parts.push(own);
        }
    }

    /// Undoes the last [`append`](Batch::append): returns the operations from position `from` on to `other`.
    pub(super) fn give_back(&mut self, other: &mut Batch, from: usize) {
        for part in &mut other.parts {
            let given_back = self.parts.iter_mut().any(|own| own.give_back(part, from));
            debug_assert!(given_back);
        }
        self.next = from;
    }

    /// As [`flush`](Batch::flush), for several submissions together. A refusal is neither counted nor traced: the user made no
    /// such batch, and it may be refused where none of the submissions would be.
    pub(super) fn flush_together(&mut self) -> Result<Receipt, Refusal> {
        let mut report = CommitReport {
            options: CommitOptions { grouped: true, ..CommitOptions::default() },
            ..CommitReport::default()
        };
        let receipt = attempt(&self.engine, &mut self.parts, Some(&mut report))?;
        self.next = 0;
        Ok(receipt)
    }

    pub(super) fn truncate(&mut self, position: usize) {
        self.parts.iter_mut().for_each(|part| part.truncate(position));
        self.next = position;
    }

    pub(super) fn next_position(&self) -> usize {
        self.next
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(super) fn check_store(
        &self,
        engine: &Arc<Engine>,
        table: &Table,
        operation: &'static str,
    ) -> Result<(), Refusal> {
        match Arc::ptr_eq(&self.engine, engine) {
            true => Ok(()),
            false => Err(Refusal::new(operation, &table.name, Cause::OtherStore)),
        }
    }

    /// The operations on a collection.
    pub(super) fn operations_on(&self, table: &Arc<Table>) -> &[Operation] {
        self.parts.iter().find(|part| part.is_of(table)).map_or(&[], |part| &part.list)
    }

    /// The part of a collection of this store. Makes it if there is none yet.
    fn part(&mut self, table: &Arc<Table>) -> &mut Operations {
        if !self.parts.get(self.last_part).is_some_and(|part| part.is_of(table)) {
            self.last_part = self.parts.iter().position(|part| part.is_of(table)).unwrap_or_else(|| {
                self.parts.push(Operations::new(table.clone()));
                self.parts.len() - 1
            });
        }
        &mut self.parts[self.last_part]
    }

    pub(super) fn add<R: Record>(
        &mut self,
        collection: &Collection<R>,
        operation: Result<Operation, Refusal>,
    ) -> Result<(), Refusal> {
        self.add_to(&collection.engine, &collection.table, operation)
    }

    pub(super) fn add_to(
        &mut self,
        engine: &Arc<Engine>,
        table: &Arc<Table>,
        operation: Result<Operation, Refusal>,
    ) -> Result<(), Refusal> {
        let (operation, position) = (operation?, self.next);
        let mut fits = self.check_store(engine, table, operation.name());
        if fits.is_ok() && position >= MAX_BATCH_OPERATIONS {
            let cause = Cause::BatchFull { limit: MAX_BATCH_OPERATIONS };
            fits = Err(Refusal::new(operation.name(), &table.name, cause));
        }
        if let Err(refusal) = fits {
            table.counters.report_drop_panics(operation.action.drop_each());
            return Err(refusal);
        }
        self.part(table).list.push(Operation { position, ..operation });
        self.next += 1;
        Ok(())
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("operations", &self.operations()).finish_non_exhaustive()
    }
}

/// A refused batch. It has changed nothing; [`into_batch`](Refused::into_batch) returns it.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let mut batch = store.batch();
/// batch.store(&users, User { id: 1 })?;
/// batch.update(&users, 2, |_| ())?;
/// let refused = batch.commit().unwrap_err();
/// assert_eq!(refused.refusal().position(), Some(1));
/// let mut batch = refused.into_batch();
/// batch.remove(1);
/// assert_eq!(batch.commit()?.counts.inserted, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Refused {
    refusal: Refusal,
    // Makes the error `Sync`, so that it fits into `Box<dyn Error + Send + Sync>`.
    batch: Mutex<Batch>,
}

impl Refused {
    pub(super) fn new(refusal: Refusal, batch: Batch) -> Self {
        Refused { refusal, batch: Mutex::new(batch) }
    }

    /// The operation at fault, and the cause.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The cause.
    pub fn cause(&self) -> &Cause {
        self.refusal.cause()
    }

    /// The refusal, and the batch as it was before the commit.
    pub fn into_parts(self) -> (Refusal, Batch) {
        (self.refusal, self.batch.into_inner())
    }

    /// The batch as it was before the commit.
    pub fn into_batch(self) -> Batch {
        let (refusal, batch) = self.into_parts();
        batch.engine.counters.drop_each([refusal]);
        batch
    }

    /// The refusal. Drops the batch.
    pub fn into_refusal(self) -> Refusal {
        self.refusal
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.refusal.source()
    }
}
