//! Indexes that come and go while the collection lives.
//!
//! A new index is built aside from a snapshot, while commits go on and know nothing of it. Then it is brought up to a newer
//! snapshot by the marks: the rows that they show are filed anew from what the newer one sees; and again, until there is little to
//! bring up or it has been tried often enough. The last time is under the commit lock, so nothing is in flight and nothing can come
//! between; there the index is handed to the committer and shown to readers.
//!
//! So a commit pays nothing for an index that is being built, except that it may wait for the last of these steps. Readers see
//! complete indexes alone. A reader of an older commit may use one as well: rows that have changed since are marked for it,
//! and every other row is filed as that reader sees it.

use super::engine::{Engine, Pinned};
use super::marks::Changed;
use super::table::{Maintained, Table, TableWriter};
use super::version::Version;
use super::words::Group;
use crate::error::{Cause, Commit, IndexError};
use crate::index::{Index, IndexShape, IndexWriter, Move, Other, Staging};
use crate::limits::BUILD_SLICE;
use crate::record::{IndexDef, IndexKind, Record};
use crate::rowset::Row;
use crate::sync::Arc;
use crate::user_code;
use crate::value::Key;

/// With no more rows to bring up than this the commit lock is taken.
const FEW: usize = 4_096;
/// However many there still are, after so many rounds.
const ROUNDS: usize = 8;

impl<R: Record> Table<R> {
    /// Builds an index, and shows it to readers once it is complete.
    pub(crate) fn add_index(self: &Arc<Self>, engine: &Arc<Engine>, def: IndexDef) -> Result<(), IndexError> {
        let refused = |cause| IndexError::Refused {
            collection: self.name.to_string(),
            index: def.name().into(),
            cause: Box::new(cause),
        };
        if user_code::inside() {
            return Err(refused(Cause::InsideUserCode));
        }
        self.check_def(&def)?;
        let mut build = Build::new(self, def.clone());

        // From a snapshot, then from one newer one after the other, with no lock held.
        let mut pinned = engine.pin();
        build.all(pinned.epoch())?;
        for _ in 0..ROUNDS {
            let newer = engine.pin();
            let changed = self.marks.after(pinned.epoch());
            let few = changed.rows.len() + build.new_rows(&changed) <= FEW;
            build.bring_up(&changed, newer.epoch())?;
            pinned = newer;
            if few {
                break;
            }
        }

        // The rest with every commit waiting.
        let mut turn = engine.turn_to_write().map_err(refused)?;
        turn.about_to_change(0, 0);
        self.check_def(&def)?;
        let published = engine.timeline.published();
        build.bring_up(&self.marks.after(pinned.epoch()), published)?;
        let mut writer = self.writer();
        build.hand_over(&mut writer);
        self.show_indexes(&writer);
        self.refresh_figures(&writer);
        drop(writer);
        turn.look_after(self.clone());
        drop(turn);
        drop::<Pinned>(pinned);
        engine.look_at_memory();
        Ok(())
    }

    /// Takes an index away: from the committer and from readers to come. Its memory goes with the last reader that uses it.
    pub(crate) fn drop_index(self: &Arc<Self>, engine: &Arc<Engine>, name: &str) -> Result<(), IndexError> {
        let refused = |cause| IndexError::Refused {
            collection: self.name.to_string(),
            index: name.to_owned(),
            cause: Box::new(cause),
        };
        let turn = engine.turn_to_write().map_err(refused)?;
        let mut writer = self.writer();
        let Some(at) = writer.indexes.iter().position(|maintained| maintained.index.name() == name) else {
            let known = writer.indexes.iter().map(|maintained| maintained.index.name().to_owned()).collect();
            return Err(IndexError::Unknown { collection: self.name.to_string(), index: name.to_owned(), known });
        };
        engine.look_at_memory();
        let gone = writer.indexes.remove(at);
        if writer.indexes.iter().all(|maintained| maintained.group != gone.group) {
            writer.words.remove(gone.group);
            for later in writer.indexes.iter_mut().filter(|maintained| maintained.group > gone.group) {
                later.group -= 1;
                later.from -= gone.group_width;
            }
        }
        self.show_indexes(&writer);
        self.refresh_figures(&writer);
        drop(writer);
        drop(turn);
        drop(gone);
        Ok(())
    }

    fn check_def(&self, def: &IndexDef) -> Result<(), IndexError> {
        let present: Vec<IndexDef> = self.indexes().iter().map(|index| index.shape.def.clone()).collect();
        self.schema
            .check_index(def, &present)
            .map_err(|source| IndexError::Schema { collection: self.name.to_string(), source })
    }
}

/// An index on its way, known to its builder alone.
struct Build<'a, R: Record> {
    table: &'a Table<R>,
    index: Arc<Index>,
    writer: IndexWriter,
    staging: Staging,
    words: Group,
    /// By row: whether it has been filed.
    filed: Vec<bool>,
}

impl<'a, R: Record> Build<'a, R> {
    fn new(table: &'a Table<R>, def: IndexDef) -> Self {
        let (index, writer) = Index::new(IndexShape::new(def, &table.schema), table.seed.clone());
        let (staging, words) = (index.staging(), Group::new(index.width()));
        Build { table, index: Arc::new(index), writer, staging, words, filed: Vec::new() }
    }

    /// Files every row as `epoch`, which is pinned, sees it.
    fn all(&mut self, epoch: Commit) -> Result<(), IndexError> {
        let mut versions = Vec::new();
        for page in 0.. {
            let more = self.table.pages.read_page(page, epoch, &mut versions);
            if versions.len() >= BUILD_SLICE || !more {
                let rows: Vec<_> = versions.drain(..).map(|version| (version.row, Some(version))).collect();
                self.file(&rows)?;
            }
            if !more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many rows beyond the cut there are.
    fn new_rows(&self, changed: &Changed) -> usize {
        if changed.is_nothing() { 0 } else { self.table.pages.end().saturating_sub(changed.first_new_row as usize) }
    }

    /// Files the rows that marks show anew, as `epoch` sees them; it is pinned, or the newest under the commit lock.
    fn bring_up(&mut self, changed: &Changed, epoch: Commit) -> Result<(), IndexError> {
        if changed.is_nothing() {
            return Ok(());
        }
        let listed = changed.rows.iter().filter(|row| *row < changed.first_new_row);
        let rows: Vec<Row> = listed.chain(changed.first_new_row..self.table.pages.end() as Row).collect();
        // Where values are unique they are first taken from all of these rows, so that they can have been swapped.
        if self.index.shape.def.kind() == IndexKind::Unique {
            for slice in rows.chunks(BUILD_SLICE) {
                self.file(&slice.iter().map(|row| (*row, None)).collect::<Vec<_>>())?;
            }
        }
        for slice in rows.chunks(BUILD_SLICE) {
            let rows: Vec<_> = slice.iter().map(|row| (*row, self.table.pages.at(*row, epoch))).collect();
            self.file(&rows)?;
        }
        Ok(())
    }

    /// Files rows as they are in these versions. Runs user code; a refusal leaves what was built useless.
    fn file(&mut self, rows: &[(Row, Option<Arc<Version<R>>>)]) -> Result<(), IndexError> {
        let Build { table, index, writer, staging, words, filed } = self;
        staging.clear();
        let width = index.width();
        let was_filed: Vec<bool> = rows.iter().map(|(row, _)| filed.get(*row as usize) == Some(&true)).collect();
        let mut new = vec![0; rows.len() * width];
        for (number, (row, version)) in rows.iter().enumerate() {
            let Some((version, record)) = version.as_ref().and_then(|v| Some((v, v.record.as_ref()?))) else {
                continue;
            };
            let refused = |cause| {
                let (collection, index) = (table.name.to_string(), index.name().to_owned());
                IndexError::Record { collection, index, key: version.key.clone(), cause: Box::new(cause) }
            };
            let entry = user_code::run(|| index.shape.entry(record))
                .map_err(|message| refused(Cause::Panicked { what: "field extractor", message }))?
                .map_err(refused)?;
            let old = was_filed[number].then(|| (*row, words.get(*row)));
            index.stage(writer, staging, number, &entry, old, &mut new[number * width..][..width]);
        }
        let change_of = |row: Row| {
            let number = rows.binary_search_by_key(&row, |(row, _)| *row).ok()?;
            let gone = rows[number].1.is_none();
            Some((number, gone || words.get(row) != &new[number * width..][..width]))
        };
        if let Some(clash) = index.clashes(staging, change_of).into_iter().next() {
            let key_of = |row| {
                let filed = rows.binary_search_by_key(&row, |(row, _)| *row).ok().and_then(|at| rows[at].1.clone());
                filed.or_else(|| table.pages.newest(row)).map_or_else(Key::none, |version| version.key.clone())
            };
            let row = match clash.other {
                Other::Change(number) => rows[number].0,
                Other::Row(row) => row,
            };
            let (collection, index) = (table.name.to_string(), index.name().to_owned());
            return Err(IndexError::NotUnique {
                collection,
                index,
                key: key_of(rows[clash.change].0),
                other: key_of(row),
            });
        }
        staging.admit(writer, new.chunks_exact_mut(width));
        let moves = rows.iter().enumerate().map(|(number, (row, version))| Move {
            row: *row,
            old: was_filed[number].then(|| words.get(*row)),
            new: version.is_some().then(|| &new[number * width..][..width]),
        });
        index.apply(writer, staging, |number| rows[number].0, moves);
        for (number, (row, version)) in rows.iter().enumerate() {
            if filed.len() <= *row as usize {
                filed.resize(*row as usize + 1, false);
            }
            filed[*row as usize] = version.is_some();
            words.set(*row, &new[number * width..][..width]);
        }
        Ok(())
    }

    /// Makes the index one of those that commits keep up. Under the commit lock, brought up to the newest commit.
    fn hand_over(self, table: &mut TableWriter) {
        let (group, from) = (table.words.groups(), table.words.width());
        table.words.add(self.words);
        let maintained = Maintained::new(self.index, self.writer, group, from);
        table.indexes.push(maintained);
    }
}
