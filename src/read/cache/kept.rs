//! What an entry of the cache keeps of its answer, so that a change can be taken in without asking the old record anything.

use super::super::order::Order;
use super::super::statistics::Maintained;
use crate::clock::Timestamp;
use crate::index::{Contribution, Tallied};
use crate::record::FieldSource;
use crate::rowset::{Row, RowSet};
use crate::storage::SharedVersion;
use hashbrown::HashMap;
use memdex_query::value::{Key, Value};
use std::cmp::Ordering;

/// How the answer to a question is kept exact.
pub(super) enum Shape {
    /// All matching records, unordered.
    Set,
    /// The first records in an order.
    Page(PageShape),
    /// The number of matching records.
    Count,
    Statistics(Maintained),
    /// Each change that concerns it drops the answer.
    Opaque,
}

pub(super) struct PageShape {
    pub(super) order: Order,
    /// Sort values and key of the record behind which the page begins.
    pub(super) after: Option<(Vec<Value>, Key)>,
    /// With so many records the page, its cursors, and the records that it skips are known.
    pub(super) needed: usize,
    pub(super) window: memdex_query::query::Window,
    /// The fingerprint for cursors.
    pub(super) query: u128,
    /// Whether all matching records are counted too.
    pub(super) counts: bool,
}

/// A page keeps so many other records at least.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
const SPARE: usize = 20;
/// One, so that concurrency checkers use them up.
#[cfg(any(memdex_shuttle, memdex_loom))]
const SPARE: usize = 1;

impl PageShape {
    /// So many records are kept, so that some can leave before the question has to be asked again.
    pub(super) fn kept(&self) -> usize {
        self.needed.saturating_add(SPARE.max(self.needed / 2))
    }

    /// Whether these records, in the order of the page, begin with these rows, and are no more if that is said.
    pub(super) fn begins_with(&self, mut records: Vec<Item>, shown: &[Row], complete: bool) -> bool {
        records.retain(|item| self.is_behind(&item.values, &item.version.key));
        records.sort_unstable_by(|a, b| {
            let order = self.order.compare_values(&a.values, &b.values);
            order.then_with(|| self.order.tie(&a.version.key, &b.version.key))
        });
        let rows = records.iter().map(|item| item.row).take(shown.len());
        rows.eq(shown.iter().copied()) && (!complete || records.len() == shown.len())
    }

    /// Whether a record comes behind the place where the page begins.
    fn is_behind(&self, values: &[Value], key: &Key) -> bool {
        self.after.as_ref().is_none_or(|(of_place, key_of_place)| {
            let order = self.order.compare_values(values, of_place);
            order.then_with(|| self.order.tie(key, key_of_place)) == Ordering::Greater
        })
    }
}

/// What is kept; as [`Shape`] says.
pub(super) enum Kept {
    Set(HashMap<Row, SharedVersion, ahash::RandomState>),
    Page(Window),
    Count(RowSet),
    Statistics(Box<Tallied>),
    Nothing,
}

/// The first records in an order.
#[derive(Default)]
pub(super) struct Window {
    /// In the order.
    pub(super) items: Vec<Item>,
    /// Whether no record follows.
    pub(super) complete: bool,
    /// All matching rows, if they are counted.
    pub(super) rows: Option<RowSet>,
}

pub(super) struct Item {
    /// Of the version, so that a search touches nothing else.
    pub(super) row: Row,
    pub(super) values: Vec<Value>,
    pub(super) version: SharedVersion,
}

/// The new state of a row as an answer sees it: plain values.
pub(super) enum Placed {
    /// The record does not match, or there is none.
    Gone,
    Matches(SharedVersion),
    /// With its sort values.
    Sorted(SharedVersion, Vec<Value>),
    Counts(SharedVersion, Contribution),
}

/// What became of an answer that took a change in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Taken {
    /// It has not changed.
    Same,
    Changed,
    /// It can't tell: it has to be computed again.
    Unknown,
}

impl Placed {
    /// Its version, to be dropped.
    pub(super) fn into_version(self) -> Option<SharedVersion> {
        match self {
            Placed::Gone => None,
            Placed::Matches(version) | Placed::Sorted(version, _) | Placed::Counts(version, _) => Some(version),
        }
    }

    /// When the record expires.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        match self {
            Placed::Gone => None,
            Placed::Matches(version) | Placed::Sorted(version, _) | Placed::Counts(version, _) => {
                version.deadline.time()
            }
        }
    }
}

impl Shape {
    /// Runs extractors.
    pub(super) fn place(&self, version: &SharedVersion, record: &dyn FieldSource) -> Placed {
        match self {
            Shape::Set | Shape::Count | Shape::Opaque => Placed::Matches(version.clone()),
            Shape::Page(page) => Placed::Sorted(version.clone(), page.order.values_of(record)),
            Shape::Statistics(statistics) => match Contribution::of(&statistics.plan, record) {
                Some(contribution) => Placed::Counts(version.clone(), contribution),
                None => Placed::Gone,
            },
        }
    }
}

impl Kept {
    /// Whether a row is part of the answer.
    pub(super) fn contains(&self, row: Row) -> bool {
        match self {
            Kept::Set(versions) => versions.contains_key(&row),
            Kept::Page(Window { items, rows, .. }) => {
                rows.as_ref().is_some_and(|rows| rows.contains(row)) || items.iter().any(|item| item.row == row)
            }
            Kept::Count(rows) => rows.contains(row),
            Kept::Statistics(tallied) => tallied.contains(row),
            Kept::Nothing => true,
        }
    }

    /// The number of its records.
    pub(super) fn len(&self) -> usize {
        match self {
            Kept::Set(versions) => versions.len(),
            Kept::Page(window) => window.items.len(),
            Kept::Statistics(tallied) => tallied.len(),
            // Rows of a count are compressed.
            Kept::Count(_) | Kept::Nothing => 0,
        }
    }

    /// Its rows, for audits; of a page only those that it keeps. `None` if it keeps nothing.
    pub(super) fn rows(&self) -> Option<RowSet> {
        let mut rows: Vec<Row> = match self {
            Kept::Set(versions) => versions.keys().copied().collect(),
            Kept::Page(window) => window.items.iter().map(|item| item.row).collect(),
            Kept::Count(rows) => return Some(rows.clone()),
            Kept::Statistics(tallied) => return Some(tallied.rows()),
            Kept::Nothing => return None,
        };
        rows.sort_unstable();
        Some(RowSet::from_sorted(&rows))
    }

    /// Takes the new state of a row in. Runs no user code: versions that leave are added to `released`.
    pub(super) fn take_in(
        &mut self,
        shape: &Shape,
        row: Row,
        placed: Placed,
        released: &mut Vec<SharedVersion>,
    ) -> Taken {
        match (self, shape) {
            (Kept::Set(versions), _) => {
                let old = versions.remove(&row);
                let was_there = old.is_some();
                released.extend(old);
                match placed {
                    Placed::Matches(version) => {
                        versions.insert(row, version);
                        Taken::Changed
                    }
                    _ if was_there => Taken::Changed,
                    _ => Taken::Same,
                }
            }
            (Kept::Count(rows), _) => {
                let changed = match placed {
                    Placed::Matches(version) => {
                        released.push(version);
                        rows.insert(row)
                    }
                    _ => rows.remove(row),
                };
                if changed { Taken::Changed } else { Taken::Same }
            }
            (Kept::Statistics(tallied), _) => {
                let contribution = match placed {
                    Placed::Counts(version, contribution) => {
                        released.push(version);
                        Some(contribution)
                    }
                    _ => None,
                };
                let changed = contribution.is_some() || tallied.contains(row);
                tallied.replace(row, contribution);
                if changed { Taken::Changed } else { Taken::Same }
            }
            (Kept::Page(window), Shape::Page(page)) => window.take_in(page, row, placed, released),
            (Kept::Page(_) | Kept::Nothing, _) => Taken::Unknown,
        }
    }

    /// Takes the records out that have expired. Returns `false` if it can't.
    pub(super) fn expire(&mut self, shape: &Shape, time: Timestamp, released: &mut Vec<SharedVersion>) -> bool {
        match (self, shape) {
            (Kept::Set(versions), _) => {
                let is_past = |_: &Row, version: &mut SharedVersion| version.deadline.is_past(time);
                released.extend(versions.extract_if(is_past).map(|(_, version)| version));
                true
            }
            (Kept::Page(window), Shape::Page(page)) if window.rows.is_none() => {
                let expired = window.items.extract_if(.., |item| item.version.deadline.is_past(time));
                released.extend(expired.map(|item| item.version));
                window.complete || window.items.len() >= page.needed
            }
            _ => false,
        }
    }

    /// A time before which none of its records expires, if it keeps them.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let of = |version: &SharedVersion| version.deadline.time();
        match self {
            Kept::Set(versions) => versions.values().filter_map(of).min(),
            Kept::Page(window) => window.items.iter().filter_map(|item| of(&item.version)).min(),
            _ => None,
        }
    }

    /// Takes all versions out, to be dropped.
    pub(super) fn release(self, released: &mut Vec<SharedVersion>) {
        match self {
            Kept::Set(versions) => released.extend(versions.into_values()),
            Kept::Page(window) => released.extend(window.items.into_iter().map(|item| item.version)),
            Kept::Count(_) | Kept::Statistics(_) | Kept::Nothing => {}
        }
    }

    /// An estimate of its memory, without the records.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Kept::Set(versions) => versions.capacity() * (size_of::<(Row, SharedVersion)>() + 1),
            Kept::Page(Window { items, rows, .. }) => {
                let values = items.first().map_or(0, |item| item.values.len() * size_of::<Value>());
                items.capacity() * (size_of::<Item>() + values) + rows.as_ref().map_or(0, RowSet::heap_bytes)
            }
            Kept::Count(rows) => rows.heap_bytes(),
            Kept::Statistics(tallied) => tallied.heap_bytes(),
            Kept::Nothing => 0,
        }
    }
}

impl Window {
    fn take_in(&mut self, page: &PageShape, row: Row, placed: Placed, released: &mut Vec<SharedVersion>) -> Taken {
        let matches = matches!(placed, Placed::Sorted(..));
        let mut taken = Taken::Same;
        if let Some(rows) = &mut self.rows
            && (if matches { rows.insert(row) } else { rows.remove(row) })
        {
            taken = Taken::Changed;
        }
        if let Some(at) = self.items.iter().position(|item| item.row == row) {
            released.push(self.items.remove(at).version);
            taken = Taken::Changed;
        }
        if let Placed::Sorted(version, values) = placed {
            let behind = |item: &Item| {
                let order = page.order.compare_values(&item.values, &values);
                order.then_with(|| page.order.tie(&item.version.key, &version.key)) == Ordering::Less
            };
            let at = self.items.partition_point(behind);
            // Behind the last record that it knows there may be others before this one.
            let is_known = at < self.items.len() || self.complete;
            if is_known && page.is_behind(&values, &version.key) {
                self.items.insert(at, Item { row, values, version });
                taken = Taken::Changed;
            } else {
                released.push(version);
            }
        }
        if self.items.len() > page.kept().saturating_mul(2) {
            released.extend(self.items.drain(page.kept()..).map(|item| item.version));
            self.complete = false;
        }
        if self.complete || self.items.len() >= page.needed { taken } else { Taken::Unknown }
    }
}
