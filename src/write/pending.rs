//! A record as a batch would leave it.

use crate::storage::Handle;
use std::fmt;
use std::ops::Deref;

/// A record as a batch would leave it, from [`Batch::get`](crate::Batch::get). Dereferences to the record.
///
/// ```
/// # use memdex::{Record, Store};
/// # use memdex::write::Pending;
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, visits: u64 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// users.insert(User { id: 1, visits: 0 })?;
/// let mut batch = store.batch();
/// assert!(matches!(batch.get(&users, 1)?, Some(Pending::Committed(_))));
/// batch.update(&users, 1, |user| user.visits += 1)?;
/// assert_eq!(batch.get(&users, 1)?.unwrap().visits, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum Pending<'a, R> {
    /// The committed record: no operation of the batch changes it.
    Committed(Handle<R>),
    /// The record that an operation of the batch brings.
    Brought(&'a R),
    /// The record that closures of the batch make.
    Computed(R),
}

impl<R> Deref for Pending<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        match self {
            Pending::Committed(record) => record,
            Pending::Brought(record) => record,
            Pending::Computed(record) => record,
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for Pending<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
