//! Definitions of indexes.

use crate::query::{FieldName, Predicate};
use std::borrow::Cow;
use std::fmt;

/// The queries that an index answers, and whether it makes values unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum IndexKind {
    /// Value → rows: `eq`, `ne`, `is_in`, `is_null`; for fields of many values `contains`, `any`, `all`; for several
    /// fields `eq` on all of them.
    Equality,
    /// Value → row: the same, and no two records have the same value. Records without a value are exempt.
    Unique,
    /// Rows in the order of their values: the same, and ranges; for several fields `eq` on the first ones and a range
    /// on the next.
    Ordered,
}

impl fmt::Display for IndexKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IndexKind::Equality => "equality",
            IndexKind::Unique => "unique",
            IndexKind::Ordered => "ordered",
        })
    }
}

/// The definition of an index: over one or several fields, of all records or of those that match a condition. Add it to
/// a schema ([`Schema::with_index`](crate::schema::Schema::with_index)) or to an open collection
/// (`Collection::add_index`). Queries never name an index; the planner chooses.
///
/// ```
/// use memdex::{IndexDef, Record, Store, field};
///
/// #[derive(Clone, Record)]
/// struct Job { #[record(key)] id: u32, #[record(field)] queue: String, #[record(field)] due: i64, #[record(field)] done: bool }
///
/// let jobs = Store::new().collection::<Job>("Job")?;
/// jobs.store(Job { id: 1, queue: "mail".into(), due: 5, done: false })?;
/// jobs.add_index(IndexDef::equality("queue"))?;
/// jobs.add_index(IndexDef::ordered(["queue", "due"]).named("open").when(job::DONE.eq(false)))?;
/// assert_eq!(jobs.find(job::QUEUE.eq("mail") & job::DUE.lt(9) & job::DONE.eq(false)).count()?, 1);
/// jobs.drop_index("open")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "form::IndexForm", into = "form::IndexForm"))]
pub struct IndexDef {
    name: FieldName,
    fields: Vec<FieldName>,
    kind: IndexKind,
    when: Option<Predicate>,
}

#[cfg(feature = "serde")]
mod form {
    use super::{FieldName, IndexDef, IndexKind, Predicate, default_name};
    use serde::{Deserialize, Serialize};

    /// An index without its default name.
    #[derive(Serialize, Deserialize)]
    #[serde(rename = "IndexDef", deny_unknown_fields)]
    pub(super) struct IndexForm {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<FieldName>,
        fields: Vec<FieldName>,
        kind: IndexKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<Predicate>,
    }

    impl From<IndexDef> for IndexForm {
        fn from(IndexDef { name, fields, kind, when }: IndexDef) -> Self {
            IndexForm { name: Some(name).filter(|name| *name != default_name(&fields)), fields, kind, when }
        }
    }

    impl From<IndexForm> for IndexDef {
        fn from(IndexForm { name, fields, kind, when }: IndexForm) -> Self {
            IndexDef { name: name.unwrap_or_else(|| default_name(&fields)), fields, kind, when }
        }
    }
}

fn default_name(fields: &[FieldName]) -> FieldName {
    match fields {
        [name] => name.clone(),
        several => Cow::Owned(several.join("+")),
    }
}

/// The names of an index's fields: one name, or an array or `Vec` of names.
pub trait FieldNames {
    /// The names, in the order of the index.
    fn into_names(self) -> Vec<FieldName>;
}

macro_rules! one_name {
    ($($t:ty)*) => {$(
        impl FieldNames for $t {
            fn into_names(self) -> Vec<FieldName> {
                vec![self.into()]
            }
        }
    )*};
}

one_name! { &'static str String FieldName }

impl<N: Into<FieldName>, const COUNT: usize> FieldNames for [N; COUNT] {
    fn into_names(self) -> Vec<FieldName> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<N: Into<FieldName>> FieldNames for Vec<N> {
    fn into_names(self) -> Vec<FieldName> {
        self.into_iter().map(Into::into).collect()
    }
}

impl IndexDef {
    fn new(kind: IndexKind, fields: impl FieldNames) -> Self {
        let fields = fields.into_names();
        IndexDef { name: default_name(&fields), fields, kind, when: None }
    }

    /// An index that answers equality. It is named like its field; for several fields, their names joined by `+`. A
    /// field of many values, or an undeclared path of documents, must be its only field.
    pub fn equality(fields: impl FieldNames) -> Self {
        IndexDef::new(IndexKind::Equality, fields)
    }

    /// An index that answers equality and refuses a second record with the same values. A record that lacks one of them
    /// is exempt. Not for fields of many values.
    pub fn unique(fields: impl FieldNames) -> Self {
        IndexDef::new(IndexKind::Unique, fields)
    }

    /// An index that answers equality and ranges; for several fields, a range on the first one that has no equality
    /// condition. A field of many values, or an undeclared path of documents, must be its only field; then it has no
    /// order of records, so that it does not serve sorted pages. Refuses NaN, except in fields that are [`nan_last`](crate::schema::FieldDef::nan_last).
    pub fn ordered(fields: impl FieldNames) -> Self {
        IndexDef::new(IndexKind::Ordered, fields)
    }

    /// Names the index.
    #[must_use]
    pub fn named(self, name: impl Into<FieldName>) -> Self {
        IndexDef { name: name.into(), ..self }
    }

    /// Restricts the index to records for which `condition` is true. It answers queries that imply the condition: each
    /// part of the condition must follow from a part of the query, as `amount > 5` follows from `amount > 10`. A unique
    /// index is unique among the records that it holds.
    #[must_use]
    pub fn when(self, condition: impl Into<Predicate>) -> Self {
        IndexDef { when: Some(condition.into()), ..self }
    }

    /// The same index over fields of a nested struct, whose names get the prefix.
    pub(super) fn within(self, prefix: &str) -> Self {
        let prefixed = |name: &FieldName| Cow::Owned(format!("{prefix}.{name}"));
        IndexDef {
            name: prefixed(&self.name),
            fields: self.fields.iter().map(prefixed).collect(),
            when: self.when.map(|when| when.map_fields(&|name| prefixed(name))),
            ..self
        }
    }

    /// Its name, by which it is dropped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its fields.
    pub fn fields(&self) -> &[FieldName] {
        &self.fields
    }

    /// The name of a unique index as a constraint of a collection. An unnamed index has the name that PostgreSQL gives
    /// it: `User_mail_key`.
    pub fn constraint_name(&self, collection: &str) -> String {
        match self.name == default_name(&self.fields) {
            true => format!("{collection}_{}_key", self.fields.join("_")),
            false => self.name.to_string(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> IndexKind {
        self.kind
    }

    /// Its condition; `None` if it holds all records.
    pub fn condition(&self) -> Option<&Predicate> {
        self.when.as_ref()
    }
}

impl fmt::Display for IndexDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}({})", self.kind, self.name, self.fields.join(", "))?;
        match &self.when {
            Some(when) => write!(f, " when {when:?}"),
            None => Ok(()),
        }
    }
}
