//! Executes statistics, step by step.

use super::accumulate::Accumulated;
use super::answer::{AggregationResult, MetricValues};
use super::bind::{Bound, FieldUse};
use super::cells::Source;
use super::columns::ByColumns;
use super::materialized;
use super::parts::BucketIds;
use crate::error::{Commit, QueryError};
use crate::limits::PAGE_ROWS;
use crate::read::choice::Chooser;
use crate::read::execute::{self, Matches};
use crate::read::order::Order;
use crate::read::planner;
use crate::read::snapshot::AnyView;
use crate::record::Condition;
use crate::rowset::{PageRows, Row, RowSet};
use crate::storage::{Column, SharedVersion, Table, TableCore, Watch};
use crate::sync::Arc;
use crate::testing::meter;
use crate::user_code;
use memdex_query::query::Statistics;
use smallvec::SmallVec;
use std::time::Instant;

/// How to read the rows.
enum Path<'t> {
    /// Page by page, from these columns (by field).
    Columns(Vec<&'t Column>),
    /// Record by record.
    Records,
}

/// One collection of a query, and the condition that its records must match.
pub(in crate::read) struct Of<'a> {
    pub(in crate::read) table: Arc<Table>,
    pub(in crate::read) view: AnyView<'a>,
    pub(in crate::read) condition: Condition,
}

/// Computes statistics of all matching records of some collections.
pub(in crate::read) fn compute(
    of: &[Of<'_>],
    statistics: &Statistics,
    chooser: &Chooser,
) -> Result<Computed, QueryError> {
    let bounds = of.iter().map(|of| Bound::new(&of.view.table.name, &of.view.table.schema, statistics));
    let bounds: Vec<Bound> = bounds.collect::<Result<_, _>>()?;
    let orders = of.iter().zip(&bounds).map(|(of, bound)| orders(of.view, bound));
    let orders: Vec<Vec<Order>> = orders.collect::<Result<_, _>>()?;
    let Some((first, others)) = bounds.split_first() else { return Ok(Computed::default()) };
    others.iter().try_for_each(|other| check_kinds(first, other))?;
    let parts: Vec<SmallVec<[AnyView<'_>; 1]>> = of.iter().map(|of| of.view.parts()).collect();
    if let ([of], [parts], Chooser::Cheapest) = (of, &parts[..], chooser)
        && let [part] = parts[..]
        && let Some(values) = materialized::known(part, &of.condition, statistics, first)
    {
        return Ok(Computed { values: values?, materialized: true });
    }
    let mut accumulated = Accumulated::new(first);
    for (position, (((of, parts), bound), orders)) in of.iter().zip(&parts).zip(&bounds).zip(&orders).enumerate() {
        for part in parts {
            accumulated.continue_with(position, &bound.fields, orders);
            accumulate(*part, &of.condition, chooser, &mut accumulated)?;
            // Metrics with a filter have a separate pass over the records that match both conditions, so that indexes
            // and columns serve the filter too.
            for (at, filter) in bound.filters.iter().enumerate() {
                let both = of.condition.and(filter, &of.view.table.schema);
                accumulated.exchange(at);
                accumulate(*part, &both, chooser, &mut accumulated)?;
                accumulated.exchange(at);
            }
        }
    }
    let tables: Vec<Arc<Table>> = of.iter().map(|of| of.table.clone()).collect();
    Ok(Computed { values: accumulated.finish(&tables)?, materialized: false })
}

/// The orders of first values and hits, bound to a collection.
fn orders(view: AnyView<'_>, bound: &Bound) -> Result<Vec<Order>, QueryError> {
    bound.orders.iter().map(|order| Order::new(&view.table.name, &view.table.schema, order)).collect()
}

/// Fails if the statistics don't fit a collection.
pub(in crate::read) fn check(view: AnyView<'_>, statistics: &Statistics) -> Result<(), QueryError> {
    let bound = Bound::new(&view.table.name, &view.table.schema, statistics)?;
    orders(view, &bound).map(drop)
}

/// The metrics, and whether a materialized aggregate provided them.
#[derive(Default)]
pub(in crate::read) struct Computed {
    pub(in crate::read) values: MetricValues,
    pub(in crate::read) materialized: bool,
}

impl Computed {
    pub(in crate::read) fn result(self, commit: Commit, started: Instant) -> AggregationResult {
        let Computed { values, materialized } = self;
        AggregationResult { values, commit, took: started.elapsed(), materialized }
    }
}

/// Checks that fields of one name are compared alike: they have the same kind and collation in all collections, or are
/// undeclared in all of them.
fn check_kinds(first: &Bound, other: &Bound) -> Result<(), QueryError> {
    let is_other = |(a, b): &(&FieldUse, &FieldUse)| a.kind() == b.kind() && a.at.collation() != b.at.collation();
    if let Some((a, b)) = first.fields.iter().zip(&other.fields).find(is_other) {
        let of_first = a.at.collation().map(|collation| (&first.collection, collation, &other.collection));
        let of_other = b.at.collation().map(|collation| (&other.collection, collation, &first.collection));
        if let Some((of, collation, other)) = of_first.or(of_other) {
            return Err(QueryError::different_collations(of, a.name(), collation, other));
        }
    }
    let differs = |(a, b): &(&FieldUse, &FieldUse)| a.kind() != b.kind();
    let Some((a, b)) = first.fields.iter().zip(&other.fields).find(differs) else { return Ok(()) };
    let (of_a, of_b) = (&first.collection, &other.collection);
    Err(match (a.kind(), b.kind()) {
        (Some(x), Some(y)) => QueryError::different_kinds(a.name(), (of_a.clone(), x), (of_b.clone(), y)),
        (x, _) => {
            let (of, declaring) = if x.is_none() { (of_a, of_b) } else { (of_b, of_a) };
            let purpose = format!("statistics together with {declaring:?}, which declares it");
            QueryError::undeclared_field(of, a.name(), purpose)
        }
    })
}

/// Accumulates the matches of one collection.
fn accumulate(
    view: AnyView<'_>,
    condition: &Condition,
    chooser: &Chooser,
    accumulated: &mut Accumulated<'_>,
) -> Result<(), QueryError> {
    // 1. Find the matching rows, exact at the marks loaded then, and the records that had to be read.
    let plan = planner::plan(view.table, condition, chooser);
    let Matches { rows, versions } = execute::execute(view, condition, &plan);

    // 2. Add the rows, by columns or by records.
    match path(view, accumulated, chooser) {
        Path::Columns(columns) => by_columns(view, &rows, &columns, accumulated)?,
        Path::Records => by_records(view, &rows, accumulated)?,
    }

    // 3. Add the records: changed rows, and rows that no index could decide.
    add_versions(&versions, accumulated)
}

/// Chooses the path.
///
/// Uses columns if every field has one: fetching a record costs a memory access, as much as hundreds of cells. Once a
/// record is fetched, reading its fields is almost free, so columns are not used if any field lacks one. Records are also
/// read for values that may fall into several buckets, for orders, and for a field with a collation if the result shows
/// its spelling, because columns hold the keys of the collation.
fn path<'t>(view: AnyView<'t>, accumulated: &Accumulated<'_>, chooser: &Chooser) -> Path<'t> {
    let overlap = accumulated.levels.iter().flat_map(|level| &level.parts).any(BucketIds::overlap);
    let column = |field: &FieldUse| {
        let mut columns = view.table.columns.iter();
        columns.find(|column| column.field == field.at.position() && !field.spelled)
    };
    let columns: Option<Vec<&Column>> = accumulated.fields.iter().map(column).collect();
    match columns {
        Some(columns) if !overlap && accumulated.bound.orders.is_empty() && chooser.pick(&[true, false]) == 0 => {
            Path::Columns(columns)
        }
        _ => Path::Records,
    }
}

fn by_records(view: AnyView<'_>, rows: &RowSet, accumulated: &mut Accumulated<'_>) -> Result<(), QueryError> {
    let mut places = Vec::with_capacity(PAGE_ROWS);
    let mut versions: Vec<SharedVersion> = Vec::with_capacity(PAGE_ROWS);
    let mut pages = rows.pages();
    while let Some((page, of_page)) = pages.next(&mut places) {
        if of_page == PageRows::All {
            places.extend(0..PAGE_ROWS as u16);
        }
        versions.clear();
        meter::look(places.len());
        // Reads the versions at the epoch, so later changes don't matter.
        view.table.read_places(page, &places, view.at, &mut versions);
        debug_assert_eq!(versions.len(), places.len(), "an unmarked row must have a record at the epoch");
        add_versions(&versions, accumulated)?;
    }
    Ok(())
}

/// Runs the extractors of records. Holds no guard.
fn add_versions(versions: &[SharedVersion], accumulated: &mut Accumulated<'_>) -> Result<(), QueryError> {
    let _scope = user_code::Scope::enter();
    versions.iter().try_for_each(|version| accumulated.add_record(version))
}

/// If fewer than one in `FEW` rows of a page are selected, they are read individually: that touches less memory.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
const FEW: usize = 8;
/// Pages have two rows here; a single row is picked from its page, unless few rows are selected in total.
#[cfg(any(memdex_shuttle, memdex_loom))]
const FEW: usize = 3;
/// Up to this many of 65,536 rows are read individually, without checking how they are distributed over pages.
const FEW_OF_MANY: usize = if PAGE_ROWS < 64 { 2 } else { 512 };

fn by_columns(
    view: AnyView<'_>,
    rows: &RowSet,
    columns: &[&Column],
    accumulated: &mut Accumulated<'_>,
) -> Result<(), QueryError> {
    let AnyView { table, at, .. } = view;
    let mut pass = Pass {
        table,
        watch: Watch::new(&table.marks, at.epoch),
        columns: ByColumns::new(columns, accumulated),
        accumulated,
        marked: Vec::new(),
        trusted: Vec::with_capacity(PAGE_ROWS),
        changed: Vec::new(),
    };
    let mut places = Vec::with_capacity(PAGE_ROWS);
    // Rows from sparse pages, batched up to the size of a page.
    let mut scattered: Vec<Row> = Vec::with_capacity(PAGE_ROWS);
    let mut pages = rows.pages();
    loop {
        if !pages.take_sparse(FEW_OF_MANY, &mut scattered) {
            match pages.next(&mut places) {
                None => break,
                Some((page, PageRows::All)) => pass.add(Source::Page(page), None)?,
                Some((page, _)) if places.len() * FEW > PAGE_ROWS => pass.add(Source::Page(page), Some(&places))?,
                Some((page, _)) => scattered.extend(places.iter().map(|place| Source::Page(page).row(*place))),
            }
        }
        while scattered.len() >= PAGE_ROWS {
            pass.add(Source::Rows(&scattered[..PAGE_ROWS]), None)?;
            scattered.drain(..PAGE_ROWS);
        }
    }
    if !scattered.is_empty() {
        pass.add(Source::Rows(&scattered), None)?;
    }
    let Pass { columns, changed, .. } = pass;
    columns.finish(accumulated);

    // Add the records of the removed rows, at the epoch.
    let mut versions = Vec::new();
    view.table.fetch_in_order(&changed, at, &mut versions);
    debug_assert_eq!(versions.len(), changed.len(), "a matching row must have a record at the epoch");
    add_versions(&versions, accumulated)
}

struct Pass<'t, 'p, 'b> {
    table: &'t TableCore,
    watch: Watch,
    columns: ByColumns<'t>,
    accumulated: &'p mut Accumulated<'b>,
    /// Positions in the current page that commits have marked.
    marked: Vec<u16>,
    /// Current positions that no commit has marked.
    trusted: Vec<u16>,
    /// Rows removed because a commit marked them.
    changed: Vec<Row>,
}

impl Pass<'_, '_, '_> {
    /// Adds the rows of a page or scattered rows: all of them, or those at some positions.
    fn add(&mut self, source: Source<'_>, places: Option<&[u16]>) -> Result<(), QueryError> {
        // 1. Read the cells, without a lock.
        self.columns.read(source);

        // 2. Then reload the marks. Remove rows that a commit has begun to change; their records are read instead.
        self.watch.look_again(&self.table.marks);
        let touched = self.is_touched(source);
        if touched {
            self.split(source, places);
        }
        let picks = if touched { Some(&self.trusted[..]) } else { places };

        // 3. Accumulate the others, field by field.
        let count = picks.map_or(source.len(), <[u16]>::len);
        meter::look(count);
        if count > 0 {
            self.columns.pick(source, picks);
            self.columns.add(self.accumulated, count)?;
        }
        Ok(())
    }

    /// Whether any of the rows may be marked. For a page, also collects the marked positions.
    fn is_touched(&mut self, source: Source<'_>) -> bool {
        let changed = &self.watch.changed.rows;
        match source {
            _ if changed.is_empty() => false,
            Source::Rows(_) => true,
            Source::Page(page) => match changed.rows_of_page(page, &mut self.marked) {
                PageRows::Nothing => false,
                PageRows::Some => true,
                PageRows::All => {
                    self.marked.extend(0..PAGE_ROWS as u16);
                    true
                }
            },
        }
    }

    /// Splits the rows into those that no commit has marked and those to remove.
    fn split(&mut self, source: Source<'_>, places: Option<&[u16]>) {
        let Pass { watch, marked, trusted, changed, .. } = self;
        trusted.clear();
        match (source, places) {
            (Source::Rows(rows), _) => {
                for (row, place) in rows.iter().zip(0..) {
                    if watch.changed.rows.contains(*row) { changed.push(*row) } else { trusted.push(place) }
                }
            }
            (Source::Page(_), None) => {
                changed.extend(marked.iter().map(|place| source.row(*place)));
                let mut from = 0;
                for place in marked {
                    trusted.extend(from..*place);
                    from = *place + 1;
                }
                trusted.extend(from..PAGE_ROWS as u16);
            }
            (Source::Page(_), Some(places)) => {
                // Both are ascending.
                let mut marked = marked.iter().copied().peekable();
                for place in places {
                    while marked.next_if(|other| other < place).is_some() {}
                    if marked.peek() == Some(place) { changed.push(source.row(*place)) } else { trusted.push(*place) }
                }
            }
        }
    }
}
