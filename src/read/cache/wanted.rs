//! What is asked about the records that a query selects, and how its answer is computed, kept and finished.

use super::super::bound_query::{self, BoundQuery, Total, counts_up_to};
use super::super::builder::paging;
use super::super::choice::Chooser;
use super::super::execute::Matches;
use super::super::find::Find;
use super::super::order::Order;
use super::super::page::Page;
use super::super::snapshot::{AnyView, View};
use super::super::statistics::{self, AggregationResult, Group, Maintained, MetricValues, Of};
use super::entry::AnyAnswer;
use super::kept::{Item, Kept, PageShape, Shape, Window};
use super::lease::Asked;
use crate::error::{Commit, QueryError};
use crate::index::{Contribution, Tallied};
use crate::limits::MAX_CACHED_RECORDS;
use crate::record::{Condition, Record};
use crate::rowset::{Row, RowSet};
use crate::storage::{Handle, SharedVersion, typed};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::{Ask, Cursor, Fingerprint, Fingerprinter, Paging, Query, Statistics};
use memdex_query::value::Value;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// A question, bound to a collection.
pub(super) struct Bound {
    pub(super) condition: Condition,
    pub(super) shape: Shape,
    /// Of everything that the answer depends on.
    pub(super) fingerprint: Fingerprint,
}

/// A computed answer, and what is kept of it.
pub(super) struct Computed {
    pub(super) kept: Kept,
    /// If it is not to be made of what is kept.
    pub(super) answer: Option<AnyAnswer>,
    /// All matching rows, if they are known.
    pub(super) rows: Option<RowSet>,
    pub(super) is_too_large: bool,
}

/// A kind of answer.
pub(super) trait Wanted<R: Record>: Sized {
    type Answer: Send + Sync + 'static;
    const ASKED: Asked;

    fn bind(view: AnyView<'_>, query: &Query) -> Result<Bound, QueryError>;

    /// Computes the answer, and what an entry keeps of it.
    fn compute(view: &View<R>, query: &Query, bound: (&Condition, &Shape)) -> Result<Computed, QueryError>;

    /// Only computes the answer.
    fn ask(view: &View<R>, query: &Query) -> Result<Self::Answer, QueryError>;

    /// Makes the answer of what is kept. Runs no user code.
    fn finish(query: &Query, shape: &Shape, kept: &Kept, commit: Commit) -> Result<Self::Answer, QueryError>;

    /// Notes how long it took to compute.
    fn set_took(answer: &mut Self::Answer, took: Duration);

    /// An estimate of its memory, without the records.
    fn heap_bytes(answer: &Self::Answer) -> usize;

    /// Whether two answers say the same.
    fn same(one: &Self::Answer, other: &Self::Answer) -> bool;
}

fn fingerprint(tag: &str, of_predicate: Fingerprint, rest: &str) -> Fingerprint {
    Fingerprinter::new(tag).print(of_predicate).text(rest).finish()
}

fn rows_of(matches: &Matches) -> RowSet {
    let mut rows: Vec<Row> = matches.versions.iter().map(|version| version.row).collect();
    rows.sort_unstable();
    matches.rows.or(&RowSet::from_sorted(&rows))
}

fn matches_of<R: Record>(view: &View<R>, condition: &Condition) -> Matches {
    bound_query::matches(view.any(), condition, &Chooser::Cheapest)
}

// ---- records ----------------------------------------------------------------------------------------------------------

/// A page of records.
pub(super) struct Records<R>(PhantomData<R>);

impl<R: Record> Wanted<R> for Records<R> {
    type Answer = Page<Handle<R>>;
    const ASKED: Asked = Asked::Records;

    fn bind(view: AnyView<'_>, query: &Query) -> Result<Bound, QueryError> {
        let of_query = paging(query);
        bound_query::check_own(view, &query.filter)?;
        let bound = BoundQuery::of_one(view, &query.filter, of_query)?;
        let shape = match of_query {
            Paging { before: Some(_), .. } | Paging { around: Some(_), .. } => Shape::Opaque,
            paging if !paging.is_paged() => Shape::Set,
            paging => Shape::Page(PageShape {
                order: bound.order.clone(),
                after: paging.after.as_ref().map(|cursor| (cursor.values.clone(), cursor.key.clone())),
                needed: bound.needed(),
                window: bound.window,
                query: bound.fingerprint.0,
                counts: counts_up_to(paging).is_some(),
            }),
        };
        let fingerprint = fingerprint("cached records", bound.fingerprint, &format!("{of_query:?}"));
        Ok(Bound { condition: bound.condition, shape, fingerprint })
    }

    fn compute(
        view: &View<R>,
        query: &Query,
        (condition, shape): (&Condition, &Shape),
    ) -> Result<Computed, QueryError> {
        match shape {
            Shape::Set => {
                let matches = matches_of(view, condition);
                let is_too_large = matches.len() > MAX_CACHED_RECORDS;
                let versions = matches.fetch(view.any()).into_iter().map(|version| (version.row, version));
                Ok(Computed { kept: Kept::Set(versions.collect()), answer: None, rows: None, is_too_large })
            }
            Shape::Page(page) => {
                let bound = BoundQuery::of_one(view.any(), &query.filter, paging(query))?;
                let versions = bound.first(page.kept(), &Chooser::Cheapest);
                let is_too_large = versions.len() > MAX_CACHED_RECORDS;
                let complete = versions.len() < page.kept();
                let items = items(&page.order, versions);
                let rows = page.counts.then(|| rows_of(&matches_of(view, condition)));
                let kept = Kept::Page(Window { items, complete, rows: rows.clone() });
                Ok(Computed { kept, answer: None, rows, is_too_large })
            }
            _ => {
                let page = Find::of(view.clone(), query.clone()).fetch()?;
                let is_too_large = page.len() > MAX_CACHED_RECORDS;
                Ok(Computed { kept: Kept::Nothing, answer: Some(Arc::new(page)), rows: None, is_too_large })
            }
        }
    }

    fn ask(view: &View<R>, query: &Query) -> Result<Self::Answer, QueryError> {
        Find::of(view.clone(), query.clone()).fetch()
    }

    fn finish(query: &Query, shape: &Shape, kept: &Kept, commit: Commit) -> Result<Self::Answer, QueryError> {
        let handle = |version: &SharedVersion| typed(version.clone()).and_then(Handle::of);
        let of_query = paging(query);
        let counts = counts_up_to(of_query).is_some();
        let (records, prev, next, counted): (Vec<Handle<R>>, _, _, usize) = match (kept, shape) {
            (Kept::Set(versions), _) => (versions.values().filter_map(handle).collect(), None, None, versions.len()),
            (Kept::Page(window), Shape::Page(page)) => {
                let first = page.window.offset.min(window.items.len());
                let rest = &window.items[first..];
                let of_page = &rest[..page.window.limit.map_or(rest.len(), |limit| limit.min(rest.len()))];
                let has_next = page.window.limit.is_some() && window.items.len() >= page.needed;
                let has_prev = page.after.is_some() || page.window.offset > 0;
                let cursor = |item: &Item| {
                    let (values, key) = (item.values.clone(), item.version.key.clone());
                    Cursor { query: page.query, values, collection: None, key }
                };
                let prev = of_page.first().filter(|_| has_prev).map(cursor);
                let next = of_page.last().filter(|_| has_next).map(cursor);
                let counted = window.rows.as_ref().map_or(0, RowSet::len);
                (of_page.iter().filter_map(|item| handle(&item.version)).collect(), prev, next, counted)
            }
            _ => (Vec::new(), None, None, 0),
        };
        let total = if counts { Total::of(counted, of_query) } else { Total::NONE };
        let (total, total_is_exact, took) = (total.records, total.is_exact, Duration::ZERO);
        Ok(Page { records, next, prev, total, total_is_exact, commit, took })
    }

    fn set_took(answer: &mut Self::Answer, took: Duration) {
        answer.took = took;
    }

    fn heap_bytes(answer: &Self::Answer) -> usize {
        answer.records.capacity() * size_of::<Handle<R>>()
    }

    fn same(one: &Self::Answer, other: &Self::Answer) -> bool {
        let same = |(a, b): (&Handle<R>, &Handle<R>)| a.commit() == b.commit() && a.key() == b.key();
        one.total == other.total && one.len() == other.len() && one.iter().zip(other).all(same)
    }
}

/// Runs extractors.
fn items(order: &Order, versions: Vec<SharedVersion>) -> Vec<Item> {
    let _scope = user_code::Scope::enter();
    versions.into_iter().map(|version| Item { row: version.row, values: order.values(&*version), version }).collect()
}

// ---- counts -----------------------------------------------------------------------------------------------------------

/// The number of records.
pub(super) struct Count;

impl<R: Record> Wanted<R> for Count {
    type Answer = usize;
    const ASKED: Asked = Asked::Count;

    fn bind(view: AnyView<'_>, query: &Query) -> Result<Bound, QueryError> {
        bound_query::check_fields(view, paging(query))?;
        bound_query::check_own(view, &query.filter)?;
        let condition = bound_query::condition(view, &query.filter)?;
        let fingerprint = fingerprint("cached count", condition.fingerprint(&view.table.schema), "");
        Ok(Bound { condition, shape: Shape::Count, fingerprint })
    }

    fn compute(view: &View<R>, _: &Query, (condition, _): (&Condition, &Shape)) -> Result<Computed, QueryError> {
        let rows = rows_of(&matches_of(view, condition));
        Ok(Computed { kept: Kept::Count(rows.clone()), answer: None, rows: Some(rows), is_too_large: false })
    }

    fn ask(view: &View<R>, query: &Query) -> Result<usize, QueryError> {
        Find::of(view.clone(), query.clone()).count()
    }

    fn finish(_: &Query, _: &Shape, kept: &Kept, _: Commit) -> Result<usize, QueryError> {
        Ok(if let Kept::Count(rows) = kept { rows.len() } else { 0 })
    }

    fn set_took(_: &mut usize, _: Duration) {}

    fn heap_bytes(_: &usize) -> usize {
        0
    }

    fn same(one: &usize, other: &usize) -> bool {
        one == other
    }
}

// ---- statistics -------------------------------------------------------------------------------------------------------

/// Metrics and groups.
pub(super) struct Metrics;

fn statistics_of(query: &Query) -> Statistics {
    match &query.ask {
        Ask::Statistics(statistics) => statistics.clone(),
        Ask::Records(_) => Statistics::default(),
    }
}

impl<R: Record> Wanted<R> for Metrics {
    type Answer = AggregationResult;
    const ASKED: Asked = Asked::Statistics;

    fn bind(view: AnyView<'_>, query: &Query) -> Result<Bound, QueryError> {
        let statistics = statistics_of(query);
        bound_query::check_own(view, &query.filter)?;
        let condition = bound_query::condition(view, &query.filter)?;
        statistics::check(view, &statistics)?;
        let of_predicate = condition.fingerprint(&view.table.schema);
        let fingerprint = fingerprint("cached statistics", of_predicate, &format!("{statistics:?}"));
        let shape = Maintained::new(view.table, &statistics).map_or(Shape::Opaque, Shape::Statistics);
        Ok(Bound { condition, shape, fingerprint })
    }

    fn compute(
        view: &View<R>,
        query: &Query,
        (condition, shape): (&Condition, &Shape),
    ) -> Result<Computed, QueryError> {
        let matches = matches_of(view, condition);
        if let Shape::Statistics(maintained) = shape
            && matches.len() <= MAX_CACHED_RECORDS
        {
            let mut tallied = Tallied::new(maintained.plan.clone(), view.table.seed.clone());
            let versions = matches.fetch(view.any());
            let scope = user_code::Scope::enter();
            for version in &versions {
                let contribution = version.record().and_then(|record| Contribution::of(&maintained.plan, record));
                tallied.replace(version.row, contribution);
            }
            drop(scope);
            let rows = tallied.rows();
            let kept = Kept::Statistics(Box::new(tallied));
            return Ok(Computed { kept, answer: None, rows: Some(rows), is_too_large: false });
        }
        let rows = rows_of(&matches);
        let (started, statistics) = (Instant::now(), statistics_of(query));
        let of = Of { table: view.table.shared(), view: view.any(), condition: condition.clone() };
        let computed = statistics::compute(&[of], &statistics, &Chooser::Cheapest)?;
        let answer = computed.result(view.snapshot().commit(), started);
        Ok(Computed { kept: Kept::Nothing, answer: Some(Arc::new(answer)), rows: Some(rows), is_too_large: false })
    }

    fn ask(view: &View<R>, query: &Query) -> Result<AggregationResult, QueryError> {
        Find::of(view.clone(), query.clone()).statistics(statistics_of(query))
    }

    fn finish(_: &Query, shape: &Shape, kept: &Kept, commit: Commit) -> Result<AggregationResult, QueryError> {
        let values = match (kept, shape) {
            (Kept::Statistics(tallied), Shape::Statistics(maintained)) => maintained.answer(tallied)?,
            _ => Default::default(),
        };
        Ok(AggregationResult { values, commit, took: Duration::ZERO, materialized: false })
    }

    fn set_took(answer: &mut AggregationResult, took: Duration) {
        answer.took = took;
    }

    fn heap_bytes(answer: &AggregationResult) -> usize {
        fn of(values: &MetricValues) -> usize {
            let own = values.metrics().len() * size_of::<Value>() + size_of_val(values.hits());
            let group = |group: &Group| size_of::<Group>() + size_of_val(&*group.key) + of(&group.values);
            own + values.groups().iter().map(group).sum::<usize>()
        }
        of(&answer.values)
    }

    fn same(one: &AggregationResult, other: &AggregationResult) -> bool {
        one.values == other.values
    }
}
