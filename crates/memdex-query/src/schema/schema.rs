//! Schemas: the fields of a collection, its key, its indexes and its materialized aggregates.

use super::aggregate_def::AggregateDef;
use super::constraint::{self, Check, Reference};
use super::field_def::FieldDef;
use super::index_def::{IndexDef, IndexKind};
use super::path::{FieldAt, Path};
use crate::error::QueryError;
use crate::query::FormVersion;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The fields of a collection, its indexes and its materialized aggregates.
///
/// ```
/// use memdex::{FieldDef, IndexDef, Schema};
///
/// let schema = Schema::new([
///     FieldDef::of::<u64>("id").key(),
///     FieldDef::of::<Option<String>>("city").index(),
///     FieldDef::of::<i64>("balance").ordered(),
/// ])
/// .with_index(IndexDef::equality(["city", "balance"]));
/// assert_eq!(schema.indexes().len(), 3);
/// ```
///
/// # Serde form
///
/// Flags that are false, what is empty, and the default name of an index are left out. Unknown entries, and an unknown
/// `version`, are errors. The form needs a format that describes itself, such as JSON.
///
/// ```
/// # #[cfg(feature = "documents")] {
/// use memdex::{FieldDef, IndexDef, Kind, Schema, json};
///
/// let schema = Schema::new([
///     FieldDef::new("id", Kind::Int).key(),
///     FieldDef::new("city", Kind::Str).optional().index(),
/// ])
/// .with_index(IndexDef::ordered(["city", "id"]).named("by_city"));
/// let form = json!({
///     "version": 2,
///     "fields": [
///         { "name": "id", "kind": "integer", "key": true },
///         { "name": "city", "kind": "string", "optional": true, "index": "equality" },
///     ],
///     "indexes": [{ "name": "by_city", "fields": ["city", "id"], "kind": "ordered" }],
/// });
/// assert_eq!(serde_json::to_value(&schema)?, form);
/// assert_eq!(serde_json::from_value::<Schema>(form)?, schema);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Schema {
    #[cfg_attr(feature = "serde", serde(default))]
    version: FormVersion,
    fields: Vec<FieldDef>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    indexes: Vec<IndexDef>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    aggregates: Vec<AggregateDef>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    references: Vec<Reference>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    checks: Vec<Check>,
    /// The paths of the fields of records without a Rust type; otherwise empty.
    #[cfg_attr(feature = "serde", serde(skip))]
    paths: Vec<Arc<Path>>,
    /// Whether queries may name undeclared paths.
    #[cfg_attr(feature = "serde", serde(skip))]
    open: bool,
}

impl Schema {
    /// A schema of these fields. It is checked when a collection is opened with it.
    pub fn new(fields: impl IntoIterator<Item = FieldDef>) -> Self {
        let fields = fields.into_iter().collect();
        let version = FormVersion;
        let (indexes, aggregates, references, checks, paths) = Default::default();
        Schema { version, fields, indexes, aggregates, references, checks, paths, open: false }
    }

    /// The schema for records whose fields are read by name: a field that is not required can be missing.
    pub fn by_name(mut self) -> Self {
        let mut key_parts = 0..;
        self.paths.clear();
        for field in &mut self.fields {
            field.nullable = field.many || !(field.required || field.key);
            // Such records may hold integers of any width.
            field.narrow = false;
            let key_part = if field.key { key_parts.next() } else { None };
            self.paths.push(Arc::new(Path::new(field, key_part)));
        }
        self
    }

    /// Adds an index.
    #[must_use]
    pub fn with_index(mut self, index: IndexDef) -> Self {
        self.indexes.push(index);
        self
    }

    /// Adds a materialized aggregate.
    #[must_use]
    pub fn with_aggregate(mut self, aggregate: AggregateDef) -> Self {
        self.aggregates.push(aggregate);
        self
    }

    /// Adds a reference to another collection, or to the own one.
    #[must_use]
    pub fn with_reference(mut self, reference: Reference) -> Self {
        self.references.push(reference);
        self
    }

    /// Adds a check of each record.
    #[must_use]
    pub fn with_check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Adds the fields, indexes, aggregates, references and checks of a nested struct, with the field name `prefix` and a dot before
    /// their names.
    #[must_use]
    pub fn with_nested(mut self, prefix: &str, nested: Schema) -> Self {
        let fields = nested.fields.into_iter();
        self.fields.extend(fields.map(|f| FieldDef { name: Cow::Owned(format!("{prefix}.{}", f.name)), ..f }));
        self.indexes.extend(nested.indexes.into_iter().map(|index| index.within(prefix)));
        self.aggregates.extend(nested.aggregates.into_iter().map(|aggregate| aggregate.within(prefix)));
        self.references.extend(nested.references.into_iter().map(|reference| reference.within(prefix)));
        self.checks.extend(nested.checks.into_iter().map(|check| check.within(prefix)));
        self
    }

    /// Adds a field before all others.
    pub fn with_first(mut self, field: FieldDef) -> Self {
        self.fields.insert(0, field);
        self
    }

    /// Changes each field.
    pub fn each_field(mut self, change: impl Fn(FieldDef) -> FieldDef) -> Self {
        self.fields = self.fields.into_iter().map(change).collect();
        self
    }

    /// The fields in the order of their positions.
    pub fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    /// All indexes: those declared on fields, in the order of the fields, then the others, then an equality index on the fields of each
    /// reference for which there is no index on exactly these fields and all records.
    pub fn indexes(&self) -> Vec<IndexDef> {
        let own = self.fields.iter().filter_map(|field| {
            Some(match field.index? {
                IndexKind::Equality => IndexDef::equality(field.name.clone()),
                IndexKind::Unique => IndexDef::unique(field.name.clone()),
                IndexKind::Ordered => IndexDef::ordered(field.name.clone()),
            })
        });
        let mut all: Vec<IndexDef> = own.chain(self.indexes.iter().cloned()).collect();
        let key: Vec<&str> = self.fields.iter().filter(|field| field.key).map(|field| &*field.name).collect();
        for fields in self.references.iter().map(Reference::fields) {
            let fits = |index: &IndexDef| index.fields() == fields && index.condition().is_none();
            if fields != key && !all.iter().any(fits) {
                let index = IndexDef::equality(fields.to_vec());
                let is_taken = all.iter().any(|other| other.name() == index.name());
                let name = if is_taken { format!("{}_fkey", index.name()) } else { index.name().to_owned() };
                all.push(index.named(name));
            }
        }
        all
    }

    /// The references.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The reference through which a name leads to a field of another collection, and the name there: `account.country`, where the field
    /// `account` is a reference.
    pub fn through<'n>(&self, name: &'n str) -> Option<(&Reference, &'n str)> {
        let through = |reference| match Reference::fields(reference) {
            [field] => Some((reference, name.strip_prefix(&**field)?.strip_prefix('.')?)),
            _ => None,
        };
        self.references.iter().find_map(through).filter(|_| self.position(name).is_none())
    }

    /// The names of the references in a collection, in their order.
    pub fn reference_names(&self, collection: &str) -> Vec<String> {
        let name = |of: &Reference| (of.name_in(collection), of.name().is_some());
        constraint::distinct(self.references.iter().map(name))
    }

    /// The checks.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The names of the checks in a collection, in their order.
    pub fn check_names(&self, collection: &str) -> Vec<String> {
        constraint::distinct(self.checks.iter().map(|of| (of.name_in(collection), of.name().is_some())))
    }

    /// The materialized aggregates.
    pub fn aggregates(&self) -> &[AggregateDef] {
        &self.aggregates
    }

    /// The position of the field `name`. O(number of fields).
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// Lets queries name undeclared paths.
    pub fn open(self) -> Self {
        Schema { open: true, ..self }
    }

    /// Whether queries may name undeclared paths.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The place and the definition of a field.
    pub fn find(&self, name: &str) -> Option<(FieldAt, &FieldDef)> {
        let position = self.position(name)?;
        Some((self.at(position), &self.fields[position]))
    }

    /// The error for a query of `collection` that names a field that does not exist.
    pub fn unknown_field(&self, collection: &str, field: &str) -> QueryError {
        let known: Vec<String> = self.fields.iter().map(|field| field.name().to_owned()).collect();
        QueryError::unknown_field(collection, field, known)
    }

    /// The place of the field at a position.
    pub fn at(&self, position: usize) -> FieldAt {
        let collation = self.fields.get(position).and_then(FieldDef::collation);
        FieldAt::new(position, self.paths.get(position).cloned(), collation)
    }

    /// The place of an undeclared path, if queries may name one.
    pub fn undeclared(&self, name: &str) -> Option<FieldAt> {
        self.open.then(|| FieldAt::of_undeclared(name))
    }

    /// The fields of records without a Rust type, each with its path.
    pub fn paths(&self) -> impl Iterator<Item = (&FieldDef, &Path)> {
        self.fields.iter().zip(self.paths.iter().map(|path| &**path))
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ ")?;
        for (at, field) in self.fields.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            let collation = field.collate.map(|collation| collation.to_string()).unwrap_or_default();
            for (is_set, flag) in [
                (field.key, "key"),
                (field.index == Some(IndexKind::Equality), "index"),
                (field.index == Some(IndexKind::Unique), "unique"),
                (field.index == Some(IndexKind::Ordered), "ordered"),
                (field.nan_last, "nan_last"),
                (field.collate.is_some(), &collation),
                (field.column, "column"),
                (field.weight, "weight"),
                (field.required, "required"),
                (field.skip_conflicts, "skip_conflicts"),
            ] {
                if is_set {
                    write!(f, "{flag} ")?;
                }
            }
            let optional = if field.nullable { "?" } else { "" };
            let mark = if field.many { "*" } else { optional };
            write!(f, "{}: {}{mark}", field.name, field.kind)?;
        }
        for index in &self.indexes {
            write!(f, ", {index}")?;
        }
        for aggregate in &self.aggregates {
            write!(f, ", {aggregate}")?;
        }
        self.references.iter().try_for_each(|reference| write!(f, ", {reference}"))?;
        self.checks.iter().try_for_each(|check| write!(f, ", {check}"))?;
        f.write_str(" }")
    }
}
