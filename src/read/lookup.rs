//! Lookups by key: the only reads that usually pin no snapshot.

use super::snapshot::View;
use crate::error::QueryError;
use crate::record::{KeyBuffer, Lookup, Record};
use crate::storage::{Collection, Handle, ReadInfo, ReadOf, Table, Use, Version, typed};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::{Field, FieldName, Predicate};
use memdex_query::value::{FieldValue, IntoKey, Key, Operand, ValueRef};

/// A key as data.
fn key_of<K, Q: IntoKey<K>>(table: &Table, key: &Q) -> Key {
    KeyBuffer::of(&table.seed, &table.key_kinds, key).to_key()
}

/// Passes the record of a version to `read`. A commit may have dropped all other references to it by the end.
#[inline]
fn read_held<R: Record, T>(table: &Table, version: Arc<Version<R>>, read: impl FnOnce(&R) -> T) -> Option<T> {
    let version = table.counters.hold(version);
    let _scope = user_code::Scope::enter();
    version.record().map(read)
}

impl<R: Record> Collection<R> {
    /// The record with this key, at the newest commit. Costs about three memory accesses; waits only for a change to
    /// the same shard.
    #[inline]
    pub fn get<Q: IntoKey<R::Key>>(&self, key: Q) -> Option<Handle<R>> {
        self.tell_key(&key);
        self.engine.latency.get(|| {
            let lookup = Lookup::new(&self.table.seed, &self.table.key_kinds, &key);
            self.newest(&lookup, Use::Extends).and_then(Handle::of)
        })
    }

    /// As [`get`](Collection::get), but is no use of the record: it does not extend its lifetime, and does not keep it from being
    /// [evicted](Collection::set_bound).
    pub fn peek<Q: IntoKey<R::Key>>(&self, key: Q) -> Option<Handle<R>> {
        self.tell_key(&key);
        self.engine.latency.get(|| {
            let lookup = Lookup::new(&self.table.seed, &self.table.key_kinds, &key);
            self.newest(&lookup, Use::Leaves).and_then(Handle::of)
        })
    }

    /// Calls `read` with the record of this key, at the newest commit. Costs as much as [`get`](Collection::get).
    ///
    /// The record does not change under `read`, which holds no lock: it may take its time, and wait for threads that read from
    /// this store or write to it. It may read from the store itself but not write to it.
    #[inline]
    pub fn get_with<Q: IntoKey<R::Key>, T>(&self, key: Q, read: impl FnOnce(&R) -> T) -> Option<T> {
        self.tell_key(&key);
        self.engine.latency.get(|| {
            let lookup = Lookup::new(&self.table.seed, &self.table.key_kinds, &key);
            self.newest(&lookup, Use::Extends).and_then(|version| read_held(&self.table, version, read))
        })
    }

    /// The records of several keys, at one commit, in the order of the keys.
    pub fn get_many<Q: IntoKey<R::Key>>(&self, keys: impl IntoIterator<Item = Q>) -> Vec<Option<Handle<R>>> {
        let lifetime = self.table.deadlines.sliding();
        let view = self.view();
        let mut found = view.get_many(keys);
        found.iter().flatten().for_each(|record| record.version().deadline.count_use());
        if let Some(lifetime) = lifetime {
            let time = view.snapshot.time();
            let extends = |record: &Handle<R>| record.version().deadline.slide(time, time + lifetime);
            found.iter_mut().for_each(|place| *place = place.take().filter(extends));
        }
        found
    }

    /// The record with this value in a field that has a unique index, at the newest commit.
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
    /// Usually pins no snapshot and costs about four memory accesses, one more than [`get`](Collection::get).
    ///
    /// # Errors
    /// [`QueryError::NoUniqueIndex`] if the field has no unique index over all records.
    pub fn get_by<T: FieldValue>(
        &self,
        field: Field<R, T>,
        value: impl Operand<T::Base>,
    ) -> Result<Option<Handle<R>>, QueryError> {
        let (field, value) = (field.name(), value.operand());
        self.engine.reads.tell(|| ReadInfo {
            collection: &self.table.name,
            what: ReadOf::Value(&field, value.to_value()),
            commit: None,
        })?;
        self.engine.latency.get(|| self.newest_by(&field, value))
    }

    /// Reports the read of a key.
    #[inline]
    fn tell_key<Q: IntoKey<R::Key>>(&self, key: &Q) {
        // Reads by key have no error.
        let _ = self.engine.reads.tell(|| ReadInfo {
            collection: &self.table.name,
            what: ReadOf::Key(key_of(&self.table, key)),
            commit: None,
        });
    }

    fn newest_by(&self, field: &FieldName, value: ValueRef<'_>) -> Result<Option<Handle<R>>, QueryError> {
        if self.table.base.is_some() {
            self.catch_up();
            return self.view().record_by(field, value);
        }
        // Everything read between these two loads belongs to the state of `published`, unless a later commit has
        // begun to change the collection. That commit would have marked it, so no pin is needed.
        self.engine.refresh_if_due();
        let published = self.engine.timeline.published();
        let row = self.table.unique_row(field, value)?;
        let newest = row.and_then(|row| typed(self.table.pages.newest(row)?));
        if self.table.marks.is_nothing_after(published) {
            debug_assert!(newest.as_ref().is_none_or(|newest| newest.begin <= published));
            let Some(newest) = newest else { return Ok(None) };
            if newest.deadline.is_plain() {
                return Ok(Handle::of(newest));
            }
            if let Some(living) = self.living(newest, Use::Extends) {
                return Ok(Handle::of(living));
            }
            // A commit may have replaced it before the time was drawn.
            return self.view().record_by(field, value);
        }
        self.table.counters.drop_each(newest);
        self.view().record_by(field, value)
    }

    /// Whether a record with this key exists.
    pub fn contains<Q: IntoKey<R::Key>>(&self, key: Q) -> bool {
        self.tell_key(&key);
        self.engine.latency.get(|| {
            let lookup = Lookup::new(&self.table.seed, &self.table.key_kinds, &key);
            self.newest(&lookup, Use::Leaves).is_some_and(|version| {
                let is_there = !version.is_tombstone();
                self.table.let_go(version);
                is_there
            })
        })
    }

    /// The number of records. O(1); in a collection with lifetimes O(records that have expired and are not removed yet).
    pub fn len(&self) -> usize {
        if self.table.deadlines.are_used() || self.table.base.is_some() {
            return self.view().len();
        }
        self.engine.refresh_if_due();
        self.table.lengths.newest(|| self.engine.timeline.published())
    }

    /// Whether the collection has no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<R: Record> View<R> {
    /// The record with this key.
    pub fn get<Q: IntoKey<R::Key>>(&self, key: Q) -> Option<Handle<R>> {
        self.tell_key(&key);
        self.latency().get(|| self.version_of(&key).and_then(Handle::of))
    }

    fn version_of<Q: IntoKey<R::Key>>(&self, key: &Q) -> Option<Arc<Version<R>>> {
        self.table.version_at(&Lookup::new(&self.table.seed, &self.table.key_kinds, key), self.snapshot.at())
    }

    /// The record with this value in a field that has a unique index, at this snapshot. Evaluates the records changed
    /// since the snapshot one by one.
    ///
    /// # Errors
    /// [`QueryError::NoUniqueIndex`] if the field has no unique index over all records.
    pub fn get_by<T: FieldValue>(
        &self,
        field: Field<R, T>,
        value: impl Operand<T::Base>,
    ) -> Result<Option<Handle<R>>, QueryError> {
        let (field, value) = (field.name(), value.operand());
        self.tell(|| ReadOf::Value(&field, value.to_value()))?;
        self.latency().get(|| self.record_by(&field, value))
    }

    /// Reports a read.
    #[inline]
    pub(super) fn tell<'a>(&'a self, what: impl FnOnce() -> ReadOf<'a>) -> Result<(), QueryError> {
        let (collection, commit) = (&*self.table.name, Some(self.snapshot.commit()));
        self.snapshot.engine().reads.tell(|| ReadInfo { collection, what: what(), commit })
    }

    fn tell_key<Q: IntoKey<R::Key>>(&self, key: &Q) {
        // Reads by key have no error.
        let _ = self.tell(|| ReadOf::Key(key_of(&self.table, key)));
    }

    fn record_by(&self, name: &FieldName, value: ValueRef<'_>) -> Result<Option<Handle<R>>, QueryError> {
        let by_query = || {
            let found = self.find(Predicate::Eq(name.clone(), value.to_value()));
            found.records().map(|mut found| found.pop())
        };
        let (table, at) = (&*self.table, self.snapshot.at());
        let row = table.unique_row(name, value)?;
        // Load the marks after the index: they decide whether its result can be trusted.
        if !table.marks.is_nothing_after(at.epoch) {
            return by_query();
        }
        let own = row.and_then(|row| typed(table.pages.at(row, at)?)).and_then(Handle::of);
        if self.under.is_none() || (own.is_some() && !table.is_untouched()) {
            return Ok(own);
        }
        for part in self.any().parts().into_iter().filter(|part| part.layer().is_some()) {
            // The base of a fork may have dropped the index.
            let Ok(row) = part.table.unique_row(name, value) else { return by_query() };
            if !part.is_unchanged() {
                return by_query();
            }
            let mut found = Vec::new();
            part.table.fetch(row.filter(|row| !part.hides(*row)).as_slice(), part.at, &mut found);
            if let Some(found) = found.pop().and_then(typed).and_then(Handle::of) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Calls `read` with the record of this key.
    pub fn get_with<Q: IntoKey<R::Key>, T>(&self, key: Q, read: impl FnOnce(&R) -> T) -> Option<T> {
        self.tell_key(&key);
        self.latency().get(|| self.version_of(&key).and_then(|version| read_held(&self.table, version, read)))
    }

    /// The records of several keys, in the order of the keys.
    pub fn get_many<Q: IntoKey<R::Key>>(&self, keys: impl IntoIterator<Item = Q>) -> Vec<Option<Handle<R>>> {
        keys.into_iter().map(|key| self.get(key)).collect()
    }

    /// Whether a record with this key exists.
    pub fn contains<Q: IntoKey<R::Key>>(&self, key: Q) -> bool {
        self.get_with(key, |_| ()).is_some()
    }

    /// The number of records. O(1); in a collection with lifetimes O(records that have changed since, or have expired and are not
    /// removed yet).
    pub fn len(&self) -> usize {
        self.any().len()
    }

    /// Whether the collection has no records at this snapshot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
