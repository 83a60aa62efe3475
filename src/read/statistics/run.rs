//! Statistics, step by step.

use super::accumulate::Accumulated;
use super::answer::Summary;
use super::bind::{Bound, FieldUse};
use super::cells::Source;
use super::columns::ByColumns;
use super::parts::Numbers;
use super::standing;
use crate::error::QueryError;
use crate::limits::PAGE_ROWS;
use crate::query::Statistics;
use crate::read::choice::Chooser;
use crate::read::execute::{self, Matches};
use crate::read::find::Find;
use crate::read::planner;
use crate::read::snapshot::View;
use crate::record::{Condition, Record};
use crate::rowset::{PageRows, Row, RowSet};
use crate::storage::{Column, Table, Version, Watch};
use crate::sync::Arc;
use crate::user_code;
use std::time::Instant;

impl<R: Record> Find<R> {
    /// Figures about all records that the predicate means, whatever page is asked for, and about groups of them: exact, as of the
    /// snapshot's commit. Of no records every count is 0, and every other metric missing.
    ///
    /// Where all fields that are asked about have [columns](crate::FieldDef::column) no record is looked at but those that changed since
    /// the snapshot was taken: some nanoseconds a row. Otherwise each record is: about 100 nanoseconds more.
    /// Memory is that of the groups; beyond that, distinct counts and percentiles keep the values that they are asked of, dictionaries
    /// of columns one count for each value of each group.
    ///
    /// # Errors
    /// A [`QueryError`]: as [`fetch`](Find::fetch) for the predicate. For metrics [`UnknownField`](QueryError::UnknownField),
    /// [`UndeclaredField`](QueryError::UndeclaredField), [`NotSingle`](QueryError::NotSingle), [`NotNumeric`](QueryError::NotNumeric),
    /// [`DuplicateMetric`](QueryError::DuplicateMetric), [`BadMetric`](QueryError::BadMetric) and, of sums,
    /// [`Overflow`](QueryError::Overflow). For groups besides [`NoBuckets`](QueryError::NoBuckets), [`BadBucket`](QueryError::BadBucket),
    /// [`WrongKind`](QueryError::WrongKind), [`NotAHistogram`](QueryError::NotAHistogram), [`TopOfNothing`](QueryError::TopOfNothing),
    /// [`UnknownMetric`](QueryError::UnknownMetric) and [`TooManyGroups`](QueryError::TooManyGroups). For both
    /// [`TooMany`](QueryError::TooMany).
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// use memdex::{Filter, GroupBy, Metric, Statistics};
    /// #[derive(Record)]
    /// struct Payment {
    ///     #[record(key)] id: u32,
    ///     #[record(column)] status: &'static str,
    ///     #[record(column)] cents: i64,
    /// }
    /// # let payments = Store::new().collection::<Payment>("Payment")?;
    /// for (id, status, cents) in [(1, "paid", 500), (2, "open", 200), (3, "paid", 100)] {
    ///     payments.store(Payment { id, status, cents })?;
    /// }
    /// let by_status = GroupBy::values("status").metrics([payment::CENTS.sum(), payment::CENTS.avg()]);
    /// let summary = payments.find(Filter::all()).statistics(Statistics::of([Metric::count()]).group_by(by_status))?;
    /// assert_eq!(summary.int("count"), Some(3));
    /// let paid = summary.group("paid").unwrap();
    /// assert_eq!((paid.int("sum(cents)"), paid.float("avg(cents)")), (Some(600), Some(300.0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn statistics(&self, statistics: impl Into<Statistics>) -> Result<Summary, QueryError> {
        let started = Instant::now();
        let statistics = statistics.into();
        let answer = |condition: &Condition| {
            let table = &self.view.table;
            let bound = Bound::new(&table.name, &table.schema, &statistics)?;
            let known =
                if self.is_scripted() { None } else { standing::known(&self.view, condition, &statistics, &bound) };
            let (cached, commit) = (known.is_some(), self.snapshot().commit());
            let figures = match known {
                Some(figures) => figures?,
                None => run(&self.view, condition, &bound, &self.chooser())?.figures()?,
            };
            Ok(Summary { figures, commit, took: started.elapsed(), cached })
        };
        self.view.latency().query(|| self.run(answer)?)
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
fn run<'b, R: Record>(
    view: &View<R>,
    condition: &Condition,
    bound: &'b Bound,
    chooser: &Chooser,
) -> Result<Accumulated<'b>, QueryError> {
    let mut accumulated = Accumulated::new(bound);

    // 1. The rows that meet the condition: exact as of the marks that were loaded then. And records that were looked at.
    let plan = planner::plan(&view.table, condition, chooser);
    let Matches { rows, versions } = execute::execute(view, condition, &plan);

    // 2. The rows, by columns or by records.
    match path(view, &accumulated, chooser) {
        Path::Columns(columns) => by_columns(view, &rows, &columns, &mut accumulated)?,
        Path::Records => by_records(view, &rows, &mut accumulated)?,
    }

    // 3. What was looked at: of rows that have changed, or that no index could decide.
    add_versions(&versions, &mut accumulated)?;
    Ok(accumulated)
}

/// Chooses the path.
///
/// By columns if each field has one: a record costs a step to memory, as much as hundreds of cells. Once a record has to be fetched,
/// what its fields show costs next to nothing: so if one field has no column none is read. Values that fall into several buckets are
/// left to the records too.
fn path<'t, R: Record>(view: &'t View<R>, accumulated: &Accumulated<'_>, chooser: &Chooser) -> Path<'t> {
    let overlap = accumulated.levels.iter().flat_map(|level| &level.parts).any(Numbers::overlap);
    let column = |field: &FieldUse| view.table.columns.iter().find(|column| column.field == field.at.position());
    let columns: Option<Vec<&Column>> = accumulated.bound.fields.iter().map(column).collect();
    match columns {
        Some(columns) if !overlap && chooser.pick(&[true, false]) == 0 => Path::Columns(columns),
        _ => Path::Records,
    }
}

fn by_records<R: Record>(view: &View<R>, rows: &RowSet, accumulated: &mut Accumulated<'_>) -> Result<(), QueryError> {
    let mut places = Vec::with_capacity(PAGE_ROWS);
    let mut versions: Vec<Arc<Version<R>>> = Vec::with_capacity(PAGE_ROWS);
    let mut pages = rows.pages();
    while let Some((page, of_page)) = pages.next(&mut places) {
        if of_page == PageRows::All {
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
/// Their pages have two rows: one of them is picked from its page, unless there are few in all.
#[cfg(any(memdex_shuttle, memdex_loom))]
const FEW: usize = 3;
/// Of 65,536 rows so many are read by themselves without a look at how they lie on their pages.
const FEW_OF_MANY: usize = if PAGE_ROWS < 64 { 2 } else { 512 };

fn by_columns<R: Record>(
    view: &View<R>,
    rows: &RowSet,
    columns: &[&Column],
    accumulated: &mut Accumulated<'_>,
) -> Result<(), QueryError> {
    let (table, epoch) = (&*view.table, view.snapshot.commit());
    let mut pass = Pass {
        table,
        watch: Watch::new(&table.marks, epoch),
        columns: ByColumns::new(columns, accumulated),
        accumulated,
        marked: Vec::new(),
        trusted: Vec::with_capacity(PAGE_ROWS),
        changed: Vec::new(),
    };
    let mut places = Vec::with_capacity(PAGE_ROWS);
    // Of pages with few rows, as many together as a page has.
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

    // The records of those that were taken out, as the epoch sees them.
    let versions: Vec<_> = changed.iter().filter_map(|row| table.pages.at(*row, epoch)).collect();
    debug_assert_eq!(versions.len(), changed.len(), "what met the condition has a record at the epoch");
    add_versions(&versions, accumulated)
}

struct Pass<'t, 'p, 'b, R> {
    table: &'t Table<R>,
    watch: Watch,
    columns: ByColumns<'t>,
    accumulated: &'p mut Accumulated<'b>,
    /// The places of the page at hand that commits have marked.
    marked: Vec<u16>,
    /// The places at hand that no commit has marked.
    trusted: Vec<u16>,
    /// Rows that were taken out.
    changed: Vec<Row>,
}

impl<R: Record> Pass<'_, '_, '_, R> {
    /// Adds rows of a page, or some that are scattered: all of them, or those at some places.
    fn add(&mut self, source: Source<'_>, places: Option<&[u16]>) -> Result<(), QueryError> {
        // 1. The cells, without a lock.
        self.columns.read(source);

        // 2. After them the marks. Rows that a commit has begun to change meanwhile are taken out: their records know better.
        self.watch.look_again(&self.table.marks);
        let touched = self.is_touched(source);
        if touched {
            self.part(source, places);
        }
        let picks = if touched { Some(&self.trusted[..]) } else { places };

        // 3. The others are accumulated, field by field.
        let count = picks.map_or(source.len(), <[u16]>::len);
        if count > 0 {
            self.columns.pick(source, picks);
            self.columns.add(self.accumulated, count)?;
        }
        Ok(())
    }

    /// Whether any of the rows may be marked; of a page, which.
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

    /// Parts the rows into those that no commit has marked and those that are taken out.
    fn part(&mut self, source: Source<'_>, places: Option<&[u16]>) {
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
                // Both ascend.
                let mut marked = marked.iter().copied().peekable();
                for place in places {
                    while marked.next_if(|other| other < place).is_some() {}
                    if marked.peek() == Some(place) { changed.push(source.row(*place)) } else { trusted.push(*place) }
                }
            }
        }
    }
}
