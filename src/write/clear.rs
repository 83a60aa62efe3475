//! Deleting all records of a collection.

use super::batch::Refused;
use super::receipt::Receipt;
use crate::record::Record;
use crate::storage::Collection;
use memdex_query::query::Filter;

impl<R: Record> Collection<R> {
    /// Deletes all records in one commit, as [`delete_where`](Collection::delete_where) with a filter that matches
    /// every record. The collection stays, with its indexes; sequences and commit numbers are not reset.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1 })?;
    /// # users.store(User { id: 2 })?;
    /// assert_eq!(users.clear()?.counts.deleted, 2);
    /// assert!(users.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`] if a hook refuses the commit, the collection was dropped or the store is poisoned, and inside an update
    /// closure, an extractor, a hook or `get_with`.
    pub fn clear(&self) -> Result<Receipt, Refused> {
        self.delete_where(Filter::all())
    }
}
