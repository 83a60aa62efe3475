//! A record as a source of the values of its fields, so that code that reads fields is compiled once, in this crate, and not
//! for each record type.

use super::record::Access;
use super::{FieldAt, Record};
use memdex_query::schema::FieldSource;
use memdex_query::value::ValueRef;

/// Borrows a record as a [`FieldSource`].
pub(crate) struct Fields<'r, R>(pub(crate) &'r R);

impl<R: Record> FieldSource for Fields<'_, R> {
    #[inline]
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        self.0.value_at(field)
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        self.0.values_at(field, each);
    }

    fn elements_at(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource)) {
        self.0.elements_at(field, each);
    }
}
