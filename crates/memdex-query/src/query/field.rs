//! Fields as the left side of comparisons: typed constants from `#[derive(Record)]`, and names at run time.

use super::predicate::FieldName;
use super::{Filter, Predicate};
use crate::value::{AnyNumber, FieldValue, Multi, Nest, Nullable, Number, Operand, Value};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

/// A field of `R` with values of type `T`. `#[derive(Record)]` makes one for each field that has a `#[record(…)]`
/// attribute.
///
/// Every test works on every field. An equality or unique index answers `eq`, `ne`, `is_in` and `is_null`, and for a
/// field of many values `contains`, `any` and `all`; an ordered index also answers ranges. A condition without an index
/// is checked on the records that the indexed conditions select, or on the field's column.
///
/// ```
/// use memdex::{Record, Store};
///
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
    /// The names from the outermost struct inward; unused ones are empty.
    path: [&'static str; MAX_PATH],
    types: PhantomData<fn() -> (R, T)>,
}

/// The deepest nesting that a typed field can name.
const MAX_PATH: usize = 8;

// The bounds of the tests are on the methods, not on the `impl`s: only then the compiler shows the messages of the
// traits.

impl<R, T> Field<R, T> {
    /// The field called `name` in the schema of `R`, for a hand-written implementation of `Record`. Queries with a
    /// wrong name or type fail with a [`QueryError`](crate::error::QueryError).
    pub const fn new(name: &'static str) -> Self {
        let mut path = [""; MAX_PATH];
        path[0] = name;
        Field { path, types: PhantomData }
    }

    /// Its name; for a field of a nested struct, the path to it, with dots.
    pub fn name(&self) -> FieldName {
        let depth = self.path.iter().position(|part| part.is_empty()).unwrap_or(MAX_PATH);
        match &self.path[..depth] {
            [name] => FieldName::Borrowed(name),
            parts => FieldName::Owned(parts.join(".")),
        }
    }
}

impl<R, T> Field<R, T> {
    /// This field, for comparisons with numbers of any kind, by value: an integer field with `499.5`, a float field with
    /// an integer, a decimal field with both. (Other comparisons of typed fields compile with the field's own type only.)
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// #[derive(Record)]
    /// struct Payment { #[record(key)] id: u32, #[record(ordered)] cents: i64 }
    /// let payments = Store::new().collection::<Payment>("Payment")?;
    /// payments.store(Payment { id: 1, cents: 500 })?;
    /// assert_eq!(payments.find(payment::CENTS.as_number().gt(499.5)).count()?, 1);
    /// assert_eq!(payments.find(payment::CENTS.as_number().eq(500.0)).count()?, 1);
    /// assert_eq!(payments.find(payment::CENTS.as_number().eq(499.5)).count()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Conversions are exact, and done once for each query. Whether the field has one value or many is checked when the
    /// query runs, as for a field by [name](crate::query::field).
    pub const fn as_number(self) -> Field<R, AnyNumber>
    where
        T: Number,
    {
        Field { path: self.path, types: PhantomData }
    }
}

impl<R, N: Nest> Field<R, N> {
    /// The field `inner` of the struct in this field. Through an `Option` it can be missing; through a `Vec` it has
    /// many values.
    ///
    /// ```
    /// # use memdex::{Nested, Record, Store};
    /// #[derive(Nested)]
    /// struct Address { #[record(index)] city: String, #[record(field)] street: String }
    /// #[derive(Record)]
    /// struct User { #[record(key)] id: u32, #[record(nested)] home: Option<Address>, #[record(nested)] others: Vec<Address> }
    ///
    /// let users = Store::new().collection::<User>("User")?;
    /// let bern = || Address { city: "Bern".into(), street: "Kramgasse".into() };
    /// users.store(User { id: 1, home: Some(bern()), others: vec![] })?;
    /// users.store(User { id: 2, home: None, others: vec![bern()] })?;
    /// assert_eq!(users.find(user::HOME.dot(address::CITY).eq("Bern")).count()?, 1);
    /// assert_eq!(users.find(user::HOME.dot(address::STREET).is_null()).count()?, 1);
    /// assert_eq!(users.find(user::OTHERS.dot(address::CITY).contains("Bern")).count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the path has more than 8 parts: at compile time where it is a constant.
    pub const fn dot<T>(self, inner: Field<N::Leaf, T>) -> Field<R, N::Of<T>> {
        Field { path: joined(self.path, inner.path), types: PhantomData }
    }
}

impl<R, T> Field<R, T> {
    /// The field `other` of the record to which this field refers, by a [`Reference`](crate::schema::Reference) with one field. A condition on it
    /// is true for records that refer to one which meets it: a semi-join, answered by the indexes of the other collection and that of this
    /// field, at one snapshot. With `!` it is also true for records that refer to nothing.
    ///
    /// Finds and queries at a snapshot support it. Writes by predicate, cached queries, watches, subscriptions, conditions of indexes and
    /// checks refuse it with [`QueryError::ThroughReference`](crate::error::QueryError::ThroughReference), since they follow one collection.
    ///
    /// ```
    /// # use memdex::{Record, Store, field};
    /// #[derive(Record)]
    /// struct Account { #[record(key)] id: u32, #[record(index)] country: String }
    /// #[derive(Record)]
    /// struct Payment { #[record(key)] id: u32, #[record(references = "Account")] account: Option<u32> }
    ///
    /// let store = Store::new();
    /// let accounts = store.collection::<Account>("Account")?;
    /// let payments = store.collection::<Payment>("Payment")?;
    /// accounts.insert(Account { id: 1, country: "CH".into() })?;
    /// payments.insert(Payment { id: 7, account: Some(1) })?;
    /// payments.insert(Payment { id: 8, account: None })?;
    /// assert_eq!(payments.find(payment::ACCOUNT.through(account::COUNTRY).eq("CH")).count()?, 1);
    /// assert_eq!(payments.find(field("account.country").eq("CH")).one()?.id, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the path has more than 8 parts: at compile time where it is a constant.
    pub const fn through<S, U>(self, other: Field<S, U>) -> Field<R, U> {
        let path = joined(self.path, other.path);
        Field { path, types: PhantomData }
    }
}

/// The path behind another one.
const fn joined(mut path: [&'static str; MAX_PATH], inner: [&'static str; MAX_PATH]) -> [&'static str; MAX_PATH] {
    let mut at = 0;
    while !path[at].is_empty() {
        at += 1;
    }
    let mut from = 0;
    while from < MAX_PATH && !inner[from].is_empty() {
        path[at] = inner[from];
        at += 1;
        from += 1;
    }
    path
}

impl<R, T> Field<R, T> {
    /// The field has this value.
    pub fn eq(&self, value: impl Operand<T::Base>) -> Filter<R>
    where
        T: FieldValue,
    {
        Filter::new(Predicate::Eq(self.name(), value.to_operand()))
    }

    /// The field has a value other than this.
    pub fn ne(&self, value: impl Operand<T::Base>) -> Filter<R>
    where
        T: FieldValue,
    {
        Filter::new(Predicate::Ne(self.name(), value.to_operand()))
    }

    /// The field has one of these values.
    pub fn is_in<Q: Operand<T::Base>>(&self, values: impl IntoIterator<Item = Q>) -> Filter<R>
    where
        T: FieldValue,
    {
        let values = values.into_iter().map(|value| value.to_operand()).collect();
        Filter::new(Predicate::In(self.name(), values))
    }
}

/// Ranges. A missing value is in no range.
impl<R, T> Field<R, T> {
    fn range<Q: Operand<T::Base>>(&self, from: Bound<Q>, to: Bound<Q>) -> Filter<R>
    where
        T: FieldValue,
    {
        let owned = |bound: Bound<Q>| bound.map(|value| value.to_operand());
        Filter::new(Predicate::Range(self.name(), owned(from), owned(to)))
    }

    /// The field is less than this.
    pub fn lt(&self, value: impl Operand<T::Base>) -> Filter<R>
    where
        T: FieldValue,
    {
        self.range(Bound::Unbounded, Bound::Excluded(value))
    }

    /// The field is at most this.
    pub fn le(&self, value: impl Operand<T::Base>) -> Filter<R>
    where
        T: FieldValue,
    {
        self.range(Bound::Unbounded, Bound::Included(value))
    }

    /// The field is greater than this.
    pub fn gt(&self, value: impl Operand<T::Base>) -> Filter<R>
    where
        T: FieldValue,
    {
        self.range(Bound::Excluded(value), Bound::Unbounded)
    }

    /// The field is at least this.
    pub fn ge(&self, value: impl Operand<T::Base>) -> Filter<R>
    where
        T: FieldValue,
    {
        self.range(Bound::Included(value), Bound::Unbounded)
    }

    /// The field is between these, both included.
    pub fn between<Q: Operand<T::Base>>(&self, from: Q, to: Q) -> Filter<R>
    where
        T: FieldValue,
    {
        self.range(Bound::Included(from), Bound::Included(to))
    }
}

/// Fields of many values: a `Vec`, a set, or a field of structs in one. Order and repetition do not matter.
impl<R, T> Field<R, T> {
    /// One of the field's values is this.
    pub fn contains(&self, value: impl Operand<T::Item>) -> Filter<R>
    where
        T: Multi,
    {
        Filter::new(Predicate::AnyOf(self.name(), vec![value.to_operand()]))
    }

    /// The field has at least one of these values.
    pub fn any<Q: Operand<T::Item>>(&self, values: impl IntoIterator<Item = Q>) -> Filter<R>
    where
        T: Multi,
    {
        Filter::new(Predicate::AnyOf(self.name(), values.into_iter().map(|value| value.to_operand()).collect()))
    }

    /// The field has each of these values.
    pub fn all<Q: Operand<T::Item>>(&self, values: impl IntoIterator<Item = Q>) -> Filter<R>
    where
        T: Multi,
    {
        Filter::new(Predicate::AllOf(self.name(), values.into_iter().map(|value| value.to_operand()).collect()))
    }
}

impl<R, T> Field<R, T> {
    /// The field has no value. Only for fields that can be missing: an `Option`, or an empty `Vec` or set.
    pub fn is_null(&self) -> Filter<R>
    where
        T: Nullable,
    {
        Filter::new(Predicate::IsNull(self.name()))
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
        write!(f, "Field({:?})", self.name())
    }
}

/// A field named at run time. Its existence and the kinds of the values are checked when the query runs.
///
/// ```
/// # use memdex::{Record, Store, field};
/// # use memdex::error::QueryError;
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

/// A field by name, made by [`field`]. It has the tests of a [`Field`] at the same cost. A field of a nested struct or
/// of a document is named by its path: `field("address.city")`.
///
/// ```
/// use memdex::{Value, field};
/// use memdex::query::Predicate;
///
/// assert_eq!(field("age").eq(5), Predicate::Eq("age".into(), Value::from(5)));
/// assert_eq!(field("tags").contains("new"), Predicate::AnyOf("tags".into(), vec!["new".into()]));
/// ```
#[derive(Clone, Debug)]
pub struct NamedField {
    pub(super) name: FieldName,
}

impl NamedField {
    /// The field has this value. This and the other tests of a single value are also for fields of many values, of which at
    /// least one must match.
    pub fn eq(self, value: impl Into<Value>) -> Predicate {
        Predicate::Eq(self.name, value.into())
    }

    /// The field has a value other than this; a field of many values has some, and not this one.
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

    /// The field is less than this.
    pub fn lt(self, value: impl Into<Value>) -> Predicate {
        Predicate::Range(self.name, Bound::Unbounded, Bound::Excluded(value.into()))
    }

    /// The field is at most this.
    pub fn le(self, value: impl Into<Value>) -> Predicate {
        Predicate::Range(self.name, Bound::Unbounded, Bound::Included(value.into()))
    }

    /// The field is greater than this.
    pub fn gt(self, value: impl Into<Value>) -> Predicate {
        Predicate::Range(self.name, Bound::Excluded(value.into()), Bound::Unbounded)
    }

    /// The field is at least this.
    pub fn ge(self, value: impl Into<Value>) -> Predicate {
        Predicate::Range(self.name, Bound::Included(value.into()), Bound::Unbounded)
    }

    /// The field is between these, both included.
    pub fn between(self, from: impl Into<Value>, to: impl Into<Value>) -> Predicate {
        Predicate::Range(self.name, Bound::Included(from.into()), Bound::Included(to.into()))
    }

    /// The field, of many values, has this one. (For a part of a string, see
    /// [`contains_str`](NamedField::contains_str).)
    pub fn contains(self, value: impl Into<Value>) -> Predicate {
        Predicate::AnyOf(self.name, vec![value.into()])
    }

    /// The field, of many values, has at least one of these.
    pub fn any<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Predicate {
        Predicate::AnyOf(self.name, values.into_iter().map(Into::into).collect())
    }

    /// The field, of many values, has each of these.
    pub fn all<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Predicate {
        Predicate::AllOf(self.name, values.into_iter().map(Into::into).collect())
    }
}
