//! The shape of an index: its fields, its condition, and the entry that they extract from a record.

use crate::error::Cause;
use crate::limits::{MAX_FIELD_VALUES, MAX_INDEXED_BYTES};
use crate::record::{Condition, FieldAt, FieldDef, FieldSource, IndexDef, IndexKind, Schema, by_number};
use crate::user_code;
use memdex_query::value::{Value, ValueRef, encode_parts, narrow_bits};

/// An index's declaration, bound to a schema.
pub(crate) struct IndexShape {
    pub(crate) def: IndexDef,
    /// The definition of a field is `None` for an undeclared path.
    pub(crate) fields: Vec<(FieldAt, Option<FieldDef>)>,
    pub(crate) condition: Option<Condition>,
}

/// The entry of one record in one index.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// The condition is false: the index does not hold the record.
    Absent,
    /// One value, which may be missing.
    One(ValueRef<'a>),
    /// The values of a field of many: canonical, ascending, each once. Numbers at an undeclared path have one form.
    Many(Vec<ValueRef<'a>>),
    /// Several fields together, encoded in their order; `complete` if none is missing.
    Tuple { bytes: Vec<u8>, complete: bool },
}

impl IndexShape {
    /// For a declaration that the schema has checked.
    pub(crate) fn new(def: IndexDef, schema: &Schema) -> Self {
        let fields = def.fields().iter().filter_map(|name| match schema.find(name) {
            Some((at, field)) => Some((at, Some(field.clone()))),
            None => Some((schema.undeclared(name)?, None)),
        });
        let fields = fields.collect();
        let condition = def.condition().and_then(|when| Condition::new(def.name(), schema, when).ok());
        debug_assert_eq!(condition.is_some(), def.condition().is_some());
        IndexShape { def, fields, condition }
    }

    /// Whether its only field can have many values.
    pub(crate) fn is_many(&self) -> bool {
        self.fields[0].1.as_ref().is_none_or(FieldDef::is_many)
    }

    /// Whether it is of an undeclared path, whose values can be of several kinds.
    pub(crate) fn is_undeclared(&self) -> bool {
        self.fields[0].1.is_none()
    }

    /// Whether it guarantees, for all records, that no two have the same value in this field.
    pub(crate) fn is_unique_of(&self, field: &str) -> bool {
        let alone = matches!(&self.fields[..], [(_, Some(only))] if only.name() == field);
        self.def.kind() == IndexKind::Unique && alone && self.condition.is_none()
    }

    /// The only field, if it is the only one and has single values.
    pub(crate) fn single(&self) -> Option<&FieldDef> {
        match self.fields.as_slice() {
            [(_, Some(field))] if !field.is_many() => Some(field),
            _ => None,
        }
    }

    /// The entry of a record. Runs its extractors. A value that can't be indexed is a refusal.
    #[inline]
    pub(crate) fn entry<'a>(&self, record: &'a dyn FieldSource) -> Result<Entry<'a>, Cause> {
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(record)) {
            return Ok(Entry::Absent);
        }
        match self.fields.as_slice() {
            [(at, Some(field))] if !field.is_many() => Ok(Entry::One(self.checked(field, record.value_at(at))?)),
            [(at, field)] => self.values(at, field.as_ref(), record),
            several => {
                let mut parts = Vec::with_capacity(several.len());
                for (at, field) in several.iter().filter_map(|(at, field)| Some((at, field.as_ref()?))) {
                    parts.push(self.checked(field, record.value_at(at))?);
                }
                let complete = parts.iter().all(|part| !part.is_null());
                Ok(Entry::Tuple { bytes: encode_parts(parts), complete })
            }
        }
    }

    fn values<'a>(
        &self,
        at: &FieldAt,
        field: Option<&FieldDef>,
        record: &'a dyn FieldSource,
    ) -> Result<Entry<'a>, Cause> {
        let name = || at.undeclared().or(field.map(FieldDef::name)).unwrap_or_default().into();
        let (mut values, mut count) = (Vec::new(), 0_usize);
        record.values_at(at, &mut |value| {
            count += 1;
            if !value.is_null() && count <= MAX_FIELD_VALUES {
                values.push(if field.is_some() { value.canonical() } else { by_number(value) });
            }
        });
        if count > MAX_FIELD_VALUES {
            return Err(Cause::TooManyValues { field: name(), values: count, limit: MAX_FIELD_VALUES });
        }
        values.iter().try_for_each(|value| match field {
            Some(field) => self.checked(field, *value).map(drop),
            None => short(*value).map(drop).map_err(|bytes| too_long(name(), bytes)),
        })?;
        values.sort_unstable();
        values.dedup();
        Ok(Entry::Many(values))
    }

    #[inline]
    fn checked<'a>(&self, field: &FieldDef, value: ValueRef<'a>) -> Result<ValueRef<'a>, Cause> {
        match checked(field, value)? {
            ValueRef::Float(x) if x.is_nan() && self.def.kind() == IndexKind::Ordered && !field.is_nan_last() => {
                Err(Cause::NotANumber { field: field.name().into(), index: self.def.name().into() })
            }
            value => Ok(value),
        }
    }
}

/// Runs extractors of a record; a panic becomes a cause.
#[inline]
pub(crate) fn extract<T>(code: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
    user_code::run(code).map_err(|message| Cause::Panicked { what: "field extractor", message })?
}

/// The value in canonical form, if it has the field's kind and is no longer than an index or a column allows.
#[inline]
pub(crate) fn checked<'a>(field: &FieldDef, value: ValueRef<'a>) -> Result<ValueRef<'a>, Cause> {
    let value = value.canonical();
    let announced = value.kind().map_or(field.is_nullable(), |kind| kind == field.kind());
    // An integer outside of its type would be indexed as if it were missing.
    if !announced || (field.fits_64_bits() && !value.is_null() && narrow_bits(value).is_none()) {
        return Err(wrong_kind(field, value));
    }
    short(value).map_err(|bytes| too_long(field.name().into(), bytes))
}

/// The value, or the length of one that is longer than an index or a column allows.
#[inline]
fn short(value: ValueRef<'_>) -> Result<ValueRef<'_>, usize> {
    match value {
        ValueRef::Str(s) if s.len() > MAX_INDEXED_BYTES => Err(s.len()),
        ValueRef::Collated(collated) if collated.key().len() > MAX_INDEXED_BYTES => Err(collated.key().len()),
        ValueRef::Bytes(b) if b.len() > MAX_INDEXED_BYTES => Err(b.len()),
        _ => Ok(value),
    }
}

#[cold]
fn wrong_kind(field: &FieldDef, value: ValueRef<'_>) -> Cause {
    Cause::WrongKind { field: field.name().into(), expected: field.kind(), given: value.to_value() }
}

#[cold]
fn too_long(field: String, bytes: usize) -> Cause {
    Cause::ValueTooLong { field, bytes, limit: MAX_INDEXED_BYTES }
}

impl Entry<'_> {
    /// How many index entries it makes: a record without a value has one too.
    pub(crate) fn len(&self) -> usize {
        match self {
            Entry::Absent => 0,
            Entry::Many(values) => values.len().max(1),
            Entry::One(_) | Entry::Tuple { .. } => 1,
        }
    }

    /// The entry as a single value, as equality and uniqueness see it: several fields are one byte string. `Null` stands for a
    /// missing value; for a unique index also for several of which one is missing.
    pub(crate) fn as_value(&self, unique: bool) -> ValueRef<'_> {
        match self {
            Entry::One(value) => *value,
            Entry::Tuple { complete: false, .. } if unique => ValueRef::Null,
            Entry::Tuple { bytes, .. } => ValueRef::Bytes(bytes),
            Entry::Absent | Entry::Many(_) => ValueRef::Null,
        }
    }
}

/// Several values as one: the key of an index of several fields.
pub(crate) fn tuple(parts: &[ValueRef<'_>]) -> Value {
    Value::from(encode_parts(parts.iter().copied()))
}
