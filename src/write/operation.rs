//! One operation, on the record of a key or on all records that a filter selects, and its effect on a record.

use super::action::Action;
use super::change::{Change, Edit};
#[cfg(feature = "testing")]
use super::doom::Doom;
use super::follow::Followed;
use super::lifetime::{Given, Lifetime};
use super::outcome::Outcome;
use super::returned::ReturnTo;
use super::selection::{Selection, Where};
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, KeyError, Refusal};
use crate::read::Ranking;
use crate::record::{Condition, KeyBuffer, Record};
use crate::storage::{AnyVersion, Collection, Draft, Engine, Held, SharedVersion, Table};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::{Filter, Predicate};
use memdex_query::value::{IntoKey, Key};
use std::time::Duration;

/// The description of an operation of a batch.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let mut batch = store.batch();
/// batch.delete(&users, 7)?;
/// let info = &batch.operations()[0];
/// assert_eq!((info.position, info.operation, &*info.collection), (0, "delete", "User"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperationInfo {
    /// Its position in the batch, counted from 0. Removing other operations does not change it.
    pub position: usize,
    /// The command: `store`, `insert`, `update`, `upsert`, `delete`, `rekey`, `update_where`, `delete_where`, `increment`, `max`, `min` or
    /// `append_bounded`.
    pub operation: &'static str,
    /// The name of its collection.
    pub collection: String,
    /// The key of its record, before a `rekey`; `None` if it is by filter.
    pub key: Option<Key>,
}

pub(super) struct Operation {
    /// Its position in the batch.
    pub(super) position: usize,
    pub(super) target: Target,
    /// The commit at which the caller last saw the record, if that is a condition.
    pub(super) seen: Option<Commit>,
    /// The store has added it to the batch, for a reference.
    pub(super) by_reference: bool,
    /// An edit of its record failed halfway, so `target` may hold another key than the record.
    pub(super) half_edited: bool,
    /// How it fails in this commit, because a fault plan says so.
    #[cfg(feature = "testing")]
    pub(super) doom: Option<Doom>,
    /// The lifetime that it gives its record.
    pub(super) given: Option<Given>,
    pub(super) action: Action,
}

/// The records that an operation changes.
pub(super) enum Target {
    /// The record of this key.
    Key { key: Key, hash: u32 },
    /// The record of the first key, which moves to the second one.
    Rekey(Box<[(Key, u32); 2]>),
    /// Every record that a filter selects.
    Where(Box<Where>),
}

/// Which of the keys of an operation.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Named {
    First,
    Second,
}

/// The effect of an operation on one record.
pub(super) enum Effect {
    /// Inserts the record that the operation brings.
    Inserted,
    /// Replaces the record by the one that the operation brings.
    Replaced,
    Updated(Draft),
    Deleted,
    Missing,
}

impl From<&Effect> for Outcome {
    fn from(effect: &Effect) -> Self {
        match effect {
            Effect::Inserted => Outcome::Created,
            Effect::Replaced => Outcome::Replaced,
            Effect::Updated(_) => Outcome::Updated,
            Effect::Deleted => Outcome::Deleted,
            Effect::Missing => Outcome::Missing,
        }
    }
}

impl Operation {
    fn new(target: Target, seen: Option<Commit>, action: Action) -> Self {
        Operation {
            position: 0,
            target,
            seen,
            by_reference: false,
            half_edited: false,
            #[cfg(feature = "testing")]
            doom: None,
            given: None,
            action,
        }
    }

    /// An operation that brings a record, and with it the key.
    pub(super) fn of_record(table: &Table, seen: Option<Commit>, mut action: Action) -> Result<Self, Refusal> {
        let keyed = match action.record_mut() {
            Some(record) => checked_key(table, record),
            None => unreachable!("only for actions that hold a record"),
        };
        match keyed {
            Ok((key, hash)) => Ok(Operation::new(Target::Key { key, hash }, seen, action)),
            Err(cause) => {
                let refusal = Refusal::new(action.name(), &table.name, cause);
                // If only a field does not fit, the key is still known and names the record.
                let key = action.record().and_then(|record| {
                    let mut key = KeyBuffer::new(&table.seed);
                    read_key(table, record, &mut key).ok()?;
                    key.checked().ok()
                });
                table.counters.report_drop_panics(action.drop_each());
                Err(match key {
                    Some((key, _)) => refusal.with_key(&key),
                    None => refusal,
                })
            }
        }
    }

    /// An operation that edits a field of the record of a key.
    pub(super) fn of_edit<K, Q: IntoKey<K>>(
        table: &Table,
        key: &Q,
        seen: Option<Commit>,
        edit: Result<Edit, Refusal>,
    ) -> Result<Self, Refusal> {
        Operation::of_key(table, key, seen, Action::Update(Change::Edit(Box::new(edit?))))
    }

    /// An operation that edits a field of the record which has the key of `record`, or brings `record`, edited.
    pub(super) fn of_edit_or_insert(
        table: &Table,
        record: Draft,
        edit: Result<Edit, Refusal>,
    ) -> Result<Self, Refusal> {
        let mut record = table.counters.hold(record);
        let edit = edit?;
        let edited = user_code::run(|| {
            record.version_mut().admit(&table.schema)?;
            edit.apply(table, &mut record)
        });
        let edited = edited.map_err(|message| Cause::Panicked { what: "record's `set_value`", message });
        edited.flatten().map_err(|cause| Refusal::new(edit.name(), &table.name, cause))?;
        Operation::of_record(table, None, Action::Upsert(record.into_inner(), Change::Edit(Box::new(edit))))
    }

    /// An operation on the record of a key.
    pub(super) fn of_key<K, Q: IntoKey<K>>(
        table: &Table,
        key: &Q,
        seen: Option<Commit>,
        action: Action,
    ) -> Result<Self, Refusal> {
        let action = table.counters.hold(action);
        let keyed = KeyBuffer::of(&table.seed, &table.key_kinds, key).checked();
        Operation::on_key(table, keyed, seen, action)
    }

    fn on_key(
        table: &Table,
        keyed: Result<(Key, u32), KeyError>,
        seen: Option<Commit>,
        action: Held<'_, Action>,
    ) -> Result<Self, Refusal> {
        match keyed {
            Ok((key, hash)) => Ok(Operation::new(Target::Key { key, hash }, seen, action.into_inner())),
            Err(error) => Err(Refusal::new(action.name(), &table.name, error)),
        }
    }

    /// An operation that stores the record of an earlier version again, and leaves it so much time.
    pub(super) fn of_restored(version: SharedVersion, left: Option<Duration>) -> Self {
        let target = Target::Key { key: version.key.clone(), hash: version.hash };
        let given = Given { lifetime: left.map_or(Lifetime::Forever, Lifetime::For), only_later: false };
        Operation { given: Some(given), ..Operation::new(target, None, Action::Restore(version)) }
    }

    /// An operation that deletes the record of a key.
    pub(super) fn of_deleted(key: Key, hash: u32) -> Self {
        Operation::new(Target::Key { key, hash }, None, Action::Delete)
    }

    /// Removes the record of a key if it has expired.
    pub(super) fn of_expired(key: Key, hash: u32) -> Self {
        Operation::new(Target::Key { key, hash }, None, Action::Expire)
    }

    /// An operation that the store adds for a reference, because of the caller's operation at `position`.
    pub(super) fn of_reference(position: usize, key: Key, hash: u32, action: Action) -> Self {
        let by_reference = true;
        Operation { position, by_reference, ..Operation::new(Target::Key { key, hash }, None, action) }
    }

    /// An operation that moves the record of a key to another key. With equal keys it is an update.
    pub(super) fn of_two_keys<K, P: IntoKey<K>, Q: IntoKey<K>>(
        table: &Table,
        (old, new): (&P, &Q),
        seen: Option<Commit>,
        update: Change,
    ) -> Result<Self, Refusal> {
        let action = table.counters.hold(Action::Update(update));
        let checked = || -> Result<_, KeyError> {
            let old = KeyBuffer::of(&table.seed, &table.key_kinds, old).checked()?;
            Ok([old, KeyBuffer::of(&table.seed, &table.key_kinds, new).checked()?])
        };
        Operation::on_two_keys(table, checked(), seen, action)
    }

    fn on_two_keys(
        table: &Table,
        keyed: Result<[(Key, u32); 2], KeyError>,
        seen: Option<Commit>,
        action: Held<'_, Action>,
    ) -> Result<Self, Refusal> {
        match keyed {
            Ok([(key, hash), (new, _)]) if key == new => {
                Ok(Operation::new(Target::Key { key, hash }, seen, action.into_inner()))
            }
            Ok(keys) => Ok(Operation::new(Target::Rekey(Box::new(keys)), seen, action.into_inner())),
            Err(error) => Err(Refusal::new("rekey", &table.name, error)),
        }
    }

    /// An operation on the records that a filter selects. Checks the fields and values of the filter, and those of the order.
    pub(super) fn of_filter<R: Record>(
        collection: &Collection<R>,
        filter: impl Into<Filter<R>>,
        selection: Selection<'_>,
        action: Action,
    ) -> Result<Self, Refusal> {
        let action = collection.table.counters.hold(action);
        let predicate = filter.into().into_predicate();
        Operation::of_predicate(&collection.engine, &collection.table, &predicate, selection, action)
    }

    fn of_predicate(
        engine: &Arc<Engine>,
        table: &Arc<Table>,
        predicate: &Predicate,
        Selection { first, returned }: Selection<'_>,
        action: Held<'_, Action>,
    ) -> Result<Self, Refusal> {
        let condition = Condition::new(&table.name, &table.schema, predicate);
        let bound = condition.and_then(|condition| {
            let ranking = first.map(|(order, first)| Ranking::new(table, order, first)).transpose()?;
            Ok(Where { condition, engine: engine.clone(), table: table.clone(), ranking, returned })
        });
        match bound {
            Ok(bound) => Ok(Operation::new(Target::Where(Box::new(bound)), None, action.into_inner())),
            Err(error) => Err(Refusal::new(action.name_by_condition(), &table.name, error)),
        }
    }

    /// Whether it is on the first records in an order.
    pub(super) fn is_in_order(&self) -> bool {
        matches!(&self.target, Target::Where(condition) if condition.ranking.is_some())
    }

    /// Where the changes of its records go.
    pub(super) fn returned(&self) -> Option<&Arc<dyn ReturnTo>> {
        if let Target::Where(condition) = &self.target { condition.returned.as_ref() } else { None }
    }

    /// Its key, or its first one; `None` if it is by filter.
    pub(super) fn key(&self) -> Option<&Key> {
        self.named(Named::First).map(|(key, _)| key)
    }

    /// One of its keys, with the hash.
    pub(super) fn named(&self, which: Named) -> Option<(&Key, u32)> {
        match (&self.target, which) {
            (Target::Key { key, hash }, Named::First) => Some((key, *hash)),
            (Target::Rekey(keys), which) => {
                let (key, hash) = &keys[which as usize];
                Some((key, *hash))
            }
            _ => None,
        }
    }

    /// Its name in descriptions and messages.
    pub(super) fn name(&self) -> &'static str {
        match &self.target {
            Target::Key { .. } => self.action.name(),
            Target::Rekey(_) => "rekey",
            Target::Where(_) => self.action.name_by_condition(),
        }
    }

    /// The outcome of an operation by filter that changed this many records.
    pub(super) fn outcome_where(&self, records: usize) -> Outcome {
        match self.action {
            Action::Update(_) => Outcome::UpdatedWhere(records),
            _ => Outcome::DeletedWhere(records),
        }
    }

    /// Edits the record that the operation brings, which may change its key.
    pub(super) fn edit(&mut self, table: &Table, edit: impl FnOnce(&mut Draft)) -> Result<bool, Cause> {
        let Some(record) = self.action.record_mut() else { return Ok(false) };
        self.half_edited = true;
        edit(record);
        let (key, hash) = checked_key(table, record)?;
        self.target = Target::Key { key, hash };
        self.half_edited = false;
        Ok(true)
    }

    /// Whether its [`effect`](Self::effect) runs a closure.
    pub(super) fn runs_closure(&self, is_present: bool, found: Option<Commit>) -> bool {
        #[cfg(feature = "testing")]
        if self.doom.is_some() {
            return false;
        }
        let fails_before = self.half_edited || self.seen.is_some_and(|seen| found != Some(seen));
        is_present && !fails_before && matches!(self.action.change(), Some(Change::Closure(_)))
    }

    /// The effect of this operation on the record `present` of a key. Conditions find the record that commit `found` wrote. Runs
    /// user code and changes nothing.
    #[inline]
    pub(super) fn effect(
        &self,
        table: &Table,
        key: &Key,
        present: Option<&dyn AnyVersion>,
        found: Option<Commit>,
    ) -> Result<Effect, Cause> {
        self.check(found)?;
        match (&self.action, present) {
            (Action::Store(_) | Action::Restore(_), Some(_)) => Ok(Effect::Replaced),
            (Action::Insert(_), Some(_)) => Err(Cause::KeyExists),
            (Action::Store(_) | Action::Restore(_) | Action::Insert(_) | Action::Upsert(..), None) => {
                Ok(Effect::Inserted)
            }
            (Action::Update(change) | Action::Upsert(_, change), Some(record)) => {
                let changed = changed(table, change, record, key, |to| Cause::KeyChanged { to })?;
                Ok(Effect::Updated(changed))
            }
            (Action::Update(_), None) => Err(Cause::KeyMissing),
            (Action::Delete, Some(_)) => Ok(Effect::Deleted),
            (Action::Follow(follow), Some(record)) => match follow.of(table, record)? {
                Followed::Unconcerned => Ok(Effect::Missing),
                Followed::Deleted => Ok(Effect::Deleted),
                Followed::Changed(changed) => {
                    admitted(table, changed, key, |to| Cause::KeyChanged { to }).map(Effect::Updated)
                }
            },
            // A record that has expired is gone before the batch.
            (Action::Delete | Action::Expire | Action::Follow(_) | Action::Done, _) => Ok(Effect::Missing),
        }
    }

    /// The record that a `rekey` makes of `present`, the record of its first key, if no record has the second one. The key is that of
    /// the refusal.
    pub(super) fn rekeyed(
        &self,
        table: &Table,
        present: Option<&dyn AnyVersion>,
        found: Option<Commit>,
        is_taken: bool,
    ) -> Result<Draft, Refusal> {
        let (Target::Rekey(keys), Action::Update(change)) = (&self.target, &self.action) else {
            unreachable!("it has two keys")
        };
        let [(old, _), (new, _)] = &**keys;
        let refused = |key, cause| self.refusal_at(table, Some(key), cause);
        self.check(found).map_err(|cause| refused(old, cause))?;
        let record = present.ok_or_else(|| refused(old, Cause::KeyMissing))?;
        if is_taken {
            return Err(refused(new, Cause::KeyExists));
        }
        let other = |found| Cause::NotRekeyed { expected: new.clone(), found };
        changed(table, change, record, new, other).map_err(|cause| refused(old, cause))
    }

    /// Checks the conditions; they find the record that commit `found` wrote.
    #[inline]
    pub(super) fn check(&self, found: Option<Commit>) -> Result<(), Cause> {
        if self.half_edited {
            return Err(Cause::HalfEdited);
        }
        #[cfg(feature = "testing")]
        if let Some(doom) = &self.doom {
            return Err(doom.cause(self.seen, found));
        }
        if let Some(seen) = self.seen.filter(|seen| found != Some(*seen)) {
            return Err(Cause::Stale { seen, now: found });
        }
        Ok(())
    }

    /// Refuses a lifetime that has ended before the commit.
    pub(super) fn check_lifetime(&self, time: Timestamp) -> Result<(), Cause> {
        let deadline = self.given.and_then(|given| given.lifetime.deadline(time));
        match deadline.filter(|deadline| *deadline <= time) {
            Some(deadline) => Err(Cause::Expired { deadline, now: time }),
            None => Ok(()),
        }
    }

    /// The refusal of this operation.
    pub(super) fn refusal(&self, table: &Table, cause: Cause) -> Refusal {
        self.refusal_at(table, self.key(), cause)
    }

    /// The refusal of this operation because of the record of this key.
    pub(super) fn refusal_at(&self, table: &Table, key: Option<&Key>, cause: Cause) -> Refusal {
        #[cfg(feature = "testing")]
        let is_forced = matches!((&self.doom, &cause), (Some(Doom::Stale), Cause::Stale { .. }));
        let refusal = Refusal::new(self.name(), &table.name, cause).at(self.position);
        #[cfg(feature = "testing")]
        let refusal = if is_forced { refusal.forced() } else { refusal };
        if let Some(key) = key { refusal.with_key(key) } else { refusal }
    }
}

/// Changes a clone of a record, which must then have this key; `other` is the cause if it has another one.
fn changed(
    table: &Table,
    change: &Change,
    record: &dyn AnyVersion,
    key: &Key,
    other: impl FnOnce(Key) -> Cause,
) -> Result<Draft, Cause> {
    admitted(table, change.of(table, record)?, key, other)
}

/// Has the schema admit a changed record, and checks its key.
fn admitted(table: &Table, mut changed: Draft, key: &Key, other: impl FnOnce(Key) -> Cause) -> Result<Draft, Cause> {
    let admitted = changed.version_mut().admit(&table.schema);
    match admitted.and_then(|()| keeps_key(table, &*changed, key, other)) {
        Ok(()) => Ok(changed),
        Err(cause) => {
            table.counters.drop_each([changed]);
            Err(cause)
        }
    }
}

/// Checks that a changed record has this key; `other` is the cause if it has another one.
pub(super) fn keeps_key(
    table: &Table,
    changed: &dyn AnyVersion,
    key: &Key,
    other: impl FnOnce(Key) -> Cause,
) -> Result<(), Cause> {
    let mut of_changed = KeyBuffer::new(&table.seed);
    read_key(table, changed, &mut of_changed)?;
    if of_changed.bytes() == key.bytes() { Ok(()) } else { Err(other(of_changed.to_key())) }
}

/// Drops operations, each value of the user by itself. Returns the number of panics.
pub(super) fn drop_operations(operations: impl IntoIterator<Item = Operation>) -> u64 {
    operations.into_iter().map(|operation| operation.action.drop_each()).sum()
}

/// Checks a record against the schema and returns its key with the hash.
fn checked_key(table: &Table, record: &mut Draft) -> Result<(Key, u32), Cause> {
    record.version_mut().admit(&table.schema)?;
    let mut key = KeyBuffer::new(&table.seed);
    read_key(table, &**record, &mut key)?;
    Ok(key.checked()?)
}

fn read_key(table: &Table, record: &dyn AnyVersion, key: &mut KeyBuffer) -> Result<(), Cause> {
    let read = record.read_key(&table.schema, key);
    read.map_err(|message| Cause::Panicked { what: "key extractor", message })
}
