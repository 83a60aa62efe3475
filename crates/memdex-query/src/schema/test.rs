//! Tests of one field. This file defines the meaning of each.

use super::pattern::Pattern;
use super::values::Values;
use super::{FieldAt, FieldSource};
use crate::value::{Value, ValueRef};
use std::ops::{Bound, RangeBounds};

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
    Any(Values),
    All(Values),
    HasNone,
}

impl Test {
    /// Whether a record meets it. Runs the field's extractor.
    pub(super) fn holds(&self, record: &dyn FieldSource, field: &FieldAt) -> bool {
        match self {
            Test::Any(wanted) => {
                let mut found = false;
                record.values_at(field, &mut |value| found = found || wanted.has(value));
                found
            }
            Test::All(wanted) => wanted.all_among(|see| record.values_at(field, &mut |value| see(value))),
            Test::HasNone => {
                let mut none = true;
                record.values_at(field, &mut |value| none = none && value.is_null());
                none
            }
            of_one => of_one.admits(record.value_at(field)),
        }
    }

    /// Whether a single value meets it. Null is neither equal nor unequal to anything, and in no range.
    pub fn admits(&self, value: ValueRef<'_>) -> bool {
        match self {
            Test::IsNull => value.is_null(),
            _ if value.is_null() => false,
            Test::Eq(wanted) => wanted.as_ref() == value,
            Test::Ne(unwanted) => unwanted.as_ref() != value,
            Test::In(wanted) => wanted.has(value),
            Test::Range(from, to) => {
                (from.as_ref().map(Value::as_ref), to.as_ref().map(Value::as_ref)).contains(&value)
            }
            Test::Text(pattern) => matches!(value, ValueRef::Str(text) if pattern.matches(text)),
            Test::Any(_) | Test::All(_) | Test::HasNone => false,
        }
    }

    /// Whether this implies the other test, on the same field. May miss implications.
    pub(super) fn is_within(&self, other: &Test) -> bool {
        match (self, other) {
            (Test::Eq(value), other) => other.admits(value.as_ref()),
            (Test::In(values), other) => values.iter().all(|value| other.admits(value.as_ref())),
            (Test::Range(from, to), Test::Range(low, high)) => starts_within(from, low) && ends_within(to, high),
            (range @ Test::Range(..), Test::Ne(value)) => !range.admits(value.as_ref()),
            (Test::Any(values), Test::Any(other)) => values.iter().all(|value| other.has(value.as_ref())),
            (Test::All(values), Test::Any(other)) => values.iter().any(|value| other.has(value.as_ref())),
            (Test::All(values), Test::All(other)) => other.iter().all(|value| values.has(value.as_ref())),
            (a, b) => a == b,
        }
    }

    /// Whether no value meets both, on the same field. May miss some cases.
    pub(super) fn is_apart_from(&self, other: &Test) -> bool {
        let of_nothing = |test: &Test| matches!(test, Test::IsNull | Test::HasNone);
        match (self, other) {
            (a, b) if of_nothing(a) || of_nothing(b) => of_nothing(a) != of_nothing(b),
            (Test::Eq(value), other) | (other, Test::Eq(value)) => !other.admits(value.as_ref()),
            (Test::In(values), other) | (other, Test::In(values)) => {
                !values.iter().any(|value| other.admits(value.as_ref()))
            }
            (Test::Range(from, to), Test::Range(low, high)) => are_apart(to, low) || are_apart(high, from),
            _ => false,
        }
    }
}

/// Whether a range from `here` starts no earlier than one from `there`.
fn starts_within(here: &Bound<Value>, there: &Bound<Value>) -> bool {
    match (here, there) {
        (_, Bound::Unbounded) => true,
        (Bound::Unbounded, _) => false,
        (Bound::Included(here), Bound::Excluded(there)) => here > there,
        (Bound::Included(here) | Bound::Excluded(here), Bound::Included(there) | Bound::Excluded(there)) => {
            here >= there
        }
    }
}

/// Whether a range to `here` ends no later than one to `there`.
fn ends_within(here: &Bound<Value>, there: &Bound<Value>) -> bool {
    match (here, there) {
        (_, Bound::Unbounded) => true,
        (Bound::Unbounded, _) => false,
        (Bound::Included(here), Bound::Excluded(there)) => here < there,
        (Bound::Included(here) | Bound::Excluded(here), Bound::Included(there) | Bound::Excluded(there)) => {
            here <= there
        }
    }
}

/// Whether a range to `end` and a range from `start` have no value in common.
fn are_apart(end: &Bound<Value>, start: &Bound<Value>) -> bool {
    match (end, start) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(end), Bound::Included(start)) => end < start,
        (Bound::Included(end) | Bound::Excluded(end), Bound::Included(start) | Bound::Excluded(start)) => end <= start,
    }
}
