//! The values of a document's declared fields, extracted once: when a collection takes the document.
//!
//! Each step of a path searches a map whose names lie apart in memory, so queries that followed paths took up to ten times as long
//! as on records of a Rust type. A value takes 24 bytes, and a text of more than 23 bytes takes its length again.

use super::json::InJson;
use super::{FieldDef, Schema};
use crate::error::Cause;
use memdex_query::schema::Path;
use memdex_query::value::{Kind, Value, ValueRef, json_type_name, plain_json};
use serde_json::Value as Json;

/// A longer text of a field of strings is not copied: it stays where its path leads.
const LONGEST_COPY: usize = 256;

/// By the positions of the schema.
pub(super) type Declared = Box<[Extracted]>;

#[derive(Clone)]
pub(super) enum Extracted {
    One(Value),
    Many(Box<[Value]>),
    ByPath,
}

impl Extracted {
    fn heap_bytes(&self) -> usize {
        match self {
            Extracted::One(value) => value.heap_bytes(),
            Extracted::Many(values) => size_of_val(&**values) + values.iter().map(Value::heap_bytes).sum::<usize>(),
            Extracted::ByPath => 0,
        }
    }
}

pub(super) fn heap_bytes(declared: &[Extracted]) -> usize {
    size_of_val(declared) + declared.iter().map(Extracted::heap_bytes).sum::<usize>()
}

/// Extracts the declared fields, and checks that they fit.
pub(super) fn extract(body: &Json, schema: &Schema) -> Result<Declared, Cause> {
    schema.paths().map(|(field, path)| extract_field(body, field, path)).collect()
}

fn extract_field(body: &Json, field: &FieldDef, path: &Path) -> Result<Extracted, Cause> {
    let mut values = Values { path, conflict: None, is_long: false, any: false, copies: Vec::new() };
    if field.is_many() {
        path.each(body, &mut |json| values.add(json));
    } else if let Some(json) = path.single(body) {
        values.add(json);
    }
    let Values { conflict, is_long, any, mut copies, .. } = values;
    if let Some(json) = conflict.filter(|_| !field.skips_conflicts()) {
        let found = plain_json(json).map_or(json_type_name(json).to_owned(), |value| format!("{value:?}"));
        return Err(field.conflict(found).into());
    }
    if field.is_required() && !any {
        return Err(Cause::MissingField { field: field.name().to_owned() });
    }
    Ok(match (is_long, field.is_many()) {
        (true, _) => Extracted::ByPath,
        (false, true) => Extracted::Many(copies.into()),
        (false, false) => Extracted::One(copies.pop().unwrap_or(Value::NULL)),
    })
}

/// The values of one field so far.
struct Values<'a> {
    path: &'a Path,
    /// The first value of the wrong type.
    conflict: Option<&'a Json>,
    /// Whether a text is too long to be copied.
    is_long: bool,
    any: bool,
    copies: Vec<Value>,
}

impl<'a> Values<'a> {
    fn add(&mut self, json: &'a Json) {
        match plain_json(json) {
            Some(ValueRef::Null) => {}
            Some(ValueRef::Str(text)) if self.path.kind == Some(Kind::Str) && text.len() > LONGEST_COPY => {
                self.any = true;
                self.is_long = true;
            }
            value => match value.and_then(|value| self.path.copy(value)) {
                Some(copy) => {
                    self.any = true;
                    self.copies.push(copy);
                }
                None => self.conflict = self.conflict.or(Some(json)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extracted_value_takes_24_bytes() {
        assert_eq!(size_of::<Extracted>(), 24);
    }
}
