//! The order that a query asks for, bound to a schema: which of two records comes first.

use crate::error::QueryError;
use crate::limits::MAX_ORDER_FIELDS;
use crate::query::{Direction, Nulls, OrderBy};
use crate::record::{FieldAt, FieldDef, Record, Schema};
use crate::storage::Version;
use crate::value::{Key, Value, ValueRef};
use std::cmp::Ordering;

/// One field of an order.
#[derive(Clone, Debug)]
pub(super) struct SortField {
    pub(super) at: FieldAt,
    pub(super) def: FieldDef,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

/// By what records are ordered; then by key. Total, since no two records have one key.
#[derive(Clone, Debug)]
pub(super) struct Order(pub(super) Vec<SortField>);

impl SortField {
    pub(super) fn compare(&self, a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
        let by_nulls = if self.nulls_first { Ordering::Less } else { Ordering::Greater };
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => by_nulls,
            (false, true) => by_nulls.reverse(),
            (false, false) if self.descending => b.cmp(&a),
            (false, false) => a.cmp(&b),
        }
    }
}

impl Order {
    /// Binds an order to a schema; `collection` names it in errors.
    pub(super) fn new(collection: &str, schema: &Schema, order: &[OrderBy]) -> Result<Self, QueryError> {
        let collection = || collection.to_owned();
        if order.len() > MAX_ORDER_FIELDS {
            let (what, given, limit) = ("fields to order by", order.len(), MAX_ORDER_FIELDS);
            return Err(QueryError::TooMany { collection: collection(), what, given, limit });
        }
        let mut fields: Vec<SortField> = Vec::with_capacity(order.len());
        for by in order {
            let Some((at, def)) = schema.find(&by.field) else {
                let known = schema.fields().iter().map(|field| field.name().to_owned()).collect();
                let field = by.field.to_string();
                return Err(QueryError::UnknownField { collection: collection(), field, known });
            };
            if def.is_many() {
                let (field, purpose) = (by.field.to_string(), "an order".to_owned());
                return Err(QueryError::NotSingle { collection: collection(), field, purpose });
            }
            // What an earlier field leaves equal it leaves equal again.
            if fields.iter().all(|field| field.at != at) {
                let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
                fields.push(SortField { at, def: def.clone(), descending, nulls_first });
            }
        }
        Ok(Order(fields))
    }

    /// What a record is ordered by. Runs its extractors.
    pub(super) fn values<R: Record>(&self, version: &Version<R>) -> Vec<Value> {
        let of = |field: &SortField| version.record.as_ref().map_or(Value::NULL, |r| r.value_at(&field.at).to_value());
        self.0.iter().map(of).collect()
    }

    /// Which of two records comes first. Runs their extractors.
    pub(super) fn compare<R: Record>(&self, a: &Version<R>, b: &Version<R>) -> Ordering {
        let by_values = self.compare_with(a, |at, field| value_of(b, at, field));
        by_values.then_with(|| a.key.cmp(&b.key))
    }

    /// Whether a record comes before or behind the place that these values and this key name.
    pub(super) fn compare_to_place<R: Record>(&self, a: &Version<R>, values: &[Value], key: &Key) -> Ordering {
        let by_values = self.compare_with(a, |at, _| values.get(at).map_or(ValueRef::Null, Value::as_ref));
        by_values.then_with(|| a.key.cmp(key))
    }

    fn compare_with<'a, R: Record>(&self, a: &Version<R>, b: impl Fn(usize, &SortField) -> ValueRef<'a>) -> Ordering {
        let fields = self.0.iter().enumerate();
        let mut unequal = fields.map(|(at, field)| field.compare(value_of(a, at, field), b(at, field)));
        unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn value_of<'a, R: Record>(version: &'a Version<R>, _: usize, field: &SortField) -> ValueRef<'a> {
    version.record.as_ref().map_or(ValueRef::Null, |record| record.value_at(&field.at))
}
