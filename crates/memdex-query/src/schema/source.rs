//! The source of field values: a record, or a row of values.

use super::FieldAt;
use crate::value::ValueRef;

/// Gives the values of fields: a record, or a row of values. Code that reads fields needs no other type of the record.
pub trait FieldSource {
    /// The value of a field with a single value; null if it is missing.
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_>;

    /// Passes each value of a field to `each`.
    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>));

    /// Passes each element at a path to `each`: the objects there. Only documents have elements.
    fn elements_at(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource));
}
