//! The types of fields of nested structs, as seen through `Option`s and `Vec`s. They exist at compile time only and
//! have no values.

use super::{FieldValue, Kind, Many, Multi, Nullable, Number, Text, ValueRef};
use std::convert::Infallible;
use std::marker::PhantomData;

/// A struct, or an `Option`, `Vec` or `Box` of one, whose fields queries can name through the field that holds it.
/// `#[derive(Nested)]` implements it.
pub trait Nest {
    /// The struct itself.
    type Leaf;
    /// The type of one of its fields, seen from the record.
    type Of<T>;
}

impl<N: Nest> Nest for Option<N> {
    type Leaf = N::Leaf;
    type Of<T> = Maybe<N::Of<T>>;
}

impl<N: Nest> Nest for Vec<N> {
    type Leaf = N::Leaf;
    type Of<T> = Each<N::Of<T>>;
}

impl<N: Nest> Nest for Box<N> {
    type Leaf = N::Leaf;
    type Of<T> = N::Of<T>;
}

/// A field behind an `Option`.
#[derive(Debug)]
pub enum Maybe<T> {
    #[doc(hidden)]
    Never(Infallible, PhantomData<T>),
}

impl<T> Nullable for Maybe<T> {}

impl<T: FieldValue> FieldValue for Maybe<T> {
    type Base = T::Base;
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    const MANY: bool = T::MANY;

    fn value(&self) -> ValueRef<'_> {
        let Maybe::Never(never, _) = self;
        match *never {}
    }
}

impl<T: Number> Number for Maybe<T> {}

impl<T: Number> Number for Each<T> {}

impl<T: Multi> Multi for Maybe<T> {
    type Item = T::Item;
}

/// A field behind a `Vec`.
#[derive(Debug)]
pub enum Each<T> {
    #[doc(hidden)]
    Never(Infallible, PhantomData<T>),
}

impl<T> Nullable for Each<T> {}

impl<T: FieldValue> FieldValue for Each<T> {
    type Base = Many<T::Base>;
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    const MANY: bool = true;

    fn value(&self) -> ValueRef<'_> {
        let Each::Never(never, _) = self;
        match *never {}
    }
}

/// A `Vec` behind a `Vec` has an item type that nothing can be compared with: query such a field by name, with
/// `field("a.b")`.
impl<T: FieldValue> Multi for Each<T> {
    type Item = T::Base;
}

/// The type of a field without a `#[record(…)]` attribute, for the derive macro. `F` is named like the field.
#[doc(hidden)]
#[derive(Debug)]
pub enum NoAttribute<F> {
    Never(Infallible, PhantomData<F>),
}

/// Never implemented: its message is the error of a query that uses such a field.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the field `{Self}` has no `#[record(…)]` attribute, so queries can't use it",
    label = "add `#[record(field)]` to the field `{Self}`",
    note = "`#[record(index)]` or another attribute of `memdex::Record` makes it queryable as well"
)]
pub trait HasAttribute {}

impl<F: HasAttribute> FieldValue for NoAttribute<F> {
    type Base = Self;
    const KIND: Kind = Kind::Str;

    fn value(&self) -> ValueRef<'_> {
        let NoAttribute::Never(never, _) = self;
        match *never {}
    }
}

impl<F: HasAttribute> Nullable for NoAttribute<F> {}

impl<F: HasAttribute> Number for NoAttribute<F> {}

impl<F: HasAttribute> Text for NoAttribute<F> {}

impl<F: HasAttribute> Multi for NoAttribute<F> {
    type Item = Self;
}
