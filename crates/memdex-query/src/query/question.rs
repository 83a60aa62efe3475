//! A whole query as plain data: the collections, a filter, and the results to return.

use super::form::FormVersion;
#[cfg(feature = "serde")]
use super::form::is_default;
use super::{Cursor, FieldName, IntoOrder, OrderBy, Predicate, Statistics};
use crate::error::QueryError;
use crate::limits::{DEFAULT_PAGE_SIZE, MAX_PAGE};
use crate::value::Key;

/// A query as plain data, without record types. Typed fields, names at run time and criteria maps all make one.
/// `Store::query` executes it. With the feature `serde` you can send and store it, in a format that describes itself, such
/// as JSON. The form leaves out defaults, except the version. Unknown entries are errors.
///
/// ```
/// use memdex::{Query, field};
/// let query = Query::over(["Payment"]).filter(field("status").eq("completed")).order_by(field("amount").desc()).limit(10);
/// # #[cfg(feature = "documents")] {
/// let form = memdex::json!({
///     "version": 2,
///     "collections": ["Payment"],
///     "filter": { "eq": ["status", "completed"] },
///     "ask": { "records": { "order": [{ "field": "amount", "direction": "descending" }], "limit": 10 } },
/// });
/// assert_eq!(serde_json::to_value(&query)?, form);
/// assert_eq!(serde_json::from_value::<Query>(form)?, query);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[must_use]
pub struct Query {
    #[cfg_attr(feature = "serde", serde(default))]
    version: FormVersion,
    /// The names of the collections.
    pub collections: Vec<FieldName>,
    /// Selects records.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub filter: Predicate,
    /// The results to return.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub ask: Ask,
}

/// The results that a [`Query`] returns.
///
/// ```
/// use memdex::{Metric, Query};
/// use memdex::query::Ask;
/// let query = Query::over(["Payment"]).statistics([Metric::count()]);
/// assert!(matches!(query.ask, Ask::Statistics(_)));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[allow(clippy::large_enum_variant, reason = "a query is made once, and most are for records")]
pub enum Ask {
    /// The records, or a page of them.
    Records(Paging),
    /// Statistics of all selected records.
    Statistics(Statistics),
}

impl Default for Ask {
    fn default() -> Self {
        Ask::Records(Paging::default())
    }
}

/// The order and the page of a query for records, and the fields to return.
///
/// ```
/// use memdex::{Query, field};
/// use memdex::query::Ask;
/// let query = Query::over(["Payment"]).order_by(field("amount").desc()).page(3).size(20);
/// let Ask::Records(paging) = query.ask else { unreachable!() };
/// assert_eq!((paging.page, paging.limit), (Some(3), Some(20)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Paging {
    /// The sort fields; the key breaks ties.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub order: Vec<OrderBy>,
    /// The fields to return; all declared fields if empty.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub select: Vec<FieldName>,
    /// The most records to return, or the size of a page: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE). `None` is
    /// all records, or [`limits::DEFAULT_PAGE_SIZE`](crate::limits::DEFAULT_PAGE_SIZE) with a page number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub limit: Option<usize>,
    /// The number of records to skip.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub offset: usize,
    /// The number of the page, from 1.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub page: Option<usize>,
    /// Return only records after this position.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub after: Option<Cursor>,
    /// Return only records before this position: the last ones, in their order.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub before: Option<Cursor>,
    /// Return the record of this key, with those before it and after it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub around: Option<Key>,
    /// Whether to count all selected records.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub total: bool,
    /// Count the selected records, but stop behind this many.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub total_up_to: Option<usize>,
}

/// The number of records to skip, and the largest number to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Window {
    pub offset: usize,
    pub limit: Option<usize>,
}

impl Paging {
    /// Whether the records are ordered, or only some of them returned.
    #[doc(hidden)]
    pub fn is_paged(&self) -> bool {
        let Paging { order, select: _, limit, offset, page, after, before, around, total: _, total_up_to: _ } = self;
        let has_position = page.is_some() || after.is_some() || before.is_some() || around.is_some();
        !order.is_empty() || limit.is_some() || *offset > 0 || has_position
    }

    /// Checks the page number and the limit. `collection` is for the error.
    #[doc(hidden)]
    pub fn window(&self, collection: &str) -> Result<Window, QueryError> {
        let collection = || collection.to_owned();
        if let Some(limit) = self.limit.filter(|limit| *limit == 0 || *limit > MAX_PAGE) {
            return Err(QueryError::PageSize { collection: collection(), limit, most: MAX_PAGE });
        }
        let positions = [self.after.is_some(), self.before.is_some(), self.around.is_some()];
        let positions = positions.into_iter().filter(|has| *has).count();
        let Some(page) = self.page else {
            if positions > 1 || (self.around.is_some() && self.offset > 0) {
                return Err(QueryError::SeveralPositions { collection: collection() });
            }
            let limit = self.limit.or(self.around.is_some().then_some(DEFAULT_PAGE_SIZE));
            return Ok(Window { offset: self.offset, limit });
        };
        let Some(before) = page.checked_sub(1) else {
            return Err(QueryError::PageZero { collection: collection() });
        };
        if self.offset > 0 || positions > 0 {
            return Err(QueryError::PageWithPosition { collection: collection(), page });
        }
        let size = self.limit.unwrap_or(DEFAULT_PAGE_SIZE);
        Ok(Window { offset: before.saturating_mul(size), limit: Some(size) })
    }
}

impl Query {
    /// All records of these collections.
    pub fn over<N: Into<FieldName>>(collections: impl IntoIterator<Item = N>) -> Self {
        let collections = collections.into_iter().map(Into::into).collect();
        Query { version: FormVersion, collections, filter: Predicate::All, ask: Ask::default() }
    }

    /// Selects only records that match this predicate too.
    pub fn filter(self, predicate: impl Into<Predicate>) -> Self {
        Query { filter: self.filter & predicate.into(), ..self }
    }

    /// The records that a predicate selects, of no collection yet.
    #[doc(hidden)]
    #[inline]
    pub fn selecting(filter: Predicate) -> Self {
        Query { version: FormVersion, collections: Vec::new(), filter, ask: Ask::Records(Paging::default()) }
    }

    /// The paging. A query for statistics becomes one for records.
    #[doc(hidden)]
    #[inline]
    pub fn paging_mut(&mut self) -> &mut Paging {
        loop {
            match self.ask {
                Ask::Records(ref mut paging) => return paging,
                Ask::Statistics(_) => self.ask = Ask::default(),
            }
        }
    }

    fn with_paging(mut self, change: impl FnOnce(&mut Paging)) -> Self {
        change(self.paging_mut());
        self
    }

    /// Sorts the records: by one [`OrderBy`] or several. Ties are broken by key, ascending, so pages never overlap or
    /// skip records.
    pub fn order_by(self, order: impl IntoOrder) -> Self {
        self.with_paging(|paging| paging.order = order.into_order())
    }

    /// Returns only these fields. Otherwise all declared fields are returned.
    pub fn select<N: Into<FieldName>>(self, fields: impl IntoIterator<Item = N>) -> Self {
        self.with_paging(|paging| paging.select = fields.into_iter().map(Into::into).collect())
    }

    /// Returns at most this many records: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
    #[inline]
    pub fn limit(self, limit: usize) -> Self {
        self.with_paging(|paging| paging.limit = Some(limit))
    }

    /// Skips the first records. They are read all the same, so use [`after`](Query::after) for later pages.
    pub fn offset(self, offset: usize) -> Self {
        self.with_paging(|paging| paging.offset = offset)
    }

    /// Returns only the records after the last record of another page of this query. The limit may differ, and the
    /// snapshot may be later.
    pub fn after(self, cursor: Cursor) -> Self {
        self.with_paging(|paging| paging.after = Some(cursor))
    }

    /// Returns only the records before the first record of another page of this query: the last ones of them, in their
    /// order. With an offset, skips the last ones.
    pub fn before(self, cursor: Cursor) -> Self {
        self.with_paging(|paging| paging.before = Some(cursor))
    }

    /// Returns the record of this key, with as many records before it as after it, or more on one side where the other has
    /// fewer. A page has 10 records unless [`size`](Query::size) says otherwise. For queries of one collection.
    pub fn around(self, key: Key) -> Self {
        self.with_paging(|paging| paging.around = Some(key))
    }

    /// Returns the page with this number, from 1. A page has 10 records unless [`size`](Query::size) says otherwise.
    /// Don't combine it with [`offset`](Query::offset) or [`after`](Query::after).
    pub fn page(self, number: usize) -> Self {
        self.with_paging(|paging| paging.page = Some(number))
    }

    /// Sets the size of a page, as [`limit`](Query::limit) does: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
    pub fn size(self, records: usize) -> Self {
        self.limit(records)
    }

    /// Counts all selected records too, those of other pages included.
    pub fn with_total(self) -> Self {
        self.with_paging(|paging| (paging.total, paging.total_up_to) = (true, None))
    }

    /// Counts the selected records too, but stops if there are more than `most`.
    pub fn with_total_up_to(self, most: usize) -> Self {
        self.with_paging(|paging| (paging.total, paging.total_up_to) = (false, Some(most)))
    }

    /// Returns statistics of all selected records instead of the records.
    pub fn statistics(self, statistics: impl Into<Statistics>) -> Self {
        Query { ask: Ask::Statistics(statistics.into()), ..self }
    }
}
