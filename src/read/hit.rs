//! A record of any collection, as searches return it: its values can be read by field name, without its Rust type.

use crate::error::Commit;
use crate::record::{FieldAt, FieldValues, Lookup, Record};
use crate::storage::{Collection, Handle, SharedVersion, Table, Use, typed};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::FieldName;
use memdex_query::value::{Key, Value, ValueRef};
use std::fmt;

/// A record of any collection. Costs two reference counts and holds no lock.
///
/// ```
/// use memdex::{Record, Store, Value, field};
///
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: String, #[record(index)] user: String, #[record(field)] amount: i64 }
///
/// let store = Store::new();
/// let payments = store.collection::<Payment>("Payment")?;
/// payments.store(Payment { id: "p-1".into(), user: "u-1".into(), amount: 500 })?;
///
/// let hits = payments.find(field("user").eq("u-1")).select(["id", "amount"]).fetch()?;
/// assert_eq!(hits[0].value("amount"), Some(Value::from(500)));
/// let values: Vec<(&str, Value)> = hits[0].values().collect();
/// assert_eq!(values, [("id", Value::from("p-1")), ("amount", Value::from(500))]);
/// assert_eq!(hits[0].record::<Payment>().unwrap().user, "u-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Hit {
    rows: Arc<Table>,
    version: SharedVersion,
    selected: Selected,
}

/// The fields to return.
#[derive(Clone)]
pub(super) enum Selected {
    /// All that the schema declares.
    Declared,
    These(Arc<[FieldName]>),
}

impl Selected {
    pub(super) fn new(fields: &[FieldName]) -> Self {
        if fields.is_empty() { Selected::Declared } else { Selected::These(fields.into()) }
    }
}

impl Hit {
    pub(super) fn new(rows: Arc<Table>, version: SharedVersion, selected: Selected) -> Self {
        Hit { rows, version, selected }
    }

    /// The name of its collection.
    pub fn collection(&self) -> &str {
        &self.rows.name
    }

    /// Its key.
    pub fn key(&self) -> &Key {
        &self.version.key
    }

    /// The commit that wrote this version of the record.
    pub fn commit(&self) -> Commit {
        self.version.written()
    }

    /// The record, if it has this type.
    pub fn record<R: Record>(&self) -> Option<Handle<R>> {
        typed(self.version.clone()).and_then(Handle::of)
    }

    /// The value of a field, selected or not. Null if the record has none; `None` if the collection has no such field. Of a field of many
    /// values the first; [`values_of`](Hit::values_of) returns all. Runs the field's extractor.
    pub fn value(&self, field: &str) -> Option<Value> {
        let at = self.field(field)?;
        Some(self.read(&at).into_iter().next().unwrap_or(Value::NULL))
    }

    /// All values of a field, without nulls; empty if the record or the collection has none. Runs the field's extractor.
    pub fn values_of(&self, field: &str) -> Vec<Value> {
        self.field(field).map_or_else(Vec::new, |at| self.read(&at))
    }

    /// The names of the selected fields with their values, in the order of the selection or of the schema. Reads each value as
    /// [`value`](Hit::value) does.
    pub fn values(&self) -> impl Iterator<Item = (&str, Value)> {
        let value = |name| (name, self.value(name).unwrap_or(Value::NULL));
        self.names().map(value)
    }

    /// All values of the selected fields, for [`AnyCollection`](crate::typing::AnyCollection). They are not the whole record: see there.
    pub fn to_values(&self) -> FieldValues {
        let mut values = FieldValues::new();
        for name in self.names() {
            values = values.with_each(name.to_owned(), self.values_of(name));
        }
        values
    }

    /// The names of the selected fields.
    fn names(&self) -> impl Iterator<Item = &str> {
        let (declared, these) = match &self.selected {
            Selected::Declared => (self.rows.schema.fields(), &[][..]),
            Selected::These(these) => (&[][..], &these[..]),
        };
        declared.iter().map(|field| field.name()).chain(these.iter().map(|name| &**name))
    }

    /// Where records have a field, and whether it may have many values.
    fn field(&self, name: &str) -> Option<(FieldAt, bool)> {
        let schema = &self.rows.schema;
        let declared = schema.find(name).map(|(at, def)| (at, def.is_many()));
        declared.or_else(|| Some((schema.undeclared(name)?, true)))
    }

    /// Whether the values of a field are shown as a list. Those of an undeclared path are one if an array is on the way to them.
    #[cfg(feature = "serde")]
    fn is_list(&self, name: &str) -> bool {
        let Some(at @ (_, true)) = self.field(name) else { return false };
        at.0.undeclared().is_none() || self.read(&(at.0.clone(), false)).is_empty() && !self.read(&at).is_empty()
    }

    fn read(&self, (at, is_many): &(FieldAt, bool)) -> Vec<Value> {
        let _scope = user_code::Scope::enter();
        let mut values = Vec::new();
        let mut add = |value: ValueRef<'_>| {
            if !value.is_null() {
                values.push(value.as_written().to_value());
            }
        };
        match self.version.record() {
            Some(record) if *is_many => record.values_at(at, &mut add),
            Some(record) => add(record.value_at(at)),
            None => {}
        }
        values
    }
}

impl<R: Record> Collection<R> {
    /// The record of a key at the newest commit, with all fields.
    pub(crate) fn hit(&self, key: &Key) -> Option<Hit> {
        let newest = self.engine.latency.get(|| {
            self.newest(&Lookup::<&Key>::new::<R::Key>(&self.table.seed, &self.table.key_kinds, &key), Use::Leaves)
        })?;
        (!newest.is_tombstone()).then(|| Hit::new(self.table.shared(), newest, Selected::Declared))
    }

    /// The same record without its type, with these fields; with all if there are none.
    pub(crate) fn hit_of(&self, record: &Handle<R>, fields: &[FieldName]) -> Hit {
        Hit::new(self.table.shared(), record.version().clone(), Selected::new(fields))
    }
}

/// Equal if the collections, keys, commits and selected fields are equal.
impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.collection() == other.collection()
            && (self.key(), self.commit()) == (other.key(), other.commit())
            && self.names().eq(other.names())
    }
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hit({:?} of {:?}, commit {})", self.key(), self.collection(), self.commit())
    }
}

/// As `{"collection": …, "key": […], "commit": …, "values": {"field": value, …}}`, with the selected fields; a field of many values is a
/// list, and so is an undeclared path through an array.
#[cfg(feature = "serde")]
impl serde::Serialize for Hit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut hit = serializer.serialize_struct("Hit", 4)?;
        hit.serialize_field("collection", self.collection())?;
        hit.serialize_field("key", &self.key().parts())?;
        hit.serialize_field("commit", &self.commit())?;
        hit.serialize_field("values", &NamedValues(self))?;
        hit.end()
    }
}

#[cfg(feature = "serde")]
struct NamedValues<'a>(&'a Hit);

#[cfg(feature = "serde")]
impl serde::Serialize for NamedValues<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        for name in self.0.names() {
            if self.0.is_list(name) {
                map.serialize_entry(name, &self.0.values_of(name))?;
            } else {
                map.serialize_entry(name, &self.0.value(name))?;
            }
        }
        map.end()
    }
}
