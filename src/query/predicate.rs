//! A predicate as plain data: no types of records, nothing of the engine.

use crate::value::Value;
use std::borrow::Cow;
use std::ops::Bound;
use std::ops::{BitAnd, BitOr, Not};

/// The name of a field.
pub type FieldName = Cow<'static, str>;

/// Which records are meant, by the names of fields. Nested deeper than
/// [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH) it is refused by every query.
///
/// Made by [`Field`](crate::Field)s and [`field`](crate::field), joined
/// by `&`, `|` and `!`.
///
/// A missing value is neither equal nor unequal to anything: `eq` and `ne` are both false for it. `!` is plain negation:
/// `!eq` is true for it. So `!a.eq(1)` and `a.ne(1)` differ for records without `a`, and neither is ever rewritten
/// into the other.
///
/// ```
/// use memdex::{Predicate, field};
/// let predicate = field("status").eq("completed") & !field("currency").is_null();
/// assert!(matches!(predicate, Predicate::And(parts) if parts.len() == 2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Predicate {
    /// Every record.
    #[default]
    All,
    /// The field has this value.
    Eq(FieldName, Value),
    /// The field has a value, and it is another than this.
    Ne(FieldName, Value),
    /// The field has one of these values.
    In(FieldName, Vec<Value>),
    /// The field has no value.
    IsNull(FieldName),
    /// The field has a value between these bounds.
    Range(FieldName, Bound<Value>, Bound<Value>),
    /// The field, of many values, has one of these at least; `contains` is this with a single one.
    AnyOf(FieldName, Vec<Value>),
    /// The field, of many values, has all of these; true if there are none.
    AllOf(FieldName, Vec<Value>),
    /// Each of these holds; true if there are none.
    And(Vec<Predicate>),
    /// One of these holds at least; false if there are none.
    Or(Vec<Predicate>),
    /// This does not hold.
    Not(Box<Predicate>),
}

impl Predicate {
    /// The same predicate over other names. As deep as the predicate.
    pub(crate) fn map_fields(self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        let each = |parts: Vec<Predicate>| parts.into_iter().map(|part| part.map_fields(rename)).collect();
        match self {
            Predicate::All => Predicate::All,
            Predicate::Eq(name, value) => Predicate::Eq(rename(&name), value),
            Predicate::Ne(name, value) => Predicate::Ne(rename(&name), value),
            Predicate::In(name, values) => Predicate::In(rename(&name), values),
            Predicate::IsNull(name) => Predicate::IsNull(rename(&name)),
            Predicate::Range(name, from, to) => Predicate::Range(rename(&name), from, to),
            Predicate::AnyOf(name, values) => Predicate::AnyOf(rename(&name), values),
            Predicate::AllOf(name, values) => Predicate::AllOf(rename(&name), values),
            Predicate::And(parts) => Predicate::And(each(parts)),
            Predicate::Or(parts) => Predicate::Or(each(parts)),
            Predicate::Not(part) => Predicate::Not(Box::new(part.map_fields(rename))),
        }
    }
}

impl BitAnd for Predicate {
    type Output = Predicate;

    /// Both. Chains become one flat list.
    fn bitand(self, other: Predicate) -> Predicate {
        match (self, other) {
            (Predicate::All, one) | (one, Predicate::All) => one,
            (Predicate::And(mut all), Predicate::And(more)) => {
                all.extend(more);
                Predicate::And(all)
            }
            (Predicate::And(mut all), one) => {
                all.push(one);
                Predicate::And(all)
            }
            (one, Predicate::And(mut all)) => {
                all.insert(0, one);
                Predicate::And(all)
            }
            (one, other) => Predicate::And(vec![one, other]),
        }
    }
}

impl BitOr for Predicate {
    type Output = Predicate;

    /// Either. Chains become one flat list.
    fn bitor(self, other: Predicate) -> Predicate {
        match (self, other) {
            (Predicate::Or(mut any), Predicate::Or(more)) => {
                any.extend(more);
                Predicate::Or(any)
            }
            (Predicate::Or(mut any), one) => {
                any.push(one);
                Predicate::Or(any)
            }
            (one, Predicate::Or(mut any)) => {
                any.insert(0, one);
                Predicate::Or(any)
            }
            (one, other) => Predicate::Or(vec![one, other]),
        }
    }
}

impl Not for Predicate {
    type Output = Predicate;

    /// The opposite: true wherever this is false. Twice is nothing.
    fn not(self) -> Predicate {
        match self {
            Predicate::Not(inner) => *inner,
            other => Predicate::Not(Box::new(other)),
        }
    }
}
