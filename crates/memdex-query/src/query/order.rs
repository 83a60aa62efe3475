//! Orders of records.

use super::{Field, FieldName, NamedField};

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Direction {
    /// The lower one: numbers by number with NaN last, strings by bytes, times from past to future, `false` before
    /// `true`.
    Ascending,
    /// The higher one.
    Descending,
}

/// The position of records without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Nulls {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// A sort field. A later sort field breaks the ties of the earlier ones, and the key, ascending, breaks the ties of
/// all. So every order is total, and pages never overlap or skip records.
///
/// Made by [`Field::asc`], [`Field::desc`] and the methods of the same name of [`field`](crate::query::field). By
/// default a missing value is the lowest: it comes first in ascending order and last in descending order.
///
/// ```
/// use memdex::field;
/// use memdex::query::{Direction, Nulls};
/// let order = field("amount").desc().nulls_first();
/// assert_eq!((order.direction, order.nulls), (Direction::Descending, Nulls::First));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "form::OrderForm", into = "form::OrderForm"))]
pub struct OrderBy {
    /// The field, of single values; or an undeclared path of documents. A document with several values at the path has the place of
    /// the lowest in ascending order, and of the highest in descending order.
    pub field: FieldName,
    /// The direction.
    pub direction: Direction,
    /// The position of missing values.
    pub nulls: Nulls,
}

#[cfg(feature = "serde")]
mod form {
    use super::{Direction, FieldName, Nulls, OrderBy};
    use crate::query::form::is_default;
    use serde::{Deserialize, Serialize};

    /// A sort field without defaults.
    #[derive(Serialize, Deserialize)]
    #[serde(rename = "OrderBy", deny_unknown_fields)]
    pub(super) struct OrderForm {
        field: FieldName,
        #[serde(default, skip_serializing_if = "is_default")]
        direction: Option<Direction>,
        #[serde(default, skip_serializing_if = "is_default")]
        nulls: Option<Nulls>,
    }

    fn of(field: FieldName, direction: Direction) -> OrderBy {
        match direction {
            Direction::Ascending => OrderBy::ascending(field),
            Direction::Descending => OrderBy::descending(field),
        }
    }

    impl From<OrderBy> for OrderForm {
        fn from(OrderBy { field, direction, nulls }: OrderBy) -> Self {
            let nulls = Some(nulls).filter(|nulls| *nulls != of(field.clone(), direction).nulls);
            OrderForm { field, direction: Some(direction).filter(|to| *to != Direction::Ascending), nulls }
        }
    }

    impl From<OrderForm> for OrderBy {
        fn from(OrderForm { field, direction, nulls }: OrderForm) -> Self {
            let order = of(field, direction.unwrap_or(Direction::Ascending));
            OrderBy { nulls: nulls.unwrap_or(order.nulls), ..order }
        }
    }
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

    /// The opposite order.
    #[doc(hidden)]
    #[must_use]
    pub fn reversed(self) -> Self {
        let direction = match self.direction {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        };
        let nulls = match self.nulls {
            Nulls::First => Nulls::Last,
            Nulls::Last => Nulls::First,
        };
        OrderBy { direction, nulls, ..self }
    }

    /// The same order with missing values before all others.
    #[must_use]
    pub fn nulls_first(self) -> Self {
        OrderBy { nulls: Nulls::First, ..self }
    }

    /// The same order with missing values after all others.
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

/// A typed field can be passed where a name is expected.
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
    /// The fields, the most significant one first.
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
