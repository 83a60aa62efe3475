//! The public entry point: the store, which connects its parts.

mod builder;
mod checkpoint;
mod fork;
mod observe;
#[cfg(feature = "testing")]
mod testing;

pub use builder::StoreBuilder;

use crate::error::{CollectionError, Commit, QueryError, Refusal};
use crate::keys::Sequence;
use crate::latency::LatencyStats;
use crate::read::cache::{AnswersOfStore, Cache};
use crate::read::{QueryResult, Snapshot};
#[cfg(feature = "documents")]
use crate::record::Document;
use crate::record::{Access, KeyValue, Record, Schema, key_value_schema};
use crate::storage::{
    At, Collection, Engine, Erase, Meter, RecordType, Registered, Stats, Table, TableOf, VerifyError, VerifyProgress,
    VerifyReport,
};
use crate::sync::{Arc, Mutex};
use crate::user_code;
use crate::write::any_collection::AnyCollection;
use crate::write::{BackgroundWriterBuilder, Batch, Receipt, Refused, Undone, Writer, remove_some};
use memdex_query::query::Query;
use std::any::{Any, type_name};
use std::fmt;

/// The handle of a table of `R`s, for [`Store::any_collection`]: a boxed `Arc<dyn AnyCollection>`.
fn erased<R: Record>(engine: &Arc<Engine>, table: Arc<Table>) -> Box<dyn Any> {
    match TableOf::<R>::new(table) {
        Some(table) => {
            let collection: Arc<dyn AnyCollection> = Arc::new(Collection { engine: engine.clone(), table });
            Box::new(collection)
        }
        None => Box::new(()),
    }
}

/// Removes records that have expired, by at most one commit for each collection. Returns how many it was, and whether there may be more.
fn remove_expired(engine: &Arc<Engine>) -> Result<(usize, bool), Refusal> {
    let (mut records, mut more) = (0, false);
    for Registered { table, .. } in engine.registered_with_deadlines() {
        let (removed, left) = remove_some(engine, &table)?;
        records += removed;
        more |= left;
    }
    Ok((records, more))
}

/// An in-memory store: collections that share one sequence of commits. Cheap to clone; clones refer to the same store,
/// which lives as long as any of its handles.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    /// The rollbacks to checkpoints.
    undone: Arc<Mutex<Undone>>,
}

impl Store {
    /// Creates an empty store that uses the system clock.
    pub fn new() -> Self {
        Store::builder().build()
    }

    #[cfg(feature = "saved")]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Returns a builder, for a store with other settings.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }

    /// The collection `name`, created if it does not exist.
    ///
    /// # Errors
    /// A [`CollectionError`] if the name belongs to a collection of another type or schema, the schema is invalid, a reference does not fit the
    /// key of the other collection, or the type does not define a schema (a `Document`, a [`KeyValue`]).
    pub fn collection<R: Record>(&self, name: &str) -> Result<Collection<R>, CollectionError> {
        let collection = || name.to_owned();
        if let Some(open_with) = R::opened_with() {
            let requested = type_name::<R>();
            return Err(CollectionError::NeedsSchema { collection: collection(), requested, open_with });
        }
        let schema = user_code::run(R::schema)
            .map_err(|message| CollectionError::Panicked { collection: collection(), message })?;
        self.open(name, schema)
    }

    /// The collection of JSON documents `name`, created if it does not exist. The schema declares, by their paths, the
    /// key, the indexed fields and the kinds of all fields. A field can be of any kind: times, dates, UUIDs, decimals and
    /// bytes are read from text. See [`Document`].
    ///
    /// # Errors
    /// A [`CollectionError`] if the name belongs to a collection of another type or schema, or the schema is invalid:
    /// it has no key, or an index on a path that it does not declare.
    #[cfg(feature = "documents")]
    pub fn documents(&self, name: &str, schema: Schema) -> Result<Collection<Document>, CollectionError> {
        self.open(name, Document::schema(schema))
    }

    /// The collection `name` of values of any type with separate keys, created if it does not exist. The schema
    /// declares the fields that can be stored with a value; see [`KeyValue`].
    ///
    /// # Errors
    /// A [`CollectionError`] if the name belongs to a collection of another type or schema, or the schema is invalid.
    pub fn key_values<V>(&self, name: &str, schema: Schema) -> Result<Collection<KeyValue<V>>, CollectionError>
    where
        V: Send + Sync + 'static,
    {
        self.open(name, key_value_schema(schema))
    }

    /// The collection of this name, type and schema.
    fn open<R: Record>(&self, name: &str, schema: Schema) -> Result<Collection<R>, CollectionError> {
        let table = self.open_table(name, schema, RecordType::of::<R>(), erased::<R>)?;
        match TableOf::new(table) {
            Some(table) => Ok(Collection { engine: self.engine.clone(), table }),
            None => unreachable!("the type has been compared"),
        }
    }

    fn open_table(
        &self,
        name: &str,
        schema: Schema,
        record_type: RecordType,
        erase: Erase,
    ) -> Result<Arc<Table>, CollectionError> {
        if name.is_empty() {
            return Err(CollectionError::EmptyName);
        }
        let collection = || name.to_owned();
        schema.check().map_err(|source| CollectionError::Schema { collection: collection(), source })?;
        let new = || {
            let Engine { seed, counters, .. } = &*self.engine;
            Arc::new(Table::new(record_type, name, schema.clone(), seed.clone(), counters.clone()))
        };
        // Under no lock: a fork may copy the collection now, and extractors may open it too.
        let table = match self.engine.find(name).map_err(|cause| cause.of(name))? {
            Some(known) => known.table,
            None => {
                // Those to which it refers, too.
                for reference in schema.references() {
                    self.engine.table(reference.to());
                }
                // Before anybody finds the collection, its references are known.
                let _kept = self.engine.links.keep();
                if self.engine.find(name).map_err(|cause| cause.of(name))?.is_none() {
                    let record = record_type.cloner.is_none().then_some(record_type.name);
                    self.engine.links.add(name, &schema, record, |to| self.engine.table(to))?;
                }
                self.engine.open(name, new, erase).map_err(|cause| cause.of(name))?
            }
        };
        if table.record_type.id != record_type.id {
            let (registered, requested) = (table.record_type.name, record_type.name);
            return Err(CollectionError::OtherType { collection: collection(), registered, requested });
        }
        if table.schema != schema {
            let (registered, requested) = (table.schema.to_string(), schema.to_string());
            return Err(CollectionError::OtherSchema { collection: collection(), registered, requested });
        }
        Ok(table)
    }

    /// The collection `name` without its record type, for generic tools; `None` if there is none.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// let store = Store::new();
    /// store.collection::<User>("User")?;
    /// assert_eq!(store.any_collection("User").unwrap().schema().fields()[0].name(), "id");
    /// assert!(store.any_collection("Payment").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn any_collection(&self, name: &str) -> Option<Arc<dyn AnyCollection>> {
        let Registered { table, erase, .. } = self.engine.find(name).ok().flatten()?;
        erase(&self.engine, table).downcast().ok().map(|handle| *handle)
    }

    /// The collections of this store, in the order in which they were opened.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// let store = Store::new();
    /// store.collection::<User>("User")?;
    /// let collections = store.collections();
    /// assert_eq!((collections.len(), &*collections[0].name), (1, "User"));
    /// assert_eq!(collections[0].schema.fields()[1].name(), "city");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collections(&self) -> Vec<CollectionInfo> {
        let info = |table: Arc<Table>| CollectionInfo {
            name: table.name.to_string(),
            record_type: table.record_type.name,
            schema: table.schema.clone(),
        };
        self.engine.tables().into_iter().chain(self.engine.unopened()).map(info).collect()
    }

    /// Drops the collection `name` with its records and indexes. Returns whether it existed. Atomic: each commit
    /// happens completely before or completely after it.
    ///
    /// Opening the name again creates a new collection, of any type and schema. Handles of the dropped collection still
    /// answer queries, on snapshots too, and keep its memory. Commits through them are refused with
    /// [`Cause::CollectionDropped`](crate::error::Cause::CollectionDropped). Queries by name ([`Query`]) no longer find
    /// it, even at an older snapshot. Subscriptions [report](crate::hook::FeedEvent::Dropped) it. Hooks are not called, since no commit changes a record; call
    /// [`clear`](Collection::clear) first if they must learn of the deletion.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// # let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// users.store(User { id: 1 })?;
    /// assert!(store.drop_collection("User")?);
    /// assert!(users.get(1).is_some() && users.store(User { id: 2 }).is_err());
    /// assert!(store.collection::<User>("User")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is poisoned;
    /// [`Cause::IsReferredTo`](crate::error::Cause::IsReferredTo) if another collection with records refers to this one.
    pub fn drop_collection(&self, name: &str) -> Result<bool, Refusal> {
        self.engine.drop_table(name).map_err(|cause| Refusal::new("drop_collection", name, cause))
    }

    /// The newest commit that readers see.
    pub fn newest_commit(&self) -> Commit {
        self.engine.refresh_if_due();
        self.engine.timeline.published()
    }

    /// The store at the newest commit, pinned until the last clone is dropped. Copies nothing and never blocks; see
    /// [`Snapshot`] for what it costs while it is held.
    pub fn snapshot(&self) -> Snapshot {
        #[cfg(feature = "testing")]
        self.meet_snapshot();
        if self.engine.is_fork() {
            self.engine.tables().iter().for_each(|table| table.catch_up(&self.engine));
        }
        Snapshot::new(&self.engine)
    }

    /// Executes a query at the newest commit; see [`Snapshot::query`].
    ///
    /// # Errors
    /// As [`Snapshot::query`].
    pub fn query(&self, query: &Query) -> Result<QueryResult, QueryError> {
        self.snapshot().query(query)
    }

    /// Creates an empty batch.
    pub fn batch(&self) -> Batch {
        Batch::new(self.engine.clone())
    }

    /// Collects operations and commits them: either all become visible at once, or none.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct Account { #[record(key)] id: u32, balance: i64 }
    /// # let store = Store::new();
    /// # let accounts = store.collection::<Account>("Account")?;
    /// # accounts.store(Account { id: 1, balance: 100 })?;
    /// # accounts.store(Account { id: 2, balance: 0 })?;
    /// store.commit(|batch| {
    ///     batch.update(&accounts, 1, |a| {
    ///         a.balance = a.balance.checked_sub(30).filter(|b| *b >= 0).ok_or("not enough")?;
    ///         Ok::<(), &str>(())
    ///     })?;
    ///     batch.update(&accounts, 2, |a| a.balance += 30)
    /// })?;
    /// # assert_eq!(accounts.get(2).unwrap().balance, 30);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`], with the failed operation, the cause, and the batch.
    pub fn commit(&self, gather: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<Receipt, Refused> {
        self.batch().commit_with(gather)
    }

    /// Creates a writer for bulk loads: it commits on the calling thread whenever enough operations are buffered.
    pub fn writer(&self) -> Writer {
        Writer::new(self.engine.clone())
    }

    /// Configures a [`BackgroundWriter`](crate::BackgroundWriter), which commits on its own thread, so that submitters
    /// do not wait for commits.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # use std::time::Duration;
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// let background = store.background_writer().bulk_size(500).linger(Duration::from_millis(5)).start()?;
    /// let ticket = background.submit_with(|batch| batch.insert(&users, User { id: 1 }))?;
    /// background.flush()?;
    /// assert!(ticket.is_answered() && users.contains(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn background_writer(&self) -> BackgroundWriterBuilder {
        BackgroundWriterBuilder::new(self.engine.clone())
    }

    /// The sequence `name`, which starts at 1. All calls with the same name share it. The name need not be that of a
    /// collection. Each call takes a short lock, so keep the [`Sequence`] if you need many numbers.
    ///
    /// ```
    /// # let store = memdex::Store::new();
    /// let invoices = store.sequence("Invoice");
    /// assert_eq!((invoices.next(), invoices.next()), (1, 2));
    /// assert_eq!(store.sequence("Invoice").next(), 3);
    /// ```
    pub fn sequence(&self, name: &str) -> Sequence {
        self.engine.keys.sequence(name)
    }

    /// Returns a new UUID of version 7 with the time of the store's clock. It is greater than every UUID that this
    /// store has returned before, even within a millisecond, and if the clock stops or runs backwards. Takes a short
    /// lock, and reads random bits from the operating system.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// #[derive(Record)]
    /// struct Payment { #[record(key)] id: uuid::Uuid, #[record(field)] amount_cents: i64 }
    ///
    /// let store = Store::new();
    /// let payments = store.collection::<Payment>("Payment")?;
    /// let id = store.uuid_v7();
    /// payments.insert(Payment { id, amount_cents: 500 })?;
    /// assert!(payments.contains(id) && store.uuid_v7() > id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "uuid")]
    pub fn uuid_v7(&self) -> uuid::Uuid {
        self.engine.keys.uuid_v7(self.engine.clock.now())
    }

    /// Removes all records whose [lifetime](crate::write::Lifetime) has ended, in commits of up to 100 records, and returns how many it was. Reads
    /// and commands never see such records; this gives back their memory, and tells hooks and observers. See
    /// [`StoreBuilder::expire_in_background`] for a thread that does it.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::clock::ManualClock;
    /// use std::time::Duration;
    ///
    /// #[derive(Record)]
    /// struct Session { #[record(key)] id: u32 }
    ///
    /// let clock = ManualClock::default();
    /// let store = Store::builder().clock(clock.clone()).build();
    /// let sessions = store.collection::<Session>("Session")?;
    /// sessions.with_lifetime(Duration::from_secs(60)).store(Session { id: 1 })?;
    /// assert_eq!(store.expire_now()?, 0);
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(sessions.len(), 0);
    /// assert_eq!(store.expire_now()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, if a hook refuses a commit, and if the store is
    /// poisoned.
    pub fn expire_now(&self) -> Result<usize, Refusal> {
        let mut records = 0;
        loop {
            let (removed, more) = remove_expired(&self.engine)?;
            records += removed;
            if !more {
                return Ok(records);
            }
        }
    }

    /// Checks every structure against every record, and the counted memory by a walk. Blocks writers, but not readers.
    /// O(records × indexes), on as many threads as there are cores.
    ///
    /// # Errors
    /// A [`VerifyError`] with the first findings: a bug in memdex, or an extractor or `heap_size` that returns different
    /// results for the same record.
    pub fn verify(&self) -> Result<VerifyReport, VerifyError> {
        self.verify_with(|_| ())
    }

    /// [`verify`](Store::verify) that reports its progress, after about every 65,536 checks.
    ///
    /// `progress` is called on several threads, one at a time; the reports ascend. Writes from inside it are refused. If it
    /// panics, it is not called again, and the panic reaches the caller after the audit.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// # users.store(User { id: 1, city: "Ulm".into() })?;
    /// let mut last = 0;
    /// store.verify_with(|progress| last = progress.done * 100 / progress.total)?;
    /// assert_eq!(last, 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`verify`](Store::verify).
    pub fn verify_with(&self, mut progress: impl FnMut(VerifyProgress) + Send) -> Result<VerifyReport, VerifyError> {
        let Some(_guard) = self.engine.lock_to_audit() else { return Err(VerifyError::InsideUserCode) };
        let at = At { epoch: self.engine.timeline.newest(), time: self.engine.clock.for_reader() };
        let tables = self.engine.tables();
        let meter = Meter::new(tables.iter().map(|table| table.checks_of_audit()).sum(), &mut progress);
        let mut report = VerifyReport::default();
        for table in tables {
            report += table.verify(at, &meter)?;
        }
        Ok(report)
    }

    /// Frees unused memory: drops what ended snapshots kept, packs row sets and the leaves of ordered indexes, shrinks tables and
    /// lists, and gives back pages whose records are all deleted.
    /// Useful after many deletes or a change of many values. Query results do not change. O(rows + values). Writers
    /// wait for a turn of about half a millisecond, and commit between two turns; an empty collection takes one.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// # (0..2_000).try_for_each(|id| users.store(User { id, city: id.to_string() }).map(drop))?;
    /// # (5..2_000).try_for_each(|id| users.delete(id).map(drop))?;
    /// let before = store.stats().collections[0].memory.total();
    /// store.optimize()?;
    /// assert!(store.stats().collections[0].memory.total() < before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is poisoned.
    pub fn optimize(&self) -> Result<(), Refusal> {
        self.engine.optimize().map(drop).map_err(|cause| Refusal::new("optimize", "", cause))
    }

    /// The cache of query results, to drop answers. See the module [`cache`](crate::query::cache).
    pub fn cache(&self) -> Cache {
        Cache::of_store(&self.engine)
    }

    /// Counters, latencies and memory of the store. Never waits for a commit. O(distinct indexed values + rows /
    /// 1,000).
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Returns the latencies measured since the last call, or since the store was made, and starts a new interval.
    /// [`Stats::latency`] then covers the new interval. A call that ends meanwhile is counted in one of the two.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// users.store(User { id: 1 })?;
    /// assert_eq!(store.stats().latency.commit.count, 1);
    /// assert_eq!(store.take_latency().commit.count, 1);
    /// assert_eq!(store.stats().latency.commit.count, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_latency(&self) -> LatencyStats {
        self.engine.latency.take()
    }
}

impl Default for Store {
    fn default() -> Self {
        Store::new()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collections: Vec<String> = self.engine.tables().iter().map(|table| table.name.to_string()).collect();
        let commits = self.engine.timeline.published();
        f.debug_struct("Store").field("commits", &commits).field("collections", &collections).finish()
    }
}

/// A collection of a store; see [`Store::collections`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CollectionInfo {
    /// The name of the collection.
    pub name: String,
    /// The Rust type of its records.
    pub record_type: &'static str,
    /// The schema of its records.
    pub schema: Schema,
}

impl StoreBuilder {
    /// Creates the store.
    ///
    /// # Panics
    /// If the system cannot start the thread of [`reclaim_in_background`](Self::reclaim_in_background) or of
    /// [`expire_in_background`](Self::expire_in_background).
    pub fn build(self) -> Store {
        let answers = Arc::new(AnswersOfStore::new(self.cache));
        let engine = Engine::new(self.clock, self.reclaims_in_background, answers);
        if self.expires_in_background {
            // A store that refuses writes removes nothing any more.
            engine.start_reaper(|engine| remove_expired(engine).is_ok_and(|(_, more)| more));
        }
        Store { engine, undone: Arc::default() }
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::limits::UPKEEP_WORK;
    use crate::record::FieldDef;
    use memdex_query::value::Kind;

    #[test]
    fn upkeep_takes_turns_of_the_commit_lock_in_proportion_to_its_work() {
        let store = Store::new();
        let fields = [
            FieldDef::new("city", Kind::Str).index(),
            FieldDef::new("mail", Kind::Str).unique(),
            FieldDef::new("age", Kind::Int).ordered(),
            FieldDef::new("pay", Kind::Int).column(),
        ];
        let users = store.key_values::<()>("User", Schema::new(fields)).unwrap();
        let turns = || store.engine.optimize().unwrap();
        let put = |ids: std::ops::Range<usize>| {
            let user = |id: usize| {
                let user = KeyValue::new(format!("u-{id}"), ()).with("city", format!("city {}", id % 1_000));
                user.with("mail", format!("{id}@example.com")).with("age", id % 100).with("pay", id)
            };
            store.commit(|batch| ids.into_iter().try_for_each(|id| batch.store(&users, user(id)))).unwrap();
        };
        assert_eq!(turns(), 1, "an empty collection");
        put(0..100);
        assert!(turns() <= 2, "a small collection");
        put(100..50_000);
        // Each record is in five structures.
        let large = turns();
        assert!((2..=50_000 * 5 / UPKEEP_WORK).contains(&large), "{large}");
        assert!(turns() <= large, "what is packed already");
        store.verify().unwrap();
    }
}
