//! Answers that follow the changes of a collection, one commit after the other: for live queries.

use super::bound_query::{self, BoundQuery};
use super::builder::paging;
use super::choice::Chooser;
use super::order::Order;
use super::snapshot::{Snapshot, View};
use super::statistics::{AggregationResult, Maintained};
use crate::error::{AggregateDefError, Commit, QueryError};
use crate::hash::RandomState;
use crate::index::{Contribution, Tallied};
use crate::limits::MAX_WATCHED_RECORDS;
use crate::record::{AggregateDef, Condition, Record};
use crate::rowset::Row;
use crate::storage::{Handle, RecordChange, SharedVersion, TableOf, typed};
use crate::sync::Arc;
use crate::user_code;
use hashbrown::{HashMap, HashSet};
use memdex_query::query::{Fingerprint, Fingerprinter, Query, Statistics};
use memdex_query::value::{Key, Value};
use std::cmp::Ordering;
use std::ops::Range;
use std::time::Duration;

/// A difference between two answers to a query for records.
///
/// To bring a list to the new answer: remove the records that have left or moved, from the last to the first; then insert those that
/// have entered or moved at their new places, from the first to the last; then replace those that have changed.
/// [`Update::apply`](crate::hook::watch::Update::apply) does so.
#[derive(Debug)]
#[non_exhaustive]
pub enum Difference<R> {
    /// A record is part of the answer now.
    #[non_exhaustive]
    Entered {
        /// Its place in the new answer.
        at: usize,
        /// The record.
        record: Handle<R>,
    },
    /// A record is not part of the answer any longer.
    #[non_exhaustive]
    Left {
        /// Its place in the old answer.
        from: usize,
        /// The record as the old answer showed it.
        record: Handle<R>,
    },
    /// A record has changed, and kept its place among the others.
    #[non_exhaustive]
    Changed {
        /// Its place in the new answer. The records that have entered and left may have shifted it.
        at: usize,
        /// The record before the change.
        before: Handle<R>,
        /// The record after it.
        after: Handle<R>,
    },
    /// A record has changed in a field of the order.
    #[non_exhaustive]
    Moved {
        /// Its place in the old answer.
        from: usize,
        /// Its place in the new answer.
        to: usize,
        /// The record before the change.
        before: Handle<R>,
        /// The record after it.
        after: Handle<R>,
    },
}

impl<R> Clone for Difference<R> {
    fn clone(&self) -> Self {
        match self {
            Difference::Entered { at, record } => Difference::Entered { at: *at, record: record.clone() },
            Difference::Left { from, record } => Difference::Left { from: *from, record: record.clone() },
            Difference::Changed { at, before, after } => {
                Difference::Changed { at: *at, before: before.clone(), after: after.clone() }
            }
            Difference::Moved { from, to, before, after } => {
                Difference::Moved { from: *from, to: *to, before: before.clone(), after: after.clone() }
            }
        }
    }
}

impl Snapshot {
    /// A table at this snapshot, whose store has it.
    pub(crate) fn of_table<R: Record>(&self, table: &TableOf<R>) -> View<R> {
        View::new(self.clone(), table.clone())
    }
}

/// A query for records that follows changes. Keeps all matching records, so that it can always continue.
pub(crate) struct LiveRecords {
    condition: Condition,
    order: Order,
    /// The part that is shown.
    offset: usize,
    limit: Option<usize>,
    /// In the order.
    items: Vec<Item>,
    by_row: HashMap<Row, Item, RandomState>,
    /// Versions that have left, to be dropped under no lock.
    released: Vec<SharedVersion>,
}

#[derive(Clone)]
struct Item {
    values: Arc<[Value]>,
    version: SharedVersion,
}

/// Too many records match, to keep all of them.
#[derive(Debug)]
pub(crate) struct TooMany;

impl LiveRecords {
    /// Without records.
    pub(crate) fn new<R: Record>(view: &View<R>, query: &Query) -> Result<(Self, Fingerprint), QueryError> {
        bound_query::check_own(view.any(), &query.filter)?;
        let bound = BoundQuery::of_one(view.any(), &query.filter, paging(query))?;
        let fingerprint =
            Fingerprinter::new("live records").print(bound.fingerprint).text(&format!("{:?}", paging(query)));
        let BoundQuery { condition, order, window, .. } = bound;
        let (items, by_row) = (Vec::new(), HashMap::with_hasher(view.table.seed.clone()));
        let (offset, limit, released) = (window.offset, window.limit, Vec::new());
        let live = LiveRecords { condition, order, offset, limit, items, by_row, released };
        Ok((live, fingerprint.finish()))
    }

    /// Reads everything again. Runs extractors.
    pub(crate) fn load<R: Record>(&mut self, view: &View<R>) -> Result<(), TooMany> {
        let matches = bound_query::matches(view.any(), &self.condition, &Chooser::Cheapest);
        if matches.len() > MAX_WATCHED_RECORDS {
            return Err(TooMany);
        }
        let versions = matches.fetch(view.any());
        let scope = user_code::Scope::enter();
        let item = |version: SharedVersion| Item { values: self.order.values(&*version).into(), version };
        let mut items: Vec<Item> = versions.into_iter().map(item).collect();
        drop(scope);
        items.sort_unstable_by(|a, b| self.compare(a, b));
        self.released.extend(self.items.drain(..).map(|item| item.version));
        self.by_row = HashMap::with_hasher(view.table.seed.clone());
        self.by_row.extend(items.iter().map(|item| (item.version.row, item.clone())));
        self.items = items;
        Ok(())
    }

    /// Versions that have left since the last call.
    pub(crate) fn released(&mut self) -> Vec<SharedVersion> {
        std::mem::take(&mut self.released)
    }

    fn compare(&self, a: &Item, b: &Item) -> Ordering {
        let order = self.order.compare_values(&a.values, &b.values);
        order.then_with(|| self.order.tie(&a.version.key, &b.version.key))
    }

    fn place(&self, item: &Item) -> usize {
        self.items.partition_point(|other| self.compare(other, item) == Ordering::Less)
    }

    fn shown_range(&self) -> Range<usize> {
        let from = self.offset.min(self.items.len());
        let to = self.limit.map_or(self.items.len(), |limit| (from + limit).min(self.items.len()));
        from..to
    }

    /// The answer.
    pub(crate) fn shown<R: Record>(&self) -> Vec<Handle<R>> {
        self.items[self.shown_range()].iter().filter_map(handle).collect()
    }

    /// The state of each row after the changes, in their order: a record that has expired may have been stored again. Runs extractors.
    fn placed<R: Record>(&self, changes: &[RecordChange<R>]) -> Vec<(Row, Option<Item>)> {
        let _scope = user_code::Scope::enter();
        let mut placed = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(image) = change.before.as_ref().or(change.after.as_ref()) else { continue };
            let after = change.after.as_ref().map(|after| after.version().clone() as SharedVersion);
            let item = after.and_then(|version| {
                let record = version.record()?;
                let matches = self.condition.holds(record);
                matches.then(|| Item { values: self.order.values_of(record).into(), version: version.clone() })
            });
            placed.push((image.version().row, item));
        }
        placed
    }

    /// Takes the changes of a commit in. Runs extractors; if one panics, nothing has changed.
    pub(crate) fn take_in<R: Record>(&mut self, changes: &[RecordChange<R>]) -> Result<Vec<Difference<R>>, TooMany> {
        let placed = self.placed(changes);
        let changed: HashSet<Row, RandomState> = {
            let mut rows = HashSet::with_hasher(self.by_row.hasher().clone());
            rows.extend(placed.iter().map(|(row, _)| *row));
            rows
        };
        let before = self.shown_range();
        // Where only some records are shown, others come and go at the edges.
        let edges = self.limit.is_some() || self.offset > 0;
        let old_window: Vec<Item> = if edges { self.items[before.clone()].to_vec() } else { Vec::new() };
        let old: HashMap<Row, (usize, Item), RandomState> = {
            let mut old = HashMap::with_hasher(self.by_row.hasher().clone());
            old.extend(changed.iter().filter_map(|row| {
                let item = self.by_row.get(row)?;
                Some((*row, (self.place(item), item.clone())))
            }));
            old
        };
        for (row, item) in placed {
            if let Some(item) = self.by_row.remove(&row) {
                let at = self.place(&item);
                self.items.remove(at);
                self.released.push(item.version);
            }
            if let Some(item) = item {
                let at = self.place(&item);
                self.items.insert(at, item.clone());
                self.by_row.insert(row, item);
            }
        }
        if self.items.len() > MAX_WATCHED_RECORDS {
            return Err(TooMany);
        }
        let after = self.shown_range();
        let mut differences = Vec::new();
        for row in &changed {
            let old = old.get(row).filter(|(at, _)| before.contains(at)).map(|(at, item)| (at - before.start, item));
            let new = self.by_row.get(row).map(|item| (self.place(item), item)).filter(|(at, _)| after.contains(at));
            let new = new.map(|(at, item)| (at - after.start, item));
            differences.extend(self.difference(old, new));
        }
        let mut old_rows = HashSet::with_hasher(self.by_row.hasher().clone());
        for (from, item) in old_window.iter().enumerate() {
            let row = item.version.row;
            old_rows.insert(row);
            let is_shown = || self.by_row.get(&row).is_some_and(|item| after.contains(&self.place(item)));
            if !changed.contains(&row) && !is_shown() {
                differences.extend(self.difference(Some((from, item)), None));
            }
        }
        if edges {
            for (at, item) in self.items[after].iter().enumerate() {
                let row = item.version.row;
                if !changed.contains(&row) && !old_rows.contains(&row) {
                    differences.extend(self.difference(None, Some((at, item))));
                }
            }
        }
        sort(&mut differences);
        Ok(differences)
    }

    fn difference<R: Record>(&self, old: Option<(usize, &Item)>, new: Option<(usize, &Item)>) -> Option<Difference<R>> {
        Some(match (old, new) {
            (None, None) => return None,
            (None, Some((at, item))) => Difference::Entered { at, record: handle(item)? },
            (Some((from, item)), None) => Difference::Left { from, record: handle(item)? },
            (Some((from, old)), Some((at, new))) => {
                let (before, after) = (handle(old)?, handle(new)?);
                match self.order.compare_values(&old.values, &new.values) {
                    Ordering::Equal => Difference::Changed { at, before, after },
                    _ => Difference::Moved { from, to: at, before, after },
                }
            }
        })
    }
}

fn handle<R: Record>(item: &Item) -> Option<Handle<R>> {
    typed(item.version.clone()).and_then(Handle::of)
}

/// The differences between two lists, whose records have the same order as far as they have not changed.
pub(crate) fn differences<R>(old: &[Handle<R>], new: &[Handle<R>]) -> Vec<Difference<R>> {
    // By key: a row may have been given to another record.
    fn places<R>(list: &[Handle<R>]) -> HashMap<&Key, usize, RandomState> {
        let mut places = HashMap::with_hasher(crate::hash::random());
        places.extend(list.iter().enumerate().map(|(at, record)| (record.key(), at)));
        places
    }
    let (in_old, in_new) = (places(old), places(new));
    let mut differences = Vec::new();
    for (from, record) in old.iter().enumerate() {
        if !in_new.contains_key(record.key()) {
            differences.push(Difference::Left { from, record: record.clone() });
        }
    }
    for (at, after) in new.iter().enumerate() {
        match in_old.get(after.key()) {
            None => differences.push(Difference::Entered { at, record: after.clone() }),
            Some(from) if !Arc::ptr_eq(old[*from].version(), after.version()) => {
                let before = old[*from].clone();
                differences.push(Difference::Moved { from: *from, to: at, before, after: after.clone() });
            }
            Some(_) => {}
        }
    }
    sort(&mut differences);
    differences
}

/// In the order in which they can be applied.
fn sort<R>(differences: &mut [Difference<R>]) {
    differences.sort_by_key(|difference| match difference {
        Difference::Left { from, .. } => (0, usize::MAX - *from),
        Difference::Entered { at, .. } | Difference::Moved { to: at, .. } => (1, *at),
        Difference::Changed { at, .. } => (2, *at),
    });
}

/// Brings a list to the answer after some differences.
pub(crate) fn apply<R>(differences: &[Difference<R>], list: &mut Vec<Handle<R>>) {
    let gone = |difference: &Difference<R>| match difference {
        Difference::Left { from, .. } | Difference::Moved { from, .. } => Some(*from),
        _ => None,
    };
    let mut gone: Vec<usize> = differences.iter().filter_map(gone).collect();
    gone.sort_unstable();
    gone.into_iter().rev().for_each(|at| drop(list.remove(at)));
    for difference in differences {
        match difference {
            Difference::Entered { at, record } => list.insert(*at, record.clone()),
            Difference::Moved { to, after, .. } => list.insert(*to, after.clone()),
            Difference::Changed { at, after, .. } => list[*at] = after.clone(),
            Difference::Left { .. } => {}
        }
    }
}

/// Statistics that follow changes.
pub(crate) struct LiveStatistics {
    condition: Condition,
    maintained: Maintained,
    tallied: Tallied,
}

impl LiveStatistics {
    /// Without records. The inner error says why the statistics can't follow changes.
    #[allow(clippy::type_complexity, reason = "two errors of different kinds")]
    pub(crate) fn new<R: Record>(
        view: &View<R>,
        query: &Query,
        statistics: &Statistics,
    ) -> Result<Result<(Self, Fingerprint), AggregateDefError>, QueryError> {
        let (table, any) = (&*view.table, view.any());
        bound_query::check_own(any, &query.filter)?;
        let condition = bound_query::condition(any, &query.filter)?;
        super::statistics::check(any, statistics)?;
        let Some(maintained) = Maintained::new(table, statistics) else {
            let cause = AggregateDef::new("watch", statistics.clone()).bind(&table.schema).err();
            return Ok(Err(cause.unwrap_or(AggregateDefError::Nothing)));
        };
        let fingerprint = Fingerprinter::new("live statistics").print(condition.fingerprint(&table.schema));
        let fingerprint = fingerprint.text(&format!("{statistics:?}")).finish();
        let tallied = Tallied::new(maintained.plan.clone(), table.seed.clone());
        Ok(Ok((LiveStatistics { condition, maintained, tallied }, fingerprint)))
    }

    /// Reads everything again. Runs extractors.
    pub(crate) fn load<R: Record>(&mut self, view: &View<R>) -> Result<(), TooMany> {
        let matches = bound_query::matches(view.any(), &self.condition, &Chooser::Cheapest);
        if matches.len() > MAX_WATCHED_RECORDS {
            return Err(TooMany);
        }
        let mut tallied = Tallied::new(self.maintained.plan.clone(), view.table.seed.clone());
        let versions = matches.fetch(view.any());
        let _scope = user_code::Scope::enter();
        for version in &versions {
            let contribution = version.record().and_then(|record| Contribution::of(&self.maintained.plan, record));
            tallied.replace(version.row, contribution);
        }
        self.tallied = tallied;
        Ok(())
    }

    /// Takes the changes of a commit in. Returns whether they may have changed the answer. Runs extractors; if one panics, nothing has
    /// changed.
    pub(crate) fn take_in<R: Record>(&mut self, changes: &[RecordChange<R>]) -> bool {
        let scope = user_code::Scope::enter();
        let mut placed = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(image) = change.before.as_ref().or(change.after.as_ref()) else { continue };
            let contribution = change.after.as_ref().and_then(|after| {
                let record = &**after.version();
                if self.condition.holds(record) { Contribution::of(&self.maintained.plan, record) } else { None }
            });
            placed.push((image.version().row, contribution));
        }
        drop(scope);
        let mut touched = false;
        for (row, contribution) in placed {
            touched |= contribution.is_some() || self.tallied.contains(row);
            self.tallied.replace(row, contribution);
        }
        touched
    }

    /// The answer.
    pub(crate) fn answer(&self, commit: Commit) -> Result<AggregationResult, QueryError> {
        let values = self.maintained.answer(&self.tallied)?;
        Ok(AggregationResult { values, commit, took: Duration::ZERO, materialized: false })
    }
}
