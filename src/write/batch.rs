//! A batch: operations on any collections of one store, gathered to be committed together.

use super::commit::{attempt, commit, refused};
use super::operation::{Change, Operation, OperationInfo, Outcome, TakenOperation};
use super::receipt::{Receipt, Refused};
use super::stage::{Part, Staged, StagedPart};
use crate::error::{Cause, Refusal};
use crate::limits::MAX_BATCH_OPERATIONS;
use crate::record::Record;
use crate::storage::{Collection, Engine, Handle, Table};
use crate::sync::{Arc, Ordering::SeqCst};
use crate::user_code;
use crate::value::{IntoKey, Lookup};
use smallvec::SmallVec;
use std::any::Any;
use std::fmt;
use std::ops::Deref;

/// Operations that become visible together, or not at all. Owned and `Send`; it never flushes itself, and dropping it
/// discards it. Operations on one key apply in their order.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct Account { #[record(key)] id: u32, balance: i64 }
/// # let store = Store::new();
/// # let accounts = store.collection::<Account>("Account")?;
/// # accounts.store(Account { id: 1, balance: 100 })?;
/// let mut batch = store.batch();
/// batch.store(&accounts, Account { id: 2, balance: 0 })?;
/// batch.update(&accounts, 1, |account| account.balance -= 30)?;
/// batch.update(&accounts, 2, |account| account.balance += 30)?;
/// assert_eq!(batch.get(&accounts, 2)?.unwrap().balance, 30);
/// assert!(accounts.get(2).is_none(), "not before the commit");
/// let receipt = batch.commit()?;
/// assert_eq!((receipt.counts.inserted, receipt.counts.updated), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch {
    engine: Arc<Engine>,
    parts: SmallVec<[Box<dyn Part>; 1]>,
    /// The position that the next operation gets.
    next: usize,
    /// The part that took the last operation.
    last_part: usize,
}

struct Operations<R: Record> {
    table: Arc<Table<R>>,
    list: Vec<Operation<R>>,
}

impl<R: Record> Operations<R> {
    fn info(&self, operation: &Operation<R>) -> OperationInfo {
        OperationInfo {
            position: operation.position,
            operation: operation.action.name(),
            collection: self.table.name.to_string(),
            key: operation.key.clone(),
        }
    }

    fn at(&self, position: usize) -> Option<usize> {
        self.list.binary_search_by_key(&position, |operation| operation.position).ok()
    }
}

impl<R: Record> Part for Operations<R> {
    fn len(&self) -> usize {
        self.list.len()
    }

    fn stage(&mut self) -> Result<Box<dyn StagedPart + '_>, Refusal> {
        Ok(Box::new(Staged::new(&self.table, &mut self.list)?))
    }

    fn is_of(&self, table: *const ()) -> bool {
        Arc::as_ptr(&self.table).cast() == table
    }

    fn truncate(&mut self, position: usize) {
        self.list.truncate(self.list.partition_point(|operation| operation.position < position));
    }

    fn remove(&mut self, position: usize) -> Option<TakenOperation> {
        let mut operation = self.list.remove(self.at(position)?);
        let info = self.info(&operation);
        let record = operation.action.take_record().map(|record| Box::new(record) as Box<dyn Any + Send>);
        Some(TakenOperation { info, record })
    }

    fn infos(&self, infos: &mut Vec<OperationInfo>) {
        infos.extend(self.list.iter().map(|operation| self.info(operation)));
    }

    fn bytes(&self) -> usize {
        let of_heap = |operation: &Operation<R>| operation.key.heap_bytes() + operation.action.closure_bytes();
        size_of_val(&*self.list) + self.list.iter().map(of_heap).sum::<usize>()
    }

    fn fingerprints(&self, fingerprints: &mut Vec<u64>) {
        let table = (Arc::as_ptr(&self.table).addr() as u64).rotate_left(32);
        fingerprints.extend(self.list.iter().map(|operation| table ^ u64::from(operation.hash)));
    }

    fn append(&mut self, other: &mut dyn Part, from: usize) -> bool {
        let Some(other) = (other as &mut dyn Any).downcast_mut::<Self>() else { return false };
        if !Arc::ptr_eq(&self.table, &other.table) {
            return false;
        }
        other.list.iter_mut().for_each(|operation| operation.position += from);
        self.list.append(&mut other.list);
        true
    }

    fn give_back(&mut self, other: &mut dyn Part, from: usize) -> bool {
        let Some(other) = (other as &mut dyn Any).downcast_mut::<Self>() else { return false };
        if !Arc::ptr_eq(&self.table, &other.table) {
            return false;
        }
        let at = self.list.partition_point(|operation| operation.position < from);
        other.list.extend(self.list.drain(at..).map(|o| Operation { position: o.position - from, ..o }));
        true
    }

    fn empty(&self) -> Box<dyn Part> {
        Box::new(Operations { table: self.table.clone(), list: Vec::new() })
    }

    fn discard(&mut self) -> u64 {
        user_code::drop_each(std::mem::take(&mut self.list))
    }
}

impl Batch {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Batch { engine, parts: SmallVec::new(), next: 0, last_part: 0 }
    }

    /// How many operations it holds.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Commits it: all of it becomes visible at once, or none of it. Waits for its turn; cost is that of its operations.
    ///
    /// # Errors
    /// [`Refused`], with the operation at fault, the cause, and the batch as it was.
    pub fn commit(mut self) -> Result<Receipt, Refused> {
        self.flush().map_err(|refusal| Refused::new(refusal, self))
    }

    /// Adds operations and commits. A refusal of `add` refuses the batch.
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

    /// Commits what it holds, and leaves it empty; on refusal as it was.
    pub(super) fn flush(&mut self) -> Result<Receipt, Refusal> {
        let receipt = commit(&self.engine, &mut self.parts)?;
        self.next = 0;
        Ok(receipt)
    }

    /// The operations, in the order in which they were added.
    pub fn operations(&self) -> Vec<OperationInfo> {
        let mut infos = Vec::with_capacity(self.len());
        self.parts.iter().for_each(|part| part.infos(&mut infos));
        infos.sort_unstable_by_key(|info| info.position);
        infos
    }

    /// Takes the operation at a position out. The others keep their positions.
    pub fn remove(&mut self, position: usize) -> Option<TakenOperation> {
        self.parts.iter_mut().find_map(|part| part.remove(position))
    }

    /// Lets `mend` change the record that the operation at `position` brings. `false` if there is no such operation on
    /// this collection, or it brings no record.
    ///
    /// # Errors
    /// A [`Refusal`] if the record's key can't be one afterwards. The operation keeps the changed record under its old
    /// key: mend it again or take it out.
    pub fn mend<R: Record>(
        &mut self,
        collection: &Collection<R>,
        position: usize,
        mend: impl FnOnce(&mut R),
    ) -> Result<bool, Refusal> {
        let part = self.part(collection)?;
        let Some(at) = part.at(position) else { return Ok(false) };
        let (table, operation) = (&part.table, &mut part.list[at]);
        operation.mend(table, mend).map_err(|cause| operation.refusal(table, cause))
    }

    /// The record of a key as the batch would leave it: the newest published state with the batch's operations on it.
    /// O(operations on the collection). Closures run, and will run again at the commit.
    ///
    /// # Errors
    /// The [`Refusal`] that the batch would meet at an operation on this key.
    pub fn get<R: Record, Q: IntoKey<R::Key>>(
        &self,
        collection: &Collection<R>,
        key: Q,
    ) -> Result<Option<Pending<'_, R>>, Refusal> {
        self.check_store(collection)?;
        let lookup = Lookup::new(&collection.table.seed, &key);
        let committed = collection.newest(&lookup).and_then(Handle::of);
        let begin = committed.as_ref().map(Handle::commit);
        let mut pending = committed.map(Pending::Committed);
        let part = self.parts.iter().find(|part| part.is_of(Arc::as_ptr(&collection.table).cast()));
        let part = part.and_then(|part| (&**part as &dyn Any).downcast_ref::<Operations<R>>());
        let operations = part.map_or(&[][..], |part| &part.list);
        for operation in operations.iter().filter(|o| o.hash == lookup.hash && lookup.matches(&o.key)) {
            let outcome = operation.outcome(&collection.table, pending.as_deref(), begin);
            pending = match outcome.map_err(|cause| operation.refusal(&collection.table, cause))? {
                Outcome::Inserted | Outcome::Replaced => operation.action.record().map(Pending::Brought),
                Outcome::Updated(record) => Some(Pending::Computed(record)),
                Outcome::Deleted | Outcome::Missing => None,
            };
        }
        Ok(pending)
    }

    /// What it takes in memory, as far as memdex can tell: its operations with the records that they bring, long keys, and
    /// what closures capture, each without what it points to. What records hold on the heap (their strings, say) is theirs
    /// and not counted. This is what [`max_bytes`](crate::BackgroundWriterBuilder::max_bytes) bounds. O(operations).
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes()).sum()
    }

    /// A number for each operation's collection and key: of one key the same, of two most likely different ones.
    pub(super) fn fingerprints(&self, fingerprints: &mut Vec<u64>) {
        self.parts.iter().for_each(|part| part.fingerprints(fingerprints));
    }

    /// Takes the operations of another batch of the same store in behind its own.
    pub(super) fn append(&mut self, other: &mut Batch) {
        debug_assert!(Arc::ptr_eq(&self.engine, &other.engine));
        for part in &mut other.parts {
            if self.parts.iter_mut().any(|own| own.append(&mut **part, self.next)) {
                continue;
            }
            let mut own = part.empty();
            own.append(&mut **part, self.next);
            self.parts.push(own);
        }
        self.next += other.next;
    }

    /// Gives the operations that [`append`](Batch::append) took last back to where it took them, when `from` was the next
    /// position.
    pub(super) fn give_back(&mut self, other: &mut Batch, from: usize) {
        for part in &mut other.parts {
            let given_back = self.parts.iter_mut().any(|own| own.give_back(&mut **part, from));
            debug_assert!(given_back);
        }
        self.next = from;
    }

    /// Drops its operations, each by itself: on a thread of memdex's own, which no panic of a `Drop` may end.
    pub(super) fn discard(mut self) {
        let panics: u64 = self.parts.iter_mut().map(|part| part.discard()).sum();
        self.engine.counters.drop_panics.fetch_add(panics, SeqCst);
    }

    /// As [`flush`](Batch::flush), of which only the caller hears when it is refused: it is no batch of the user's.
    pub(super) fn flush_unheard(&mut self) -> Result<Receipt, Refusal> {
        let receipt = attempt(&self.engine, &mut self.parts)?;
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

    fn check_store<R: Record>(&self, collection: &Collection<R>) -> Result<(), Refusal> {
        if Arc::ptr_eq(&self.engine, &collection.engine) {
            return Ok(());
        }
        Err(Refusal::new("batch", collection.name(), Cause::OtherStore))
    }

    /// The part of a collection, made if it is its first operation.
    fn part<R: Record>(&mut self, collection: &Collection<R>) -> Result<&mut Operations<R>, Refusal> {
        self.check_store(collection)?;
        let table = Arc::as_ptr(&collection.table).cast();
        if !self.parts.get(self.last_part).is_some_and(|part| part.is_of(table)) {
            self.last_part = self.parts.iter().position(|part| part.is_of(table)).unwrap_or_else(|| {
                self.parts.push(Box::new(Operations { table: collection.table.clone(), list: Vec::with_capacity(1) }));
                self.parts.len() - 1
            });
        }
        let part: &mut dyn Any = &mut *self.parts[self.last_part];
        match part.downcast_mut() {
            Some(part) => Ok(part),
            None => unreachable!("a table has one record type"),
        }
    }

    pub(super) fn add<R: Record>(
        &mut self,
        collection: &Collection<R>,
        operation: Result<Operation<R>, Refusal>,
    ) -> Result<(), Refusal> {
        let position = self.next;
        if position >= MAX_BATCH_OPERATIONS {
            let cause = Cause::BatchFull { limit: MAX_BATCH_OPERATIONS };
            return Err(Refusal::new("write", collection.name(), cause));
        }
        let part = self.part(collection)?;
        part.list.push(Operation { position, ..operation? });
        self.next += 1;
        Ok(())
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("operations", &self.operations()).finish_non_exhaustive()
    }
}

/// A record as a batch would leave it: derefs to the record.
pub enum Pending<'a, R> {
    /// As it is in the store: the batch has no operation on it.
    Committed(Handle<R>),
    /// As an operation of the batch brings it.
    Brought(&'a R),
    /// As closures of the batch make it.
    Computed(R),
}

impl<R> Deref for Pending<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        match self {
            Pending::Committed(record) => record,
            Pending::Brought(record) => record,
            Pending::Computed(record) => record,
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for Pending<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// What a closure that can't refuse makes of a record.
pub(super) fn change<R: Clone>(update: impl Fn(&mut R) + Send + 'static) -> Change<R> {
    try_change(move |record| {
        update(record);
        Ok::<(), Cause>(())
    })
}

/// What a closure makes of a record, or its refusal.
pub(super) fn try_change<R: Clone, E>(update: impl Fn(&mut R) -> Result<(), E> + Send + 'static) -> Change<R>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Box::new(move |record| {
        let mut changed = record.clone();
        update(&mut changed).map_err(|error| Cause::Closure(error.into()))?;
        Ok(changed)
    })
}
