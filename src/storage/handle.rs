//! The owned handle that reads give out.

use super::Version;
use crate::error::Commit;
use crate::sync::Arc;
use crate::value::Key;
use std::fmt;
use std::ops::Deref;

/// A record as of some commit: derefs to it, is owned, holds no lock, and costs one reference count. It stays as it is
/// however the collection changes.
///
/// ```
/// # use memdex::{Record, Store};
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32, visits: u64 }
/// let users = Store::new().collection::<User>("User")?;
/// users.store(User { id: 1, visits: 0 })?;
/// let before = users.get(1).unwrap();
/// users.update(1, |user| user.visits += 1)?;
/// assert_eq!((before.visits, users.get(1).unwrap().visits), (0, 1));
/// assert_eq!((before.commit(), users.get(1).unwrap().commit()), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handle<R>(Arc<Version<R>>);

impl<R> Handle<R> {
    /// The record of a version; `None` for a tombstone.
    #[inline]
    pub(crate) fn of(version: Arc<Version<R>>) -> Option<Self> {
        if version.is_tombstone() { None } else { Some(Handle(version)) }
    }

    /// The record of a version that is known to have one.
    #[inline]
    pub(crate) fn live(version: Arc<Version<R>>) -> Self {
        debug_assert!(!version.is_tombstone());
        Handle(version)
    }

    /// The record's key.
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// The commit that wrote the record as it is here. Conditional writes take it as the caller's last sight of it.
    pub fn commit(&self) -> Commit {
        self.0.begin
    }
}

impl<R> Deref for Handle<R> {
    type Target = R;

    #[inline]
    fn deref(&self) -> &R {
        match &self.0.record {
            Some(record) => record,
            None => unreachable!("a handle is made from a version that holds a record"),
        }
    }
}

impl<R> AsRef<R> for Handle<R> {
    fn as_ref(&self) -> &R {
        self
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Handle(self.0.clone())
    }
}

impl<R: fmt::Debug> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<R: fmt::Display> fmt::Display for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<R: PartialEq> PartialEq for Handle<R> {
    /// Compares the records, not when they were written.
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<R: Eq> Eq for Handle<R> {}
