//! The handle that users hold on to a collection. Commands on it stand in `write`, queries in `read`.

use super::{Engine, Table, Version};
use crate::record::{Condition, Record, Schema};
use crate::sync::Arc;
use crate::value::{IntoKey, Lookup};
use std::fmt;

/// Records of one type under one key, with their indexes. Cheap to clone; clones are the same collection. It keeps its
/// store alive.
///
/// Get one from [`Store::collection`](crate::Store::collection).
pub struct Collection<R: Record> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) table: Arc<Table<R>>,
    /// Finds records for writes by predicate: handed over by who opens the collection, so that writes need not know of reads.
    pub(crate) evaluate: Evaluator<R>,
}

/// The records that meet a condition as of the newest commit. Runs extractors.
pub(crate) type Evaluator<R> = fn(&Collection<R>, &Condition) -> Vec<Arc<Version<R>>>;

impl<R: Record> Collection<R> {
    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.table.name
    }

    /// The schema of its records.
    pub fn schema(&self) -> &Schema {
        &self.table.schema
    }

    /// The version of a key that the newest commit shows. Pins nothing in the common case.
    #[inline]
    pub(crate) fn newest<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>) -> Option<Arc<Version<R>>> {
        let newest = self.table.keys.newest(lookup.hash, |key| lookup.matches(key))?;
        // `published` is read after the version was found: else the batch in flight could show through.
        if newest.begin <= self.engine.timeline.published() {
            return Some(newest);
        }
        drop(newest);
        self.newest_beside_commit(lookup)
    }

    /// A commit in flight has just changed this very key: what was there before it is safe to look for under a pin alone.
    #[cold]
    pub(crate) fn newest_beside_commit<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>) -> Option<Arc<Version<R>>> {
        let pinned = self.engine.pin();
        self.table.version_at(lookup.hash, |key| lookup.matches(key), pinned.epoch())
    }
}

impl<R: Record> Clone for Collection<R> {
    fn clone(&self) -> Self {
        Collection { engine: self.engine.clone(), table: self.table.clone(), evaluate: self.evaluate }
    }
}

impl<R: Record> fmt::Debug for Collection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("name", &self.name()).finish_non_exhaustive()
    }
}
