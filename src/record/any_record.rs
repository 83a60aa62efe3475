//! A record without its Rust type, so that code that reads fields is compiled once, in this crate, and not for each record type.

use super::{FieldAt, Record};
use crate::value::ValueRef;

/// The fields of a record. Implemented by every [`Record`].
pub(crate) trait AnyRecord {
    /// The value of a field with a single value. Runs its extractor.
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_>;

    /// Passes each value of a field to `each`. Runs its extractor.
    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>));
}

impl<R: Record> AnyRecord for R {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        Record::value_at(self, field)
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        Record::values_at(self, field, each);
    }
}
