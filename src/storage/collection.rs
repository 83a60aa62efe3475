//! The handle that users hold on to a collection. Commands on it stand in `write`, queries in `read`.

use super::{Engine, Table};
use crate::record::{Record, Schema};
use crate::sync::Arc;
use std::fmt;

/// Records of one type under one key, with their indexes. Cheap to clone; clones are the same collection. It keeps its
/// store alive.
///
/// Get one from [`Store::collection`](crate::Store::collection).
pub struct Collection<R: Record> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) table: Arc<Table<R>>,
}

impl<R: Record> Collection<R> {
    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.table.name
    }

    /// The schema of its records.
    pub fn schema(&self) -> &Schema {
        &self.table.schema
    }
}

impl<R: Record> Clone for Collection<R> {
    fn clone(&self) -> Self {
        Collection { engine: self.engine.clone(), table: self.table.clone() }
    }
}

impl<R: Record> fmt::Debug for Collection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("name", &self.name()).finish_non_exhaustive()
    }
}
