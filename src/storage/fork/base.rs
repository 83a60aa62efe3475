//! The layers on which a table of a fork lies: tables of the store, or of the forks, that it was forked from. Each is pinned at the commit
//! at which it was forked, and read less the rows that are covered.
//!
//! A key belongs to the first layer that knows it, the fork's own table before all others. So a key whose row is covered has a version
//! in the own table for as long as the fork lives: a record, or a tombstone that hides the one below.

use super::super::any_version::{AnyVersion, SharedVersion};
use super::super::by_commit::ByCommit;
use super::super::rows::{LayerView, Under};
use super::super::table::{Applied, Base, Layer, Table};
use super::super::version::At;
use super::base_row::BaseRow;
use super::covered::Covered;
use super::point::BasePoint;
use crate::error::Commit;
use crate::index::{IndexShape, Materialized};
use crate::reclaim::Pins;
use crate::rowset::Row;
use crate::sync::{Arc, RwLock};
use memdex_query::value::ValueRef;

impl Layer {
    /// Records of a layer don't expire: a collection with lifetimes is copied.
    pub(super) fn at(&self) -> At {
        At::any_time(self.epoch)
    }

    pub(super) fn newest_covered(&self) -> Arc<Covered> {
        self.covers.newest(|| Commit::MAX)
    }
}

impl Base {
    /// For a fork of `table`, which lies on layers itself if it is a fork's.
    pub(super) fn new(table: Arc<Table>, point: &BasePoint) -> Self {
        let epoch = point.at.epoch;
        let below = table.base.iter().flat_map(|base| &base.layers).map(|layer| Layer {
            table: layer.table.clone(),
            pin: layer.pin.clone(),
            epoch: layer.epoch,
            covers: ByCommit::new(layer.covers.at(epoch)),
        });
        let below: Vec<_> = below.filter(|layer| !layer.newest_covered().is_all).collect();
        let of_base = table.base.iter().flat_map(|base| base.aggregates().to_vec());
        let aggregates = of_base.chain(point.catalog.aggregates.iter().cloned()).collect();
        let covers = ByCommit::new(Arc::new(Covered::nothing(epoch)));
        let layers = std::iter::once(Layer { table, pin: point.pin.clone(), epoch, covers }).chain(below).collect();
        Base { layers, aggregates: RwLock::new(aggregates) }
    }

    /// The materialized aggregates of the base.
    pub(crate) fn aggregates(&self) -> Arc<[Arc<Materialized>]> {
        self.aggregates.read().clone()
    }

    /// Drops one of them. Returns whether there was one of this name.
    pub(crate) fn drop_aggregate(&self, name: &str) -> bool {
        let mut aggregates = self.aggregates.write();
        let left: Arc<[_]> = aggregates.iter().filter(|of| of.plan.name() != name).cloned().collect();
        let has_dropped = left.len() < aggregates.len();
        *aggregates = left;
        has_dropped
    }

    // ---- by key ----------------------------------------------------------------------------------------------------

    /// The version of a key with which the fork began, by the hash and the bytes of the key.
    pub(crate) fn of_key(&self, hash: u32, key: &[u8]) -> Option<(BaseRow, SharedVersion)> {
        for (number, layer) in self.layers.iter().enumerate() {
            let Some(newest) = layer.table.keys.newest(hash, key) else { continue };
            let epoch = layer.epoch;
            let seen = if newest.begin <= epoch {
                Some(newest)
            } else {
                let seen = layer.table.pages.with_tombstone(newest.row, epoch);
                layer.table.let_go(newest);
                seen
            };
            match seen {
                // A tombstone of a fork hides what lies below it.
                Some(version) if version.is_tombstone() => return None,
                Some(version) => return Some((BaseRow { layer: number, row: version.row }, version)),
                None => {}
            }
        }
        None
    }

    // ---- by a unique value -------------------------------------------------------------------------------------------

    /// The record that the fork began with, has not covered, and that has a value of a unique index. Runs extractors.
    pub(crate) fn holder(&self, shape: &IndexShape, value: ValueRef<'_>) -> Option<(BaseRow, SharedVersion)> {
        let has_value = |version: &SharedVersion| holds(shape, &**version, value);
        self.layers.iter().enumerate().find_map(|(layer, of)| {
            let version = of.holder(shape, value, &has_value)?;
            Some((BaseRow { layer, row: version.row }, version))
        })
    }

    /// Whether the layers have records at a commit of the fork.
    pub(crate) fn has_records(&self, epoch: Commit) -> bool {
        self.layers.iter().any(|layer| layer.table.lengths.at(layer.epoch) > layer.covers.at(epoch).records)
    }

    /// Whether commits of the base have changed records that are not taken over. A hint.
    pub(crate) fn is_behind(&self) -> bool {
        self.layers.iter().any(|layer| {
            let covered = layer.newest_covered();
            !covered.is_all && covered.is_behind(&layer.table.marks)
        })
    }

    // ---- queries -----------------------------------------------------------------------------------------------------

    /// The layers at a commit of the fork.
    pub(crate) fn views(&self, epoch: Commit) -> Under {
        let views = self.layers.iter().map(|layer| LayerView {
            table: layer.table.clone(),
            at: layer.at(),
            covered: layer.covers.at(epoch),
        });
        views.filter(|view| !view.covered.is_all).collect()
    }

    // ---- the steps of a commit ---------------------------------------------------------------------------------------

    /// Covers the rows of the layers whose records a commit has changed.
    pub(crate) fn apply(&self, commit: Commit, applied: &Applied) {
        let mut rows: Vec<BaseRow> =
            applied.versions.iter().filter_map(|change| Some(change.under.as_ref()?.0)).collect();
        rows.sort_unstable();
        for of_layer in rows.chunk_by(|a, b| a.layer == b.layer) {
            let Some(layer) = self.layers.get(of_layer[0].layer) else { continue };
            let rows: Vec<Row> = of_layer.iter().map(|of| of.row).collect();
            layer.covers.push(commit, Arc::new(layer.newest_covered().and(&rows)));
        }
    }

    pub(crate) fn tidy(&self, pins: &Pins<'_>) {
        self.layers.iter().for_each(|layer| layer.covers.tidy(pins));
    }

    pub(crate) fn end(&self, ended: Commit, pins: &Pins<'_>) {
        self.layers.iter().for_each(|layer| layer.covers.end(ended, pins));
    }

    pub(crate) fn retains(&self) -> bool {
        self.layers.iter().any(|layer| layer.covers.len() > 1)
    }
}

impl Layer {
    fn holder(
        &self,
        shape: &IndexShape,
        value: ValueRef<'_>,
        has_value: &dyn Fn(&SharedVersion) -> bool,
    ) -> Option<SharedVersion> {
        let covered = self.newest_covered();
        if covered.is_all {
            return None;
        }
        let indexes = self.table.indexes();
        let Some(index) = indexes.iter().find(|index| index.shape.def == shape.def) else {
            // The base has dropped it.
            return self.scan(&covered, has_value);
        };
        let row = index.unique_row(value);
        let changed = covered.changed(&self.table.marks, self.epoch);
        if let Some(row) = row.filter(|row| !changed.has(*row)) {
            return self.table.pages.at(row, self.at());
        }
        self.among(changed.undecided().iter(), has_value)
    }

    fn scan(&self, covered: &Covered, has_value: &dyn Fn(&SharedVersion) -> bool) -> Option<SharedVersion> {
        let mut page = Vec::new();
        (0..self.table.pages.len()).find_map(|number| {
            self.read_page(number, covered, &mut page);
            page.drain(..).find(has_value)
        })
    }

    /// Adds the records of a page that are not covered.
    pub(super) fn read_page(&self, number: usize, covered: &Covered, found: &mut Vec<SharedVersion>) {
        if !covered.is_all {
            let before = found.len();
            self.table.pages.read_page(number, self.at(), found);
            let mut at = 0;
            found.retain(|version| {
                at += 1;
                at <= before || !covered.rows.contains(version.row)
            });
        }
    }

    fn among(
        &self,
        rows: impl Iterator<Item = Row>,
        has_value: &dyn Fn(&SharedVersion) -> bool,
    ) -> Option<SharedVersion> {
        rows.filter_map(|row| self.table.pages.at(row, self.at())).find(has_value)
    }
}

/// Whether a record has a value in a unique index.
fn holds(shape: &IndexShape, version: &dyn AnyVersion, value: ValueRef<'_>) -> bool {
    let held = crate::index::extract(|| shape.entry(version).map(|entry| entry.as_value(true) == value));
    held.unwrap_or(false)
}
