//! What an operation does to a record.

use super::change::{Change, Edit};
use super::follow::Follow;
use crate::record::Record;
use crate::storage::{AnyVersion, Draft, SharedVersion};
use crate::user_code;

pub(super) enum Action {
    Store(Draft),
    Insert(Draft),
    Update(Change),
    Upsert(Draft, Change),
    Delete,
    /// Removes the record if it has expired.
    Expire,
    /// Stores the record of an earlier version again.
    Restore(SharedVersion),
    /// Does what a reference demands.
    Follow(Follow),
    /// Its record has moved into the store.
    Done,
}

impl Action {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Action::Store(_) => "store",
            Action::Insert(_) => "insert",
            Action::Update(Change::Edit(edit)) | Action::Upsert(_, Change::Edit(edit)) => edit.name(),
            Action::Update(_) => "update",
            Action::Upsert(..) => "upsert",
            Action::Delete => "delete",
            Action::Expire => "expire",
            Action::Restore(_) => "restore",
            Action::Follow(follow) => follow.name(),
            Action::Done => "done",
        }
    }

    pub(super) fn store<R: Record>(record: R) -> Self {
        Action::Store(Draft::new(record))
    }

    pub(super) fn insert<R: Record>(record: R) -> Self {
        Action::Insert(Draft::new(record))
    }

    pub(super) fn upsert<R: Record>(record: R, change: Change) -> Self {
        Action::Upsert(Draft::new(record), change)
    }

    pub(super) fn name_by_condition(&self) -> &'static str {
        match self {
            Action::Update(_) => "update_where",
            _ => "delete_where",
        }
    }

    pub(super) fn record(&self) -> Option<&dyn AnyVersion> {
        match self {
            Action::Store(record) | Action::Insert(record) | Action::Upsert(record, _) => Some(&**record),
            Action::Restore(version) => Some(&**version),
            _ => None,
        }
    }

    pub(super) fn record_mut(&mut self) -> Option<&mut Draft> {
        match self {
            Action::Store(record) | Action::Insert(record) | Action::Upsert(record, _) => Some(record),
            _ => None,
        }
    }

    pub(super) fn take_record(&mut self) -> Option<Draft> {
        match std::mem::replace(self, Action::Done) {
            Action::Store(record) | Action::Insert(record) => Some(record),
            Action::Upsert(record, change) => {
                // Dropping the closure is user code, so it stays with the operation, which is dropped after the locks.
                *self = Action::Update(change);
                Some(record)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// Undoes [`take_record`](Action::take_record).
    pub(super) fn put_back(&mut self, record: Draft, inserts: bool) {
        *self = match std::mem::replace(self, Action::Done) {
            Action::Update(change) => Action::Upsert(record, change),
            _ if inserts => Action::Insert(record),
            _ => Action::Store(record),
        };
    }

    pub(super) fn change(&self) -> Option<&Change> {
        if let Action::Update(change) | Action::Upsert(_, change) = self { Some(change) } else { None }
    }

    /// The edit of a field that it makes of a record which exists.
    pub(super) fn edit(&self) -> Option<&Edit> {
        self.change()?.edit()
    }

    /// The memory of the record that it brings.
    pub(super) fn record_bytes(&self) -> usize {
        let draft = match self {
            Action::Store(record) | Action::Insert(record) | Action::Upsert(record, _) => record,
            Action::Restore(version) => return version.measure_heap().unwrap_or(0),
            _ => return 0,
        };
        draft.bytes().saturating_add(draft.measure_heap().unwrap_or(0))
    }

    /// The size of its closures' captures, or of its edit.
    pub(super) fn change_bytes(&self) -> usize {
        self.change().map_or(0, Change::bytes)
    }

    /// Drops each value of the user by itself. Returns the number of panics.
    pub(super) fn drop_each(self) -> u64 {
        match self {
            Action::Delete | Action::Expire | Action::Follow(_) | Action::Done | Action::Update(Change::Edit(_)) => 0,
            Action::Upsert(record, change) => user_code::drop_each([record]) + user_code::drop_each([change]),
            one_value => user_code::drop_each([one_value]),
        }
    }

    /// Whether dropping it runs user code.
    pub(super) fn holds_user_values(&self) -> bool {
        use Action::{Delete, Done, Expire, Follow, Update};
        !matches!(self, Delete | Expire | Follow(_) | Done | Update(Change::Edit(_)))
    }
}
