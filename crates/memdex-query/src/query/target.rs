//! The fields that a command can change by name: typed ones, whose types the compiler checks, and names.

use super::{Field, FieldName, NamedField};
use crate::value::{FieldValue, Multi, Number, Operand, Value};

/// A field of numbers of the records `R`, for `increment`: a typed field of numbers, or [`field`](crate::query::field) with
/// a name, which is checked at run time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a field of numbers of `{R}`",
    label = "increment needs integers, floats or decimals of this record",
    note = "pass a constant of the derive, such as `page::VIEWS`, or `field(\"views\")`"
)]
pub trait NumberField<R> {
    /// The name of the field.
    fn into_name(self) -> FieldName;
}

#[diagnostic::do_not_recommend]
impl<R, T: Number> NumberField<R> for Field<R, T> {
    fn into_name(self) -> FieldName {
        self.name()
    }
}

#[diagnostic::do_not_recommend]
impl<R> NumberField<R> for NamedField {
    fn into_name(self) -> FieldName {
        self.name
    }
}

/// A field of the records `R` that can have the value `V`, for `max` and `min`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a field of `{R}` that can have a `{V}`",
    label = "expected a field of this record, and a value of its type"
)]
pub trait ValueField<R, V> {
    /// The name of the field, and the value.
    fn with_value(self, value: V) -> (FieldName, Value);
}

#[diagnostic::do_not_recommend]
impl<R, T: FieldValue, V: Operand<T::Base>> ValueField<R, V> for Field<R, T> {
    fn with_value(self, value: V) -> (FieldName, Value) {
        (self.name(), value.to_operand())
    }
}

#[diagnostic::do_not_recommend]
impl<R, V: Into<Value>> ValueField<R, V> for NamedField {
    fn with_value(self, value: V) -> (FieldName, Value) {
        (self.name, value.into())
    }
}

/// A field of the records `R` with many values that can have the value `V` among them, for `append_bounded`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of `{R}` that can have a `{V}`",
    label = "expected a `Vec` of this record, and a value of its elements' type"
)]
pub trait ListField<R, V> {
    /// The name of the field, and the value.
    fn with_item(self, value: V) -> (FieldName, Value);
}

#[diagnostic::do_not_recommend]
impl<R, T: Multi, V: Operand<T::Item>> ListField<R, V> for Field<R, T> {
    fn with_item(self, value: V) -> (FieldName, Value) {
        (self.name(), value.to_operand())
    }
}

#[diagnostic::do_not_recommend]
impl<R, V: Into<Value>> ListField<R, V> for NamedField {
    fn with_item(self, value: V) -> (FieldName, Value) {
        (self.name, value.into())
    }
}
