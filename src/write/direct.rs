//! Every command there is, once as operations of a batch or a writer, once as a commit of its own.

use super::batch::{Batch, change, try_change};
use super::lenient::LenientWriter;
use super::operation::{Action, Operation};
use super::receipt::{Receipt, Refused};
use super::writer::{Writer, WriterError};
use crate::error::{Commit, Refusal};
use crate::query::Filter;
use crate::record::Record;
use crate::storage::Collection;
use crate::value::IntoKey;
use std::error::Error;

/// The commands of `$gatherer`, which puts each operation where `add` says.
macro_rules! gathered_commands {
    ($gatherer:ty, $error:ty) => {
        impl $gatherer {
            /// Stores a record: inserts it, or replaces the one that has its key.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn store<R: Record>(&mut self, collection: &Collection<R>, record: R) -> Result<(), $error> {
                self.add(collection, Operation::of_record(&collection.table, None, Action::Store(record)))
            }

            /// Replaces the record that has the key of this one, provided that it is as the caller saw it at commit
            /// `seen` ([`Handle::commit`](crate::Handle::commit)). Otherwise the batch is refused.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn store_if<R: Record>(
                &mut self,
                collection: &Collection<R>,
                seen: Commit,
                record: R,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_record(&collection.table, Some(seen), Action::Store(record)))
            }

            /// Inserts a record. The batch is refused if a record has its key.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn insert<R: Record>(&mut self, collection: &Collection<R>, record: R) -> Result<(), $error> {
                self.add(collection, Operation::of_record(&collection.table, None, Action::Insert(record)))
            }

            /// Changes the record of a key. The batch is refused if there is none, or if the closure changes the key.
            ///
            /// The closure runs when the batch is committed, on a clone; it may run again, so it must not have effects. All
            /// writers wait for it: it must not wait for a thread that writes.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn update<R: Record + Clone, Q: IntoKey<R::Key>>(
                &mut self,
                collection: &Collection<R>,
                key: Q,
                update: impl Fn(&mut R) + Send + 'static,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_key(&collection.table, &key, None, Action::Update(change(update))))
            }

            /// As `update`, provided that the record is as the caller saw it at commit `seen`.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn update_if<R: Record + Clone, Q: IntoKey<R::Key>>(
                &mut self,
                collection: &Collection<R>,
                seen: Commit,
                key: Q,
                update: impl Fn(&mut R) + Send + 'static,
            ) -> Result<(), $error> {
                let action = Action::Update(change(update));
                self.add(collection, Operation::of_key(&collection.table, &key, Some(seen), action))
            }

            /// As `update`, with a closure that may refuse: then the whole batch is refused.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn try_update<R: Record + Clone, Q: IntoKey<R::Key>, E: Into<Box<dyn Error + Send + Sync>>>(
                &mut self,
                collection: &Collection<R>,
                key: Q,
                update: impl Fn(&mut R) -> Result<(), E> + Send + 'static,
            ) -> Result<(), $error> {
                let action = Action::Update(try_change(update));
                self.add(collection, Operation::of_key(&collection.table, &key, None, action))
            }

            /// As `try_update`, provided that the record is as the caller saw it at commit `seen`.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn try_update_if<R: Record + Clone, Q: IntoKey<R::Key>, E: Into<Box<dyn Error + Send + Sync>>>(
                &mut self,
                collection: &Collection<R>,
                seen: Commit,
                key: Q,
                update: impl Fn(&mut R) -> Result<(), E> + Send + 'static,
            ) -> Result<(), $error> {
                let action = Action::Update(try_change(update));
                self.add(collection, Operation::of_key(&collection.table, &key, Some(seen), action))
            }

            /// Inserts `record`, or changes the one that has its key as `update` does.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn upsert<R: Record + Clone>(
                &mut self,
                collection: &Collection<R>,
                record: R,
                update: impl Fn(&mut R) + Send + 'static,
            ) -> Result<(), $error> {
                let action = Action::Upsert(record, change(update));
                self.add(collection, Operation::of_record(&collection.table, None, action))
            }

            /// Deletes the record of a key. A missing one is counted, and no error.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn delete<R: Record, Q: IntoKey<R::Key>>(
                &mut self,
                collection: &Collection<R>,
                key: Q,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_key(&collection.table, &key, None, Action::Delete))
            }

            /// Deletes the record of a key, provided that it is as the caller saw it at commit `seen`. Otherwise, a
            /// missing one included, the batch is refused.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the key can't be one, or the batch is full.
            pub fn delete_if<R: Record, Q: IntoKey<R::Key>>(
                &mut self,
                collection: &Collection<R>,
                seen: Commit,
                key: Q,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_key(&collection.table, &key, Some(seen), Action::Delete))
            }

            /// Changes every record that a filter means, as `update` does: of those that earlier operations of the batch have
            /// changed, as they have left them; of all others, as they are committed when the batch's turn has come.
            /// Counted by the records; none is no error. A record whose closure changes the key refuses the batch.
            ///
            /// Costs what the query costs, a look at each record that the batch has changed before, and an update of each
            /// record that is meant. All writers wait for it.
            ///
            /// ```
            /// # use memdex::{Record, Store};
            /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
            /// # let store = Store::new();
            /// # let users = store.collection::<User>("User")?;
            /// users.insert(User { id: 1, city: "Bern".into() })?;
            /// let mut batch = store.batch();
            /// batch.insert(&users, User { id: 2, city: "Bern".into() })?;
            /// batch.update_where(&users, user::CITY.eq("Bern"), |user| user.city = "Thun".into())?;
            /// batch.delete_where(&users, user::CITY.eq("Bern"))?; // none any longer
            /// assert_eq!(batch.commit()?.counts.updated, 2);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the filter does not fit its schema
            /// ([`Cause::Query`](crate::Cause::Query)), or the batch is full.
            pub fn update_where<R: Record + Clone>(
                &mut self,
                collection: &Collection<R>,
                filter: impl Into<Filter<R>>,
                update: impl Fn(&mut R) + Send + 'static,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_filter(collection, filter, Action::Update(change(update))))
            }

            /// As `update_where`, with a closure that may refuse: then the whole batch is refused.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the filter does not fit its schema
            /// ([`Cause::Query`](crate::Cause::Query)), or the batch is full.
            pub fn try_update_where<R: Record + Clone, E: Into<Box<dyn Error + Send + Sync>>>(
                &mut self,
                collection: &Collection<R>,
                filter: impl Into<Filter<R>>,
                update: impl Fn(&mut R) -> Result<(), E> + Send + 'static,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_filter(collection, filter, Action::Update(try_change(update))))
            }

            /// Deletes every record that a filter means, seeing and costing what `update_where` does. Counted by the
            /// records; none is no error.
            ///
            /// # Errors
            /// If the operation is not taken: the collection is another store's, the filter does not fit its schema
            /// ([`Cause::Query`](crate::Cause::Query)), or the batch is full.
            pub fn delete_where<R: Record>(
                &mut self,
                collection: &Collection<R>,
                filter: impl Into<Filter<R>>,
            ) -> Result<(), $error> {
                self.add(collection, Operation::of_filter(collection, filter, Action::Delete))
            }
        }
    };
}

gathered_commands!(Batch, Refusal);
gathered_commands!(Writer, WriterError);
gathered_commands!(LenientWriter, WriterError);

/// Commands that are a commit each, or refused with nothing done. Where several belong together, or many come at once, use a [`Batch`] or a
/// [`Writer`]: a commit costs more than its operation.
impl<R: Record> Collection<R> {
    /// Stores a record: inserts it, or replaces the one that has its key.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn store(&self, record: R) -> Result<Receipt, Refused> {
        self.alone(|batch| batch.store(self, record))
    }

    /// Replaces the record that has the key of this one, provided that it is as the caller saw it at commit `seen`
    /// ([`Handle::commit`](crate::Handle::commit)).
    ///
    /// ```
    /// # use memdex::{Cause, Record, Store};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, visits: u64 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// users.store(User { id: 1, visits: 0 })?;
    /// let seen = users.get(1).unwrap();
    /// users.update(1, |user| user.visits = 7)?; // somebody else was faster
    /// let refused = users.store_if(seen.commit(), User { id: 1, visits: seen.visits + 1 }).unwrap_err();
    /// assert!(matches!(refused.cause(), Cause::Stale { seen, now: Some(now) } if *seen == 1 && *now == 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn store_if(&self, seen: Commit, record: R) -> Result<Receipt, Refused> {
        self.alone(|batch| batch.store_if(self, seen, record))
    }

    /// Inserts a record. Refused if a record has its key.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn insert(&self, record: R) -> Result<Receipt, Refused> {
        self.alone(|batch| batch.insert(self, record))
    }

    /// Changes the record of a key. Refused if there is none, or if the closure changes the key.
    ///
    /// The closure works on a clone. Reads of the store work inside it, writes are refused there; it must not wait for a
    /// thread that writes, since all writers wait for it.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn update<Q: IntoKey<R::Key>>(
        &self,
        key: Q,
        update: impl Fn(&mut R) + Send + 'static,
    ) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.update(self, key, update))
    }

    /// As [`update`](Collection::update), provided that the record is as the caller saw it at commit `seen`.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn update_if<Q: IntoKey<R::Key>>(
        &self,
        seen: Commit,
        key: Q,
        update: impl Fn(&mut R) + Send + 'static,
    ) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.update_if(self, seen, key, update))
    }

    /// As [`update`](Collection::update), with a closure that may refuse.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn try_update<Q: IntoKey<R::Key>, E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        key: Q,
        update: impl Fn(&mut R) -> Result<(), E> + Send + 'static,
    ) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.try_update(self, key, update))
    }

    /// As [`try_update`](Collection::try_update), provided that the record is as the caller saw it at commit `seen`.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn try_update_if<Q: IntoKey<R::Key>, E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        seen: Commit,
        key: Q,
        update: impl Fn(&mut R) -> Result<(), E> + Send + 'static,
    ) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.try_update_if(self, seen, key, update))
    }

    /// Inserts `record`, or changes the one that has its key as [`update`](Collection::update) does.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn upsert(&self, record: R, update: impl Fn(&mut R) + Send + 'static) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.upsert(self, record, update))
    }

    /// Deletes the record of a key. A missing one is counted, and no error.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn delete<Q: IntoKey<R::Key>>(&self, key: Q) -> Result<Receipt, Refused> {
        self.alone(|batch| batch.delete(self, key))
    }

    /// Deletes the record of a key, provided that it is as the caller saw it at commit `seen`.
    ///
    /// # Errors
    /// [`Refused`], with the cause and the batch of this one operation.
    pub fn delete_if<Q: IntoKey<R::Key>>(&self, seen: Commit, key: Q) -> Result<Receipt, Refused> {
        self.alone(|batch| batch.delete_if(self, seen, key))
    }

    /// Changes every record that a filter means, as [`update`](Collection::update) does, in one commit: between the search and
    /// the change nobody else writes. The receipt counts the records; none is no error.
    ///
    /// Costs what the query costs and an update of each record. All writers wait for it.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)]
    /// # struct Payment { #[record(key)] id: u32, #[record(index)] status: String, #[record(field)] cents: i64 }
    /// # let payments = Store::new().collection::<Payment>("Payment")?;
    /// # for (id, cents) in [(1, 5), (2, 500)] { payments.store(Payment { id, status: "open".into(), cents })?; }
    /// let receipt = payments.update_where(payment::STATUS.eq("open"), |p| p.cents += 1)?;
    /// assert_eq!(receipt.counts.updated, 2);
    /// let receipt = payments.delete_where(payment::STATUS.eq("open") & payment::CENTS.eq(6))?;
    /// assert_eq!((receipt.counts.deleted, payments.len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`], with the cause ([`Cause::Query`](crate::Cause::Query) if the filter does not fit the schema) and the batch
    /// of this one operation.
    pub fn update_where(
        &self,
        filter: impl Into<Filter<R>>,
        update: impl Fn(&mut R) + Send + 'static,
    ) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.update_where(self, filter, update))
    }

    /// As [`update_where`](Collection::update_where), with a closure that may refuse: then no record is changed.
    ///
    /// # Errors
    /// As [`update_where`](Collection::update_where).
    pub fn try_update_where<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        filter: impl Into<Filter<R>>,
        update: impl Fn(&mut R) -> Result<(), E> + Send + 'static,
    ) -> Result<Receipt, Refused>
    where
        R: Clone,
    {
        self.alone(|batch| batch.try_update_where(self, filter, update))
    }

    /// Deletes every record that a filter means, in one commit. The receipt counts the records; none is no error.
    ///
    /// Costs what the query costs and a delete of each record. All writers wait for it.
    ///
    /// # Errors
    /// As [`update_where`](Collection::update_where).
    pub fn delete_where(&self, filter: impl Into<Filter<R>>) -> Result<Receipt, Refused> {
        self.alone(|batch| batch.delete_where(self, filter))
    }

    fn alone(&self, add: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<Receipt, Refused> {
        Batch::new(self.engine.clone()).commit_with(add)
    }
}
