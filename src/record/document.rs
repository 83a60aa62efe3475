//! JSON documents as records. Fields are read by the paths that the collection's schema declares.

use super::KeyBuffer;
use super::declared::{self, Declared, Extracted};
use super::json::{InJson, append, heap_bytes, merge_patch, set, shallow};
use super::record::Internal;
use super::{FieldAt, FieldValues, Record, Schema};
use crate::error::{Cause, DocumentError, FieldError};
use memdex_query::schema::{FieldSource, Path};
use memdex_query::value::{AnyKey, ValueRef, json_of, json_type_name, plain_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// A JSON object as a record. Collections of documents are opened with a schema:
/// [`Store::documents`](crate::Store::documents).
///
/// ```
/// use memdex::{Document, FieldDef, Kind, Schema, Store, field, json};
///
/// let schema = Schema::new([
///     FieldDef::new("id", Kind::Str).key(),
///     FieldDef::new("status", Kind::Str).index(),
///     FieldDef::new("metadata.tags", Kind::Str).many().index(),
/// ]);
/// let payments = Store::new().documents("Payment", schema)?;
/// payments.store(Document::new(json!({
///     "id": "payment-1", "status": "pending", "metadata": { "tags": ["urgent", "eu"], "score": 7 }
/// }))?)?;
///
/// assert_eq!(payments.find(field("metadata.tags").contains("eu")).count()?, 1);
/// assert_eq!(payments.find(field("metadata.score").gt(6.5)).count()?, 1, "not declared: found by a scan");
///
/// payments.patch("payment-1", json!({ "status": "completed", "metadata": { "score": null } }))?;
/// let payment = payments.get("payment-1").unwrap();
/// assert_eq!(payment.get("status"), Some(&json!("completed")));
/// assert_eq!(payment.get("metadata.score"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Paths
/// A field's name is the path to it: the names of nested fields, joined by dots. If there is an array on the path or at its end, the
/// path leads to each of its elements; declare such a field as [`many`](crate::FieldDef::many). A name that contains a dot can't
/// be reached.
///
/// # Declared fields
/// `null`, and a path that does not exist, are a missing value. A field can be missing unless it is part of the key or
/// [`required`](crate::FieldDef::required). An integer field takes integers (`5`, not `5.0`), a float field any number, a string
/// field strings, a `bool` field `true` and `false`, a `char` field strings of one character. Times, dates,
/// UUIDs and bytes are read from text (see [`Value::from_text`](crate::Value::from_text)), decimals from text or numbers. Any other value, such as an object,
/// or an array in a field of single values, is a *conflict*: the document is refused with [`Cause::Conflict`]; with
/// [`skip_conflicts`](crate::FieldDef::skip_conflicts) the value counts as missing instead. In a field of many values, each value
/// is checked on its own.
///
/// # Other paths
/// Queries may name any path, and so may equality and ordered indexes. Conditions on undeclared paths compare numbers as numbers, so that `eq(5)` finds
/// `5.0`; values of different JSON types are never equal, and neither is less than the other. All tests are allowed; a test of a single
/// value (`eq`, `is_in`, ranges, text) matches if any value at the path does, `ne` if there are values and none is equal. `is_null`
/// matches if there is no string, number or boolean at the path. [`elem_match`](crate::query::Predicate::elem_match) tests
/// several fields of one object in a list.
///
/// # Cost
/// A collection copies the values of the declared fields when it takes a document, so that queries need not follow paths: 24 bytes
/// a field, and the length of a text of more than 23 bytes. Strings of more than 256 bytes are not copied. The statistics count this
/// [memory](crate::stats::MemoryStats::record_heap).
pub struct Document {
    /// An object, and no deeper than the limit.
    body: Json,
    /// The values of the fields that the collection's schema declares. `None` until a collection takes the document, and after
    /// each change.
    declared: Option<Declared>,
}

impl Document {
    /// A document from JSON.
    ///
    /// # Errors
    /// [`DocumentError::NotAnObject`], and [`DocumentError::TooDeep`] beyond
    /// [`limits::MAX_DOCUMENT_DEPTH`](crate::limits::MAX_DOCUMENT_DEPTH), for input of any depth.
    pub fn new(json: Json) -> Result<Self, DocumentError> {
        let body = shallow(json)?;
        if !body.is_object() {
            return Err(DocumentError::NotAnObject { found: json_type_name(&body) });
        }
        Ok(Document { body, declared: None })
    }

    /// A document from the JSON form of a Rust value. (serde recurses into the value; pass untrusted JSON to [`new`](Document::new)
    /// instead.)
    ///
    /// # Errors
    /// [`DocumentError`] if it can't be serialized, or is not an object.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, DocumentError> {
        Document::new(serde_json::to_value(value).map_err(document_error)?)
    }

    /// Converts the document to a Rust type.
    ///
    /// ```
    /// use memdex::{Document, json};
    /// let document = Document::new(json!({ "id": "payment-1", "amount": 500 }))?;
    /// let payment = document.to::<std::collections::BTreeMap<String, serde_json::Value>>()?;
    /// assert_eq!(Document::of(&payment)?, document);
    /// # Ok::<(), memdex::error::DocumentError>(())
    /// ```
    ///
    /// # Errors
    /// [`DocumentError::Json`] if it does not fit the type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, DocumentError> {
        T::deserialize(&self.body).map_err(document_error)
    }

    /// The JSON at a path. Unlike the paths of queries and of declared fields, it does not lead into arrays: for `items.price` with an
    /// array `items` it returns `None`.
    pub fn get(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(&self.body, |at, step| at.as_object()?.get(step))
    }

    /// Sets the JSON at a path. Steps through objects only, and creates missing ones. For several changes at once, or to remove a
    /// field, see [`patch`](Document::patch).
    ///
    /// # Errors
    /// [`DocumentError::InTheWay`] if a step leads to a value that is not an object, [`DocumentError::TooDeep`] if the document would
    /// be too deep. The document is then unchanged.
    pub fn set(&mut self, path: &str, value: impl Into<Json>) -> Result<(), DocumentError> {
        let mut body = self.body.clone();
        set(&mut body, path, shallow(value.into())?)?;
        self.body = shallow(body)?;
        self.declared = None;
        Ok(())
    }

    /// Applies a JSON merge patch (RFC 7396): `null` removes a field, objects are merged, and any other value, such as an array,
    /// replaces the old one.
    ///
    /// # Errors
    /// [`DocumentError::NotAnObject`] or [`DocumentError::TooDeep`] for the patch. The document is then unchanged.
    pub fn patch(&mut self, patch: Json) -> Result<(), DocumentError> {
        self.merge(&Document::new(patch)?);
        Ok(())
    }

    /// A patch within the depth limit keeps a document within it.
    pub(crate) fn merge(&mut self, patch: &Document) {
        self.declared = None;
        merge_patch(&mut self.body, &patch.body);
    }

    /// The JSON object.
    pub fn body(&self) -> &Json {
        &self.body
    }

    /// Returns the JSON object.
    pub fn into_body(self) -> Json {
        self.body
    }

    /// The schema of a collection of documents.
    pub(crate) fn schema(schema: Schema) -> Schema {
        schema.by_name().open()
    }

    /// The single value at the path of a declared field; null for a conflict. Bytes are always extracted.
    fn value_by(&self, path: &Path) -> ValueRef<'_> {
        let value = path.single(&self.body).and_then(plain_json);
        value.and_then(|value| path.coerce(value)).unwrap_or(ValueRef::Null)
    }

    /// The extracted values of a declared field; `None` if they must be read by the path.
    fn extracted(&self, position: usize) -> Option<&Extracted> {
        let extracted = self.declared.as_ref()?.get(position)?;
        (!matches!(extracted, Extracted::ByPath)).then_some(extracted)
    }
}

impl Clone for Document {
    /// The copied values stay behind: a collection makes them again.
    fn clone(&self) -> Self {
        Document { body: self.body.clone(), declared: None }
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body
    }
}

impl Record for Document {
    type Key = AnyKey;

    fn engine_opened_with(_: Internal) -> Option<&'static str> {
        Some("Store::documents")
    }

    /// Empty: each collection has its own schema.
    fn schema() -> Schema {
        Schema::new([])
    }

    /// A document with these values at their paths; several values of one name, and those of a field of many, become an array.
    fn engine_from_values(values: &FieldValues, schema: &Schema, _: Internal) -> Result<Self, Cause> {
        let mut body = Json::Object(serde_json::Map::new());
        let by_name = values.by_name();
        let names: HashSet<&str> = by_name.iter().map(|(name, _)| *name).collect();
        for (name, values) in by_name {
            let above = name.match_indices('.').map(|(at, _)| name.split_at(at).0).find(|above| names.contains(above));
            if let Some(above) = above {
                let found = format!("a value of its own and one at {name:?}");
                return Err(Cause::Conflict { field: above.into(), expected: "a value or an object".into(), found });
            }
            let json = values.iter().map(|value| json_of(value.as_ref()).ok_or(*value)).collect::<Result<Vec<_>, _>>();
            let mut json = json.map_err(|value| Cause::Conflict {
                field: name.into(),
                expected: "a value that JSON has".into(),
                found: format!("{value:?}"),
            })?;
            let is_many = schema.find(name).is_some_and(|(_, field)| field.is_many());
            let json = if is_many || json.len() != 1 { Json::Array(json) } else { json.remove(0) };
            set(&mut body, name, json)?;
        }
        Ok(Document { body: shallow(body)?, declared: None })
    }

    /// Empty: the key is known only with the schema of a collection.
    fn key(&self, _: &mut KeyBuffer) {}

    /// Null: fields are known only with the schema of a collection.
    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn heap_size(&self) -> usize {
        heap_bytes(&self.body) + self.declared.as_deref().map_or(0, declared::heap_bytes)
    }

    fn cloner() -> Option<fn(&Self) -> Self> {
        Some(Clone::clone)
    }

    fn engine_admit(&mut self, schema: &Schema, _: Internal) -> Result<(), Cause> {
        self.declared = None;
        self.declared = Some(declared::extract(&self.body, schema)?);
        Ok(())
    }

    fn engine_key(&self, schema: &Schema, key: &mut KeyBuffer, _: Internal) {
        let parts = schema.paths().enumerate().filter(|(_, (field, _))| field.is_key());
        parts.for_each(|(position, (_, path))| match self.extracted(position) {
            Some(Extracted::One(value)) => key.push(value.as_ref()),
            _ => key.push(self.value_by(path)),
        });
    }

    #[inline]
    fn engine_value(&self, field: &FieldAt, _: Internal) -> ValueRef<'_> {
        match (self.extracted(field.position()), field.path()) {
            (Some(Extracted::One(value)), _) => value.as_ref(),
            // An undeclared path has one value if no array is on the way.
            (None, Some(path)) if !path.many || path.kind.is_none() => self.value_by(path),
            _ => ValueRef::Null,
        }
    }

    fn engine_values<'a>(&'a self, field: &FieldAt, visit: &mut dyn FnMut(ValueRef<'a>), _: Internal) {
        match (self.extracted(field.position()), field.path()) {
            (Some(Extracted::One(value)), _) => visit(value.as_ref()),
            (Some(Extracted::Many(values)), _) => values.iter().for_each(|value| visit(value.as_ref())),
            (_, Some(path)) if path.many => values(path, &self.body, visit),
            (_, Some(path)) => visit(self.value_by(path)),
            (_, None) => {}
        }
    }

    fn engine_elements(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource), _: Internal) {
        Element(&self.body).elements_at(field, each);
    }

    fn engine_set(&mut self, field: &FieldAt, value: ValueRef<'_>, _: Internal) -> Result<(), FieldError> {
        let (path, json) = (settable(field)?, in_json(value)?);
        self.declared = None;
        // Something else than an object is in the way.
        set(&mut self.body, &path.name, json).map_err(|_| FieldError::NoStruct)
    }

    fn engine_append(
        &mut self,
        field: &FieldAt,
        value: ValueRef<'_>,
        keep: usize,
        _: Internal,
    ) -> Result<(), FieldError> {
        let (path, json) = (settable(field)?, in_json(value)?);
        self.declared = None;
        append(&mut self.body, &path.name, json, keep).ok_or(FieldError::NoList)
    }
}

/// The path of a field, unless a document with a value there would be too deep.
fn settable(field: &FieldAt) -> Result<&Path, FieldError> {
    let path = field.path().filter(|path| path.steps.len() < crate::limits::MAX_DOCUMENT_DEPTH);
    path.ok_or(FieldError::NoSetter)
}

fn in_json(value: ValueRef<'_>) -> Result<Json, FieldError> {
    json_of(value).ok_or_else(|| FieldError::DoesNotFit { given: value.to_value(), expected: "JSON value" })
}

/// The values at a path, without nulls and conflicts.
fn values<'a>(path: &Path, body: &'a Json, visit: &mut dyn FnMut(ValueRef<'a>)) {
    path.each(body, &mut |json| {
        let value = plain_json(json).filter(|value| !value.is_null());
        if let Some(value) = value.and_then(|value| path.coerce(value)) {
            visit(value);
        }
    });
}

/// An object in a document, whose fields have any number of values.
struct Element<'a>(&'a Json);

impl FieldSource for Element<'_> {
    fn value_at(&self, _: &FieldAt) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        if let Some(path) = field.path() {
            values(path, self.0, &mut |value| each(field.read(value)));
        }
    }

    fn elements_at(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource)) {
        let Some(path) = field.path() else { return };
        path.each(self.0, &mut |json| {
            if json.is_object() {
                each(&Element(json));
            }
        });
    }
}

impl TryFrom<Json> for Document {
    type Error = DocumentError;

    fn try_from(json: Json) -> Result<Self, DocumentError> {
        Document::new(json)
    }
}

impl FromStr for Document {
    type Err = DocumentError;

    /// Reads JSON text.
    fn from_str(text: &str) -> Result<Self, DocumentError> {
        Document::new(serde_json::from_str(text).map_err(document_error)?)
    }
}

/// Converts an error of `serde_json`, which reports too deep text only in its message.
fn document_error(error: serde_json::Error) -> DocumentError {
    let message = error.to_string();
    if message.starts_with("recursion limit exceeded") {
        return DocumentError::TooDeep { limit: crate::limits::MAX_DOCUMENT_DEPTH };
    }
    DocumentError::Json { message }
}

impl fmt::Display for Document {
    /// As JSON text, on one line; `{:#}` on several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}
