//! What an index is declared to be: its fields, its kind, and which records it holds.

use crate::query::{FieldName, Predicate};
use std::borrow::Cow;
use std::fmt;

/// What an index can answer, and what it asks of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// Value → rows: `eq`, `ne`, `is_in`, `is_null`, and of fields of many values `contains`, `any`, `all`. Of several fields:
    /// `eq` of all of them together.
    Equality,
    /// Value → row: the same, and no two records have the same value. Records without one are free of that.
    Unique,
    /// Rows in the order of their values: the same, and ranges. Of several fields: `eq` of the first ones, and a range of the next.
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

/// An index to be: over one field or several, of all records or of those that meet a condition. A schema takes it
/// ([`Schema::with_index`](crate::Schema::with_index)), or a collection that is there
/// ([`Collection::add_index`](crate::Collection::add_index)). Queries never name an index: each takes those that answer it.
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
pub struct IndexDef {
    name: FieldName,
    fields: Vec<FieldName>,
    kind: IndexKind,
    when: Option<Predicate>,
}

/// The names of an index's fields: one, or an array or `Vec` of them.
pub trait FieldNames {
    /// The names, in the order in which the index takes them.
    fn into_names(self) -> Vec<FieldName>;
}

impl FieldNames for &'static str {
    fn into_names(self) -> Vec<FieldName> {
        vec![self.into()]
    }
}

impl FieldNames for String {
    fn into_names(self) -> Vec<FieldName> {
        vec![self.into()]
    }
}

impl FieldNames for FieldName {
    fn into_names(self) -> Vec<FieldName> {
        vec![self]
    }
}

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
        let name = match fields.as_slice() {
            [name] => name.clone(),
            several => Cow::Owned(several.join("+")),
        };
        IndexDef { name, fields, kind, when: None }
    }

    /// Answers equality. It is named like its field; of several, their names with `+` between them. Of a field of many values it must
    /// be the index of that field alone.
    pub fn equality(fields: impl FieldNames) -> Self {
        IndexDef::new(IndexKind::Equality, fields)
    }

    /// Answers equality, and refuses a second record with the same values. A record that lacks one of them is free of that.
    pub fn unique(fields: impl FieldNames) -> Self {
        IndexDef::new(IndexKind::Unique, fields)
    }

    /// Answers equality and ranges; of several fields, ranges of the first that is not asked for a single value. Takes no
    /// NaN, but of fields that are [`nan_last`](crate::FieldDef::nan_last).
    pub fn ordered(fields: impl FieldNames) -> Self {
        IndexDef::new(IndexKind::Ordered, fields)
    }

    /// The same index under this name.
    #[must_use]
    pub fn named(self, name: impl Into<FieldName>) -> Self {
        IndexDef { name: name.into(), ..self }
    }

    /// The same index, holding only the records for which `condition` is true. It answers queries that demand as much or more: for
    /// each part of the condition one part that it follows from, as `amount > 5` follows from `amount > 10`. Where it is unique, it
    /// is so among the records that it holds.
    #[must_use]
    pub fn when(self, condition: impl Into<Predicate>) -> Self {
        IndexDef { when: Some(condition.into()), ..self }
    }

    /// The same index of fields that all lie behind `prefix`.
    pub(super) fn within(self, prefix: &str) -> Self {
        let prefixed = |name: &FieldName| Cow::Owned(format!("{prefix}.{name}"));
        IndexDef {
            name: prefixed(&self.name),
            fields: self.fields.iter().map(prefixed).collect(),
            when: self.when.map(|when| when.map_fields(&|name| prefixed(name))),
            ..self
        }
    }

    /// The name by which it is dropped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its fields.
    pub fn fields(&self) -> &[FieldName] {
        &self.fields
    }

    /// What it can answer.
    pub fn kind(&self) -> IndexKind {
        self.kind
    }

    /// Which records it holds; all if there is no condition.
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
