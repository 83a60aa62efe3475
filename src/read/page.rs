//! Pages: some of the records that a query means, in its order, and where the next ones begin.

use super::find::Find;
use super::order::Order;
use super::sorted::{self, Wanted};
use crate::error::{Commit, QueryError};
use crate::limits::MAX_PAGE;
use crate::query::{Cursor, Fingerprinter, IntoOrder, Paging};
use crate::record::{Condition, Record};
use crate::storage::{Handle, Version};
use crate::sync::Arc;
use crate::user_code;
use crate::value::Value;
use std::time::{Duration, Instant};

/// Some of the records that a query means, in its order: handles of one collection, or [`Hit`](crate::Hit)s of several.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// Where the next page begins; `None` if there is nothing behind this one.
    pub next: Option<Cursor>,
    /// How many records the query means on all pages together, if that was asked.
    pub total: Option<usize>,
    /// The commit as of which it was answered.
    pub commit: Commit,
    /// How long that took.
    pub took: Duration,
    /// Whether the answer was known already.
    pub cached: bool,
}

impl<R: Record> Find<R> {
    /// The records in this order; see [`OrderBy`](crate::OrderBy). Costs least where an ordered index has the order, or columns have the
    /// fields.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(ordered)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// for (id, age) in [(1, 40), (2, 30), (3, 40), (4, 50)] {
    ///     users.store(User { id, city: "Bern".into(), age })?;
    /// }
    /// let oldest_first = users.find(user::CITY.eq("Bern")).order_by([user::AGE.desc(), user::ID.asc()]);
    /// let page = oldest_first.clone().limit(2).page()?;
    /// assert_eq!(page.records.iter().map(|user| user.id).collect::<Vec<_>>(), [4, 1]);
    /// let next = oldest_first.limit(2).after(page.next.unwrap()).page()?;
    /// assert_eq!(next.records.iter().map(|user| user.id).collect::<Vec<_>>(), [3, 2]);
    /// assert!(next.next.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn order_by(mut self, order: impl IntoOrder) -> Self {
        self.paging.order = order.into_order();
        self
    }

    /// At most so many records: from 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
    pub fn limit(mut self, limit: usize) -> Self {
        self.paging.limit = Some(limit);
        self
    }

    /// Without the first ones. They are gone through all the same: for pages far behind take [`after`](Find::after).
    pub fn offset(mut self, offset: usize) -> Self {
        self.paging.offset = offset;
        self
    }

    /// Only those behind the last record of another page of this query. Other limits are fine, and so is a later snapshot.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.paging.after = Some(cursor);
        self
    }

    /// Counts what all pages have together; see [`Page::total`].
    pub fn with_total(mut self) -> Self {
        self.paging.total = true;
        self
    }

    /// A page of the records: those that [`limit`](Find::limit), [`offset`](Find::offset) and [`after`](Find::after) leave, in the
    /// [order](Find::order_by) asked for, which in the end is that of the keys.
    ///
    /// # Errors
    /// As [`fetch`](Find::fetch); besides [`QueryError::PageSize`], [`QueryError::ForeignCursor`], and for the order
    /// [`QueryError::UnknownField`], [`QueryError::NotSingle`] and [`QueryError::TooMany`].
    pub fn page(&self) -> Result<Page<Handle<R>>, QueryError> {
        let started = Instant::now();
        let answer = |condition: &Condition| {
            let total = if self.paging.total { Some(self.count_all(condition)) } else { None };
            let Found { versions, next } = self.ordered(condition)?;
            let records = versions.into_iter().filter_map(Handle::of).collect();
            let commit = self.snapshot().commit();
            Ok(Page { records, next, total, commit, took: started.elapsed(), cached: false })
        };
        self.view.latency().query(|| self.run(answer)?)
    }

    /// The records of the page, in their order, and the cursor behind them if more follow.
    pub(super) fn ordered(&self, condition: &Condition) -> Result<Found<R>, QueryError> {
        check_limit(&self.view.table.name, self.paging.limit)?;
        self.first(condition)
    }

    fn first(&self, condition: &Condition) -> Result<Found<R>, QueryError> {
        let Paging { limit, offset, .. } = &self.paging;
        self.with_wanted(condition, |wanted, query| {
            let way = sorted::way(&self.view, condition, wanted, &self.chooser());
            let mut versions = sorted::first(&self.view, condition, wanted, &way);
            // One more than wanted was asked for, so that it is known whether any follow.
            let more = limit.is_some_and(|limit| offset.saturating_add(limit) < versions.len());
            if more {
                versions.pop();
            }
            let last = versions.last().filter(|_| more);
            let next = last.map(|last| Cursor { query, values: wanted.order.values(last), key: last.key.clone() });
            versions.drain(..versions.len().min(*offset));
            Found { versions, next }
        })
    }

    /// The records, each with the values that it is ordered by. Whether the limit is one that a user may set has been seen to.
    pub(super) fn ranked(&self) -> Result<(Vec<RankedRecord<R>>, Option<Cursor>), QueryError> {
        if !self.is_paged() {
            return Ok((self.records()?.into_iter().map(|record| (Vec::new(), record)).collect(), None));
        }
        self.run(|condition| {
            let Found { versions, next } = self.first(condition)?;
            let order = Order::new(&self.view.table.name, &self.view.table.schema, &self.paging.order)?;
            let _scope = user_code::Scope::enter();
            let ranked = versions.into_iter().map(|version| (order.values(&version), version));
            Ok((ranked.filter_map(|(values, version)| Some((values, Handle::of(version)?))).collect(), next))
        })?
    }

    /// Binds what is wanted of the records, and shows it with the fingerprint of the query.
    pub(super) fn with_wanted<T>(
        &self,
        condition: &Condition,
        answer: impl FnOnce(&Wanted<'_>, u128) -> T,
    ) -> Result<T, QueryError> {
        let Paging { order, limit, offset, after, .. } = &self.paging;
        let table = &self.view.table;
        let collection = || table.name.to_string();
        let order = Order::new(&table.name, &table.schema, order)?;
        let query = self.fingerprint_of_pages(condition, &order);
        if after.as_ref().is_some_and(|after| after.query != query || !order.fits(after)) {
            return Err(QueryError::ForeignCursor { collection: collection() });
        }
        let first = limit.map_or(usize::MAX, |limit| offset.saturating_add(limit).saturating_add(1));
        Ok(answer(&Wanted { order: &order, after: after.as_ref(), first }, query))
    }

    /// Of the predicate, the order and the collection: what a cursor belongs to.
    fn fingerprint_of_pages(&self, condition: &Condition, order: &Order) -> u128 {
        let table = &self.view.table;
        let of_page = Fingerprinter::new("page").text(&table.name).print(condition.fingerprint(&table.schema));
        let ordered = order.0.iter().fold(of_page.number(order.0.len()), |print, field| {
            print.text(field.def.name()).flag(field.descending).flag(field.nulls_first)
        });
        ordered.finish().0
    }
}

/// Whether a user may ask for so many records.
pub(super) fn check_limit(collection: &str, limit: Option<usize>) -> Result<(), QueryError> {
    match limit.filter(|limit| *limit == 0 || *limit > MAX_PAGE) {
        Some(limit) => Err(QueryError::PageSize { collection: collection.to_owned(), limit, most: MAX_PAGE }),
        None => Ok(()),
    }
}

/// A record, with the values that it is ordered by.
pub(super) type RankedRecord<R> = (Vec<Value>, Handle<R>);

/// The records of a page.
pub(super) struct Found<R> {
    pub(super) versions: Vec<Arc<Version<R>>>,
    pub(super) next: Option<Cursor>,
}

impl Order {
    /// Whether a cursor has values that these fields can have. One that was made elsewhere may have any.
    fn fits(&self, cursor: &Cursor) -> bool {
        let fits = |field: &super::order::SortField, kind| kind == field.def.kind();
        self.0.len() == cursor.values.len()
            && self
                .0
                .iter()
                .zip(&cursor.values)
                .all(|(field, value)| value.as_ref().kind().is_none_or(|kind| fits(field, kind)))
    }
}
