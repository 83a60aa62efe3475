//! A page: some of the records that a query selects, in its order.

use crate::error::Commit;
use memdex_query::query::Cursor;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// The records that a query returns: [`Handle`](crate::Handle)s of one collection, or [`Hit`](crate::query::Hit)s. Derefs to a slice of them.
///
/// ```
/// # use memdex::{Filter, Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32 }
/// # let users = Store::new().collection::<User>("User")?;
/// # for id in 0..25 { users.store(User { id })?; }
/// let page = users.find(Filter::all()).page(3).with_total().fetch()?;
/// assert_eq!((page.len(), page[0].id, page.total), (5, 20, Some(25)));
/// assert!(page.next.is_none(), "this is the last page");
/// for user in page {
///     println!("{}", user.id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// The place behind which the next page begins; `None` if no records follow, or if the query has no limit. A page before a cursor is
    /// assumed to have a next one.
    pub next: Option<Cursor>,
    /// The place before which the previous page ends; `None` if no records come before. It is known for pages before a cursor and around
    /// a key; a page with a position otherwise is assumed to have a previous one, which is empty if its records were deleted.
    pub prev: Option<Cursor>,
    /// The number of records on all pages together, if the query counts them.
    pub total: Option<usize>,
    /// Whether `total` is exact. If not, there are more records: the query counted no further.
    pub total_is_exact: bool,
    /// The commit that the page describes.
    pub commit: Commit,
    /// How long the query took.
    pub took: Duration,
}

impl<T> Deref for Page<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.records
    }
}

impl<T> DerefMut for Page<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.records
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Page<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}
