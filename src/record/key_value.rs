//! Rust values of any type as records, with a key and fields next to the value.

use super::KeyBuffer;
use super::record::Internal;
use super::{FieldAt, FieldDef, FieldValues, Record, Schema};
use crate::error::{Cause, FieldError};
use memdex_query::query::FieldName;
use memdex_query::schema::Path;
use memdex_query::value::{AnyKey, IntoKey, KeySink, Kind, Value, ValueRef};
use smallvec::SmallVec;
use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A value of any type with a key and queryable fields. Derefs to the value. Open a collection of these with a schema:
/// [`Store::key_values`](crate::Store::key_values).
///
/// ```
/// use memdex::{FieldDef, KeyValue, Kind, Schema, Store, field};
///
/// struct Session { opened: std::time::Instant } // needs no trait
///
/// let store = Store::new();
/// let schema = Schema::new([
///     FieldDef::new("user", Kind::Str).index(),
///     FieldDef::new("tags", Kind::Str).many().index(),
/// ]);
/// let sessions = store.key_values::<Session>("Session", schema)?;
///
/// let session = Session { opened: std::time::Instant::now() };
/// sessions.store(KeyValue::new("s-1", session).with("user", "u-1").with_each("tags", ["mobile", "beta"]))?;
///
/// assert!(sessions.get("s-1").unwrap().opened.elapsed().as_secs() < 3600);
/// assert_eq!(sessions.find(field("user").eq("u-1") & field("tags").contains("beta")).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The schema declares the fields. A declared field without a value is missing; if it is [`required`](FieldDef::required), the record
/// is refused. It is also refused if it has an undeclared field ([`Cause::UndeclaredField`]), a value of the wrong kind, or several
/// values of a field that is not [`many`](FieldDef::many) ([`Cause::Conflict`]). With [`skip_conflicts`](FieldDef::skip_conflicts) a
/// value of the wrong kind is ignored, and several values of such a field count as missing. A float field takes integers.
///
/// The statistics of memory count the heap memory of the key and the fields, not that of the value.
///
/// The key needs no declaration: by default it is a string, the field `key`. Declare key fields if it has another kind or several
/// parts.
#[derive(Clone, PartialEq)]
pub struct KeyValue<V> {
    key: SmallVec<[Value; 1]>,
    value: V,
    fields: FieldValues,
}

impl<V> KeyValue<V> {
    /// A value with a key: a string, number or other plain value, or a tuple of these.
    pub fn new(key: impl IntoKey<AnyKey>, value: V) -> Self {
        let mut parts = Parts(SmallVec::new());
        key.write_key(&mut parts);
        KeyValue { key: parts.0, value, fields: FieldValues::new() }
    }

    /// Adds a field, or one more value of a field of many.
    #[must_use]
    pub fn with(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.fields = self.fields.with(field, value);
        self
    }

    /// Adds each of these values of a field; with no values, the field is missing. Takes an `Option` too.
    #[must_use]
    pub fn with_each<T: Into<Value>>(
        mut self,
        field: impl Into<FieldName>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.fields = self.fields.with_each(field, values);
        self
    }

    /// Replaces the values of a field by this one: for update closures.
    pub fn set(&mut self, field: impl Into<FieldName>, value: impl Into<Value>) {
        self.set_each(field, [value]);
    }

    /// Replaces the values of a field; with no values, the field is missing.
    pub fn set_each<T: Into<Value>>(&mut self, field: impl Into<FieldName>, values: impl IntoIterator<Item = T>) {
        self.fields.set_each(field, values);
    }

    /// The values of a field.
    pub fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.fields.get(name)
    }

    /// The parts of the key, the value and the fields.
    #[cfg(feature = "saved")]
    pub(crate) fn parts(&self) -> (&[Value], &V, &FieldValues) {
        (&self.key, &self.value, &self.fields)
    }

    /// From its [`parts`](Self::parts).
    #[cfg(feature = "saved")]
    pub(crate) fn from_parts(key: Vec<Value>, value: V, fields: FieldValues) -> Self {
        KeyValue { key: key.into(), value, fields }
    }

    /// Returns the value.
    pub fn into_value(self) -> V {
        self.value
    }

    /// Passes each value of a field to `visit`, or to `conflict` if it is not of the field's kind. Skips nulls.
    fn each<'a>(&'a self, path: &Path, visit: &mut dyn FnMut(ValueRef<'a>), conflict: &mut dyn FnMut(&'a Value)) {
        let of_key = path.key_part.and_then(|part| self.key.get(part));
        let given = self.field_or_nothing(path);
        for value in of_key.into_iter().chain(given) {
            match path.coerce(value.as_ref()) {
                Some(coerced) => visit(coerced),
                None if value.as_ref().is_null() => {}
                None => conflict(value),
            }
        }
    }

    fn field_or_nothing<'a>(&'a self, path: &Path) -> impl Iterator<Item = &'a Value> {
        let fields = path.key_part.is_none().then(|| self.fields.iter()).into_iter().flatten();
        fields.filter(move |(name, _)| **name == *path.name).map(|(_, value)| value)
    }

    fn single(&self, path: &Path) -> ValueRef<'_> {
        let (mut single, mut count) = (ValueRef::Null, 0);
        self.each(
            path,
            &mut |value| {
                single = value;
                count += 1;
            },
            &mut |_| (),
        );
        if count == 1 { single } else { ValueRef::Null }
    }
}

struct Parts(SmallVec<[Value; 1]>);

impl memdex_query::value::sealed::Sealed for Parts {}

impl KeySink for Parts {
    fn push(&mut self, part: ValueRef<'_>) {
        self.0.push(part.to_value());
    }
}

/// The schema of a collection of key/value records: the key is a string unless declared otherwise.
pub(crate) fn schema(schema: Schema) -> Schema {
    let schema = if schema.fields().iter().any(FieldDef::is_key) {
        schema
    } else {
        schema.with_first(FieldDef::new("key", Kind::Str).key())
    };
    schema.by_name()
}

impl<V: Send + Sync + 'static> Record for KeyValue<V> {
    type Key = AnyKey;

    fn engine_opened_with(_: Internal) -> Option<&'static str> {
        Some("Store::key_values")
    }

    /// Empty: each collection has its own schema.
    fn schema() -> Schema {
        Schema::new([])
    }

    /// Only the value `()` can be built from values: the key and the fields are all that there is.
    fn engine_from_values(values: &FieldValues, schema: &Schema, _: Internal) -> Result<Self, Cause> {
        values.check_declared(schema)?;
        let unit: Box<dyn Any> = Box::new(());
        let Ok(value) = unit.downcast::<V>() else { return Self::from_values(values) };
        let is_of_key = |name: &str| schema.find(name).is_some_and(|(_, field)| field.is_key());
        let (key, fields): (Vec<_>, Vec<_>) = values.iter().partition(|(name, _)| is_of_key(name));
        let mut parts = SmallVec::new();
        for field in schema.fields().iter().filter(|field| field.is_key()) {
            let mut of_field = key.iter().filter(|(name, _)| *name == field.name()).map(|(_, value)| (*value).clone());
            match (of_field.next(), of_field.next()) {
                (Some(part), None) => parts.push(part),
                (None, _) => return Err(Cause::MissingField { field: field.name().to_owned() }),
                _ => return Err(field.conflict("several values".to_owned()).into()),
            }
        }
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        Ok(KeyValue { key: parts, value: *value, fields })
    }

    /// The parts of the key.
    fn key(&self, key: &mut KeyBuffer) {
        self.key.iter().for_each(|part| key.push(part.as_ref()));
    }

    /// Null: fields are known only with the schema of a collection.
    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    /// That of the key and the fields: the value may have any type.
    fn heap_size(&self) -> usize {
        self.key.iter().map(Value::heap_bytes).sum::<usize>() + self.fields.heap_bytes()
    }

    /// Only for the value `()`: others need not be `Clone`.
    fn cloner() -> Option<fn(&Self) -> Self> {
        let of_unit: Box<dyn Any> = Box::new(KeyValue::<()>::clone as fn(&KeyValue<()>) -> KeyValue<()>);
        of_unit.downcast::<fn(&Self) -> Self>().ok().map(|cloner| *cloner)
    }

    fn engine_admit(&mut self, schema: &Schema, _: Internal) -> Result<(), Cause> {
        for (name, _) in self.fields.iter() {
            let declared = schema.fields().iter().filter(|field| !field.is_key());
            if !declared.clone().any(|field| field.name() == name) {
                let known = declared.map(|field| field.name().to_owned()).collect();
                return Err(Cause::UndeclaredField { field: name.to_owned(), known });
            }
        }
        let key_fields = || schema.fields().iter().filter(|field| field.is_key());
        if let Some(field) = key_fields().next().filter(|_| key_fields().count() < self.key.len()) {
            return Err(field.conflict(format!("a key of {} parts", self.key.len())).into());
        }
        for (field, path) in schema.paths() {
            let (mut count, mut conflict) = (0, None);
            self.each(path, &mut |_| count += 1, &mut |value| conflict = conflict.or(Some(value)));
            let too_many = count > 1 && !field.is_many();
            if !field.skips_conflicts() || field.is_key() {
                if let Some(value) = conflict {
                    return Err(field.conflict(format!("{value:?}")).into());
                }
                if too_many {
                    return Err(field.conflict(format!("{count} values")).into());
                }
            }
            if field.is_required() && (count == 0 || too_many) {
                return Err(Cause::MissingField { field: field.name().to_owned() });
            }
        }
        Ok(())
    }

    fn engine_key(&self, schema: &Schema, key: &mut KeyBuffer, _: Internal) {
        schema.paths().filter(|(field, _)| field.is_key()).for_each(|(_, path)| key.push(self.single(path)));
    }

    fn engine_value(&self, field: &FieldAt, _: Internal) -> ValueRef<'_> {
        match field.path() {
            Some(path) if !path.many => self.single(path),
            _ => ValueRef::Null,
        }
    }

    fn engine_values<'a>(&'a self, field: &FieldAt, visit: &mut dyn FnMut(ValueRef<'a>), _: Internal) {
        match field.path() {
            Some(path) if path.many => self.each(path, visit, &mut |_| ()),
            Some(path) => visit(self.single(path)),
            None => {}
        }
    }

    fn engine_set(&mut self, field: &FieldAt, value: ValueRef<'_>, _: Internal) -> Result<(), FieldError> {
        let path = field.path().ok_or(FieldError::NoSetter)?;
        let value = (!value.is_null()).then(|| value.to_value());
        self.fields.set_each(path.name.to_string(), value);
        Ok(())
    }

    fn engine_append(
        &mut self,
        field: &FieldAt,
        value: ValueRef<'_>,
        keep: usize,
        _: Internal,
    ) -> Result<(), FieldError> {
        let path = field.path().ok_or(FieldError::NoSetter)?;
        self.fields.append(&path.name, value.to_value(), keep);
        Ok(())
    }
}

impl<V> Deref for KeyValue<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V> DerefMut for KeyValue<V> {
    fn deref_mut(&mut self) -> &mut V {
        &mut self.value
    }
}

impl<V: fmt::Debug> fmt::Debug for KeyValue<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue")
            .field("key", &self.key)
            .field("value", &self.value)
            .field("fields", &self.fields)
            .finish()
    }
}
