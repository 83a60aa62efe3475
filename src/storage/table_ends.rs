//! Questions of the store to a table, outside of commits and reads: ends of pins, memory, audits, whether it has records.

use super::garbage::Garbage;
use super::table::Table;
use super::verify::{self, Meter, VerifyError, VerifyReport};
use super::version::At;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::reclaim::Pass;
use memdex_query::value::Key;

/// The end of a pin in one table.
pub(crate) struct Ended {
    /// All that nobody sees for that reason has been dropped.
    pub(crate) complete: bool,
    /// Other pins retain old states of the table.
    pub(crate) retains: bool,
}

impl Table {
    /// No reader is at `ended` any longer: drops at most `budget` old states that nobody sees for that reason. Under the commit
    /// lock.
    pub(crate) fn end_pin(&self, ended: Commit, pass: &Pass<'_>, budget: &mut usize, garbage: &mut Garbage) -> Ended {
        let writer = &mut *self.writer();
        let complete = self.end(writer, ended, pass, budget, garbage);
        garbage.memory += self.recount(writer);
        Ended { complete, retains: self.retains(writer) }
    }

    /// Brings its statistics up to date. Returns the change of its memory since the last call. Under the commit lock.
    pub(crate) fn recount_all(&self) -> i64 {
        self.recount(&mut self.writer())
    }

    /// How many checks an audit takes. Under the commit lock.
    pub(crate) fn checks_of_audit(&self) -> u64 {
        verify::checks(self)
    }

    pub(crate) fn verify(&self, at: At, meter: &Meter<'_>) -> Result<VerifyReport, VerifyError> {
        verify::table(self, at, meter)
    }

    /// Has all later commits to it refused. Returns the change of the heap memory of its records. Under the commit lock.
    pub(crate) fn set_dropped(&self) -> i64 {
        self.gauges.set_dropped()
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.gauges.is_dropped()
    }

    /// Whether a key has a record at a time, in the newest state.
    pub(crate) fn has_key(&self, key: &Key, hash: u32, time: Timestamp) -> bool {
        let newest = match (self.keys.newest(hash, key.bytes()), &self.base) {
            (Some(newest), _) => newest,
            (None, None) => return false,
            (None, Some(base)) => return base.of_key(hash, key.bytes()).is_some(),
        };
        let is_there = newest.is_alive(time);
        self.let_go(newest);
        is_there
    }

    /// Whether there are records at a commit, expired or not.
    pub(crate) fn has_records(&self, epoch: Commit) -> bool {
        !self.all_rows.read().is_empty() || self.base.as_ref().is_some_and(|base| base.has_records(epoch))
    }

    pub(crate) fn has_bound(&self) -> bool {
        self.bound.read().is_some()
    }
}
