//! A preview: the record of a key as a batch would leave it, from the operations that concern it.

use super::batch::Batch;
use super::operation::{Effect, Named, Operation, Target};
use super::pending::Pending;
use crate::error::{Cause, Commit, Refusal};
use crate::record::{Lookup, Record};
use crate::storage::{Collection, Counters, Handle, Held, Table};
use memdex_query::value::{IntoKey, Key};
use std::collections::{HashMap, HashSet};

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
        let table = &*collection.table;
        let key = table.counters.hold(key);
        self.check_store(collection, "get")?;
        let lookup = Lookup::new(&table.seed, &table.key_kinds, &*key);
        let operations = self.operations_on(collection);
        let is_requested = |(key, hash): (&Key, u32)| hash == lookup.hash && lookup.matches(key);
        // The requested key comes first.
        let mut states = vec![State::new(&table.counters, collection.newest_applied(&lookup).and_then(Handle::of))];
        let mut places: HashMap<&Key, usize> = HashMap::new();
        for key in related(operations, is_requested) {
            let lookup = Lookup::<&Key>::new::<R::Key>(&table.seed, &table.key_kinds, &key);
            places.insert(key, states.len());
            states.push(State::new(&table.counters, collection.newest_applied(&lookup).and_then(Handle::of)));
        }
        let place = |named: (&Key, u32)| if is_requested(named) { Some(0) } else { places.get(named.0).copied() };
        let now = collection.engine.clock.for_reader();
        for operation in operations {
            match &operation.target {
                Target::Key { key, hash } => {
                    let Some(place) = place((key, *hash)) else { continue };
                    operation.check_lifetime(now).map_err(|cause| operation.refusal(table, cause))?;
                    states[place].apply(table, operation, key)?;
                }
                Target::Where(condition) => {
                    for state in &mut states {
                        let (Some(record), Some(key)) = (state.pending.as_deref(), state.key.clone()) else { continue };
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
                    let [(old, of_old), (new, of_new)] = &**keys;
                    let (Some(from), Some(to)) = (place((old, *of_old)), place((new, *of_new))) else { continue };
                    let (State { pending, found, .. }, is_taken) = (&states[from], states[to].pending.is_some());
                    let record = operation.rekeyed(table, pending.as_deref(), *found, is_taken)?;
                    states[from].set(None);
                    states[to].key.get_or_insert_with(|| new.clone());
                    states[to].set(Some(Pending::Computed(record)));
                }
            }
        }
        Ok(states.swap_remove(0).pending.into_inner())
    }
}

/// The keys from which or to which operations move records of the requested key, directly or not, without this key itself.
fn related<R: Record>(operations: &[Operation<R>], is_requested: impl Fn((&Key, u32)) -> bool) -> HashSet<&Key> {
    let mut moves: HashMap<&Key, Vec<&Key>> = HashMap::new();
    let mut next = Vec::new();
    for operation in operations {
        let (Some(old), Some(new)) = (operation.named(Named::First), operation.named(Named::Second)) else { continue };
        next.extend([old, new].iter().filter(|named| is_requested(**named)).map(|(key, _)| *key));
        moves.entry(old.0).or_default().push(new.0);
        moves.entry(new.0).or_default().push(old.0);
    }
    let mut related = HashSet::new();
    let requested = next.first().copied();
    while let Some(key) = next.pop() {
        if related.insert(key) {
            next.extend(moves.get(key).into_iter().flatten());
        }
    }
    if let Some(requested) = requested {
        related.remove(requested);
    }
    related
}

/// The record of a key after some of the operations.
struct State<'c, 'b, R> {
    /// Known once there is a record.
    key: Option<Key>,
    /// The commit that conditions find.
    found: Option<Commit>,
    pending: Held<'c, Option<Pending<'b, R>>>,
    counters: &'c Counters,
}

impl<'c, 'b, R: Record> State<'c, 'b, R> {
    fn new(counters: &'c Counters, committed: Option<Handle<R>>) -> Self {
        let (key, found) = committed.as_ref().map(|record| (record.key().clone(), record.commit())).unzip();
        State { key, found, pending: counters.hold(committed.map(Pending::Committed)), counters }
    }

    fn apply(&mut self, table: &Table<R>, operation: &'b Operation<R>, key: &Key) -> Result<(), Refusal> {
        let effect = operation.effect(table, key, self.pending.as_deref(), self.found);
        let next = match effect.map_err(|cause| operation.refusal_at(table, Some(key), cause))? {
            Effect::Inserted | Effect::Replaced => operation.action.record().map(Pending::Brought),
            Effect::Updated(record) => Some(Pending::Computed(record)),
            Effect::Deleted | Effect::Missing => None,
        };
        self.key.get_or_insert_with(|| key.clone());
        self.set(next);
        Ok(())
    }

    fn set(&mut self, next: Option<Pending<'b, R>>) {
        if next.is_none() {
            self.found = None;
        }
        self.counters.drop_each(std::mem::replace(&mut *self.pending, next));
    }
}
