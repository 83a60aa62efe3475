//! One collection's shared structures: the key table and the row pages of its records, and the [`TableCore`], which holds
//! everything else.

use super::any_version::{AnyVersion, SharedVersion};
use super::by_commit::ByCommit;
use super::change::Change;
use super::changes::ProposedChanges;
use super::counters::Counters;
use super::eviction::{Bounded, Moved};
use super::fork::Covered;
use super::garbage::Garbage;
use super::gauges::Counts;
use super::key_table::AnyKeyTable;
use super::marks::Changed;
use super::pages::{AnyPages, Fate};
use super::questions::Effects;
use super::record_change::{CollectionChanges, RawChange};
use super::record_type::RecordType;
use super::stats::MemoryStats;
use super::table_core::TableCore;
use super::table_writer::TableWriter;
use super::version::At;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::hash::RandomState;
use crate::index::{self, ChangeSet, Materialized, Role, RowChange};
use crate::limits::KEY_SHARDS;
use crate::reclaim::{Pass, Pins};
use crate::record::{KeyBuffer, Schema};
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, RwLock};
use memdex_query::value::{Key, Value};
use smallvec::SmallVec;
use std::any::Any;
use std::ops::Deref;

pub(crate) struct Table {
    core: TableCore,
    pub(crate) record_type: RecordType,
    pub(crate) keys: Arc<dyn AnyKeyTable>,
    pub(crate) pages: Arc<dyn AnyPages>,
    /// The bound. Changed under the commit lock.
    pub(super) bound: RwLock<Option<Arc<Bounded>>>,
    /// The layers on which the table lies, if it is a fork's.
    pub(crate) base: Option<Box<Base>>,
}

/// The layers on which a table of a fork lies; see `fork/base.rs`.
pub(crate) struct Base {
    /// The nearest one first.
    pub(super) layers: Vec<Layer>,
    /// The materialized aggregates of the base. The fork computes their results.
    pub(super) aggregates: RwLock<Arc<[Arc<Materialized>]>>,
}

/// A table at a pinned commit, less the rows that the fork has covered.
pub(crate) struct Layer {
    pub(super) table: Arc<Table>,
    /// Keeps the commit pinned.
    pub(super) pin: Arc<dyn Any + Send + Sync>,
    pub(super) epoch: Commit,
    /// By the commits of the fork.
    pub(super) covers: ByCommit<Arc<Covered>>,
}

impl Deref for Table {
    type Target = TableCore;

    #[inline]
    fn deref(&self) -> &TableCore {
        &self.core
    }
}

/// A scratch buffer with more entries than this is given back after a batch.
const SCRATCH_KEPT: usize = 16_384;

/// All that a commit changes in one collection, ready to be moved into place.
pub(crate) struct Applied {
    /// In the order of `changes`.
    pub(crate) versions: SmallVec<[Change; 1]>,
    pub(crate) changes: ChangeSet,
    /// The heap memory of the new records.
    pub(crate) record_heap: usize,
}

impl Default for Applied {
    fn default() -> Self {
        Applied { versions: SmallVec::new(), changes: ChangeSet::default(), record_heap: 0 }
    }
}

impl Applied {
    /// Sorts the versions, with their back references of `width` words each, by row. They are in the order of staging.
    pub(crate) fn sort(&mut self, width: usize) {
        let row_change = |change: &Change| RowChange {
            row: change.row,
            had_record: change.old.as_ref().is_some_and(|old| !old.is_tombstone()),
            has_record: !change.new.is_tombstone(),
        };
        self.changes.set_rows(self.versions.iter().map(row_change));
        if let Some(order) = self.changes.sort(width) {
            let mut versions: Vec<Option<Change>> = std::mem::take(&mut self.versions).into_iter().map(Some).collect();
            self.versions = order.into_iter().filter_map(|at| versions[at].take()).collect();
        }
    }
}

impl Change {
    /// The change as the queue of a bound sees it.
    fn moved(&self) -> Moved<'_> {
        Moved {
            row: self.row,
            hash: self.new.hash,
            deadline: &self.new.deadline,
            measured: self.measured,
            is_update: self.had_record() && !self.expired,
            is_evicted: self.evicted,
        }
    }
}

impl Table {
    pub(crate) fn new(
        record_type: RecordType,
        name: &str,
        schema: Schema,
        seed: RandomState,
        counters: Arc<Counters>,
    ) -> Self {
        let structures = index::of_schema(&schema, &seed);
        Table::with(record_type, TableCore::new(name, schema, seed, counters, structures), KEY_SHARDS, None)
    }

    /// An empty table, perhaps over a base.
    pub(super) fn with(record_type: RecordType, core: TableCore, key_shards: usize, base: Option<Base>) -> Self {
        let (keys, pages) = ((record_type.keys)(key_shards), (record_type.pages)());
        Table { core, record_type, keys, pages, bound: RwLock::new(None), base: base.map(Box::new) }
    }

    /// The newest version of a row if its record has expired.
    pub(crate) fn expired_at(&self, row: Row, time: Timestamp) -> Option<SharedVersion> {
        let newest = self.pages.newest(row)?;
        if !newest.is_tombstone() && newest.deadline.is_past(time) {
            return Some(newest);
        }
        self.let_go(newest);
        None
    }

    /// The keys of at most `most` records that have expired, the first ones first. Rows whose deadlines readers have moved are filed again.
    /// Under the commit lock.
    ///
    /// Also returns the number of rows that it has looked at.
    pub(crate) fn expired_keys(&self, time: Timestamp, most: usize) -> (usize, Vec<(Key, u32)>) {
        let mut keys = Vec::new();
        let due = self.deadlines.first_due(time, most);
        let looked_at = due.len();
        for (row, filed) in due {
            let Some(newest) = self.pages.newest(row) else { continue };
            match newest.deadline.time() {
                Some(moved) if moved.as_micros() > filed && !newest.deadline.is_past(time) => {
                    self.deadlines.file_again(row, moved);
                }
                _ => keys.push((newest.key.clone(), newest.hash)),
            }
            self.let_go(newest);
        }
        (looked_at, keys)
    }

    /// Drops a reader's reference to a version, which a commit may have made the last one.
    pub(crate) fn let_go<V: AnyVersion + ?Sized>(&self, version: Arc<V>) {
        self.counters.drop_each([version]);
    }

    /// The version of a key that a reader, whose epoch is pinned, sees, unless it has expired. Only the key table proves absence; where it
    /// has a later version, the row page has the earlier ones.
    pub(crate) fn version_at(&self, hash: u32, key: &[u8], at: At) -> Option<SharedVersion> {
        match self.keys.newest(hash, key) {
            Some(newest) => self.seen_from(newest, at),
            None => Some(self.base.as_ref()?.of_key(hash, key)?.1),
        }
    }

    /// The same, from the newest version of the key on.
    pub(super) fn seen_from(&self, newest: SharedVersion, at: At) -> Option<SharedVersion> {
        if newest.begin <= at.epoch {
            if newest.deadline.is_past(at.time) {
                self.let_go(newest);
                return None;
            }
            return Some(newest);
        }
        // While the epoch is pinned, a row that it sees keeps its key; a row that it does not see may have been reused, but then
        // has no version at this epoch.
        let version = match &self.base {
            None => self.pages.at(newest.row, at),
            Some(base) => match self.pages.with_tombstone(newest.row, at.epoch) {
                Some(version) => Some(version).filter(|version| version.is_alive(at.time)),
                None => base.of_key(newest.hash, newest.key.bytes()).map(|(_, version)| version),
            },
        };
        debug_assert!(version.as_ref().is_none_or(|version| version.key == newest.key));
        self.let_go(newest);
        version
    }

    /// The version of a key that a commit, which is pinned, has seen, expired or not.
    pub(crate) fn seen(&self, hash: u32, key: &[u8], epoch: Commit) -> Option<SharedVersion> {
        let own = match self.keys.newest(hash, key) {
            Some(newest) if newest.begin <= epoch => Some(newest),
            Some(newest) => self.pages.with_tombstone(newest.row, epoch),
            None => None,
        };
        let version = own.or_else(|| Some(self.base.as_ref()?.of_key(hash, key)?.1))?;
        (!version.is_tombstone()).then_some(version)
    }

    /// The newest versions, tombstones too, of all rows that commits after a pinned one have changed.
    pub(crate) fn changed_since(&self, epoch: Commit) -> Vec<SharedVersion> {
        let Changed { rows, first_new_row, .. } = self.marks.after(epoch);
        let new = first_new_row..(self.pages.end() as Row).max(first_new_row);
        let below = rows.iter().take_while(|row| *row < first_new_row);
        below.chain(new).filter_map(|row| self.pages.newest(row)).collect()
    }

    /// Calls `visit` with each version of the table itself that a reader sees.
    pub(crate) fn each_at(&self, at: At, visit: &mut dyn FnMut(&SharedVersion)) {
        let mut page = Vec::new();
        for number in 0..self.pages.len() {
            self.pages.read_page(number, at, &mut page);
            page.drain(..).for_each(|version| visit(&version));
        }
    }

    /// The materialized aggregates: those of a fork's base, then the own ones.
    pub(crate) fn all_aggregates(&self) -> Vec<Arc<Materialized>> {
        let of_base = self.base.iter().flat_map(|base| base.aggregates().to_vec());
        of_base.chain(self.aggregates().iter().cloned()).collect()
    }

    /// The rows of these keys, given by their parts, in the newest state. A part of a query: read it before the marks. Costs a
    /// look-up for each key.
    pub(crate) fn rows_of_keys(&self, keys: &[Vec<Value>]) -> RowSet {
        let row = |parts: &Vec<Value>| {
            let mut key = KeyBuffer::new(&self.seed);
            parts.iter().for_each(|part| key.push(part.as_ref()));
            let newest = self.keys.newest(key.hash(), key.bytes())?;
            (!newest.is_tombstone()).then_some(newest.row)
        };
        let mut rows: Vec<Row> = keys.iter().filter_map(row).collect();
        rows.sort_unstable();
        rows.dedup();
        RowSet::from_sorted(&rows)
    }

    /// Brings every shared structure to the newest state. Cannot fail.
    pub(crate) fn apply(&self, writer: &mut TableWriter, commit: Commit, applied: &Applied) {
        debug_assert!(applied.versions.iter().all(|change| change.new.begin == commit));
        let before = writer.records;
        self.core.apply(writer, commit, &applied.changes);
        self.deadlines.apply(&applied.versions);
        self.pages.apply(&applied.versions);
        if let Some(queue) = &mut writer.bound {
            queue.apply(applied.versions.iter().map(Change::moved));
        }
        self.keys.apply(&applied.versions);
        writer.key_bytes += applied.versions.iter().map(|change| change.new.key.heap_bytes()).sum::<usize>();
        if writer.records != before {
            self.lengths.push(commit, writer.records);
        }
        if let Some(base) = &self.base {
            base.apply(commit, applied);
        }
    }

    /// Drops the old states that a commit has displaced and no reader sees, and retains the others.
    pub(crate) fn reclaim_displaced(
        &self,
        writer: &mut TableWriter,
        pass: &Pass<'_>,
        applied: &Applied,
        garbage: &mut Garbage,
    ) {
        let mut displaced = std::mem::take(&mut writer.displaced);
        displaced.clear();
        displaced.extend(applied.versions.iter().filter_map(|change| Some((change.row, change.old.as_ref()?.begin))));
        if applied.record_heap > 0 {
            garbage.memory += self.gauges.add_heap(applied.record_heap);
        }
        self.reclaim_versions(writer, &displaced, &pass.pins, garbage);
        if displaced.capacity() <= SCRATCH_KEPT {
            writer.displaced = displaced;
        }
        self.reclaim_derived(writer, pass);
        if let Some(base) = &self.base {
            base.tidy(&pass.pins);
        }
        garbage.memory += self.recount(writer);
    }

    /// Looks for the cached questions that the changes concern. Runs user code.
    pub(crate) fn look_for_questions(&self, commit: Commit, applied: &Applied) -> Effects {
        self.questions.look(commit, &applied.versions)
    }

    /// Brings the cached answers to the state of the commit. Runs no user code.
    pub(crate) fn account_to_questions(
        &self,
        commit: Commit,
        effects: Effects,
        applied: &Applied,
        garbage: &mut Garbage,
    ) {
        self.questions.account(commit, effects, &applied.versions, garbage);
    }

    /// The changes as hooks see them before the commit.
    pub(crate) fn proposed(&self, applied: &Applied) -> ProposedChanges {
        ProposedChanges::new(self.name.clone(), (self.record_type.proposed)(&applied.versions))
    }

    /// The changes as hooks see them.
    pub(crate) fn changes(&self, applied: &Applied) -> CollectionChanges {
        let told = applied.versions.iter().flat_map(RawChange::told).collect();
        CollectionChanges::new(self.name.clone(), (self.record_type.told)(told))
    }

    /// No reader is at `ended` any longer: drops at most `budget` old states that nobody sees for that reason. Returns whether
    /// that was all of them.
    pub(super) fn end(
        &self,
        writer: &mut TableWriter,
        ended: Commit,
        pass: &Pass<'_>,
        budget: &mut usize,
        garbage: &mut Garbage,
    ) -> bool {
        let (versions, complete) = writer.kept.end(ended, &pass.pins, budget);
        let mut versions: Vec<_> = versions.into_iter().map(|(begin, row)| (row, begin)).collect();
        // Versions of one page share a guard.
        versions.sort_unstable();
        self.reclaim_versions(writer, &versions, &pass.pins, garbage);
        if let Some(base) = &self.base {
            base.end(ended, &pass.pins);
        }
        complete & self.end_derived(writer, ended, pass, budget)
    }

    /// Whether any old state is retained.
    pub(crate) fn retains(&self, writer: &TableWriter) -> bool {
        !writer.kept.is_empty() || self.retains_derived(writer) || self.base.as_ref().is_some_and(|base| base.retains())
    }

    fn reclaim_versions(
        &self,
        writer: &mut TableWriter,
        versions: &[(Row, Commit)],
        pins: &Pins<'_>,
        garbage: &mut Garbage,
    ) {
        if versions.is_empty() {
            return;
        }
        let mut forgotten: SmallVec<[SharedVersion; 2]> = SmallVec::with_capacity(versions.len());
        let mut tombstones = Vec::new();
        self.pages.reclaim(versions, pins, &mut |row, begin, fate| match fate {
            Fate::Kept(pin) => writer.kept.add(pin, begin, row),
            Fate::Forgotten(version, tombstone) => {
                forgotten.push(version);
                tombstones.extend(tombstone);
            }
        });
        for tombstone in tombstones {
            self.keys.forget(&*tombstone);
            writer.free_rows.push(tombstone.row);
            forgotten.push(tombstone);
        }
        writer.key_bytes -= forgotten.iter().map(|version| version.key.heap_bytes()).sum::<usize>();
        garbage.add_versions(forgotten, &self.gauges);
    }

    /// Brings the statistics up to date. Returns the change of the memory since the last call, without the heap memory
    /// of the records. Under the commit lock.
    pub(super) fn recount(&self, writer: &mut TableWriter) -> i64 {
        let counts = if self.gauges.is_dropped() { Counts::default() } else { self.counts(writer) };
        // Most updates leave all of it as it was.
        if counts == writer.counted {
            return 0;
        }
        self.gauges.set(counts);
        let before = std::mem::replace(&mut writer.counted, counts);
        counts.memory.total() as i64 - before.memory.total() as i64
    }

    /// The committer's statistics, from its counters: O(structures).
    pub(super) fn counts(&self, writer: &TableWriter) -> Counts {
        let kept = writer.kept.len();
        let versions = writer.keys() + kept;
        let columns = self.columns.iter().zip(&writer.columns);
        let RecordType { version, stored, .. } = self.record_type;
        let memory = MemoryStats {
            records: versions * stored,
            record_heap: 0,
            versions: versions * (version - stored) + writer.key_bytes,
            key_table: self.keys.heap_bytes(),
            row_pages: self.pages.heap_bytes(),
            indexes: writer.structure_bytes(Role::Index) + self.all_rows_bytes.get(),
            aggregates: writer.structure_bytes(Role::Aggregate),
            columns: columns.map(|(column, of_column)| column.heap_bytes(of_column)).sum(),
            back_references: writer.back_refs.heap_bytes(),
            deadlines: self.deadlines.heap_bytes(),
            eviction: writer.bound.as_ref().map_or(0, |queue| queue.heap_bytes()),
            bookkeeping: kept * size_of::<(Row, Commit)>() + writer.free_rows.capacity() * 4 + self.marks.heap_bytes(),
        };
        let bound = writer.bound.as_ref().map(|queue| queue.usage());
        Counts { rows_used: writer.used_rows(), rows_free: writer.free_rows(), kept, bound, memory }
    }
}

impl Drop for Table {
    /// Drops the versions one by one, so that a panicking `Drop` leaks no other record.
    fn drop(&mut self) {
        // Each version is in the key table or the pages, the newest in both: the second one to let go drops it.
        let panics = self.pages.drop_all() + self.keys.drop_all();
        self.counters.report_drop_panics(panics);
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::hash;
    use crate::record::{FieldDef, Lookup, Record};
    use crate::storage::deadline::Deadline;
    use crate::storage::draft::Draft;
    use crate::storage::table_of::TableOf;
    use crate::storage::version::Head;
    use memdex_query::value::ValueRef;

    struct Item(&'static str);

    impl Record for Item {
        type Key = String;

        fn schema() -> Schema {
            Schema::new([FieldDef::of::<String>("id").key()])
        }

        fn key(&self, key: &mut KeyBuffer) {
            key.push(self.0.into());
        }

        fn value(&self, _: usize) -> ValueRef<'_> {
            self.0.into()
        }
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let seed = hash::seeded(1);
        let table = Table::new(RecordType::of::<Item>(), "Item", Item::schema(), seed.clone(), Arc::default());
        let table = TableOf::<Item>::new(Arc::new(table)).unwrap();
        let commit = Commit::from_number(1);
        for (row, id) in ["a", "b", "c"].into_iter().enumerate() {
            let key = KeyBuffer::of::<String, _>(&seed, &[], &id).to_key();
            let head = Head { begin: commit, row: row as Row, hash: 7, deadline: Deadline::none(), key };
            let new = Draft::new(Item(id)).into_version(head);
            table.keys.apply(&[Change::new(None, None, new)]);
        }
        let found = |id: &str| {
            let mut lookup = Lookup::new::<String>(&seed, &[], &id);
            lookup.hash = 7;
            let newest = table.newest(&lookup).map(|version| version.row);
            let at = At::any_time(commit);
            assert_eq!(table.version_at(&lookup, at).map(|version| version.row), newest);
            let key = KeyBuffer::of::<String, _>(&seed, &[], &id);
            assert_eq!(Table::version_at(&table, 7, key.bytes(), at).map(|version| version.row), newest);
            newest
        };
        assert_eq!(["a", "b", "c", "d"].map(found), [Some(0), Some(1), Some(2), None]);
    }
}
