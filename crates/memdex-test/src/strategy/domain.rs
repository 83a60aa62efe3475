//! The values that the fields of a collection take in a test.

use super::form::{Form, missing_field};
use super::pools::{is_portable, key_pool, pool};
use crate::model::{Accept, Model};
use crate::operation::{Operation, Outcome};
use crate::row::{Row, RowKey};
use memdex::error::{Cause, SchemaError};
use memdex::query::FieldName;
use memdex::schema::IndexKind;
use memdex::typing::ValueRef;
use memdex::{FieldDef, Record, Schema, Value};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;
use std::sync::Arc;

type Normalize = Arc<dyn Fn(&Row) -> Result<Row, Cause> + Send + Sync>;

/// Keys of a collection, unless [`Domain::keys`] says otherwise.
const DEFAULT_KEYS: usize = 8;

/// The values that the fields of a collection take in a test, and strategies over them.
///
/// It is derived from the schema of a record: few keys, so that operations meet the same records; the names of an enum; a few simple
/// values of each kind and the boundaries of its type; missing values; several values. It tries values out with the constructor of the
/// record, so that only those remain that its types accept. Methods replace the values of single fields.
///
/// ```
/// use memdex::{FieldValue, Record};
/// use memdex_test::Domain;
/// use proptest::prelude::*;
///
/// #[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
/// enum Status { Open, Paid }
///
/// #[derive(Clone, Debug, Record)]
/// #[record(from_values)]
/// struct Invoice {
///     #[record(key)]     id: u32,
///     #[record(index)]   status: Status,
///     #[record(ordered)] cents: u16,
///     #[record(field)]   note: Option<String>,
/// }
///
/// let invoices = Domain::of::<Invoice>("Invoice")?.range("cents", 0..=500)?;
/// proptest!(|(invoice in invoices.records::<Invoice>())| {
///     prop_assert!((1..=8).contains(&invoice.id) && invoice.cents <= 500);
/// });
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[derive(Clone)]
pub struct Domain {
    name: FieldName,
    schema: Schema,
    pub(super) fields: Vec<FieldDomain>,
    normalize: Normalize,
}

/// The values of one field.
#[derive(Clone, Debug)]
pub(super) struct FieldDomain {
    pub(super) def: FieldDef,
    pub(super) pool: Vec<Value>,
    /// How often a value is present that may be missing.
    presence: f64,
    /// Whether it can be set and be missing whatever the other fields are; a field of an optional struct can't.
    is_independent: bool,
}

/// A field for which no test values can be found, or that does not exist.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex_test::Domain;
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key()]);
/// let error = Domain::of_schema("User", schema)?.values("ident", [1]).unwrap_err();
/// assert_eq!(error.to_string(), "there is no field \"ident\" in \"User\": it has id");
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// The collection has no such field.
    #[error("there is no field {field:?} in {collection:?}: it has {}", known.join(", "))]
    UnknownField {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// The fields of the collection.
        known: Vec<String>,
    },
    /// The record accepts none of the values.
    #[error(
        "no test value fits the field {field:?} of {collection:?} ({cause}): pass values that its type accepts to \
         `Domain::with_values`"
    )]
    NoValue {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// Why the record refuses the last one.
        cause: String,
    },
    /// The schema is invalid.
    #[error("the schema of {collection:?} is invalid: {source}")]
    Schema {
        /// The collection.
        collection: String,
        /// What is wrong.
        source: SchemaError,
    },
}

impl Domain {
    /// For a type with `#[record(from_values)]`.
    ///
    /// # Errors
    /// [`DomainError::NoValue`] if a field has a type of yours whose values can't be guessed: pass some to
    /// [`Domain::with_values`].
    pub fn of<R: Record>(collection: impl Into<FieldName>) -> Result<Self, DomainError> {
        Domain::of_form(collection, &Form::<R>::of(), [])
    }

    /// As [`of`](Domain::of), with values of fields whose types accept none of the usual ones.
    ///
    /// ```
    /// use memdex::{FieldValue, Record, Value};
    /// use memdex::typing::{Element, FromValue, HeapSize, ValueRef};
    /// use memdex_test::{Domain, Form};
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Iban(String);
    ///
    /// impl FieldValue for Iban {
    ///     type Base = Self;
    ///     const KIND: memdex::Kind = memdex::Kind::Str;
    ///     fn value(&self) -> ValueRef<'_> { ValueRef::Str(&self.0) }
    /// }
    ///
    /// impl FromValue for Iban {
    ///     fn from_value(value: ValueRef<'_>) -> Option<Self> {
    ///         value.as_str().filter(|text| text.len() == 4).map(|text| Iban(text.to_owned()))
    ///     }
    /// }
    ///
    /// #[derive(Clone, Debug, Record)]
    /// #[record(from_values)]
    /// struct Account { #[record(key)] id: u32, #[record(unique)] iban: Iban }
    ///
    /// assert!(Domain::of::<Account>("Account").is_err());
    /// let accounts = Domain::with_values("Account", &Form::<Account>::of(), [("iban", vec!["CH01".into(), "CH02".into()])])?;
    /// assert_eq!(accounts.values_of("iban")?, [Value::from("CH01"), Value::from("CH02")]);
    /// # Ok::<(), memdex_test::DomainError>(())
    /// ```
    ///
    /// # Errors
    /// As [`of`](Domain::of), and [`DomainError::UnknownField`].
    pub fn with_values<R: Record, N: Into<FieldName>>(
        collection: impl Into<FieldName>,
        form: &Form<R>,
        values: impl IntoIterator<Item = (N, Vec<Value>)>,
    ) -> Result<Self, DomainError> {
        Domain::of_form(collection, form, values.into_iter().map(|(name, values)| (name.into(), values)))
    }

    /// For rows of a schema without a record type, such as those of documents.
    ///
    /// # Errors
    /// [`DomainError::Schema`].
    pub fn of_schema(collection: impl Into<FieldName>, schema: Schema) -> Result<Self, DomainError> {
        let name = collection.into();
        let required: Vec<String> =
            schema.fields().iter().filter(|field| !field.is_nullable()).map(|field| field.name().to_owned()).collect();
        let normalize = move |row: &Row| match required.iter().find(|name| row.all(name).is_empty()) {
            Some(name) => Err(missing_field(name)),
            None => Ok(row.clone()),
        };
        Domain::new(name, schema, Arc::new(normalize), Vec::new())
    }

    fn of_form<R: Record>(
        collection: impl Into<FieldName>,
        form: &Form<R>,
        values: impl IntoIterator<Item = (FieldName, Vec<Value>)>,
    ) -> Result<Self, DomainError> {
        let (schema, form) = (form.schema().clone(), form.clone());
        let keys: Vec<String> =
            schema.fields().iter().filter(|field| field.is_key()).map(|field| field.name().to_owned()).collect();
        let normalize = move |row: &Row| {
            let read = form.read(&form.build(&row.to_values())?);
            // A key/value record does not show its key.
            let keys = keys.iter().filter(|key| read.all(key).is_empty());
            let keys: Vec<(String, Vec<Value>)> = keys.map(|key| (key.clone(), row.all(key).to_vec())).collect();
            Ok(keys.into_iter().fold(read, |read, (key, values)| read.with_each(key, values)))
        };
        Domain::new(collection.into(), schema, Arc::new(normalize), values.into_iter().collect())
    }

    fn new(
        name: FieldName,
        schema: Schema,
        normalize: Normalize,
        values: Vec<(FieldName, Vec<Value>)>,
    ) -> Result<Self, DomainError> {
        schema.check().map_err(|source| DomainError::Schema { collection: name.to_string(), source })?;
        let unique: Vec<String> = schema
            .indexes()
            .iter()
            .filter(|index| index.kind() == IndexKind::Unique && index.fields().len() == 1)
            .map(|index| index.fields()[0].to_string())
            .collect();
        let refuses_nan = |field: &FieldDef| {
            let mut indexes = schema.indexes().into_iter().filter(|index| index.kind() == IndexKind::Ordered);
            !field.is_nan_last() && indexes.any(|index| index.fields().iter().any(|of| of == field.name()))
        };
        let field = |def: &FieldDef| {
            let mut pool = match () {
                () if def.is_key() => key_pool(def, DEFAULT_KEYS),
                () if unique.iter().any(|name| name == def.name()) => key_pool(def, 2 * DEFAULT_KEYS),
                () => pool(def),
            };
            if refuses_nan(def) {
                pool.retain(|value| !matches!(value.as_ref(), ValueRef::Float(x) if x.is_nan()));
            }
            FieldDomain { def: def.clone(), pool, presence: 0.75, is_independent: true }
        };
        let fields = schema.fields().iter().map(field).collect();
        let mut domain = Domain { name, schema, fields, normalize };
        for (field, values) in values {
            let at = domain.position(&field)?;
            domain.fields[at].pool = values;
        }
        domain.probe()?;
        Ok(domain)
    }

    /// Drops the values that the record refuses.
    fn probe(&mut self) -> Result<(), DomainError> {
        let first = |field: &FieldDomain| (!field.def.is_nullable()).then(|| field.pool.first().cloned()).flatten();
        let mut base = Row::new();
        let mut next: Vec<usize> = vec![0; self.fields.len()];
        for field in &self.fields {
            base.set(field.def.name().to_owned(), first(field));
        }
        // Replaces the value that is refused by the next one, until the record can be built.
        let base = loop {
            let cause = match self.complete(base.clone()) {
                Ok(built) => break built,
                Err(cause) => cause,
            };
            let refused = field_of(&cause).and_then(|name| self.schema.position(name));
            let at = refused.unwrap_or(0);
            next[at] += 1;
            let name = self.fields[at].def.name().to_owned();
            let Some(value) = self.fields[at].pool.get(next[at]).cloned().filter(|_| refused.is_some()) else {
                return Err(self.no_value(at, &cause));
            };
            base.set(name, [value]);
        };
        for at in 0..self.fields.len() {
            let name = self.fields[at].def.name().to_owned();
            let mut last = None;
            let mut pool: Vec<Value> = Vec::new();
            for value in &self.fields[at].pool {
                match self.complete(base.clone().with(name.clone(), value.clone())) {
                    // As the record holds it: an `f32` rounds.
                    Ok(built) => pool.extend(built.one(&name).cloned().filter(|value| !pool.contains(value))),
                    Err(cause) => last = Some(cause),
                }
            }
            match last {
                Some(cause) if pool.is_empty() => return Err(self.no_value(at, &cause)),
                _ => self.fields[at].pool = pool,
            }
        }
        let all = self
            .fields
            .iter()
            .fold(Row::new(), |row, field| row.with_each(field.def.name().to_owned(), field.pool.first().cloned()));
        for at in 0..self.fields.len() {
            let name = self.fields[at].def.name().to_owned();
            let is_single = !self.fields[at].def.is_nullable();
            let alone = base.clone().with_each(name.clone(), self.fields[at].pool.first().cloned());
            let without = all.clone().with_each(name, Vec::<Value>::new());
            let both = [alone, without].iter().all(|row| (self.normalize)(row).is_ok());
            self.fields[at].is_independent = is_single || both;
        }
        Ok(())
    }

    fn no_value(&self, at: usize, cause: &Cause) -> DomainError {
        let field = self.fields[at].def.name().to_owned();
        DomainError::NoValue { collection: self.name.to_string(), field, cause: cause.to_string() }
    }

    /// The row as the record shows it. Fields that a nested struct needs are added.
    fn complete(&self, mut row: Row) -> Result<Row, Cause> {
        for _ in 0..=self.fields.len() {
            let cause = match (self.normalize)(&row) {
                Ok(row) => return Ok(row),
                Err(cause) => cause,
            };
            let Cause::MissingField { field, .. } = &cause else { return Err(cause) };
            let at = self.schema.position(field);
            let value = at.filter(|_| row.all(field).is_empty()).and_then(|at| self.fields[at].pool.first());
            match value {
                Some(value) => row.set(field.clone(), [value.clone()]),
                None => return Err(cause),
            }
        }
        (self.normalize)(&row)
    }

    /// The name of the collection.
    pub fn name(&self) -> &FieldName {
        &self.name
    }

    /// The schema of the collection.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    fn position(&self, field: &str) -> Result<usize, DomainError> {
        self.schema.position(field).ok_or_else(|| DomainError::UnknownField {
            collection: self.name.to_string(),
            field: field.to_owned(),
            known: self.schema.fields().iter().map(|field| field.name().to_owned()).collect(),
        })
    }

    /// The values of a field.
    ///
    /// # Errors
    /// [`DomainError::UnknownField`].
    pub fn values_of(&self, field: &str) -> Result<&[Value], DomainError> {
        Ok(&self.fields[self.position(field)?].pool)
    }

    /// Gives a field these values, the simplest first.
    ///
    /// # Errors
    /// [`DomainError::UnknownField`]; [`DomainError::NoValue`] if the record accepts none of them.
    pub fn values<V: Into<Value>>(
        mut self,
        field: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, DomainError> {
        let at = self.position(field)?;
        self.fields[at].pool = values.into_iter().map(Into::into).collect();
        self.probe()?;
        Ok(self)
    }

    /// Gives an integer field the values of a range: its bounds, and the usual values between them.
    ///
    /// # Errors
    /// As [`values`](Domain::values).
    pub fn range(self, field: &str, range: std::ops::RangeInclusive<i64>) -> Result<Self, DomainError> {
        let at = self.position(field)?;
        let within = self.fields[at].pool.iter().filter(|value| value.as_i64().is_some_and(|n| range.contains(&n)));
        let middle = range.start() + (range.end() - range.start()) / 2;
        let mut values: Vec<Value> = within.cloned().collect();
        for bound in [*range.start(), middle, *range.end()] {
            if !values.contains(&bound.into()) {
                values.push(bound.into());
            }
        }
        self.values(field, values)
    }

    /// Lets the key fields take this many values each: the fewer, the more operations meet the same record.
    ///
    /// # Errors
    /// As [`values`](Domain::values).
    pub fn keys(mut self, keys: usize) -> Result<Self, DomainError> {
        for field in self.fields.iter_mut().filter(|field| field.def.is_key()) {
            field.pool = key_pool(&field.def, keys);
        }
        self.probe()?;
        Ok(self)
    }

    /// Gives a field the keys of another collection, and a few others if `dangling`. The other collection has a key of one part, or the
    /// field has the name of one of its key fields.
    ///
    /// # Errors
    /// As [`values`](Domain::values).
    pub fn references(self, field: &str, other: &Domain, dangling: bool) -> Result<Self, DomainError> {
        let mut keys = other.fields.iter().filter(|of| of.def.is_key());
        let named = keys.clone().find(|of| of.def.name() == field);
        let mut values = named.or_else(|| keys.next()).map_or_else(Vec::new, |of| of.pool.clone());
        if dangling {
            let at = self.position(field)?;
            let others: Vec<Value> =
                self.fields[at].pool.iter().filter(|value| !values.contains(value)).cloned().collect();
            values.extend(others.into_iter().take(2));
        }
        self.values(field, values)
    }

    /// How often an optional field has a value, from 0 to 1.
    ///
    /// # Errors
    /// [`DomainError::UnknownField`].
    pub fn present(mut self, field: &str, presence: f64) -> Result<Self, DomainError> {
        let at = self.position(field)?;
        self.fields[at].presence = presence.clamp(0.0, 1.0);
        Ok(self)
    }

    /// Leaves out the values that SQLite or PostgreSQL store or compare in another way: NUL in strings, integers beyond 64 bits,
    /// infinities and NaN, times finer than a microsecond.
    #[must_use]
    pub fn portable(mut self) -> Self {
        for field in &mut self.fields {
            field.pool.retain(is_portable);
        }
        self
    }

    /// Records as rows.
    pub fn rows(&self) -> BoxedStrategy<Row> {
        let names: Vec<FieldName> = self.fields.iter().map(|field| field.def.name().to_owned().into()).collect();
        let values: Vec<_> = self.fields.iter().map(FieldDomain::values).collect();
        let domain = self.clone();
        let row = move |values: Vec<Vec<Value>>| {
            let row = names.iter().zip(values).fold(Row::new(), |row, (name, each)| row.with_each(name.clone(), each));
            domain.complete(row).ok()
        };
        values.prop_filter_map("the record refuses the values together", row).boxed()
    }

    /// Up to this many rows that a collection can hold together: keys and unique values occur once.
    pub fn distinct_rows(&self, most: usize) -> BoxedStrategy<Vec<Row>> {
        let empty = Model::new([(self.name.to_string(), self.schema.clone())]);
        let name = self.name.clone();
        let keep = move |rows: Vec<Row>| {
            let mut model = empty.clone();
            let fits = |row: &Row| model.apply(&Operation::insert(name.clone(), row.clone())) == Outcome::Done;
            rows.into_iter().filter(fits).collect()
        };
        vec(self.rows(), 0..=most).prop_map(keep).boxed()
    }

    /// Records of a type with `#[record(from_values)]`.
    pub fn records<R: Record + fmt::Debug>(&self) -> BoxedStrategy<R> {
        self.records_of(&Form::of())
    }

    /// Records that this form builds.
    pub fn records_of<R: Record + fmt::Debug>(&self, form: &Form<R>) -> BoxedStrategy<R> {
        let form = form.clone();
        let build = move |row: Row| form.build(&row.to_values()).ok();
        self.rows().prop_filter_map("the record refuses the values together", build).boxed()
    }

    /// Keys of records.
    pub fn key_values(&self) -> BoxedStrategy<RowKey> {
        let parts: Vec<_> =
            self.fields.iter().filter(|field| field.def.is_key()).map(|field| select(field.pool.clone())).collect();
        parts.boxed()
    }

    pub(super) fn is_independent(&self, at: usize) -> bool {
        self.fields[at].is_independent
    }

    /// What the model does with a row: the row as the record holds it.
    pub(super) fn acceptance(&self) -> Accept {
        let normalize = self.normalize.clone();
        Arc::new(move |row| normalize(row).ok())
    }

    /// Values of one field, for updates: none if it may be missing.
    pub(super) fn update_of(&self, at: usize) -> BoxedStrategy<(FieldName, Vec<Value>)> {
        let field = &self.fields[at];
        (Just(field.def.name().to_owned().into()), field.values()).boxed()
    }
}

impl FieldDomain {
    fn values(&self) -> BoxedStrategy<Vec<Value>> {
        if self.pool.is_empty() {
            return Just(Vec::new()).boxed();
        }
        let one = select(self.pool.clone());
        if self.def.is_many() {
            return vec(one, 0..=3).boxed();
        }
        if self.def.is_nullable() {
            return weighted(self.presence, one).prop_map(|value| value.into_iter().collect()).boxed();
        }
        one.prop_map(|value| vec![value]).boxed()
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools = self.fields.iter().map(|field| (field.def.name(), &field.pool));
        f.debug_map().entry(&"collection", &self.name).entries(pools).finish()
    }
}

/// The field that a record refuses.
fn field_of(cause: &Cause) -> Option<&str> {
    match cause {
        Cause::MissingField { field, .. }
        | Cause::DoesNotFit { field, .. }
        | Cause::Conflict { field, .. }
        | Cause::Field { field, .. }
        | Cause::WrongKind { field, .. } => Some(field),
        _ => None,
    }
}
