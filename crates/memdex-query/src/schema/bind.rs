//! Binds a predicate to a schema: finds its fields and converts its values to their kinds.

use super::condition::Condition;
use super::normal_form::{self, normal_form};
use super::pattern::{Pattern, Simple};
use super::test::Test;
use super::values::Values;
use super::{FieldAt, FieldDef, Schema, undeclared};
use crate::error::QueryError;
use crate::limits::{MAX_LISTED_VALUES, MAX_PATTERN_BYTES, MAX_PREDICATE_DEPTH};
use crate::query::{Fingerprint, Predicate, TextTest};
use crate::value::{DecimalValue, Kind, Value, ValueRef};
use std::ops::Bound;

impl Condition {
    /// Binds a predicate to a schema and normalizes it. `collection` is the name in errors.
    ///
    /// # Errors
    /// If a field does not exist, or a value does not fit its field.
    pub fn new(collection: &str, schema: &Schema, predicate: &Predicate) -> Result<Self, QueryError> {
        Ok(normal_form(bind(collection, schema, predicate)?, schema))
    }

    /// The same with the fingerprint of the condition. It is computed from the same normal form.
    ///
    /// # Errors
    /// If a field does not exist, or a value does not fit its field.
    pub fn with_fingerprint(
        collection: &str,
        schema: &Schema,
        predicate: &Predicate,
    ) -> Result<(Self, Fingerprint), QueryError> {
        Ok(normal_form::with_fingerprint(bind(collection, schema, predicate)?, schema))
    }

    /// Equal for conditions with one normal form, also of another schema with the same names and kinds.
    pub fn fingerprint(&self, schema: &Schema) -> Fingerprint {
        normal_form::fingerprint(self, schema)
    }
}

/// The condition of a predicate, part by part, not normalized. `collection` is the name in errors.
pub(super) fn bind(collection: &str, schema: &Schema, predicate: &Predicate) -> Result<Condition, QueryError> {
    Binder { collection, schema }.bind(predicate)
}

struct Binder<'a> {
    collection: &'a str,
    schema: &'a Schema,
}

impl Binder<'_> {
    fn bind(&self, predicate: &Predicate) -> Result<Condition, QueryError> {
        let all = |parts: &[Predicate]| parts.iter().map(|part| self.bind(part)).collect::<Result<_, _>>();
        Ok(match predicate {
            Predicate::All => Condition::All,
            Predicate::TooDeep => return Err(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH }),
            Predicate::And(parts) => Condition::And(all(parts)?),
            Predicate::Or(parts) => Condition::Or(all(parts)?),
            Predicate::Not(part) => Condition::Not(Box::new(self.bind(part)?)),
            Predicate::Eq(name, value) => self.single(name, "eq", |field| Ok(Test::Eq(self.fit(field, value)?)))?,
            Predicate::Ne(name, value) => self.single(name, "ne", |field| Ok(Test::Ne(self.fit(field, value)?)))?,
            Predicate::In(name, values) => {
                self.single(name, "is_in", |field| Ok(Test::In(self.fit_all(field, values)?)))?
            }
            Predicate::Range(name, from, to) => self.single(name, "a range", |field| {
                let fit = |bound: &Bound<Value>| -> Result<Bound<Value>, QueryError> {
                    Ok(match bound {
                        Bound::Unbounded => Bound::Unbounded,
                        Bound::Included(value) => Bound::Included(self.fit(field, value)?),
                        Bound::Excluded(value) => Bound::Excluded(self.fit(field, value)?),
                    })
                };
                Ok(Test::Range(fit(from)?, fit(to)?))
            })?,
            Predicate::IsNull(name) => {
                let asked = self.find(name)?;
                let many = asked.def.is_none_or(FieldDef::is_many);
                asked.condition(if many { Test::HasNone } else { Test::IsNull })
            }
            Predicate::Text(name, test) => self.single(name, test.name(), |field| self.text(field, test))?,
            Predicate::AnyOf(name, values) => {
                let method = if values.len() == 1 { "contains" } else { "any" };
                self.many(name, method, |field| Ok(Test::Any(self.fit_all(field, values)?)))?
            }
            Predicate::AllOf(name, values) => {
                self.many(name, "all", |field| Ok(Test::All(self.fit_all(field, values)?)))?
            }
        })
    }

    fn find<'n>(&'n self, name: &'n str) -> Result<Asked<'n>, QueryError> {
        if let Some((at, def)) = self.schema.find(name) {
            return Ok(Asked { name, at, def: Some(def) });
        }
        let undeclared = self.schema.undeclared(name).map(|at| Asked { name, at, def: None });
        undeclared.ok_or_else(|| QueryError::UnknownField {
            collection: self.collection.to_owned(),
            field: name.to_owned(),
            known: self.schema.fields().iter().map(|field| field.name().to_owned()).collect(),
        })
    }

    fn single(
        &self,
        name: &str,
        test: &'static str,
        make: impl FnOnce(&Asked<'_>) -> Result<Test, QueryError>,
    ) -> Result<Condition, QueryError> {
        self.test(name, test, false, make)
    }

    fn many(
        &self,
        name: &str,
        test: &'static str,
        make: impl FnOnce(&Asked<'_>) -> Result<Test, QueryError>,
    ) -> Result<Condition, QueryError> {
        self.test(name, test, true, make)
    }

    fn test(
        &self,
        name: &str,
        test: &'static str,
        many: bool,
        make: impl FnOnce(&Asked<'_>) -> Result<Test, QueryError>,
    ) -> Result<Condition, QueryError> {
        let asked = self.find(name)?;
        if let Some(def) = asked.def.filter(|def| def.is_many() != many) {
            let (collection, field) = (self.collection.to_owned(), name.to_owned());
            return Err(QueryError::WrongTest { collection, field, test, kind: def.kind(), many: !many });
        }
        let test = make(&asked)?;
        Ok(asked.condition(test))
    }

    fn fit_all(&self, asked: &Asked<'_>, values: &[Value]) -> Result<Values, QueryError> {
        if values.len() > MAX_LISTED_VALUES {
            let (collection, field) = (self.collection.to_owned(), asked.name.to_owned());
            return Err(QueryError::TooManyValues {
                collection,
                field,
                values: values.len(),
                limit: MAX_LISTED_VALUES,
            });
        }
        let fitting: Result<Vec<Value>, _> = values.iter().map(|value| self.fit(asked, value)).collect();
        Ok(Values::new(fitting?))
    }

    /// A text test; as an equality or a range if it is equivalent to one, so that indexes can answer it.
    fn text(&self, asked: &Asked<'_>, test: &TextTest) -> Result<Test, QueryError> {
        let (collection, field) = (|| self.collection.to_owned(), || asked.name.to_owned());
        let bytes = test.pattern.len();
        if bytes > MAX_PATTERN_BYTES {
            let limit = MAX_PATTERN_BYTES;
            return Err(QueryError::PatternTooLong { collection: collection(), field: field(), bytes, limit });
        }
        if let Some(expected) = asked.def.map(FieldDef::kind).filter(|kind| *kind != Kind::Str) {
            let given = Value::from(test.pattern.as_str());
            return Err(QueryError::WrongKind { collection: collection(), field: field(), expected, given });
        }
        let Some(pattern) = Pattern::compile(test) else {
            let pattern = test.pattern.clone();
            return Err(QueryError::BadPattern { collection: collection(), field: field(), pattern });
        };
        let text = |text: &str| Value::from(text);
        Ok(match pattern.simple() {
            Some(Simple::Exactly(exact)) => Test::Eq(text(&exact)),
            Some(Simple::Prefix(from, to)) => {
                let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(text(&to)));
                Test::Range(Bound::Included(text(&from)), to)
            }
            // A field of strings has strings only, an undeclared path may have other values too.
            Some(Simple::Any) if asked.def.is_some() => Test::Range(Bound::Unbounded, Bound::Unbounded),
            Some(Simple::Any) => Test::Range(Bound::Included(text("")), Bound::Unbounded),
            None => Test::Text(pattern),
        })
    }

    fn fit(&self, asked: &Asked<'_>, value: &Value) -> Result<Value, QueryError> {
        let (collection, field) = (|| self.collection.to_owned(), || asked.name.to_owned());
        let Some(def) = asked.def else {
            let null = || QueryError::NullOperand { collection: collection(), field: field() };
            return undeclared::operand(value).ok_or_else(null);
        };
        fit(self.collection, def, value)
    }
}

/// Converts a value to the kind of a field: an integer to a float or a decimal if that is exact, and a string to a kind that is written
/// as text, such as a UUID. A float is never converted to a decimal, since the intended decimal is unknown.
///
/// # Errors
/// If a field does not exist, or a value does not fit its field.
pub fn fit(collection: &str, def: &FieldDef, value: &Value) -> Result<Value, QueryError> {
    match (def.kind(), value.as_ref()) {
        (Kind::Float, ValueRef::Int(n)) if (n as f64) as i128 == i128::from(n) => Ok(Value::from(n as f64)),
        (expected, fitting) if fitting.kind() == Some(expected) => Ok(value.clone()),
        (Kind::Decimal, ValueRef::Int(n)) => Ok(DecimalValue::from(n).into()),
        (Kind::Decimal, ValueRef::Int128(n)) => Ok(DecimalValue::from(n).into()),
        (expected, given) => written(expected, given).ok_or_else(|| QueryError::WrongKind {
            collection: collection.to_owned(),
            field: def.name().to_owned(),
            expected,
            given: value.clone(),
        }),
    }
}

/// A field that a predicate names.
struct Asked<'a> {
    name: &'a str,
    at: FieldAt,
    /// `None` for an undeclared path.
    def: Option<&'a FieldDef>,
}

impl Asked<'_> {
    fn condition(self, test: Test) -> Condition {
        match self.def {
            Some(_) => Condition::Test(self.at, test),
            None => Condition::Undeclared(self.at, test),
        }
    }
}

/// A string parsed as a value of a kind that is written as text.
fn written(kind: Kind, given: ValueRef<'_>) -> Option<Value> {
    if let ValueRef::Str(text) = given { Value::from_text(kind, text) } else { None }
}
