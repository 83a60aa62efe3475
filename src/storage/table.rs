//! One collection's shared structures, and how a commit brings them to its state.
//!
//! They hold the newest state, published or in flight, and are changed in place under short locks on small parts, one
//! at a time. Whoever changes them holds the commit lock, and with it the table's [`TableWriter`].

use super::codes::Codes;
use super::figures::Figures;
use super::garbage::Garbage;
use super::key_table::KeyTable;
use super::lengths::Lengths;
use super::marks::{Mark, Marks};
use super::observers::{CollectionChanges, RecordChange};
use super::pages::{Fate, Pages};
use super::version::{Change, Version};
use crate::error::Commit;
use crate::hash::RandomState;
use crate::index::{EqualityIndex, IndexWriter, NewValue};
use crate::limits::MAX_ROWS;
use crate::record::{IndexKind, Record, Schema};
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, Mutex, MutexGuard, Ordering::Relaxed, RwLock};
use crate::user_code;
use crate::value::Key;
use smallvec::SmallVec;
use std::collections::BTreeMap;

pub(crate) struct Table<R> {
    pub(crate) name: Arc<str>,
    pub(crate) schema: Schema,
    pub(crate) seed: RandomState,
    pub(crate) keys: KeyTable<R>,
    pub(crate) pages: Pages<R>,
    /// With the position of the field in the schema.
    pub(crate) indexes: Vec<(usize, EqualityIndex)>,
    /// Rows that hold a record.
    pub(crate) all_rows: RwLock<RowSet>,
    pub(crate) marks: Marks,
    pub(crate) lengths: Lengths,
    pub(super) figures: Figures,
    writer: Mutex<TableWriter>,
}

/// What only the committer knows of a collection.
pub(crate) struct TableWriter {
    pub(super) free_rows: Vec<Row>,
    /// Rows from here on were never used. Never falls.
    pub(super) used_rows: Row,
    pub(super) codes: Codes,
    pub(super) indexes: Vec<IndexWriter>,
    pub(super) records: usize,
    /// What the keys of all versions hold on the heap.
    pub(super) key_bytes: usize,
    /// Older versions, by row and begin, filed under a pinned commit that sees them. They are looked at again once no
    /// pin is left at that commit, so that a snapshot held for long costs the commits under it nothing.
    pub(super) kept: BTreeMap<Commit, Vec<(Row, Commit)>>,
    scratch: Scratch,
}

/// A batch of more moves than this gives its room back.
const SCRATCH_KEPT: usize = 16_384;

/// Room that every commit needs again.
#[derive(Default)]
struct Scratch {
    leave: Vec<(u32, Row)>,
    join: Vec<(u32, Row)>,
    rows: Vec<Row>,
    displaced: Vec<(Row, Commit)>,
}

impl TableWriter {
    /// Rows from here on were never used.
    pub(crate) fn used_rows(&self) -> usize {
        self.used_rows as usize
    }

    /// How many used rows are free.
    pub(crate) fn free_rows(&self) -> usize {
        self.free_rows.len()
    }

    /// Gives out a row: a free one, or one that was never used.
    pub(crate) fn new_row(&mut self) -> Row {
        self.free_rows.pop().unwrap_or_else(|| {
            debug_assert!((self.used_rows as usize) < MAX_ROWS);
            self.used_rows += 1;
            self.used_rows - 1
        })
    }

    /// What a version's row is indexed under, one code an index; without a record nothing of meaning.
    pub(crate) fn codes_of<R>(&self, old: Option<&Version<R>>) -> &[u32] {
        match old {
            Some(old) if !old.is_tombstone() => self.codes.of(old.row),
            _ => self.codes.of_none(),
        }
    }

    /// The committer's side of an index.
    pub(crate) fn index(&self, at: usize) -> &IndexWriter {
        &self.indexes[at]
    }

    /// Gives out a code for a value that is new to an index.
    pub(crate) fn admit(&mut self, at: usize, value: NewValue) -> u32 {
        self.indexes[at].admit(value)
    }
}

/// What a settle has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backlog {
    Nothing,
    /// What pinned readers see.
    Pinned,
    /// What nobody sees, beyond the budget.
    CutShort,
}

/// All that a commit changes in one collection, ready to be moved into place. A commit of one operation allocates nothing
/// for it: many small allocations at once are what the allocator is slow at.
pub(crate) struct Applied<R> {
    /// Ascending by row.
    pub(crate) changes: SmallVec<[Change<R>; 1]>,
    /// The codes that each change finds, one an index; without an old record they mean nothing.
    pub(crate) old_codes: SmallVec<[u32; 8]>,
    /// The codes that each change leaves, one an index; those of a tombstone mean nothing.
    pub(crate) codes: SmallVec<[u32; 8]>,
    /// The codes that indexes have admitted for this commit, each with its index; ascending by index.
    pub(crate) new_codes: Vec<(usize, u32)>,
    /// Rows from here on were never used before this commit.
    pub(crate) first_new_row: Row,
}

impl<R> Default for Applied<R> {
    fn default() -> Self {
        let (changes, old_codes, codes) = (SmallVec::new(), SmallVec::new(), SmallVec::new());
        Applied { changes, old_codes, codes, new_codes: Vec::new(), first_new_row: 0 }
    }
}

impl<R> Applied<R> {
    /// Puts the changes, with their codes, into the order of their rows.
    pub(crate) fn sort_by_row(&mut self, width: usize) {
        if self.changes.is_sorted_by_key(Change::row) {
            return;
        }
        let mut changes: Vec<(usize, Change<R>)> = std::mem::take(&mut self.changes).into_iter().enumerate().collect();
        changes.sort_unstable_by_key(|(_, change)| change.row());
        let sorted =
            |codes: &[u32]| changes.iter().flat_map(|(at, _)| &codes[at * width..][..width]).copied().collect();
        (self.old_codes, self.codes) = (sorted(&self.old_codes), sorted(&self.codes));
        self.changes = changes.into_iter().map(|(_, change)| change).collect();
    }
}

impl<R: Record> Table<R> {
    pub(crate) fn new(name: &str, schema: Schema, seed: RandomState) -> Self {
        let indexed = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| field.index_kind() == Some(IndexKind::Equality) && !field.is_many());
        let (indexes, writers): (Vec<_>, Vec<_>) = indexed
            .map(|(position, _)| {
                let (index, writer) = EqualityIndex::new();
                ((position, index), writer)
            })
            .unzip();
        Table {
            name: name.into(),
            schema,
            seed,
            keys: KeyTable::new(),
            pages: Pages::new(),
            all_rows: RwLock::new(RowSet::new()),
            marks: Marks::new(),
            lengths: Lengths::new(),
            figures: Figures::default(),
            writer: Mutex::new(TableWriter {
                free_rows: Vec::new(),
                used_rows: 0,
                codes: Codes::new(indexes.len()),
                indexes: writers,
                records: 0,
                key_bytes: 0,
                kept: BTreeMap::new(),
                scratch: Scratch::default(),
            }),
            indexes,
        }
    }

    /// The committer's side. Only under the commit lock, which makes it free at once.
    pub(crate) fn writer(&self) -> MutexGuard<'_, TableWriter> {
        self.writer.lock()
    }

    /// The index of the field at a position of the schema.
    pub(crate) fn index(&self, position: usize) -> Option<&EqualityIndex> {
        self.indexes.iter().find(|(of, _)| *of == position).map(|(_, index)| index)
    }

    /// The version of a key that `epoch`, which is pinned, sees. Only the key table proves absence; where it shows a later
    /// version, the row page has the one before.
    pub(crate) fn version_at(&self, hash: u32, is: impl Fn(&Key) -> bool, epoch: Commit) -> Option<Arc<Version<R>>> {
        let newest = self.keys.newest(hash, is)?;
        if newest.begin <= epoch {
            return Some(newest);
        }
        // While the epoch is pinned a row that it sees keeps its key; one that it does not see may have changed hands,
        // but then shows nothing at this epoch.
        let version = self.pages.at(newest.row, epoch)?;
        debug_assert!(version.key == newest.key);
        Some(version)
    }

    /// Tells readers which rows are about to change. Nothing shared has changed before this.
    pub(crate) fn mark(&self, commit: Commit, applied: &Applied<R>) {
        let rows = applied.changes.iter().map(Change::row).take_while(|row| *row < applied.first_new_row);
        self.marks.add(Mark { commit, first_new_row: applied.first_new_row, rows: rows.collect() });
    }

    /// Brings every shared structure to the newest state, field by field over the whole batch. Cannot fail.
    pub(crate) fn apply(&self, writer: &mut TableWriter, commit: Commit, applied: &Applied<R>) {
        debug_assert!(applied.changes.iter().all(|change| change.new.begin == commit));
        for at in 0..self.indexes.len() {
            self.apply_to_index(writer, applied, at);
        }
        let width = self.indexes.len();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (at, change) in applied.changes.iter().enumerate() {
            match (change.had_record(), !change.new.is_tombstone()) {
                (false, true) => added.push(change.row()),
                (true, false) => removed.push(change.row()),
                _ => {}
            }
            if !change.new.is_tombstone() {
                writer.codes.set(change.row(), &applied.codes[at * width..][..width]);
            }
        }
        if !(added.is_empty() && removed.is_empty()) {
            let mut all_rows = self.all_rows.write();
            all_rows.insert_all(&added);
            all_rows.remove_all(&removed);
        }
        self.pages.apply(&applied.changes);
        applied.changes.iter().for_each(|change| self.keys.put(change.old.as_ref(), &change.new));
        writer.key_bytes += applied.changes.iter().map(|change| change.new.key.heap_bytes()).sum::<usize>();
        writer.records = writer.records + added.len() - removed.len();
        if added.len() != removed.len() {
            self.lengths.push(commit, writer.records);
        }
    }

    fn apply_to_index(&self, writer: &mut TableWriter, applied: &Applied<R>, at: usize) {
        let width = self.indexes.len();
        let Scratch { leave, join, rows, .. } = &mut writer.scratch;
        leave.clear();
        join.clear();
        for (number, change) in applied.changes.iter().enumerate() {
            let code_at = number * width + at;
            let old = change.had_record().then(|| applied.old_codes[code_at]);
            let new = (!change.new.is_tombstone()).then(|| applied.codes[code_at]);
            if old != new {
                leave.extend(old.map(|code| (code, change.row())));
                join.extend(new.map(|code| (code, change.row())));
            }
        }
        let from = applied.new_codes.partition_point(|(of, _)| *of < at);
        let new_codes = applied.new_codes[from..].iter().take_while(|(of, _)| *of == at).map(|(_, code)| *code);
        self.indexes[at].1.apply(&mut writer.indexes[at], new_codes, leave, join, rows);
        if leave.capacity().max(join.capacity()) > SCRATCH_KEPT {
            writer.scratch = Scratch::default();
        }
    }

    /// Forgets the versions that a commit has displaced and nobody sees, files the others.
    pub(crate) fn settle(
        &self,
        writer: &mut TableWriter,
        pinned: &[Commit],
        applied: &Applied<R>,
        garbage: &mut Garbage,
    ) {
        let mut displaced = std::mem::take(&mut writer.scratch.displaced);
        displaced.clear();
        displaced.extend(applied.changes.iter().filter_map(|change| Some((change.row(), change.old.as_ref()?.begin))));
        self.settle_versions(writer, &displaced, pinned, garbage);
        if displaced.capacity() <= SCRATCH_KEPT {
            writer.scratch.displaced = displaced;
        }
    }

    /// The changes as observers are shown them.
    pub(crate) fn changes(&self, applied: &Applied<R>) -> CollectionChanges {
        let changes =
            applied.changes.iter().map(|change| RecordChange::new(change.old.as_ref(), &change.new)).collect();
        CollectionChanges::new(self.name.clone(), changes)
    }

    /// Settles what is left of earlier commits, at most `budget` versions. Says whether anything is left still.
    pub(super) fn settle_rest(
        &self,
        pinned: &[Commit],
        published: Commit,
        budget: &mut usize,
        garbage: &mut Garbage,
    ) -> Backlog {
        let writer = &mut *self.writer();
        while *budget > 0 {
            let Some((&pin, _)) = writer.kept.iter().find(|(pin, _)| pinned.binary_search(pin).is_err()) else { break };
            let Some(filed) = writer.kept.get_mut(&pin) else { break };
            let slice = filed.split_off(filed.len().saturating_sub(*budget));
            if filed.is_empty() {
                writer.kept.remove(&pin);
            }
            *budget -= slice.len();
            self.settle_versions(writer, &slice, pinned, garbage);
        }
        self.marks.tidy(pinned, published);
        self.lengths.settle(pinned);
        refresh(&self.figures, writer);
        if writer.kept.keys().any(|pin| pinned.binary_search(pin).is_err()) {
            Backlog::CutShort
        } else if writer.kept.is_empty() && self.marks.len() == 0 && self.lengths.len() == 1 {
            Backlog::Nothing
        } else {
            Backlog::Pinned
        }
    }

    fn settle_versions(
        &self,
        writer: &mut TableWriter,
        versions: &[(Row, Commit)],
        pinned: &[Commit],
        garbage: &mut Garbage,
    ) {
        let mut forgotten: SmallVec<[Arc<Version<R>>; 2]> = SmallVec::with_capacity(versions.len());
        let mut tombstones = Vec::new();
        self.pages.settle(versions, pinned, |row, begin, fate| match fate {
            Fate::Kept(pin) => writer.kept.entry(pin).or_default().push((row, begin)),
            Fate::Forgotten(version, tombstone) => {
                forgotten.push(version);
                tombstones.extend(tombstone);
            }
        });
        for tombstone in tombstones {
            self.keys.forget(&tombstone);
            writer.free_rows.push(tombstone.row);
            forgotten.push(tombstone);
        }
        writer.key_bytes -= forgotten.iter().map(|version| version.key.heap_bytes()).sum::<usize>();
        garbage.add(forgotten);
    }
}

impl<R> Drop for Table<R> {
    /// One by one, so that a `Drop` that panics takes no other record's place.
    fn drop(&mut self) {
        // Each version is in the key table or the pages, the newest in both: whichever comes second drops it.
        let from_pages: Vec<_> = self.pages.take_all().collect();
        drop_versions(self.keys.take_all());
        drop_versions(from_pages);
    }
}

fn drop_versions<R>(versions: impl IntoIterator<Item = Arc<Version<R>>>) {
    let panics = user_code::drop_each(versions);
    if panics > 0 {
        tracing::error!(panics, "records panicked in their Drop while their collection was dropped");
    }
}

/// Copies out what others may want to know.
fn refresh(figures: &Figures, writer: &TableWriter) {
    let kept: usize = writer.kept.values().map(Vec::len).sum();
    let index_writer_bytes: usize = writer.indexes.iter().map(IndexWriter::heap_bytes).sum();
    for (figure, now) in [
        (&figures.rows_used, writer.used_rows as usize),
        (&figures.rows_free, writer.free_rows.len()),
        (&figures.kept, kept),
        (&figures.key_bytes, writer.key_bytes),
        (&figures.code_bytes, writer.codes.heap_bytes()),
        (&figures.index_writer_bytes, index_writer_bytes),
        (&figures.bookkeeping_bytes, kept * 16 + writer.free_rows.capacity() * 4),
    ] {
        figure.store(now as u64, Relaxed);
    }
}
