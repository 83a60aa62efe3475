//! A query of one collection with a record type.

use super::bound_query::{self, BoundQuery, Found, Total};
use super::builder::{paging, paging_methods, with_limit};
use super::choice::Chooser;
use super::execute::Matches;
use super::explain::{self, Explanation};
use super::iter::{Records, Source};
use super::page::Page;
use super::search::Search;
use super::snapshot::{AnyView, Snapshot, View};
use super::statistics::{self, AggregationResult, Of};
use super::stream::Stream;
use super::strict::{self, Purpose, no_records};
use crate::error::QueryError;
use crate::record::{Condition, KeyBuffer, Record};
use crate::storage::{Collection, Engine, Handle, ReadOf, SharedVersion, Table, Version, typed};
use crate::sync::Arc;
use crate::testing::meter;
use memdex_query::query::{FieldName, Filter, Fingerprint, Paging, Query, Statistics};
use memdex_query::value::{IntoKey, Key};
use std::fmt;
use std::time::Instant;

/// A query of a collection at one commit, as [`Collection::find`] makes it. Nothing is read before a method executes it, and you can execute it
/// several times.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)]
/// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(ordered)] age: u8 }
/// # let users = Store::new().collection::<User>("User")?;
/// for (id, age) in [(1, 40), (2, 30), (3, 40), (4, 50)] {
///     users.store(User { id, city: "Bern".into(), age })?;
/// }
/// let of_bern = users.find(user::CITY.eq("Bern"));
/// assert_eq!(of_bern.count()?, 4);
/// assert_eq!(of_bern.clone().order_by(user::AGE.desc()).first()?.unwrap().id, 4);
/// assert!(users.find(user::AGE.gt(90)).one().is_err());
///
/// let oldest_first = of_bern.order_by([user::AGE.desc(), user::ID.asc()]).limit(2);
/// let page = oldest_first.fetch()?;
/// assert_eq!(page.iter().map(|user| user.id).collect::<Vec<_>>(), [4, 1]);
/// let next = oldest_first.after(page.next.unwrap()).fetch()?;
/// assert_eq!(next.iter().map(|user| user.id).collect::<Vec<_>>(), [3, 2]);
/// assert!(next.next.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a query does nothing until you call `fetch` or another method that executes it"]
pub struct Find<R: Record> {
    view: View<R>,
    pub(super) query: Query,
    /// Whether the records of a page count as used.
    is_use: bool,
    /// Overrides the choices of the planner, for tests.
    script: Option<Arc<[usize]>>,
}

impl<R: Record> View<R> {
    /// Selects the records that match a filter, at this snapshot.
    pub fn find(&self, filter: impl Into<Filter<R>>) -> Find<R> {
        let query = Query::over::<FieldName>([]).filter(filter.into().into_predicate());
        Find { view: self.clone(), query, is_use: false, script: None }
    }
}

impl<R: Record> Collection<R> {
    /// Selects the records that match a filter, at the newest commit. The snapshot is taken here, and dropped with the query.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, city: "Bern".into(), age: 40 })?;
    /// let forty = users.find(user::CITY.eq("Bern") & user::AGE.eq(40)).fetch()?;
    /// assert_eq!(forty[0].id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(&self, filter: impl Into<Filter<R>>) -> Find<R> {
        self.catch_up();
        Find { is_use: true, ..self.view().find(filter) }
    }
}

/// The evaluator of writes by predicate: the records that `find` would return. Under the commit lock no commit is in flight.
pub(crate) fn evaluate(
    engine: &Arc<Engine>,
    table: &Table,
    condition: &Condition,
) -> Result<Vec<SharedVersion>, QueryError> {
    let snapshot = Snapshot::of_newest(engine);
    let under = table.under(snapshot.commit());
    let view = AnyView::new(&snapshot, table, &under);
    strict::judged_write(&snapshot, view, condition, || {
        bound_query::matches(view, condition, &Chooser::Cheapest).fetch(view)
    })
}

/// Fetches matches with their record type.
fn versions<R: Record>(view: &View<R>, Matches { rows, versions }: Matches) -> Vec<Arc<Version<R>>> {
    let expected = rows.len() + versions.len();
    let mut found: Vec<Arc<Version<R>>> = Vec::with_capacity(expected);
    found.extend(versions.into_iter().filter_map(typed));
    meter::look(rows.len());
    super::execute::fetch_rows(&rows, |some| view.table.fetch(some, view.snapshot.at(), &mut found));
    debug_assert_eq!(found.len(), expected, "a row that is not marked has a record at the epoch");
    found
}

impl<R: Record> Find<R> {
    /// A query of a view.
    pub(super) fn of(view: View<R>, query: Query) -> Self {
        Find { view, query, script: None, is_use: false }
    }

    paging_methods!();

    pub(super) fn paging(&self) -> &Paging {
        paging(&self.query)
    }

    /// Returns the record of this key, with as many records before it as after it in the order of the query, or more on one side where the
    /// other has fewer. A page has 10 records unless [`size`](Self::size) says otherwise. Costs two pages.
    ///
    /// [`fetch`](Find::fetch) returns [`NotSelected`](QueryError::NotSelected) if the query does not select the record.
    ///
    /// ```
    /// # use memdex::{Filter, Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(ordered)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # for id in 0..50 { users.store(User { id, age: (90 - id) as u8 })?; }
    /// let by_age = users.find(Filter::all()).order_by(user::AGE.asc());
    /// let page = by_age.clone().around(20).size(5).fetch()?;
    /// assert_eq!(page.iter().map(|user| user.id).collect::<Vec<_>>(), [22, 21, 20, 19, 18]);
    /// let next = by_age.limit(5).after(page.next.unwrap()).fetch()?;
    /// assert_eq!(next[0].id, 17);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn around<Q: IntoKey<R::Key>>(mut self, key: Q) -> Self {
        let table = &self.view.table;
        self.query = self.query.around(KeyBuffer::of(&table.seed, &table.key_kinds, &key).to_key());
        self
    }

    /// The same query, returning the values of these fields: by name, without the record type. See [`Hit`](crate::query::Hit).
    ///
    /// ```
    /// # use memdex::{Filter, Record, Store, Value};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(field)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, age: 40 })?;
    /// for hit in users.find(Filter::all()).select([user::AGE]).fetch()? {
    ///     assert_eq!(hit.value("age"), Some(Value::from(40)));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn select<N: Into<FieldName>>(self, fields: impl IntoIterator<Item = N>) -> Search {
        self.search().select(fields)
    }

    /// The same query without the record type.
    fn search(&self) -> Search {
        Search::new(self.view.snapshot.clone(), self.query.clone()).over_rows(self.view.table.shared())
    }

    /// The snapshot that it reads.
    pub fn snapshot(&self) -> &Snapshot {
        self.view.snapshot()
    }

    /// The query as plain data.
    pub fn query(&self) -> Query {
        let mut query = self.query.clone();
        query.collections = vec![self.view.table.name.to_string().into()];
        query
    }

    /// The records. They are unordered unless you call [`order_by`](Find::order_by), [`limit`](Find::limit), [`page`](Find::page),
    /// [`offset`](Find::offset) or [`after`](Find::after): then they come in the order of the query, with ties broken by key.
    ///
    /// Conditions without an index are checked on the records that the indexed conditions selected; with no indexed condition, that is a full
    /// scan.
    ///
    /// # Errors
    /// A [`QueryError`] if the predicate names an unknown field, or compares one with a value that it can't hold. For the page
    /// [`PageSize`](QueryError::PageSize), [`PageZero`](QueryError::PageZero), [`PageWithPosition`](QueryError::PageWithPosition) and
    /// [`ForeignCursor`](QueryError::ForeignCursor), [`SeveralPositions`](QueryError::SeveralPositions) and
    /// [`NotSelected`](QueryError::NotSelected), for the order [`UnknownField`](QueryError::UnknownField),
    /// [`NotSingle`](QueryError::NotSingle) and [`TooMany`](QueryError::TooMany).
    pub fn fetch(&self) -> Result<Page<Handle<R>>, QueryError> {
        self.view.tell(|| ReadOf::Query(&self.query))?;
        let started = Instant::now();
        self.judged(
            Purpose::Records,
            |page: &Page<_>| page.records.len(),
            || {
                let (records, prev, next, total) = if self.paging().is_paged() {
                    let (Found { versions, prev, next }, total) = self.found()?;
                    let records: Vec<Handle<R>> =
                        versions.into_iter().filter_map(typed).filter_map(Handle::of).collect();
                    if self.is_use {
                        records.iter().for_each(|record| record.version().deadline.count_use());
                    }
                    (records, prev, next, total)
                } else {
                    let records = self.records()?;
                    let counted = bound_query::counts_up_to(self.paging());
                    let total = counted.map_or(Total::NONE, |_| Total::of(records.len(), self.paging()));
                    (records, None, None, total)
                };
                let (commit, took) = (self.snapshot().commit(), started.elapsed());
                Ok(Page { records, prev, next, total: total.records, total_is_exact: total.is_exact, commit, took })
            },
        )
    }

    /// The keys of the records that [`fetch`](Find::fetch) returns.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn keys(&self) -> Result<Vec<Key>, QueryError> {
        self.view.tell(|| ReadOf::Query(&self.query))?;
        self.judged(Purpose::Records, Vec::len, || {
            let versions = self.fetched()?;
            Ok(versions.iter().map(|version| version.key.clone()).collect())
        })
    }

    /// How many records match, whatever the page. Reads no record if indexes answer the whole predicate.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch) for the predicate and the order.
    pub fn count(&self) -> Result<usize, QueryError> {
        self.view.tell(|| ReadOf::Query(&self.query))?;
        self.judged(Purpose::Count, no_records, || {
            bound_query::check_fields(self.view.any(), self.paging())?;
            Ok(bound_query::count(self.view.any(), &self.condition()?, &self.chooser()))
        })
    }

    /// The first record; `None` if there is none.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn first(&self) -> Result<Option<Handle<R>>, QueryError> {
        Ok(self.limited_to(1)?.fetch()?.into_iter().next())
    }

    /// The only record.
    ///
    /// # Errors
    /// [`QueryError::NotOne`] if there is no record, or several; otherwise as [`fetch`](Find::fetch).
    pub fn one(&self) -> Result<Handle<R>, QueryError> {
        let mut records = self.limited_to(2)?.fetch()?.records;
        match (records.pop(), records.is_empty()) {
            (Some(one), true) => Ok(one),
            (last, _) => Err(QueryError::not_one(&*self.view.table.name, last.is_some())),
        }
    }

    /// Whether any record matches, whatever the page. Stops at the first match.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch) for the predicate and the order.
    pub fn exists(&self) -> Result<bool, QueryError> {
        self.view.tell(|| ReadOf::Query(&self.query))?;
        self.judged(Purpose::Count, no_records, || Ok(self.stream()?.next().is_some()))
    }

    /// The records that [`fetch`](Find::fetch) returns, read lazily. Without an order, a limit, an offset or a cursor it reads a page of about
    /// a thousand rows at a time; otherwise it executes the query in growing chunks of up to 65,536 records, each behind the last, which is
    /// quick where an ordered index has the order.
    ///
    /// Holds the snapshot, but no lock, between two records.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(field)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # for id in 0..100 { users.store(User { id, age: id as u8 })?; }
    /// let mut ages = 0;
    /// for user in users.find(user::AGE.lt(40)).iter()? {
    ///     ages += u32::from(user.age);
    /// }
    /// assert_eq!(ages, 780);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch), before the first record.
    pub fn iter(&self) -> Result<Records<R>, QueryError> {
        self.view.tell(|| ReadOf::Query(&self.query))?;
        #[cfg(feature = "testing")]
        self.dry_run()?;
        let source = if self.paging().is_paged() {
            Source::Ordered(self.search().iter_unjudged()?)
        } else {
            Source::Unordered(self.stream()?)
        };
        Ok(Records::new(source))
    }

    /// A fingerprint of the predicate, in 128 bits: the same for all predicates with one normal form, on every machine and in every run.
    /// Neither the collection nor the commit is part of it.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch) for the predicate.
    pub fn fingerprint(&self) -> Result<Fingerprint, QueryError> {
        Ok(self.condition()?.fingerprint(&self.view.table.schema))
    }

    /// Executes the query, and describes how: the chosen access paths, the expected and actual numbers of rows, and the time of each step.
    /// If records had to be read, it says which index would have helped.
    ///
    /// Each step runs once, and is completed before the next begins, so this costs somewhat more than the query itself.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// store.commit(|batch| {
    ///     let city = |id| if id % 500 == 7 { "Bern".into() } else { format!("city {id}") };
    ///     (0..1_000).try_for_each(|id| batch.store(&users, User { id, city: city(id), age: (id / 10) as u8 }))
    /// })?;
    /// let explanation = users.find(user::CITY.eq("Bern") & user::AGE.gt(30)).explain()?;
    /// assert_eq!(explanation.root.actual, 1);
    /// assert!(explanation.to_string().contains("index \"city\" = \"Bern\""));
    /// let scanned = users.find(user::AGE.gt(30)).explain()?;
    /// assert!(scanned.advice[0].contains("age"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch).
    pub fn explain(&self) -> Result<Explanation, QueryError> {
        let (view, started) = (self.view.any(), Instant::now());
        let _span = view.span();
        let explained = if self.paging().is_paged() {
            explain::page(&BoundQuery::of_one(view, &self.query.filter, self.paging())?, &self.chooser())
        } else {
            explain::records(view, &self.condition()?, &self.chooser())
        };
        Ok(explain::together(self.snapshot().commit(), explained, started.elapsed()))
    }

    /// Metrics of all records that match, whatever the page, and of groups of them: exact, at the snapshot's commit. With no records, counts
    /// are 0 and every other metric is null.
    ///
    /// If all fields of the metrics and groups have [columns](crate::FieldDef::column), it reads only the records that changed since the
    /// snapshot was taken, and costs some nanoseconds per row. Otherwise it reads each record, which costs about 100 nanoseconds more.
    /// Its memory is that of the groups. Distinct counts and percentiles also keep the values, and columns with a dictionary one count for
    /// each value of each group.
    ///
    /// # Errors
    /// A [`QueryError`]: as [`fetch`](Find::fetch) for the predicate. For metrics [`UnknownField`](QueryError::UnknownField),
    /// [`UndeclaredField`](QueryError::UndeclaredField), [`NotNumeric`](QueryError::NotNumeric),
    /// [`DuplicateMetric`](QueryError::DuplicateMetric), [`BadMetric`](QueryError::BadMetric) and, of sums,
    /// [`Overflow`](QueryError::Overflow). For groups besides [`NoBuckets`](QueryError::NoBuckets), [`BadBucket`](QueryError::BadBucket),
    /// [`WrongKind`](QueryError::WrongKind), [`NotAHistogram`](QueryError::NotAHistogram), [`TopOfNothing`](QueryError::TopOfNothing),
    /// [`UnknownMetric`](QueryError::UnknownMetric) and [`TooManyGroups`](QueryError::TooManyGroups). For both
    /// [`TooMany`](QueryError::TooMany).
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// use memdex::{Filter, GroupBy, Metric};
    /// use memdex::aggregate::Statistics;
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
    pub fn statistics(&self, statistics: impl Into<Statistics>) -> Result<AggregationResult, QueryError> {
        self.view.tell(|| ReadOf::Query(&self.query))?;
        let (started, statistics) = (Instant::now(), statistics.into());
        self.judged(Purpose::Statistics, no_records, || {
            let of = Of { table: self.view.table.shared(), view: self.view.any(), condition: self.condition()? };
            Ok(statistics::compute(&[of], &statistics, &self.chooser())?.result(self.snapshot().commit(), started))
        })
    }

    /// Runs the query: measures it, and refuses it if the store is too strict for it. `size` is the number of records that it returns.
    fn judged<T>(
        &self,
        purpose: Purpose,
        size: impl FnOnce(&T) -> usize,
        run: impl FnOnce() -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let (view, snapshot) = (self.view.any(), &self.view.snapshot);
        self.view.latency().query(|| {
            let _span = view.span();
            strict::judged(snapshot, &[view], &self.query, purpose, size, run)
        })
    }

    /// Refuses an iteration, which can't fail later, if the store is too strict for it: then it executes the query once more.
    #[cfg(feature = "testing")]
    fn dry_run(&self) -> Result<(), QueryError> {
        let view = self.view.any();
        if self.view.snapshot.engine().testing.for_reads(&view.table.name).is_none() {
            return Ok(());
        }
        let found = |found: &Vec<SharedVersion>| found.len();
        strict::judged(&self.view.snapshot, &[view], &self.query, Purpose::Records, found, || self.fetched()).map(drop)
    }

    /// The records that `fetch` returns, without their type.
    fn fetched(&self) -> Result<Vec<SharedVersion>, QueryError> {
        if self.paging().is_paged() {
            return Ok(self.found()?.0.versions);
        }
        Ok(bound_query::matches(self.view.any(), &self.condition()?, &self.chooser()).fetch(self.view.any()))
    }

    /// The records, as part of another call: not measured.
    pub(super) fn records(&self) -> Result<Vec<Handle<R>>, QueryError> {
        let matches = bound_query::matches(self.view.any(), &self.condition()?, &self.chooser());
        Ok(versions(&self.view, matches).into_iter().map(Handle::live).collect())
    }

    fn condition(&self) -> Result<Condition, QueryError> {
        bound_query::condition(self.view.any(), &self.query.filter)
    }

    fn stream(&self) -> Result<Stream, QueryError> {
        let (View { snapshot, table, .. }, view) = (&self.view, self.view.any());
        bound_query::check_fields(view, self.paging())?;
        Stream::matching(snapshot, view, table.shared(), &self.query.filter, &self.chooser())
    }

    /// The same query for the first records of its page.
    fn limited_to(&self, limit: usize) -> Result<Self, QueryError> {
        Ok(Find { query: with_limit(&self.query, &self.view.table.name, limit)?, ..self.clone() })
    }

    /// The records of the page, and the total if it is counted.
    fn found(&self) -> Result<(Found, Total), QueryError> {
        let bound = BoundQuery::of_one(self.view.any(), &self.query.filter, self.paging())?;
        let count = |most| bound_query::count_up_to(bound.view, &bound.condition, most, &self.chooser());
        let counted = bound_query::counts_up_to(self.paging()).map(count);
        let total = counted.map_or(Total::NONE, |counted| Total::of(counted, self.paging()));
        Ok((bound.page(&self.chooser()), total))
    }

    fn chooser(&self) -> Chooser {
        Chooser::new(self.script.as_deref())
    }
}

/// Hooks of tests that run every plan.
#[cfg(any(test, feature = "test-hooks"))]
#[doc(hidden)]
impl<R: Record> Find<R> {
    /// Has the planner choose as this script says, decision by decision, and the first alternative behind its end. The results must not
    /// depend on it.
    pub fn with_plan(mut self, script: impl Into<Vec<usize>>) -> Self {
        self.script = Some(script.into().into());
        self
    }

    /// The number of alternatives at each decision of the planner.
    pub fn plan_alternatives(&self) -> Result<Vec<usize>, QueryError> {
        let chooser = Chooser::new(Some(self.script.as_deref().unwrap_or_default()));
        if self.paging().is_paged() {
            let bound = BoundQuery::of_one(self.view.any(), &self.query.filter, self.paging())?;
            let top = bound.top(bound.needed());
            super::top_k::choose(bound.view, &bound.condition, &top, &chooser);
        } else {
            super::planner::plan(&self.view.table, &self.condition()?, &chooser);
        }
        Ok(chooser.alternatives())
    }
}

impl<R: Record> Clone for Find<R> {
    fn clone(&self) -> Self {
        Find { view: self.view.clone(), query: self.query.clone(), is_use: self.is_use, script: self.script.clone() }
    }
}

impl<R: Record> fmt::Debug for Find<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Find").field("view", &self.view).field("query", &self.query).finish()
    }
}
