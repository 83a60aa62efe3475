//! A preview: the record of a key as a batch would leave it, from the operations that concern it.

use super::batch::Batch;
use super::operation::{Effect, Named, Operation, Target};
use super::pending::Pending;
use crate::error::{Cause, Commit, Refusal};
use crate::record::{KeyBuffer, Record};
use crate::storage::{AnyVersion, Collection, Counters, Draft, Engine, Handle, Held, SharedVersion, Table, typed};
use crate::sync::Arc;
use memdex_query::value::{IntoKey, Key};
use std::collections::HashMap;

impl Batch {
    /// The record of a key as the batch would leave it: the newest committed record with the batch's operations applied to it.
    /// Runs the closures of updates, which run again at the commit. O(operations on the collection).
    ///
    /// # Errors
    /// The [`Refusal`] of the first operation that fails by itself, on this key or on one from which or to which the batch moves the
    /// record. Only the commit checks constraints between records, such as unique indexes, and
    /// does what references demand. [`Cause::DecidedAtCommit`] if an operation
    /// changes the [first](crate::write::Matching::first) records only, and this may be one of them.
    pub fn get<R: Record, Q: IntoKey<R::Key>>(
        &self,
        collection: &Collection<R>,
        key: Q,
    ) -> Result<Option<Pending<'_, R>>, Refusal> {
        let Collection { engine, table } = collection;
        let key = table.counters.hold(key);
        self.check_store(engine, table, "get")?;
        let key = KeyBuffer::of(&table.seed, &table.key_kinds, &*key);
        let mut left = table.counters.hold(self.left_of(engine, table, (&key.to_key(), key.hash()))?);
        Ok(left.take().and_then(|left| match left {
            Left::Committed(version) => typed(version).and_then(Handle::of).map(Pending::Committed),
            Left::Brought(record) => record.record_as().map(Pending::Brought),
            Left::Computed(draft) => draft.into_record().map(Pending::Computed),
        }))
    }

    fn left_of(
        &self,
        engine: &Arc<Engine>,
        table: &Arc<Table>,
        (requested, hash): (&Key, u32),
    ) -> Result<Option<Left<'_>>, Refusal> {
        let operations = self.operations_on(table);
        // The requested key comes first.
        let mut places = HashMap::from([(requested, 0)]);
        let mut states = vec![State::new(engine, table, (requested, hash))];
        for (key, hash) in related(operations, requested) {
            places.insert(key, states.len());
            states.push(State::new(engine, table, (key, hash)));
        }
        let now = engine.clock.for_reader();
        for operation in operations {
            match &operation.target {
                Target::Key { key, .. } => {
                    let Some(place) = places.get(key).copied() else { continue };
                    operation.check_lifetime(now).map_err(|cause| operation.refusal(table, cause))?;
                    states[place].apply(table, operation, key)?;
                }
                Target::Where(condition) => {
                    for state in &mut states {
                        let (Some(record), Some(key)) = (state.record(), state.key.clone()) else { continue };
                        let refuse = |cause| operation.refusal_at(table, Some(&key), cause);
                        if condition.first() == 0 || !condition.holds(record).map_err(refuse)? {
                            continue;
                        }
                        if condition.first() < usize::MAX {
                            return Err(refuse(Cause::DecidedAtCommit));
                        }
                        state.apply(table, operation, &key)?;
                    }
                }
                Target::Rekey(keys) => {
                    let [(old, _), (new, _)] = &**keys;
                    let (Some(from), Some(to)) = (places.get(old), places.get(new)) else { continue };
                    let (is_taken, of_old) = (states[*to].left.is_some(), &states[*from]);
                    let record = operation.rekeyed(table, of_old.record(), of_old.found, is_taken)?;
                    states[*from].set(None);
                    states[*to].key.get_or_insert_with(|| new.clone());
                    states[*to].set(Some(Left::Computed(record)));
                }
            }
        }
        Ok(states.swap_remove(0).left.into_inner())
    }
}

/// The keys from which or to which operations move records of the requested key, directly or not, without this key itself; each with its
/// hash.
fn related<'o>(operations: &'o [Operation], requested: &Key) -> HashMap<&'o Key, u32> {
    let mut moves: HashMap<&Key, Vec<(&Key, u32)>> = HashMap::new();
    let mut next = Vec::new();
    for operation in operations {
        let (Some(old), Some(new)) = (operation.named(Named::First), operation.named(Named::Second)) else { continue };
        next.extend([old, new].into_iter().filter(|(key, _)| *key == requested));
        moves.entry(old.0).or_default().push(new);
        moves.entry(new.0).or_default().push(old);
    }
    let mut related = HashMap::new();
    while let Some((key, hash)) = next.pop() {
        if related.insert(key, hash).is_none() {
            next.extend(moves.get(key).into_iter().flatten());
        }
    }
    related.remove(requested);
    related
}

/// A record as a batch would leave it.
enum Left<'b> {
    Committed(SharedVersion),
    Brought(&'b dyn AnyVersion),
    Computed(Draft),
}

/// The record of a key after some of the operations.
struct State<'c, 'b> {
    /// Known once there is a record.
    key: Option<Key>,
    /// The commit that conditions find.
    found: Option<Commit>,
    left: Held<'c, Option<Left<'b>>>,
    counters: &'c Counters,
}

impl<'c, 'b> State<'c, 'b> {
    /// As it is committed, whether or not readers see it yet.
    fn new(engine: &Arc<Engine>, table: &'c Table, (key, hash): (&Key, u32)) -> Self {
        let committed = table.version_at(hash, key.bytes(), engine.pin_newest().at());
        let committed = committed.filter(|version| !version.is_tombstone());
        let (key, found) = committed.as_ref().map(|version| (version.key.clone(), version.written())).unzip();
        let counters = &*table.counters;
        State { key, found, left: counters.hold(committed.map(Left::Committed)), counters }
    }

    fn record(&self) -> Option<&dyn AnyVersion> {
        match &*self.left {
            Some(Left::Committed(version)) => Some(&**version),
            Some(Left::Brought(record)) => Some(*record),
            Some(Left::Computed(draft)) => Some(&**draft),
            None => None,
        }
    }

    fn apply(&mut self, table: &Table, operation: &'b Operation, key: &Key) -> Result<(), Refusal> {
        let effect = operation.effect(table, key, self.record(), self.found);
        let next = match effect.map_err(|cause| operation.refusal_at(table, Some(key), cause))? {
            Effect::Inserted | Effect::Replaced => operation.action.record().map(Left::Brought),
            Effect::Updated(record) => Some(Left::Computed(record)),
            Effect::Deleted | Effect::Missing => None,
        };
        self.key.get_or_insert_with(|| key.clone());
        self.set(next);
        Ok(())
    }

    fn set(&mut self, next: Option<Left<'b>>) {
        if next.is_none() {
            self.found = None;
        }
        self.counters.drop_each(std::mem::replace(&mut *self.left, next));
    }
}
