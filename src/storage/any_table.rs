//! A table without its record type, as the engine keeps it.

use super::counters::Counters;
use super::fork::{BasePoint, CannotOpen};
use super::garbage::Garbage;
use super::rows::Rows;
use super::stats::CollectionStats;
use super::table::Table;
use super::table_core::TableCore;
use super::upkeep::Upkeep;
use super::verify::{self, Meter, VerifyError, VerifyReport};
use super::version::At;
use crate::clock::Timestamp;
use crate::error::Commit;
use crate::reclaim::Pass;
use crate::record::{Record, Schema};
use crate::sync::Arc;
use memdex_query::value::Key;
use std::any::{Any, type_name};

/// The end of a pin in one table.
pub(crate) struct Ended {
    /// All that nobody sees for that reason has been dropped.
    pub(crate) complete: bool,
    /// Other pins retain old states of the table.
    pub(crate) retains: bool,
}

/// See the head of this file.
pub(crate) trait AnyTable: Rows {
    fn name(&self) -> &str;
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> &Schema;
    /// No reader is at `ended` any longer: drops at most `budget` old states that nobody sees for that reason. Under the commit
    /// lock.
    fn end(&self, ended: Commit, pass: &Pass<'_>, budget: &mut usize, garbage: &mut Garbage) -> Ended;
    fn stats(&self, published: Commit, time: Timestamp) -> CollectionStats;
    /// Brings its statistics up to date. Returns the change of its memory since the last call. Under the commit lock.
    fn recount(&self) -> i64;
    /// One turn of upkeep. Returns the place at which to continue.
    fn upkeep(&self, at: Upkeep) -> Option<Upkeep>;
    /// How many checks an audit takes. Under the commit lock.
    fn checks(&self) -> u64;
    fn verify(&self, at: At, meter: &Meter<'_>) -> Result<VerifyReport, VerifyError>;
    /// Has all later commits to it refused. Returns the change of the heap memory of its records. Under the commit lock.
    fn set_dropped(&self) -> i64;
    fn is_dropped(&self) -> bool;
    /// The table of a fork over this one.
    fn fork(self: Arc<Self>, point: &BasePoint, counters: Arc<Counters>) -> Result<Arc<dyn AnyTable>, CannotOpen>;
    /// Whether a key has a record at a time, in the newest state.
    fn has_key(&self, key: &Key, hash: u32, time: Timestamp) -> bool;
    fn has_bound(&self) -> bool;
    /// Whether there are records at a commit, expired or not.
    fn has_records(&self, epoch: Commit) -> bool;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<R: Record> AnyTable for Table<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn type_name(&self) -> &'static str {
        type_name::<R>()
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn end(&self, ended: Commit, pass: &Pass<'_>, budget: &mut usize, garbage: &mut Garbage) -> Ended {
        let writer = &mut *self.writer();
        let complete = Table::end(self, writer, ended, pass, budget, garbage);
        garbage.memory += Table::recount(self, writer);
        Ended { complete, retains: self.retains(writer) }
    }

    fn stats(&self, published: Commit, time: Timestamp) -> CollectionStats {
        TableCore::stats(self, published, time)
    }

    fn recount(&self) -> i64 {
        Table::recount(self, &mut self.writer())
    }

    fn upkeep(&self, at: Upkeep) -> Option<Upkeep> {
        Table::upkeep(self, at)
    }

    fn checks(&self) -> u64 {
        verify::checks(self)
    }

    fn verify(&self, at: At, meter: &Meter<'_>) -> Result<VerifyReport, VerifyError> {
        verify::table(self, at, meter)
    }

    fn set_dropped(&self) -> i64 {
        self.gauges.set_dropped()
    }

    fn is_dropped(&self) -> bool {
        self.gauges.is_dropped()
    }

    fn fork(self: Arc<Self>, point: &BasePoint, counters: Arc<Counters>) -> Result<Arc<dyn AnyTable>, CannotOpen> {
        Ok(self.forked(point, counters)?)
    }

    fn has_key(&self, key: &Key, hash: u32, time: Timestamp) -> bool {
        let newest = match (self.keys.newest(hash, key.bytes()), &self.base) {
            (Some(newest), _) => newest,
            (None, None) => return false,
            (None, Some(base)) => return base.of_key(hash, key.bytes()).is_some(),
        };
        let is_there = !newest.is_tombstone() && !newest.deadline.is_past(time);
        self.let_go(newest);
        is_there
    }

    fn has_records(&self, epoch: Commit) -> bool {
        !self.all_rows.read().is_empty() || self.base.as_ref().is_some_and(|base| base.has_records(epoch))
    }

    fn has_bound(&self) -> bool {
        self.bound.read().is_some()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
