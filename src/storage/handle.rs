//! The owned handle that reads return.

use super::Version;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::sync::Arc;
use memdex_query::value::Key;
use std::fmt;
use std::ops::Deref;

/// A record at some commit: it derefs to the record, is owned, holds no lock, and costs one reference count. It does not
/// change when the collection changes.
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
/// assert_eq!((before.commit().get(), users.get(1).unwrap().commit().get()), (1, 2));
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

    pub(crate) fn version(&self) -> &Arc<Version<R>> {
        &self.0
    }

    /// The record's key.
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// The commit that wrote this state of the record. Conditional writes compare it with the newest one.
    pub fn commit(&self) -> Commit {
        self.0.written()
    }

    /// When the record expires: from this time on it counts as missing. `None` if never. A read may move it later meanwhile; see
    /// [`DefaultLifetime::Sliding`](crate::write::DefaultLifetime::Sliding).
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.deadline.time()
    }

    /// A copy of the record.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, visits: u64 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, visits: 0 })?;
    /// let mut user: User = users.get(1).ok_or("no such user")?.cloned();
    /// user.visits += 1;
    /// users.store(user)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cloned(&self) -> R
    where
        R: Clone,
    {
        (**self).clone()
    }

    /// The record itself: moved out if this is the last reference to it, copied otherwise. While the collection holds this
    /// state of the record, it has a reference.
    pub fn into_inner(self) -> R
    where
        R: Clone,
    {
        match Arc::try_unwrap(self.0) {
            Ok(mut version) => version.take_own().unwrap_or_else(|| Handle(Arc::new(version)).cloned()),
            Err(shared) => Handle(shared).cloned(),
        }
    }
}

impl<R> Deref for Handle<R> {
    type Target = R;

    #[inline]
    fn deref(&self) -> &R {
        match self.0.record() {
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

#[cfg(feature = "serde")]
impl<R: serde::Serialize> serde::Serialize for Handle<R> {
    /// As the record.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
