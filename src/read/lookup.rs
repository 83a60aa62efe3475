//! Look-ups by key: the one kind of read that pins nothing in the common case.

use super::snapshot::View;
use crate::error::QueryError;
use crate::record::{Lookup, Record};
use crate::storage::{Collection, Handle};
use crate::user_code;
use memdex_query::query::{Field, Predicate};
use memdex_query::value::{FieldValue, IntoKey, Operand};

enum Seen<T> {
    Answer(Option<T>),
    /// A commit in flight has just changed this very key.
    InFlight,
}

impl<R: Record> Collection<R> {
    /// The record of a key, as of the newest commit. Three steps to memory; waits only for a change of the same shard.
    #[inline]
    pub fn get<Q: IntoKey<R::Key>>(&self, key: Q) -> Option<Handle<R>> {
        self.engine.latency.get(|| {
            let lookup = Lookup::new(&self.table.seed, &key);
            self.newest(&lookup).and_then(Handle::of)
        })
    }

    /// Shows the record of a key to `look` where it lies, without counting a reference: the cheapest read.
    ///
    /// Changes of the key's shard wait until `look` returns, so it should be short, must not wait for a thread that
    /// writes to this store, and can't write to it itself; reads work.
    #[inline]
    pub fn get_with<Q: IntoKey<R::Key>, T>(&self, key: Q, look: impl FnOnce(&R) -> T) -> Option<T> {
        self.engine.latency.get(|| self.show_newest(&key, look))
    }

    #[inline]
    fn show_newest<Q: IntoKey<R::Key>, T>(&self, key: &Q, look: impl FnOnce(&R) -> T) -> Option<T> {
        let lookup = Lookup::new(&self.table.seed, key);
        let mut look = Some(look);
        let seen = self.table.keys.with_newest(
            lookup.hash,
            |key| lookup.matches(key),
            |newest| match newest {
                Some(newest) if newest.begin > self.engine.timeline.published() => Seen::InFlight,
                newest => Seen::Answer(
                    newest.and_then(|v| v.record.as_ref()).zip(look.take()).map(|(record, look)| look(record)),
                ),
            },
        );
        match seen {
            Seen::Answer(answer) => answer,
            Seen::InFlight => {
                let version = self.newest_beside_commit(&lookup)?;
                let _scope = user_code::Scope::enter();
                version.record.as_ref().zip(look).map(|(record, look)| look(record))
            }
        }
    }

    /// The records of several keys, all as of one commit, in the order of the keys.
    pub fn get_many<Q: IntoKey<R::Key>>(&self, keys: impl IntoIterator<Item = Q>) -> Vec<Option<Handle<R>>> {
        self.view().get_many(keys)
    }

    /// The record that has this value in a field with a unique index, as of the newest commit.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(unique)] email: String }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, email: "ada@example.org".into() })?;
    /// let ada = users.get_by(user::EMAIL, "ada@example.org")?;
    /// assert_eq!(ada.unwrap().id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Pins nothing in the common case, and takes about four steps to memory, one more than [`get`](Collection::get).
    ///
    /// # Errors
    /// [`QueryError::NoUniqueIndex`] if the field has none of its own, over all records.
    pub fn get_by<T: FieldValue>(
        &self,
        field: Field<R, T>,
        value: impl Operand<T::Base>,
    ) -> Result<Option<Handle<R>>, QueryError> {
        self.engine.latency.get(|| self.newest_by(field, value))
    }

    fn newest_by<T: FieldValue>(
        &self,
        field: Field<R, T>,
        value: impl Operand<T::Base>,
    ) -> Result<Option<Handle<R>>, QueryError> {
        // All that is read between these two looks is in the state of `published`, unless a commit after it has begun to change
        // the collection: then it has marked it. So nothing needs to be pinned.
        let published = self.engine.timeline.published();
        let operand = value.operand();
        let row = self.table.with_unique_index(&field.name(), |index| index.unique_row(operand))?;
        let newest = row.and_then(|row| self.table.pages.newest(row));
        if self.table.marks.is_nothing_after(published) {
            debug_assert!(newest.as_ref().is_none_or(|newest| newest.begin <= published));
            return Ok(newest.and_then(Handle::of));
        }
        drop(newest);
        self.view().record_by(field, value)
    }

    /// Whether there is a record of this key.
    pub fn contains<Q: IntoKey<R::Key>>(&self, key: Q) -> bool {
        self.get(key).is_some()
    }

    /// How many records there are. O(1).
    pub fn len(&self) -> usize {
        self.table.lengths.newest(|| self.engine.timeline.published())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<R: Record> View<R> {
    /// The record of a key.
    pub fn get<Q: IntoKey<R::Key>>(&self, key: Q) -> Option<Handle<R>> {
        self.latency().get(|| self.record_of(&key))
    }

    fn record_of<Q: IntoKey<R::Key>>(&self, key: &Q) -> Option<Handle<R>> {
        let lookup = Lookup::new(&self.table.seed, key);
        self.table.version_at(lookup.hash, |key| lookup.matches(key), self.snapshot.commit()).and_then(Handle::of)
    }

    /// The record that has this value in a field with a unique index, as of this snapshot. Where records have changed since, they
    /// are looked at.
    ///
    /// # Errors
    /// [`QueryError::NoUniqueIndex`] if the field has none of its own, over all records.
    pub fn get_by<T: FieldValue>(
        &self,
        field: Field<R, T>,
        value: impl Operand<T::Base>,
    ) -> Result<Option<Handle<R>>, QueryError> {
        self.latency().get(|| self.record_by(field, value))
    }

    fn record_by<T: FieldValue>(
        &self,
        field: Field<R, T>,
        value: impl Operand<T::Base>,
    ) -> Result<Option<Handle<R>>, QueryError> {
        let (name, table, value) = (field.name(), &*self.table, value.operand());
        let row = table.with_unique_index(&name, |index| index.unique_row(value))?;
        // After the part, the marks: whether it can be trusted.
        let epoch = self.snapshot.commit();
        if table.marks.is_nothing_after(epoch) {
            return Ok(row.and_then(|row| table.pages.at(row, epoch)).and_then(Handle::of));
        }
        let found = self.find(Predicate::Eq(name, value.to_value()));
        found.records().map(|mut found| found.pop())
    }

    /// Shows the record of a key to `look`.
    pub fn get_with<Q: IntoKey<R::Key>, T>(&self, key: Q, look: impl FnOnce(&R) -> T) -> Option<T> {
        self.latency().get(|| {
            let record = self.record_of(&key)?;
            let _scope = user_code::Scope::enter();
            Some(look(&record))
        })
    }

    /// The records of several keys, in the order of the keys.
    pub fn get_many<Q: IntoKey<R::Key>>(&self, keys: impl IntoIterator<Item = Q>) -> Vec<Option<Handle<R>>> {
        keys.into_iter().map(|key| self.get(key)).collect()
    }

    /// Whether there is a record of this key.
    pub fn contains<Q: IntoKey<R::Key>>(&self, key: Q) -> bool {
        self.get(key).is_some()
    }

    /// How many records there are. O(1).
    pub fn len(&self) -> usize {
        self.table.lengths.at(self.snapshot.commit())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
