//! Tests of one field. This file defines the meaning of each.

use super::pattern::Pattern;
use super::values::Values;
use super::{FieldAt, FieldSource};
use crate::value::{Value, ValueRef};
use std::cmp::Ordering;
use std::ops::Bound;

/// A test of one field.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `Predicate`")]
pub enum Test {
    Eq(Value),
    Ne(Value),
    In(Values),
    IsNull,
    Range(Bound<Value>, Bound<Value>),
    Text(Pattern),
    // For fields of many values:
    /// One of the values matches this range or text test.
    Has(Box<Test>),
    Any(Values),
    All(Values),
    HasNone,
}

impl Test {
    /// Whether a record matches. Runs the field's extractor.
    pub(super) fn holds(&self, record: &dyn FieldSource, field: &FieldAt) -> bool {
        match self {
            Test::Any(values) => {
                let mut found = false;
                record.values_at(field, &mut |value| found = found || values.has(value));
                found
            }
            Test::Has(test) => {
                let mut found = false;
                record.values_at(field, &mut |value| found = found || test.admits(value));
                found
            }
            Test::All(values) => values.all_among(|each| record.values_at(field, &mut |value| each(value))),
            Test::HasNone => {
                let mut none = true;
                record.values_at(field, &mut |value| none = none && value.is_null());
                none
            }
            of_one => of_one.admits(record.value_at(field)),
        }
    }

    /// Whether a single value matches. Null is neither equal nor unequal to anything, and in no range.
    pub fn admits(&self, value: ValueRef<'_>) -> bool {
        self.admits_by(value, |a, b| Some(a.cmp(&b)))
    }

    /// The same with another order of values; `None` for values that are in no range of each other.
    pub(super) fn admits_by(
        &self,
        value: ValueRef<'_>,
        order: impl Fn(ValueRef<'_>, ValueRef<'_>) -> Option<Ordering>,
    ) -> bool {
        let order = |bound: &Value| order(value, bound.as_ref());
        match self {
            Test::IsNull => value.is_null(),
            _ if value.is_null() => false,
            Test::Eq(operand) => operand.as_ref() == value,
            Test::Ne(operand) => operand.as_ref() != value,
            Test::In(values) | Test::Any(values) => values.has(value),
            Test::Range(from, to) => {
                let above = match from {
                    Bound::Unbounded => true,
                    Bound::Included(from) => order(from).is_some_and(Ordering::is_ge),
                    Bound::Excluded(from) => order(from).is_some_and(Ordering::is_gt),
                };
                above
                    && match to {
                        Bound::Unbounded => true,
                        Bound::Included(to) => order(to).is_some_and(Ordering::is_le),
                        Bound::Excluded(to) => order(to).is_some_and(Ordering::is_lt),
                    }
            }
            Test::Text(pattern) => value.as_str().is_some_and(|text| pattern.matches(text)),
            Test::Has(_) | Test::All(_) | Test::HasNone => false,
        }
    }

    /// Whether this implies the other test, on the same field. May miss implications.
    pub(super) fn is_within(&self, other: &Test) -> bool {
        match (self, other) {
            (Test::Eq(value), other) => other.admits(value.as_ref()),
            (Test::In(values), other) => values.iter().all(|value| other.admits(value.as_ref())),
            (Test::Range(from, to), Test::Range(low, high)) => {
                let ends_within = match (upper(to), upper(high)) {
                    (_, None) => true,
                    (None, Some(_)) => false,
                    (end, limit) => end <= limit,
                };
                ends_within && lower(from) >= lower(low)
            }
            (range @ Test::Range(..), Test::Ne(value)) => !range.admits(value.as_ref()),
            (Test::Has(test), Test::Has(other)) => test.is_within(other),
            (Test::Any(values), Test::Has(other)) => values.iter().all(|value| other.admits(value.as_ref())),
            (Test::All(values), Test::Has(other)) => values.iter().any(|value| other.admits(value.as_ref())),
            (Test::Any(values), Test::Any(other)) => values.iter().all(|value| other.has(value.as_ref())),
            (Test::All(values), Test::Any(other)) => values.iter().any(|value| other.has(value.as_ref())),
            (Test::All(values), Test::All(other)) => other.iter().all(|value| values.has(value.as_ref())),
            (a, b) => a == b,
        }
    }

    /// Whether no value matches both, on the same field. May miss some cases.
    pub(super) fn is_apart_from(&self, other: &Test) -> bool {
        let is_missing = |test: &Test| matches!(test, Test::IsNull | Test::HasNone);
        match (self, other) {
            (a, b) if is_missing(a) || is_missing(b) => is_missing(a) != is_missing(b),
            (Test::Eq(value), other) | (other, Test::Eq(value)) => !other.admits(value.as_ref()),
            (Test::In(values), other) | (other, Test::In(values)) => {
                !values.iter().any(|value| other.admits(value.as_ref()))
            }
            (Test::Range(from, to), Test::Range(low, high)) => {
                let are_apart = |end, start| upper(end).zip(lower(start)).is_some_and(|(end, start)| end <= start);
                are_apart(to, low) || are_apart(high, from)
            }
            _ => false,
        }
    }
}

/// The position where a range with this lower bound starts: a value, and whether the range excludes it. `None` is
/// before all values.
fn lower(bound: &Bound<Value>) -> Option<(&Value, bool)> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(value) => Some((value, false)),
        Bound::Excluded(value) => Some((value, true)),
    }
}

/// The position where a range with this upper bound ends, comparable with that of a start. `None` is behind all values.
fn upper(bound: &Bound<Value>) -> Option<(&Value, bool)> {
    lower(bound).map(|(value, is_excluded)| (value, !is_excluded))
}
