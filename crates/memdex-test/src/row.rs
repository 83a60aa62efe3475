//! Records as plain data.

use memdex::query::FieldName;
use memdex::typing::FieldValues;
use memdex::{Schema, Value};
use std::collections::BTreeMap;
use std::fmt;

/// The key of a record: the values of its key fields, in the order of the schema.
pub type RowKey = Vec<Value>;

/// A record as plain data: the values of its fields by name. A field without a value is missing.
///
/// The values of a field of many are sorted, since backends keep them in different orders.
///
/// ```
/// use memdex_test::Row;
///
/// let row = Row::new().with("id", 1).with("city", "Bern").with_each("tags", ["b", "a"]);
/// assert_eq!(row.one("city").and_then(|city| city.as_str()), Some("Bern"));
/// assert_eq!(format!("{row:?}"), r#"{city: "Bern", id: 1, tags: ["a", "b"]}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(BTreeMap<FieldName, Vec<Value>>);

impl Row {
    /// A record without values.
    pub fn new() -> Self {
        Row::default()
    }

    /// Sets a field to one value; a null makes it missing.
    #[must_use]
    pub fn with(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.set(field, [value.into()]);
        self
    }

    /// Sets a field to these values; without any, it is missing.
    #[must_use]
    pub fn with_each<V: Into<Value>>(
        mut self,
        field: impl Into<FieldName>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.set(field, values);
        self
    }

    /// Replaces the values of a field. Nulls are left out.
    pub fn set<V: Into<Value>>(&mut self, field: impl Into<FieldName>, values: impl IntoIterator<Item = V>) {
        let mut values: Vec<Value> = values.into_iter().map(Into::into).filter(|value| !value.is_null()).collect();
        values.sort();
        let field = field.into();
        if values.is_empty() {
            self.0.remove(&field);
        } else {
            self.0.insert(field, values);
        }
    }

    /// The values of a field.
    pub fn all(&self, field: &str) -> &[Value] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }

    /// The only value of a field; `None` if it is missing or has several.
    pub fn one(&self, field: &str) -> Option<&Value> {
        if let [one] = self.all(field) { Some(one) } else { None }
    }

    /// The fields that have values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.0.iter().map(|(name, values)| (&**name, values.as_slice()))
    }

    /// The values of the key fields; `None` if one is missing.
    pub fn key(&self, schema: &Schema) -> Option<RowKey> {
        schema.fields().iter().filter(|field| field.is_key()).map(|field| self.one(field.name()).cloned()).collect()
    }

    /// Only these fields; all if there are none.
    #[must_use]
    pub fn select(&self, fields: &[FieldName]) -> Row {
        let is_selected = |name: &FieldName| fields.is_empty() || fields.contains(name);
        Row(self.0.iter().filter(|(name, _)| is_selected(name)).map(|(name, v)| (name.clone(), v.clone())).collect())
    }

    /// The values in memdex's form.
    pub fn to_values(&self) -> FieldValues {
        self.iter()
            .fold(FieldValues::new(), |values, (name, each)| values.with_each(name.to_owned(), each.iter().cloned()))
    }
}

impl From<&FieldValues> for Row {
    fn from(values: &FieldValues) -> Self {
        let mut by_name: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        values.iter().for_each(|(name, value)| by_name.entry(name).or_default().push(value.clone()));
        by_name.into_iter().fold(Row::new(), |row, (name, each)| row.with_each(name.to_owned(), each))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, values)) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            match values.as_slice() {
                [one] => write!(f, "{name}: {one:?}")?,
                several => write!(f, "{name}: {several:?}")?,
            }
        }
        f.write_str("}")
    }
}
