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
use crate::value::{Collation, Fitted, Kind, Value};
use std::borrow::Cow;
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

    /// Both conditions, of one schema, normalized.
    pub fn and(&self, other: &Condition, schema: &Schema) -> Condition {
        normal_form(Condition::And(vec![self.clone(), other.clone()]), schema)
    }

    /// Equal for conditions with one normal form, also of another schema with the same names and kinds.
    pub fn fingerprint(&self, schema: &Schema) -> Fingerprint {
        normal_form::fingerprint(self, schema)
    }
}

/// The condition of a predicate, part by part, not normalized. `collection` is the name in errors.
pub(super) fn bind(collection: &str, schema: &Schema, predicate: &Predicate) -> Result<Condition, QueryError> {
    Binder { collection, schema, element: None }.bind(predicate)
}

struct Binder<'a> {
    collection: &'a str,
    schema: &'a Schema,
    /// The path to the elements whose fields the predicate names.
    element: Option<&'a str>,
}

impl Binder<'_> {
    fn bind(&self, predicate: &Predicate) -> Result<Condition, QueryError> {
        let all = |parts: &[Predicate]| parts.iter().map(|part| self.bind(part)).collect::<Result<_, _>>();
        Ok(match predicate {
            Predicate::All => Condition::All,
            Predicate::TooDeep => return Err(QueryError::too_deep(MAX_PREDICATE_DEPTH)),
            Predicate::And(parts) => Condition::And(all(parts)?),
            Predicate::Or(parts) => Condition::Or(all(parts)?),
            Predicate::Not(part) => Condition::Not(Box::new(self.bind(part)?)),
            Predicate::Eq(name, value) => {
                self.test(name, "eq", |field| Ok(self.fit(field, value)?.exact().map_or_else(nothing, Test::Eq)))?
            }
            Predicate::Ne(name, value) => {
                self.test(name, "ne", |field| Ok(self.fit(field, value)?.exact().map_or_else(anything, Test::Ne)))?
            }
            Predicate::In(name, values) => {
                self.test(name, "is_in", |field| Ok(Test::In(self.fit_each(field, values)?.0)))?
            }
            Predicate::Range(name, from, to) => self.test(name, "a range", |field| {
                let fit = |bound: &Bound<Value>| -> Result<Bound<Fitted>, QueryError> {
                    Ok(match bound {
                        Bound::Unbounded => Bound::Unbounded,
                        Bound::Included(value) => Bound::Included(self.fit(field, value)?),
                        Bound::Excluded(value) => Bound::Excluded(self.fit(field, value)?),
                    })
                };
                Ok(Fitted::range(fit(from)?, fit(to)?).map_or_else(nothing, |(from, to)| Test::Range(from, to)))
            })?,
            Predicate::IsNull(name) => {
                let field = self.find(name)?;
                field.condition(if field.is_many() { Test::HasNone } else { Test::IsNull })
            }
            Predicate::Text(name, test) => self.text_test(name, test)?,
            Predicate::AnyOf(name, values) => {
                let method = if values.len() == 1 { "contains" } else { "any" };
                self.test(name, method, |field| Ok(Test::Any(self.fit_each(field, values)?.0)))?
            }
            Predicate::AllOf(name, values) => self.test(name, "all", |field| {
                let (values, complete) = self.fit_each(field, values)?;
                Ok(if complete { Test::All(values) } else { Test::Any(Values::default()) })
            })?,
            Predicate::ElemMatch(name, part) => self.element(name, part)?,
        })
    }

    /// The condition that one element matches.
    fn element(&self, name: &str, part: &Predicate) -> Result<Condition, QueryError> {
        let path = self.full(name);
        let Some(at) = self.schema.undeclared(name) else {
            return Err(QueryError::no_elements(self.collection, path));
        };
        let condition = Binder { element: Some(&path), ..*self }.bind(part)?;
        Ok(Condition::Element(at, Box::new(condition)))
    }

    /// The name of a field in the schema.
    fn full<'n>(&self, name: &'n str) -> Cow<'n, str> {
        self.element.map_or(Cow::Borrowed(name), |element| Cow::Owned(format!("{element}.{name}")))
    }

    fn find<'n>(&'n self, name: &'n str) -> Result<NamedField<'n>, QueryError> {
        match self.schema.find(&self.full(name)) {
            Some((_, def)) if self.element.is_some() => {
                if def.kind() == Kind::Bytes {
                    return Err(QueryError::bytes_in_element(self.collection, def.name()));
                }
                let at = FieldAt::of_element(name, def.kind(), def.collation());
                return Ok(NamedField { name, at, def: Some(def), in_element: true });
            }
            Some((at, def)) => return Ok(NamedField { name, at, def: Some(def), in_element: false }),
            None => {}
        }
        if self.element.is_none() && self.schema.through(name).is_some() {
            return Err(QueryError::through_reference(self.collection, name));
        }
        let undeclared = self.schema.undeclared(name).map(|at| NamedField { name, at, def: None, in_element: false });
        undeclared.ok_or_else(|| self.schema.unknown_field(self.collection, name))
    }

    /// The condition of a test. `method` is the name in errors.
    fn test(
        &self,
        name: &str,
        method: &'static str,
        make: impl FnOnce(&NamedField<'_>) -> Result<Test, QueryError>,
    ) -> Result<Condition, QueryError> {
        let field = self.find(name)?;
        if let (Some(def), false, "contains" | "any" | "all") = (field.def, field.is_many(), method) {
            return Err(QueryError::wrong_test(self.collection, name, method, def.kind()));
        }
        let test = make(&field)?;
        Ok(if field.is_many() { field.of_many(test) } else { field.condition(test) })
    }

    /// The condition of a text test. With [`Collation::NoCase`], the field is compared by folded texts, which suffices for
    /// a test that ignores case. All others compare the text as it is written.
    fn text_test(&self, name: &str, test: &TextTest) -> Result<Condition, QueryError> {
        let of = |field: &NamedField<'_>| self.text(field, test);
        match self.find(name)?.def.and_then(FieldDef::collation) {
            Some(collation @ Collation::NoCase) if test.ignore_case => self.test(name, test.name(), |field| {
                let folded = TextTest::new(test.op, collation.key(&test.pattern));
                Ok(match self.text(field, &folded)? {
                    // A pattern that is not a value or a range is compared with any spelling.
                    Test::Text(_) => of(field)?,
                    simple => simple,
                })
            }),
            _ => Ok(self.test(name, test.name(), of)?.of_spelling()),
        }
    }

    /// The values that the field can have, and whether these are all.
    fn fit_each(&self, field: &NamedField<'_>, values: &[Value]) -> Result<(Values, bool), QueryError> {
        if values.len() > MAX_LISTED_VALUES {
            return Err(QueryError::too_many_values(self.collection, field.name, values.len(), MAX_LISTED_VALUES));
        }
        let mut fitting = Vec::with_capacity(values.len());
        for value in values {
            fitting.extend(self.fit(field, value)?.exact());
        }
        let complete = fitting.len() == values.len();
        Ok((Values::new(fitting), complete))
    }

    /// A text test; as an equality or a range if it is equivalent to one, so that indexes can answer it.
    fn text(&self, field: &NamedField<'_>, test: &TextTest) -> Result<Test, QueryError> {
        let text = test.pattern.as_str();
        if text.len() > MAX_PATTERN_BYTES {
            return Err(QueryError::pattern_too_long(self.collection, field.name, text.len(), MAX_PATTERN_BYTES));
        }
        if let Some(expected) = field.def.map(FieldDef::kind).filter(|kind| *kind != Kind::Str) {
            return Err(QueryError::wrong_kind(self.collection, field.name, expected, text));
        }
        let Some(pattern) = Pattern::compile(test) else {
            return Err(QueryError::bad_pattern(self.collection, field.name, text));
        };
        let text = |text: &str| Value::from(text);
        Ok(match pattern.simple() {
            Some(Simple::Exactly(exact)) => Test::Eq(text(&exact)),
            Some(Simple::Prefix(from, to)) => {
                let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(text(&to)));
                Test::Range(Bound::Included(text(&from)), to)
            }
            // A field of strings has strings only, an undeclared path may have other values too.
            Some(Simple::Any) if field.def.is_some() => Test::Range(Bound::Unbounded, Bound::Unbounded),
            Some(Simple::Any) => Test::Range(Bound::Included(text("")), Bound::Unbounded),
            None => Test::Text(pattern),
        })
    }

    fn fit(&self, field: &NamedField<'_>, value: &Value) -> Result<Fitted, QueryError> {
        let Some(def) = field.def else {
            return undeclared::fitted(value).ok_or_else(|| QueryError::null_operand(self.collection, field.name));
        };
        operand(self.collection, def, value)
    }
}

/// No single value.
fn nothing() -> Test {
    Test::In(Values::default())
}

/// Every value; a missing one is none.
fn anything() -> Test {
    Test::Range(Bound::Unbounded, Bound::Unbounded)
}

/// Converts a value to the kind of a field: a number to its place among the values of the kind, and a string to a kind
/// that is written as text, such as a UUID.
///
/// # Errors
/// If the value does not fit the field.
pub fn fit(collection: &str, def: &FieldDef, value: &Value) -> Result<Fitted, QueryError> {
    let (kind, given) = (def.kind(), value.as_ref());
    if given.kind() == Some(kind) {
        return Ok(Fitted::Exact(value.clone()));
    }
    let parsed = || given.as_str().and_then(|text| Value::from_text(kind, text)).map(Fitted::Exact);
    let fitted = Fitted::new(given, kind).or_else(parsed);
    fitted.ok_or_else(|| QueryError::wrong_kind(collection, def.name(), kind, given))
}

/// Converts a value to the kind of a field, and to the key of its collation: the values that records are compared with.
///
/// # Errors
/// If the value does not fit the field.
pub fn operand(collection: &str, def: &FieldDef, value: &Value) -> Result<Fitted, QueryError> {
    let fitted = fit(collection, def, value)?;
    Ok(match (fitted, def.collation()) {
        (Fitted::Exact(value), Some(collation)) => {
            let key = value.as_str().map(|text| Value::from(&*collation.key(text)));
            Fitted::Exact(key.unwrap_or(value))
        }
        (fitted, _) => fitted,
    })
}

/// A field that a predicate names.
struct NamedField<'a> {
    name: &'a str,
    at: FieldAt,
    /// `None` for an undeclared path.
    def: Option<&'a FieldDef>,
    /// Whether it is a field of an element, where a path leads to any number of values.
    in_element: bool,
}

impl NamedField<'_> {
    fn is_many(&self) -> bool {
        self.in_element || self.def.is_none_or(FieldDef::is_many)
    }

    fn condition(&self, test: Test) -> Condition {
        match self.def {
            Some(_) => Condition::Test(self.at.clone(), test),
            None => Condition::Undeclared(self.at.clone(), test),
        }
    }

    /// A test of a single value means that one of the values matches; `ne` that there are values, and none is equal.
    fn of_many(&self, test: Test) -> Condition {
        match test {
            Test::Ne(value) => {
                let no = |test| Condition::Not(Box::new(self.condition(test)));
                Condition::And(vec![no(Test::HasNone), no(Test::Any(Values::new(vec![value])))])
            }
            Test::Eq(value) => self.condition(Test::Any(Values::new(vec![value]))),
            Test::In(values) => self.condition(Test::Any(values)),
            Test::Range(..) | Test::Text(_) if self.def.is_some() => self.condition(Test::Has(Box::new(test))),
            of_many => self.condition(of_many),
        }
    }
}
