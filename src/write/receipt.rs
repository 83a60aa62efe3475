//! The receipt that a commit returns.

use super::outcome::Outcome;
use crate::clock::Timestamp;
use crate::error::Commit;
use std::ops::AddAssign;
use std::time::Duration;

/// A summary of a commit.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let users = Store::new().collection::<User>("User")?;
/// let receipt = users.insert(User { id: 1 })?;
/// assert_eq!((receipt.commit.get(), receipt.counts.inserted), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Receipt {
    /// The number of the commit. An empty batch makes no commit: then this is the newest one.
    pub commit: Commit,
    /// The time of the commit, by the store's clock.
    pub at: Timestamp,
    /// How long the call took. Includes waiting for the commit lock, reclamation, and delivery to hooks.
    pub took: Duration,
    /// The effects of the operations, counted.
    pub counts: Counts,
}

/// Counts of operations by what they did. An operation by filter counts once for each record that it changed.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let receipt = store.commit(|batch| {
///     batch.insert(&users, User { id: 1 })?;
///     batch.delete(&users, 2)
/// })?;
/// assert_eq!((receipt.counts.inserted, receipt.counts.missing, receipt.counts.total()), (1, 1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counts {
    /// New records: by store, insert or upsert.
    pub inserted: usize,
    /// Records replaced as a whole, by store.
    pub replaced: usize,
    /// Records changed by a closure: by update, upsert or update_where.
    pub updated: usize,
    /// Records deleted.
    pub deleted: usize,
    /// Deletes that found no record. A `delete_where` that selects none counts nowhere.
    pub missing: usize,
    /// Records that had expired and were removed. They are no operations' own, so the total is without them.
    pub expired: usize,
    /// Records that a [reference](crate::schema::Reference) has deleted or changed, because the record to which they refer was deleted or has
    /// moved to another key. As above, not in the total.
    pub cascaded: usize,
    /// Records that were evicted because of the [`Bound`](crate::write::Bound) of their collection. As above, not in the total.
    pub evicted: usize,
}

impl Counts {
    /// The sum of the others but `expired`, `cascaded` and `evicted`: the number of operations, if none of them was by filter.
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
        self.expired += other.expired;
        self.evicted += other.evicted;
        self.cascaded += other.cascaded;
    }
}
