//! One field of a schema.

use super::index_def::IndexKind;
use super::path::Path;
use crate::error::Conflict;
use crate::value::{Collation, FieldValue, Kind};
use std::borrow::Cow;

/// One field of a [`Schema`](crate::schema::Schema): its name, the kind of its values, its index, and its column.
///
/// ```
/// use memdex::{FieldDef, Kind};
/// use memdex::schema::IndexKind;
///
/// let amount = FieldDef::new("amount_cents", Kind::Int).ordered().column();
/// assert_eq!((amount.name(), amount.kind(), amount.index_kind()), ("amount_cents", Kind::Int, Some(IndexKind::Ordered)));
/// let tags = FieldDef::of::<Vec<String>>("tags").index();
/// assert!(tags.is_many() && tags.is_nullable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct FieldDef {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    #[cfg_attr(feature = "serde", serde(rename = "optional", default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) nullable: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) many: bool,
    /// Whether 64 bits are enough for its integers.
    #[cfg_attr(feature = "serde", serde(rename = "fits_64_bits", default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) narrow: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) key: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) column: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) required: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) skip_conflicts: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) nan_last: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub(super) weight: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) collate: Option<Collation>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) index: Option<IndexKind>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) choices: Choices,
}

/// The only values of the field's Rust type. They are not part of the definition: all of them are equal, and the serde form has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choices(&'static [&'static str]);

impl PartialEq for Choices {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Choices {}

impl FieldDef {
    /// A field called `name` for values of the Rust type `T`: without an index, and not part of the key.
    pub fn of<T: FieldValue>(name: impl Into<Cow<'static, str>>) -> Self {
        FieldDef { nullable: T::NULLABLE, many: T::MANY, narrow: T::NARROW, ..FieldDef::new(name, T::KIND) }
            .derived_choices(T::CHOICES)
    }

    /// For the derive macro.
    #[doc(hidden)]
    #[must_use]
    pub fn derived_choices(self, choices: &'static [&'static str]) -> Self {
        FieldDef { choices: Choices(choices), ..self }
    }

    /// For the derive macro, which names each constant of the type.
    #[doc(hidden)]
    pub fn derived(name: &'static str, kind: Kind, nullable: bool, many: bool, narrow: bool) -> Self {
        FieldDef { nullable, many, narrow, ..FieldDef::new(name, kind) }
    }

    /// A field called `name` with one value of this kind: without an index, and not part of the key.
    ///
    /// Any kind is allowed in documents too: a collection reads times, dates, UUIDs, decimals and bytes from text, as
    /// [`Value::from_text`](crate::value::Value::from_text) does.
    pub fn new(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        FieldDef {
            name: name.into(),
            kind,
            nullable: false,
            many: false,
            narrow: false,
            key: false,
            column: false,
            required: false,
            skip_conflicts: false,
            nan_last: false,
            weight: false,
            collate: None,
            index: None,
            choices: Choices::default(),
        }
    }

    /// Adds an equality index, named like the field. It answers `eq`, `ne`, `is_in` and `is_null`; for a field of many
    /// values, `contains`, `any` and `all`.
    #[must_use]
    pub fn index(self) -> Self {
        FieldDef { index: Some(IndexKind::Equality), ..self }
    }

    /// Adds a unique index. It answers what an equality index answers, and lookups by a unique field. A second record
    /// with the same value is refused; records without a value are exempt. Not for a field of many values.
    #[must_use]
    pub fn unique(self) -> Self {
        FieldDef { index: Some(IndexKind::Unique), ..self }
    }

    /// Adds an ordered index. It answers what an equality index answers, and ranges. For a field of many values a range
    /// means that one of them lies in it; then the index has no order of records.
    ///
    /// Floats have one total order everywhere: by number from `-inf` to `inf`, then NaN. `-0.0` and `0.0` are one
    /// value, and so are all NaNs: NaN equals NaN and is greater than every number, as in PostgreSQL. As NaN is usually
    /// a mistake, an ordered index refuses it unless the field is [`nan_last`](FieldDef::nan_last).
    #[must_use]
    pub fn ordered(self) -> Self {
        FieldDef { index: Some(IndexKind::Ordered), ..self }
    }

    /// Lets ordered indexes of the field hold NaN, sorted after all other numbers, so that `x > 5` is true for NaN. Has
    /// no effect on kinds other than floats.
    ///
    /// ```
    /// use memdex::{FieldDef, KeyValue, Kind, Schema, Store, field};
    ///
    /// let schema = Schema::new([FieldDef::new("celsius", Kind::Float).ordered().nan_last()]);
    /// let readings = Store::new().key_values::<()>("readings", schema)?;
    /// readings.store(KeyValue::new("broken", ()).with("celsius", f64::NAN))?;
    /// assert_eq!(readings.find(field("celsius").gt(40.0)).count()?, 1);
    /// assert_eq!(readings.find(field("celsius").between(40.0, f64::INFINITY)).count()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn nan_last(self) -> Self {
        FieldDef { nan_last: true, ..self }
    }

    /// Compares the field's strings by a collation, everywhere: in `eq`, `ne`, `is_in`, `contains`, ranges, orders, pages
    /// after a cursor, distinct counts and all of its indexes, so that a unique one refuses texts that are equal by
    /// the collation. Records keep their spelling.
    ///
    /// Tests of strings (`starts_with`, `like`, …) still compare characters as they are written, which only the
    /// records know: they read records, and accents count. Those that ignore case can use indexes and columns of a
    /// field with [`Collation::NoCase`]. Groups by such a field, and its lowest, highest and most frequent value, show the lowest
    /// spelling by bytes among equal texts of their records, so they read records too; a materialized aggregate can't
    /// have them. Not for keys, nor for kinds other than strings.
    ///
    /// ```
    /// use memdex::{FieldDef, KeyValue, Kind, Schema, Store, field, schema::Collation};
    ///
    /// let schema = Schema::new([FieldDef::new("mail", Kind::Str).unique().collate(Collation::NoCase)]);
    /// let users = Store::new().key_values::<()>("users", schema)?;
    /// users.store(KeyValue::new("ada", ()).with("mail", "Ada@Example.org"))?;
    /// assert_eq!(users.find(field("mail").eq("ada@example.ORG")).count()?, 1);
    /// assert!(users.store(KeyValue::new("eve", ()).with("mail", "ADA@example.org")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn collate(self, collation: Collation) -> Self {
        FieldDef { collate: Some(collation), ..self }
    }

    /// Adds a column: the field's values in contiguous memory, so that a scan of them reads no record. It serves
    /// conditions without an index, and statistics. It can be combined with an index. Not for a field of many values.
    ///
    /// Memory: integers, timestamps, dates, floats, `bool`s and `char`s take 1, 2, 4 or 8 bytes a record, the width
    /// that the values of 1,024 neighboring records need. When a value needs a greater width, the narrower cells stay,
    /// up to 15 bytes a record in all. An integer outside of `i64`, or a timestamp outside of the years 1677 to 2262,
    /// takes about 50 bytes more and is slower. Other kinds, such as strings, take 1 to 4 bytes for a code plus a
    /// dictionary of the distinct values, which pays off if these are few. A missing value takes as much as any other,
    /// unless all of its neighbors are missing; one bit a record marks which are.
    #[must_use]
    pub fn column(self) -> Self {
        FieldDef { column: true, ..self }
    }

    /// Makes the field the weight of the records, for a bound of the collection in weight: a single integer. A schema has one such
    /// field; of several, the first one counts.
    #[must_use]
    pub fn weight(self) -> Self {
        FieldDef { weight: true, ..self }
    }

    /// Makes the field a part of the key. The parts have the order of the fields, which must be the order in which the
    /// record writes them to its key.
    #[must_use]
    pub fn key(self) -> Self {
        FieldDef { key: true, ..self }
    }

    /// Lets the value be missing.
    #[must_use]
    pub fn optional(self) -> Self {
        FieldDef { nullable: true, ..self }
    }

    /// Lets the field hold any number of values.
    #[must_use]
    pub fn many(self) -> Self {
        FieldDef { nullable: true, many: true, ..self }
    }

    /// Refuses documents and key/value records without this field. (In these, other fields can be missing; in a Rust
    /// type, the field's type decides.)
    #[must_use]
    pub fn required(self) -> Self {
        FieldDef { required: true, ..self }
    }

    /// Treats a value of the wrong kind in a document or key/value record as missing, in indexes and queries. Otherwise
    /// such a record is refused.
    #[must_use]
    pub fn skip_conflicts(self) -> Self {
        FieldDef { skip_conflicts: true, ..self }
    }

    /// The name that queries use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of its values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the value can be missing.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether it holds any number of values.
    pub fn is_many(&self) -> bool {
        self.many
    }

    /// Whether 64 bits are enough for each of its values.
    pub fn fits_64_bits(&self) -> bool {
        match self.kind {
            Kind::Bool | Kind::Char | Kind::Float | Kind::Date => true,
            Kind::Int => self.narrow,
            _ => false,
        }
    }

    /// Whether ordered indexes keep NaN.
    pub fn is_nan_last(&self) -> bool {
        self.nan_last
    }

    /// Whether it is the weight of the records.
    pub fn is_weight(&self) -> bool {
        self.weight
    }

    /// The only values of the field's Rust type, if it is an enum; else empty. Tools that make records up read them.
    ///
    /// ```
    /// use memdex::{FieldDef, FieldValue};
    ///
    /// #[derive(FieldValue)]
    /// #[field(rename_all = "snake_case")]
    /// enum Status { Pending, PaidOut }
    ///
    /// assert_eq!(FieldDef::of::<Option<Status>>("status").choices(), ["pending", "paid_out"]);
    /// assert!(FieldDef::of::<String>("name").choices().is_empty());
    /// ```
    pub fn choices(&self) -> &'static [&'static str] {
        self.choices.0
    }

    /// The collation by which its values are compared; without one, strings are compared by bytes.
    pub fn collation(&self) -> Option<Collation> {
        self.collate
    }

    /// The kind of its own index, if it has one.
    pub fn index_kind(&self) -> Option<IndexKind> {
        self.index
    }

    /// Whether it has a column.
    pub fn is_column(&self) -> bool {
        self.column
    }

    /// Whether it is a part of the key.
    pub fn is_key(&self) -> bool {
        self.key
    }

    /// Whether a document or key/value record without it is refused.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether a value of the wrong kind counts as missing.
    pub fn skips_conflicts(&self) -> bool {
        self.skip_conflicts
    }

    /// The error for a record that has `found` in place of this field's value.
    pub fn conflict(&self, found: String) -> Conflict {
        let expected = if self.many { format!("many values of kind {}", self.kind) } else { self.kind.to_string() };
        Conflict { field: self.name.to_string(), expected, found }
    }
}

impl Path {
    /// The path to a declared field.
    pub fn new(field: &FieldDef, key_part: Option<usize>) -> Self {
        Path { kind: Some(field.kind()), many: field.is_many(), key_part, ..Path::undeclared(field.name()) }
    }
}
