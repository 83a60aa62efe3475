//! A predicate as plain data.

use super::TextTest;
use crate::limits::MAX_PREDICATE_DEPTH;
use crate::value::Value;
use std::borrow::Cow;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Bound, Deref, Not};

/// The name of a field.
pub type FieldName = Cow<'static, str>;

/// A condition on records, by the names of fields.
///
/// Build it with typed [`Field`](crate::query::Field)s or with [`field`](crate::query::field), and join predicates with
/// `&`, `|` and `!`.
///
/// A missing value is neither equal nor unequal to anything: `eq` and `ne` are both false for it. `!` is plain
/// negation, so `!a.eq(1)` is true for records without `a`, and `a.ne(1)` is not.
///
/// ```
/// use memdex::field;
/// use memdex::query::Predicate;
///
/// let predicate = field("status").eq("completed") & !field("currency").is_null();
/// assert!(matches!(&predicate, Predicate::And(parts) if parts.len() == 2));
/// assert_eq!(predicate, Predicate::all_of([field("status").eq("completed"), !field("currency").is_null()]));
/// ```
///
/// Joined predicates are flat: `a & (b & c)` is one `And` of three parts. A predicate is never nested deeper than
/// [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH): the operators make [`Predicate::TooDeep`]
/// instead, which every query refuses.
///
/// # Serde form
///
/// A predicate is an object with one entry, `{operator: operand}`, or the string `"all"`. Operators have the names of
/// [criteria](Predicate::from_criteria). [`Query`](crate::query::Query) has the version of the form. The form needs a
/// format that describes itself, such as JSON.
///
/// ```
/// # #[cfg(feature = "documents")] {
/// use memdex::{field, json};
/// use memdex::query::Predicate;
///
/// let predicate = field("status").eq("paid") & (field("amount").between(5, 10) | !field("note").starts_with("x"));
/// let form = json!({ "and": [
///     { "eq": ["status", "paid"] },
///     { "or": [
///         { "between": ["amount", 5, 10] },
///         { "not": { "starts_with": ["note", "x"] } },
///     ] },
/// ] });
/// assert_eq!(serde_json::to_value(&predicate)?, form);
/// assert_eq!(serde_json::from_value::<Predicate>(form)?, predicate);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// Every record.
    #[default]
    All,
    /// The field has this value.
    Eq(FieldName, Value),
    /// The field has a value other than this.
    Ne(FieldName, Value),
    /// The field has one of these values.
    In(FieldName, Vec<Value>),
    /// The field has no value.
    IsNull(FieldName),
    /// The field has a value between these bounds.
    Range(FieldName, Bound<Value>, Bound<Value>),
    /// The field has a string that matches.
    Text(FieldName, TextTest),
    /// The field, of many values, has at least one of these; `contains` is this with one value.
    AnyOf(FieldName, Vec<Value>),
    /// The field, of many values, has all of these; true for an empty list.
    AllOf(FieldName, Vec<Value>),
    /// One element of a list in documents matches; see [`elem_match`](Predicate::elem_match).
    ElemMatch(FieldName, Part),
    /// All parts are true; true without parts.
    And(Parts),
    /// At least one part is true; false without parts.
    Or(Parts),
    /// The part is false.
    Not(Part),
    /// A predicate that was nested too deep. Every query refuses it
    /// ([`QueryError::TooDeep`](crate::error::QueryError::TooDeep)), and serde does not write it.
    TooDeep,
}

/// The parts of an [`And`](Predicate::And) or [`Or`](Predicate::Or), as a slice. Made by [`Predicate::all_of`],
/// [`Predicate::any_of`] and the operators, which bound the depth.
///
/// ```
/// use memdex::field;
/// use memdex::query::Predicate;
///
/// let either = field("a").eq(1) | field("b").eq(2);
/// if let Predicate::Or(parts) = either {
///     assert_eq!(parts[0], field("a").eq(1));
///     assert_eq!(parts.into_iter().count(), 2);
/// }
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Parts {
    parts: Vec<Predicate>,
    /// The depth of the deepest part.
    #[cfg_attr(feature = "serde", serde(skip))]
    depth: usize,
}

/// The part of a [`Not`](Predicate::Not) or [`ElemMatch`](Predicate::ElemMatch): derefs to the predicate. Made by `!` and
/// [`Predicate::elem_match`].
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Part(Box<Predicate>);

impl Parts {
    fn with(mut self, more: impl IntoIterator<Item = Predicate>) -> Self {
        self.parts.extend(more.into_iter().inspect(|part| self.depth = self.depth.max(part.depth())));
        self
    }
}

impl Predicate {
    /// True where all of these are: like `&` between them. [`All`](Predicate::All) without parts.
    pub fn all_of(parts: impl IntoIterator<Item = Predicate>) -> Self {
        parts.into_iter().fold(Predicate::All, BitAnd::bitand)
    }

    /// True where at least one of these is: like `|` between them. [`Predicate::none`] without parts.
    pub fn any_of(parts: impl IntoIterator<Item = Predicate>) -> Self {
        parts.into_iter().fold(Predicate::none(), BitOr::bitor)
    }

    /// True if one object in a list of a document matches as a whole: tests of several fields concern the same object. The
    /// names in `predicate` are relative to the object. A single object counts as a list of one; for lists in lists, nest
    /// `elem_match` or name a path through them.
    ///
    /// Only documents support it; queries of other records fail with
    /// [`QueryError::NoElements`](crate::error::QueryError::NoElements). A declared field of bytes can't be tested in it. An
    /// index of a declared path below the list narrows the documents to read.
    ///
    /// ```
    /// use memdex::{Document, FieldDef, Kind, Schema, Store, field, json};
    /// use memdex::query::Predicate;
    ///
    /// let schema = Schema::new([
    ///     FieldDef::new("id", Kind::Int).key(),
    ///     FieldDef::new("items.sku", Kind::Str).many().index(),
    /// ]);
    /// let orders = Store::new().documents("Order", schema)?;
    /// orders.store(Document::new(json!({ "id": 1, "items": [{ "sku": "x", "qty": 1 }, { "sku": "y", "qty": 9 }] }))?)?;
    ///
    /// let x_of = |qty| field("sku").eq("x") & field("qty").ge(qty);
    /// assert_eq!(orders.find(Predicate::elem_match("items", x_of(1))).count()?, 1);
    /// assert_eq!(orders.find(Predicate::elem_match("items", x_of(5))).count()?, 0);
    /// // Without elem_match, two objects may match one condition each.
    /// assert_eq!(orders.find(field("items.sku").eq("x") & field("items.qty").ge(5)).count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn elem_match(list: impl Into<FieldName>, predicate: impl Into<Predicate>) -> Self {
        Predicate::ElemMatch(list.into(), Part(Box::new(predicate.into()))).bounded()
    }

    /// True for no record.
    pub fn none() -> Self {
        Predicate::Or(Parts::default())
    }

    /// The number of nested levels; 1 for a test.
    fn depth(&self) -> usize {
        match self {
            Predicate::And(parts) | Predicate::Or(parts) => parts.depth + 1,
            Predicate::Not(part) | Predicate::ElemMatch(_, part) => part.depth() + 1,
            Predicate::TooDeep => MAX_PREDICATE_DEPTH + 1,
            _ => 1,
        }
    }

    /// Itself, unless it is too deep.
    fn bounded(self) -> Self {
        if self.depth() > MAX_PREDICATE_DEPTH { Predicate::TooDeep } else { self }
    }

    /// The same predicate over other names.
    pub fn map_fields(mut self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        self.rename(rename);
        self
    }

    /// Passes the name of each field to `each`; of an [`elem_match`](Predicate::elem_match), that of the list.
    pub fn each_field<'a>(&'a self, each: &mut dyn FnMut(&'a FieldName)) {
        match self {
            Predicate::All | Predicate::TooDeep => {}
            Predicate::Eq(name, _)
            | Predicate::Ne(name, _)
            | Predicate::In(name, _)
            | Predicate::IsNull(name)
            | Predicate::Range(name, ..)
            | Predicate::Text(name, _)
            | Predicate::AnyOf(name, _)
            | Predicate::AllOf(name, _)
            | Predicate::ElemMatch(name, _) => each(name),
            Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| part.each_field(each)),
            Predicate::Not(part) => part.0.each_field(each),
        }
    }

    fn rename(&mut self, rename: &dyn Fn(&FieldName) -> FieldName) {
        match self {
            Predicate::All | Predicate::TooDeep => {}
            Predicate::Eq(name, _)
            | Predicate::Ne(name, _)
            | Predicate::In(name, _)
            | Predicate::IsNull(name)
            | Predicate::Range(name, ..)
            | Predicate::Text(name, _)
            | Predicate::AnyOf(name, _)
            | Predicate::AllOf(name, _)
            | Predicate::ElemMatch(name, _) => *name = rename(name),
            Predicate::And(parts) | Predicate::Or(parts) => parts.parts.iter_mut().for_each(|part| part.rename(rename)),
            Predicate::Not(part) => part.0.rename(rename),
        }
    }
}

impl BitAnd for Predicate {
    type Output = Predicate;

    /// Both. Chains become one flat list.
    fn bitand(self, other: Predicate) -> Predicate {
        let parts = match (self, other) {
            (Predicate::All, one) | (one, Predicate::All) => return one,
            (Predicate::And(all), Predicate::And(more)) => all.with(more),
            (Predicate::And(all), one) => all.with([one]),
            (one, Predicate::And(all)) => Parts::default().with([one]).with(all),
            (one, other) => Parts::default().with([one, other]),
        };
        Predicate::And(parts).bounded()
    }
}

impl BitOr for Predicate {
    type Output = Predicate;

    /// Either. Chains become one flat list.
    fn bitor(self, other: Predicate) -> Predicate {
        let parts = match (self, other) {
            (Predicate::Or(none), one) | (one, Predicate::Or(none)) if none.is_empty() => return one,
            (Predicate::Or(any), Predicate::Or(more)) => any.with(more),
            (Predicate::Or(any), one) => any.with([one]),
            (one, Predicate::Or(any)) => Parts::default().with([one]).with(any),
            (one, other) => Parts::default().with([one, other]),
        };
        Predicate::Or(parts).bounded()
    }
}

impl Not for Predicate {
    type Output = Predicate;

    /// True wherever this is false. Double negation cancels out.
    fn not(self) -> Predicate {
        match self {
            Predicate::Not(part) => *part.0,
            one => Predicate::Not(Part(Box::new(one))).bounded(),
        }
    }
}

impl BitAndAssign for Predicate {
    fn bitand_assign(&mut self, other: Predicate) {
        *self = std::mem::take(self) & other;
    }
}

impl BitOrAssign for Predicate {
    fn bitor_assign(&mut self, other: Predicate) {
        *self = std::mem::take(self) | other;
    }
}

impl Deref for Parts {
    type Target = [Predicate];

    fn deref(&self) -> &[Predicate] {
        &self.parts
    }
}

impl IntoIterator for Parts {
    type Item = Predicate;
    type IntoIter = std::vec::IntoIter<Predicate>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.into_iter()
    }
}

impl<'a> IntoIterator for &'a Parts {
    type Item = &'a Predicate;
    type IntoIter = std::slice::Iter<'a, Predicate>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.iter()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts.fmt(f)
    }
}

impl Deref for Part {
    type Target = Predicate;

    fn deref(&self) -> &Predicate {
        &self.0
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "serde")]
mod serde_form {
    use super::{Part, Parts, Predicate};
    use crate::query::form::Level;
    use serde::{Deserialize, Deserializer};

    impl<'de> Deserialize<'de> for Parts {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let _level = Level::enter()?;
            Vec::deserialize(deserializer).map(|parts: Vec<Predicate>| Parts::default().with(parts))
        }
    }

    impl<'de> Deserialize<'de> for Part {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let _level = Level::enter()?;
            Box::deserialize(deserializer).map(Part)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::field;

    fn deep(levels: usize) -> Predicate {
        (1..levels).fold(field("a").eq(1), |inner, level| match level % 3 {
            0 => field("b").eq(2) & inner,
            1 => inner | field("c").is_null(),
            _ => !inner,
        })
    }

    #[test]
    fn depth_is_bounded_by_the_operators() {
        let deepest = deep(MAX_PREDICATE_DEPTH);
        assert_eq!(deepest.depth(), MAX_PREDICATE_DEPTH);
        assert_eq!(deepest, deepest.clone());
        for predicate in
            [deep(MAX_PREDICATE_DEPTH + 1), deep(100_000), !deep(100_000), Predicate::TooDeep & Predicate::All]
        {
            assert_eq!(predicate, Predicate::TooDeep);
        }
        assert_eq!(Predicate::any_of([field("a").eq(1), Predicate::TooDeep]), Predicate::TooDeep);
    }

    #[test]
    fn joined_predicates_are_flat() {
        let [a, b, c] = ["a", "b", "c"].map(|name| field(name).eq(1));
        let abc = || [a.clone(), b.clone(), c.clone()];
        assert_eq!(a.clone() & (b.clone() & c.clone()), Predicate::all_of(abc()));
        assert_eq!((a.clone() | b.clone()) | c.clone(), Predicate::any_of(abc()));
        assert_eq!(a.clone() | (b.clone() | c.clone()), Predicate::any_of(abc()));
        assert_eq!(Predicate::all_of([]), Predicate::All);
        assert_eq!(Predicate::none() | a.clone(), Predicate::any_of([a.clone()]));
        assert_eq!(!!a.clone(), a);
        assert_eq!(format!("{:?}", !(a & b)), "Not(And([Eq(\"a\", 1), Eq(\"b\", 1)]))");
        let mut assigned = Predicate::All;
        assigned &= c.clone();
        assigned |= field("d").is_null();
        assert_eq!(assigned, c | field("d").is_null());
    }
}
