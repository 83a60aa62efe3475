//! Whole questions as plain data, put to collections by their names.

use super::find::Find;
use super::page::Page;
use super::search::{Hit, Searched};
use super::snapshot::Snapshot;
use super::statistics::Summary;
use crate::error::QueryError;
use crate::query::{Ask, Query};
use crate::record::Record;
use crate::storage::{AnyTable, Asker, Collection, Engine, Table};
use crate::sync::Arc;

/// The answer to a [`Query`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// Records, or a page of them.
    Records(Page<Hit>),
    /// Figures about them.
    Summary(Summary),
}
