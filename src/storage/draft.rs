//! A record that is not in the store yet.

use super::any_version::{AnyVersion, SharedVersion, typed};
use super::deadline::Deadline;
use super::version::{ARC_HEADER, Head, Stored, Version};
use crate::error::Commit;
use crate::record::Record;
use crate::sync::Arc;
use memdex_query::value::Key;
use std::any::Any;
use std::ops::Deref;

/// A record on its way into the store. It is a version from the beginning, so that the commit does not move it; until then nothing else
/// refers to it.
///
/// While a panic unwinds, a version catches a panic of the record's `Drop`. A draft does not, so that its holder can count it.
pub(crate) struct Draft(
    /// Empty only in `into_record` and `into_version`.
    Option<SharedVersion>,
);

impl Draft {
    pub(crate) fn new<R: Record>(record: R) -> Self {
        let head = Head { begin: Commit::ZERO, row: 0, hash: 0, deadline: Deadline::none(), key: Key::none() };
        Draft(Some(Arc::new(Version { head, stored: Stored::Own(record) })))
    }

    /// The version, to change its record.
    pub(crate) fn version_mut(&mut self) -> &mut dyn AnyVersion {
        match self.0.as_mut().and_then(Arc::get_mut) {
            Some(version) => version,
            None => unreachable!("nothing else refers to a draft"),
        }
    }

    pub(crate) fn record_mut<R: Record>(&mut self) -> Option<&mut R> {
        match &mut (self.version_mut() as &mut dyn Any).downcast_mut::<Version<R>>()?.stored {
            Stored::Own(record) => Some(record),
            _ => None,
        }
    }

    /// The record again.
    pub(crate) fn into_record<R: Record>(mut self) -> Option<R> {
        Arc::into_inner(typed::<R>(self.0.take()?)?)?.take_own()
    }

    /// The version that a commit writes.
    pub(crate) fn into_version(mut self, head: Head) -> SharedVersion {
        *self.version_mut().head_mut() = head;
        match self.0.take() {
            Some(version) => version,
            None => unreachable!("{EMPTY}"),
        }
    }

    /// Undoes [`into_version`](Self::into_version). The version must own its record, and nothing else may refer to it.
    pub(crate) fn of_version(version: SharedVersion) -> Self {
        Draft(Some(version))
    }

    /// The memory that it takes, without the heap memory of the record.
    pub(crate) fn bytes(&self) -> usize {
        ARC_HEADER + size_of_val(&**self)
    }
}

const EMPTY: &str = "a version is taken out of a draft only with the draft";

impl Deref for Draft {
    type Target = dyn AnyVersion;

    #[inline]
    fn deref(&self) -> &dyn AnyVersion {
        match &self.0 {
            Some(version) => &**version,
            None => unreachable!("{EMPTY}"),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(version) = self.0.as_mut().and_then(Arc::get_mut) {
            version.drop_record();
        }
    }
}
