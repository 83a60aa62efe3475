//! Staging: a batch's operations on one collection become one net change a key. All user code of a write runs here, and
//! all refusals happen here; until [`Staged::seal`] nothing has been given out, until [`Staged::mark`] nothing shared.

use super::operation::{Action, Operation, Outcome};
use super::receipt::Counts;
use crate::error::{Cause, Commit, Refusal};
use crate::hash::{self, spread};
use crate::index::{NULL_CODE, NewValue};
use crate::limits::{MAX_INDEXED_BYTES, MAX_ROWS};
use crate::record::{FieldDef, Record, ValueRef};
use crate::rowset::Row;
use crate::storage::{AnyTable, Applied, Change, CollectionChanges, Garbage, Table, TableWriter, Version};
use crate::sync::{Arc, MutexGuard};
use crate::user_code;
use hashbrown::HashTable;

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

/// Set in a code that stands for a new value, by its place among the new values of its field.
const NEW: u32 = 1 << 31;

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
    nets: Vec<Net<R>>,
    /// One an index for each net change.
    codes: Vec<u32>,
    /// By index.
    new_values: Vec<Vec<NewValue>>,
    applied: Applied<R>,
}

impl<'a, R: Record> Staged<'a, R> {
    /// Resolves the operations in their order against the newest state, then asks the net records for their values.
    pub(super) fn new(table: &'a Arc<Table<R>>, operations: &'a mut Vec<Operation<R>>) -> Result<Self, Refusal> {
        let writer = table.writer();
        let (mut nets, counts) = resolve(table, operations)?;
        nets.retain(Net::changes_something);
        let unused = MAX_ROWS - writer.used_rows();
        if nets.len() > unused + writer.free_rows() {
            return Err(Refusal::new("store", &table.name, Cause::CollectionFull { limit: MAX_ROWS }));
        }
        let width = table.indexes.len();
        let applied = Applied { changes: Vec::new(), codes: Vec::new(), new_codes: Vec::new(), first_new_row: 0 };
        let codes = vec![NULL_CODE; nets.len() * width];
        let new_values = (0..width).map(|_| Vec::new()).collect();
        let mut staged = Staged { table, writer, operations, counts, nets, codes, new_values, applied };
        for at in 0..width {
            staged.look_up_codes(at)?;
        }
        Ok(staged)
    }

    /// The codes of the values that the net records have in one index.
    fn look_up_codes(&mut self, at: usize) -> Result<(), Refusal> {
        let (table, operations) = (self.table, &*self.operations);
        let (position, index) = &table.indexes[at];
        let field = &table.schema.fields()[*position];
        let width = table.indexes.len();
        let new_values = &mut self.new_values[at];
        let mut by_hash = HashTable::new();
        for (number, net) in self.nets.iter().enumerate() {
            let Some(record) = (if matches!(net.state, State::Gone) { None } else { net.present(operations) }) else {
                continue;
            };
            let blame = |cause| operations[net.last].refusal(table, cause);
            let value = user_code::run(|| record.value(*position))
                .map_err(|message| blame(Cause::Panicked { what: "field extractor", message }))?
                .canonical();
            check_value(field, value).map_err(blame)?;
            let old = net.old.as_ref().filter(|old| !old.is_tombstone()).map(|old| self.writer.codes(old.row)[at]);
            self.codes[number * width + at] = if value.is_null() {
                NULL_CODE
            } else if let Some(same) = old.filter(|code| self.writer.index(at).value(*code) == Some(value)) {
                same
            } else {
                let hash = hash::short(&table.seed, &value);
                index.code(hash, value).unwrap_or_else(|| new_code(&mut by_hash, new_values, hash, value))
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

/// The net change of each key, in the order in which the batch touched them.
fn resolve<R: Record>(table: &Table<R>, operations: &[Operation<R>]) -> Result<(Vec<Net<R>>, Counts), Refusal> {
    let mut counts = Counts::default();
    let mut nets: Vec<Net<R>> = Vec::with_capacity(operations.len());
    // The first operation on each key, with its net change.
    let mut by_key: HashTable<(usize, usize)> =
        HashTable::with_capacity(if operations.len() > 1 { operations.len() } else { 0 });
    for (at, operation) in operations.iter().enumerate() {
        let same_key = |first: &(usize, usize)| operations[first.0].key == operation.key;
        let known = by_key.find(spread(operation.hash), same_key).map(|(_, net)| *net);
        let net = known.unwrap_or_else(|| {
            if operations.len() > 1 {
                let rehash = |first: &(usize, usize)| spread(operations[first.0].hash);
                by_key.insert_unique(spread(operation.hash), (at, nets.len()), rehash);
            }
            let old = table.keys.newest(operation.hash, |key| *key == operation.key);
            nets.push(Net { first: at, last: at, old, state: State::Unchanged });
            nets.len() - 1
        });
        let net = &mut nets[net];
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
        (net.last, net.state) = (at, state);
    }
    Ok((nets, counts))
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

fn new_code(by_hash: &mut HashTable<u32>, new_values: &mut Vec<NewValue>, hash: u32, value: ValueRef<'_>) -> u32 {
    let same = |at: &u32| new_values[*at as usize].hash == hash && new_values[*at as usize].value.as_ref() == value;
    let at = by_hash.find(spread(hash), same).copied().unwrap_or_else(|| {
        let at = new_values.len() as u32;
        new_values.push(NewValue { hash, value: value.to_value() });
        by_hash.insert_unique(spread(hash), at, |at| spread(new_values[*at as usize].hash));
        at
    });
    NEW | at
}

impl<R: Record> StagedPart for Staged<'_, R> {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn seal(&mut self, commit: Commit) {
        let first_new_row = self.writer.used_rows() as Row;
        for (at, values) in std::mem::take(&mut self.new_values).into_iter().enumerate() {
            let index = self.writer.index_mut(at);
            self.applied.new_codes.push(values.into_iter().map(|value| index.admit(value)).collect());
        }
        let width = self.table.indexes.len();
        for (at, code) in self.codes.iter_mut().enumerate() {
            if *code & NEW != 0 {
                *code = self.applied.new_codes[at % width][(*code & !NEW) as usize];
            }
        }
        let nets = std::mem::take(&mut self.nets);
        let mut changes: Vec<(Change<R>, usize)> =
            nets.into_iter().enumerate().map(|(number, net)| (self.version(commit, net), number)).collect();
        if !changes.is_sorted_by_key(|(change, _)| change.row()) {
            changes.sort_unstable_by_key(|(change, _)| change.row());
        }
        let codes_of = |number: usize| &self.codes[number * width..][..width];
        self.applied.codes = changes.iter().flat_map(|(_, number)| codes_of(*number)).copied().collect();
        self.applied.changes = changes.into_iter().map(|(change, _)| change).collect();
        self.applied.first_new_row = first_new_row;
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
        // The last references to what was displaced may be these, and the operations hold what the batch made needless.
        garbage.add(std::mem::take(&mut self.applied.changes));
        let needless = |operation: &Operation<R>| operation.action.holds_user_values();
        garbage.add(self.operations.drain(..).filter(needless).map(|o| o.action).collect::<Vec<Action<R>>>());
    }

    fn table(&self) -> Arc<dyn AnyTable> {
        self.table.clone()
    }
}
