//! Does a record meet a predicate? The one place that says what each test means.

use super::{FieldAt, FieldDef, Record, Schema, loose};
use crate::error::QueryError;
use crate::hash::{self, RandomState};
use crate::limits::MAX_PREDICATE_DEPTH;
use crate::query::Predicate;
use crate::value::{DecimalValue, Kind, Value, ValueRef};
use std::collections::HashSet;
use std::ops::{Bound, RangeBounds};

/// A predicate whose fields are found and whose values fit.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    All,
    Test(FieldAt, Test),
    /// On a path of documents that is not declared: no index knows anything of it.
    Loose(FieldAt, Test),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Eq(Value),
    Ne(Value),
    In(HashSet<Value, RandomState>),
    IsNull,
    Range(Bound<Value>, Bound<Value>),
    // Of a field of many values:
    Any(HashSet<Value, RandomState>),
    All(HashSet<Value, RandomState>),
    HasNone,
}

impl Condition {
    /// Binds a predicate to a schema; `collection` names it in errors.
    pub(crate) fn new(collection: &str, schema: &Schema, predicate: &Predicate) -> Result<Self, QueryError> {
        Binder { collection, schema }.bind(predicate, MAX_PREDICATE_DEPTH)
    }

    /// Whether a record meets it. Runs the record's extractors.
    pub(crate) fn holds<R: Record>(&self, record: &R) -> bool {
        match self {
            Condition::All => true,
            Condition::Test(field, test) => test.holds(record, field),
            Condition::Loose(path, test) => loose::holds(test, record, path),
            Condition::And(parts) => parts.iter().all(|part| part.holds(record)),
            Condition::Or(parts) => parts.iter().any(|part| part.holds(record)),
            Condition::Not(part) => !part.holds(record),
        }
    }

    /// The parts that must all hold.
    pub(crate) fn conjuncts(&self) -> &[Condition] {
        match self {
            Condition::And(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether all of `other`'s parts are, word by word, among those of this one: where this holds, so does `other`.
    pub(crate) fn implies(&self, other: &Condition) -> bool {
        other.conjuncts().iter().all(|wanted| self.conjuncts().iter().any(|part| part.is_same(wanted)))
    }

    /// Whether they hold of the same records, as far as their parts tell: those that must all hold, in any order.
    pub(crate) fn is_equivalent(&self, other: &Condition) -> bool {
        fn parts(of: &Condition) -> Vec<&Condition> {
            of.conjuncts().iter().filter(|part| !matches!(part, Condition::All)).collect()
        }
        let (ours, theirs) = (parts(self), parts(other));
        let within = |a: &[&Condition], b: &[&Condition]| a.iter().all(|part| b.iter().any(|same| part.is_same(same)));
        within(&ours, &theirs) && within(&theirs, &ours)
    }

    /// Whether they are the same, word by word.
    pub(crate) fn is_same(&self, other: &Condition) -> bool {
        let all = |a: &[Condition], b: &[Condition]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b));
        match (self, other) {
            (Condition::All, Condition::All) => true,
            (Condition::Test(a, x), Condition::Test(b, y)) | (Condition::Loose(a, x), Condition::Loose(b, y)) => {
                a == b && x == y
            }
            (Condition::And(a), Condition::And(b)) | (Condition::Or(a), Condition::Or(b)) => all(a, b),
            (Condition::Not(a), Condition::Not(b)) => a.is_same(b),
            _ => false,
        }
    }
}

impl Test {
    fn holds<R: Record>(&self, record: &R, field: &FieldAt) -> bool {
        match self {
            Test::Any(wanted) => {
                let mut found = false;
                record.values_at(field, &mut |value| found = found || wanted.contains(&value.to_value()));
                found
            }
            Test::All(wanted) => {
                let mut missing: HashSet<&Value, _> = wanted.iter().collect::<HashSet<_>>();
                record.values_at(field, &mut |value| {
                    missing.remove(&value.to_value());
                });
                missing.is_empty()
            }
            Test::HasNone => {
                let mut none = true;
                record.values_at(field, &mut |value| none = none && value.is_null());
                none
            }
            of_one => of_one.admits(record.value_at(field)),
        }
    }

    /// Whether a single value meets it. A missing one is neither equal nor unequal to anything, and in no range.
    pub(crate) fn admits(&self, value: ValueRef<'_>) -> bool {
        match self {
            Test::IsNull => value.is_null(),
            _ if value.is_null() => false,
            Test::Eq(wanted) => wanted.as_ref() == value,
            Test::Ne(unwanted) => unwanted.as_ref() != value,
            Test::In(wanted) => wanted.contains(&value.to_value()),
            Test::Range(from, to) => {
                (from.as_ref().map(Value::as_ref), to.as_ref().map(Value::as_ref)).contains(&value)
            }
            Test::Any(_) | Test::All(_) | Test::HasNone => false,
        }
    }
}

struct Binder<'a> {
    collection: &'a str,
    schema: &'a Schema,
}

impl Binder<'_> {
    fn bind(&self, predicate: &Predicate, depth: usize) -> Result<Condition, QueryError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH });
        };
        let all = |parts: &[Predicate]| parts.iter().map(|part| self.bind(part, depth)).collect::<Result<_, _>>();
        Ok(match predicate {
            Predicate::All => Condition::All,
            Predicate::And(parts) => Condition::And(all(parts)?),
            Predicate::Or(parts) => Condition::Or(all(parts)?),
            Predicate::Not(part) => Condition::Not(Box::new(self.bind(part, depth)?)),
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
            Predicate::AnyOf(name, values) => {
                self.many(name, "any", |field| Ok(Test::Any(self.fit_all(field, values)?)))?
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
        if asked.def.is_some_and(|def| def.is_many() != many) {
            let (collection, field) = (self.collection.to_owned(), name.to_owned());
            return Err(QueryError::WrongTest { collection, field, test, many: !many });
        }
        let test = make(&asked)?;
        Ok(asked.condition(test))
    }

    fn fit_all(&self, asked: &Asked<'_>, values: &[Value]) -> Result<HashSet<Value, RandomState>, QueryError> {
        let mut set = HashSet::with_capacity_and_hasher(values.len(), hash::random());
        for value in values {
            set.insert(self.fit(asked, value)?);
        }
        Ok(set)
    }

    fn fit(&self, asked: &Asked<'_>, value: &Value) -> Result<Value, QueryError> {
        let Some(def) = asked.def else {
            let null =
                || QueryError::NullOperand { collection: self.collection.to_owned(), field: asked.name.to_owned() };
            return loose::operand(value).ok_or_else(null);
        };
        fit(self.collection, def, value)
    }
}

/// Makes a value comparable with a field. An integer may stand for a float or a decimal, where that is exact, and a string
/// for what is written as one, a UUID say. A float never stands for a decimal: which one was meant is not known.
pub(crate) fn fit(collection: &str, def: &FieldDef, value: &Value) -> Result<Value, QueryError> {
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

/// What a predicate names.
struct Asked<'a> {
    name: &'a str,
    at: FieldAt,
    /// `None` for a path of documents that is not declared.
    def: Option<&'a FieldDef>,
}

impl Asked<'_> {
    fn condition(self, test: Test) -> Condition {
        match self.def {
            Some(_) => Condition::Test(self.at, test),
            None => Condition::Loose(self.at, test),
        }
    }
}

/// What a string says as a value of a kind that is written as one.
fn written(kind: Kind, given: ValueRef<'_>) -> Option<Value> {
    if let ValueRef::Str(text) = given { Value::from_text(kind, text) } else { None }
}
