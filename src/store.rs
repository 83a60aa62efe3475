//! The public face: the store, its parts wired together.

use crate::clock::{Clock, SystemClock};
use crate::error::{CollectionError, Commit, QueryError, Refusal};
use crate::keys::{KeyMakers, Sequence};
use crate::query::Query;
use crate::read::{Answer, Snapshot, asker, evaluate};
#[cfg(feature = "documents")]
use crate::record::Document;
use crate::record::{KeyValue, Record, Schema, key_value_schema};
use crate::storage::{
    AnyTable, Collection, CommitHook, CommitObserver, Engine, Registration, Stats, Table, VerifyError, VerifyReport,
};
use crate::sync::Arc;
use crate::user_code;
use crate::write::{BackgroundWriterBuilder, Batch, Receipt, Refused, Writer};
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
        if let Some(open_with) = R::OPENED_WITH {
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
        let collection = || name.to_owned();
        schema.check().map_err(|source| CollectionError::Schema { collection: collection(), source })?;
        let make = || {
            let seed = self.engine.seed.clone();
            Arc::new(Table::<R>::new(name, schema.clone(), seed, asker::<R>())) as Arc<dyn AnyTable>
        };
        let table = self.engine.table(name, make);
        let (registered, registered_schema) = (table.type_name(), table.schema().to_string());
        let same_schema = *table.schema() == schema;
        let Ok(table) = table.into_any().downcast::<Table<R>>() else {
            let requested = type_name::<R>();
            return Err(CollectionError::OtherType { collection: collection(), registered, requested });
        };
        if !same_schema {
            return Err(CollectionError::OtherSchema {
                collection: collection(),
                registered: registered_schema,
                requested: schema.to_string(),
            });
        }
        Ok(Collection { engine: self.engine.clone(), table, evaluate })
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

    /// Answers a question that is plain data, as of now; see [`Snapshot::query`].
    ///
    /// # Errors
    /// As [`Snapshot::query`].
    pub fn query(&self, query: &Query) -> Result<Answer, QueryError> {
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
    ///     batch.try_update(&accounts, 1, |a| {
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

    /// The store's figures. Waits for no commit. O(distinct indexed values + rows / 1,000).
    pub fn stats(&self) -> Stats {
        self.engine.stats()
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

/// Settings of a store to be; see [`Store::builder`].
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
