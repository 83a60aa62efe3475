//! Nested structs, whose fields queries can name: `address.city`.

use super::{FieldDef, FieldValues, Schema};
use crate::error::{Cause, FieldError};
use memdex_query::value::{Nest, ValueRef};

/// A struct whose fields queries can name through the record that holds it. Derive it, with the attributes of
/// [`Record`](macro@crate::Record) except `key` on its fields; see [`Field::dot`](crate::Field::dot).
///
/// It also works through `Option` (its fields can be missing), `Vec` (its fields are multi-valued), and `Box`. An index on one of its
/// fields is an index of the record: `#[record(unique)]` applies across all records.
pub trait Nested: Nest {
    /// The number of its fields in the schema.
    const FIELDS: usize;

    /// Its fields and indexes, with names relative to itself.
    fn schema() -> Schema;

    /// The value of a field by its position; `Null` for a multi-valued one.
    fn value(&self, field: usize) -> ValueRef<'_>;

    /// Calls `visit` with each value of a field. A missing value may be passed as null, or not at all. Override it if a field is
    /// multi-valued: the default passes only [`value`](Self::value).
    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        visit(self.value(field));
    }

    /// Sets a field by its position, like [`Record::set_value`](crate::Record::set_value).
    ///
    /// # Errors
    /// As [`Record::set_value`](crate::Record::set_value).
    fn set_value(&mut self, field: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
        let _ = (field, value);
        Err(FieldError::NoSetter)
    }

    /// Appends to a field by its position, like [`Record::append_value`](crate::Record::append_value).
    ///
    /// # Errors
    /// As [`Record::append_value`](crate::Record::append_value).
    fn append_value(&mut self, field: usize, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError> {
        let _ = (field, value, keep);
        Err(FieldError::NoSetter)
    }

    /// Builds the struct from the fields whose names begin with `prefix` and a dot, like
    /// [`Record::from_values`](crate::Record::from_values).
    ///
    /// # Errors
    /// As [`Record::from_values`](crate::Record::from_values).
    fn from_values(values: &FieldValues, prefix: &str) -> Result<Self, Cause>
    where
        Self: Sized,
    {
        let _ = (values, prefix);
        Err(Cause::NotFromValues { record: std::any::type_name::<Self>() })
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

    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        self.iter().for_each(|inner| inner.values(field, visit));
    }

    fn set_value(&mut self, field: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
        self.as_mut().ok_or(FieldError::NoStruct)?.set_value(field, value)
    }

    fn append_value(&mut self, field: usize, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError> {
        self.as_mut().ok_or(FieldError::NoStruct)?.append_value(field, value, keep)
    }

    fn from_values(values: &FieldValues, prefix: &str) -> Result<Self, Cause> {
        if values.has_below(prefix) { N::from_values(values, prefix).map(Some) } else { Ok(None) }
    }
}

impl<N: Nested> Nested for Vec<N> {
    const FIELDS: usize = N::FIELDS;

    fn schema() -> Schema {
        N::schema().each_field(FieldDef::many)
    }

    /// Only an empty list can be built from values by field name: these do not say which of them belong to the same element.
    fn from_values(values: &FieldValues, prefix: &str) -> Result<Self, Cause> {
        let cause = Cause::NotFromValues { record: std::any::type_name::<Self>() };
        if values.has_below(prefix) { Err(cause) } else { Ok(Vec::new()) }
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn append_value(&mut self, _: usize, _: ValueRef<'_>, _: usize) -> Result<(), FieldError> {
        Err(FieldError::NoList)
    }

    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        self.iter().for_each(|inner| inner.values(field, visit));
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

    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        (**self).values(field, visit);
    }

    fn set_value(&mut self, field: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
        (**self).set_value(field, value)
    }

    fn append_value(&mut self, field: usize, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError> {
        (**self).append_value(field, value, keep)
    }

    fn from_values(values: &FieldValues, prefix: &str) -> Result<Self, Cause> {
        N::from_values(values, prefix).map(Box::new)
    }
}
