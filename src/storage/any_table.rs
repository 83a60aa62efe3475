//! A table without its record type, as the engine keeps it.

use super::garbage::Garbage;
use super::rows::Rows;
use super::stats::{self, CollectionStats, MemoryStats};
use super::table::Table;
use super::upkeep::Upkeep;
use super::verify::{self, VerifyError, VerifyReport};
use crate::error::Commit;
use crate::reclaim::Backlog;
use crate::record::{Record, Schema};
use crate::sync::Arc;
use std::any::{Any, type_name};

/// See the head of this file.
pub(crate) trait AnyTable: Rows {
    fn name(&self) -> &str;
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> &Schema;
    /// Reclaims what earlier commits left, at most `budget` versions. Says what is left then.
    fn reclaim_backlog(
        &self,
        pinned: &[Commit],
        published: Commit,
        budget: &mut usize,
        garbage: &mut Garbage,
    ) -> Backlog;
    fn stats(&self, published: Commit) -> CollectionStats;
    fn memory(&self) -> MemoryStats;
    /// By how much the counted bytes have changed since the last call, wrapping around. Under the commit lock.
    fn newly_counted(&self) -> u64;
    /// One slice of upkeep; where to go on.
    fn upkeep(&self, at: Upkeep) -> Option<Upkeep>;
    fn verify(&self, published: Commit) -> Result<VerifyReport, VerifyError>;
    /// Has all later commits to it refused. Under the commit lock.
    fn set_dropped(&self);
    fn is_dropped(&self) -> bool;
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

    fn reclaim_backlog(
        &self,
        pinned: &[Commit],
        published: Commit,
        budget: &mut usize,
        garbage: &mut Garbage,
    ) -> Backlog {
        self.reclaim_backlog(pinned, published, budget, garbage)
    }

    fn stats(&self, published: Commit) -> CollectionStats {
        stats::of_table(self, published)
    }

    fn memory(&self) -> MemoryStats {
        let indexes = self.indexes().iter().map(|index| index.heap_bytes()).sum();
        let aggregate_stats = self.aggregates().iter().map(|aggregate| aggregate.heap_bytes()).sum();
        stats::memory_of(self, indexes, aggregate_stats)
    }

    fn newly_counted(&self) -> u64 {
        self.figures.newly_counted()
    }

    fn upkeep(&self, at: Upkeep) -> Option<Upkeep> {
        Table::upkeep(self, at)
    }

    fn verify(&self, published: Commit) -> Result<VerifyReport, VerifyError> {
        verify::table(self, published)
    }

    fn set_dropped(&self) {
        self.figures.set_dropped();
    }

    fn is_dropped(&self) -> bool {
        self.figures.is_dropped()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
