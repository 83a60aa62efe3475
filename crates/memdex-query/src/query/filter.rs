//! A predicate that is known to fit a record type.

use super::Predicate;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

/// A [`Predicate`] over records of type `R`: the compiler has checked its fields and values. A predicate by field names
/// can be joined to it, and is checked when the query runs.
///
/// A filter of another record type does not compile:
///
/// ```compile_fail
/// # use memdex::{Record, Store};
/// #[derive(Record)] struct User { #[record(key)] id: u32 }
/// #[derive(Record)] struct Order { #[record(key)] id: u32 }
/// let users = Store::new().collection::<User>("User").unwrap();
/// users.find(order::ID.eq(1));
/// ```
pub struct Filter<R> {
    predicate: Predicate,
    record: PhantomData<fn() -> R>,
}

impl<R> Filter<R> {
    pub fn new(predicate: Predicate) -> Self {
        Filter { predicate, record: PhantomData }
    }

    /// Every record.
    pub fn all() -> Self {
        Filter::new(Predicate::All)
    }

    /// The predicate as plain data.
    pub fn into_predicate(self) -> Predicate {
        self.predicate
    }
}

impl<R> Clone for Filter<R> {
    fn clone(&self) -> Self {
        Filter::new(self.predicate.clone())
    }
}

impl<R> fmt::Debug for Filter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.predicate.fmt(f)
    }
}

impl<R> From<Predicate> for Filter<R> {
    fn from(predicate: Predicate) -> Self {
        Filter::new(predicate)
    }
}

/// So that one filter can be asked several times.
impl<R> From<&Filter<R>> for Filter<R> {
    fn from(filter: &Filter<R>) -> Self {
        filter.clone()
    }
}

macro_rules! join {
    ($($op:ident $method:ident: $left:ty, $right:ty;)*) => {$(
        impl<R> $op<$right> for $left {
            type Output = Filter<R>;

            fn $method(self, other: $right) -> Filter<R> {
                Filter::new($op::$method(Predicate::from(self), Predicate::from(other)))
            }
        }
    )*};
}

join! {
    BitAnd bitand: Filter<R>, Filter<R>;
    BitAnd bitand: Filter<R>, Predicate;
    BitAnd bitand: Predicate, Filter<R>;
    BitOr bitor: Filter<R>, Filter<R>;
    BitOr bitor: Filter<R>, Predicate;
    BitOr bitor: Predicate, Filter<R>;
}

impl<R> From<Filter<R>> for Predicate {
    fn from(filter: Filter<R>) -> Self {
        filter.predicate
    }
}

impl<R> Not for Filter<R> {
    type Output = Filter<R>;

    fn not(self) -> Filter<R> {
        Filter::new(!self.predicate)
    }
}
