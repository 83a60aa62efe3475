//! The commands, each declared and documented once, for collections, batches and writers.

use super::action::Action;
use super::batch::{Batch, Refused};
use super::change::Change;
use super::operation::Operation;
use super::receipt::Receipt;
use super::selection::Selection;
use super::writer::{Writer, WriterError};
use crate::error::{Cause, Commit, Refusal};
use crate::record::Record;
use crate::storage::{Collection, Draft};
use memdex_query::query::Filter;
use memdex_query::value::IntoKey;
use std::error::Error;

/// Commands that take effect only if the record is unchanged since a commit: `if_unchanged(seen)` of
/// [`Collection`](Collection::if_unchanged), [`Batch`](Batch::if_unchanged) and [`Writer`](Writer::if_unchanged) returns it.
///
/// `seen` is the commit that wrote the record as you read it: [`Handle::commit`](crate::Handle::commit). If another commit has
/// written or deleted the record since, the command is refused with [`Cause::Stale`].
///
/// In a batch, the condition sees the earlier operations of the batch. A record that the batch has changed still counts as written by
/// the commit at which the batch found it. After a delete there is no record, and one that the batch stores then is new: the
/// command is refused.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::error::Cause;
///
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32, visits: u64 }
///
/// let users = Store::new().collection::<User>("User")?;
/// users.insert(User { id: 1, visits: 0 })?;
/// let read = users.get(1).unwrap();
/// users.update(1, |user| user.visits = 7)?; // another writer was faster
///
/// let stored = users.if_unchanged(read.commit()).store(User { id: 1, visits: read.visits + 1 });
/// assert!(matches!(stored.unwrap_err().cause(), Cause::Stale { .. }));
///
/// let read = users.get(1).unwrap(); // read again and retry
/// users.if_unchanged(read.commit()).update(1, |user| user.visits += 1)?;
/// assert_eq!(users.get(1).unwrap().visits, 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until one of its commands is called"]
pub struct IfUnchanged<W> {
    pub(super) writes_to: W,
    pub(super) seen: Commit,
}

/// The results that the closure of an update may return: `()` and `Result<(), E>`.
///
/// If the closure returns an error, its command is refused with [`Cause::Closure`], and nothing of its batch is applied.
///
/// ```
/// use memdex::{Record, Store};
///
/// #[derive(Clone, Record)]
/// struct Account { #[record(key)] id: u32, balance: i64 }
///
/// let accounts = Store::new().collection::<Account>("Account")?;
/// accounts.insert(Account { id: 1, balance: 10 })?;
/// accounts.update(1, |account| account.balance += 5)?;
/// let refused = accounts.update(1, |account| {
///     account.balance -= 100;
///     if account.balance < 0 { Err("not enough money") } else { Ok(()) }
/// });
/// assert!(refused.unwrap_err().to_string().contains("not enough money"));
/// assert_eq!(accounts.get(1).unwrap().balance, 15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "the closure of an update returns `()` or `Result<(), E>`, not `{Self}`",
    note = "end the closure's last statement with `;`, or convert the error into `Box<dyn Error + Send + Sync>`"
)]
pub trait UpdateResult: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl UpdateResult for () {
    #[inline]
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> UpdateResult for Result<(), E> {
    #[inline]
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

/// A closure that always panics.
impl UpdateResult for sealed::Never {
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self
    }
}

mod sealed {
    use std::error::Error;

    pub trait Sealed {}

    impl Sealed for () {}

    impl<E: Into<Box<dyn Error + Send + Sync>>> Sealed for Result<(), E> {}

    impl Sealed for Never {}

    /// `!`, which has no stable name.
    pub(super) type Never = <fn() -> ! as Returns>::Output;

    pub trait Returns {
        type Output;
    }

    impl<T> Returns for fn() -> T {
        type Output = T;
    }
}

/// Applies the closure of an update to a clone of the record.
pub(super) fn change<R: Record + Clone, U: UpdateResult>(update: impl Fn(&mut R) -> U + Send + 'static) -> Change {
    Change::Closure(Box::new(move |record, counters| {
        let mut changed = counters.hold(record.record_as::<R>().ok_or(Cause::KeyMissing)?.clone());
        update(&mut changed).into_result().map_err(Cause::Closure)?;
        Ok(Draft::new(changed.into_inner()))
    }))
}

/// The commands `store` and `update`, with and without a condition or a lifetime.
///
/// `generics` are parameters of each method, `receiver` its first arguments, `collection` and `seen` expressions in terms of
/// them, and `add` what takes the operation. `checked` and `errors` are sentences of the documentation.
macro_rules! store_and_update {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        seen: $seen:expr,
        add: $add:expr => $output:ty,
        checked: $checked:literal,
        errors: $errors:literal,
    ) => {
        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record)?> $target {
            /// Stores a record: inserts it, or replaces the record that has its key.
            ///
            #[doc = $checked]
            ///
            /// # Errors
            #[doc = $errors]
            pub fn store<$($generics)*>($($receiver)*, record: R) -> $output {
                ($add)(Operation::of_record(&$collection.table, $seen, Action::store(record)))
            }

            /// Changes the record of a key by a closure. Refused if no record has the key, if the closure changes the key, or if the
            /// closure returns an error.
            ///
            #[doc = $checked]
            /// The closure runs on a clone of the record and may run more than once, so it must have no side effects. It may
            /// read the store; a write inside it is refused. All writers wait for it, so it must not wait for a thread that
            /// writes.
            ///
            /// # Errors
            #[doc = $errors]
            pub fn update<$($generics)* Q: IntoKey<R::Key>, U: UpdateResult>(
                $($receiver)*,
                key: Q,
                update: impl Fn(&mut R) -> U + Send + 'static,
            ) -> $output
            where
                R: Clone,
            {
                let key = $collection.table.counters.hold(key);
                ($add)(Operation::of_key(&$collection.table, &*key, $seen, Action::Update(change(update))))
            }
        }
    };
}
pub(super) use store_and_update;

/// The commands on one key, with and without a condition; the arguments are those of [`store_and_update`].
macro_rules! commands_on_a_key {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        seen: $seen:expr,
        add: $add:expr => $output:ty,
        checked: $checked:literal,
        errors: $errors:literal,
    ) => {
        store_and_update! {
            impl[$($of)?] $target,
            generics: [$($generics)*],
            receiver: ($($receiver)*),
            collection: $collection,
            seen: $seen,
            add: $add => $output,
            checked: $checked,
            errors: $errors,
        }

        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record)?> $target {
            /// Moves the record of a key to another key: changes it by a closure, which must give it the new key. Refused if no record has the
            /// old key, if one has the new key, if the closure gives it another key, or if the closure returns an error. With equal keys it is
            /// an update.
            ///
            /// The record leaves its row: commit hooks see a deletion of the old key and an insertion of the new one, and the old key may be
            /// used again, in the same batch too. The receipt counts one update.
            ///
            #[doc = $checked]
            /// The closure is one of an update.
            ///
            /// ```
            /// # use memdex::{Record, Store};
            /// # #[derive(Clone, Record)] struct User { #[record(key)] name: String, #[record(unique)] email: String }
            /// # let users = Store::new().collection::<User>("User")?;
            /// users.insert(User { name: "ada".into(), email: "ada@example.org".into() })?;
            /// users.rekey("ada", "countess", |user| user.name = "countess".into())?;
            /// assert!(users.get("ada").is_none());
            /// assert_eq!(users.get("countess").unwrap().email, "ada@example.org");
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            #[doc = $errors]
            pub fn rekey<$($generics)* P: IntoKey<R::Key>, Q: IntoKey<R::Key>, U: UpdateResult>(
                $($receiver)*,
                old: P,
                new: Q,
                update: impl Fn(&mut R) -> U + Send + 'static,
            ) -> $output
            where
                R: Clone,
            {
                let table = &$collection.table;
                let (old, new) = (table.counters.hold(old), table.counters.hold(new));
                ($add)(Operation::of_two_keys(table, (&*old, &*new), $seen, change(update)))
            }

            /// Deletes the record of a key. Without a condition, a missing record is counted and is not an error.
            ///
            #[doc = $checked]
            ///
            /// # Errors
            #[doc = $errors]
            pub fn delete<$($generics)* Q: IntoKey<R::Key>>($($receiver)*, key: Q) -> $output {
                let key = $collection.table.counters.hold(key);
                ($add)(Operation::of_key(&$collection.table, &*key, $seen, Action::Delete))
            }
        }
    };
}

/// The commands `insert` and `upsert`, with and without a lifetime; the arguments are those of [`store_and_update`].
macro_rules! insert_and_upsert {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        add: $add:expr => $output:ty,
        checked: $checked:literal,
        errors: $errors:literal,
    ) => {
        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record)?> $target {
            /// Inserts a record. Refused if a record has its key.
            ///
            #[doc = $checked]
            ///
            /// # Errors
            #[doc = $errors]
            pub fn insert<$($generics)*>($($receiver)*, record: R) -> $output {
                ($add)(Operation::of_record(&$collection.table, None, Action::insert(record)))
            }

            /// Inserts `record` if no record has its key, otherwise changes the existing one by the closure, as `update` does.
            ///
            #[doc = $checked]
            ///
            /// # Errors
            #[doc = $errors]
            pub fn upsert<$($generics)* U: UpdateResult>(
                $($receiver)*,
                record: R,
                update: impl Fn(&mut R) -> U + Send + 'static,
            ) -> $output
            where
                R: Clone,
            {
                ($add)(Operation::of_record(&$collection.table, None, Action::upsert(record, change(update))))
            }
        }
    };
}
pub(super) use insert_and_upsert;

/// The commands that know no condition; the arguments are those of [`store_and_update`].
macro_rules! other_commands {
    (
        impl[$($of:ident)?] $target:ty,
        generics: [$($generics:tt)*],
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        add: $add:expr => $output:ty,
        checked: $checked:literal,
        errors: $errors:literal,
    ) => {
        insert_and_upsert! {
            impl[$($of)?] $target,
            generics: [$($generics)*],
            receiver: ($($receiver)*),
            collection: $collection,
            add: $add => $output,
            checked: $checked,
            errors: $errors,
        }

        #[allow(clippy::multiple_bound_locations, reason = "the macro takes the other bounds from its caller")]
        impl<$($of: Record)?> $target {
            /// Changes every record that the filter selects, as `update` does. The receipt counts them; none selected is not an
            /// error.
            ///
            #[doc = $checked]
            /// The filter sees the records as earlier operations of the batch leave them; no other writer comes between search
            /// and change. If the closure changes a key or returns an error, nothing is applied.
            ///
            /// Costs the query, a check of each record that the batch has changed before, and an update of each selected
            /// record. All writers wait for it.
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
            /// batch.delete_where(&users, user::CITY.eq("Bern"))?; // selects none
            /// assert_eq!(batch.commit()?.counts.updated, 2);
            /// assert_eq!(users.delete_where(user::CITY.eq("Thun"))?.counts.deleted, 2);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            #[doc = $errors]
            pub fn update_where<$($generics)* U: UpdateResult>(
                $($receiver)*,
                filter: impl Into<Filter<R>>,
                update: impl Fn(&mut R) -> U + Send + 'static,
            ) -> $output
            where
                R: Clone,
            {
                ($add)(Operation::of_filter($collection, filter, Selection::ALL, Action::Update(change(update))))
            }

            /// Deletes every record that the filter selects. Sees and costs what `update_where` does; none selected is not an
            /// error.
            ///
            #[doc = $checked]
            ///
            /// # Errors
            #[doc = $errors]
            pub fn delete_where<$($generics)*>($($receiver)*, filter: impl Into<Filter<R>>) -> $output {
                ($add)(Operation::of_filter($collection, filter, Selection::ALL, Action::Delete))
            }
        }
    };
}

// A command on a collection is a commit.

commands_on_a_key! {
    impl[R] Collection<R>,
    generics: [],
    receiver: (&self),
    collection: self,
    seen: None,
    add: |operation| self.commit_one(operation) => Result<Receipt, Refused>,
    checked: "The command is a commit of its own.",
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

commands_on_a_key! {
    impl[R] IfUnchanged<&Collection<R>>,
    generics: [],
    receiver: (self),
    collection: self.writes_to,
    seen: Some(self.seen),
    add: |operation| self.writes_to.commit_one(operation) => Result<Receipt, Refused>,
    checked: "The command is a commit of its own. Refused if the record has changed since.",
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

other_commands! {
    impl[R] Collection<R>,
    generics: [],
    receiver: (&self),
    collection: self,
    add: |operation| self.commit_one(operation) => Result<Receipt, Refused>,
    checked: "The command is a commit of its own.",
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

impl<R: Record> Collection<R> {
    /// Commands that take effect only if the record is unchanged since commit `seen`: see [`IfUnchanged`].
    pub fn if_unchanged(&self, seen: Commit) -> IfUnchanged<&Self> {
        IfUnchanged { writes_to: self, seen }
    }

    pub(super) fn commit_one(&self, operation: Result<Operation, Refusal>) -> Result<Receipt, Refused> {
        Batch::new(self.engine.clone()).commit_one(self, operation)
    }
}

/// The commands of a type that gathers operations and commits them later.
macro_rules! gathered_commands {
    ($target:ident => $output:ty, $errors:literal) => {
        commands_on_a_key! {
            impl[] $target,
            generics: [R: Record,],
            receiver: (&mut self, collection: &Collection<R>),
            collection: collection,
            seen: None,
            add: |operation| self.add(collection, operation) => $output,
            checked: "It is applied, or refused with its whole batch, when the batch is committed.",
            errors: $errors,
        }

        commands_on_a_key! {
            impl[] IfUnchanged<&mut $target>,
            generics: [R: Record,],
            receiver: (self, collection: &Collection<R>),
            collection: collection,
            seen: Some(self.seen),
            add: |operation| self.writes_to.add(collection, operation) => $output,
            checked: "It is applied when the batch is committed, or refused with its whole batch if the record has changed since.",
            errors: $errors,
        }

        other_commands! {
            impl[] $target,
            generics: [R: Record,],
            receiver: (&mut self, collection: &Collection<R>),
            collection: collection,
            add: |operation| self.add(collection, operation) => $output,
            checked: "It is applied, or refused with its whole batch, when the batch is committed.",
            errors: $errors,
        }

        impl $target {
            /// Commands that take effect only if the record is unchanged since commit `seen`: see [`IfUnchanged`].
            pub fn if_unchanged(&mut self, seen: Commit) -> IfUnchanged<&mut Self> {
                IfUnchanged { writes_to: self, seen }
            }
        }
    };
}

gathered_commands!(
    Batch => Result<(), Refusal>,
    "A [`Refusal`], and the operation is not added: the collection belongs to another store, the key is invalid, the filter \
     does not fit the schema ([`Cause::Query`]), or the batch is full."
);

gathered_commands!(
    Writer => Result<(), WriterError>,
    "[`WriterError::NotTaken`], and the operation is not added: the collection belongs to another store, the key is invalid, \
     the filter does not fit the schema ([`Cause::Query`]), or the buffer is full. [`WriterError::NotFlushed`] if the \
     operation is added and the flush after it is refused."
);
