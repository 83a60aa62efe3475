//! Taking records of the base over: into a new table, or by a commit of the fork that changes nothing that its readers see.
//!
//! A version that is taken over refers to the version of the base, and so shares its record. The own structures file it like any other.

use super::super::any_version::SharedVersion;
use super::super::change::Change;
use super::super::engine::Engine;
use super::super::table::{Applied, Layer, Table};
use super::super::table_writer::TableWriter;
use super::super::version::{At, Head};
use super::base_row::BaseRow;
use super::covered::Covered;
use crate::error::{Cause, Commit};
use crate::index::StagedRecords;
use crate::limits::{PAGE_ROWS, TAKEN_OVER_A_COMMIT};
use crate::record::FieldSource;
use crate::rowset::Row;
use crate::storage::Deadline;
use crate::sync::Arc;
use std::ops::ControlFlow;

/// Versions to take over, each with its row in the base if that is to be covered.
type Taken = Vec<(Option<BaseRow>, SharedVersion)>;

/// Which records of the base a fork takes over.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Which {
    /// Those that commits of the base have changed.
    Changed,
    All,
}

impl Table {
    /// Loads all records of a new table from another one, as `at` sees them.
    pub(super) fn load(&self, from: &Table, at: At) -> Result<(), Cause> {
        // No reader of the fork is at an earlier commit.
        let since = at.epoch;
        let mut writer = self.writer();
        let mut some = Vec::new();
        let mut load = |some: &mut Vec<SharedVersion>| {
            if some.is_empty() {
                return Ok(());
            }
            let taken = some.drain(..).map(|version| (None, version)).collect();
            let applied = self.stage_taken(&mut writer, since, taken)?;
            self.apply(&mut writer, since, &applied);
            Ok::<(), Cause>(())
        };
        for page in 0.. {
            let is_end = !from.pages.read_page(page, at, &mut some);
            if some.len() >= TAKEN_OVER_A_COMMIT || is_end {
                load(&mut some)?;
            }
            if is_end {
                break;
            }
        }
        for layer in from.base.iter().flat_map(|base| &base.layers) {
            let covered = layer.covers.at(at.epoch);
            for page in 0..layer.table.pages.len() {
                layer.read_page(page, &covered, &mut some);
                if some.len() >= TAKEN_OVER_A_COMMIT {
                    load(&mut some)?;
                }
            }
            load(&mut some)?;
        }
        drop(writer);
        Ok(())
    }

    /// Makes the structures of a fork's table, which are deferred until it is first written. Under the commit lock.
    pub(crate) fn make_structures(&self, engine: &Engine) {
        if !self.columns.are_made() {
            self.make_deferred(&mut self.writer());
            engine.recount(self);
        }
    }

    /// Has a fork take over what commits have changed in its base, so that queries need not look at it one by one. Without that they are as
    /// exact, so nothing is lost if it is not possible now.
    pub(crate) fn catch_up(self: &Arc<Self>, engine: &Engine) {
        if self.base.as_ref().is_some_and(|base| base.is_behind()) {
            let _ = self.take_over(engine, Which::Changed);
        }
    }

    /// Takes records of the base over, in commits of a bounded size. Does nothing for a table that has no base. Runs extractors.
    ///
    /// # Errors
    /// The store refuses writes, the thread is inside user code, or an extractor panics. Queries remain exact without it.
    pub(crate) fn take_over(self: &Arc<Self>, engine: &Engine, which: Which) -> Result<(), Cause> {
        let Some(base) = &self.base else { return Ok(()) };
        let mut place = Place { layer: 0, page: 0 };
        while base.layers.len() > place.layer {
            let mut guard = engine.lock_to_write()?;
            self.make_structures(engine);
            let (mut taken, mut complete) = (Taken::new(), Vec::new());
            while let Some(layer) = base.layers.get(place.layer)
                && let Some(done) = layer.select(which, &mut place, &mut taken)
            {
                complete.push((layer, done));
                place = Place { layer: place.layer + 1, page: 0 };
            }
            if taken.is_empty() {
                complete.into_iter().for_each(|(layer, done)| layer.covers.replace_newest(Arc::new(done(layer))));
                continue;
            }
            // Until the publish, the time of readers stands still, as for every commit.
            let hold = engine.clock.hold();
            let commit = engine.timeline.newest().next();
            let mut writer = self.writer();
            let applied = self.stage_taken(&mut writer, commit, taken)?;
            let poison = guard.poison_on_unwind(commit);
            self.mark(commit, &applied.changes);
            self.apply(&mut writer, commit, &applied);
            complete.into_iter().for_each(|(layer, done)| layer.covers.push(commit, Arc::new(done(layer))));
            engine.publish(commit);
            drop(hold);
            let garbage = guard.reclaim(applied.versions.len(), |pass, garbage, backlog| {
                // The writer is released before the ends of pins visit the table.
                let mut writer = writer;
                self.reclaim_displaced(&mut writer, pass, &applied, garbage);
                if self.retains(&writer) {
                    backlog.add(self.clone());
                }
            });
            poison.complete();
            drop(guard);
            engine.dispose(garbage);
        }
        Ok(())
    }

    /// Stages versions of the base as new rows, which are given out. Nothing shared changes, and nothing is given out if it fails.
    fn stage_taken(&self, writer: &mut TableWriter, commit: Commit, taken: Taken) -> Result<Applied, Cause> {
        let mut applied = Applied::default();
        let changes = &mut applied.changes;
        writer.gather(changes, taken.iter().map(|_| None));
        changes.staged.iter_mut().for_each(|staged| staged.has_record = true);
        let mut records = Records { taken: &taken, refused: None };
        let _ = self.stage(writer, changes, &mut records);
        if let Some(cause) = records.refused {
            return Err(cause);
        }
        changes.first_new_row = writer.used_rows() as Row;
        self.admit(writer, commit, changes);
        let versions = taken.into_iter().map(|(covers, from)| {
            let (row, hash, key) = (writer.new_row(), from.hash, from.key.clone());
            let deadline = Deadline::new(from.deadline.time());
            let under = covers.map(|covers| (covers, from.clone()));
            let new = from.again(Head { begin: commit, row, hash, deadline, key }, true);
            Change::new(None, under, new)
        });
        applied.versions = versions.collect();
        applied.sort(writer.width());
        Ok(applied)
    }
}

/// How far a walk over the layers has come.
struct Place {
    layer: usize,
    page: usize,
}

/// What covers a layer once all that was selected is taken over.
type Done = Box<dyn FnOnce(&Layer) -> Covered>;

impl Layer {
    /// Adds records to take over, from a place on, up to a bound. Returns what covers the layer then if these are the last ones.
    fn select(&self, which: Which, place: &mut Place, taken: &mut Taken) -> Option<Done> {
        let covered = self.newest_covered();
        let number = place.layer;
        let add = |version: SharedVersion| (Some(BaseRow { layer: number, row: version.row }), version);
        if which == Which::Changed {
            // Read this before the marks: what is marked later is left for the next time.
            let through = self.table.marks.newest();
            if covered.is_all || !covered.is_behind(&self.table.marks) {
                return Some(Box::new(|layer| layer.newest_covered().as_ref().clone()));
            }
            let changed = self.table.marks.after(self.epoch);
            let rows = changed.rows.minus(&covered.rows);
            let room = TAKEN_OVER_A_COMMIT.saturating_sub(taken.len());
            let mut versions = rows.iter().filter_map(|row| self.table.pages.at(row, self.at()));
            taken.extend(versions.by_ref().take(room).map(add));
            if taken.len() >= TAKEN_OVER_A_COMMIT && versions.next().is_some() {
                return None;
            }
            return Some(Box::new(move |layer| layer.newest_covered().as_ref().clone().through(through, &changed)));
        }
        let mut page = Vec::new();
        while !covered.is_all && place.page < self.table.pages.len() {
            if taken.len() + PAGE_ROWS > TAKEN_OVER_A_COMMIT && !taken.is_empty() {
                return None;
            }
            self.read_page(place.page, &covered, &mut page);
            taken.extend(page.drain(..).map(add));
            place.page += 1;
        }
        Some(Box::new(|layer| layer.newest_covered().as_ref().clone().covering_all()))
    }
}

/// Versions as the records of a batch.
struct Records<'a> {
    taken: &'a Taken,
    refused: Option<Cause>,
}

impl StagedRecords for Records<'_> {
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()> {
        for (number, (_, version)) in self.taken.iter().enumerate() {
            if let Err(cause) = visit(number, &**version) {
                self.refused = Some(cause);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}
