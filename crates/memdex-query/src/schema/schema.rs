//! A record's schema: which fields queries may name, which are indexed, which make the key.

use super::Condition;
use super::aggregate_def::AggregateDef;
use super::index_def::{IndexDef, IndexKind};
use super::path::Path;
use crate::error::{Conflict, SchemaError};
use crate::limits;
use crate::value::{FieldValue, Kind};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One field of a [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDef {
    name: Cow<'static, str>,
    kind: Kind,
    nullable: bool,
    many: bool,
    narrow: bool,
    key: bool,
    column: bool,
    required: bool,
    skip_conflicts: bool,
    nan_last: bool,
    index: Option<IndexKind>,
}

impl FieldDef {
    /// A field called `name` that holds values of type `T`, has no index, and is no part of the key.
    pub fn of<T: FieldValue>(name: impl Into<Cow<'static, str>>) -> Self {
        FieldDef { nullable: T::NULLABLE, many: T::MANY, narrow: T::NARROW, ..FieldDef::new(name, T::KIND) }
    }

    /// A field called `name` that always holds one value of this kind, has no index, and is no part of the key.
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
            index: None,
        }
    }

    /// The same field with an equality index, named like it: for `eq`, `ne`, `is_in` and `is_null`, and of a field of many values
    /// `contains`, `any` and `all`.
    #[must_use]
    pub fn index(self) -> Self {
        FieldDef { index: Some(IndexKind::Equality), ..self }
    }

    /// The same field with a unique index: for what an equality index is for, and for [`get_by`](crate::Collection::get_by). A
    /// second record with the same value is refused ([`Cause::NotUnique`](crate::Cause::NotUnique)); records without a value
    /// are free of that. Not for a field of many values.
    #[must_use]
    pub fn unique(self) -> Self {
        FieldDef { index: Some(IndexKind::Unique), ..self }
    }

    /// The same field with an ordered index: for what an equality index is for, and for ranges. Not for a field of many values.
    ///
    /// Floats have one total order, the same in records, columns and indexes: from `-inf` by number to `inf`, then NaN. `-0.0` and
    /// `0.0` are one value, and so are all NaNs, whatever their sign and bits: NaN equals NaN, and is greater than every number, as
    /// in PostgreSQL. As NaN is mostly a mistake, an ordered index refuses it
    /// ([`Cause::NotANumber`](crate::Cause::NotANumber)) unless the field says [`nan_last`](FieldDef::nan_last).
    #[must_use]
    pub fn ordered(self) -> Self {
        FieldDef { index: Some(IndexKind::Ordered), ..self }
    }

    /// The same field, and ordered indexes, its own and those of several fields, keep NaN, sorted after all other numbers, instead
    /// of refusing it: then `x > 5` is true for NaN. Says nothing of fields of other kinds than floats.
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

    /// The same field with a column: its values side by side, so that looking at all of them reads no record. For tests that no
    /// index answers; beside an index or alone. Not for a field of many values.
    ///
    /// Integers, timestamps, dates, floats, `bool`s and `char`s take 1, 2, 4 or 8 bytes a record, whatever the values of 1,024
    /// neighbouring records need to be told apart: one that differs more than those before it makes their cells wider, and the
    /// narrower ones stay, so that it can become up to 15. An integer beyond 64 bits with their sign, as the upper half of `u64`, or a
    /// timestamp beyond the years 1677 to 2262 takes some 50 bytes more and is slower to look at. Other kinds, strings among
    /// them, take 1 to 4 bytes for a code, and a dictionary of the distinct values: worth it where these are few. A record
    /// without a value takes as much as one with a value, unless none of its neighbours has any; an eighth of a byte says which
    /// have.
    #[must_use]
    pub fn column(self) -> Self {
        FieldDef { column: true, ..self }
    }

    /// The same field as a part of the key. All parts are fields, in the order in which the record writes them to its
    /// [key](crate::Record::key), with the same values: queries look keys up by these.
    #[must_use]
    pub fn key(self) -> Self {
        FieldDef { key: true, ..self }
    }

    /// The same field, but it can be missing.
    #[must_use]
    pub fn optional(self) -> Self {
        FieldDef { nullable: true, ..self }
    }

    /// The same field, but it holds any number of values.
    #[must_use]
    pub fn many(self) -> Self {
        FieldDef { nullable: true, many: true, ..self }
    }

    /// The same field, and a document or key/value record without it is refused. (There, a field that is not required can be
    /// missing; the fields of a Rust type say by their types whether they can.)
    #[must_use]
    pub fn required(self) -> Self {
        FieldDef { required: true, ..self }
    }

    /// The same field, and where a document or key/value record has something in it that the field can't be, that counts as
    /// missing, for indexes and queries alike. Otherwise such a record is refused.
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

    /// Whether what it can't be counts as missing.
    pub fn skips_conflicts(&self) -> bool {
        self.skip_conflicts
    }

    /// The error for a record that has `found` in place of this field's value.
    pub fn conflict(&self, found: String) -> Conflict {
        let expected = if self.many { format!("many values of kind {}", self.kind) } else { self.kind.to_string() };
        Conflict { field: self.name.to_string(), expected, found }
    }
}

/// Where a record finds the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldAt {
    position: usize,
    /// For records without a Rust type.
    path: Option<Arc<Path>>,
}

impl FieldAt {
    /// The position in the schema; `usize::MAX` for a path of documents that the schema does not declare.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The path that the schema does not declare.
    pub fn undeclared(&self) -> Option<&str> {
        self.path().filter(|_| self.position == usize::MAX).map(|path| &*path.name)
    }
}

/// The fields of a record type, each at its position, and its indexes.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    fields: Vec<FieldDef>,
    indexes: Vec<IndexDef>,
    aggregates: Vec<AggregateDef>,
    /// Of the fields of records without a Rust type; otherwise none.
    paths: Vec<Arc<Path>>,
    /// Whether queries may name what is not declared.
    open: bool,
}

impl Schema {
    /// A schema of these fields. Whether it is sound is judged when a collection asks for it.
    pub fn new(fields: impl IntoIterator<Item = FieldDef>) -> Self {
        let fields = fields.into_iter().collect();
        Schema { fields, indexes: Vec::new(), aggregates: Vec::new(), paths: Vec::new(), open: false }
    }

    /// The schema of records that are looked into by name: a field that is not required can be missing.
    pub fn by_name(mut self) -> Self {
        let mut key_parts = 0..;
        self.paths.clear();
        for field in &mut self.fields {
            field.nullable = field.many || !(field.required || field.key);
            // Whatever type the declaration was made from, integers of any width may come.
            field.narrow = false;
            let key_part = if field.key { key_parts.next() } else { None };
            self.paths.push(Arc::new(Path::new(field, key_part)));
        }
        self
    }

    /// The same schema with one more index beside those of single fields.
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

    /// The same schema with the fields and indexes of a struct that lies in the field `prefix`, behind its own fields.
    #[must_use]
    pub fn with_nested(mut self, prefix: &str, nested: Schema) -> Self {
        let fields = nested.fields.into_iter();
        self.fields.extend(fields.map(|f| FieldDef { name: Cow::Owned(format!("{prefix}.{}", f.name)), ..f }));
        self.indexes.extend(nested.indexes.into_iter().map(|index| index.within(prefix)));
        self.aggregates.extend(nested.aggregates.into_iter().map(|aggregate| aggregate.within(prefix)));
        self
    }

    /// The same schema with one more field before all others.
    pub fn with_first(mut self, field: FieldDef) -> Self {
        self.fields.insert(0, field);
        self
    }

    pub fn each_field(mut self, change: impl Fn(FieldDef) -> FieldDef) -> Self {
        self.fields = self.fields.into_iter().map(change).collect();
        self
    }

    /// The fields in the order of their positions.
    pub fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    /// All indexes: those of single fields in the order of the fields, then the others.
    pub fn indexes(&self) -> Vec<IndexDef> {
        let own = self.fields.iter().filter_map(|field| {
            Some(match field.index? {
                IndexKind::Equality => IndexDef::equality(field.name.clone()),
                IndexKind::Unique => IndexDef::unique(field.name.clone()),
                IndexKind::Ordered => IndexDef::ordered(field.name.clone()),
            })
        });
        own.chain(self.indexes.iter().cloned()).collect()
    }

    /// The materialized aggregates.
    pub fn aggregates(&self) -> &[AggregateDef] {
        &self.aggregates
    }

    /// The position of the field `name`. O(number of fields).
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The schema of records of which queries may name what is not declared.
    #[cfg(feature = "json")]
    pub fn open(self) -> Self {
        Schema { open: true, ..self }
    }

    /// Whether queries may name what is not declared.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Where records find the field `name`, and what it is.
    pub fn find(&self, name: &str) -> Option<(FieldAt, &FieldDef)> {
        let position = self.position(name)?;
        Some((self.at(position), &self.fields[position]))
    }

    /// Where records find the field at a position.
    pub fn at(&self, position: usize) -> FieldAt {
        FieldAt { position, path: self.paths.get(position).cloned() }
    }

    /// Where records find what the schema does not declare, if queries may ask for that.
    pub fn undeclared(&self, name: &str) -> Option<FieldAt> {
        self.open.then(|| FieldAt { position: usize::MAX, path: Some(Arc::new(Path::undeclared(name))) })
    }

    /// The fields of records without a Rust type, each with its path.
    pub fn paths(&self) -> impl Iterator<Item = (&FieldDef, &Path)> {
        self.fields.iter().zip(self.paths.iter().map(|path| &**path))
    }

    /// At least one key field, none of them optional; names that are there and differ; sound indexes; no more than the limits.
    pub fn check(&self) -> Result<(), SchemaError> {
        if self.fields.len() > limits::MAX_FIELDS {
            return Err(SchemaError::TooManyFields { fields: self.fields.len(), limit: limits::MAX_FIELDS });
        }
        if !self.fields.iter().any(FieldDef::is_key) {
            return Err(SchemaError::NoKey);
        }
        for (at, field) in self.fields.iter().enumerate() {
            let name = || field.name.to_string();
            if field.name.is_empty() {
                return Err(SchemaError::UnnamedField { position: at });
            }
            if self.position(&field.name) != Some(at) {
                return Err(SchemaError::DuplicateField { field: name() });
            }
            if field.key && field.many {
                return Err(SchemaError::ListKey { field: name() });
            }
            if field.key && field.nullable {
                return Err(SchemaError::OptionalKey { field: name() });
            }
            if field.column && field.many {
                return Err(SchemaError::ManyValues { what: "a column", field: name() });
            }
        }
        let indexes = self.indexes();
        for (at, index) in indexes.iter().enumerate() {
            self.check_index(index, &indexes[..at])?;
        }
        for (at, def) in self.aggregates.iter().enumerate() {
            let unsound = |source| SchemaError::Aggregate { aggregate: def.name().to_owned(), source };
            self.check_aggregate(def, &self.aggregates[..at]).map_err(unsound)?;
        }
        Ok(())
    }

    /// Whether an index can stand beside `others`.
    pub fn check_index(&self, index: &IndexDef, others: &[IndexDef]) -> Result<(), SchemaError> {
        let name = || index.name().to_owned();
        if others.len() >= limits::MAX_INDEXES {
            return Err(SchemaError::TooManyIndexes { limit: limits::MAX_INDEXES });
        }
        if others.iter().any(|other| other.name() == index.name()) {
            return Err(SchemaError::DuplicateIndex { index: name() });
        }
        if index.name().is_empty() || index.fields().is_empty() {
            return Err(SchemaError::EmptyIndex { index: name() });
        }
        for (at, field) in index.fields().iter().enumerate() {
            let Some((_, def)) = self.find(field) else {
                let known = self.fields.iter().map(|field| field.name().to_owned()).collect();
                return Err(SchemaError::UnknownField { index: name(), field: field.to_string(), known });
            };
            if index.fields()[..at].contains(field) {
                return Err(SchemaError::RepeatedField { index: name(), field: field.to_string() });
            }
            if def.many && (index.kind() != IndexKind::Equality || index.fields().len() > 1) {
                let what = if index.fields().len() > 1 { "an index of several fields" } else { "such an index" };
                return Err(SchemaError::ManyValues { what, field: field.to_string() });
            }
        }
        match index.condition().map(|when| Condition::new(index.name(), self, when)) {
            Some(Err(source)) => Err(SchemaError::Condition { index: name(), source: Box::new(source) }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ ")?;
        for (at, field) in self.fields.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let key = if field.key { "key " } else { "" };
            let index = match field.index {
                None => "",
                Some(IndexKind::Equality) => "index ",
                Some(IndexKind::Unique) => "unique ",
                Some(IndexKind::Ordered) => "ordered ",
            };
            let nan = if field.nan_last { "nan_last " } else { "" };
            let column = if field.column { "column " } else { "" };
            let required = if field.required { "required " } else { "" };
            let skip = if field.skip_conflicts { "skip_conflicts " } else { "" };
            let optional = if field.many {
                "*"
            } else if field.nullable {
                "?"
            } else {
                ""
            };
            write!(f, "{comma}{key}{index}{nan}{column}{required}{skip}{}: {}{optional}", field.name, field.kind)?;
        }
        for index in &self.indexes {
            write!(f, ", {index}")?;
        }
        for aggregate in &self.aggregates {
            write!(f, ", {aggregate}")?;
        }
        f.write_str(" }")
    }
}
