//! A collection without its records: everything but its key table and its row pages.
//!
//! The shared structures hold the newest state, published or in flight. The committer changes them in place, under short locks
//! on small parts, one at a time; it holds the commit lock, and with it the [`TableWriter`].

use super::by_commit::ByCommit;
use super::checks::Checks;
use super::column::{Cell, Column, ColumnWriter};
use super::counters::Counters;
use super::deadlines::Deadlines;
use super::filings::{Filing, filings};
use super::gauges::{Counts, Gauges};
use super::mark_tree::Mark;
use super::marks::Marks;
use super::questions::Questions;
use super::stats::{AggregateStats, BoundStats, CollectionStats, IndexStats, MemoryStats};
use super::table_writer::TableWriter;
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, QueryError};
use crate::hash::RandomState;
use crate::index::{
    self, Catalog, ChangeSet, Clash, Index, Maintain, Materialized, NetChanges, Role, StagedRecords, StagedRefs,
};
use crate::index::{checked, extract};
use crate::limits::{FORK_SHARDS, MAX_ROWS};
use crate::memory::HeapBytes;
use crate::reclaim::Pass;
use crate::record::{Condition, FieldAt, FieldDef, FieldSource, Schema};
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock};
use memdex_query::value::{Fitted, Key, Kind, Value, ValueRef};
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::ops::{ControlFlow, Deref};

pub(crate) struct TableCore {
    pub(crate) name: Arc<str>,
    pub(crate) schema: Schema,
    pub(crate) seed: RandomState,
    /// The kinds of the key's fields.
    pub(crate) key_kinds: Box<[Kind]>,
    /// What every record must meet.
    pub(crate) checks: Checks,
    /// The indexes and materialized aggregates that readers may use: complete ones. Changed under the commit lock.
    catalog: RwLock<Catalog>,
    pub(crate) columns: Columns,
    /// Rows that hold a record.
    pub(crate) all_rows: RwLock<RowSet>,
    pub(crate) marks: Marks,
    /// The number of records.
    pub(crate) lengths: ByCommit<usize>,
    pub(crate) deadlines: Deadlines,
    /// Those whose answers are cached.
    pub(crate) questions: Arc<Questions>,
    pub(super) all_rows_bytes: HeapBytes,
    /// Shared with the garbage that is still to be dropped.
    pub(super) gauges: Arc<Gauges>,
    /// Those of the store.
    pub(crate) counters: Arc<Counters>,
    writer: Mutex<TableWriter>,
}

impl TableCore {
    pub(super) fn new(
        name: &str,
        schema: Schema,
        seed: RandomState,
        counters: Arc<Counters>,
        structures: Vec<Box<dyn Maintain>>,
    ) -> Self {
        let (columns, column_writers) = columns_of(&schema);
        let writer = TableWriter::new(structures, column_writers);
        let catalog = writer.catalog();
        let core = TableCore::with(name, schema, seed, counters, writer, catalog);
        core.columns.set(columns);
        core
    }

    /// Of a fork: makes the structures when it first stages something. Until then it lists those of the base.
    pub(super) fn deferred(
        name: &str,
        schema: Schema,
        seed: RandomState,
        counters: Arc<Counters>,
        indexes: Arc<[Arc<dyn Index>]>,
    ) -> Self {
        let writer = TableWriter::new(Vec::new(), Vec::new());
        TableCore::with(name, schema, seed, counters, writer, Catalog { indexes, aggregates: Arc::default() })
    }

    /// Makes structures that are [deferred](Self::deferred). Under the commit lock.
    pub(super) fn make_deferred(&self, writer: &mut TableWriter) {
        if self.columns.are_made() {
            return;
        }
        let indexes = self.indexes();
        let defs = indexes.iter().map(|index| index.shape.def.clone());
        let structures = defs.map(|def| index::index(def, &self.schema, self.seed.clone(), FORK_SHARDS)).collect();
        let (columns, column_writers) = columns_of(&self.schema);
        *writer = TableWriter::new(structures, column_writers);
        self.columns.set(columns);
        self.list(writer);
    }

    fn with(
        name: &str,
        schema: Schema,
        seed: RandomState,
        counters: Arc<Counters>,
        writer: TableWriter,
        catalog: Catalog,
    ) -> Self {
        let key_kinds = schema.fields().iter().filter(|field| field.is_key()).map(FieldDef::kind).collect();
        TableCore {
            name: name.into(),
            checks: Checks::new(name, &schema),
            schema,
            questions: Arc::new(Questions::new(seed.clone(), counters.clone())),
            seed,
            key_kinds,
            catalog: RwLock::new(catalog),
            columns: Columns(OnceLock::new()),
            all_rows: RwLock::new(RowSet::new()),
            marks: Marks::new(),
            lengths: ByCommit::new(0),
            deadlines: Deadlines::new(),
            all_rows_bytes: HeapBytes::default(),
            gauges: Arc::default(),
            counters,
            writer: Mutex::new(writer),
        }
    }

    /// The committer's side. Only under the commit lock, so that it is free.
    pub(crate) fn writer(&self) -> MutexGuard<'_, TableWriter> {
        self.writer.lock()
    }

    /// The places where a condition is filed; `None` if it can't be.
    pub(crate) fn filings(&self, condition: &Condition) -> Option<Vec<Filing>> {
        filings(condition, &|field| self.share_of_value(field))
    }

    // ---- what readers find ----------------------------------------------------------------------------------------

    /// The indexes that a reader may use. One that is dropped meanwhile still answers readers that pinned a commit before this
    /// call.
    pub(crate) fn indexes(&self) -> Arc<[Arc<dyn Index>]> {
        self.catalog.read().indexes.clone()
    }

    /// The row with this value in a field, by the unique index over all records on only this field. A number of another
    /// kind than the field's is compared by value.
    #[inline]
    pub(crate) fn unique_row(&self, field: &str, value: ValueRef<'_>) -> Result<Option<Row>, QueryError> {
        // Changed under the commit lock only, whose holder waits for no other part meanwhile.
        let catalog = self.catalog.read();
        let Some(index) = catalog.indexes.iter().find(|index| index.shape.is_unique_of(field)) else {
            return Err(QueryError::no_unique_index(&*self.name, field));
        };
        let other_kind = index.shape.single().map(FieldDef::kind).filter(|kind| value.kind() != Some(*kind));
        Ok(match other_kind.and_then(|kind| Fitted::new(value, kind)) {
            Some(fitted) => fitted.exact().and_then(|value| index.unique_row(value.as_ref())),
            None => index.unique_row(index.shape.fields[0].0.read(value)),
        })
    }

    /// The expected share of the records that have one value of a field, by an index.
    fn share_of_value(&self, field: &FieldAt) -> Option<f64> {
        /// Fewer records say nothing about later ones.
        const FEWEST: usize = 100;
        let indexes = self.indexes();
        let mut of_field = indexes.iter().filter(|index| {
            let shape = &index.shape;
            shape.condition.is_none() && shape.fields.len() == 1 && shape.fields[0].0 == *field
        });
        let index = of_field.find(|index| index.records() >= FEWEST)?;
        Some(1.0 / index.distinct_estimate().max(1) as f64)
    }

    /// Everything that a reader may use.
    pub(crate) fn catalog(&self) -> Catalog {
        self.catalog.read().clone()
    }

    /// The materialized aggregates that a reader may use.
    pub(crate) fn aggregates(&self) -> Arc<[Arc<Materialized>]> {
        self.catalog.read().aggregates.clone()
    }

    /// The materialized aggregate of this name.
    #[inline]
    pub(crate) fn aggregate(&self, name: &str) -> Result<Arc<Materialized>, QueryError> {
        let catalog = self.catalog.read();
        catalog.aggregates.iter().find(|aggregate| aggregate.plan.name() == name).cloned().ok_or_else(|| {
            let known: Vec<_> = catalog.aggregates.iter().map(|of| of.plan.name().to_owned()).collect();
            QueryError::unknown_aggregate(&*self.name, name, known)
        })
    }

    /// Whether no commit has ever changed anything here.
    pub(crate) fn is_untouched(&self) -> bool {
        self.marks.newest() == Commit::ZERO && self.all_rows.read().is_empty()
    }

    /// Whether readers find what the committer maintains.
    pub(super) fn is_listed(&self, writer: &TableWriter) -> bool {
        !self.columns.are_made() || self.catalog.read().is_same(&writer.catalog())
    }

    /// Adds a structure that has been built, complete at `published`, the newest commit. Under the commit lock.
    pub(super) fn add(
        &self,
        writer: &mut TableWriter,
        structure: Box<dyn Maintain>,
        refs: super::back_refs::RefGroup,
        published: Commit,
    ) {
        writer.add(structure, refs, published);
        self.list(writer);
    }

    /// Takes a structure away from readers to come; `published` is the last commit that it has. `None` if there is none. Under the
    /// commit lock.
    pub(super) fn remove(
        &self,
        writer: &mut TableWriter,
        role: Role,
        name: &str,
        published: Commit,
    ) -> Option<Box<dyn Maintain>> {
        let at = writer.position(role, name)?;
        let gone = writer.remove(at, published);
        self.list(writer);
        Some(gone)
    }

    fn list(&self, writer: &TableWriter) {
        let before = std::mem::replace(&mut *self.catalog.write(), writer.catalog());
        drop(before);
    }

    // ---- the steps of a commit ------------------------------------------------------------------------------------

    /// Adds victims to a batch that is staged, each with whether it has expired.
    pub(crate) fn stage_removed(
        &self,
        writer: &mut TableWriter,
        changes: &mut ChangeSet,
        rows: impl Iterator<Item = (Row, bool)>,
    ) {
        writer.stage_removed(changes, rows);
    }

    /// Whether `new` more rows fit.
    pub(crate) fn has_room(&self, writer: &TableWriter, new: usize) -> bool {
        new <= MAX_ROWS - writer.used_rows() + writer.free_rows()
    }

    /// Extracts what every structure and every column holds of the records of a batch: structure by structure over the whole
    /// batch, so that look-ups overlap. `Break` if a refusal ended the batch.
    pub(crate) fn stage(
        &self,
        writer: &mut TableWriter,
        changes: &mut ChangeSet,
        records: &mut dyn StagedRecords,
    ) -> ControlFlow<()> {
        let stride = writer.width();
        changes.new_refs = SmallVec::from_elem(0, changes.staged.len() * stride);
        for maintained in &mut writer.structures {
            let place = maintained.place(stride);
            maintained.structure.stage(records, &mut StagedRefs { changes, place })?;
        }
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            let Some((field, at)) = self.field_of(column) else { continue };
            of_column.clear();
            let mut cells = vec![Cell::Missing; changes.staged.len()];
            records.each(&mut |change, record| {
                cells[change] = column.stage(of_column, &self.seed, cell_value(field, &at, record)?);
                Ok(())
            })?;
            of_column.cells = cells;
        }
        ControlFlow::Continue(())
    }

    /// The changes of a batch that violate a constraint between records, by the net result: each with its place among the
    /// structures. With `independent` set, no change may rely on another.
    pub(crate) fn clashes(
        &self,
        writer: &mut TableWriter,
        changes: &ChangeSet,
        independent: bool,
    ) -> Vec<(usize, Clash)> {
        let stride = writer.width();
        let by_row = OnceCell::new();
        let mut clashes = Vec::new();
        for (at, maintained) in writer.structures.iter_mut().enumerate().filter(|(_, of)| of.has_constraint()) {
            let net = NetChanges::new(changes, maintained.place(stride), &by_row, independent);
            clashes.extend(maintained.structure.clashes(&net).into_iter().map(|clash| (at, clash)));
        }
        clashes
    }

    /// Why a change is refused for a clash in the structure at a place.
    pub(crate) fn clash_cause(&self, writer: &TableWriter, at: usize, value: &Value, key: Key, other: Key) -> Cause {
        writer.structures[at].structure.clash_cause(value, key, other)
    }

    /// The name of the structure at a place as a constraint of the collection.
    pub(crate) fn constraint_name(&self, writer: &TableWriter, at: usize) -> Option<String> {
        let name = writer.structures[at].structure.name();
        let catalog = self.catalog.read();
        let index = catalog.indexes.iter().find(|index| index.name() == name)?;
        Some(index.shape.def.constraint_name(&self.name))
    }

    /// The places of the structures with a constraint between records.
    pub(crate) fn constraints(&self, writer: &TableWriter) -> Vec<usize> {
        let constrained = writer.structures.iter().enumerate().filter(|(_, maintained)| maintained.has_constraint());
        constrained.map(|(at, _)| at).collect()
    }

    /// The shared side of the index at a place.
    pub(crate) fn constraint(&self, writer: &TableWriter, at: usize) -> Option<Arc<dyn Index>> {
        let name = writer.structures[at].structure.name();
        self.indexes().iter().find(|index| index.name() == name).cloned()
    }

    /// The value of a record that no other may have in the structure at a place. Runs extractors.
    pub(crate) fn unique_value(
        &self,
        writer: &TableWriter,
        at: usize,
        record: &dyn FieldSource,
    ) -> Result<Option<Value>, Cause> {
        writer.structures[at].structure.unique_value(record)
    }

    /// The row that has a value before the batch in the structure at a place.
    pub(crate) fn unique_holder(&self, writer: &TableWriter, at: usize, value: ValueRef<'_>) -> Option<Row> {
        writer.structures[at].structure.unique_holder(value)
    }

    /// Refuses a record that a structure or a column can't hold, as far as that depends on the record only. Runs its extractors.
    pub(crate) fn check(&self, record: &dyn FieldSource) -> Result<(), Cause> {
        // Extractors run outside of the guard.
        let catalog = self.catalog.read().clone();
        catalog.check(record)?;
        for (field, at) in self.columns.iter().filter_map(|column| self.field_of(column)) {
            cell_value(field, &at, record)?;
        }
        self.checks.check(record)
    }

    fn field_of(&self, column: &Column) -> Option<(&FieldDef, FieldAt)> {
        let field = &self.schema.fields()[column.field];
        Some((field, self.schema.find(field.name())?.0))
    }

    /// Allocates what is new, after the last refusal: codes of values, for structures and columns.
    pub(crate) fn admit(&self, writer: &mut TableWriter, commit: Commit, changes: &mut ChangeSet) {
        writer.admit(changes);
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            column.admit(of_column, commit);
        }
    }

    /// Tells readers which rows are about to change. Nothing shared has changed before this.
    pub(crate) fn mark(&self, commit: Commit, changes: &ChangeSet) {
        let rows = changes.rows.iter().map(|change| change.row).take_while(|row| *row < changes.first_new_row);
        self.marks.add(Mark { commit, first_new_row: changes.first_new_row, rows: rows.collect() });
    }

    /// Brings what is derived from the records to the new state: structure by structure over the whole batch, then the columns, the
    /// back references and the set of all rows. Cannot fail.
    pub(super) fn apply(&self, writer: &mut TableWriter, commit: Commit, changes: &ChangeSet) {
        writer.apply(commit, changes);
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            let cells = std::mem::take(&mut of_column.cells);
            let mut by_row: Vec<_> = changes.staged_rows.iter().copied().zip(cells).collect();
            by_row.sort_unstable_by_key(|(row, _)| *row);
            column.apply(of_column, commit, &by_row);
        }
        let width = writer.width();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (at, change) in changes.rows.iter().enumerate() {
            match (change.had_record, change.has_record) {
                (false, true) => added.push(change.row),
                (true, false) => removed.push(change.row),
                _ => {}
            }
            if change.has_record {
                writer.back_refs.set(change.row, &changes.new_refs[at * width..][..width]);
            }
        }
        if !(added.is_empty() && removed.is_empty()) {
            self.all_rows_bytes.track(&mut *self.all_rows.write(), RowSet::heap_bytes, |all_rows| {
                all_rows.insert_all(&added);
                all_rows.remove_all(&removed);
            });
        }
        writer.records = writer.records + added.len() - removed.len();
    }

    /// As [`Table::reclaim_displaced`](super::table::Table::reclaim_displaced), for everything but the row pages.
    pub(super) fn reclaim_derived(&self, writer: &mut TableWriter, pass: &Pass<'_>) {
        self.marks.tidy(&pass.pins, pass.published);
        self.lengths.tidy(&pass.pins);
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            column.reclaim_displaced(of_column, &pass.pins);
        }
        writer.structures.iter_mut().for_each(|of| of.structure.reclaim_displaced(&pass.pins));
    }

    /// As [`Table::end`](super::table::Table::end), for everything but the row pages.
    pub(super) fn end_derived(
        &self,
        writer: &mut TableWriter,
        ended: Commit,
        pass: &Pass<'_>,
        budget: &mut usize,
    ) -> bool {
        self.marks.end(ended, &pass.pins, pass.published);
        self.lengths.end(ended, &pass.pins);
        let mut complete = true;
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            complete &= column.end(of_column, ended, &pass.pins, budget);
        }
        for maintained in &mut writer.structures {
            complete &= maintained.structure.end(ended, &pass.pins, budget);
        }
        complete
    }

    /// Whether anything but the row pages retains an old state.
    pub(super) fn retains_derived(&self, writer: &TableWriter) -> bool {
        self.marks.len() > 0
            || self.lengths.len() > 1
            || writer.columns.iter().any(ColumnWriter::retains)
            || writer.structures.iter().any(|of| of.structure.retains())
    }

    // ---- statistics ------------------------------------------------------------------------------------------------

    /// Never waits for a commit.
    pub(super) fn stats(&self, published: Commit, time: Timestamp) -> CollectionStats {
        let Counts { rows_used, rows_free, kept, bound, memory } = self.gauges.counts();
        let aggregates = self.aggregates();
        let of_index = |index: &Arc<dyn Index>| IndexStats {
            name: index.name().to_owned(),
            kind: index.shape.def.kind(),
            distinct: index.distinct(),
            bytes: index.heap_bytes(),
        };
        let of_aggregate = |aggregate: &Arc<Materialized>| AggregateStats {
            name: aggregate.plan.name().to_owned(),
            groups: aggregate.groups(),
            bytes: aggregate.heap_bytes(),
        };
        CollectionStats {
            name: self.name.to_string(),
            records: self.lengths.newest(|| published),
            with_lifetime: self.deadlines.len(),
            expired: self.deadlines.overdue(time).len(),
            next_deadline: self.deadlines.next(),
            bound: bound.map(BoundStats::from),
            rows_used,
            rows_free,
            indexes: self.indexes().iter().map(of_index).collect(),
            aggregates: aggregates.iter().map(of_aggregate).collect(),
            versions_retained: kept,
            marks: self.marks.len(),
            lengths_retained: self.lengths.len() - 1,
            results_retained: aggregates.iter().map(|aggregate| aggregate.older_entries()).sum(),
            memory: MemoryStats { record_heap: self.gauges.record_heap(), ..memory },
        }
    }
}

fn columns_of(schema: &Schema) -> (Vec<Column>, Vec<ColumnWriter>) {
    let with_column = schema.fields().iter().enumerate().filter(|(_, field)| field.is_column());
    with_column.map(|(position, field)| Column::new(position, field)).unzip()
}

/// The columns of a table, once they are made.
pub(crate) struct Columns(OnceLock<Vec<Column>>);

impl Columns {
    /// Whether the table has its structures.
    pub(crate) fn are_made(&self) -> bool {
        self.0.get().is_some()
    }

    fn set(&self, columns: Vec<Column>) {
        let made = self.0.set(columns);
        debug_assert!(made.is_ok(), "they are made once, under the commit lock");
    }
}

impl Deref for Columns {
    type Target = [Column];

    #[inline]
    fn deref(&self) -> &[Column] {
        self.0.get().map_or(&[], Vec::as_slice)
    }
}

/// The value of a record in a column. Runs its extractor.
fn cell_value<'a>(field: &FieldDef, at: &FieldAt, record: &'a dyn FieldSource) -> Result<ValueRef<'a>, Cause> {
    extract(|| checked(field, record.value_at(at)))
}
