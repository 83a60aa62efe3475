//! A predicate as plain data: no types of records, nothing of the engine.

use super::TextTest;
use crate::value::Value;
use std::borrow::Cow;
use std::mem;
use std::ops::Bound;
use std::ops::{BitAnd, BitOr, Not};

/// The name of a field.
pub type FieldName = Cow<'static, str>;

/// Which records are meant, by the names of fields. Nested deeper than
/// [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH) it is refused by every query, and is an error to serde.
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
/// assert!(matches!(&predicate, Predicate::And(parts) if parts.len() == 2));
/// ```
///
/// However deep it is nested, it is dropped, copied and compared without recursion. For that it has a `Drop` of its own, so
/// whoever takes one apart by value takes its parts with [`std::mem::take`].
#[derive(Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
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
    /// The field has a text that meets this.
    Text(FieldName, TextTest),
    /// The field, of many values, has one of these at least; `contains` is this with a single one.
    AnyOf(FieldName, Vec<Value>),
    /// The field, of many values, has all of these; true if there are none.
    AllOf(FieldName, Vec<Value>),
    /// Each of these holds; true if there are none.
    And(#[cfg_attr(feature = "serde", serde(with = "super::levels"))] Vec<Predicate>),
    /// One of these holds at least; false if there are none.
    Or(#[cfg_attr(feature = "serde", serde(with = "super::levels"))] Vec<Predicate>),
    /// This does not hold.
    Not(#[cfg_attr(feature = "serde", serde(with = "super::levels"))] Box<Predicate>),
}

impl Predicate {
    /// The same predicate over other names.
    pub fn map_fields(mut self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        let mut left = vec![&mut self];
        while let Some(one) = left.pop() {
            match one {
                Predicate::All => {}
                Predicate::Eq(name, _)
                | Predicate::Ne(name, _)
                | Predicate::In(name, _)
                | Predicate::IsNull(name)
                | Predicate::Range(name, ..)
                | Predicate::Text(name, _)
                | Predicate::AnyOf(name, _)
                | Predicate::AllOf(name, _) => *name = rename(name),
                Predicate::And(parts) | Predicate::Or(parts) => left.extend(parts),
                Predicate::Not(part) => left.push(part),
            }
        }
        self
    }
}

impl BitAnd for Predicate {
    type Output = Predicate;

    /// Both. Chains become one flat list.
    fn bitand(mut self, mut other: Predicate) -> Predicate {
        match (&mut self, &mut other) {
            (Predicate::All, _) => return other,
            (_, Predicate::All) => return self,
            (Predicate::And(all), Predicate::And(more)) => all.append(more),
            (Predicate::And(all), _) => all.push(other),
            (_, Predicate::And(all)) => {
                all.insert(0, self);
                return other;
            }
            _ => return Predicate::And(vec![self, other]),
        }
        self
    }
}

impl BitOr for Predicate {
    type Output = Predicate;

    /// Either. Chains become one flat list.
    fn bitor(mut self, mut other: Predicate) -> Predicate {
        match (&mut self, &mut other) {
            (Predicate::Or(any), Predicate::Or(more)) => any.append(more),
            (Predicate::Or(any), _) => any.push(other),
            (_, Predicate::Or(any)) => {
                any.insert(0, self);
                return other;
            }
            _ => return Predicate::Or(vec![self, other]),
        }
        self
    }
}

impl Not for Predicate {
    type Output = Predicate;

    /// The opposite: true wherever this is false. Twice is nothing.
    fn not(mut self) -> Predicate {
        match &mut self {
            Predicate::Not(inner) => mem::replace(inner, Predicate::All),
            _ => Predicate::Not(Box::new(self)),
        }
    }
}
