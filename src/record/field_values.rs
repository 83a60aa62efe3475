//! The values of a record by field name, without its Rust type.

use super::Schema;
use crate::error::Cause;
use memdex_query::query::FieldName;
use memdex_query::schema::as_kind;
use memdex_query::value::{FieldValue, FromValue, Value, ValueRef};
use smallvec::SmallVec;
use std::any::type_name;
#[cfg(feature = "documents")]
use std::collections::HashMap;

/// The values of a record by field name, for tools that have no Rust type at hand. See [`AnyCollection`](crate::typing::AnyCollection).
///
/// A field of many values has an entry for each of them. [`to`](FieldValues::to) and stores treat a null as missing; `get` and `iter`
/// return it.
///
/// ```
/// use memdex::Value;
/// use memdex::typing::FieldValues;
///
/// let payment = FieldValues::new().with("id", "p-1").with("amount", 500).with_each("tags", ["eu", "card"]);
/// assert_eq!(payment.get("tags").collect::<Vec<_>>(), [&Value::from("eu"), &Value::from("card")]);
/// assert_eq!(payment.to::<i64>("amount")?, 500);
/// assert_eq!(payment.to::<Option<String>>("user")?, None);
/// assert_eq!(payment, FieldValues::from_iter([("id", "p-1".into()), ("amount", Value::from(500))]).with_each("tags", ["eu", "card"]));
/// # Ok::<(), memdex::error::Cause>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldValues(Vec<(FieldName, Value)>);

impl FieldValues {
    /// No values.
    pub fn new() -> Self {
        FieldValues::default()
    }

    /// Adds a field, or one more value of a field of many.
    #[must_use]
    pub fn with(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.0.push((field.into(), value.into()));
        self
    }

    /// Appends these values to a field; an empty iterator or `None` adds nothing.
    #[must_use]
    pub fn with_each<T: Into<Value>>(
        mut self,
        field: impl Into<FieldName>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let field = field.into();
        self.0.extend(values.into_iter().map(|value| (field.clone(), value.into())));
        self
    }

    /// Replaces the values of a field; with no values, the field is missing.
    pub fn set_each<T: Into<Value>>(&mut self, field: impl Into<FieldName>, values: impl IntoIterator<Item = T>) {
        let field = field.into();
        self.0.retain(|(name, _)| *name != field);
        self.0.extend(values.into_iter().map(|value| (field.clone(), value.into())));
    }

    /// Adds a value of a field, and removes the oldest ones, so that at most `keep` are left.
    pub(super) fn append(&mut self, field: &str, value: Value, keep: usize) {
        let mut surplus = (self.get(field).count() + 1).saturating_sub(keep);
        self.0.retain(|(name, _)| {
            let dropped = surplus > 0 && name == field;
            surplus -= usize::from(dropped);
            !dropped
        });
        self.0.push((field.to_owned().into(), value));
    }

    /// The values of a field.
    pub fn get<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(name, _)| name == field).map(|(_, value)| value)
    }

    /// Each value with the name of its field, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let values = self.0.iter().map(|(_, value)| value.heap_bytes());
        self.0.capacity() * size_of::<(FieldName, Value)>() + values.sum::<usize>()
    }

    /// The values of a field as a Rust type: for implementations of [`Record::from_values`](crate::Record::from_values). A float takes
    /// integers, a `char` takes strings of one character.
    ///
    /// # Errors
    /// [`Cause::MissingField`] if there is no value and the type needs one, [`Cause::DoesNotFit`] if the values are not of the type.
    pub fn to<T: FieldValue + FromValue>(&self, field: &str) -> Result<T, Cause> {
        let present = self.get(field).map(Value::as_ref).filter(|value| !value.is_null());
        let values: SmallVec<[ValueRef<'_>; 4]> =
            present.map(|value| as_kind(value, T::KIND).unwrap_or(value)).collect();
        T::from_values(&values).ok_or_else(|| match values.as_slice() {
            [] => Cause::MissingField { field: field.to_owned() },
            _ => {
                let found: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                Cause::DoesNotFit { field: field.to_owned(), expected: type_name::<T>(), found: found.join(", ") }
            }
        })
    }

    /// Whether there is a value of a field of this nested struct.
    pub(super) fn has_below(&self, prefix: &str) -> bool {
        let is_below = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
        self.iter().any(|(name, value)| is_below(name) && !value.is_null())
    }

    /// The names in the order in which they first occur, each with its values.
    #[cfg(feature = "documents")]
    pub(super) fn by_name(&self) -> Vec<(&str, SmallVec<[&Value; 1]>)> {
        let mut by_name: Vec<(&str, SmallVec<[&Value; 1]>)> = Vec::new();
        let mut places = HashMap::new();
        for (name, value) in self.iter() {
            let place = *places.entry(name).or_insert_with(|| {
                by_name.push((name, SmallVec::new()));
                by_name.len() - 1
            });
            by_name[place].1.push(value);
        }
        by_name
    }

    /// Refuses a field that the schema does not declare.
    pub(super) fn check_declared(&self, schema: &Schema) -> Result<(), Cause> {
        match self.iter().find(|(name, _)| schema.position(name).is_none()) {
            None => Ok(()),
            Some((name, _)) => {
                let known = schema.fields().iter().map(|field| field.name().to_owned()).collect();
                Err(Cause::UndeclaredField { field: name.to_owned(), known })
            }
        }
    }
}

impl<N: Into<FieldName>, V: Into<Value>> FromIterator<(N, V)> for FieldValues {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        FieldValues(values.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<N: Into<FieldName>, V: Into<Value>> Extend<(N, V)> for FieldValues {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, values: I) {
        self.0.extend(values.into_iter().map(|(name, value)| (name.into(), value.into())));
    }
}
