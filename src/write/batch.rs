//! A batch: operations on any collections of one store, gathered to be committed together.

use super::commit::{attempt, commit, refused};
use super::operation::{Change, Effect, Operation, Target};
use super::receipt::{Receipt, Refused};
use super::report::{Asked, Notes, OperationInfo, Report, TakenOperation};
use super::stage::{Part, Single, Staged, StagedPart};
use crate::error::{Cause, Refusal};
use crate::limits::MAX_BATCH_OPERATIONS;
use crate::record::{Lookup, Record};
use crate::storage::{Collection, Engine, Handle, Table};
use crate::sync::{Arc, Ordering::SeqCst};
use crate::user_code;
use crate::value::IntoKey;
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
            operation: operation.name(),
            collection: self.table.name.to_string(),
            key: operation.key().cloned(),
        }
    }

    fn single(&self, operation: Operation<R>) -> Single {
        let info = self.info(&operation);
        (info, Box::new(Operations { table: self.table.clone(), list: vec![operation] }))
    }

    fn at(&self, position: usize) -> Option<usize> {
        self.list.binary_search_by_key(&position, |operation| operation.position).ok()
    }
}

impl<R: Record> Part for Operations<R> {
    fn len(&self) -> usize {
        self.list.len()
    }

    fn stage(&mut self, asked: Asked) -> Result<Box<dyn StagedPart + '_>, Refusal> {
        Ok(Box::new(Staged::new(&self.table, &mut self.list, asked)?))
    }

    fn is_of(&self, table: *const ()) -> bool {
        Arc::as_ptr(&self.table).cast() == table
    }

    fn truncate(&mut self, position: usize) {
        self.list.truncate(self.list.partition_point(|operation| operation.position < position));
    }

    fn remove(&mut self, position: usize) -> Option<Single> {
        let operation = self.list.remove(self.at(position)?);
        Some(self.single(operation))
    }

    fn take_all(&mut self) -> Vec<Single> {
        if self.list.is_empty() {
            return Vec::new(); // with its room, which the next batch needs
        }
        std::mem::take(&mut self.list).into_iter().map(|operation| self.single(operation)).collect()
    }

    fn take_record(&mut self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.list.first_mut()?.action.take_record()?))
    }

    fn set_position(&mut self, position: usize) {
        self.list.iter_mut().take(1).for_each(|operation| operation.position = position);
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

    fn infos(&self, infos: &mut Vec<OperationInfo>) {
        infos.extend(self.list.iter().map(|operation| self.info(operation)));
    }

    fn bytes(&self) -> usize {
        let of_key = |operation: &Operation<R>| operation.key().map_or(0, |key| key.heap_bytes());
        let of_heap = |operation: &Operation<R>| of_key(operation) + operation.action.closure_bytes();
        size_of_val(&*self.list) + self.list.iter().map(of_heap).sum::<usize>()
    }

    fn fingerprints(&self, fingerprints: &mut Vec<u64>) -> bool {
        let table = (Arc::as_ptr(&self.table).addr() as u64).rotate_left(32);
        fingerprints.extend(self.list.iter().map(|operation| table ^ u64::from(operation.hash())));
        self.list.iter().all(|operation| operation.key().is_some())
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

    /// As [`commit`](Batch::commit), and tells what each operation did. 24 bytes an operation.
    ///
    /// ```
    /// # use memdex::{Outcome, Record, Store};
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
    /// As [`commit`](Batch::commit). A report that is given has nothing refused.
    pub fn commit_reported(mut self) -> Result<Report, Refused> {
        let asked = Asked { outcomes: true, ..Asked::default() };
        self.flush_noted(asked).map_err(|refusal| Refused::new(refusal, self))
    }

    /// Commits what can be, at once: an operation that is refused is left out as if it had never been in the batch, so those
    /// after it meet the state without it, and the report gives it back. What a report lists as refused is lost with it.
    ///
    /// A record that can't be indexed is found when all operations have been applied. Then those that made such records are
    /// left out, the others are applied anew, and so on until what remains can be: up to as many passes as there are
    /// operations that rest on one another, on one key or by the unique values that they hand on. Closures run again in each,
    /// and all writers wait. If all is refused, there is no commit.
    ///
    /// ```
    /// # use memdex::{Cause, Outcome, Record, Store};
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
    /// [`Refused`], with the batch as it was, only for what concerns no single operation: the collection is full, the store
    /// is damaged, or this is inside user code.
    pub fn commit_lenient(mut self) -> Result<Report, Refused> {
        let asked = Asked { outcomes: true, lenient: true, ..Asked::default() };
        self.flush_noted(asked).map_err(|refusal| Refused::new(refusal, self))
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

    /// As [`flush`](Batch::flush), with what is asked for. What is left out moves into the report.
    pub(super) fn flush_noted(&mut self, asked: Asked) -> Result<Report, Refusal> {
        let mut notes = Notes { asked, ..Notes::default() };
        let receipt = attempt(&self.engine, &mut self.parts, Some(&mut notes));
        let receipt = receipt.inspect_err(|refusal| refused(&self.engine, refusal))?;
        notes.refusals.iter().for_each(|refusal| refused(&self.engine, refusal));
        self.next = 0;
        let engine = &self.engine;
        let left_out = self.parts.iter_mut().flat_map(|part| part.take_all());
        let taken = left_out.map(|(info, part)| TakenOperation { info, part, engine: engine.clone() }).collect();
        Ok(Report::new(receipt, notes, taken))
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
        let (info, part) = self.parts.iter_mut().find_map(|part| part.remove(position))?;
        Some(TakenOperation { info, part, engine: self.engine.clone() })
    }

    /// Puts an operation that was taken out of a batch, or was left out of a [lenient](Batch::commit_lenient) one, behind
    /// the others.
    ///
    /// # Errors
    /// If it is not taken: it is another store's, or the batch is full. It is dropped then.
    pub fn put_back(&mut self, operation: TakenOperation) -> Result<(), Refusal> {
        let TakenOperation { info, mut part, engine } = operation;
        let refuse = |cause| Err(Refusal::new(info.operation, &info.collection, cause));
        if !Arc::ptr_eq(&self.engine, &engine) {
            return refuse(Cause::OtherStore);
        }
        if self.next >= MAX_BATCH_OPERATIONS {
            return refuse(Cause::BatchFull { limit: MAX_BATCH_OPERATIONS });
        }
        part.set_position(self.next);
        if !self.parts.iter_mut().any(|own| own.append(&mut *part, 0)) {
            self.parts.push(part);
        }
        self.next += 1;
        Ok(())
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
        let mut key = committed.as_ref().map(|committed| committed.key().clone());
        let begin = committed.as_ref().map(Handle::commit);
        let mut pending = committed.map(Pending::Committed);
        let part = self.parts.iter().find(|part| part.is_of(Arc::as_ptr(&collection.table).cast()));
        let part = part.and_then(|part| (&**part as &dyn Any).downcast_ref::<Operations<R>>());
        let operations = part.map_or(&[][..], |part| &part.list);
        for operation in operations {
            let present = pending.as_deref();
            let key = match &operation.target {
                Target::Key { key: own, hash } if *hash == lookup.hash && lookup.matches(own) => {
                    &*key.get_or_insert_with(|| own.clone())
                }
                Target::Key { .. } => continue,
                Target::Where(condition) => {
                    let (Some(record), Some(key)) = (present, &key) else { continue };
                    let refuse = |cause| operation.refusal_at(&collection.table, Some(key), cause);
                    if !condition.holds(record).map_err(refuse)? {
                        continue;
                    }
                    key
                }
            };
            let effect = operation.effect(&collection.table, key, present, begin);
            pending = match effect.map_err(|cause| operation.refusal_at(&collection.table, Some(key), cause))? {
                Effect::Inserted | Effect::Replaced => operation.action.record().map(Pending::Brought),
                Effect::Updated(record) => Some(Pending::Computed(record)),
                Effect::Deleted | Effect::Missing => None,
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
    pub(super) fn fingerprints(&self, fingerprints: &mut Vec<u64>) -> bool {
        let mut by_key = true;
        // Each part adds its own, also behind one that is not by key.
        self.parts.iter().for_each(|part| by_key &= part.fingerprints(fingerprints));
        by_key
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

    /// As [`flush`](Batch::flush), of several submissions. Only the caller hears when it is refused: it is no batch of the user's,
    /// and it may be refused where none of the submissions is.
    pub(super) fn flush_unheard(&mut self) -> Result<Receipt, Refusal> {
        let mut notes = Notes { asked: Asked { several: true, ..Asked::default() }, ..Notes::default() };
        let receipt = attempt(&self.engine, &mut self.parts, Some(&mut notes))?;
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
