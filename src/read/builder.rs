//! The builder methods of queries for records, for all types that carry a [`Query`](crate::Query).

/// The methods that [`Query`](crate::Query) has too, for a type with a field `query`.
macro_rules! paging_methods {
    () => {
        /// Sorts the records: by one [`OrderBy`](crate::query::OrderBy) or several. Ties are broken by key, ascending, so pages never overlap or skip
        /// records. Costs least where an ordered index has the order, or columns have the fields.
        pub fn order_by(mut self, order: impl memdex_query::query::IntoOrder) -> Self {
            self.query = self.query.order_by(order);
            self
        }

        /// Returns at most this many records: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
        pub fn limit(mut self, limit: usize) -> Self {
            self.query = self.query.limit(limit);
            self
        }

        /// Skips the first records. They are read all the same, so use [`after`](Self::after) for pages far behind.
        pub fn offset(mut self, offset: usize) -> Self {
            self.query = self.query.offset(offset);
            self
        }

        /// Returns only the records behind the last record of another page of this query. The limit may differ, and the snapshot may be
        /// later.
        pub fn after(mut self, cursor: memdex_query::query::Cursor) -> Self {
            self.query = self.query.after(cursor);
            self
        }

        /// Returns the page with this number, from 1. A page has 10 records unless [`size`](Self::size) says otherwise. Don't combine it with
        /// [`offset`](Self::offset) or [`after`](Self::after).
        pub fn page(mut self, number: usize) -> Self {
            self.query = self.query.page(number);
            self
        }

        /// Sets the size of a page, as [`limit`](Self::limit) does: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
        pub fn size(mut self, records: usize) -> Self {
            self.query = self.query.size(records);
            self
        }

        /// Counts all selected records too, those of other pages included; see [`Page::total`](crate::Page::total).
        pub fn with_total(mut self) -> Self {
            self.query = self.query.with_total();
            self
        }

        pub(super) fn paging(&self) -> &memdex_query::query::Paging {
            super::builder::paging(&self.query)
        }
    };
}

pub(super) use paging_methods;

use crate::error::QueryError;
use memdex_query::query::{Ask, Cursor, Paging, Query};

/// The paging of a query. One for statistics has none.
pub(super) fn paging(query: &Query) -> &Paging {
    static NONE: Paging =
        Paging { order: Vec::new(), select: Vec::new(), limit: None, offset: 0, page: None, after: None, total: false };
    match &query.ask {
        Ask::Records(paging) => paging,
        Ask::Statistics(_) => &NONE,
    }
}

/// The same query with at most `limit` records of its page. `collection` is for the error.
pub(super) fn with_limit(query: &Query, collection: &str, limit: usize) -> Result<Query, QueryError> {
    let mut paging = paging(query).clone();
    let window = paging.window(collection)?;
    paging.offset = window.offset;
    paging.page = None;
    paging.limit = Some(window.limit.map_or(limit, |own| own.min(limit)));
    paging.total = false;
    Ok(with_paging(query, paging))
}

/// The same query for the records behind a cursor.
pub(super) fn continue_behind(query: &Query, cursor: Cursor) -> Query {
    let mut paging = paging(query).clone();
    (paging.page, paging.offset, paging.limit) = (None, 0, None);
    with_paging(query, paging).after(cursor)
}

fn with_paging(query: &Query, paging: Paging) -> Query {
    let mut query = query.clone();
    query.ask = Ask::Records(paging);
    query
}
