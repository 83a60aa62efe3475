//! Constraints that a schema declares beyond its indexes: references to other collections, and checks.

use super::index_def::FieldNames;
use crate::query::{FieldName, Predicate};
use std::borrow::Cow;
use std::fmt;

/// What becomes of a record when the record that it refers to is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnDelete {
    /// The commit is refused if it leaves a record that refers to the deleted one.
    #[default]
    Restrict,
    /// It is deleted too.
    Cascade,
    /// Its referring fields become missing.
    SetNull,
}

/// What becomes of a record when the record that it refers to moves to another key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnUpdate {
    /// The commit is refused if it leaves a record that refers to the old key.
    #[default]
    Restrict,
    /// It refers to the new key.
    Cascade,
}

impl fmt::Display for OnDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnDelete::Restrict => "restrict",
            OnDelete::Cascade => "cascade",
            OnDelete::SetNull => "set null",
        })
    }
}

impl fmt::Display for OnUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnUpdate::Restrict => "restrict",
            OnUpdate::Cascade => "cascade",
        })
    }
}

/// A reference: the values of some fields are the key of a record in another collection, or in the same one.
///
/// A record refers to nothing if one of the fields is missing. A field of many values refers with each of them. The fields have the kinds
/// of the parts of the key, in their order. The schema gets an equality index on the fields, unless it has an index on exactly these.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex::schema::{OnDelete, Reference};
///
/// let schema = Schema::new([
///     FieldDef::new("id", Kind::Int).key(),
///     FieldDef::new("account", Kind::Int).optional(),
/// ])
/// .with_reference(Reference::new("account", "Account").on_delete(OnDelete::SetNull));
/// assert_eq!(schema.reference_names("Payment"), ["Payment_account_fkey"]);
/// assert_eq!(schema.indexes()[0].fields(), ["account"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Reference {
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    name: Option<FieldName>,
    fields: Vec<FieldName>,
    to: FieldName,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    on_delete: OnDelete,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    on_update: OnUpdate,
}

#[cfg(feature = "serde")]
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Reference {
    /// A reference from a field, or several, to the key of the records of collection `to`.
    pub fn new(fields: impl FieldNames, to: impl Into<FieldName>) -> Self {
        let (on_delete, on_update) = Default::default();
        Reference { name: None, fields: fields.into_names(), to: to.into(), on_delete, on_update }
    }

    /// Says what a deletion of the other record does. [`OnDelete::Restrict`] by default.
    #[must_use]
    pub fn on_delete(self, on_delete: OnDelete) -> Self {
        Reference { on_delete, ..self }
    }

    /// Says what a change of the other record's key does. [`OnUpdate::Restrict`] by default.
    #[must_use]
    pub fn on_update(self, on_update: OnUpdate) -> Self {
        Reference { on_update, ..self }
    }

    /// Names the constraint. By default it has the name that PostgreSQL gives it, such as `Payment_account_fkey`.
    #[must_use]
    pub fn named(self, name: impl Into<FieldName>) -> Self {
        Reference { name: Some(name.into()), ..self }
    }

    /// The name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The referring fields.
    pub fn fields(&self) -> &[FieldName] {
        &self.fields
    }

    /// The name of the collection that it refers to.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// What a deletion does.
    pub fn deletes(&self) -> OnDelete {
        self.on_delete
    }

    /// What a change of the key does.
    pub fn updates(&self) -> OnUpdate {
        self.on_update
    }

    /// Whether it writes referring fields, in records that nobody else changes.
    pub fn writes(&self) -> bool {
        self.on_delete == OnDelete::SetNull || self.on_update == OnUpdate::Cascade
    }

    /// The name in a collection.
    pub(super) fn name_in(&self, collection: &str) -> String {
        let given = self.name.as_deref().map(str::to_owned);
        given.unwrap_or_else(|| format!("{collection}_{}_fkey", self.fields.join("_")))
    }

    /// The same from fields of a nested struct, whose names get the prefix.
    pub(super) fn within(self, prefix: &str) -> Self {
        let prefixed = |name: &FieldName| Cow::Owned(format!("{prefix}.{name}"));
        Reference { fields: self.fields.iter().map(prefixed).collect(), ..self }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference { name, fields, to, on_delete, on_update } = self;
        f.write_str("reference ")?;
        if let Some(name) = name {
            write!(f, "{name} ")?;
        }
        write!(f, "({}) to {to} on delete {on_delete} on update {on_update}", fields.join(", "))
    }
}

/// A condition that every record meets. As in SQL, a record is refused only if the condition is false: one that is unknown because
/// a value is missing passes, so `amount > 0` accepts a missing amount, and `!(amount > 0)` too.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema, field};
/// use memdex::schema::Check;
///
/// let schema = Schema::new([
///     FieldDef::new("id", Kind::Int).key(),
///     FieldDef::new("amount", Kind::Int).optional(),
/// ])
/// .with_check(Check::new(field("amount").gt(0)))
/// .with_check(Check::new(field("amount").le(1_000)).named("at_most_1000"));
/// assert_eq!(schema.check_names("Payment"), ["Payment_amount_check", "at_most_1000"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Check {
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    name: Option<FieldName>,
    predicate: Predicate,
}

impl Check {
    /// A check of each record.
    pub fn new(predicate: impl Into<Predicate>) -> Self {
        Check { name: None, predicate: predicate.into() }
    }

    /// Names the constraint. By default it has the name that PostgreSQL gives it, such as `Payment_amount_check`.
    #[must_use]
    pub fn named(self, name: impl Into<FieldName>) -> Self {
        Check { name: Some(name.into()), ..self }
    }

    /// The name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The condition.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// The name in a collection: with the field, if there is only one.
    pub(super) fn name_in(&self, collection: &str) -> String {
        if let Some(name) = &self.name {
            return name.to_string();
        }
        let mut fields: Vec<FieldName> = Vec::new();
        self.predicate.each_field(&mut |name| {
            if !fields.contains(name) {
                fields.push(name.clone());
            }
        });
        match &fields[..] {
            [only] => format!("{collection}_{only}_check"),
            _ => format!("{collection}_check"),
        }
    }

    /// The same of fields of a nested struct, whose names get the prefix.
    pub(super) fn within(self, prefix: &str) -> Self {
        let predicate = self.predicate.map_fields(&|name| Cow::Owned(format!("{prefix}.{name}")));
        Check { predicate, ..self }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "check {name} {:?}", self.predicate),
            None => write!(f, "check {:?}", self.predicate),
        }
    }
}

/// The names of constraints. Where PostgreSQL would give two the same name, the later ones get a number.
pub(super) fn distinct(names: impl Iterator<Item = (String, bool)>) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for (name, is_given) in names {
        let is_new = |name: &String| !known.contains(name);
        let numbered = (1..).map(|number| format!("{name}{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| is_given || is_new(name));
        known.extend(name);
    }
    known
}
