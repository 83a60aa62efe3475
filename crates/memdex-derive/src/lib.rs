//! Derive macros of memdex. Use them through `memdex`, which exports them next to the traits of the same names.

#![forbid(unsafe_code)]

mod attributes;
mod check;
mod constraint;
mod field_value;
mod methods;
mod part;
mod record;
mod rename;
mod suggest;
mod wrapper;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Makes a struct with named fields a record: generates its key, its schema, and the fields for queries.
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
///                                      description: String, // not in the schema, so it can have any type
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
/// | `#[record(index(a, b))]`, `unique(…)`, `ordered(…)` | an index of several fields, given by their names in Rust; fields of nested structs with dots (`home.city`) |
/// | `#[record(index(a, name = "…"))]` | the same with a name, by which it can be dropped; by default the field names joined by `+` |
/// | `#[record(index(a, when = filter))]` | the same as a partial index, of the records that match the filter: `when = payment::STATUS.eq(Status::Pending)` |
/// | `#[record(reference(a, b, to = "Account"))]` | a [reference](https://docs.rs/memdex/latest/memdex/schema/struct.Reference.html) of several fields to a compound key; with `on_delete`, `on_update` and `constraint` as on a field |
/// | `#[record(check(filter))]` | a check of each record: `check(payment::AMOUNT_CENTS.gt(0))`; a missing value passes, as in SQL |
/// | `#[record(check(filter, constraint = "…"))]` | the same with a name |
/// | `#[record(fields = "PaymentFields")]` | the name of the generated type with the constants; `fields = "Self"` puts them on the record |
/// | `#[record(rename_all = "…")]` | the style of all names in queries: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` or `SCREAMING-KEBAB-CASE`, each as in serde |
///
/// On a field, in one attribute or in several:
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[record(key)]` | the key, or one of its parts in the order of declaration; at least one field must have it; it can't be an `Option` or a list. A lookup takes a tuple of up to eight parts |
/// | `#[record(index)]` | an equality index |
/// | `#[record(unique)]` | a unique index: no two records have the same value; records without a value are exempt |
/// | `#[record(ordered)]` | an ordered index, for equality and ranges; of a field of many values, for ranges that one value lies in |
/// | `#[record(ordered, nan_last)]` | for a float: ordered indexes accept NaN and sort it last, instead of refusing it |
/// | `#[record(column)]` | a column: the values are stored side by side, so that a scan reads no records; with or without an index. Floats, `bool`, `char`, dates and integers that fit an `i64` take up to nine bytes a record; other types four, and a dictionary of the distinct values |
/// | `#[record(weight)]` | the weight of the record, for a bound of the collection in weight: a single integer; with or without an index |
/// | `#[record(nested)]` | a struct with [`Nested`](macro@Nested), or an `Option`, `Vec` or `Box` of one, whose fields queries can name |
/// | `#[record(unique, collate = "nocase")]` | for strings: the field and all of its indexes ignore case, as `FieldDef::collate` does; with the feature `accents` of memdex, `"noaccents"` ignores accents, and `"nocase_noaccents"` both. Combines with every other attribute except `key` |
/// | `#[record(key, index)]` | a part of the key that also has an equality index |
/// | `#[record(references = "Account")]` | a reference: the value is the key of a record in the collection `Account`. The field has an equality index, unless it has another one |
/// | `#[record(references = "Account", on_delete = "cascade")]` | what becomes of the record when the other one is deleted: `restrict` (refuse that, by default), `cascade` (delete it too), `set_null` (the field becomes missing: an `Option`, and the record is `Clone`) |
/// | `#[record(references = "Account", on_update = "cascade")]` | the same when the other record moves to another key: `restrict` or `cascade` (the record is `Clone`) |
/// | `#[record(references = "Account", constraint = "…")]` | the name of the reference |
/// | `#[record(field)]` | a field without an index: queries evaluate it on the records |
/// | `#[record(…, rename = "…")]` | the name in queries, instead of that of `rename_all` |
/// | none | queries can't use the field, and it can have any type |
///
/// The type of a field with an attribute implements [`FieldValue`](macro@FieldValue). The positions in the schema
/// follow the order of declaration.
///
/// `#[record(from_values)]` on the struct also derives `Record::from_values`, so that generic tools can store such
/// records by field name: see `memdex::typing::AnyCollection`. The type of each field with an attribute then also
/// implements `FromValue`; nested structs have the attribute too; fields without an attribute implement `Default`.
///
/// # Generated items
///
/// The implementation of `Record`, whose `Key` is the type of the key field, or a tuple of the types if there are
/// several; and a type without values that holds a constant of type `Field<Payment, T>` for each field, as visible as
/// the struct. A constant is named like its field, in capitals: `payment::AMOUNT_CENTS`. The type is named like the
/// struct in snake case (`payment` for `Payment`, `http_request` for `HTTPRequest`), unless `fields = "…"` names it.
///
/// - It does not clash with values: a variable `payment` can exist next to it.
/// - It clashes with a module of the same name. In a module `payment`, name it: with `#[record(fields = "PaymentFields")]`,
///   `use payment::{Payment, PaymentFields}` works. Without the attribute, import only the record and write
///   `payment::payment::AMOUNT_CENTS`.
/// - A struct `Type` or `Match` gets `r#type`, `r#match`, because the plain name is a keyword.
/// - An underscore is appended if the name is taken or would hide a primitive type or a crate: `str_`, `u8_`, `std_`, `memdex_`;
///   and `payment_` for a struct that is itself named `payment`.
/// - `Record::set_value` sets every field with an attribute whose type implements `FromValue`, except those of the key; so
///   `increment`, `max` and `min` can change it. `Record::append_value` appends to fields of the type `Vec`.
/// - `Record::heap_size` adds the [`HeapSize`] of all fields whose type implements it.
///
/// [`HeapSize`]: https://docs.rs/memdex/latest/memdex/trait.HeapSize.html
#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    record::derive(&input, part::Target::Record).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a struct with named fields a nested struct: a record can hold it in a field with `#[record(nested)]`, and
/// queries can name its fields: `address.city`. Its fields take the attributes of [`Record`](macro@Record) except
/// `key`. It gets constants like a record, which [`Field::dot`] appends to the field that holds it.
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
    record::derive(&input, part::Target::Nested).unwrap_or_else(Error::into_compile_error).into()
}

/// Declares a wrapper that makes a record of a type of another crate, on which `#[derive(Record)]` can't be put.
///
/// It looks like a tuple struct with the wrapped type, followed by the public fields of that type that queries may
/// name, with the attributes of [`Record`](macro@Record):
///
/// ```
/// use memdex::{Store, record_for};
///
/// mod billing {
///     #[derive(Clone, Debug)]
///     pub struct Invoice { pub number: u64, pub customer: String, pub note: Vec<String> }
/// }
///
/// record_for! {
///     #[derive(Clone, Debug)]
///     #[record(fields = "InvoiceFields")]
///     pub struct Invoice(billing::Invoice) {
///         #[record(key)]   number: u64,
///         #[record(index)] customer: String,
///     }
/// }
///
/// let invoices = Store::new().collection::<Invoice>("Invoice")?;
/// invoices.store(billing::Invoice { number: 7, customer: "Ada".into(), note: vec![] }.into())?;
/// assert_eq!(invoices.find(InvoiceFields::CUSTOMER.eq("Ada")).count()?, 1);
/// assert_eq!(invoices.get(7).unwrap().note.len(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The wrapper dereferences to the wrapped type and converts from it and into it. Its inner value is the public field
/// `0`.
#[proc_macro]
pub fn record_for(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as wrapper::Wrapper);
    wrapper::declare(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes an enum without data or a newtype a type that fields of records can have.
///
/// The value of an enum is the name of its variant, as a string; that of a newtype (a struct with one field, named or
/// not) is the value of its field. The inverse, `FromValue`, is implemented as well:
///
/// ```
/// use memdex::FieldValue;
/// use memdex::typing::ValueRef;
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
/// | `#[field(rename_all = "…")]` | an enum | the style of the names of its variants: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` or `SCREAMING-KEBAB-CASE`, each as in serde; by default as written |
/// | `#[field(rename = "…")]` | a variant | its name, instead of that of `rename_all` |
///
/// A newtype takes no attributes. Implement `FieldValue` by hand for generic types.
#[proc_macro_derive(FieldValue, attributes(field))]
pub fn field_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    field_value::derive(&input).unwrap_or_else(Error::into_compile_error).into()
}
