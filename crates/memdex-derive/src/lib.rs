//! Derive macros of memdex. Use them through `memdex`, which exports both beside the traits of the same names.

#![forbid(unsafe_code)]

mod attributes;
mod field_value;
mod record;
mod rename;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Makes a struct with named fields a record: its key, its schema, and the fields that queries name.
///
/// ```
/// use memdex::{FieldValue, Record, Store};
///
/// #[derive(Clone, Copy, Debug, FieldValue)]
/// enum Status { Pending, Completed }
///
/// #[derive(Clone, Debug, Record)]
/// #[record(rename_all = "camelCase")]
/// struct Payment {
///     #[record(key)]                   payment_id: String,
///     #[record(index)]                 status: Status,
///     #[record(index, rename = "cur")] currency: Option<String>,
///     #[record(field)]                 amount_cents: i64,
///                                      description: String, // invisible to queries: no trait is asked of it
/// }
///
/// let payments = Store::new().collection::<Payment>("Payment")?;
/// payments.store(Payment {
///     payment_id: "p-1".into(),
///     status: Status::Completed,
///     currency: None,
///     amount_cents: 500,
///     description: "tea".into(),
/// })?;
/// let completed = payment::STATUS.eq(Status::Completed) & payment::AMOUNT_CENTS.eq(500);
/// assert_eq!(payments.find(completed).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Attributes
///
/// On the struct:
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[record(index(a, b))]`, `unique(…)`, `ordered(…)` | an index of several fields, named by their names in Rust; those of nested structs with dots (`home.city`) |
/// | `#[record(index(a, name = "…"))]` | the same under a name of its own, by which it can be dropped; without it, the names with `+` between them |
/// | `#[record(index(a, when = filter))]` | the same, holding only the records that the filter means: `when = payment::STATUS.eq(Status::Pending)` |
/// | `#[record(rename_all = "…")]` | the style of all names that queries use: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` or `SCREAMING-KEBAB-CASE`, each as in serde |
///
/// On a field; words go together in one attribute or stand in several:
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[record(key)]` | the key, or one of its parts in the order of declaration; at least one field must have it; never an `Option`. A look-up takes a tuple of up to eight parts |
/// | `#[record(index)]` | queries find it by an equality index |
/// | `#[record(unique)]` | as `index`, and no two records have the same value; those without a value are free of that |
/// | `#[record(ordered)]` | as `index`, and ranges are found by it too |
/// | `#[record(ordered, nan_last)]` | of a float: the index keeps NaN, after all other numbers, instead of refusing it; so do indexes of several fields |
/// | `#[record(column)]` | its values lie side by side, so that looking at all of them reads no record; beside an index or alone. Nine bytes a record for floats, `bool`, `char`, dates and integers of up to 32 bits or `i64`; for other types four, and a dictionary of the distinct values |
/// | `#[record(nested)]` | a struct with [`Nested`](macro@Nested), or an `Option`, `Vec` or `Box` of one: queries name its fields |
/// | `#[record(key, index)]` | a part of the key that has an equality index as well |
/// | `#[record(field)]` | queries find it by looking at the records |
/// | `#[record(…, rename = "…")]` | the name that queries use, whatever `rename_all` says |
/// | none | the field is invisible to queries, and its type is free |
///
/// The type of a field with an attribute implements [`FieldValue`](macro@FieldValue); fields have their positions in the
/// schema in the order of declaration.
///
/// # What it makes
///
/// The implementation of `Record`, whose `Key` is the type of the key field, or a tuple of the types when there are
/// several; and a type without values that is named like the struct in snake case (`payment` for `Payment`,
/// `http_request` for `HTTPRequest`) and holds one constant a field, of type `Field<Payment, T>`, as visible as the
/// struct. The constant is named like the field in Rust, in capitals: `payment::AMOUNT_CENTS`, also when the struct is
/// declared inside a function. It takes no name from values: a variable `payment` can stand beside it.
///
/// - A struct `Type` or `Match` gets `r#type`, `r#match`, since the plain name is a keyword.
/// - An underscore is added where the name is taken, or would hide what must not be hidden: `str_`, `bool_`, `u8_` and
///   so on for structs named like a primitive type, `std_`, `core_`, `alloc_`, `memdex_`, `crate_`, `self_`, `super_`;
///   and `payment_` for a struct that is itself named `payment`.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    record::derive(&input, record::What::Record).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a struct with named fields something that a record can hold in a field with `#[record(nested)]`, so that queries
/// name its fields: `address.city`. Its fields take the attributes of [`Record`](macro@Record) but `key`; it gets constants
/// as a record does, which [`Field::dot`] joins to the field that holds it.
///
/// ```
/// use memdex::{Nested, Record, Store, field};
///
/// #[derive(Nested)]
/// struct Line { #[record(index)] sku: String, #[record(field)] count: u32 }
///
/// #[derive(Record)]
/// struct Order { #[record(key)] id: u32, #[record(nested)] lines: Vec<Line> }
///
/// let orders = Store::new().collection::<Order>("Order")?;
/// orders.store(Order { id: 1, lines: vec![Line { sku: "tea".into(), count: 2 }] })?;
/// assert_eq!(orders.find(order::LINES.dot(line::SKU).contains("tea")).count()?, 1);
/// assert_eq!(orders.find(field("lines.count").contains(3)).count()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Field::dot`]: https://docs.rs/memdex/latest/memdex/struct.Field.html#method.dot
#[proc_macro_derive(Nested, attributes(record))]
pub fn nested(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    record::derive(&input, record::What::Nested).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a unit enum or a newtype something that a field of a record can hold.
///
/// An enum shows the names of its variants, as strings; a newtype (a struct of one field, named or not) shows what its
/// field shows:
///
/// ```
/// use memdex::{FieldValue, ValueRef};
///
/// #[derive(Clone, Copy, Debug, FieldValue)]
/// #[field(rename_all = "snake_case")]
/// enum Status {
///     Pending,
///     PaidOut,
///     #[field(rename = "void")]
///     Cancelled,
/// }
///
/// #[derive(Clone, Debug, FieldValue)]
/// struct UserId(String);
///
/// assert_eq!(Status::PaidOut.value(), ValueRef::Str("paid_out"));
/// assert_eq!(Status::Cancelled.value(), ValueRef::Str("void"));
/// assert_eq!(UserId("u-1".into()).value(), ValueRef::Str("u-1"));
/// ```
///
/// # Attributes
///
/// | attribute | on | meaning |
/// | --- | --- | --- |
/// | `#[field(rename_all = "…")]` | an enum | the style of its variants' names: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` or `SCREAMING-KEBAB-CASE`, each as in serde; without it a name is as written |
/// | `#[field(rename = "…")]` | a variant | its name, whatever `rename_all` says |
///
/// A newtype takes no attributes. Types with parameters or lifetimes need an `impl` by hand.
#[proc_macro_derive(FieldValue, attributes(field))]
pub fn field_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    field_value::derive(&input).unwrap_or_else(Error::into_compile_error).into()
}
