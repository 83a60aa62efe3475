//! JSON documents as records: fields are found by their paths, as the schema of the collection declares them.

use super::KeyBuffer;
use super::json::{InJson, merge_patch, set, shallow};
use super::record::Internal;
use super::{FieldAt, FieldDef, Record, Schema};
use crate::error::{Cause, DocumentError, SchemaError};
use crate::value::{AnyKey, Kind, ValueRef, plain_json, sort_of_json};
use memdex_query::schema::Path;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
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
/// A field's name is the path to it: names of objects' fields with dots between them. Where an array stands on the way or at
/// the end, the path leads to each of its elements; a field that is to be found there is declared
/// [`many`](crate::FieldDef::many). A name that has a dot in itself can't be reached.
///
/// # Declared fields
/// `null`, and a path that leads nowhere, are a missing value. A field can be missing, unless it is part of the key or
/// [`required`](crate::FieldDef::required). An integer field takes integers (`5`, not `5.0`), a float field any number, a
/// string field strings, a `bool` field `true` and `false`, a `char` field strings of one character. Anything else there, an
/// object or, where the field is not one of many values, an array included, is a *conflict*: the document is refused with
/// [`Cause::Conflict`], unless the field [skips](crate::FieldDef::skip_conflicts) it, which counts as missing then. In a field
/// of many values each of them is judged by itself.
///
/// # Other paths
/// Queries may name any path; those that are not declared are answered by a scan. There numbers are compared by number, so that
/// `eq(5)` finds `5.0`; values of different sorts are unequal, and in no range of each other's. All tests are possible; one of a
/// single value (`eq`, `ne`, `is_in`, ranges) holds if one of the values there meets it. `is_null` holds where there is no plain
/// value: an object is none.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// An object, and no deeper than the limit.
    body: Json,
}

impl Document {
    /// A document of this JSON.
    ///
    /// # Errors
    /// [`DocumentError::NotAnObject`], and [`DocumentError::TooDeep`] beyond
    /// [`limits::MAX_DOCUMENT_DEPTH`](crate::limits::MAX_DOCUMENT_DEPTH), however deep it is.
    pub fn new(json: Json) -> Result<Self, DocumentError> {
        let body = shallow(json)?;
        if !body.is_object() {
            return Err(DocumentError::NotAnObject { found: sort_of_json(&body) });
        }
        Ok(Document { body })
    }

    /// A document of what a value of a Rust type is as JSON. (Serializing is recursive in the depth of the value, as always
    /// with serde: JSON that may be hostile belongs into [`new`](Document::new).)
    ///
    /// # Errors
    /// A [`DocumentError`] if it can't be serialized, or is no object.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, DocumentError> {
        Document::new(serde_json::to_value(value).map_err(said)?)
    }

    /// The document as a value of a Rust type.
    ///
    /// ```
    /// use memdex::{Document, json};
    /// let document = Document::new(json!({ "id": "payment-1", "amount": 500 }))?;
    /// let payment = document.to::<std::collections::BTreeMap<String, serde_json::Value>>()?;
    /// assert_eq!(Document::of(&payment)?, document);
    /// # Ok::<(), memdex::DocumentError>(())
    /// ```
    ///
    /// # Errors
    /// [`DocumentError::Json`] if it does not fit the type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, DocumentError> {
        T::deserialize(&self.body).map_err(said)
    }

    /// What lies at a path, through objects alone: arrays are not gone through.
    pub fn get(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(&self.body, |at, step| at.as_object()?.get(step))
    }

    /// Sets what lies at a path, through objects alone. Those that are missing on the way are made. For several changes at
    /// once, and to take a field out, see [`patch`](Document::patch).
    ///
    /// # Errors
    /// [`DocumentError::InTheWay`] if something else than an object is on the way, and [`DocumentError::TooDeep`] if the document
    /// would be. It is as it was then.
    pub fn set(&mut self, path: &str, value: impl Into<Json>) -> Result<(), DocumentError> {
        let mut body = self.body.clone();
        set(&mut body, path, shallow(value.into())?)?;
        self.body = shallow(body)?;
        Ok(())
    }

    /// Merges a JSON merge patch into the document (RFC 7396): `null` takes a field out, objects are merged, anything else replaces
    /// what is there, arrays included.
    ///
    /// # Errors
    /// [`DocumentError::NotAnObject`] and [`DocumentError::TooDeep`], of the patch. The document is as it was then.
    pub fn patch(&mut self, patch: Json) -> Result<(), DocumentError> {
        self.merge(&Document::new(patch)?);
        Ok(())
    }

    /// What is no deeper than the limit makes nothing deeper that it is merged into.
    pub(crate) fn merge(&mut self, patch: &Document) {
        merge_patch(&mut self.body, &patch.body);
    }

    /// The JSON object.
    pub fn body(&self) -> &Json {
        &self.body
    }

    /// The JSON object, taken out.
    pub fn into_body(self) -> Json {
        self.body
    }

    /// The schema of a collection of documents.
    pub(crate) fn schema(schema: Schema) -> Result<Schema, SchemaError> {
        let in_json = |kind| matches!(kind, Kind::Bool | Kind::Int | Kind::Float | Kind::Char | Kind::Str);
        match schema.fields().iter().find(|field| !in_json(field.kind())) {
            Some(field) => Err(SchemaError::NotInDocuments { field: field.name().to_owned(), kind: field.kind() }),
            None => Ok(schema.by_name().open()),
        }
    }

    /// The only value at the path of a declared field; a conflict is a missing one.
    fn value_by(&self, path: &Path) -> ValueRef<'_> {
        let value = path.only(&self.body).and_then(plain_json);
        value.and_then(|value| path.shown(value)).unwrap_or(ValueRef::Null)
    }

    /// The first conflict at a path, and whether there is any value of the field's.
    fn judge(&self, field: &FieldDef, path: &Path) -> (Option<&Json>, bool) {
        let (mut conflict, mut any) = (None, false);
        let mut look = |json| match plain_json(json) {
            Some(ValueRef::Null) => {}
            Some(value) if path.shown(value).is_some() => any = true,
            _ => conflict = conflict.or(Some(json)),
        };
        if field.is_many() {
            path.each(&self.body, &mut look);
        } else if let Some(json) = path.only(&self.body) {
            look(json);
        }
        (conflict, any)
    }
}

impl Record for Document {
    type Key = AnyKey;

    fn engine_opened_with(_: Internal) -> Option<&'static str> {
        Some("Store::documents")
    }

    /// None: each collection has its own.
    fn schema() -> Schema {
        Schema::new([])
    }

    /// Nothing: without the schema of a collection there is no key.
    fn key(&self, _: &mut KeyBuffer) {}

    /// Null: without the schema of a collection there are no fields.
    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn engine_check(&self, schema: &Schema, _: Internal) -> Result<(), Cause> {
        for (field, path) in schema.paths() {
            let (conflict, any) = self.judge(field, path);
            if let Some(json) = conflict.filter(|_| !field.skips_conflicts()) {
                let found = plain_json(json).map_or(sort_of_json(json).to_owned(), |value| format!("{value:?}"));
                return Err(field.conflict(found).into());
            }
            if field.is_required() && !any {
                return Err(Cause::MissingField { field: field.name().to_owned() });
            }
        }
        Ok(())
    }

    fn engine_key(&self, schema: &Schema, key: &mut KeyBuffer, _: Internal) {
        schema.paths().filter(|(field, _)| field.is_key()).for_each(|(_, path)| key.push(self.value_by(path)));
    }

    fn engine_value(&self, field: &FieldAt, _: Internal) -> ValueRef<'_> {
        match field.path() {
            Some(path) if !path.many => self.value_by(path),
            _ => ValueRef::Null,
        }
    }

    fn engine_values<'a>(&'a self, field: &FieldAt, show: &mut dyn FnMut(ValueRef<'a>), _: Internal) {
        match field.path() {
            Some(path) if path.many => path.each(&self.body, &mut |json| {
                let value = plain_json(json).filter(|value| !value.is_null());
                if let Some(value) = value.and_then(|value| path.shown(value)) {
                    show(value);
                }
            }),
            Some(path) => show(self.value_by(path)),
            None => {}
        }
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
        Document::new(serde_json::from_str(text).map_err(said)?)
    }
}

/// What `serde_json` says. Of text that is too deep it says so in words alone.
fn said(error: serde_json::Error) -> DocumentError {
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
