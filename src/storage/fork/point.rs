//! Where a fork begins: a table at a pinned commit.

use super::super::version::At;
use crate::index::Catalog;
use crate::sync::Arc;
use std::any::Any;

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct BasePoint {
    /// Keeps the commit pinned.
    pub(crate) pin: Arc<dyn Any + Send + Sync>,
    /// The commit, and the time of the fork.
    pub(crate) at: At,
    /// The indexes and materialized aggregates at that time.
    pub(crate) catalog: Catalog,
    /// Whether reads of the table had extended lifetimes before: then the fork copies it at once.
    pub(crate) has_slid: bool,
}
