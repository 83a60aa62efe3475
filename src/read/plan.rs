//! The planner: checks a predicate against the schema, and chooses what the indexes answer.

use crate::error::QueryError;
use crate::hash::{self, RandomState};
use crate::limits::MAX_PREDICATE_DEPTH;
use crate::query::Predicate;
use crate::record::{Kind, Record, Value, ValueRef};
use crate::storage::Table;
use std::collections::HashSet;

/// A predicate whose fields are found and whose values fit: what the executor runs.
pub(super) enum Plan {
    All,
    Test { position: usize, indexed: bool, test: Test },
    And(Vec<Plan>),
    Or(Vec<Plan>),
    Not(Box<Plan>),
}

pub(super) enum Test {
    Eq(Value),
    Ne(Value),
    In(HashSet<Value, RandomState>),
    IsNull,
}

impl Plan {
    pub(super) fn new<R: Record>(table: &Table<R>, predicate: &Predicate) -> Result<Self, QueryError> {
        Plan::nested(table, predicate, MAX_PREDICATE_DEPTH)
    }

    fn nested<R: Record>(table: &Table<R>, predicate: &Predicate, depth: usize) -> Result<Self, QueryError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH });
        };
        let all = |parts: &[Predicate]| -> Result<Vec<Plan>, QueryError> {
            parts.iter().map(|part| Plan::nested(table, part, depth)).collect()
        };
        let test = |field: &str, values: &[&Value], make: &dyn Fn(Vec<Value>) -> Test| {
            let (position, values) = check(table, field, values)?;
            Ok(Plan::Test { position, indexed: table.index(position).is_some(), test: make(values) })
        };
        let one = |mut values: Vec<Value>| values.pop().unwrap_or(Value::NULL);
        match predicate {
            Predicate::All => Ok(Plan::All),
            Predicate::Eq(field, value) => test(field, &[value], &|values| Test::Eq(one(values))),
            Predicate::Ne(field, value) => test(field, &[value], &|values| Test::Ne(one(values))),
            Predicate::In(field, values) => {
                let borrowed: Vec<&Value> = values.iter().collect();
                test(field, &borrowed, &|values| {
                    let mut set = HashSet::with_capacity_and_hasher(values.len(), hash::random());
                    set.extend(values);
                    Test::In(set)
                })
            }
            Predicate::IsNull(field) => test(field, &[], &|_| Test::IsNull),
            Predicate::And(parts) => Ok(Plan::And(all(parts)?)),
            Predicate::Or(parts) => Ok(Plan::Or(all(parts)?)),
            Predicate::Not(part) => Ok(Plan::Not(Box::new(Plan::nested(table, part, depth)?))),
        }
    }

    /// Whether a record meets the predicate. Runs the record's extractors.
    pub(super) fn holds<R: Record>(&self, record: &R) -> bool {
        match self {
            Plan::All => true,
            Plan::Test { position, test, .. } => test.holds(record.value(*position)),
            Plan::And(parts) => parts.iter().all(|part| part.holds(record)),
            Plan::Or(parts) => parts.iter().any(|part| part.holds(record)),
            Plan::Not(part) => !part.holds(record),
        }
    }
}

impl Test {
    /// A missing value is neither equal nor unequal to anything.
    fn holds(&self, value: ValueRef<'_>) -> bool {
        match self {
            Test::IsNull => value.is_null(),
            _ if value.is_null() => false,
            Test::Eq(wanted) => wanted.as_ref() == value,
            Test::Ne(unwanted) => unwanted.as_ref() != value,
            Test::In(wanted) => wanted.contains(&value.to_value()),
        }
    }
}

/// Finds a field, and makes values comparable with it. Only an integer may stand for another kind: for a float, where
/// that is exact.
fn check<R: Record>(table: &Table<R>, name: &str, values: &[&Value]) -> Result<(usize, Vec<Value>), QueryError> {
    let schema = &table.schema;
    let Some(position) = schema.position(name) else {
        return Err(QueryError::UnknownField {
            collection: table.name.to_string(),
            field: name.to_owned(),
            known: schema.fields().iter().map(|field| field.name().to_owned()).collect(),
        });
    };
    let expected = schema.fields()[position].kind();
    let fit = |value: &&Value| match (expected, value.as_ref()) {
        (Kind::Float, ValueRef::Int(n)) if (n as f64) as i128 == i128::from(n) => Ok(Value::from(n as f64)),
        (_, fitting) if fitting.kind() == Some(expected) => Ok((*value).clone()),
        _ => Err(QueryError::WrongKind {
            collection: table.name.to_string(),
            field: name.to_owned(),
            expected,
            given: (*value).clone(),
        }),
    };
    Ok((position, values.iter().map(fit).collect::<Result<_, _>>()?))
}
