//! Staging: a batch's operations on one collection become one net change a key. All user code of a write runs here, and
//! all refusals happen here; until [`Staged::seal`] nothing has been given out, until [`Staged::mark`] nothing shared.

use super::operation::{Operation, OperationInfo, Outcome, TakenOperation};
use super::receipt::Counts;
use crate::error::{Cause, Commit, Refusal};
use crate::hash::spread;
use crate::index::{Other, checked};
use crate::limits::MAX_ROWS;
use crate::record::Record;
use crate::rowset::Row;
use crate::storage::{
    AnyTable, Applied, Cell, Change, CollectionChanges, Garbage, Maintained, Table, TableWriter, Version,
};
use crate::sync::{Arc, MutexGuard};
use crate::user_code;
use crate::value::{Key, Value, ValueRef, decode_parts};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::{SmallVec, smallvec};
use std::any::Any;
use std::collections::HashMap;

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

    /// The record that the batch leaves, if it leaves one.
    fn result<'a>(&'a self, operations: &'a [Operation<R>]) -> Option<&'a R> {
        if matches!(self.state, State::Gone) { None } else { self.present(operations) }
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

/// The operations on one collection, without its record type.
pub(super) trait Part: Any + Send {
    fn len(&self) -> usize;
    fn stage(&mut self) -> Result<Box<dyn StagedPart + '_>, Refusal>;
    fn is_of(&self, table: *const ()) -> bool;
    /// Drops the operations from a position on.
    fn truncate(&mut self, position: usize);
    fn remove(&mut self, position: usize) -> Option<TakenOperation>;
    fn infos(&self, infos: &mut Vec<OperationInfo>);
    /// What its operations take in memory, as far as memdex can tell.
    fn bytes(&self) -> usize;
    /// A number for each operation's collection and key: of one key the same, of two most likely different ones.
    fn fingerprints(&self, fingerprints: &mut Vec<u64>);
    /// Takes the operations of another part in behind its own, their positions moved on by `from`, if both are of one
    /// collection.
    fn append(&mut self, other: &mut dyn Part, from: usize) -> bool;
    /// Undoes the last `append`.
    fn give_back(&mut self, other: &mut dyn Part, from: usize) -> bool;
    /// A part of the same collection.
    fn empty(&self) -> Box<dyn Part>;
    /// Drops its operations, each by itself, and gives the number of panics.
    fn discard(&mut self) -> u64;
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
    applied: Applied<R>,
}

impl<'a, R: Record> Staged<'a, R> {
    /// Resolves the operations in their order against the newest state, then asks the net records for their values.
    pub(super) fn new(table: &'a Arc<Table<R>>, operations: &'a mut Vec<Operation<R>>) -> Result<Self, Refusal> {
        let writer = table.writer();
        let looked = look_up(table, operations);
        let (counts, applied) = (Counts::default(), Applied::default());
        let mut staged = Staged { table, writer, operations, counts, looked, applied };
        // Before any user code runs, so that these steps to memory overlap with each other and with what it does.
        staged.gather_old_words();
        staged.counts = resolve(table, staged.operations, &mut staged.looked)?;
        let touched = staged.looked.nets.len();
        staged.looked.nets.retain(|net| net.changes_something());
        if staged.looked.nets.len() < touched {
            staged.gather_old_words();
        }
        let nets = &staged.looked.nets;
        let (used, free) = (staged.writer.used_rows(), staged.writer.free_rows());
        let new = nets.iter().filter(|net| net.old.is_none()).count();
        if new > MAX_ROWS - used + free {
            return Err(Refusal::new("store", &table.name, Cause::CollectionFull { limit: MAX_ROWS }));
        }
        staged.stage_indexes()?;
        staged.stage_columns()?;
        Ok(staged)
    }

    /// What the rows are filed under before this batch.
    fn gather_old_words(&mut self) {
        let Staged { looked, writer, applied, .. } = self;
        applied.old_words.clear();
        looked.nets.iter().for_each(|net| writer.gather(net.old.as_deref(), &mut applied.old_words));
    }

    /// Asks the net records for what each index holds of them, index by index, and judges what must be unique.
    fn stage_indexes(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, applied, .. } = self;
        let (table, operations, nets) = (*table, &**operations, &looked.nets);
        let width = writer.width();
        applied.words = SmallVec::from_elem(0, nets.len() * width);
        for maintained in &mut writer.indexes {
            let Maintained { index, writer, staging, from, width: own, .. } = maintained;
            staging.clear();
            for (number, net) in nets.iter().enumerate() {
                let Some(record) = net.result(operations) else { continue };
                let blame = |cause| operations[net.last].refusal(table, cause);
                let entry = user_code::run(|| index.shape.entry(record))
                    .map_err(|message| blame(Cause::Panicked { what: "field extractor", message }))?
                    .map_err(blame)?;
                let place = number * width + *from..number * width + *from + *own;
                let old = net.begin().and(net.old.as_ref());
                let old = old.map(|old| (old.row, &applied.old_words[place.clone()]));
                index.stage(writer, staging, number, &entry, old, &mut applied.words[place]);
            }
            let mut by_row = None;
            let change_of = |row: Row| {
                let number = *by_row.get_or_insert_with(|| rows_of(nets)).get(&row)?;
                let place = number * width + *from..number * width + *from + *own;
                let gone = nets[number].result(operations).is_none();
                Some((number, gone || applied.old_words[place.clone()] != applied.words[place]))
            };
            if let Some(clash) = index.clashes(staging, change_of).into_iter().next() {
                let other = match clash.other {
                    Other::Change(number) => operations[nets[number].first].key.clone(),
                    Other::Row(row) => table.pages.newest(row).map_or_else(Key::none, |version| version.key.clone()),
                };
                let net = &nets[clash.change];
                let key = operations[net.first].key.clone();
                let cause = Cause::NotUnique { index: index.name().into(), value: shown(&clash.value), key, other };
                return Err(operations[net.last].refusal(table, cause));
            }
        }
        Ok(())
    }

    /// Asks the net records for the values that columns hold.
    fn stage_columns(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, .. } = self;
        for (column, of_column) in table.columns.iter().zip(&mut writer.columns) {
            let field = &table.schema.fields()[column.field];
            let Some((at, _)) = table.schema.find(field.name()) else { continue };
            column.clear(of_column);
            for net in &looked.nets {
                let cell = match net.result(operations) {
                    None => Cell::Missing,
                    Some(record) => {
                        let blame = |cause| operations[net.last].refusal(table, cause);
                        let value = user_code::run(|| checked(field, record.value_at(&at)))
                            .map_err(|message| blame(Cause::Panicked { what: "field extractor", message }))?
                            .map_err(blame)?;
                        column.stage(of_column, &table.seed, value)
                    }
                };
                of_column.cells.push(cell);
            }
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

/// Net changes by the row that they change.
fn rows_of<R>(nets: &[Net<R>]) -> HashMap<Row, usize> {
    nets.iter().enumerate().filter_map(|(number, net)| Some((net.old.as_ref()?.row, number))).collect()
}

/// A value of an index as a message shows it: that of several fields is their tuple.
fn shown(value: &Value) -> String {
    match value.as_ref() {
        ValueRef::Bytes(bytes) => match decode_parts(bytes).as_slice() {
            parts @ [_, _, ..] => format!("({})", parts.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}

impl<R: Record> StagedPart for Staged<'_, R> {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn seal(&mut self, commit: Commit) {
        self.applied.first_new_row = self.writer.used_rows() as Row;
        let width = self.writer.width();
        self.writer.indexes.iter_mut().for_each(|maintained| maintained.admit(&mut self.applied, width));
        for (column, of_column) in self.table.columns.iter().zip(&mut self.writer.columns) {
            column.admit(of_column);
        }
        let nets = std::mem::take(&mut self.looked.nets);
        self.applied.changes = nets.into_iter().map(|net| self.version(commit, net)).collect();
        self.applied.rows = self.applied.changes.iter().map(Change::row).collect();
        self.applied.sort_by_row(width);
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
