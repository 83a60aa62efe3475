//! What a commit reports: the receipt, or the refusal with the batch.

use super::{Batch, Outcome};
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, Refusal};
use std::error::Error;
use std::fmt;
use std::ops::AddAssign;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a commit has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its number. An empty batch makes no commit: then it is the newest one.
    pub commit: Commit,
    /// When it was committed, by the store's clock.
    pub at: Timestamp,
    /// How long the call took, waiting for its turn, settling and telling observers included.
    pub took: Duration,
    /// What its operations did.
    pub counts: Counts,
}

/// Operations by what they did; those by predicate by the records that they changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records that were not there before: by store, insert or upsert.
    pub inserted: usize,
    /// Records replaced as a whole, by store.
    pub replaced: usize,
    /// Records changed by a closure: by update, try_update, upsert or update_where.
    pub updated: usize,
    /// Records deleted.
    pub deleted: usize,
    /// Deletes that found no record; a delete_where that met none is counted nowhere.
    pub missing: usize,
}

impl Counts {
    /// All together: the number of operations, if none of them was by predicate.
    pub fn total(&self) -> usize {
        self.inserted + self.replaced + self.updated + self.deleted + self.missing
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        let (count, records) = match outcome {
            Outcome::Created => (&mut self.inserted, 1),
            Outcome::Replaced => (&mut self.replaced, 1),
            Outcome::Updated => (&mut self.updated, 1),
            Outcome::Deleted => (&mut self.deleted, 1),
            Outcome::Missing => (&mut self.missing, 1),
            Outcome::UpdatedWhere(records) => (&mut self.updated, records),
            Outcome::DeletedWhere(records) => (&mut self.deleted, records),
            Outcome::Refused => return,
        };
        *count += records;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.inserted += other.inserted;
        self.replaced += other.replaced;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.missing += other.missing;
    }
}

/// A refused batch: it has touched nothing, and here it is back.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let mut batch = store.batch();
/// batch.store(&users, User { id: 1 })?;
/// batch.update(&users, 2, |_| ())?;
/// let refused = batch.commit().unwrap_err();
/// assert_eq!(refused.refusal().position(), Some(1));
/// let mut batch = refused.into_batch();
/// batch.remove(1);
/// assert_eq!(batch.commit()?.counts.inserted, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Refused {
    refusal: Refusal,
    // Only to be `Sync`, so that the error passes through `Box<dyn Error + Send + Sync>`.
    batch: Mutex<Batch>,
}

impl Refused {
    pub(super) fn new(refusal: Refusal, batch: Batch) -> Self {
        Refused { refusal, batch: Mutex::new(batch) }
    }

    /// Which operation, and why.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        self.refusal.cause()
    }

    /// The refusal, and the batch as it was.
    pub fn into_parts(self) -> (Refusal, Batch) {
        (self.refusal, self.batch.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The batch as it was.
    pub fn into_batch(self) -> Batch {
        self.into_parts().1
    }

    /// The refusal alone; the batch is dropped.
    pub fn into_refusal(self) -> Refusal {
        self.refusal
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.refusal.source()
    }
}
