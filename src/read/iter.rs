//! Iteration over a collection: lazy, page by page.

use super::snapshot::View;
use crate::record::Record;
use crate::storage::{Collection, Handle, Version};
use crate::sync::Arc;
use std::fmt;

/// The records of a collection as of one commit, in no particular order. Reads a page of about a thousand rows at a
/// time; holds its snapshot, but no lock, between them.
pub struct Records<R: Record> {
    view: View<R>,
    next_page: usize,
    /// Of the page read last, reversed.
    versions: Vec<Arc<Version<R>>>,
}

impl<R: Record> View<R> {
    /// All records, in no particular order.
    pub fn iter(&self) -> Records<R> {
        Records { view: self.clone(), next_page: 0, versions: Vec::new() }
    }
}

impl<R: Record> Collection<R> {
    /// All records as of now, in no particular order.
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
        self.view().iter()
    }
}

impl<R: Record> Records<R> {
    pub(super) fn next_version(&mut self) -> Option<Arc<Version<R>>> {
        while self.versions.is_empty() {
            // Each row is decided, changed since or not, when its page is read.
            let epoch = self.view.snapshot.commit();
            if !self.view.table.pages.read_page(self.next_page, epoch, &mut self.versions) {
                return None;
            }
            self.next_page += 1;
            self.versions.reverse();
        }
        self.versions.pop()
    }
}

impl<R: Record> Iterator for Records<R> {
    type Item = Handle<R>;

    fn next(&mut self) -> Option<Handle<R>> {
        self.next_version().and_then(Handle::of)
    }
}

impl<R: Record> std::iter::FusedIterator for Records<R> {}

impl<R: Record> fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("of", &self.view).finish_non_exhaustive()
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
