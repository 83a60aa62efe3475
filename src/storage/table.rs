//! One collection's shared structures, and how a commit brings them to its state.
//!
//! They hold the newest state, published or in flight, and are changed in place under short locks on small parts, one
//! at a time. Whoever changes them holds the commit lock, and with it the table's [`TableWriter`].

use super::any_table::Asker;
use super::changes::{CollectionChanges, RecordChange};
use super::column::{Column, ColumnWriter};
use super::figures::Figures;
use super::garbage::Garbage;
use super::key_table::KeyTable;
use super::lengths::Lengths;
use super::marks::{Mark, Marks};
use super::pages::{Fate, Pages};
use super::standing::{Filing, StandingFigures};
use super::stats::version_bytes;
use super::version::{Change, Version};
use super::words::Words;
use crate::error::{Commit, QueryError};
use crate::hash::RandomState;
use crate::index::{Index, IndexShape, Kept, KeptStaging, KeptWriter, Move, Standing, TidyAt};
use crate::limits::MAX_ROWS;
use crate::record::{KeyBuffer, Record, Schema};
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, Mutex, MutexGuard, Ordering::Relaxed, RwLock};
use crate::user_code;
use crate::value::{Key, Value};
use smallvec::SmallVec;
use std::collections::BTreeMap;

pub(crate) struct Table<R> {
    pub(crate) name: Arc<str>,
    pub(crate) schema: Schema,
    pub(crate) seed: RandomState,
    pub(crate) keys: KeyTable<R>,
    pub(crate) pages: Pages<R>,
    /// Those that readers may use: complete ones. Changed under the commit lock.
    indexes: RwLock<Arc<[Arc<Index>]>>,
    /// The standing statistics that readers may use. Changed under the commit lock.
    standing: RwLock<Arc<[Arc<StandingFigures>]>>,
    pub(crate) columns: Vec<Column>,
    /// Rows that hold a record.
    pub(crate) all_rows: RwLock<RowSet>,
    pub(crate) marks: Marks,
    pub(crate) lengths: Lengths,
    pub(super) figures: Figures,
    pub(super) asker: Asker,
    writer: Mutex<TableWriter>,
}

/// What only the committer knows of a collection.
pub(crate) struct TableWriter {
    pub(super) free_rows: Vec<Row>,
    /// Rows from here on were never used. Never falls.
    pub(super) used_rows: Row,
    pub(super) words: Words,
    /// Indexes and standing statistics.
    pub(crate) kept_up: Vec<Maintained>,
    /// In the order of the table's columns.
    pub(crate) columns: Vec<ColumnWriter>,
    pub(super) records: usize,
    /// What the keys of all versions hold on the heap.
    pub(super) key_bytes: usize,
    /// Older versions, by row and begin, filed under a pinned commit that sees them. They are looked at again once no
    /// pin is left at that commit, so that a snapshot held for long costs the commits under it nothing.
    pub(super) kept: BTreeMap<Commit, Vec<(Row, Commit)>>,
    displaced: Vec<(Row, Commit)>,
}

/// An index, or standing statistics, as the committer keeps them up.
pub(crate) struct Maintained {
    pub(crate) kept: Kept,
    pub(crate) writer: KeptWriter,
    /// What the batch at hand brings to it.
    pub(crate) staging: KeptStaging,
    /// Of standing statistics: what readers see, and what is still to be forgotten of it.
    pub(super) figures: Option<(Arc<StandingFigures>, Filing)>,
    /// The group of its words, and how wide that is.
    pub(super) group: usize,
    pub(super) group_width: usize,
    /// Where its words are among all of a row.
    pub(crate) from: usize,
    pub(crate) width: usize,
}

/// A batch of more changes than this gives its room back.
const ROOM_KEPT: usize = 16_384;

impl TableWriter {
    /// Rows from here on were never used.
    pub(crate) fn used_rows(&self) -> usize {
        self.used_rows as usize
    }

    /// Rows that are not free: as many as keys.
    fn keys(&self) -> usize {
        self.used_rows() - self.free_rows()
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

    /// The row that [`new_row`](TableWriter::new_row) will give out after so many others.
    pub(crate) fn row_ahead(&self, others: usize) -> Row {
        match self.free_rows.len().checked_sub(others + 1) {
            Some(at) => self.free_rows[at],
            None => self.used_rows + (others - self.free_rows.len()) as Row,
        }
    }

    /// How many words the indexes remember a row by, all together.
    pub(crate) fn width(&self) -> usize {
        self.words.width()
    }

    /// Adds what a version's row is filed under, all indexes together; without a record nothing of meaning.
    pub(crate) fn gather<R>(&self, old: Option<&Version<R>>, words: &mut impl Extend<u32>) {
        match old {
            Some(old) if !old.is_tombstone() => self.words.gather(old.row, words),
            _ => words.extend(std::iter::repeat_n(0, self.words.width())),
        }
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
    /// The row of each change, in the order in which they were staged.
    pub(crate) rows: SmallVec<[Row; 4]>,
    /// The words that each change finds; without an old record they mean nothing.
    pub(crate) old_words: SmallVec<[u32; 16]>,
    /// The words that each change leaves; those of a tombstone mean nothing.
    pub(crate) words: SmallVec<[u32; 16]>,
    /// Rows from here on were never used before this commit.
    pub(crate) first_new_row: Row,
}

impl<R> Default for Applied<R> {
    fn default() -> Self {
        let (changes, rows, old_words, words) = (SmallVec::new(), SmallVec::new(), SmallVec::new(), SmallVec::new());
        Applied { changes, rows, old_words, words, first_new_row: 0 }
    }
}

impl<R> Applied<R> {
    /// Puts the changes, with their words, into the order of their rows.
    pub(crate) fn sort_by_row(&mut self, width: usize) {
        if self.changes.is_sorted_by_key(Change::row) {
            return;
        }
        let mut changes: Vec<(usize, Change<R>)> = std::mem::take(&mut self.changes).into_iter().enumerate().collect();
        changes.sort_unstable_by_key(|(_, change)| change.row());
        let sorted =
            |words: &[u32]| changes.iter().flat_map(|(at, _)| &words[at * width..][..width]).copied().collect();
        (self.old_words, self.words) = (sorted(&self.old_words), sorted(&self.words));
        self.changes = changes.into_iter().map(|(_, change)| change).collect();
    }
}

impl<R: Record> Table<R> {
    pub(crate) fn new(name: &str, schema: Schema, seed: RandomState, asker: Asker) -> Self {
        let indexes = schema.indexes().into_iter();
        let indexes = indexes.map(|def| Kept::index(IndexShape::new(def, &schema), seed.clone()));
        // The schema has been checked.
        let standing = schema.aggregates().iter().filter_map(|def| Standing::new(def.clone(), &schema).ok());
        let standing = standing.map(|standing| Kept::standing(standing, seed.clone()));
        let (mut kept_up, mut from): (Vec<Maintained>, usize) = (Vec::new(), 0);
        for (kept, writer) in indexes.chain(standing) {
            let maintained = Maintained::new(kept, writer, 0, from, Commit::ZERO);
            from += maintained.width;
            kept_up.push(maintained);
        }
        kept_up.iter_mut().for_each(|maintained| maintained.group_width = from);
        let with_column = schema.fields().iter().enumerate().filter(|(_, field)| field.is_column());
        let (columns, column_writers) = with_column.map(|(position, field)| Column::new(position, field)).unzip();
        Table {
            name: name.into(),
            schema,
            seed,
            keys: KeyTable::new(),
            pages: Pages::new(),
            indexes: RwLock::new(indexes_of(&kept_up)),
            standing: RwLock::new(standing_of(&kept_up)),
            columns,
            all_rows: RwLock::new(RowSet::new()),
            marks: Marks::new(),
            lengths: Lengths::new(),
            figures: Figures::default(),
            asker,
            writer: Mutex::new(TableWriter {
                free_rows: Vec::new(),
                used_rows: 0,
                words: Words::new(from),
                kept_up,
                columns: column_writers,
                records: 0,
                key_bytes: 0,
                kept: BTreeMap::new(),
                displaced: Vec::new(),
            }),
        }
    }

    /// The indexes that a reader may use. Those that are dropped meanwhile go on answering who pinned a commit before this call.
    pub(crate) fn indexes(&self) -> Arc<[Arc<Index>]> {
        self.indexes.read().clone()
    }

    /// Shows the unique index of a field alone and of all records.
    #[inline]
    pub(crate) fn with_unique_index<T>(&self, field: &str, look: impl FnOnce(&Index) -> T) -> Result<T, QueryError> {
        // Changed under the commit lock alone, whose holder waits for no other part meanwhile.
        let indexes = self.indexes.read();
        match indexes.iter().find(|index| index.shape.is_unique_of(field)) {
            Some(index) => Ok(look(index)),
            None => Err(QueryError::NoUniqueIndex { collection: self.name.to_string(), field: field.to_owned() }),
        }
    }

    /// The standing statistics that a reader may use.
    pub(crate) fn standing(&self) -> Arc<[Arc<StandingFigures>]> {
        self.standing.read().clone()
    }

    /// The standing statistics of this name.
    #[inline]
    pub(crate) fn standing_called(&self, name: &str) -> Result<Arc<StandingFigures>, QueryError> {
        let standing = self.standing.read();
        standing.iter().find(|figures| figures.standing.name() == name).cloned().ok_or_else(|| {
            let known = standing.iter().map(|figures| figures.standing.name().to_owned()).collect();
            QueryError::UnknownAggregate { collection: self.name.to_string(), aggregate: name.to_owned(), known }
        })
    }

    /// Under the commit lock: what readers find from here on.
    pub(super) fn show_kept(&self, writer: &TableWriter) {
        let indexes = std::mem::replace(&mut *self.indexes.write(), indexes_of(&writer.kept_up));
        let standing = std::mem::replace(&mut *self.standing.write(), standing_of(&writer.kept_up));
        drop((indexes, standing));
    }

    /// The committer's side. Only under the commit lock, which makes it free at once.
    pub(crate) fn writer(&self) -> MutexGuard<'_, TableWriter> {
        self.writer.lock()
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

    /// The rows of these keys, given by their parts, as of the newest state. A part: read it before the marks. A look-up each.
    pub(crate) fn rows_of_keys(&self, keys: &[Vec<Value>]) -> RowSet {
        let row = |parts: &Vec<Value>| {
            let mut key = KeyBuffer::new(&self.seed);
            parts.iter().for_each(|part| key.push(part.as_ref()));
            let newest = self.keys.newest(key.hash(), |own| own.bytes() == key.bytes())?;
            (!newest.is_tombstone()).then_some(newest.row)
        };
        let mut rows: Vec<Row> = keys.iter().filter_map(row).collect();
        rows.sort_unstable();
        rows.dedup();
        RowSet::from_sorted(&rows)
    }

    /// Tells readers which rows are about to change. Nothing shared has changed before this.
    pub(crate) fn mark(&self, commit: Commit, applied: &Applied<R>) {
        let rows = applied.changes.iter().map(Change::row).take_while(|row| *row < applied.first_new_row);
        self.marks.add(Mark { commit, first_new_row: applied.first_new_row, rows: rows.collect() });
    }

    /// Brings every shared structure to the newest state, field by field over the whole batch. Cannot fail.
    pub(crate) fn apply(&self, writer: &mut TableWriter, commit: Commit, applied: &Applied<R>) {
        debug_assert!(applied.changes.iter().all(|change| change.new.begin == commit));
        let TableWriter { kept_up, words, .. } = &mut *writer;
        let width = words.width();
        kept_up.iter_mut().for_each(|maintained| maintained.apply(commit, applied, width));
        self.apply_columns(writer, commit, applied);
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (at, change) in applied.changes.iter().enumerate() {
            match (change.had_record(), !change.new.is_tombstone()) {
                (false, true) => added.push(change.row()),
                (true, false) => removed.push(change.row()),
                _ => {}
            }
            if !change.new.is_tombstone() {
                writer.words.set(change.row(), &applied.words[at * width..][..width]);
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

    fn apply_columns(&self, writer: &mut TableWriter, commit: Commit, applied: &Applied<R>) {
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            let cells = std::mem::take(&mut of_column.cells);
            let mut by_row: Vec<_> = applied.rows.iter().copied().zip(cells).collect();
            by_row.sort_unstable_by_key(|(row, _)| *row);
            column.apply(of_column, commit, &by_row);
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
        let mut displaced = std::mem::take(&mut writer.displaced);
        displaced.clear();
        displaced.extend(applied.changes.iter().filter_map(|change| Some((change.row(), change.old.as_ref()?.begin))));
        self.settle_versions(writer, &displaced, pinned, garbage);
        if displaced.capacity() <= ROOM_KEPT {
            writer.displaced = displaced;
        }
    }

    /// The changes as hooks see them.
    pub(crate) fn changes(&self, applied: &Applied<R>) -> CollectionChanges {
        let changes =
            applied.changes.iter().map(|change| RecordChange::new(change.old.as_ref(), &change.new)).collect();
        CollectionChanges::new(self.name.clone(), changes)
    }

    /// Settles what is left of earlier commits, at most `budget` versions. Says whether anything is left still.
    pub(super) fn reclaim_backlog(
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
        let mut columns = Backlog::Nothing;
        for (column, of_column) in self.columns.iter().zip(&mut writer.columns) {
            columns = columns.max(column.reclaim(of_column, pinned, budget));
        }
        let mut standing = Backlog::Nothing;
        for (figures, filing) in writer.kept_up.iter_mut().filter_map(|maintained| maintained.figures.as_mut()) {
            standing = standing.max(figures.settle(filing, pinned, budget));
        }
        self.refresh_figures(writer);
        let versions = if writer.kept.keys().any(|pin| pinned.binary_search(pin).is_err()) {
            Backlog::CutShort
        } else if writer.kept.is_empty() && self.marks.len() == 0 && self.lengths.len() == 1 {
            Backlog::Nothing
        } else {
            Backlog::Pinned
        };
        versions.max(columns).max(standing)
    }

    /// Copies out what others may want to know.
    pub(super) fn refresh_figures(&self, writer: &TableWriter) {
        let kept: usize = writer.kept.values().map(Vec::len).sum();
        let writer_bytes = |of_indexes: bool| -> usize {
            let kept_up = writer.kept_up.iter().filter(|maintained| maintained.figures.is_none() == of_indexes);
            kept_up.map(|maintained| maintained.writer.heap_bytes()).sum()
        };
        let (index_writer_bytes, standing_writer_bytes) = (writer_bytes(true), writer_bytes(false));
        let code_bytes = writer.words.heap_bytes();
        let column_writer_bytes: usize = writer.columns.iter().map(ColumnWriter::heap_bytes).sum();
        let bookkeeping_bytes = kept * 16 + writer.free_rows.capacity() * 4;
        let figures = &self.figures;
        for (figure, now) in [
            (&figures.rows_used, writer.used_rows()),
            (&figures.rows_free, writer.free_rows()),
            (&figures.kept, kept),
            (&figures.key_bytes, writer.key_bytes),
            (&figures.code_bytes, code_bytes),
            (&figures.index_writer_bytes, index_writer_bytes),
            (&figures.standing_writer_bytes, standing_writer_bytes),
            (&figures.column_writer_bytes, column_writer_bytes),
            (&figures.bookkeeping_bytes, bookkeeping_bytes),
        ] {
            figure.store(now as u64, Relaxed);
        }
        let versions = writer.keys() + kept;
        let of_rows = versions * version_bytes::<R>() + writer.key_bytes + code_bytes + bookkeeping_bytes;
        figures
            .counted
            .store((of_rows + index_writer_bytes + standing_writer_bytes + column_writer_bytes) as u64, Relaxed);
    }

    /// What so many records take of the counted bytes, on average.
    pub(crate) fn counted_bytes_of(&self, writer: &TableWriter, records: usize) -> u64 {
        if records == 0 {
            return 0;
        }
        (self.figures.counted.load(Relaxed) / writer.keys().max(1) as u64).saturating_mul(records as u64)
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

impl Maintained {
    /// As of commit `since`, from which on it is kept up.
    pub(super) fn new(kept: Kept, mut writer: KeptWriter, group: usize, from: usize, since: Commit) -> Self {
        let (staging, width) = (kept.staging(), kept.width());
        let figures = match (&kept, &mut writer) {
            (Kept::Standing(standing), KeptWriter::Standing(writer)) => {
                let (figures, mut filing) = (StandingFigures::new(standing.clone(), since), Filing::default());
                figures.show(&mut filing, since, writer.changes(standing));
                Some((Arc::new(figures), filing))
            }
            _ => None,
        };
        Maintained { kept, writer, staging, figures, group, group_width: width, from, width }
    }

    /// Gives out what is new, and makes provisional words real. After the last refusal; in the order of staging.
    pub(crate) fn admit<R>(&mut self, applied: &mut Applied<R>, width: usize) {
        let Maintained { kept, writer, staging, from, width: own, .. } = self;
        if width > 0 {
            let words = applied.words.chunks_exact_mut(width).map(|words| &mut words[*from..*from + *own]);
            kept.admit(writer, staging, words);
        }
    }

    /// One slice of upkeep; where to go on.
    pub(super) fn tidy(&mut self, at: TidyAt) -> Option<TidyAt> {
        self.kept.tidy(&mut self.writer, at)
    }

    fn apply<R>(&mut self, commit: Commit, applied: &Applied<R>, width: usize) {
        let Maintained { kept, writer, staging, from, width: own, .. } = self;
        let moves = applied.changes.iter().enumerate().map(|(at, change)| {
            let place = at * width + *from..at * width + *from + *own;
            Move {
                row: change.row(),
                old: change.had_record().then(|| &applied.old_words[place.clone()]),
                new: (!change.new.is_tombstone()).then(|| &applied.words[place]),
            }
        });
        kept.apply(writer, staging, |change| applied.rows[change], moves);
        self.show_figures(commit);
    }

    /// Shows readers what a commit has made of the figures: before it is published, so that who sees it finds them.
    fn show_figures(&mut self, commit: Commit) {
        if let (Kept::Standing(standing), KeptWriter::Standing(writer), Some((figures, filing))) =
            (&self.kept, &mut self.writer, &mut self.figures)
        {
            figures.show(filing, commit, writer.changes(standing));
        }
    }
}

fn indexes_of(kept_up: &[Maintained]) -> Arc<[Arc<Index>]> {
    kept_up.iter().filter_map(|maintained| maintained.kept.as_index().cloned()).collect()
}

fn standing_of(kept_up: &[Maintained]) -> Arc<[Arc<StandingFigures>]> {
    kept_up.iter().filter_map(|maintained| Some(maintained.figures.as_ref()?.0.clone())).collect()
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
