//! What a table knows of the type of its records.

use super::any_version::AnyVersion;
use super::change::Change;
use super::changes::{ProposedList, proposed};
use super::draft::Draft;
use super::key_table::{AnyKeyTable, KeyTable};
use super::pages::{AnyPages, Pages};
use super::record_change::{ChangeList, RawChange, RecordChange};
use super::version::{Stored, version_bytes};
use crate::record::{Access, Record};
use crate::sync::Arc;
use std::any::{TypeId, type_name};

/// See the head of this file.
#[derive(Clone, Copy)]
pub(crate) struct RecordType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
    /// The size of a record, without what it points to.
    #[cfg(feature = "testing")]
    pub(crate) size: usize,
    /// The size of a version with its record, without what these point to.
    pub(super) version: usize,
    /// The part of it that holds the record.
    pub(super) stored: usize,
    /// Whether the type has no schema of its own, as documents.
    pub(crate) is_untyped: bool,
    /// Clones a record, if references need that.
    pub(crate) cloner: Option<fn(&dyn AnyVersion) -> Option<Draft>>,
    /// The changes of a commit as users see them.
    pub(super) told: fn(Vec<RawChange>) -> Arc<dyn ChangeList>,
    /// The same, before the commit.
    pub(super) proposed: fn(&[Change]) -> Box<dyn ProposedList>,
    /// An empty key table with so many shards, a power of two.
    pub(super) keys: fn(usize) -> Arc<dyn AnyKeyTable>,
    pub(super) pages: fn() -> Arc<dyn AnyPages>,
}

impl RecordType {
    pub(crate) fn of<R: Record>() -> Self {
        RecordType {
            id: TypeId::of::<R>(),
            name: type_name::<R>(),
            #[cfg(feature = "testing")]
            size: size_of::<R>(),
            version: version_bytes::<R>(),
            stored: size_of::<Stored<R>>(),
            is_untyped: R::opened_with().is_some(),
            cloner: R::cloner().map(|_| cloned::<R> as fn(&dyn AnyVersion) -> Option<Draft>),
            told: |changes| Arc::new(changes.into_iter().map(RecordChange::<R>::from_raw).collect::<Vec<_>>()),
            proposed: proposed::<R>,
            keys: |shards| Arc::new(KeyTable::<R>::new(shards)),
            pages: || Arc::new(Pages::<R>::new()),
        }
    }
}

fn cloned<R: Record>(version: &dyn AnyVersion) -> Option<Draft> {
    Some(Draft::new(R::cloner()?(version.record_as::<R>()?)))
}
