//! A table with the type of its records: the reads that are compiled for each type, since they are the most frequent ones.

use super::any_version::typed;
use super::key_table::KeyTable;
use super::pages::Pages;
use super::table::Table;
use super::version::{At, Version};
use crate::record::{Lookup, Record};
use crate::rowset::Row;
use crate::sync::Arc;
use memdex_query::value::IntoKey;
use std::any::Any;
use std::ops::Deref;

pub(crate) struct TableOf<R> {
    table: Arc<Table>,
    /// The key table and the pages of the table.
    keys: Arc<KeyTable<R>>,
    pages: Arc<Pages<R>>,
}

impl<R> Deref for TableOf<R> {
    type Target = Arc<Table>;

    #[inline]
    fn deref(&self) -> &Arc<Table> {
        &self.table
    }
}

impl<R> Clone for TableOf<R> {
    fn clone(&self) -> Self {
        TableOf { table: self.table.clone(), keys: self.keys.clone(), pages: self.pages.clone() }
    }
}

impl<R: Record> TableOf<R> {
    /// The table, if its records are of this type.
    pub(crate) fn new(table: Arc<Table>) -> Option<Self> {
        let keys: Arc<dyn Any + Send + Sync> = table.keys.clone();
        let pages: Arc<dyn Any + Send + Sync> = table.pages.clone();
        Some(TableOf { table, keys: keys.downcast().ok()?, pages: pages.downcast().ok()? })
    }

    pub(crate) fn shared(&self) -> Arc<Table> {
        self.table.clone()
    }

    /// The newest version of a key, published or in flight.
    #[inline]
    pub(crate) fn newest<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>) -> Option<Arc<Version<R>>> {
        let candidate = self.keys.newest_with_hash(lookup.hash)?;
        if lookup.matches(&candidate.key) {
            return Some(candidate);
        }
        self.newest_despite(candidate, lookup)
    }

    /// Another key has the same hash.
    #[cold]
    fn newest_despite<Q: IntoKey<R::Key>>(
        &self,
        other: Arc<Version<R>>,
        lookup: &Lookup<'_, Q>,
    ) -> Option<Arc<Version<R>>> {
        self.let_go(other);
        self.keys.find(lookup.hash, lookup.encoded(&self.seed).bytes())
    }

    /// Adds the versions of these rows, which ascend strictly, that a reader sees; see [`AnyPages::fetch`](super::pages::AnyPages::fetch).
    pub(crate) fn fetch(&self, rows: &[Row], at: At, found: &mut Vec<Arc<Version<R>>>) {
        self.pages.fetch_into(rows, at, found);
    }

    /// The version of a key that a reader, whose epoch is pinned, sees, unless it has expired.
    pub(crate) fn version_at<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>, at: At) -> Option<Arc<Version<R>>> {
        let Some(newest) = self.newest(lookup) else { return self.of_base(lookup) };
        if newest.begin <= at.epoch && !newest.deadline.is_past(at.time) {
            return Some(newest);
        }
        typed(self.seen_from(newest, at)?)
    }

    /// The version of a key with which a fork began, for a key that the fork's own table does not know.
    #[cold]
    pub(crate) fn of_base<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>) -> Option<Arc<Version<R>>> {
        let key = lookup.encoded(&self.seed);
        typed(self.base.as_ref()?.of_key(lookup.hash, key.bytes())?.1)
    }
}
