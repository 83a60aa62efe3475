//! One query of several collections, typed or not, at one commit.

use super::bound_query::{self, BoundQuery, Total};
use super::builder::{paging, paging_methods, with_limit};
use super::choice::Chooser;
use super::explain::{self, Explanation};
use super::hit::{Hit, Selected};
use super::merge::{Ends, Merge};
use super::page::Page;
use super::snapshot::{AnyView, Snapshot};
use super::statistics::{self, AggregationResult, Of};
use super::stream::Stream;
use super::strict::{self, Purpose, no_records};
use crate::error::QueryError;
use crate::record::{Condition, Record};
use crate::storage::{Collection, ReadInfo, ReadOf, Table, Under};
use crate::sync::Arc;
use memdex_query::query::{FieldName, Fingerprinter, Paging, Predicate, Query, Statistics};
use memdex_query::value::Key;
use smallvec::SmallVec;
use std::fmt;
use std::time::Instant;

/// A query by field names of several collections at one commit; see [`Snapshot::search`]. It has the abilities of
/// [`Find`](crate::query::Find), and returns [`Hit`]s.
///
/// A collection that lacks a field of the query is an error, unless you call [`skip_unknown`](Search::skip_unknown).
#[must_use = "a search does nothing until you call `fetch` or another method that executes it"]
#[derive(Clone)]
pub struct Search {
    pub(super) snapshot: Snapshot,
    members: Vec<Member>,
    pub(super) query: Query,
    skip_unknown: bool,
}

/// A collection that is searched.
#[derive(Clone)]
struct Member {
    rows: Arc<Table>,
    is_foreign: bool,
    /// The layers of a fork.
    under: Option<Under>,
}

/// A collection and its part of the query.
type Part<'a> = (&'a Arc<Table>, AnyView<'a>);

impl Snapshot {
    /// Queries several collections by field names: typed ones, documents and key/value records in any mix. Name the collections with
    /// [`over`](Search::over).
    ///
    /// ```
    /// use memdex::{FieldDef, KeyValue, Kind, Record, Schema, Store, field};
    ///
    /// #[derive(Record)]
    /// struct Payment { #[record(key)] id: String, #[record(index)] user: String }
    ///
    /// let store = Store::new();
    /// let payments = store.collection::<Payment>("Payment")?;
    /// let sessions = store.key_values::<u32>("Session", Schema::new([FieldDef::new("user", Kind::Str).index()]))?;
    /// payments.store(Payment { id: "p-1".into(), user: "u-1".into() })?;
    /// sessions.store(KeyValue::new("s-1", 7).with("user", "u-1"))?;
    ///
    /// let hits = store.snapshot().search(field("user").eq("u-1")).over(&payments).over(&sessions).fetch()?;
    /// assert_eq!((hits[0].collection(), hits[1].collection()), ("Payment", "Session"));
    /// assert_eq!(hits[0].record::<Payment>().unwrap().id, "p-1");
    /// assert_eq!(**hits[1].record::<KeyValue<u32>>().unwrap(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn search(&self, predicate: impl Into<Predicate>) -> Search {
        Search::new(self.clone(), Query::over::<FieldName>([]).filter(predicate))
    }
}

impl Search {
    pub(super) fn new(snapshot: Snapshot, query: Query) -> Self {
        Search { snapshot, members: Vec::new(), query, skip_unknown: false }
    }

    /// Searches this collection too. Naming it again changes nothing.
    pub fn over<R: Record>(self, collection: &Collection<R>) -> Self {
        let is_foreign = !Arc::ptr_eq(self.snapshot.engine(), &collection.engine);
        let under = if is_foreign { None } else { collection.table.under(self.snapshot.commit()) };
        self.with_member(Member { rows: collection.table.shared(), is_foreign, under })
    }

    /// Searches a collection of the snapshot's store too.
    pub(super) fn over_rows(self, rows: Arc<Table>) -> Self {
        let under = rows.under(self.snapshot.commit());
        self.with_member(Member { rows, is_foreign: false, under })
    }

    fn with_member(mut self, member: Member) -> Self {
        let is_known = |own: &Member| Arc::as_ptr(&own.rows).cast::<()>() == Arc::as_ptr(&member.rows).cast::<()>();
        if !self.members.iter().any(is_known) {
            self.query.collections.push(member.rows.name.to_string().into());
            self.members.push(member);
        }
        self
    }

    /// Leaves out collections that lack a field of the query, instead of failing. (Queries of documents may name paths that their schema does
    /// not declare, so documents lack no field.)
    pub fn skip_unknown(mut self) -> Self {
        self.skip_unknown = true;
        self
    }

    /// Returns only these fields of each record; see [`Hit::values`].
    pub fn select<N: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.query = self.query.select(fields);
        self
    }

    paging_methods!();

    pub(super) fn paging(&self) -> &Paging {
        paging(&self.query)
    }

    /// Returns the record of this key, with as many records before it as after it; see [`Find::around`](crate::query::Find::around). For one
    /// collection.
    pub fn around(mut self, key: Key) -> Self {
        self.query = self.query.around(key);
        self
    }

    /// The snapshot that it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The query as plain data.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The records. With an order, a limit, an offset or a cursor all collections together are sorted: by the
    /// [order](Search::order_by), then by collection in the order of [`over`](Search::over), then by key; integers of one collection and floats of
    /// another compare by number, other kinds one after the other. Otherwise the records come collection by collection, in no particular order.
    ///
    /// Costs the sum of the queries of all collections; each reads as many records as the page needs.
    ///
    /// # Errors
    /// The [`QueryError`] of the first collection that can't be queried: it belongs to another store, its field can't hold the value
    /// that it is compared with, or it lacks a field and [`skip_unknown`](Search::skip_unknown) was not called. For the page
    /// [`PageSize`](QueryError::PageSize), [`PageZero`](QueryError::PageZero), [`PageWithPosition`](QueryError::PageWithPosition) and
    /// [`ForeignCursor`](QueryError::ForeignCursor), for the order [`NotSingle`](QueryError::NotSingle) and
    /// [`TooMany`](QueryError::TooMany).
    pub fn fetch(&self) -> Result<Page<Hit>, QueryError> {
        self.tell()?;
        let started = Instant::now();
        self.judged(
            Purpose::Records,
            |page: &Page<_>| page.records.len(),
            |parts| {
                let total = match bound_query::counts_up_to(self.paging()) {
                    Some(most) => Total::of(self.count_parts(parts, most)?, self.paging()),
                    None => Total::NONE,
                };
                let (records, Ends { prev, next }) = self.hits(parts)?;
                let (commit, took) = (self.snapshot.commit(), started.elapsed());
                Ok(Page { records, prev, next, total: total.records, total_is_exact: total.is_exact, commit, took })
            },
        )
    }

    /// The collections and keys of the records that [`fetch`](Search::fetch) returns.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch).
    pub fn keys(&self) -> Result<Vec<(String, Key)>, QueryError> {
        let hits = self.fetch()?;
        Ok(hits.iter().map(|hit| (hit.collection().to_owned(), hit.key().clone())).collect())
    }

    /// The first record; `None` if there is none.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch).
    pub fn first(&self) -> Result<Option<Hit>, QueryError> {
        Ok(self.limited_to(1)?.fetch()?.into_iter().next())
    }

    /// The only record.
    ///
    /// # Errors
    /// [`QueryError::NotOne`] if there is no record, or several; otherwise as [`fetch`](Search::fetch).
    pub fn one(&self) -> Result<Hit, QueryError> {
        let mut hits = self.limited_to(2)?.fetch()?.records;
        match (hits.pop(), hits.is_empty()) {
            (Some(one), true) => Ok(one),
            (last, _) => Err(QueryError::not_one(self.names(), last.is_some())),
        }
    }

    /// Whether any record matches, whatever the page.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch), except for the page.
    pub fn exists(&self) -> Result<bool, QueryError> {
        self.tell()?;
        self.judged(Purpose::Count, no_records, |parts| {
            for part in parts {
                if let Some(mut stream) = self.unless_unknown(self.stream(*part))?
                    && stream.next().is_some()
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// How many records match, whatever the page.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch), except for the page.
    pub fn count(&self) -> Result<usize, QueryError> {
        self.tell()?;
        self.judged(Purpose::Count, no_records, |parts| self.count_parts(parts, usize::MAX))
    }

    /// Statistics of all records that match, of all collections together; see [`Find::statistics`](crate::query::Find::statistics).
    ///
    /// # Errors
    /// As [`Find::statistics`](crate::query::Find::statistics); [`QueryError::DifferentKinds`] or
    /// [`QueryError::DifferentCollations`] if a field has different kinds or collations; [`QueryError::UndeclaredField`] if only some of
    /// the collections declare it.
    pub fn statistics(&self, statistics: impl Into<Statistics>) -> Result<AggregationResult, QueryError> {
        self.tell()?;
        let (started, statistics) = (Instant::now(), statistics.into());
        self.judged(Purpose::Statistics, no_records, |parts| {
            let mut of = Vec::new();
            let mut unknown = None;
            for (rows, view) in parts {
                let condition = bound_query::condition(*view, &self.query.filter);
                let bound = condition.and_then(|condition| {
                    statistics::check(*view, &statistics)?;
                    Ok(Of { table: Arc::clone(rows), view: *view, condition })
                });
                match bound {
                    Ok(bound) => of.push(bound),
                    Err(error @ QueryError::UnknownField { .. }) if self.skip_unknown => unknown = Some(error),
                    Err(error) => return Err(error),
                }
            }
            if let Some(error) = unknown.filter(|_| of.is_empty()) {
                return Err(error);
            }
            Ok(statistics::compute(&of, &statistics, &Chooser::Cheapest)?.result(self.snapshot.commit(), started))
        })
    }

    /// Executes the query and describes how: see [`Find::explain`](crate::query::Find::explain).
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch).
    pub fn explain(&self) -> Result<Explanation, QueryError> {
        let parts = self.parts()?;
        let started = Instant::now();
        let mut explained = Vec::new();
        if !self.paging().is_paged() {
            for (_, view) in &parts {
                if let Some(condition) = self.condition(*view)? {
                    explained.extend(explain::records(*view, &condition, &Chooser::Cheapest));
                }
            }
        } else if let [(_, view)] = &parts[..] {
            let bound = self.unless_unknown(BoundQuery::of_one(*view, &self.query.filter, self.paging()))?;
            explained.extend(bound.iter().flat_map(|bound| explain::page(bound, &Chooser::Cheapest)));
        } else {
            let Merge { bound, .. } = self.merge(&parts)?;
            explained.extend(bound.iter().flat_map(|(_, bound)| explain::page(bound, &Chooser::Cheapest)));
        }
        Ok(explain::together(self.snapshot.commit(), explained, started.elapsed()))
    }

    /// The records that [`fetch`](Search::fetch) returns, read lazily. Without an order, a limit, an offset or a cursor it reads a page of
    /// about a thousand rows at a time; otherwise it executes the query in growing chunks of up to 65,536 records, each behind the last, which
    /// is quick where an ordered index has the order.
    ///
    /// Holds the snapshot, but no lock, between two records.
    ///
    /// # Errors
    /// As [`fetch`](Search::fetch), before the first record.
    pub fn iter(&self) -> Result<Hits, QueryError> {
        self.tell()?;
        #[cfg(feature = "testing")]
        self.dry_run()?;
        self.iter_unjudged()
    }

    pub(super) fn iter_unjudged(&self) -> Result<Hits, QueryError> {
        let source = if self.paging().is_paged() {
            Source::Ordered(Box::new(Chunks::new(self)?))
        } else {
            let mut streams = Vec::new();
            for part in self.parts()? {
                streams.extend(self.unless_unknown(self.stream(part))?);
            }
            streams.reverse();
            Source::Unordered(streams)
        };
        Ok(Hits { source, selected: Selected::new(&self.paging().select) })
    }

    fn stream(&self, (rows, view): Part<'_>) -> Result<Stream, QueryError> {
        bound_query::check_fields(view, self.paging())?;
        Stream::matching(&self.snapshot, view, rows.clone(), &self.query.filter, &Chooser::Cheapest)
    }

    /// The same query for the first records of its page.
    fn limited_to(&self, limit: usize) -> Result<Self, QueryError> {
        Ok(Search { query: with_limit(&self.query, &self.names(), limit)?, ..self.clone() })
    }

    /// Reports a read of each collection.
    fn tell(&self) -> Result<(), QueryError> {
        self.members.iter().try_for_each(|member| {
            self.snapshot.engine().reads.tell(|| ReadInfo {
                collection: &member.rows.name,
                what: ReadOf::Query(&self.query),
                commit: Some(self.snapshot.commit()),
            })
        })
    }

    /// Runs the query: measures it, and refuses it if the store is too strict for it. `size` is the number of records that it returns.
    fn judged<T>(
        &self,
        purpose: Purpose,
        size: impl FnOnce(&T) -> usize,
        run: impl FnOnce(&[Part<'_>]) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        self.snapshot.latency().query(|| {
            let parts = self.parts()?;
            let views: SmallVec<[AnyView<'_>; 2]> = parts.iter().map(|(_, view)| *view).collect();
            strict::judged(&self.snapshot, &views, &self.query, purpose, size, || run(&parts))
        })
    }

    /// Refuses an iteration, which can't fail later, if the store is too strict for it: then it executes the query once more.
    #[cfg(feature = "testing")]
    fn dry_run(&self) -> Result<(), QueryError> {
        let (parts, testing) = (self.parts()?, &self.snapshot.engine().testing);
        if parts.iter().all(|(_, view)| testing.for_reads(&view.table.name).is_none()) {
            return Ok(());
        }
        let views: Vec<AnyView<'_>> = parts.iter().map(|(_, view)| *view).collect();
        let run = || Ok(self.hits(&parts)?.0.len());
        strict::judged(&self.snapshot, &views, &self.query, Purpose::Records, |size| *size, run).map(drop)
    }

    fn names(&self) -> String {
        self.members.iter().map(|member| &*member.rows.name).collect::<Vec<_>>().join(", ")
    }

    fn parts(&self) -> Result<Vec<Part<'_>>, QueryError> {
        let mut parts = Vec::with_capacity(self.members.len());
        for Member { rows, is_foreign, under } in &self.members {
            if *is_foreign {
                return Err(QueryError::other_store(&*rows.name));
            }
            parts.push((rows, AnyView::new(&self.snapshot, rows, under)));
        }
        Ok(parts)
    }

    /// The condition for a collection; `None` if the collection is skipped.
    fn condition(&self, view: AnyView<'_>) -> Result<Option<Condition>, QueryError> {
        let bound = bound_query::check_fields(view, self.paging());
        self.unless_unknown(bound.and_then(|()| bound_query::condition(view, &self.query.filter)))
    }

    /// How many records match; any number above `most` if there are more. Every collection is checked.
    fn count_parts(&self, parts: &[Part<'_>], most: usize) -> Result<usize, QueryError> {
        let mut count = 0;
        for (_, view) in parts {
            let _span = view.span();
            if let Some(condition) = self.condition(*view)?.filter(|_| count <= most) {
                count += bound_query::count_up_to(*view, &condition, most - count, &Chooser::Cheapest);
            }
        }
        Ok(count)
    }

    fn hits(&self, parts: &[Part<'_>]) -> Result<(Vec<Hit>, Ends), QueryError> {
        let selected = Selected::new(&self.paging().select);
        let hit = |rows: &Arc<Table>, version| Hit::new(rows.clone(), version, selected.clone());
        let mut hits = Vec::new();
        if !self.paging().is_paged() {
            for (rows, view) in parts {
                let _span = view.span();
                if let Some(condition) = self.condition(*view)? {
                    let found = bound_query::matches(*view, &condition, &Chooser::Cheapest).fetch(*view);
                    hits.extend(found.into_iter().map(|version| hit(rows, version)));
                }
            }
            return Ok((hits, Ends::default()));
        }
        if let [(rows, view)] = parts {
            let _span = view.span();
            let bound = self.unless_unknown(BoundQuery::of_one(*view, &self.query.filter, self.paging()))?;
            let Some(bound) = bound else { return Ok((hits, Ends::default())) };
            let found = bound.page(&Chooser::Cheapest);
            hits.extend(found.versions.into_iter().map(|version| hit(rows, version)));
            return Ok((hits, Ends { prev: found.prev, next: found.next }));
        }
        let (merged, ends) = self.merge(parts)?.page(self.paging());
        hits.extend(merged.into_iter().map(|(rows, version)| hit(rows, version)));
        Ok((hits, ends))
    }

    /// Binds the query to several collections.
    fn merge<'s>(&'s self, parts: &[Part<'s>]) -> Result<Merge<'s>, QueryError> {
        let paging = self.paging();
        paging.window(&self.names())?;
        if paging.around.is_some() {
            return Err(QueryError::around_in_several(self.names()));
        }
        let mut bound = Vec::with_capacity(parts.len());
        for (rows, view) in parts {
            let of_part = self.unless_unknown(BoundQuery::new(*view, &self.query.filter, paging))?;
            bound.extend(of_part.map(|of_part| (*rows, of_part)));
        }
        let print = Fingerprinter::new("search").number(bound.len());
        let print = bound.iter().fold(print, |print, (_, bound)| print.print(bound.fingerprint));
        let mut merge = Merge { bound, fingerprint: print.finish() };
        if let Some(cursor) = paging.after.as_ref().or(paging.before.as_ref()) {
            merge.continue_behind(cursor).ok_or_else(|| QueryError::foreign_cursor(self.names()))?;
        }
        Ok(merge)
    }

    fn unless_unknown<T>(&self, result: Result<T, QueryError>) -> Result<Option<T>, QueryError> {
        match result {
            Err(QueryError::UnknownField { .. }) if self.skip_unknown => Ok(None),
            result => result.map(Some),
        }
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("commit", &self.snapshot.commit()).field("query", &self.query).finish()
    }
}

/// The records of a search, read lazily; see [`Search::iter`].
///
/// ```
/// # use memdex::{Record, Store, field};
/// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(ordered)] age: u8 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// # for id in 0..2_000 { users.store(User { id, age: (id % 90) as u8 })?; }
/// let adults = store.snapshot().search(field("age").ge(18)).over(&users).order_by(field("age").desc());
/// for hit in adults.iter()? {
///     assert!(hit.value("age") >= Some(18.into()));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an iterator reads nothing until it is used"]
pub struct Hits {
    source: Source,
    selected: Selected,
}

enum Source {
    /// One collection after the other, the next one last.
    Unordered(Vec<Stream>),
    Ordered(Box<Chunks>),
}

impl Iterator for Hits {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        match &mut self.source {
            Source::Ordered(chunks) => chunks.next(),
            Source::Unordered(streams) => loop {
                let stream = streams.last_mut()?;
                if let Some(version) = stream.next() {
                    return Some(Hit::new(stream.rows.clone(), version, self.selected.clone()));
                }
                streams.pop();
            },
        }
    }
}

impl std::iter::FusedIterator for Hits {}

impl fmt::Debug for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hits").finish_non_exhaustive()
    }
}

/// The records of a search, executed in chunks: each begins behind the last record of the one before.
struct Chunks {
    /// The query of the next chunk.
    search: Search,
    /// How many more records may be returned.
    left: usize,
    size: usize,
    ready: std::vec::IntoIter<Hit>,
    is_last: bool,
}

const FIRST_CHUNK: usize = 256;
const LARGEST_CHUNK: usize = 1 << 16;

impl Chunks {
    fn new(search: &Search) -> Result<Self, QueryError> {
        let left = search.paging().window(&search.names())?.limit.unwrap_or(usize::MAX);
        let ready = Vec::new().into_iter();
        let mut chunks = Chunks { search: search.clone(), left, size: FIRST_CHUNK, ready, is_last: false };
        chunks.read()?;
        Ok(chunks)
    }

    fn read(&mut self) -> Result<(), QueryError> {
        let size = self.size.min(self.left);
        // A page that is found from its end is read at once.
        let chunk = self.search.limited_to(size)?.fetch()?;
        let (before, around) = (&self.search.paging().before, &self.search.paging().around);
        self.left = if before.is_some() || around.is_some() { 0 } else { self.left - chunk.records.len() };
        self.size = (2 * self.size).min(LARGEST_CHUNK);
        self.is_last = chunk.next.is_none() || self.left == 0;
        if let Some(next) = chunk.next {
            self.search.query = super::builder::continue_behind(&self.search.query, next);
        }
        self.ready = chunk.records.into_iter();
        Ok(())
    }

    fn next(&mut self) -> Option<Hit> {
        loop {
            if let Some(hit) = self.ready.next() {
                return Some(hit);
            }
            // The first chunk was read, so nothing of the query can be refused.
            if self.is_last || self.read().is_err() {
                self.is_last = true;
                return None;
            }
        }
    }
}
