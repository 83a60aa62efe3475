//! The public face: the store, its parts wired together.

use crate::clock::{Clock, SystemClock};
use crate::error::{CollectionError, Commit, QueryError, Refusal};
use crate::keys::{KeyMakers, Sequence};
use crate::latency::LatencyStats;
use crate::read::{QueryResult, Snapshot};
#[cfg(feature = "documents")]
use crate::record::Document;
use crate::record::{Access, KeyValue, Record, Schema, key_value_schema};
use crate::storage::{
    AnyTable, Collection, CommitHook, CommitObserver, Engine, Registration, Stats, Table, VerifyError, VerifyReport,
};
use crate::sync::Arc;
use crate::user_code;
use crate::write::{BackgroundWriterBuilder, Batch, Receipt, Refused, Writer};
use memdex_query::query::Query;
use std::any::type_name;
use std::fmt;

/// An in-memory store: collections that share one sequence of commits. Cheap to clone; clones are the same store, and
/// it lives as long as any of its handles.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    keys: Arc<KeyMakers>,
}

impl Store {
    /// An empty store on the system's clock.
    pub fn new() -> Self {
        Store::builder().build()
    }

    /// A store with settings of its own.
    pub fn builder() -> StoreBuilder {
        StoreBuilder { clock: Box::new(SystemClock) }
    }

    /// The collection called `name`, made if there is none.
    ///
    /// # Errors
    /// A [`CollectionError`] if the name belongs to a collection of another type or schema, the schema is not sound, or
    /// the type has none of its own (a `Document`, a [`KeyValue`]).
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

    /// The collection of JSON documents called `name`, made if there is none. The schema says by their paths which fields are
    /// the key, which are indexed, and of what kind they are; see [`Document`].
    ///
    /// # Errors
    /// A [`CollectionError`] if the name belongs to a collection of another type or schema, or the schema is not sound: it
    /// has no key, an index on a path that it does not declare, or a kind that JSON does not have.
    #[cfg(feature = "documents")]
    pub fn documents(&self, name: &str, schema: Schema) -> Result<Collection<Document>, CollectionError> {
        let unsound = |source| CollectionError::Schema { collection: name.to_owned(), source };
        self.open(name, Document::schema(schema).map_err(unsound)?)
    }

    /// The collection of values of any type, each beside its key, called `name`, made if there is none. The schema says which
    /// fields may be given with a value; see [`KeyValue`].
    ///
    /// # Errors
    /// A [`CollectionError`] if the name belongs to a collection of another type or schema, or the schema is not sound.
    pub fn key_values<V>(&self, name: &str, schema: Schema) -> Result<Collection<KeyValue<V>>, CollectionError>
    where
        V: Send + Sync + 'static,
    {
        self.open(name, key_value_schema(schema))
    }

    /// The collection of this name, type and schema.
    fn open<R: Record>(&self, name: &str, schema: Schema) -> Result<Collection<R>, CollectionError> {
        if name.is_empty() {
            return Err(CollectionError::EmptyName);
        }
        let collection = || name.to_owned();
        schema.check().map_err(|source| CollectionError::Schema { collection: collection(), source })?;
        let table = self.engine.open(name, || {
            let seed = self.engine.seed.clone();
            Arc::new(Table::<R>::new(name, schema.clone(), seed))
        });
        let registered = table.type_name();
        let Ok(table) = table.into_any().downcast::<Table<R>>() else {
            let requested = type_name::<R>();
            return Err(CollectionError::OtherType { collection: collection(), registered, requested });
        };
        if table.schema != schema {
            let (registered, requested) = (table.schema.to_string(), schema.to_string());
            return Err(CollectionError::OtherSchema { collection: collection(), registered, requested });
        }
        Ok(Collection { engine: self.engine.clone(), table })
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
        let info = |table: Arc<dyn AnyTable>| CollectionInfo {
            name: table.name().to_owned(),
            record_type: table.type_name(),
            schema: table.schema().clone(),
        };
        self.engine.tables().into_iter().map(info).collect()
    }

    /// Drops the collection `name` with its records and indexes. Returns whether there was one. Atomic: a commit comes
    /// before it as a whole or after it as a whole.
    ///
    /// Opening the name again makes a new collection, of any type and schema. Handles of the dropped collection still
    /// answer queries, by snapshots too, and keep its memory; commits through them are refused with
    /// [`Cause::CollectionDropped`](crate::error::Cause::CollectionDropped). Queries by name ([`Query`]) no longer find it, even at
    /// an older snapshot. Hooks are not told, since no record changes by a commit; call
    /// [`clear`](Collection::clear) first if they must learn of it.
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
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is damaged.
    pub fn drop_collection(&self, name: &str) -> Result<bool, Refusal> {
        self.engine.drop_table(name).map_err(|cause| Refusal::new("drop_collection", name, cause))
    }

    /// The newest commit that readers see.
    pub fn newest_commit(&self) -> Commit {
        self.engine.timeline.published()
    }

    /// The store as of the newest commit, pinned until the last clone is dropped. Copies nothing and waits for nobody; see
    /// [`Snapshot`] for what it costs while it is held.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.engine)
    }

    /// Executes a query at the newest commit; see [`Snapshot::query`].
    ///
    /// # Errors
    /// As [`Snapshot::query`].
    pub fn query(&self, query: &Query) -> Result<QueryResult, QueryError> {
        self.snapshot().query(query)
    }

    /// An empty batch.
    pub fn batch(&self) -> Batch {
        Batch::new(self.engine.clone())
    }

    /// Gathers operations and commits them: all become visible at once, or none.
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
    /// [`Refused`], with the operation at fault, the cause, and the batch.
    pub fn commit(&self, gather: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<Receipt, Refused> {
        self.batch().commit_with(gather)
    }

    /// A writer for bulk: it commits on this thread, each time that enough operations have gathered.
    pub fn writer(&self) -> Writer {
        Writer::new(self.engine.clone())
    }

    /// A [`BackgroundWriter`](crate::BackgroundWriter): it commits on a thread of its own, and submitters do not wait for commits. To
    /// be set up and started:
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

    /// The sequence of this name: the same one for all who ask this store for it, from 1 at first. It need not be the name of a
    /// collection. Takes a short lock, so keep the [`Sequence`] where many numbers are needed.
    ///
    /// ```
    /// # let store = memdex::Store::new();
    /// let invoices = store.sequence("Invoice");
    /// assert_eq!((invoices.next(), invoices.next()), (1, 2));
    /// assert_eq!(store.sequence("Invoice").next(), 3);
    /// ```
    pub fn sequence(&self, name: &str) -> Sequence {
        self.keys.sequence(name)
    }

    /// A new UUID of version 7, with the time of the store's clock: greater than each that this store has made before, also within
    /// a millisecond, and where the clock stands still or runs backwards. Takes a short lock, and random bits of the operating
    /// system.
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
        self.keys.uuid_v7(self.engine.clock.now())
    }

    /// Registers a hook for every commit from now on: for none that a snapshot taken before this call sees, and for each
    /// that a snapshot taken after it does not see. Waits for the commit lock, as a commit does. Hooks stay registered as
    /// long as the store lives.
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is damaged.
    pub fn add_hook(&self, hook: Arc<impl CommitHook>) -> Result<(), Refusal> {
        self.engine.add_hook(Registration::of_hook(hook)).map_err(|cause| Refusal::new("add_hook", "", cause))
    }

    /// Registers an observer for every commit from now on, as [`add_hook`](Store::add_hook) does a hook. It costs commits
    /// less than a hook, since it can't refuse them.
    ///
    /// # Errors
    /// A [`Refusal`] inside an update closure, an extractor, a hook or `get_with`, and if the store is damaged.
    pub fn observe(&self, observer: Arc<impl CommitObserver>) -> Result<(), Refusal> {
        self.engine.add_hook(Registration::of_observer(observer)).map_err(|cause| Refusal::new("observe", "", cause))
    }

    /// Audits every structure against every record. Writers wait meanwhile, readers don't. O(records × indexes).
    ///
    /// # Errors
    /// A [`VerifyError`] with the first findings: a bug of memdex, or an extractor that has changed its mind.
    pub fn verify(&self) -> Result<VerifyReport, VerifyError> {
        let Some(_guard) = self.engine.lock_to_audit() else { return Err(VerifyError::InsideUserCode) };
        let published = self.engine.timeline.published();
        let mut report = VerifyReport::default();
        for table in self.engine.tables() {
            report += table.verify(published)?;
        }
        Ok(report)
    }

    /// Gives back memory that is not used any longer: packs row sets and the leaves of ordered indexes, shrinks tables, lists and
    /// pages. Worth its while after many deletes or a change of many values; what readers see does not change. O(rows + values), in
    /// short slices: readers and writers go on meanwhile.
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
    /// A [`Refusal`] from inside an update closure, an extractor, an observer or `get_with`, and of a damaged store.
    pub fn optimize(&self) -> Result<(), Refusal> {
        self.engine.optimize().map_err(|cause| Refusal::new("optimize", "", cause))
    }

    /// Counters, latencies and memory of the store. Waits for no commit. O(distinct indexed values + rows / 1,000).
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Returns the latencies measured since the last call, or since the store was made, and starts a new interval.
    /// [`Stats::latency`] then covers the new interval. A call that ends meanwhile counts in one of both.
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
        let collections: Vec<String> = self.engine.tables().iter().map(|table| table.name().to_owned()).collect();
        let commits = self.engine.timeline.published();
        f.debug_struct("Store").field("commits", &commits).field("collections", &collections).finish()
    }
}

/// A collection of a store; see [`Store::collections`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// The Rust type of its records.
    pub record_type: &'static str,
    /// The schema of its records.
    pub schema: Schema,
}

/// Builder of a [`Store`]; see [`Store::builder`].
pub struct StoreBuilder {
    clock: Box<dyn Clock>,
}

impl StoreBuilder {
    /// Takes all time from `clock`.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        StoreBuilder { clock: Box::new(clock) }
    }

    /// The store.
    pub fn build(self) -> Store {
        Store { engine: Arc::new(Engine::new(self.clock)), keys: Arc::new(KeyMakers::new()) }
    }
}

impl fmt::Debug for StoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder").finish_non_exhaustive()
    }
}
