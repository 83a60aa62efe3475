//! Structs within records, whose fields queries can name: `address.city`.

use super::{FieldDef, Schema};
use crate::value::{Nest, ValueRef};

/// A struct whose fields can be named from a record that holds it. Derive it, with the attributes of
/// [`Record`](macro@crate::Record) on its fields but `key`; see [`Field::dot`](crate::Field::dot).
///
/// Works through `Option` (its fields can be missing), `Vec` (its fields have many values), and `Box`. An index of a field in it
/// is an index of the record: `#[record(unique)]` there holds over all records.
pub trait Nested: Nest {
    /// How many fields it shows.
    const FIELDS: usize;

    /// Its fields and their indexes, named from itself.
    fn schema() -> Schema;

    /// The value of a field by its position; `Null` for one of many values.
    fn value(&self, field: usize) -> ValueRef<'_>;

    /// Shows each value of a field.
    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        show(self.value(field));
    }
}

impl<N: Nested> Nested for Option<N> {
    const FIELDS: usize = N::FIELDS;

    fn schema() -> Schema {
        N::schema().each_field(FieldDef::optional)
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, |inner| inner.value(field))
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        self.iter().for_each(|inner| inner.values(field, show));
    }
}

impl<N: Nested> Nested for Vec<N> {
    const FIELDS: usize = N::FIELDS;

    fn schema() -> Schema {
        N::schema().each_field(FieldDef::many)
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        self.iter().for_each(|inner| inner.values(field, show));
    }
}

impl<N: Nested> Nested for Box<N> {
    const FIELDS: usize = N::FIELDS;

    fn schema() -> Schema {
        N::schema()
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        (**self).value(field)
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        (**self).values(field, show);
    }
}
