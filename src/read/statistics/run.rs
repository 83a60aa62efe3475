//! Statistics, step by step.

use super::accumulate::Accumulated;
use super::answer::Summary;
use super::bind::{Bound, FieldUse};
use super::columns::ByColumns;
use super::parts::Numbers;
use super::standing;
use crate::error::QueryError;
use crate::limits::PAGE_ROWS;
use crate::query::Statistics;
use crate::read::execute::{self, Matches};
use crate::read::find::Find;
use crate::read::snapshot::View;
use crate::record::{Condition, Record};
use crate::rowset::{OfPage, Row, RowSet};
use crate::storage::{Column, Version, Watch};
use crate::sync::Arc;
use crate::user_code;
use std::time::Instant;

impl<R: Record> Find<R> {
    /// Figures.
    pub fn statistics(&self, statistics: impl Into<Statistics>) -> Result<Summary, QueryError> {
        let started = Instant::now();
        let statistics = statistics.into();
        self.run(|condition| {
            let table = &self.view.table;
            let bound = Bound::new(&table.name, &table.schema, &statistics)?;
            let known = standing::known(&self.view, condition, &statistics, &bound);
            let (cached, commit) = (known.is_some(), self.snapshot().commit());
            let figures = match known {
                Some(figures) => figures?,
                None => run(&self.view, condition, &bound)?.figures()?,
            };
            Ok(Summary { figures, commit, took: started.elapsed(), cached })
        })?
    }
}

/// How the rows are gone through.
enum Path<'t> {
    /// Page by page of these columns, by field.
    Columns(Vec<&'t Column>),
    /// Record by record.
    Records,
}

/// Accumulates all that is asked of the records that meet a condition.
fn run<'b, R: Record>(view: &View<R>, condition: &Condition, bound: &'b Bound) -> Result<Accumulated<'b>, QueryError> {
    let mut accumulated = Accumulated::new(bound);

    // 1. The rows that meet the condition: exact as of the marks that were loaded then. And records that were looked at.
    let Matches { rows, versions } = execute::execute(view, condition);

    // 2. The rows, by columns or by records.
    match path(view, &accumulated) {
        Path::Columns(columns) => by_columns(view, &rows, &columns, &mut accumulated)?,
        Path::Records => by_records(view, &rows, &mut accumulated)?,
    }

    // 3. What was looked at: of rows that have changed, or that no index could decide.
    add_versions(&versions, &mut accumulated)?;
    Ok(accumulated)
}

/// Chooses the path. Statistics that are kept up by every commit will be asked first, here.
///
/// By columns if each field has one: a record costs a step to memory, as much as hundreds of cells. Once a record has to be fetched,
/// what its fields show costs next to nothing: so if one field has no column none is read. Values that fall into several buckets are
/// left to the records too.
fn path<'t, R: Record>(view: &'t View<R>, accumulated: &Accumulated<'_>) -> Path<'t> {
    let overlap = accumulated.levels.iter().flat_map(|level| &level.parts).any(Numbers::overlap);
    let column = |field: &FieldUse| view.table.columns.iter().find(|column| column.field == field.at.position());
    let columns: Option<Vec<&Column>> = accumulated.bound.fields.iter().map(column).collect();
    match columns {
        Some(columns) if !overlap => Path::Columns(columns),
        _ => Path::Records,
    }
}

fn by_records<R: Record>(view: &View<R>, rows: &RowSet, accumulated: &mut Accumulated<'_>) -> Result<(), QueryError> {
    let mut places = Vec::with_capacity(PAGE_ROWS);
    let mut versions: Vec<Arc<Version<R>>> = Vec::with_capacity(PAGE_ROWS);
    let mut pages = rows.pages();
    while let Some((page, of_page)) = pages.next(&mut places) {
        if of_page == OfPage::All {
            places.extend(0..PAGE_ROWS as u16);
        }
        versions.clear();
        // As the epoch sees them, whatever was changed since.
        view.table.pages.read_places(page, &places, view.snapshot.commit(), &mut versions);
        debug_assert_eq!(versions.len(), places.len(), "a row that is not marked has a record at the epoch");
        add_versions(&versions, accumulated)?;
    }
    Ok(())
}

/// Runs the extractors of records; no guard is held.
fn add_versions<R: Record>(versions: &[Arc<Version<R>>], accumulated: &mut Accumulated<'_>) -> Result<(), QueryError> {
    let _scope = user_code::Scope::enter();
    versions.iter().filter_map(|version| version.record.as_ref()).try_for_each(|record| accumulated.add_record(record))
}

/// On a page with fewer rows than one in so many each is read by itself: that touches less memory than all of the page.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
const FEW: usize = 8;
/// Their pages have two rows: one of them is read by itself.
#[cfg(any(memdex_shuttle, memdex_loom))]
const FEW: usize = 2;

fn by_columns<R: Record>(
    view: &View<R>,
    rows: &RowSet,
    columns: &[&Column],
    accumulated: &mut Accumulated<'_>,
) -> Result<(), QueryError> {
    let (table, epoch) = (&*view.table, view.snapshot.commit());
    let mut by_columns = ByColumns::new(columns, accumulated);
    let mut watch = Watch::new(&table.marks, epoch);
    let (mut places, mut marked, mut left) = (Vec::new(), Vec::new(), Vec::with_capacity(PAGE_ROWS));
    let mut few: Vec<Row> = Vec::new();
    let mut changed: Vec<Row> = Vec::new();
    let mut pages = rows.pages();
    while let Some((page, of_page)) = pages.next(&mut places) {
        let row = |place: u16| (page * PAGE_ROWS) as Row + Row::from(place);
        few.clear();
        if of_page == OfPage::Some && places.len() * FEW <= PAGE_ROWS {
            few.extend(places.iter().map(|place| row(*place)));
        }
        let one_by_one = (!few.is_empty()).then_some(&few[..]);

        // 1. The cells, without a lock.
        by_columns.read(page, one_by_one);

        // 2. After them the marks. Rows that a commit has begun to change meanwhile are taken out: their records know better.
        watch.look_again(&table.marks);
        let mut picks = match (of_page, one_by_one) {
            (OfPage::All, _) | (_, Some(_)) => None,
            _ => Some(&places[..]),
        };
        if !watch.changed.rows.is_empty() && watch.changed.rows.of_page(page, &mut marked) != OfPage::Nothing {
            if of_page == OfPage::All {
                places.extend(0..PAGE_ROWS as u16);
            }
            let is_marked = |place: &u16| marked.is_empty() || marked.binary_search(place).is_ok();
            changed.extend(places.iter().filter(|place| is_marked(place)).map(|place| row(*place)));
            left.clear();
            let trusted = places.iter().zip(0..).filter(|(place, _)| !is_marked(place));
            left.extend(trusted.map(|(place, at): (&u16, u16)| if one_by_one.is_some() { at } else { *place }));
            picks = Some(&left);
        }

        // 3. The others are accumulated, field by field.
        let count = picks.map_or_else(|| one_by_one.map_or(PAGE_ROWS, <[Row]>::len), <[u16]>::len);
        if count > 0 {
            by_columns.pick(page, one_by_one, picks);
            by_columns.add(accumulated, count)?;
        }
    }
    by_columns.finish(accumulated);

    // 4. The records of those that were taken out, as the epoch sees them.
    let versions: Vec<_> = changed.iter().filter_map(|row| table.pages.at(*row, epoch)).collect();
    debug_assert_eq!(versions.len(), changed.len(), "what met the condition has a record at the epoch");
    add_versions(&versions, accumulated)
}
