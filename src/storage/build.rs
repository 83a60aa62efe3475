//! Indexes, and standing statistics, that come and go while the collection lives.
//!
//! A new index is built aside from a snapshot, while commits go on and know nothing of it. Then it is brought up to a newer
//! snapshot by the marks: the rows that they show are filed anew from what the newer one sees; and again, until there is little to
//! bring up or it has been tried often enough. The last time is under the commit lock, so nothing is in flight and nothing can come
//! between; there the index is handed to the committer and shown to readers.
//!
//! So a commit pays nothing for an index that is being built, except that it may wait for the last of these steps. Readers see
//! complete indexes alone. A reader of an older commit may use one as well: rows that have changed since are marked for it,
//! and every other row is filed as that reader sees it. Of standing statistics a reader of an older commit knows that it is older.

use super::any_table::AnyTable;
use super::engine::{Engine, Pinned};
use super::marks::Changed;
use super::table::{Maintained, Table, TableWriter};
use super::version::Version;
use super::words::Group;
use crate::error::{AggregateError, Cause, Commit, IndexError, SchemaError};
use crate::index::{IndexShape, Kept, KeptStaging, KeptWriter, Move, Other, Standing};
use crate::limits::BUILD_SLICE;
use crate::record::{AggregateDef, IndexDef, Record};
use crate::rowset::Row;
use crate::sync::Arc;
use crate::user_code;
use crate::value::Key;

/// With no more rows to bring up than this the commit lock is taken.
const FEW: usize = 4_096;
/// However many there still are, after so many rounds.
const ROUNDS: usize = 8;

/// Why something can't be built.
pub(super) enum NotBuilt {
    /// Writes are refused here, or altogether.
    Refused(Cause),
    /// A record can't be in it.
    Record { key: Key, cause: Cause },
    /// Two records have what must be unique.
    NotUnique { key: Key, other: Key },
}

impl<R: Record> Table<R> {
    /// Builds an index, and shows it to readers once it is complete.
    pub(crate) fn add_index(self: &Arc<Self>, engine: &Arc<Engine>, def: IndexDef) -> Result<(), IndexError> {
        let (collection, index) = (self.name.to_string(), def.name().to_owned());
        let check = || {
            let present: Vec<IndexDef> = self.indexes().iter().map(|index| index.shape.def.clone()).collect();
            let unsound = |source| IndexError::Schema { collection: self.name.to_string(), source };
            self.schema.check_index(&def, &present).map_err(unsound)
        };
        let failed = |why| match why {
            NotBuilt::Refused(cause) => IndexError::Refused { collection, index, cause: Box::new(cause) },
            NotBuilt::Record { key, cause } => IndexError::Record { collection, index, key, cause: Box::new(cause) },
            NotBuilt::NotUnique { key, other } => IndexError::NotUnique { collection, index, key, other },
        };
        let make = || Kept::index(IndexShape::new(def.clone(), &self.schema), self.seed.clone());
        match self.build(engine, &check, make) {
            Ok(built) => built.map_err(failed),
            Err(unsound) => Err(unsound),
        }
    }

    /// Builds standing statistics, and shows them to readers once they are complete.
    pub(crate) fn add_standing(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        def: AggregateDef,
    ) -> Result<(), AggregateError> {
        let (collection, standing) = (self.name.to_string(), def.name().to_owned());
        let unsound = |source| {
            let source = SchemaError::Aggregate { aggregate: def.name().to_owned(), source };
            AggregateError::Schema { collection: self.name.to_string(), source }
        };
        let check = || {
            let present: Vec<AggregateDef> = self.standing().iter().map(|of| of.standing.def.clone()).collect();
            self.schema.check_aggregate(&def, &present).map_err(unsound)
        };
        let failed = |why| match why {
            NotBuilt::Refused(cause) => {
                AggregateError::Refused { collection, aggregate: standing, cause: Box::new(cause) }
            }
            NotBuilt::Record { key, cause } => {
                AggregateError::Record { collection, aggregate: standing, key, cause: Box::new(cause) }
            }
            NotBuilt::NotUnique { .. } => unreachable!("nothing has to be unique"),
        };
        let bound = Standing::new(def.clone(), &self.schema).map_err(unsound)?;
        match self.build(engine, &check, || Kept::standing(bound, self.seed.clone())) {
            Ok(built) => built.map_err(failed),
            Err(unsound) => Err(unsound),
        }
    }

    /// The outer error is that of `check`, which is asked before and once more under the commit lock.
    fn build<E>(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        check: &dyn Fn() -> Result<(), E>,
        make: impl FnOnce() -> (Kept, KeptWriter),
    ) -> Result<Result<(), NotBuilt>, E> {
        if user_code::inside() {
            return Ok(Err(NotBuilt::Refused(Cause::InsideUserCode)));
        }
        check()?;
        let mut build = Build::new(self, make());

        // From a snapshot, then from one newer one after the other, with no lock held.
        let pinned = match build.until_few(engine) {
            Ok(pinned) => pinned,
            Err(why) => return Ok(Err(why)),
        };

        // The rest with every commit waiting.
        let mut guard = match engine.lock_to_write() {
            Ok(guard) => guard,
            Err(cause) => return Ok(Err(NotBuilt::Refused(cause))),
        };
        guard.about_to_change(0, 0);
        if self.is_dropped() {
            return Ok(Err(NotBuilt::Refused(Cause::CollectionDropped)));
        }
        check()?;
        let published = engine.timeline.published();
        if let Err(why) = build.bring_up(&self.marks.after(pinned.epoch()), published) {
            return Ok(Err(why));
        }
        let mut writer = self.writer();
        build.hand_over(&mut writer, published);
        self.show_kept(&writer);
        self.refresh_figures(&writer);
        drop(writer);
        guard.schedule_reclamation(self.clone());
        drop(guard);
        drop::<Pinned>(pinned);
        engine.look_at_memory();
        Ok(Ok(()))
    }

    /// Takes an index away: from the committer and from readers to come. Its memory goes with the last reader that uses it.
    pub(crate) fn drop_index(self: &Arc<Self>, engine: &Arc<Engine>, name: &str) -> Result<(), IndexError> {
        let (collection, index) = (self.name.to_string(), name.to_owned());
        match self.take_away(engine, |kept| kept.as_index().is_some() && kept.name() == name) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let known = self.indexes().iter().map(|index| index.name().to_owned()).collect();
                Err(IndexError::Unknown { collection, index, known })
            }
            Err(cause) => Err(IndexError::Refused { collection, index, cause: Box::new(cause) }),
        }
    }

    /// Takes standing statistics away, likewise.
    pub(crate) fn drop_standing(self: &Arc<Self>, engine: &Arc<Engine>, name: &str) -> Result<(), AggregateError> {
        let (collection, standing) = (self.name.to_string(), name.to_owned());
        match self.take_away(engine, |kept| kept.as_index().is_none() && kept.name() == name) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let known = self.standing().iter().map(|figures| figures.standing.name().to_owned()).collect();
                Err(AggregateError::Unknown { collection, aggregate: standing, known })
            }
            Err(cause) => Err(AggregateError::Refused { collection, aggregate: standing, cause: Box::new(cause) }),
        }
    }

    /// Whether there was one.
    fn take_away(&self, engine: &Arc<Engine>, is: impl Fn(&Kept) -> bool) -> Result<bool, Cause> {
        let guard = engine.lock_to_write()?;
        let mut writer = self.writer();
        let Some(at) = writer.kept_up.iter().position(|maintained| is(&maintained.kept)) else { return Ok(false) };
        engine.look_at_memory();
        let gone = writer.kept_up.remove(at);
        if writer.kept_up.iter().all(|maintained| maintained.group != gone.group) {
            writer.words.remove(gone.group);
            for later in writer.kept_up.iter_mut().filter(|maintained| maintained.group > gone.group) {
                later.group -= 1;
                later.from -= gone.group_width;
            }
        }
        if let Some((figures, _)) = &gone.figures {
            figures.close(engine.timeline.published());
        }
        self.show_kept(&writer);
        self.refresh_figures(&writer);
        drop(writer);
        drop(guard);
        drop(gone);
        Ok(true)
    }
}

/// An index, or standing statistics, on the way: known to the builder alone.
struct Build<'a, R: Record> {
    table: &'a Table<R>,
    kept: Kept,
    writer: KeptWriter,
    staging: KeptStaging,
    words: Group,
    /// By row: whether it has been filed.
    filed: Vec<bool>,
}

impl<'a, R: Record> Build<'a, R> {
    fn new(table: &'a Table<R>, (kept, writer): (Kept, KeptWriter)) -> Self {
        let (staging, words) = (kept.staging(), Group::new(kept.width()));
        Build { table, kept, writer, staging, words, filed: Vec::new() }
    }

    /// Files every row as a snapshot sees it, and brings that up to one newer one after the other. Gives the last one, since
    /// which there are few changes, or it has been tried often enough.
    fn until_few(&mut self, engine: &Arc<Engine>) -> Result<Pinned, NotBuilt> {
        let mut pinned = engine.pin();
        self.all(pinned.epoch())?;
        for _ in 0..ROUNDS {
            let newer = engine.pin();
            let changed = self.table.marks.after(pinned.epoch());
            let few = changed.rows.len() + self.new_rows(&changed) <= FEW;
            self.bring_up(&changed, newer.epoch())?;
            pinned = newer;
            if few {
                break;
            }
        }
        Ok(pinned)
    }

    /// Files every row as `epoch`, which is pinned, sees it.
    fn all(&mut self, epoch: Commit) -> Result<(), NotBuilt> {
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
    fn bring_up(&mut self, changed: &Changed, epoch: Commit) -> Result<(), NotBuilt> {
        if changed.is_nothing() {
            return Ok(());
        }
        let listed = changed.rows.iter().filter(|row| *row < changed.first_new_row);
        let rows: Vec<Row> = listed.chain(changed.first_new_row..self.table.pages.end() as Row).collect();
        // Where values are unique they are first taken from all of these rows, so that they can have been swapped.
        if self.kept.is_unique() {
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
    fn file(&mut self, rows: &[(Row, Option<Arc<Version<R>>>)]) -> Result<(), NotBuilt> {
        let Build { table, kept, writer, staging, words, filed } = self;
        staging.clear();
        let width = kept.width();
        let was_filed: Vec<bool> = rows.iter().map(|(row, _)| filed.get(*row as usize) == Some(&true)).collect();
        let mut new = vec![0; rows.len() * width];
        for (number, (row, version)) in rows.iter().enumerate() {
            let Some((version, record)) = version.as_ref().and_then(|v| Some((v, v.record.as_ref()?))) else {
                continue;
            };
            let refused = |cause| NotBuilt::Record { key: version.key.clone(), cause };
            let shown = user_code::run(|| kept.shown(staging, record))
                .map_err(|message| refused(Cause::Panicked { what: "field extractor", message }))?
                .map_err(refused)?;
            let old = was_filed[number].then(|| (*row, words.get(*row)));
            kept.stage(writer, staging, number, &shown, old, &mut new[number * width..][..width]);
        }
        let change_of = |row: Row| {
            let number = rows.binary_search_by_key(&row, |(row, _)| *row).ok()?;
            let gone = rows[number].1.is_none();
            Some((number, gone || words.get(row) != &new[number * width..][..width]))
        };
        if let Some(clash) = kept.clashes(staging, change_of).into_iter().next() {
            let key_of = |row| {
                let filed = rows.binary_search_by_key(&row, |(row, _)| *row).ok().and_then(|at| rows[at].1.clone());
                filed.or_else(|| table.pages.newest(row)).map_or_else(Key::none, |version| version.key.clone())
            };
            let row = match clash.other {
                Other::Change(number) => rows[number].0,
                Other::Row(row) => row,
            };
            return Err(NotBuilt::NotUnique { key: key_of(rows[clash.change].0), other: key_of(row) });
        }
        kept.admit(writer, staging, new.chunks_exact_mut(width));
        let moves = rows.iter().enumerate().map(|(number, (row, version))| Move {
            row: *row,
            old: was_filed[number].then(|| words.get(*row)),
            new: version.is_some().then(|| &new[number * width..][..width]),
        });
        kept.apply(writer, staging, |number| rows[number].0, moves);
        for (number, (row, version)) in rows.iter().enumerate() {
            if filed.len() <= *row as usize {
                filed.resize(*row as usize + 1, false);
            }
            filed[*row as usize] = version.is_some();
            words.set(*row, &new[number * width..][..width]);
        }
        Ok(())
    }

    /// Makes it one of those that commits keep up. Under the commit lock, brought up to the newest commit.
    fn hand_over(self, table: &mut TableWriter, published: Commit) {
        let (group, from) = (table.words.groups(), table.words.width());
        table.words.add(self.words);
        let maintained = Maintained::new(self.kept, self.writer, group, from, published);
        table.kept_up.push(maintained);
    }
}
