//! Staging: a batch's operations on one collection become one net change a key. All user code of a write runs here, and
//! all refusals happen here; until [`Staged::seal`] nothing has been given out, until [`Staged::mark`] nothing shared.

use super::operation::Operation;
use super::receipt::Counts;
use super::report::{Asked, Blame, Notes, OperationInfo};
use super::resolve::{Looked, Net, State, look_up};
use crate::error::{Cause, Commit, Refusal};
use crate::hash::{self, spread};
use crate::index::{NULL_CODE, NewValue};
use crate::limits::{MAX_INDEXED_BYTES, MAX_ROWS};
use crate::record::{FieldDef, Record};
use crate::rowset::Row;
use crate::storage::{AnyTable, Applied, Change, CollectionChanges, Garbage, Table, TableWriter, Version};
use crate::sync::{Arc, MutexGuard};
use crate::user_code;
use crate::value::ValueRef;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::any::Any;

/// Set in a provisional code: the place of a value among the new ones.
const NEW: u32 = 1 << 31;

/// The operations on one collection, without its record type.
pub(super) trait Part: Any + Send {
    fn len(&self) -> usize;
    fn stage(&mut self, asked: Asked) -> Result<Box<dyn StagedPart + '_>, Refusal>;
    fn is_of(&self, table: *const ()) -> bool;
    /// Drops the operations from a position on.
    fn truncate(&mut self, position: usize);
    fn remove(&mut self, position: usize) -> Option<Single>;
    /// Takes all operations out.
    fn take_all(&mut self) -> Vec<Single>;
    /// Takes the record out that the first of its operations brings.
    fn take_record(&mut self) -> Option<Box<dyn Any + Send>>;
    /// Takes the operations of another part in behind its own, their positions moved on by `from`, if both are of one
    /// collection.
    fn append(&mut self, other: &mut dyn Part, from: usize) -> bool;
    /// Gives the first of its operations another position.
    fn set_position(&mut self, position: usize);
    fn infos(&self, infos: &mut Vec<OperationInfo>);
}

/// One operation, described, and alone in a part.
pub(super) type Single = (OperationInfo, Box<dyn Part>);

/// One collection's part of a batch, staged: without its record type, as the commit sees it.
pub(super) trait StagedPart {
    fn counts(&self) -> Counts;
    /// Adds what was noted down while it was staged. After the last refusal.
    fn tell(&mut self, notes: &mut Notes);
    /// Gives out rows, codes and versions. After the last refusal.
    fn seal(&mut self, commit: Commit);
    fn mark(&self, commit: Commit);
    fn apply(&mut self, commit: Commit);
    fn changes(&self) -> CollectionChanges;
    fn settle(&mut self, pinned: &[Commit], garbage: &mut Garbage);
    fn table(&self) -> Arc<dyn AnyTable>;
}

pub(super) struct Staged<'a, R: Record> {
    table: &'a Arc<Table<R>>,
    writer: MutexGuard<'a, TableWriter>,
    operations: &'a mut Vec<Operation<R>>,
    counts: Counts,
    blame: Blame,
    /// Operations that are left out, ascending: they stay with the batch.
    left_out: Vec<usize>,
    looked: Looked<R>,
    /// With the index that they are new to; of each index in the order of their provisional codes.
    new_values: Vec<(usize, NewValue)>,
    applied: Applied<R>,
}

impl<'a, R: Record> Staged<'a, R> {
    /// Stages the operations; in a lenient commit again and again without those that are refused, until the rest stands.
    pub(super) fn new(
        table: &'a Arc<Table<R>>,
        operations: &'a mut Vec<Operation<R>>,
        asked: Asked,
    ) -> Result<Self, Refusal> {
        let writer = table.writer();
        let looked = look_up(table, operations);
        let (counts, applied, blame) = (Counts::default(), Applied::default(), Blame::new(asked));
        let (left_out, new_values) = (Vec::new(), Vec::new());
        let mut staged = Staged { table, writer, operations, counts, blame, left_out, looked, new_values, applied };
        staged.pass()?;
        // Each further pass is without one operation more, at least.
        while staged.blame.again(staged.operations.len()) {
            staged.begin_anew();
            staged.pass()?;
        }
        Ok(staged)
    }

    /// Resolves the operations in their order against the newest state, then asks the net records for their values.
    fn pass(&mut self) -> Result<(), Refusal> {
        let table = self.table;
        let width = table.indexes.len();
        // Before any user code runs, so that these steps to memory overlap with each other and with what it does.
        self.gather_old_codes();
        let known = self.looked.nets.len();
        self.counts = self.looked.resolve(table, self.operations, &mut self.blame)?;
        self.blame.all_resolved();
        let touched = self.looked.nets.len();
        self.looked.nets.retain(|net| net.changes_something());
        if touched > known || self.looked.nets.len() < touched {
            self.gather_old_codes();
        }
        let nets = &self.looked.nets;
        let (used, free) = (self.writer.used_rows(), self.writer.free_rows());
        let new = nets.iter().filter(|net| net.old.is_none()).count();
        if new > MAX_ROWS - used + free {
            return Err(Refusal::new("store", &table.name, Cause::CollectionFull { limit: MAX_ROWS }));
        }
        self.applied.codes = SmallVec::from_elem(NULL_CODE, nets.len() * width);
        for at in 0..width {
            self.look_up_codes(at)?;
        }
        Ok(())
    }

    fn begin_anew(&mut self) {
        let looked = look_up(self.table, self.operations);
        let Looked { nets, mut superseded, .. } = std::mem::replace(&mut self.looked, looked);
        // What closures have made is the user's: it is dropped with the rest.
        superseded.extend(nets.into_iter().map(|net| net.state).filter(|state| matches!(state, State::Computed(_))));
        self.looked.superseded = superseded;
        self.new_values.clear();
    }

    /// What the rows are indexed under before this batch.
    fn gather_old_codes(&mut self) {
        let Staged { looked, writer, applied, .. } = self;
        applied.old_codes.clear();
        looked.nets.iter().for_each(|net| applied.old_codes.extend_from_slice(writer.codes_of(net.old.as_deref())));
    }

    /// The codes of the values that the net records have in one index.
    fn look_up_codes(&mut self, at: usize) -> Result<(), Refusal> {
        let (table, operations) = (self.table, &*self.operations);
        let (position, index) = &table.indexes[at];
        let field = &table.schema.fields()[*position];
        let width = table.indexes.len();
        let mut new_values = NewValues { index: at, by_hash: HashTable::new(), list: &mut self.new_values };
        for (number, net) in self.looked.nets.iter().enumerate() {
            let Some(record) = (if matches!(net.state, State::Gone) { None } else { net.present(operations) }) else {
                continue;
            };
            let mut refuse = |cause| {
                let (culprit, refusal) = net.refusal(table, operations, cause);
                self.blame.refuse(culprit, refusal)
            };
            let value = match user_code::run(|| record.value(*position)) {
                Ok(value) => value.canonical(),
                Err(message) => {
                    refuse(Cause::Panicked { what: "field extractor", message })?;
                    continue;
                }
            };
            if let Err(cause) = check_value(field, value) {
                refuse(cause)?;
                continue;
            }
            let old = self.applied.old_codes[number * width + at];
            self.applied.codes[number * width + at] = if value.is_null() {
                NULL_CODE
            } else if self.writer.index(at).value(old) == Some(value) {
                old
            } else {
                let hash = hash::short(&table.seed, &value);
                index.code(hash, value).unwrap_or_else(|| new_values.code(hash, value))
            };
        }
        Ok(())
    }

    /// The operations that are left out, which stay with the batch.
    fn take_left_out(&mut self) -> Vec<Operation<R>> {
        if self.left_out.is_empty() {
            return Vec::new();
        }
        let (mut rest, mut left_out) = (Vec::new(), Vec::with_capacity(self.left_out.len()));
        for (at, operation) in std::mem::take(self.operations).into_iter().enumerate() {
            let out = self.left_out.binary_search(&at).is_ok();
            (if out { &mut left_out } else { &mut rest }).push(operation);
        }
        *self.operations = rest;
        left_out
    }

    fn version(&mut self, commit: Commit, net: Net<R>) -> Change<R> {
        let (key, hash) = net.key(self.operations);
        let key = key.clone();
        let record = match net.state {
            State::Brought(at) => self.operations[at].action.take_record(),
            State::Computed(record) => Some(record),
            State::Gone | State::Unchanged => None,
        };
        let row = match &net.old {
            Some(old) => old.row,
            None => self.writer.new_row(),
        };
        let version = Version { begin: commit, row, hash, key, record };
        Change { old: net.old, new: Arc::new(version) }
    }
}

/// Whether each index by itself takes a record.
pub(super) fn can_be_indexed<R: Record>(table: &Table<R>, record: &R) -> bool {
    let is_fit = |position: usize| {
        let value = user_code::run(|| record.value(position));
        value.is_ok_and(|value| check_value(&table.schema.fields()[position], value).is_ok())
    };
    table.indexes.iter().all(|(position, _)| is_fit(*position))
}

/// The schema has announced what a value can be; an index takes none that is too long.
fn check_value(field: &FieldDef, value: ValueRef<'_>) -> Result<(), Cause> {
    let announced = value.kind().map_or(field.is_nullable(), |kind| kind == field.kind());
    if !announced {
        return Err(Cause::WrongKind { field: field.name().into(), expected: field.kind(), given: value.to_value() });
    }
    let bytes = match value {
        ValueRef::Str(s) => s.len(),
        ValueRef::Bytes(b) => b.len(),
        _ => 0,
    };
    if bytes > MAX_INDEXED_BYTES {
        return Err(Cause::ValueTooLong { field: field.name().into(), bytes, limit: MAX_INDEXED_BYTES });
    }
    Ok(())
}

/// The values of a batch that are new to one index.
struct NewValues<'a> {
    index: usize,
    /// Places in `list`.
    by_hash: HashTable<u32>,
    list: &'a mut Vec<(usize, NewValue)>,
}

impl NewValues<'_> {
    /// The provisional code of a value.
    fn code(&mut self, hash: u32, value: ValueRef<'_>) -> u32 {
        let same = |at: &u32| {
            let (_, new) = &self.list[*at as usize];
            new.hash == hash && new.value.as_ref() == value
        };
        if let Some(known) = self.by_hash.find(spread(hash), same) {
            return NEW | known;
        }
        let at = self.list.len() as u32;
        self.list.push((self.index, NewValue { hash, value: value.to_value() }));
        self.by_hash.insert_unique(spread(hash), at, |at| spread(self.list[*at as usize].1.hash));
        NEW | at
    }
}

impl<R: Record> StagedPart for Staged<'_, R> {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn tell(&mut self, notes: &mut Notes) {
        self.left_out = self.blame.tell(notes);
    }

    fn seal(&mut self, commit: Commit) {
        let first_new_row = self.writer.used_rows() as Row;
        let admitted =
            std::mem::take(&mut self.new_values).into_iter().map(|(at, value)| (at, self.writer.admit(at, value)));
        self.applied.new_codes = admitted.collect();
        for code in self.applied.codes.iter_mut().filter(|code| **code & NEW != 0) {
            *code = self.applied.new_codes[(*code & !NEW) as usize].1;
        }
        let nets = std::mem::take(&mut self.looked.nets);
        self.applied.changes = nets.into_iter().map(|net| self.version(commit, net)).collect();
        self.applied.first_new_row = first_new_row;
        self.applied.sort_by_row(self.table.indexes.len());
    }

    fn mark(&self, commit: Commit) {
        self.table.mark(commit, &self.applied);
    }

    fn apply(&mut self, commit: Commit) {
        self.table.apply(&mut self.writer, commit, &self.applied);
    }

    fn changes(&self) -> CollectionChanges {
        self.table.changes(&self.applied)
    }

    fn settle(&mut self, pinned: &[Commit], garbage: &mut Garbage) {
        self.table.settle(&mut self.writer, pinned, &self.applied, garbage);
        // The changes themselves need not go to the garbage: what they displaced is kept by its page or is in the garbage by now,
        // so theirs are never the last references.
        // What the operations still hold is the user's. Their room is kept for the next batch where they hold nothing.
        let left_out = self.take_left_out();
        if self.operations.iter().any(|operation| operation.action.holds_user_values()) {
            garbage.add(std::mem::take(self.operations));
        }
        self.operations.clear();
        self.operations.extend(left_out);
        garbage.add(std::mem::take(&mut self.looked.superseded));
        garbage.add(self.blame.take_refusals());
    }

    fn table(&self) -> Arc<dyn AnyTable> {
        self.table.clone()
    }
}

impl<R: Record> Drop for Staged<'_, R> {
    /// Of a refused batch: what closures have made, each by itself. A second panic while one unwinds would be the last.
    fn drop(&mut self) {
        user_code::drop_each(std::mem::take(&mut self.looked.nets).into_iter().map(|net| net.state));
        user_code::drop_each(std::mem::take(&mut self.looked.superseded));
        user_code::drop_each(self.blame.take_refusals());
    }
}
