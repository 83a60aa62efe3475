//! Predicates on a record type.

use super::Predicate;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not};

/// A [`Predicate`] on records of type `R`, whose fields and values the compiler has checked. Typed
/// [`Field`](super::Field)s make it.
///
/// Join filters with `&`, `|` and `!` (not `&&` and `||`), by value or by reference. A predicate by field names can be
/// joined too; it is checked when the query runs.
///
/// ```
/// use memdex::{Filter, Record, Store, field};
///
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
///
/// let users = Store::new().collection::<User>("User")?;
/// users.store(User { id: 1, city: "Bern".into(), age: 30 })?;
///
/// let adult = user::AGE.ge(18);
/// let mut filter = &adult & user::CITY.eq("Bern");
/// filter &= !field("city").is_null();
/// assert_eq!(users.find(&filter).count()?, 1);
/// filter |= Filter::all();
/// assert_eq!(users.find(filter).count()?, 1);
/// assert_eq!(users.find(!adult | Filter::none()).count()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A filter on another record type does not compile:
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
    pub(crate) fn new(predicate: Predicate) -> Self {
        Filter { predicate, record: PhantomData }
    }

    /// Every record.
    pub fn all() -> Self {
        Filter::new(Predicate::All)
    }

    /// No record.
    pub fn none() -> Self {
        Filter::new(Predicate::none())
    }

    /// The predicate as plain data.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
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

/// Clones the filter, so that it can be used several times.
impl<R> From<&Filter<R>> for Filter<R> {
    fn from(filter: &Filter<R>) -> Self {
        filter.clone()
    }
}

impl<R> From<Filter<R>> for Predicate {
    fn from(filter: Filter<R>) -> Self {
        filter.predicate
    }
}

impl<R> From<&Filter<R>> for Predicate {
    fn from(filter: &Filter<R>) -> Self {
        filter.predicate.clone()
    }
}

macro_rules! operators {
    ($($op:ident $method:ident $assign:ident $assign_method:ident;)*) => {$(
        operators! { @join $op $method: Filter<R>, Filter<R>; Filter<R>, &Filter<R>; Filter<R>, Predicate; }
        operators! { @join $op $method: &Filter<R>, Filter<R>; &Filter<R>, &Filter<R>; &Filter<R>, Predicate; }
        operators! { @join $op $method: Predicate, Filter<R>; Predicate, &Filter<R>; }
        operators! { @assign $assign $assign_method: Filter<R>; &Filter<R>; Predicate; }
    )*};
    (@join $op:ident $method:ident: $($left:ty, $right:ty;)*) => {$(
        impl<R> $op<$right> for $left {
            type Output = Filter<R>;

            fn $method(self, other: $right) -> Filter<R> {
                Filter::new($op::$method(Predicate::from(self), Predicate::from(other)))
            }
        }
    )*};
    (@assign $op:ident $method:ident: $($right:ty;)*) => {$(
        impl<R> $op<$right> for Filter<R> {
            fn $method(&mut self, other: $right) {
                $op::$method(&mut self.predicate, Predicate::from(other));
            }
        }
    )*};
}

operators! {
    BitAnd bitand BitAndAssign bitand_assign;
    BitOr bitor BitOrAssign bitor_assign;
}

impl<R> Not for Filter<R> {
    type Output = Filter<R>;

    fn not(self) -> Filter<R> {
        Filter::new(!self.predicate)
    }
}

impl<R> Not for &Filter<R> {
    type Output = Filter<R>;

    fn not(self) -> Filter<R> {
        !self.clone()
    }
}
