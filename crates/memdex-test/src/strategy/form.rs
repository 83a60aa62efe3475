//! How plain values become records, and records plain values.

use crate::row::Row;
use memdex::error::Cause;
use memdex::query::FieldName;
use memdex::typing::{FieldValues, ValueRef};
use memdex::{Document, Json, KeyValue, Kind, Record, Schema, Value};
use std::any::type_name;
use std::fmt;
use std::sync::Arc;

type Build<R> = Arc<dyn Fn(&FieldValues) -> Result<R, Cause> + Send + Sync>;
type Read<R> = Arc<dyn Fn(&R) -> FieldValues + Send + Sync>;

/// How plain values become records of a type, and records plain values.
///
/// * [`Form::of`]: types with `#[record(from_values)]`.
/// * [`Form::new`]: other types, with a constructor of yours.
/// * [`Form::documents`] and [`Form::key_values`]: documents and key/value records with a schema.
///
/// ```
/// use memdex::Record;
/// use memdex::typing::FieldValues;
/// use memdex_test::Form;
///
/// #[derive(Clone, Debug, Record)]
/// struct User { #[record(key)] id: u8, #[record(index)] city: Option<String>, visits: u64 }
///
/// let users = Form::<User>::new(|values| {
///     Ok(User { id: values.to("id")?, city: values.to("city")?, visits: 0 })
/// });
/// let ada = users.build(&FieldValues::new().with("id", 1).with("city", "Bern"))?;
/// assert_eq!((ada.id, ada.city.as_deref(), ada.visits), (1, Some("Bern"), 0));
/// assert!(users.build(&FieldValues::new().with("id", 300)).is_err());
/// # Ok::<(), memdex::error::Cause>(())
/// ```
pub struct Form<R> {
    schema: Schema,
    build: Build<R>,
    read: Read<R>,
}

impl<R> Clone for Form<R> {
    fn clone(&self) -> Self {
        Form { schema: self.schema.clone(), build: self.build.clone(), read: self.read.clone() }
    }
}

impl<R> fmt::Debug for Form<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("record", &type_name::<R>()).field("schema", &self.schema).finish()
    }
}

impl<R: Record> Form<R> {
    /// For a type with `#[record(from_values)]`, or [`Record::from_values`] by hand.
    pub fn of() -> Self {
        Form::new(R::from_values)
    }

    /// For a type with a schema, built by a constructor. Its errors say which field is wrong: use
    /// [`FieldValues::to`](memdex::typing::FieldValues::to) for each field.
    pub fn new(build: impl Fn(&FieldValues) -> Result<R, Cause> + Send + Sync + 'static) -> Self {
        let schema = R::schema();
        let fields: Vec<(FieldName, bool)> =
            schema.fields().iter().map(|field| (field.name().to_owned().into(), field.is_many())).collect();
        let read = move |record: &R| {
            let mut values = FieldValues::new();
            for (at, (name, is_many)) in fields.iter().enumerate() {
                let mut add = |value: ValueRef<'_>| {
                    if !value.is_null() {
                        values.extend([(name.clone(), value.to_value())]);
                    }
                };
                if *is_many { record.values(at, &mut add) } else { add(record.value(at)) }
            }
            values
        };
        Form { schema, build: Arc::new(build), read: Arc::new(read) }
    }
}

impl Form<KeyValue<()>> {
    /// For key/value records without a value, with this schema.
    pub fn key_values(schema: Schema) -> Self {
        let is_without_key = !schema.fields().iter().any(memdex::FieldDef::is_key);
        let key = is_without_key.then(|| memdex::FieldDef::new("key", Kind::Str).key());
        let schema = as_stored(schema, key);
        let keys: Vec<String> =
            schema.fields().iter().filter(|field| field.is_key()).map(|field| field.name().to_owned()).collect();
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().to_owned()).collect();
        let build = {
            let keys = keys.clone();
            move |values: &FieldValues| {
                let part = |name: &String| {
                    let part = values.get(name).next().cloned();
                    part.ok_or_else(|| missing_field(name))
                };
                let parts = keys.iter().map(part).collect::<Result<Vec<Value>, _>>()?;
                let fields = values.iter().filter(|(name, _)| !keys.iter().any(|key| key == name));
                let record = KeyValue::new(parts.as_slice(), ());
                Ok(fields.fold(record, |record, (name, value)| record.with(name.to_owned(), value.clone())))
            }
        };
        let read = move |record: &KeyValue<()>| {
            let each =
                |name: &String| record.field(name).map(|value| (name.clone(), value.clone())).collect::<Vec<_>>();
            names.iter().flat_map(each).collect()
        };
        Form { schema, build: Arc::new(build), read: Arc::new(read) }
    }
}

impl Form<Document> {
    /// For documents with this schema. Values that JSON does not have become text.
    pub fn documents(schema: Schema) -> Self {
        let schema = as_stored(schema, None);
        let fields: Vec<(String, Kind, bool)> =
            schema.fields().iter().map(|field| (field.name().to_owned(), field.kind(), field.is_many())).collect();
        let build = {
            let fields = fields.clone();
            move |values: &FieldValues| {
                let mut root = Json::Object(Default::default());
                for (name, _, is_many) in &fields {
                    let mut given = values.get(name).map(json);
                    let value = match (is_many, given.next()) {
                        (_, None) => continue,
                        (false, Some(one)) => one,
                        (true, Some(first)) => Json::Array(std::iter::once(first).chain(given).collect()),
                    };
                    put(&mut root, name, value);
                }
                Document::new(root).map_err(Cause::Document)
            }
        };
        let read = move |document: &Document| {
            let json = document.body();
            let mut values = FieldValues::new();
            for (name, kind, _) in &fields {
                let at = name.split('.').try_fold(json, |json, part| json.get(part));
                let each: &[Json] = match at {
                    None => &[],
                    Some(Json::Array(all)) => all,
                    Some(one) => std::slice::from_ref(one),
                };
                values = values.with_each(name.clone(), each.iter().filter_map(|json| plain(json, *kind)));
            }
            values
        };
        Form { schema, build: Arc::new(build), read: Arc::new(read) }
    }
}

impl<R> Form<R> {
    /// Builds a record.
    ///
    /// # Errors
    /// The cause, which names the field.
    pub fn build(&self, values: &FieldValues) -> Result<R, Cause> {
        (self.build)(values)
    }

    /// The values of a record. The key of a key/value record is not among them.
    pub fn read(&self, record: &R) -> Row {
        Row::from(&(self.read)(record))
    }

    /// The schema, as a collection has it.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

/// The cause for a record without a field.
pub(super) fn missing_field(name: &str) -> Cause {
    match FieldValues::new().to::<bool>(name) {
        Err(cause) => cause,
        Ok(_) => Cause::KeyMissing,
    }
}

/// In records that are read by name, every field can be missing that is not required.
fn as_stored(schema: Schema, key: Option<memdex::FieldDef>) -> Schema {
    let schema = match key {
        Some(key) => schema.with_first(key),
        None => schema,
    };
    schema.each_field(|field| {
        let is_optional = !(field.is_key() || field.is_required() || field.is_many());
        if is_optional { field.optional() } else { field }
    })
}

fn put(root: &mut Json, path: &str, value: Json) {
    let mut at = root;
    for part in path.split('.') {
        if !at.is_object() {
            *at = Json::Object(Default::default());
        }
        at = &mut at[part];
    }
    *at = value;
}

fn json(value: &Value) -> Json {
    match value.as_ref() {
        ValueRef::Null => Json::Null,
        ValueRef::Bool(b) => b.into(),
        ValueRef::Int(n) => n.into(),
        ValueRef::Float(x) => x.into(),
        ValueRef::Bytes(bytes) => base64(bytes).into(),
        other => match value.as_u64() {
            Some(n) => n.into(),
            None => other.to_string().into(),
        },
    }
}

/// The value of a field of this kind; `None` for another.
fn plain(json: &Json, kind: Kind) -> Option<Value> {
    match (json, kind) {
        (Json::Bool(b), Kind::Bool) => Some((*b).into()),
        (Json::Number(number), Kind::Float) => number.as_f64().map(Value::from),
        (Json::Number(number), Kind::Int) => {
            number.as_i64().map(Value::from).or_else(|| number.as_u64().map(Value::from))
        }
        (Json::String(text), Kind::Str) => Some(text.as_str().into()),
        (Json::String(text), _) => Value::from_text(kind, text),
        _ => None,
    }
}

/// RFC 4648, section 4, with padding: as documents write bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_documents_read_them() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"\xff\0\x80\x01"] {
            assert_eq!(Value::from_text(Kind::Bytes, &base64(bytes)), Some(Value::from(bytes)));
        }
    }
}
