//! Conditions on the metrics of a group.

use super::{Condition, FieldAt, FieldDef, FieldSource, Schema};
use crate::error::QueryError;
use crate::query::{FieldName, Predicate};
use crate::value::{Value, ValueRef};
use std::borrow::Cow;
use std::cell::RefCell;

/// A condition on the metrics of a group.
pub struct Having {
    condition: Condition,
    /// The positions of the metrics whose kind is known, in the order of the condition's fields.
    places: Vec<usize>,
}

impl Having {
    /// Binds a condition to metrics of these names. A metric without a known kind has no definition, and is tested as an
    /// undeclared path is.
    ///
    /// # Errors
    /// [`QueryError::UnknownField`] for a metric that does not exist; [`QueryError::NoElements`] for an `elem_match`; if a value
    /// does not fit its metric.
    pub(super) fn new(
        collection: &str,
        names: &[Cow<'static, str>],
        metrics: impl Iterator<Item = Option<FieldDef>>,
        having: &Predicate,
    ) -> Result<Self, QueryError> {
        if let Some(list) = list_in(having) {
            return Err(QueryError::no_elements(collection, list.to_string()));
        }
        let (mut fields, mut places) = (Vec::new(), Vec::new());
        for (place, metric) in metrics.enumerate().filter_map(|(place, metric)| Some((place, metric?))) {
            fields.push(metric);
            places.push(place);
        }
        let mut schema = Schema::new(fields);
        if places.len() < names.len() {
            let unknown = RefCell::new(None);
            having.clone().map_fields(&|name| {
                if !names.contains(name) {
                    unknown.replace(Some(name.clone()));
                }
                name.clone()
            });
            if let Some(name) = unknown.take() {
                return Err(schema.unknown_field(collection, &name));
            }
            schema = schema.open();
        }
        Ok(Having { condition: Condition::new(collection, &schema, having)?, places })
    }

    /// Whether a group with these metrics matches.
    pub(super) fn holds(&self, names: &[Cow<'static, str>], values: &[Value]) -> bool {
        self.condition.holds(&MetricRow { names, places: &self.places, values })
    }
}

/// The list of an `elem_match`; no metric is one.
fn list_in(predicate: &Predicate) -> Option<&FieldName> {
    match predicate {
        Predicate::ElemMatch(list, _) => Some(list),
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().find_map(list_in),
        Predicate::Not(part) => list_in(part),
        _ => None,
    }
}

/// The metrics of a group, as a row of values. Those without a known kind are found by name.
struct MetricRow<'a> {
    names: &'a [Cow<'static, str>],
    places: &'a [usize],
    values: &'a [Value],
}

impl FieldSource for MetricRow<'_> {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        let place = match field.undeclared() {
            Some(name) => self.names.iter().position(|known| known == name),
            None => self.places.get(field.position()).copied(),
        };
        let value = place.and_then(|place| self.values.get(place)).map_or(ValueRef::Null, Value::as_ref);
        field.read(value)
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        each(self.value_at(field));
    }

    fn elements_at(&self, _: &FieldAt, _: &mut dyn FnMut(&dyn FieldSource)) {}
}
