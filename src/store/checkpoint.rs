//! Checkpoints, and the way back to them.

use super::Store;
use crate::read::Snapshot;
use crate::write::{Checkpoint, Receipt, RollbackError, deadlines_of, restore, restore_collection};

impl Store {
    /// Remembers the present state, for [`rollback`](Store::rollback): for tests that share a store and leave it as they have found it, and
    /// for savepoints. Commits what was submitted to background writers before. Checkpoints nest.
    ///
    /// ```
    /// use memdex::{Record, Store};
    ///
    /// #[derive(Clone, Record)]
    /// struct Account { #[record(key)] id: u32, #[record(field)] cents: i64 }
    ///
    /// let store = Store::new();
    /// let accounts = store.collection::<Account>("Account")?;
    /// accounts.insert(Account { id: 1, cents: 500 })?;
    ///
    /// let before = store.checkpoint()?;
    /// accounts.update(1, |account| account.cents -= 300)?;
    /// accounts.insert(Account { id: 2, cents: 300 })?;
    /// store.rollback(&before)?;
    /// assert_eq!((accounts.len(), accounts.get(1).unwrap().cents), (1, 500));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Costs as much as a snapshot, and O(records) in collections whose records have lifetimes.
    ///
    /// # Errors
    /// [`RollbackError::Background`] if a background writer has died, and inside user code.
    pub fn checkpoint(&self) -> Result<Checkpoint, RollbackError> {
        self.engine.drain().map_err(RollbackError::Background)?;
        let snapshot = Snapshot::of_newest(&self.engine);
        let sequences = self.engine.keys.sequences();
        let tables = self.engine.tables().into_iter();
        let deadlines = tables.filter_map(|table| Some((table.name.to_string(), deadlines_of(&table, &snapshot)?)));
        let deadlines = deadlines.collect();
        Ok(Checkpoint { snapshot, sequences, deadlines })
    }

    /// Returns to a checkpoint, in one commit: to the records, what was left of their lifetimes, and the numbers of the named sequences.
    /// The checkpoint can be used again; those that were made after it can't.
    ///
    /// Schemas, indexes, bounds, the clock, and held snapshots stay as they are. Collections that were opened since are cleared, those
    /// that were dropped don't come back. Restored records are written by the new commit, so a condition on an earlier commit
    /// ([`if_unchanged`](crate::Collection::if_unchanged)) fails. Hooks and subscriptions see the changes. What was submitted to background writers
    /// is committed before.
    ///
    /// Rollbacks run one after another. An observer must not wait for one in another thread.
    ///
    /// Costs about as much as the commits that it undoes, and O(records) in collections whose records have lifetimes, if time has passed.
    /// It copies no record: a restored version refers to the earlier one.
    ///
    /// # Errors
    /// A [`RollbackError`], and nothing has changed: the checkpoint is of another store, or undone by a rollback to an earlier one; a
    /// background writer has died; or the commit is refused, by a constraint or a hook that was added since, inside user code, or because other
    /// threads keep committing.
    pub fn rollback(&self, to: &Checkpoint) -> Result<Receipt, RollbackError> {
        if !to.snapshot.is_of(&self.engine) {
            return Err(RollbackError::OtherStore);
        }
        self.engine.drain().map_err(RollbackError::Background)?;
        let mut undone = self.undone.lock();
        if let Some(by) = undone.by(to.commit()) {
            return Err(RollbackError::Undone { checkpoint: to.commit(), by });
        }
        let receipt = restore(&self.engine, |batch, now| {
            let tables = self.engine.tables();
            tables.iter().try_for_each(|table| restore_collection(&self.engine, table, batch, to, now))
        })?;
        undone.add(to.commit(), receipt.commit);
        drop(undone);
        self.engine.keys.set_numbers(&to.sequences);
        Ok(receipt)
    }
}
