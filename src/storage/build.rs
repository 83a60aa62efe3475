//! Indexes and materialized aggregates that are added while the collection is in use.
//!
//! A new structure is built aside from a snapshot, while commits proceed and do not know of it. Then it is brought up to a newer
//! snapshot by the marks: the rows that they list are put in again as the newer one sees them; and so on, until few rows are left or
//! the number of rounds is used up. The last round runs under the commit lock, so nothing is in flight; there the structure is handed
//! to the committer and listed for readers.
//!
//! So a commit pays nothing for a structure that is being built, except that it may wait for the last round. Readers find complete
//! structures only. A reader of an older commit may use a new index as well: rows that have changed since are marked for it, and
//! every other row is in the index as that reader sees it. A materialized aggregate says from which commit on it can be read.

use super::any_version::SharedVersion;
use super::back_refs::RefGroup;
use super::engine::{Engine, Pinned};
use super::fork::Which;
use super::marks::Changed;
use super::table::Table;
use super::table_core::TableCore;
use super::version::At;
use crate::error::{Cause, Commit};
use crate::index::{
    ChangeSet, Maintain, Moves, NetChanges, Other, RefPlace, RowChange, Staged, StagedRecords, StagedRefs,
};
use crate::limits::BUILD_SLICE;
use crate::record::FieldSource;
use crate::rowset::Row;
use crate::sync::Arc;
use crate::user_code;
use memdex_query::value::Key;
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::ops::ControlFlow;

/// With at most this many rows left to bring up, the commit lock is taken.
const FEW: usize = 4_096;
/// After this many rounds the commit lock is taken, with any number of rows left.
const ROUNDS: usize = 8;

/// Why a structure can't be built.
pub(super) enum NotBuilt {
    /// Writes are refused here, or altogether.
    Refused(Cause),
    /// A record can't be in it.
    Record { key: Key, cause: Cause },
    /// Two records have the same value, which must be unique.
    NotUnique { key: Key, other: Key },
}

impl Table {
    /// Builds a structure and lists it for readers. The outer error is that of `check`, which runs before, and once more under the
    /// commit lock.
    pub(super) fn build<E>(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        check: &dyn Fn() -> Result<(), E>,
        make: impl FnOnce() -> Box<dyn Maintain>,
    ) -> Result<Result<(), NotBuilt>, E> {
        if user_code::inside() {
            return Ok(Err(NotBuilt::Refused(Cause::InsideUserCode)));
        }
        check()?;
        // A structure of a fork must have the records of the base too.
        if let Err(cause) = self.take_over(engine, Which::All) {
            return Ok(Err(NotBuilt::Refused(cause)));
        }
        let mut rows = Slice { table: self, rows: Vec::new() };
        let mut build = Build::new(self, &mut rows, make());

        // From a snapshot, then from one newer one after the other, with no lock held.
        let pinned = match build.until_few(engine) {
            Ok(pinned) => pinned,
            Err(why) => return Ok(Err(why)),
        };

        // The rest while every commit waits.
        let mut guard = match engine.lock_to_write() {
            Ok(guard) => guard,
            Err(cause) => return Ok(Err(NotBuilt::Refused(cause))),
        };
        if self.is_dropped() {
            return Ok(Err(NotBuilt::Refused(Cause::CollectionDropped)));
        }
        check()?;
        if let Err(why) = build.hand_over(&pinned, engine.timeline.newest()) {
            return Ok(Err(why));
        }
        engine.recount(self);
        guard.schedule_reclamation(self.clone());
        drop(guard);
        drop::<Pinned>(pinned);
        Ok(Ok(()))
    }
}

/// A structure on its way: only the builder knows of it.
struct Build<'a> {
    table: &'a TableCore,
    rows: &'a mut Slice<'a>,
    structure: Box<dyn Maintain>,
    refs: RefGroup,
    /// By row: whether the structure has it.
    held: Vec<bool>,
}

impl<'a> Build<'a> {
    fn new(table: &'a TableCore, rows: &'a mut Slice<'a>, structure: Box<dyn Maintain>) -> Self {
        let refs = RefGroup::new(structure.width());
        Build { table, rows, structure, refs, held: Vec::new() }
    }

    /// Puts every row in as a snapshot sees it, and brings that up to one newer one after the other. Returns the last one, since
    /// which few rows have changed, or the rounds are used up.
    fn until_few(&mut self, engine: &Arc<Engine>) -> Result<Pinned, NotBuilt> {
        let mut pinned = engine.pin_newest();
        self.add_all(pinned.epoch())?;
        for _ in 0..ROUNDS {
            let newer = engine.pin_newest();
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

    /// Puts every row in as `epoch`, which is pinned, sees it.
    fn add_all(&mut self, epoch: Commit) -> Result<(), NotBuilt> {
        self.rows.clear();
        for page in 0.. {
            let more = self.rows.add_page(page, epoch);
            if self.rows.len() >= BUILD_SLICE || !more {
                self.put()?;
                self.rows.clear();
            }
            if !more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many rows there are from the first new one on.
    fn new_rows(&self, changed: &Changed) -> usize {
        if changed.is_nothing() { 0 } else { self.rows.end().saturating_sub(changed.first_new_row as usize) }
    }

    /// Puts the rows that marks list in as `epoch` sees them; it is pinned, or the newest under the commit lock.
    fn bring_up(&mut self, changed: &Changed, epoch: Commit) -> Result<(), NotBuilt> {
        if changed.is_nothing() {
            return Ok(());
        }
        let listed = changed.rows.iter().filter(|row| *row < changed.first_new_row);
        let rows: Vec<Row> = listed.chain(changed.first_new_row..self.rows.end() as Row).collect();
        // Values that are unique are first taken from all of these rows: rows may have swapped theirs.
        if self.structure.has_constraint() {
            for slice in rows.chunks(BUILD_SLICE) {
                self.rows.load(slice, None);
                self.put()?;
            }
        }
        for slice in rows.chunks(BUILD_SLICE) {
            self.rows.load(slice, Some(epoch));
            self.put()?;
        }
        Ok(())
    }

    /// Puts the rows of the slice in, by the steps of a commit. Runs user code; after a refusal the structure is useless.
    fn put(&mut self) -> Result<(), NotBuilt> {
        let Build { rows, structure, refs, held, .. } = self;
        let width = structure.width();
        let place = RefPlace { from: 0, width, stride: width };
        let mut changes = ChangeSet { new_refs: SmallVec::from_elem(0, rows.len() * width), ..ChangeSet::default() };
        for (row, has_record) in (0..rows.len()).map(|at| rows.row(at)) {
            let before = (held.get(row as usize) == Some(&true)).then_some(row);
            changes.staged.push(Staged { before, has_record, expired: false });
            changes.old_refs.extend_from_slice(refs.get(row));
        }
        let mut records = Records { rows, refused: None };
        let staged = structure.stage(&mut records, &mut StagedRefs { changes: &mut changes, place });
        if let (ControlFlow::Break(()), Some(refused)) = (staged, records.refused) {
            return Err(refused);
        }
        let by_row = OnceCell::new();
        let clashes = structure.clashes(&NetChanges::new(&changes, place, &by_row, false));
        if let Some(clash) = clashes.into_iter().next() {
            let other = match clash.other {
                Other::Change(number) => rows.row(number).0,
                Other::Row(row) => row,
            };
            let key = rows.key(rows.row(clash.change).0);
            return Err(NotBuilt::NotUnique { key, other: rows.key(other) });
        }
        structure.admit(&mut StagedRefs { changes: &mut changes, place });
        let staged = std::mem::take(&mut changes.staged);
        let row_change = |(at, staged): (usize, &Staged)| {
            let (row, has_record) = rows.row(at);
            RowChange { row, had_record: staged.before.is_some(), has_record }
        };
        changes.set_rows(staged.iter().enumerate().map(row_change));
        debug_assert!(changes.rows.is_sorted_by_key(|change| change.row));
        structure.apply(Moves { changes: &changes, place });
        for (change, refs_of_row) in changes.rows.iter().zip(changes.new_refs.chunks_exact(width)) {
            let row = change.row as usize;
            if held.len() <= row {
                held.resize(row + 1, false);
            }
            held[row] = change.has_record;
            refs.set(change.row, refs_of_row);
        }
        Ok(())
    }

    /// Brings it up to the newest commit, and hands it to the committer. Under the commit lock.
    fn hand_over(mut self, pinned: &Pinned, published: Commit) -> Result<(), NotBuilt> {
        self.bring_up(&self.table.marks.after(pinned.epoch()), published)?;
        self.table.add(&mut self.table.writer(), self.structure, self.refs, published);
        Ok(())
    }
}

/// The records of a slice, as a structure stages them.
struct Records<'a> {
    rows: &'a Slice<'a>,
    refused: Option<NotBuilt>,
}

impl StagedRecords for Records<'_> {
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()> {
        let refused = &mut self.refused;
        self.rows.each(&mut |at, key, record| match visit(at, record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => {
                *refused = Some(NotBuilt::Record { key: key.clone(), cause });
                ControlFlow::Break(())
            }
        })
    }
}

/// Some rows of a table as one commit sees them, ascending.
struct Slice<'a> {
    table: &'a Table,
    rows: Vec<(Row, Option<SharedVersion>)>,
}

impl Slice<'_> {
    /// Adds the records of a page; `false` past the last page.
    fn add_page(&mut self, page: usize, epoch: Commit) -> bool {
        let mut versions = Vec::new();
        let more = self.table.pages.read_page(page, At::any_time(epoch), &mut versions);
        self.rows.extend(versions.into_iter().map(|version| (version.row, Some(version))));
        more
    }

    /// Loads these rows instead; without an epoch, as rows without a record.
    fn load(&mut self, rows: &[Row], epoch: Option<Commit>) {
        self.rows.clear();
        let version = |row: &Row| (*row, epoch.and_then(|epoch| self.table.pages.at(*row, At::any_time(epoch))));
        self.rows.extend(rows.iter().map(version));
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    /// A row, and whether it has a record.
    fn row(&self, at: usize) -> (Row, bool) {
        let (row, version) = &self.rows[at];
        (*row, version.as_ref().is_some_and(|version| !version.is_tombstone()))
    }

    /// Passes each record, with its place and its key, to `visit`.
    fn each(&self, visit: &mut dyn FnMut(usize, &Key, &dyn FieldSource) -> ControlFlow<()>) -> ControlFlow<()> {
        for (at, (_, version)) in self.rows.iter().enumerate() {
            let Some((key, record)) = version.as_ref().and_then(|v| Some((&v.key, v.record()?))) else {
                continue;
            };
            visit(at, key, record)?;
        }
        ControlFlow::Continue(())
    }

    /// The key of a row: of the slice, or as it is now.
    fn key(&self, row: Row) -> Key {
        let of_slice =
            self.rows.binary_search_by_key(&row, |(row, _)| *row).ok().and_then(|at| self.rows[at].1.clone());
        of_slice.or_else(|| self.table.pages.newest(row)).map_or_else(Key::none, |version| version.key.clone())
    }

    /// The number of rows that the table has ever used, rounded up to pages.
    fn end(&self) -> usize {
        self.table.pages.end()
    }
}
