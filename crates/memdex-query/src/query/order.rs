//! In which order records are given.

use super::{Field, FieldName, NamedField};

/// Which of two values comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Direction {
    /// The lower one: numbers by number with NaN last, strings by bytes, times from past to future, `false` before `true`.
    Ascending,
    /// The higher one.
    Descending,
}

/// Where records go that have no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Nulls {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
}

/// A field by which records are ordered; of several, the later ones decide among those that the earlier ones leave equal, and in the
/// end the key does, ascending: so every order is total, and pages neither overlap nor leave gaps.
///
/// Made by [`Field::asc`], [`Field::desc`] and the methods of the same name of [`field`](crate::query::field). Unless told otherwise a missing
/// value counts as the least: it comes first in ascending order and last in descending order.
///
/// ```
/// use memdex::field;
/// use memdex::query::{Direction, Nulls};
/// let order = field("amount").desc().nulls_first();
/// assert_eq!((order.direction, order.nulls), (Direction::Descending, Nulls::First));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderBy {
    /// The field, of single values.
    pub field: FieldName,
    /// Which values come first.
    pub direction: Direction,
    /// Where missing ones go.
    pub nulls: Nulls,
}

impl OrderBy {
    /// From the lowest value to the highest, missing ones first.
    pub fn ascending(field: impl Into<FieldName>) -> Self {
        OrderBy { field: field.into(), direction: Direction::Ascending, nulls: Nulls::First }
    }

    /// From the highest value to the lowest, missing ones last.
    pub fn descending(field: impl Into<FieldName>) -> Self {
        OrderBy { field: field.into(), direction: Direction::Descending, nulls: Nulls::Last }
    }

    /// The same order with missing values before all others.
    #[must_use]
    pub fn nulls_first(self) -> Self {
        OrderBy { nulls: Nulls::First, ..self }
    }

    /// The same order with missing values behind all others.
    #[must_use]
    pub fn nulls_last(self) -> Self {
        OrderBy { nulls: Nulls::Last, ..self }
    }
}

impl<R, T> Field<R, T> {
    /// Records from the lowest value of this field to the highest; see `Find::order_by`.
    pub fn asc(&self) -> OrderBy {
        OrderBy::ascending(self.name())
    }

    /// Records from the highest value of this field to the lowest.
    pub fn desc(&self) -> OrderBy {
        OrderBy::descending(self.name())
    }
}

impl NamedField {
    /// Records from the lowest value of this field to the highest; see `Find::order_by`.
    pub fn asc(self) -> OrderBy {
        OrderBy::ascending(self.name)
    }

    /// Records from the highest value of this field to the lowest.
    pub fn desc(self) -> OrderBy {
        OrderBy::descending(self.name)
    }
}

/// So that a typed field stands wherever a field is named.
impl<R, T> From<Field<R, T>> for FieldName {
    fn from(field: Field<R, T>) -> Self {
        field.name()
    }
}

impl From<NamedField> for FieldName {
    fn from(field: NamedField) -> Self {
        field.name
    }
}

/// One field to order by, or several.
pub trait IntoOrder {
    /// The fields, the deciding one first.
    fn into_order(self) -> Vec<OrderBy>;
}

impl IntoOrder for OrderBy {
    fn into_order(self) -> Vec<OrderBy> {
        vec![self]
    }
}

impl<const COUNT: usize> IntoOrder for [OrderBy; COUNT] {
    fn into_order(self) -> Vec<OrderBy> {
        self.into()
    }
}

impl IntoOrder for Vec<OrderBy> {
    fn into_order(self) -> Vec<OrderBy> {
        self
    }
}
