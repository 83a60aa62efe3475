//! Records of a fork's base, as staging sees them before the fork has a row for them.
//!
//! Staging identifies records by their rows. A record of the base that a batch touches, or that stands in its way, gets a *phantom*: a
//! version with a row that no table gives out, which refers to the version of the base. If the batch changes the record, the new version
//! gets a row of the fork's own table, and the row of the base is covered.

use crate::rowset::Row;
use crate::storage::{BaseRow, Deadline, Head, SharedVersion, Table};
use memdex_query::value::Key;
use std::collections::HashMap;

/// The phantoms of a batch, by their rows, which descend from the last one there is.
#[derive(Default)]
pub(super) struct Phantoms {
    list: Vec<(BaseRow, SharedVersion)>,
    by_place: HashMap<BaseRow, usize>,
}

const LAST: Row = Row::MAX - 1;

impl Phantoms {
    /// The phantom of a version of the base.
    pub(super) fn of(&mut self, (place, version): (BaseRow, SharedVersion)) -> SharedVersion {
        let next = self.list.len();
        let at = *self.by_place.entry(place).or_insert(next);
        if at == next {
            let (begin, hash, key) = (version.begin, version.hash, version.key.clone());
            let (row, deadline) = (LAST - at as Row, Deadline::none());
            self.list.push((place, version.again(Head { begin, row, hash, deadline, key }, true)));
        }
        self.list[at].1.clone()
    }

    /// Gives committed records of a fork's base their phantoms.
    pub(super) fn locate(&mut self, table: &Table, committed: &mut [SharedVersion]) {
        let Some(base) = &table.base else { return };
        for version in committed {
            let own = table.keys.newest(version.hash, version.key.bytes());
            if own.is_none()
                && let Some(found) = base.of_key(version.hash, version.key.bytes())
            {
                *version = self.of(found);
            }
        }
    }

    fn get(&self, row: Row) -> Option<&(BaseRow, SharedVersion)> {
        self.list.get((LAST.checked_sub(row)?) as usize)
    }

    /// The place in the base of a phantom, by its row; `None` for a row of a table.
    pub(super) fn place(&self, row: Row) -> Option<BaseRow> {
        self.get(row).map(|(place, _)| *place)
    }

    pub(super) fn key(&self, row: Row) -> Option<&Key> {
        self.get(row).map(|(_, phantom)| &phantom.key)
    }
}
