//! The change that an update makes of a record: by a closure, or by an edit of one field.

use crate::error::{Cause, FieldError};
use crate::record::{FieldAt, FieldDef, Record};
use crate::storage::{AnyVersion, Counters, Draft, Table};
use crate::user_code;
use memdex_query::query::FieldName;
use memdex_query::schema::as_kind;
use memdex_query::value::{Fitted, Kind, Value, ValueRef, checked_sum};

/// Makes the new record from the current one.
pub(super) enum Change {
    /// The counters are those of the store.
    Closure(Closure),
    Edit(Box<Edit>),
}

pub(super) type Closure = Box<dyn Fn(&dyn AnyVersion, &Counters) -> Result<Draft, Cause> + Send>;

impl Change {
    /// The new record. The schema has not admitted it yet.
    pub(super) fn of(&self, table: &Table, record: &dyn AnyVersion) -> Result<Draft, Cause> {
        let (what, made) = match self {
            Change::Closure(change) => ("update closure", user_code::run(|| change(record, &table.counters))),
            Change::Edit(edit) => ("record's `clone` or `set_value`", user_code::run(|| edit.of(table, record))),
        };
        made.map_err(|message| Cause::Panicked { what, message })?
    }
}

impl Change {
    pub(super) fn edit(&self) -> Option<&Edit> {
        if let Change::Edit(edit) = self { Some(edit) } else { None }
    }

    /// The memory that it takes outside of itself.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Change::Closure(change) => size_of_val(&**change),
            Change::Edit(edit) => size_of::<Edit>() + edit.value.heap_bytes(),
        }
    }
}

/// The change of one field.
pub(super) struct Edit {
    field: FieldAt,
    how: How,
    /// Of the kind of the field.
    value: Value,
    clone: fn(&dyn AnyVersion) -> Option<Draft>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    Increment,
    Max,
    Min,
    /// Keeps the last so many values.
    Append(usize),
}

impl How {
    pub(super) fn name(self) -> &'static str {
        match self {
            How::Increment => "increment",
            How::Max => "max",
            How::Min => "min",
            How::Append(_) => "append_bounded",
        }
    }
}

impl Edit {
    /// Checks whether the field can be edited like this.
    pub(super) fn new<R: Record + Clone>(
        table: &Table,
        name: &FieldName,
        how: How,
        value: &Value,
    ) -> Result<Self, Cause> {
        let Some((field, def)) = table.schema.find(name) else {
            return Err(table.schema.unknown_field(&table.name, name).into());
        };
        let value = checked(def, how, value).map_err(|error| refused(name, error))?;
        Ok(Edit { field, how, value, clone: |record| record.record_as::<R>().map(|record| Draft::new(record.clone())) })
    }

    /// An edited clone.
    fn of(&self, table: &Table, record: &dyn AnyVersion) -> Result<Draft, Cause> {
        let cloned = (self.clone)(record).ok_or(Cause::KeyMissing)?;
        let mut edited = table.counters.hold(cloned);
        self.apply(table, &mut edited)?;
        Ok(edited.into_inner())
    }

    /// Edits a record. Runs user code. After an error, the record is not to be used.
    pub(super) fn apply(&self, table: &Table, record: &mut Draft) -> Result<(), Cause> {
        let record = record.version_mut();
        let refused = |error| refused(table.schema.fields()[self.field.position()].name(), error);
        let value = self.value.as_ref();
        let current = if let How::Append(_) = self.how { ValueRef::Null } else { record.value_at(&self.field) };
        let edited = match self.how {
            How::Append(keep) => record.append_at(&self.field, value, keep),
            _ if current.is_null() => record.set_at(&self.field, value),
            How::Increment => {
                let current = current.to_value();
                let out_of_range =
                    |expected| FieldError::Overflow { value: current.clone(), by: self.value.clone(), expected };
                let sum = checked_sum(current.as_ref(), value);
                let sum = sum.ok_or_else(|| out_of_range(widest(value))).map_err(refused)?;
                record.set_at(&self.field, sum.as_ref()).map_err(|error| match error {
                    FieldError::DoesNotFit { expected, .. } => out_of_range(expected),
                    other => other,
                })
            }
            How::Max if current < self.field.read(value) => record.set_at(&self.field, value),
            How::Min if current > self.field.read(value) => record.set_at(&self.field, value),
            How::Max | How::Min => Ok(()),
        };
        edited.map_err(refused)
    }
}

impl Edit {
    pub(super) fn name(&self) -> &'static str {
        self.how.name()
    }
}

fn refused(field: &str, error: FieldError) -> Cause {
    Cause::Field { field: field.to_owned(), error }
}

/// The value, converted to the kind of the field.
fn checked(def: &FieldDef, how: How, value: &Value) -> Result<Value, FieldError> {
    let (kind, is_number) = (def.kind(), matches!(def.kind(), Kind::Int | Kind::Float | Kind::Decimal));
    match how {
        _ if def.is_key() => return Err(FieldError::PartOfKey),
        How::Increment if !is_number => return Err(FieldError::NoNumber { kind }),
        How::Append(_) if !def.is_many() => return Err(FieldError::SingleValue),
        How::Append(0) => return Err(FieldError::NoBound),
        How::Increment | How::Max | How::Min if def.is_many() => return Err(FieldError::ManyValues),
        _ => {}
    }
    if let ValueRef::Float(x) = value.as_ref()
        && (x.is_nan() || (x.is_infinite() && how == How::Increment))
    {
        return Err(FieldError::NotFinite { given: value.clone() });
    }
    let wrong = || FieldError::WrongKind { expected: kind, given: value.clone() };
    match value.as_ref() {
        given if given.kind() == Some(kind) => Ok(value.clone()),
        given if is_number => Fitted::new(given, kind).and_then(Fitted::exact).ok_or_else(wrong),
        given => as_kind(given, kind).map(ValueRef::to_value).ok_or_else(wrong),
    }
}

/// The widest type of the values of this kind.
fn widest(value: ValueRef<'_>) -> &'static str {
    match value.kind() {
        Some(Kind::Float) => "a finite f64",
        Some(Kind::Decimal) => "a decimal of 38 digits",
        _ => "128 bits",
    }
}
