//! The serde form of predicates: an object of one operator, or `"all"`.

use super::form::is_default;
use super::operator::Operator;
use super::{FieldName, Predicate, TextTest};
use crate::error::{DidYouMean, QueryError};
use crate::limits::MAX_PREDICATE_DEPTH;
use crate::value::Value;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Bound;

/// The form of [`Predicate::All`].
const ALL: &str = "all";

/// The bounds of a range that no other operator has.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Bounds {
    #[serde(skip_serializing_if = "is_default", deserialize_with = "some")]
    gt: Option<Value>,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "some")]
    gte: Option<Value>,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "some")]
    lt: Option<Value>,
    #[serde(skip_serializing_if = "is_default", deserialize_with = "some")]
    lte: Option<Value>,
}

/// A null too is a value.
fn some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Bounds {
    fn new(from: &Bound<Value>, to: &Bound<Value>) -> Self {
        let split = |bound: &Bound<Value>| match bound.clone() {
            Bound::Unbounded => (None, None),
            Bound::Excluded(value) => (Some(value), None),
            Bound::Included(value) => (None, Some(value)),
        };
        let ((gt, gte), (lt, lte)) = (split(from), split(to));
        Bounds { gt, gte, lt, lte }
    }

    fn into_range<E: Error>(self, name: FieldName) -> Result<Predicate, E> {
        let bound = |excluded: Option<Value>, included: Option<Value>| match (excluded, included) {
            (None, None) => Ok(Bound::Unbounded),
            (Some(value), None) => Ok(Bound::Excluded(value)),
            (None, Some(value)) => Ok(Bound::Included(value)),
            _ => Err(E::custom(format_args!("the range of {name:?} has two bounds on one side: remove one"))),
        };
        let (from, to) = (bound(self.gt, self.gte)?, bound(self.lt, self.lte)?);
        Ok(Predicate::Range(name, from, to))
    }
}

impl Serialize for Predicate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// `{operator: operand}`
        fn one<S: Serializer>(to: S, operator: Operator, operand: &impl Serialize) -> Result<S::Ok, S::Error> {
            to.collect_map([(operator.name(), operand)])
        }
        match self {
            Predicate::All => serializer.serialize_str(ALL),
            Predicate::Eq(name, value) => one(serializer, Operator::Eq, &(name, value)),
            Predicate::Ne(name, value) => one(serializer, Operator::Ne, &(name, value)),
            Predicate::In(name, values) => one(serializer, Operator::In, &(name, values)),
            Predicate::IsNull(name) => one(serializer, Operator::IsNull, name),
            Predicate::Range(name, from, to) => match (from, to) {
                (Bound::Excluded(value), Bound::Unbounded) => one(serializer, Operator::Gt, &(name, value)),
                (Bound::Included(value), Bound::Unbounded) => one(serializer, Operator::Gte, &(name, value)),
                (Bound::Unbounded, Bound::Excluded(value)) => one(serializer, Operator::Lt, &(name, value)),
                (Bound::Unbounded, Bound::Included(value)) => one(serializer, Operator::Lte, &(name, value)),
                (Bound::Included(from), Bound::Included(to)) => one(serializer, Operator::Between, &(name, from, to)),
                _ => one(serializer, Operator::Range, &(name, Bounds::new(from, to))),
            },
            Predicate::Text(name, test) => {
                one(serializer, Operator::Text(test.op, test.ignore_case), &(name, &test.pattern))
            }
            Predicate::AnyOf(name, values) => match values.as_slice() {
                [value] => one(serializer, Operator::Contains, &(name, value)),
                values => one(serializer, Operator::Any, &(name, values)),
            },
            Predicate::AllOf(name, values) => one(serializer, Operator::All, &(name, values)),
            Predicate::ElemMatch(name, part) => one(serializer, Operator::ElemMatch, &(name, part)),
            Predicate::And(parts) => one(serializer, Operator::And, parts),
            Predicate::Or(parts) => one(serializer, Operator::Or, parts),
            Predicate::Not(part) => one(serializer, Operator::Not, part),
            Predicate::TooDeep => Err(S::Error::custom(QueryError::too_deep(MAX_PREDICATE_DEPTH))),
        }
    }
}

impl<'de> Deserialize<'de> for Predicate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PredicateVisitor)
    }
}

struct PredicateVisitor;

impl<'de> Visitor<'de> for PredicateVisitor {
    type Value = Predicate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a predicate: an object of one operator, or {ALL:?}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Predicate, E> {
        if text == ALL { Ok(Predicate::All) } else { Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Predicate, A::Error> {
        let Some(operator) = map.next_key::<String>()? else {
            return Err(A::Error::custom(format_args!("a predicate has no operator: add one, or write {ALL:?}")));
        };
        let predicate = operation(&operator, &mut map)?;
        match map.next_entry::<String, IgnoredAny>()? {
            None => Ok(predicate),
            Some((more, _)) => Err(A::Error::custom(format_args!(
                "a predicate has the operators {operator:?} and {more:?}: join two predicates by \"and\""
            ))),
        }
    }
}

/// The predicate of an operator, whose operand is the next value.
fn operation<'de, A: MapAccess<'de>>(operator: &str, map: &mut A) -> Result<Predicate, A::Error> {
    /// `[field, operand]`
    fn test<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
        map: &mut A,
        make: impl FnOnce(FieldName, T) -> Predicate,
    ) -> Result<Predicate, A::Error> {
        map.next_value().map(|(name, operand)| make(name, operand))
    }
    use Bound::{Excluded, Included, Unbounded};
    match Operator::named(operator) {
        Some(Operator::Eq) => test(map, Predicate::Eq),
        Some(Operator::Ne) => test(map, Predicate::Ne),
        Some(Operator::In) => test(map, Predicate::In),
        Some(Operator::IsNull) => map.next_value().map(Predicate::IsNull),
        Some(Operator::Gt) => test(map, |name, from| Predicate::Range(name, Excluded(from), Unbounded)),
        Some(Operator::Gte) => test(map, |name, from| Predicate::Range(name, Included(from), Unbounded)),
        Some(Operator::Lt) => test(map, |name, to| Predicate::Range(name, Unbounded, Excluded(to))),
        Some(Operator::Lte) => test(map, |name, to| Predicate::Range(name, Unbounded, Included(to))),
        Some(Operator::Between) => {
            let (name, from, to) = map.next_value()?;
            Ok(Predicate::Range(name, Included(from), Included(to)))
        }
        Some(Operator::Range) => {
            let (name, bounds) = map.next_value::<(FieldName, Bounds)>()?;
            bounds.into_range(name)
        }
        Some(Operator::Text(op, ignore_case)) => {
            test(map, |name, pattern| Predicate::Text(name, TextTest { op, pattern, ignore_case }))
        }
        Some(Operator::Contains) => test(map, |name, value| Predicate::AnyOf(name, vec![value])),
        Some(Operator::Any) => test(map, Predicate::AnyOf),
        Some(Operator::All) => test(map, Predicate::AllOf),
        Some(Operator::ElemMatch) => test(map, Predicate::ElemMatch),
        Some(Operator::And) => map.next_value().map(Predicate::And),
        Some(Operator::Or) => map.next_value().map(Predicate::Or),
        Some(Operator::Not) => map.next_value().map(Predicate::Not),
        Some(Operator::NotIn) | None => {
            let known = Operator::names_without(&[Operator::NotIn]);
            Err(A::Error::custom(format_args!(
                "unknown operator {operator:?}; the operators are {}{}",
                known.join(", "),
                DidYouMean(operator, &known)
            )))
        }
    }
}
