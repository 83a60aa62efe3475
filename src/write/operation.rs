//! One operation on one record, and what it makes of the record's state.

use crate::error::{Cause, Commit, Refusal};
use crate::record::Record;
use crate::storage::Table;
use crate::user_code;
use crate::value::{IntoKey, Key, KeyBuffer};
use std::any::Any;
use std::fmt;

/// Makes the new record from the present one.
pub(super) type Change<R> = Box<dyn Fn(&R) -> Result<R, Cause> + Send>;

pub(super) struct Operation<R> {
    /// Its position in the batch.
    pub(super) position: usize,
    pub(super) key: Key,
    pub(super) hash: u32,
    /// The commit at which the caller last saw the record, if that is a condition.
    pub(super) seen: Option<Commit>,
    /// Its record was being changed when something broke off: the key may not be the record's.
    pub(super) half_mended: bool,
    pub(super) action: Action<R>,
}

pub(super) enum Action<R> {
    Store(R),
    Insert(R),
    Update(Change<R>),
    Upsert(R, Change<R>),
    Delete,
    /// Its record has moved into the store.
    Done,
}

/// What an operation makes of a record's state.
pub(super) enum Outcome<R> {
    /// The operation's own record, which was not there before.
    Inserted,
    /// The operation's own record, in place of another.
    Replaced,
    Updated(R),
    Deleted,
    Missing,
}

impl<R> Action<R> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Action::Store(_) => "store",
            Action::Insert(_) => "insert",
            Action::Update(_) => "update",
            Action::Upsert(..) => "upsert",
            Action::Delete => "delete",
            Action::Done => "done",
        }
    }

    pub(super) fn record(&self) -> Option<&R> {
        match self {
            Action::Store(record) | Action::Insert(record) | Action::Upsert(record, _) => Some(record),
            _ => None,
        }
    }

    pub(super) fn record_mut(&mut self) -> Option<&mut R> {
        match self {
            Action::Store(record) | Action::Insert(record) | Action::Upsert(record, _) => Some(record),
            _ => None,
        }
    }

    pub(super) fn take_record(&mut self) -> Option<R> {
        match std::mem::replace(self, Action::Done) {
            Action::Store(record) | Action::Insert(record) => Some(record),
            Action::Upsert(record, change) => {
                // Dropping the closure is user code: it stays with the operation, which goes when the locks are released.
                *self = Action::Update(change);
                Some(record)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// What its closures hold.
    pub(super) fn closure_bytes(&self) -> usize {
        match self {
            Action::Update(change) | Action::Upsert(_, change) => size_of_val(&**change),
            _ => 0,
        }
    }

    /// Whether dropping it runs user code.
    pub(super) fn holds_user_values(&self) -> bool {
        !matches!(self, Action::Delete | Action::Done)
    }
}

impl<R: Record> Operation<R> {
    /// An operation that brings its record, and so its key.
    pub(super) fn of_record(table: &Table<R>, seen: Option<Commit>, action: Action<R>) -> Result<Self, Refusal> {
        let keyed = match action.record() {
            Some(record) => checked_key(table, record),
            None => unreachable!("only for actions that hold a record"),
        };
        match keyed {
            Ok((key, hash)) => Ok(Operation { position: 0, key, hash, seen, half_mended: false, action }),
            Err(cause) => {
                let refusal = Refusal::new(action.name(), &table.name, cause);
                // Where only a field does not fit, the key says which record it is.
                let key = action.record().and_then(|record| key_of(table, record).ok()?.checked().ok());
                Err(match key {
                    Some((key, _)) => refusal.with_key(&key),
                    None => refusal,
                })
            }
        }
    }

    /// An operation on the record of a key.
    pub(super) fn of_key<Q: IntoKey<R::Key>>(
        table: &Table<R>,
        key: &Q,
        seen: Option<Commit>,
        action: Action<R>,
    ) -> Result<Self, Refusal> {
        match KeyBuffer::of(&table.seed, key).checked() {
            Ok((key, hash)) => Ok(Operation { position: 0, key, hash, seen, half_mended: false, action }),
            Err(error) => Err(Refusal::new(action.name(), &table.name, error)),
        }
    }

    /// Changes the record that the operation brings, which may change its key.
    pub(super) fn mend(&mut self, table: &Table<R>, mend: impl FnOnce(&mut R)) -> Result<bool, Cause> {
        let Some(record) = self.action.record_mut() else { return Ok(false) };
        self.half_mended = true;
        mend(record);
        (self.key, self.hash) = checked_key(table, record)?;
        self.half_mended = false;
        Ok(true)
    }

    /// What this operation makes of the record `present`, which the batch found as commit `begin` wrote it. Runs user
    /// code, touches nothing.
    pub(super) fn outcome(
        &self,
        table: &Table<R>,
        present: Option<&R>,
        begin: Option<Commit>,
    ) -> Result<Outcome<R>, Cause> {
        if self.half_mended {
            return Err(Cause::HalfMended);
        }
        if let Some(seen) = self.seen.filter(|seen| begin != Some(*seen)) {
            return Err(Cause::Stale { seen, now: begin });
        }
        match (&self.action, present) {
            (Action::Store(_), Some(_)) => Ok(Outcome::Replaced),
            (Action::Insert(_), Some(_)) => Err(Cause::KeyExists),
            (Action::Store(_) | Action::Insert(_) | Action::Upsert(..), None) => Ok(Outcome::Inserted),
            (Action::Update(change) | Action::Upsert(_, change), Some(record)) => self.changed(table, change, record),
            (Action::Update(_), None) => Err(Cause::KeyMissing),
            (Action::Delete, Some(_)) => Ok(Outcome::Deleted),
            (Action::Delete | Action::Done, _) => Ok(Outcome::Missing),
        }
    }

    fn changed(&self, table: &Table<R>, change: &Change<R>, record: &R) -> Result<Outcome<R>, Cause> {
        let changed = user_code::run(|| change(record));
        let changed = changed.map_err(|message| Cause::Panicked { what: "update closure", message })??;
        let kept = key_of(table, &changed).and_then(|key| match key.bytes() == self.key.bytes() {
            true => Ok(()),
            false => Err(Cause::KeyChanged { to: key.to_key() }),
        });
        match changed.check_by(&table.schema).and(kept) {
            Ok(()) => Ok(Outcome::Updated(changed)),
            Err(cause) => {
                user_code::drop_each([changed]);
                Err(cause)
            }
        }
    }

    /// The refusal of this operation.
    pub(super) fn refusal(&self, table: &Table<R>, cause: Cause) -> Refusal {
        Refusal::new(self.action.name(), &table.name, cause).with_key(&self.key).at(self.position)
    }
}

/// The key and its hash of a record that fits the schema.
fn checked_key<R: Record>(table: &Table<R>, record: &R) -> Result<(Key, u32), Cause> {
    record.check_by(&table.schema)?;
    Ok(key_of(table, record)?.checked()?)
}

fn key_of<R: Record>(table: &Table<R>, record: &R) -> Result<KeyBuffer, Cause> {
    let extracted = user_code::run(|| {
        let mut buffer = KeyBuffer::new(&table.seed);
        record.key_by(&table.schema, &mut buffer);
        buffer
    });
    extracted.map_err(|message| Cause::Panicked { what: "key extractor", message })
}

/// An operation of a batch, described.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// Its position in the batch, counted from 0. Taking others out does not change it.
    pub position: usize,
    /// `store`, `insert`, `update`, `upsert` or `delete`.
    pub operation: &'static str,
    /// The name of its collection.
    pub collection: String,
    /// The key of its record.
    pub key: Key,
}

/// An operation that was taken out of a batch.
pub struct TakenOperation {
    /// What it was.
    pub info: OperationInfo,
    pub(super) record: Option<Box<dyn Any + Send>>,
}

impl TakenOperation {
    /// The record that it brought; `None` if it brought none, or one of another type.
    pub fn into_record<R: Record>(self) -> Option<R> {
        self.record?.downcast().ok().map(|record| *record)
    }
}

impl fmt::Debug for TakenOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}
