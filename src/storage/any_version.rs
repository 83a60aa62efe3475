//! A version without its record type, as reads and cached answers see it.

use super::deadline::Deadline;
use super::version::Version;
use crate::error::Commit;
use crate::record::{Access, FieldAt, FieldSource, Record};
use crate::rowset::Row;
use crate::sync::Arc;
use memdex_query::value::{Key, ValueRef};
use std::any::Any;

/// A version of any record type.
pub(crate) trait AnyVersion: Any + Send + Sync {
    /// The commit that wrote its record.
    fn written(&self) -> Commit;
    fn row(&self) -> Row;
    fn key(&self) -> &Key;
    fn deadline(&self) -> &Deadline;
    /// `None` for a tombstone.
    fn record(&self) -> Option<&dyn FieldSource>;
}

impl<R: Record> AnyVersion for Version<R> {
    fn written(&self) -> Commit {
        Version::written(self)
    }

    fn row(&self) -> Row {
        self.row
    }

    fn key(&self) -> &Key {
        &self.key
    }

    fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    fn record(&self) -> Option<&dyn FieldSource> {
        (!self.is_tombstone()).then_some(self)
    }
}

/// The fields of its record.
impl<R: Record> FieldSource for Version<R> {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        self.record().map_or(ValueRef::Null, |record| record.value_at(field))
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        if let Some(record) = self.record() {
            record.values_at(field, each);
        }
    }

    fn elements_at(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource)) {
        if let Some(record) = self.record() {
            record.elements_at(field, each);
        }
    }
}

/// A version that queries pass on.
pub(crate) type SharedVersion = Arc<dyn AnyVersion>;

/// The version with its record type; `None` if it has another one.
pub(crate) fn typed<R: Record>(version: SharedVersion) -> Option<Arc<Version<R>>> {
    let any: Arc<dyn Any + Send + Sync> = version;
    any.downcast().ok()
}
