//! Iterators over the records of a collection or a query.

use super::search::Hits;
use super::snapshot::View;
use super::stream::Stream;
use crate::record::Record;
use crate::storage::{Collection, Handle, ReadOf, typed};
use std::fmt;
use std::marker::PhantomData;

/// Records of a collection at one commit, read lazily. Holds its snapshot, but no lock, between two records.
///
/// [`Collection::iter`] and [`View::iter`] return all records in no particular order, about a thousand rows at a time;
/// [`Find::iter`](crate::query::Find::iter) returns those of a query.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32 }
/// # let users = Store::new().collection::<User>("User")?;
/// users.store(User { id: 1 })?;
/// let mut ids = Vec::new();
/// for user in &users {
///     ids.push(user.id);
/// }
/// assert_eq!(ids, [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an iterator reads nothing until it is used"]
pub struct Records<R: Record> {
    source: Source,
    record: PhantomData<fn() -> R>,
}

pub(super) enum Source {
    Unordered(Stream),
    Ordered(Hits),
}

impl<R: Record> Records<R> {
    pub(super) fn new(source: Source) -> Self {
        Records { source, record: PhantomData }
    }
}

impl<R: Record> View<R> {
    /// All records, in no particular order.
    pub fn iter(&self) -> Records<R> {
        // It has no error.
        let _ = self.tell(|| ReadOf::All);
        Records::new(Source::Unordered(Stream::all(&self.snapshot, self.any(), self.table.shared())))
    }
}

impl<R: Record> Collection<R> {
    /// All records at the newest commit, in no particular order.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1 })?;
    /// let ids: Vec<u32> = users.iter().map(|user| user.id).collect();
    /// # assert_eq!(ids, [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> Records<R> {
        self.catch_up();
        self.view().iter()
    }
}

impl<R: Record> Iterator for Records<R> {
    type Item = Handle<R>;

    fn next(&mut self) -> Option<Handle<R>> {
        match &mut self.source {
            Source::Unordered(stream) => stream.next().and_then(typed).and_then(Handle::of),
            Source::Ordered(hits) => hits.next().and_then(|hit| hit.record()),
        }
    }
}

impl<R: Record> std::iter::FusedIterator for Records<R> {}

impl<R: Record> fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl<R: Record> IntoIterator for &Collection<R> {
    type Item = Handle<R>;
    type IntoIter = Records<R>;

    fn into_iter(self) -> Records<R> {
        self.iter()
    }
}

impl<R: Record> IntoIterator for &View<R> {
    type Item = Handle<R>;
    type IntoIter = Records<R>;

    fn into_iter(self) -> Records<R> {
        self.iter()
    }
}
