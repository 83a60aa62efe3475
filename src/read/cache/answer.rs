//! An answer, fresh or from the cache.

use crate::error::Commit;
use crate::sync::Arc;
use std::fmt;
use std::ops::Deref;

/// The answer to a query through the [cache](crate::query::cache). It derefs to the answer, which it shares with the cache and with other readers:
/// a clone costs one reference count.
pub struct Answer<T> {
    pub(super) answer: Arc<T>,
    pub(super) is_cached: bool,
    pub(super) from: Commit,
    pub(super) commit: Commit,
}

impl<T> Answer<T> {
    /// Whether it comes from the cache.
    pub fn is_cached(&self) -> bool {
        self.is_cached
    }

    /// The commit at which it was computed, or the last one that changed it. If the answer is exact, no later commit up to
    /// [`commit`](Answer::commit) concerns it.
    pub fn from_commit(&self) -> Commit {
        self.from
    }

    /// The commit for which it was asked. Unless an age was allowed, it is the exact answer at that commit.
    pub fn commit(&self) -> Commit {
        self.commit
    }

    /// The shared answer.
    pub fn into_shared(self) -> Arc<T> {
        self.answer
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.answer
    }
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Answer { answer: self.answer.clone(), ..*self }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("answer", &self.answer)
            .field("is_cached", &self.is_cached)
            .field("from_commit", &self.from)
            .field("commit", &self.commit)
            .finish()
    }
}
