//! Checkpoints, and the way back to them: one commit that restores the records that have changed since.
//!
//! A checkpoint pins its commit, so the versions that it saw are kept, and a rollback writes them again by reference. The commit goes the
//! way of every other: it is judged, told to hooks and subscriptions, and refused whole if a constraint that was added meanwhile does
//! not allow the earlier state.

use super::attribution::CommitOptions;
use super::batch::Batch;
use super::operation::Operation;
use super::receipt::Receipt;
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, Refusal};
use crate::read::Snapshot;
use crate::rowset::Row;
use crate::storage::{AnyVersion, At, Engine, SharedVersion, Table};
use crate::sync::Arc;
use std::collections::HashMap;
use std::time::Duration;

/// A state of a store to which [`Store::rollback`](crate::Store::rollback) returns, from [`Store::checkpoint`](crate::Store::checkpoint).
/// While it is held, the store retains the versions that it saw, as for a [`Snapshot`].
#[derive(Debug)]
pub struct Checkpoint {
    pub(crate) snapshot: Snapshot,
    /// The next numbers of the sequences.
    pub(crate) sequences: Vec<(Box<str>, u64)>,
    /// The deadlines in collections whose records have lifetimes, by name. Reads may move those of the versions that the checkpoint sees.
    pub(crate) deadlines: HashMap<String, DeadlinesByVersion>,
}

/// By row and first commit: a fork also sees versions in the rows of its base, which it numbers apart.
pub(crate) type DeadlinesByVersion = HashMap<(Row, Commit), Timestamp>;

impl Checkpoint {
    /// The commit at which it was made.
    pub fn commit(&self) -> Commit {
        self.snapshot.commit()
    }

    /// When it was made, by the clock of the store.
    pub fn time(&self) -> Timestamp {
        self.snapshot.time()
    }
}

/// Why a store does not return to a checkpoint. Nothing has changed.
///
/// ```
/// use memdex::Store;
/// use memdex::write::RollbackError;
/// # use memdex::Record;
/// # #[derive(Record)] struct User { #[record(key)] id: u32 }
/// let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// let outer = store.checkpoint()?;
/// users.store(User { id: 1 })?;
/// let inner = store.checkpoint()?;
/// users.store(User { id: 2 })?;
/// store.rollback(&outer)?;
/// assert!(matches!(store.rollback(&inner), Err(RollbackError::Undone { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// The checkpoint belongs to another store.
    #[error("the checkpoint belongs to another store: use it with the store that made it")]
    OtherStore,
    /// The store has returned to an earlier checkpoint since this one was made.
    #[error(
        "the checkpoint at commit {checkpoint} is undone: commit {by} has returned to an earlier one; make another checkpoint after a rollback"
    )]
    #[non_exhaustive]
    Undone {
        /// The commit of the checkpoint.
        checkpoint: Commit,
        /// The commit of the rollback.
        by: Commit,
    },
    /// A background writer could not commit its queue before.
    #[error("a background writer can't commit its queue before the rollback: {0}; drop the writer")]
    Background(String),
    /// The commit is refused: by a constraint or a hook that was added since, or because the store refuses writes.
    #[error("the state of the checkpoint is refused: {0}")]
    Refused(#[from] Refusal),
}

/// The rollbacks of a store: from the commit after the checkpoint to that of the rollback. Ascending, and apart from each other.
#[derive(Default)]
pub(crate) struct Undone(Vec<(Commit, Commit)>);

impl Undone {
    /// The rollback by which a checkpoint at a commit is undone.
    pub(crate) fn by(&self, checkpoint: Commit) -> Option<Commit> {
        let undoes = |(after, by): &&(Commit, Commit)| *after < checkpoint && checkpoint < *by;
        self.0.iter().find(undoes).map(|(_, by)| *by)
    }

    pub(crate) fn add(&mut self, checkpoint: Commit, by: Commit) {
        self.0.retain(|(after, _)| *after < checkpoint);
        self.0.push((checkpoint, by));
    }
}

/// Restores an earlier state: `compare` adds the operations that lead there from the state of a snapshot, the newest.
pub(crate) fn restore(
    engine: &Arc<Engine>,
    compare: impl Fn(&mut Batch, &Snapshot) -> Result<(), Refusal>,
) -> Result<Receipt, Refusal> {
    /// After so many commits of other threads in between, the rollback is refused.
    const TRIES: usize = 1_000;
    let mut tries = 0;
    loop {
        let now = Snapshot::of_newest(engine);
        let mut batch = Batch::new(engine.clone());
        compare(&mut batch, &now)?;
        if batch.is_empty() {
            return batch.flush();
        }
        // Other commits may come between the comparison and this one.
        let options = CommitOptions { only_after: Some(now.commit()), ..CommitOptions::default() };
        drop(now);
        match batch.flush_with(options) {
            Err(refusal) if matches!(refusal.cause(), Cause::Stale { .. }) && tries < TRIES => tries += 1,
            done => return done.map(|report| report.receipt),
        }
    }
}

/// The deadlines of all records of a collection, if any record has ever had one.
pub(crate) fn deadlines_of(table: &Table, snapshot: &Snapshot) -> Option<DeadlinesByVersion> {
    if !table.deadlines.have_been_used() {
        return None;
    }
    let mut deadlines = HashMap::new();
    let at = At::any_time(snapshot.commit());
    table.each_at(at, &mut |version| {
        deadlines.extend(version.deadline.time().map(|deadline| ((version.row, version.begin), deadline)));
    });
    Some(deadlines)
}

/// Adds the operations that bring a collection from its state at `now`, the newest commit, to that of a checkpoint.
pub(crate) fn restore_collection(
    engine: &Arc<Engine>,
    table: &Arc<Table>,
    batch: &mut Batch,
    to: &Checkpoint,
    now: &Snapshot,
) -> Result<(), Refusal> {
    let (epoch, time) = (to.snapshot.commit(), to.snapshot.time());
    let moved = to.deadlines.get(&*table.name);
    // What is left of the lifetime of a record at the checkpoint; `None` if it had expired by then.
    let lifetime = |version: &dyn AnyVersion| {
        let deadline = moved
            .and_then(|moved| moved.get(&(version.row, version.begin)).copied())
            .or_else(|| version.deadline.time());
        match deadline {
            None => Some(None),
            Some(deadline) => deadline.checked_duration_since(time).filter(|left| !left.is_zero()).map(Some),
        }
    };
    let restore = |batch: &mut Batch, version: SharedVersion, left: Option<Duration>| {
        batch.add_to(engine, table, Ok(Operation::of_restored(version, left)))
    };

    // 1. The keys of all rows that have changed.
    for newest in table.changed_since(epoch) {
        let seen = table.seen(newest.hash, newest.key.bytes(), epoch);
        let seen = seen.and_then(|seen| lifetime(&*seen).map(|left| (seen, left)));
        match seen {
            Some((seen, left)) if left.is_some() || !is_same(&seen, &newest) => restore(batch, seen, left)?,
            Some(_) => {}
            None if newest.is_tombstone() => {}
            None => batch.add_to(engine, table, Ok(Operation::of_deleted(newest.key.clone(), newest.hash)))?,
        }
    }

    // 2. The clock has gone on: the other records get what was left of their lifetimes.
    if table.deadlines.have_been_used() && now.time() > time {
        let mut with_lifetime = Vec::new();
        table.each_at(At::any_time(epoch), &mut |version| {
            let newest = table.keys.newest(version.hash, version.key.bytes());
            let is_unchanged = newest.is_some_and(|newest| Arc::ptr_eq(&newest, version));
            if is_unchanged && let Some(Some(left)) = lifetime(&**version) {
                with_lifetime.push((version.clone(), left));
            }
        });
        for (version, left) in with_lifetime {
            restore(batch, version, Some(left))?;
        }
    }
    Ok(())
}

/// Whether two versions have the same record, written by the same commit.
fn is_same(a: &SharedVersion, b: &SharedVersion) -> bool {
    fn owner(version: &SharedVersion) -> SharedVersion {
        version.owner().map_or_else(|| version.clone(), |owned| owner(&owned))
    }
    a.written() == b.written() && Arc::ptr_eq(&owner(a), &owner(b))
}
