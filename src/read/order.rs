//! The order that a query asks for, bound to a schema: which of two records comes first.

use crate::error::QueryError;
use crate::limits::MAX_ORDER_FIELDS;
use crate::query::{Direction, Nulls, OrderBy};
use crate::record::{FieldAt, FieldDef, Record, Schema, order_of_all};
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
        directed(a, b, self.descending, self.nulls_first, |a, b| a.cmp(&b))
    }
}

fn directed<'a>(
    a: ValueRef<'a>,
    b: ValueRef<'a>,
    descending: bool,
    nulls_first: bool,
    order: impl Fn(ValueRef<'a>, ValueRef<'a>) -> Ordering,
) -> Ordering {
    let by_nulls = if nulls_first { Ordering::Less } else { Ordering::Greater };
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => by_nulls,
        (false, true) => by_nulls.reverse(),
        (false, false) if descending => order(b, a),
        (false, false) => order(a, b),
    }
}

/// Which of two records comes first by the values that each is ordered by, whatever collection it is of, and of which kind the
/// field is there.
pub(super) fn compare(order: &[OrderBy], a: &[Value], b: &[Value]) -> Ordering {
    // Fields that were named before have no values of their own.
    let earlier = |at: usize| order[..at].iter().any(|by| by.field == order[at].field);
    let order = order.iter().enumerate().filter(|(at, _)| !earlier(*at)).map(|(_, by)| by);
    let mut unequal = order.zip(a.iter().zip(b)).map(|(by, (a, b))| {
        let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
        directed(a.as_ref(), b.as_ref(), descending, nulls_first, order_of_all)
    });
    unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
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
            if fields.iter().all(|earlier| earlier.at != at) {
                let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
                fields.push(SortField { at, def: def.clone(), descending, nulls_first });
            }
        }
        Ok(Order(fields))
    }

    /// What decides the order of records for which these fields are constant: the others, and behind them the parts of the key.
    pub(super) fn effective(&self, schema: &Schema, is_constant: impl Fn(&FieldAt) -> bool) -> Self {
        let mut fields: Vec<SortField> = self.0.iter().filter(|field| !is_constant(&field.at)).cloned().collect();
        for (position, def) in schema.fields().iter().enumerate().filter(|(_, def)| def.is_key()) {
            let at = schema.at(position);
            if self.0.iter().all(|field| field.at != at) && !is_constant(&at) {
                fields.push(SortField { at, def: def.clone(), descending: false, nulls_first: true });
            }
        }
        Order(fields)
    }

    /// Which of two records comes first by the first fields alone. Runs their extractors.
    pub(super) fn compare_first<R: Record>(&self, fields: usize, a: &Version<R>, b: &Version<R>) -> Ordering {
        let fields = self.0.iter().take(fields);
        let mut unequal = fields.map(|field| field.compare(value_of(a, field), value_of(b, field)));
        unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// What a record is ordered by. Runs its extractors.
    pub(super) fn values<R: Record>(&self, version: &Version<R>) -> Vec<Value> {
        let of = |field: &SortField| version.record.as_ref().map_or(Value::NULL, |r| r.value_at(&field.at).to_value());
        self.0.iter().map(of).collect()
    }

    /// Which of two records comes first. Runs their extractors.
    pub(super) fn compare<R: Record>(&self, a: &Version<R>, b: &Version<R>) -> Ordering {
        self.compare_first(self.0.len(), a, b).then_with(|| a.key.cmp(&b.key))
    }

    /// Whether a record comes before or behind the place that these values and this key name.
    pub(super) fn compare_to_place<R: Record>(&self, a: &Version<R>, values: &[Value], key: &Key) -> Ordering {
        let fields = self.0.iter().zip(values);
        let mut unequal = fields.map(|(field, value)| field.compare(value_of(a, field), value.as_ref()));
        unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal).then_with(|| a.key.cmp(key))
    }
}

fn value_of<'a, R: Record>(version: &'a Version<R>, field: &SortField) -> ValueRef<'a> {
    version.record.as_ref().map_or(ValueRef::Null, |record| record.value_at(&field.at))
}
