//! The builder methods of queries for records, for all types that carry a [`Query`](crate::Query).

/// The methods that [`Query`](crate::Query) has too, for a type with a field `query`.
macro_rules! paging_methods {
    () => {
        /// Sorts the records: by one [`OrderBy`](crate::query::OrderBy) or several. Ties are broken by key, ascending, so pages never overlap or skip
        /// records. Costs least where an ordered index has the order, or columns have the fields.
        pub fn order_by(mut self, order: impl memdex_query::query::IntoOrder) -> Self {
            self.query.paging_mut().order = order.into_order();
            self
        }

        /// Returns at most this many records: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
        pub fn limit(mut self, limit: usize) -> Self {
            self.query.paging_mut().limit = Some(limit);
            self
        }

        /// Skips the first records. They are read all the same, so use [`after`](Self::after) for pages far behind.
        pub fn offset(mut self, offset: usize) -> Self {
            self.query.paging_mut().offset = offset;
            self
        }

        /// Returns only the records behind the last record of another page of this query. The limit may differ, and the snapshot may be
        /// later.
        pub fn after(mut self, cursor: memdex_query::query::Cursor) -> Self {
            self.query.paging_mut().after = Some(cursor);
            self
        }

        /// Returns only the records before the first record of another page of this query: the last ones of them, in their order. With an
        /// [`offset`](Self::offset), skips the last ones.
        ///
        /// ```
        /// # use memdex::{Filter, Record, Store};
        /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
        /// # let users = Store::new().collection::<User>("User")?;
        /// # for id in 0..9 { users.store(User { id })?; }
        /// let by_key = users.find(Filter::all()).limit(3);
        /// let first = by_key.clone().fetch()?;
        /// let second = by_key.clone().after(first.next.clone().unwrap()).fetch()?;
        /// let back = by_key.before(second.prev.clone().unwrap()).fetch()?;
        /// assert_eq!(back.iter().map(|user| user.id).collect::<Vec<_>>(), [0, 1, 2]);
        /// assert!(back.prev.is_none());
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        pub fn before(mut self, cursor: memdex_query::query::Cursor) -> Self {
            self.query.paging_mut().before = Some(cursor);
            self
        }

        /// Counts the selected records too, but stops if there are more than `most`: then [`Page::total`](crate::Page::total) is `most`, and
        /// [`total_is_exact`](crate::Page::total_is_exact) is false.
        pub fn with_total_up_to(mut self, most: usize) -> Self {
            let paging = self.query.paging_mut();
            (paging.total, paging.total_up_to) = (false, Some(most));
            self
        }

        /// Returns the page with this number, from 1. A page has 10 records unless [`size`](Self::size) says otherwise. Don't combine it with
        /// [`offset`](Self::offset) or [`after`](Self::after).
        pub fn page(mut self, number: usize) -> Self {
            self.query.paging_mut().page = Some(number);
            self
        }

        /// Sets the size of a page, as [`limit`](Self::limit) does: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE).
        pub fn size(mut self, records: usize) -> Self {
            self.query.paging_mut().limit = Some(records);
            self
        }

        /// Counts all selected records too, those of other pages included; see [`Page::total`](crate::Page::total).
        pub fn with_total(mut self) -> Self {
            let paging = self.query.paging_mut();
            (paging.total, paging.total_up_to) = (true, None);
            self
        }
    };
}

pub(super) use paging_methods;

use crate::error::QueryError;
use memdex_query::query::{Ask, Cursor, Paging, Query};

/// The paging of a query. One for statistics has none.
pub(super) fn paging(query: &Query) -> &Paging {
    static NONE: Paging = Paging {
        order: Vec::new(),
        select: Vec::new(),
        limit: None,
        offset: 0,
        page: None,
        after: None,
        before: None,
        around: None,
        total: false,
        total_up_to: None,
    };
    match &query.ask {
        Ask::Records(paging) => paging,
        Ask::Statistics(_) => &NONE,
    }
}

/// The same query with at most `limit` records of its page, or with all where the page is found from its end. `collection` is for the error.
pub(super) fn with_limit(query: &Query, collection: &str, limit: usize) -> Result<Query, QueryError> {
    let mut paging = paging(query).clone();
    let window = paging.window(collection)?;
    (paging.total, paging.total_up_to) = (false, None);
    if paging.before.is_some() || paging.around.is_some() {
        // The first record is the last that is found.
        return Ok(with_paging(query, paging));
    }
    paging.offset = window.offset;
    paging.page = None;
    paging.limit = Some(window.limit.map_or(limit, |own| own.min(limit)));
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
