//! Fields as the left side of comparisons: typed constants that `#[derive(Record)]` makes, and names at run time.

use super::predicate::FieldName;
use super::{Filter, Predicate};
use crate::record::{FieldValue, Operand, Value};
use std::fmt;
use std::marker::PhantomData;

/// A field of `R` that holds a `T`. `#[derive(Record)]` makes one for each field that queries may name.
///
/// ```
/// # use memdex::{Record, Store};
/// #[derive(Record)]
/// struct Payment {
///     #[record(key)]   id: u32,
///     #[record(index)] currency: Option<String>,
///     #[record(field)] amount_cents: i64,
/// }
/// let payments = Store::new().collection::<Payment>("Payment")?;
/// payments.store(Payment { id: 1, currency: None, amount_cents: 100 })?;
/// assert_eq!(payments.find(payment::AMOUNT_CENTS.eq(100)).count()?, 1);
/// assert_eq!(payments.find(payment::CURRENCY.ne("EUR")).count()?, 0, "a missing value is neither equal nor unequal");
/// assert_eq!(payments.find(!payment::CURRENCY.eq("EUR")).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Field<R, T> {
    name: &'static str,
    types: PhantomData<fn() -> (R, T)>,
}

impl<R, T> Field<R, T> {
    /// The field called `name` in the schema of `R`. A wrong name or type is a typed error of the queries that use it.
    pub const fn new(name: &'static str) -> Self {
        Field { name, types: PhantomData }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<R, T: FieldValue> Field<R, T> {
    /// The field has this value.
    pub fn eq(&self, value: impl Operand<T::Base>) -> Filter<R> {
        Filter::new(Predicate::Eq(self.name.into(), value.to_operand()))
    }

    /// The field has a value, and it is another than this.
    pub fn ne(&self, value: impl Operand<T::Base>) -> Filter<R> {
        Filter::new(Predicate::Ne(self.name.into(), value.to_operand()))
    }

    /// The field has one of these values.
    pub fn is_in<Q: Operand<T::Base>>(&self, values: impl IntoIterator<Item = Q>) -> Filter<R> {
        let values = values.into_iter().map(|value| value.to_operand()).collect();
        Filter::new(Predicate::In(self.name.into(), values))
    }
}

impl<R, T> Field<R, Option<T>> {
    /// The field has no value. Only optional fields have this.
    pub fn is_null(&self) -> Filter<R> {
        Filter::new(Predicate::IsNull(self.name.into()))
    }
}

impl<R, T> Clone for Field<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, T> Copy for Field<R, T> {}

impl<R, T> fmt::Debug for Field<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({:?})", self.name)
    }
}

/// A field named at run time. Whether it exists and can hold what it is compared with is judged when the query runs.
///
/// ```
/// # use memdex::{QueryError, Record, Store, field};
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, #[record(index)] name: String }
/// let users = Store::new().collection::<User>("User")?;
/// assert_eq!(users.find(field("name").eq("Ada")).count(), Ok(0));
/// assert!(matches!(users.find(field("nom").eq("Ada")).count(), Err(QueryError::UnknownField { .. })));
/// assert!(matches!(users.find(field("name").eq(7)).count(), Err(QueryError::WrongKind { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn field(name: impl Into<FieldName>) -> NamedField {
    NamedField { name: name.into() }
}

/// What [`field`] gives.
#[derive(Clone, Debug)]
pub struct NamedField {
    name: FieldName,
}

impl NamedField {
    /// The field has this value.
    pub fn eq(self, value: impl Into<Value>) -> Predicate {
        Predicate::Eq(self.name, value.into())
    }

    /// The field has a value, and it is another than this.
    pub fn ne(self, value: impl Into<Value>) -> Predicate {
        Predicate::Ne(self.name, value.into())
    }

    /// The field has one of these values.
    pub fn is_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Predicate {
        Predicate::In(self.name, values.into_iter().map(Into::into).collect())
    }

    /// The field has no value.
    pub fn is_null(self) -> Predicate {
        Predicate::IsNull(self.name)
    }
}
