//! Staging: a batch's operations on one collection become one net change a key. All user code of a write runs here, and
//! all refusals happen here; until [`Staged::seal`] nothing has been given out, until [`Staged::mark`] nothing shared.

use super::operation::{Operation, OperationInfo, Outcome, TakenOperation};
use super::receipt::Counts;
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
use hashbrown::hash_table::Entry;
use smallvec::{SmallVec, smallvec};
use std::any::Any;

/// A net change before it has a row and a version.
struct Net<R> {
    /// The operation that touched the key first: its key, and its place among the changes.
    first: usize,
    /// The one that made the state: to blame when its record can't be indexed.
    last: usize,
    old: Option<Arc<Version<R>>>,
    state: State<R>,
}

enum State<R> {
    Unchanged,
    /// The record that this operation brings.
    Brought(usize),
    /// What closures made.
    Computed(R),
    Gone,
}

impl<R> Net<R> {
    fn present<'a>(&'a self, operations: &'a [Operation<R>]) -> Option<&'a R> {
        match &self.state {
            State::Unchanged => self.old.as_ref()?.record.as_ref(),
            State::Brought(at) => operations[*at].action.record(),
            State::Computed(record) => Some(record),
            State::Gone => None,
        }
    }

    /// The commit that wrote the record as the batch found it.
    fn begin(&self) -> Option<Commit> {
        self.old.as_ref().filter(|old| !old.is_tombstone()).map(|old| old.begin)
    }

    /// Whether the store must change: what was inserted and deleted again within the batch leaves nothing behind.
    fn changes_something(&self) -> bool {
        match self.state {
            State::Unchanged => false,
            State::Gone => self.begin().is_some(),
            State::Brought(_) | State::Computed(_) => true,
        }
    }
}

/// Set in a provisional code: the place of a value among the new ones.
const NEW: u32 = 1 << 31;

/// The operations on one collection, without its record type.
pub(super) trait Part: Any + Send {
    fn len(&self) -> usize;
    fn stage(&mut self) -> Result<Box<dyn StagedPart + '_>, Refusal>;
    fn is_of(&self, table: *const ()) -> bool;
    /// Drops the operations from a position on.
    fn truncate(&mut self, position: usize);
    fn remove(&mut self, position: usize) -> Option<TakenOperation>;
    fn infos(&self, infos: &mut Vec<OperationInfo>);
}

/// One collection's part of a batch, staged: without its record type, as the commit sees it.
pub(super) trait StagedPart {
    fn counts(&self) -> Counts;
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
    looked: Looked<R>,
    /// With the index that they are new to; of each index in the order of their provisional codes.
    new_values: Vec<(usize, NewValue)>,
    applied: Applied<R>,
}

impl<'a, R: Record> Staged<'a, R> {
    /// Resolves the operations in their order against the newest state, then asks the net records for their values.
    pub(super) fn new(table: &'a Arc<Table<R>>, operations: &'a mut Vec<Operation<R>>) -> Result<Self, Refusal> {
        let writer = table.writer();
        let width = table.indexes.len();
        let looked = look_up(table, operations);
        let (counts, applied) = (Counts::default(), Applied::default());
        let mut staged = Staged { table, writer, operations, counts, looked, new_values: Vec::new(), applied };
        // Before any user code runs, so that these steps to memory overlap with each other and with what it does.
        staged.gather_old_codes();
        staged.counts = resolve(table, staged.operations, &mut staged.looked)?;
        let touched = staged.looked.nets.len();
        staged.looked.nets.retain(|net| net.changes_something());
        if staged.looked.nets.len() < touched {
            staged.gather_old_codes();
        }
        let nets = &staged.looked.nets;
        let (used, free) = (staged.writer.used_rows(), staged.writer.free_rows());
        let new = nets.iter().filter(|net| net.old.is_none()).count();
        if new > MAX_ROWS - used + free {
            return Err(Refusal::new("store", &table.name, Cause::CollectionFull { limit: MAX_ROWS }));
        }
        staged.applied.codes = SmallVec::from_elem(NULL_CODE, nets.len() * width);
        for at in 0..width {
            staged.look_up_codes(at)?;
        }
        Ok(staged)
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
            let blame = |cause| operations[net.last].refusal(table, cause);
            let value = user_code::run(|| record.value_at(&table.schema.at(*position)))
                .map_err(|message| blame(Cause::Panicked { what: "field extractor", message }))?
                .canonical();
            check_value(field, value).map_err(blame)?;
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

    fn version(&mut self, commit: Commit, net: Net<R>) -> Change<R> {
        let record = match net.state {
            State::Brought(at) => self.operations[at].action.take_record(),
            State::Computed(record) => Some(record),
            State::Gone | State::Unchanged => None,
        };
        let first = &self.operations[net.first];
        let row = match &net.old {
            Some(old) => old.row,
            None => self.writer.new_row(),
        };
        let version = Version { begin: commit, row, hash: first.hash, key: first.key.clone(), record };
        Change { old: net.old, new: Arc::new(version) }
    }
}

/// The net changes of a batch in the order in which it touched their keys, and which of them each operation belongs to.
struct Looked<R> {
    nets: SmallVec<[Net<R>; 1]>,
    net_of: SmallVec<[usize; 1]>,
    /// What closures made and others then changed again.
    superseded: Vec<State<R>>,
}

/// Lets the operations, in their order, change the states.
fn resolve<R: Record>(
    table: &Table<R>,
    operations: &[Operation<R>],
    Looked { nets, net_of, superseded }: &mut Looked<R>,
) -> Result<Counts, Refusal> {
    let mut counts = Counts::default();
    for (at, operation) in operations.iter().enumerate() {
        let net = &mut nets[net_of[at]];
        let outcome = operation.outcome(table, net.present(operations), net.begin());
        let (counted, state) = match outcome.map_err(|cause| operation.refusal(table, cause))? {
            Outcome::Inserted => (&mut counts.inserted, State::Brought(at)),
            Outcome::Replaced => (&mut counts.replaced, State::Brought(at)),
            Outcome::Updated(record) => (&mut counts.updated, State::Computed(record)),
            Outcome::Deleted => (&mut counts.deleted, State::Gone),
            Outcome::Missing => {
                counts.missing += 1;
                continue;
            }
        };
        *counted += 1;
        net.last = at;
        if let computed @ State::Computed(_) = std::mem::replace(&mut net.state, state) {
            superseded.push(computed);
        }
    }
    Ok(counts)
}

/// One net change a key, still unchanged. Does nothing else, so that the steps to memory of successive look-ups overlap.
fn look_up<R: Record>(table: &Table<R>, operations: &[Operation<R>]) -> Looked<R> {
    let new = |at: usize, operation: &Operation<R>| {
        let old = table.keys.newest(operation.hash, |key| *key == operation.key);
        Net { first: at, last: at, old, state: State::Unchanged }
    };
    if let [alone] = operations {
        return Looked { nets: smallvec![new(0, alone)], net_of: smallvec![0], superseded: Vec::new() };
    }
    let mut nets: SmallVec<[Net<R>; 1]> = SmallVec::with_capacity(operations.len());
    // The first operation on each key, with its net change.
    let mut by_key: HashTable<(usize, usize)> = HashTable::with_capacity(operations.len());
    let net_of = operations.iter().enumerate().map(|(at, operation)| {
        let same_key = |first: &(usize, usize)| operations[first.0].key == operation.key;
        let rehash = |first: &(usize, usize)| spread(operations[first.0].hash);
        match by_key.entry(spread(operation.hash), same_key, rehash) {
            Entry::Occupied(known) => known.get().1,
            Entry::Vacant(unknown) => {
                unknown.insert((at, nets.len()));
                nets.push(new(at, operation));
                nets.len() - 1
            }
        }
    });
    let net_of = net_of.collect();
    Looked { nets, net_of, superseded: Vec::new() }
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
        if self.operations.iter().any(|operation| operation.action.holds_user_values()) {
            garbage.add(std::mem::take(self.operations));
        }
        self.operations.clear();
        garbage.add(std::mem::take(&mut self.looked.superseded));
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
    }
}
